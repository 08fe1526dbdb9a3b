"""The text of INFO: Redis's sections and field names, with this server's figures (https://redis.io/commands/info/)."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import durastore
from durastore.commands import access
from durastore.commands.channels import CHANNEL, PATTERN, SHARD
from durastore.commands.memory import table_overhead
from durastore.commands.tablerow import Command
from durastore.config import Config
from durastore.config import table as directives
from durastore.config.tls import TLS_PORT
from durastore.keyspace.database import Database
from durastore.protocol.identity import REDIS_VERSION
from durastore.server.doctor import Condition

if TYPE_CHECKING:
    from durastore.server.server import Server

Fields = list[tuple[str, object]]


def _human(size: float) -> str:
    """A size in bytes as Redis shows it to people: ``1.23M``."""
    if size < 1024:
        return f"{int(size)}B"
    for unit in "KMG":
        size /= 1024
        if size < 1024:
            return f"{size:.2f}{unit}"
    return f"{size / 1024:.2f}T"


def _yes(value: object) -> int:
    return 1 if value else 0


def _status(ok: bool) -> str:
    return "ok" if ok else "err"


def _server(server: Server) -> Fields:
    uptime = int(time.time() - server.started)
    config = server.config
    port = config[directives.PORT] or config[TLS_PORT]
    return [
        ("redis_version", REDIS_VERSION),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", 0),
        ("redis_build_id", "durastore-" + durastore.__version__),
        ("redis_mode", "standalone"),
        ("durastore_version", durastore.__version__),
        ("durastore_build", "compiled" if durastore.compiled() else "interpreted"),
        ("python_version", platform.python_version()),
        ("os", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("arch_bits", 64 if sys.maxsize > 2**32 else 32),
        ("monotonic_clock", "POSIX clock_gettime"),
        ("multiplexing_api", "epoll"),
        ("atomicvar_api", "gil"),
        ("gcc_version", platform.python_compiler().removeprefix("GCC ")),
        ("process_id", os.getpid()),
        ("process_supervised", server.supervision.mode),
        ("run_id", server.run_id),
        ("tcp_port", port),
        ("server_time_usec", time.time_ns() // 1000),
        ("uptime_in_seconds", uptime),
        ("uptime_in_days", uptime // 86400),
        ("hz", config[directives.HZ]),
        ("configured_hz", config[directives.HZ]),
        ("lru_clock", int(time.time()) & 0xFFFFFF),
        ("executable", os.path.abspath(sys.argv[0] or sys.executable)),
        ("config_file", config.file or ""),
        ("io_threads_active", 0),
        *_listeners(config),
    ]


def _listeners(config: Config) -> Fields:
    found: list[str] = []
    port, path = config[directives.PORT], config[directives.UNIX_SOCKET]
    addresses = "".join(f",bind={address}" for address in config[directives.BIND])
    if port:
        found.append(f"name=tcp{addresses},port={port}")
    if path:
        found.append(f"name=unix,bind={path}")
    if config[TLS_PORT]:
        found.append(f"name=tls{addresses},port={config[TLS_PORT]}")
    return [(f"listener{number}", text) for number, text in enumerate(found)]


def _clients(server: Server) -> Fields:
    connections = list(server.hub.connections.values())
    blocking = server.engine.blocking
    keys, keys_without = blocking.keys()
    return [
        ("connected_clients", len(connections)),
        ("cluster_connections", 0),
        ("maxclients", server.config[directives.MAX_CLIENTS]),
        ("client_recent_max_input_buffer", max((each.session.parser.buffered() for each in connections), default=0)),
        ("client_recent_max_output_buffer", max((int(each.outgoing_bytes) for each in connections), default=0)),
        ("blocked_clients", len(blocking.blocked) + len(server.hub.held)),
        ("tracking_clients", len(server.engine.tracking.clients)),
        ("clients_in_timeout_table", blocking.timeouts()),
        ("total_blocking_keys", keys),
        ("total_blocking_keys_on_nokey", keys_without),
    ]


def resident_memory() -> int:
    """The resident size of the process, in bytes."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def _memory(server: Server) -> Fields:
    server.sample_memory()
    used, peak, resident = server.memory, server.peak_memory, resident_memory()
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    maximum = server.config[directives.MAX_MEMORY]
    freeing = server.engine.instance.keyspace.freeing
    clients, unwritten = int(server.engine.memory.clients), server.log.unwritten()
    tables = sum(table_overhead(db) for db in server.engine.instance.keyspace.databases)
    dataset = max(used - server.startup_memory - clients - unwritten - tables, 0)
    ratio = f"{resident / max(used, 1):.2f}"
    programs = server.engine.programs
    scripts, functions = programs.script_memory(), programs.functions.memory()
    texts = sum(len(script.body) for script in programs.scripts.values())
    codes = sum(len(code) for code in server.engine.instance.keyspace.functions)
    return [
        ("used_memory", used),
        ("used_memory_human", _human(used)),
        ("used_memory_rss", resident),
        ("used_memory_rss_human", _human(resident)),
        ("used_memory_peak", peak),
        ("used_memory_peak_human", _human(peak)),
        ("used_memory_peak_perc", f"{100 * used / peak:.2f}%"),
        ("used_memory_overhead", used - dataset),
        ("used_memory_startup", server.startup_memory),
        ("used_memory_dataset", dataset),
        ("used_memory_dataset_perc", f"{100 * dataset / max(used - server.startup_memory, 1):.2f}%"),
        ("allocator_allocated", used),
        ("allocator_active", max(resident, used)),
        ("allocator_resident", max(resident, used)),
        ("total_system_memory", total),
        ("total_system_memory_human", _human(total)),
        ("used_memory_lua", scripts),
        ("used_memory_vm_eval", scripts),
        ("used_memory_lua_human", _human(scripts)),
        ("used_memory_scripts_eval", texts),
        ("number_of_cached_scripts", len(programs.scripts)),
        ("number_of_functions", len(programs.functions.functions)),
        ("number_of_libraries", len(server.engine.instance.keyspace.functions)),
        ("used_memory_vm_functions", functions),
        ("used_memory_vm_total", scripts + functions),
        ("used_memory_vm_total_human", _human(scripts + functions)),
        ("used_memory_functions", codes),
        ("used_memory_scripts", texts + codes),
        ("used_memory_scripts_human", _human(texts + codes)),
        ("maxmemory", maximum),
        ("maxmemory_human", _human(maximum)),
        ("maxmemory_policy", server.config[directives.MAX_MEMORY_POLICY]),
        ("allocator_frag_ratio", f"{max(resident, used) / max(used, 1):.2f}"),
        ("allocator_frag_bytes", max(resident - used, 0)),
        ("allocator_rss_ratio", "1.00"),
        ("allocator_rss_bytes", 0),
        ("rss_overhead_ratio", "1.00"),
        ("rss_overhead_bytes", 0),
        ("mem_fragmentation_ratio", ratio),
        ("mem_fragmentation_bytes", resident - used),
        ("mem_not_counted_for_evict", unwritten),
        ("mem_replication_backlog", 0),
        ("mem_total_replication_buffers", 0),
        ("mem_clients_slaves", 0),
        ("mem_clients_normal", clients),
        ("mem_cluster_links", 0),
        ("mem_aof_buffer", unwritten),
        ("mem_allocator", "pymalloc"),
        ("active_defrag_running", 0),
        ("lazyfree_pending_objects", freeing.pending),
        ("lazyfreed_objects", freeing.freed),
    ]


def memory_figures(server: Server) -> list[tuple[bytes, object]]:
    """What MEMORY STATS tells, but for the databases."""
    fields = dict(_memory(server))
    used, peak = server.memory, server.peak_memory
    keys = sum(int(db.table.count) for db in server.engine.instance.keyspace.databases)
    dataset = int(str(fields["used_memory_dataset"]))
    net = max(used - server.startup_memory, 1)
    resident = int(str(fields["used_memory_rss"]))
    figures: list[tuple[bytes, object]] = [
        (b"peak.allocated", peak),
        (b"total.allocated", used),
        (b"startup.allocated", server.startup_memory),
    ]
    for name, field in (
        (b"replication.backlog", "mem_replication_backlog"),
        (b"clients.slaves", "mem_clients_slaves"),
        (b"clients.normal", "mem_clients_normal"),
        (b"cluster.links", "mem_cluster_links"),
        (b"aof.buffer", "mem_aof_buffer"),
        (b"lua.caches", "used_memory_scripts_eval"),
        (b"functions.caches", "used_memory_functions"),
    ):
        figures.append((name, int(str(fields[field]))))
    figures += [
        (b"overhead.total", used - dataset),
        (b"keys.count", keys),
        (b"keys.bytes-per-key", net // keys if keys else 0),
        (b"dataset.bytes", dataset),
        (b"dataset.percentage", 100.0 * dataset / net),
        (b"peak.percentage", 100.0 * used / peak),
        (b"allocator.allocated", used),
        (b"allocator.active", max(resident, used)),
        (b"allocator.resident", max(resident, used)),
    ]
    for ratio in (b"allocator-fragmentation", b"allocator-rss", b"rss-overhead"):
        figures += [(ratio + b".ratio", 1.0), (ratio + b".bytes", 0)]
    return [*figures, (b"fragmentation", resident / max(used, 1)), (b"fragmentation.bytes", resident - used)]


def condition(server: Server) -> Condition:
    """What MEMORY DOCTOR goes by."""
    server.sample_memory()
    return Condition(
        used=server.memory,
        startup=server.startup_memory,
        peak=server.peak_memory,
        resident=resident_memory(),
        clients_memory=int(server.engine.memory.clients),
        clients=len(server.hub.connections),
        replicas_memory=0,
        replicas=0,
        scripts=len(server.engine.programs.scripts),
    )


def _persistence(server: Server) -> Fields:
    saver, log, rewriter, loader = server.saver, server.log, server.rewriter, server.loader
    now = time.monotonic()
    loading = server.engine.loading
    fields: Fields = [("loading", _yes(loading)), ("async_loading", 0)]
    fields += [
        ("current_cow_peak", 0),
        ("current_cow_size", 0),
        ("current_cow_size_age", 0),
        ("current_fork_perc", "0.00"),
    ]
    snapshot = saver.snapshot or rewriter.snapshot
    fields += [
        ("current_save_keys_processed", int(snapshot.keys_written) if snapshot else 0),
        ("current_save_keys_total", int(snapshot.total) if snapshot else 0),
        ("rdb_changes_since_last_save", int(server.engine.instance.dirty)),
        ("rdb_bgsave_in_progress", _yes(saver.in_progress)),
        ("rdb_last_save_time", saver.last_save),
        ("rdb_last_bgsave_status", _status(saver.last_ok)),
        ("rdb_last_bgsave_time_sec", saver.last_seconds),
        ("rdb_current_bgsave_time_sec", int(now - saver.started) if saver.in_progress else -1),
        ("rdb_saves", saver.saves),
        ("rdb_last_save_age_sec", int(now - saver.last_good)),
        ("rdb_save_overdue", _yes(server.debts.save.overdue)),
        ("rdb_last_cow_size", 0),
        ("rdb_last_load_keys_expired", loader.keys_expired),
        ("rdb_last_load_keys_loaded", loader.keys_loaded),
        ("aof_enabled", _yes(rewriter.on)),
        ("aof_rewrite_in_progress", _yes(log.rewriting)),
        ("aof_rewrite_scheduled", _yes(rewriter.scheduled)),
        ("aof_last_rewrite_time_sec", rewriter.last_seconds),
        ("aof_current_rewrite_time_sec", int(now - rewriter.started) if log.rewriting else -1),
        ("aof_last_bgrewrite_status", _status(rewriter.last_ok)),
        ("aof_rewrites", rewriter.rewrites),
        ("aof_rewrites_consecutive_failures", rewriter.failures),
        ("aof_last_write_status", _status(log.error is None)),
        ("aof_last_fsync_age_sec", int(now - log.last_good) if rewriter.on else -1),
        ("aof_fsync_overdue", _yes(server.debts.fsync.overdue)),
        ("aof_last_cow_size", 0),
        ("module_fork_in_progress", 0),
        ("module_fork_last_cow_size", 0),
    ]
    if rewriter.on:
        fields += [
            ("aof_current_size", rewriter.current_size()),
            ("aof_base_size", rewriter.base_size),
            ("aof_pending_rewrite", 0),
            ("aof_buffer_length", log.unwritten()),
            ("aof_pending_bio_fsync", _yes(log.thread.busy)),
            ("aof_delayed_fsync", log.delayed_fsyncs),
        ]
    if loading:
        elapsed = max(time.time() - loader.started, 0.001)
        share = loader.bytes_loaded / max(loader.bytes_total, 1)
        fields += [
            ("loading_start_time", int(loader.started)),
            ("loading_total_bytes", loader.bytes_total),
            ("loading_rdb_used_mem", loader.used_memory),
            ("loading_loaded_bytes", loader.bytes_loaded),
            ("loading_loaded_perc", f"{100 * share:.2f}"),
            ("loading_eta_seconds", int(elapsed / share - elapsed) if share else 1),
        ]
    return fields


def _stats(server: Server) -> Fields:
    engine, hub, cron = server.engine, server.hub, server.cron
    keyspace = engine.instance.keyspace
    listeners = engine.instance.channels.listeners
    refused = engine.instance.access.refused
    since = int(engine.memory.exceeded_since)
    exceeded = int(engine.instance.now) - since if since else 0
    return [
        ("total_connections_received", server.admission.received),
        ("total_commands_processed", int(engine.commands_processed)),
        ("instantaneous_ops_per_sec", int(cron.operations.per_second())),
        ("total_net_input_bytes", int(hub.bytes_in)),
        ("total_net_output_bytes", int(hub.bytes_out)),
        ("total_net_repl_input_bytes", 0),
        ("total_net_repl_output_bytes", 0),
        ("instantaneous_input_kbps", f"{cron.input.per_second() / 1024:.2f}"),
        ("instantaneous_output_kbps", f"{cron.output.per_second() / 1024:.2f}"),
        ("instantaneous_input_repl_kbps", "0.00"),
        ("instantaneous_output_repl_kbps", "0.00"),
        ("rejected_connections", server.admission.rejected),
        ("sync_full", 0),
        ("sync_partial_ok", 0),
        ("sync_partial_err", 0),
        ("expired_keys", int(keyspace.expired_keys)),
        ("expired_subkeys", int(keyspace.expired_fields)),
        ("expired_stale_perc", f"{cron.stale_share * 100:.2f}"),
        ("expired_time_cap_reached_count", cron.expiries_cut_short),
        ("expire_cycle_cpu_milliseconds", int(cron.expiry_seconds * 1000)),
        ("evicted_keys", int(engine.memory.evicted)),
        ("evicted_clients", int(hub.evicted)),
        ("total_eviction_exceeded_time", int(engine.memory.exceeded_time) + exceeded),
        ("current_eviction_exceeded_time", exceeded),
        ("keyspace_hits", int(keyspace.hits)),
        ("keyspace_misses", int(keyspace.misses)),
        ("pubsub_channels", len(listeners[CHANNEL])),
        ("pubsub_patterns", len(listeners[PATTERN])),
        ("pubsubshard_channels", len(listeners[SHARD])),
        ("latest_fork_usec", 0),
        ("total_forks", 0),
        ("migrate_cached_sockets", 0),
        ("slave_expires_tracked_keys", 0),
        ("active_defrag_hits", 0),
        ("active_defrag_misses", 0),
        ("active_defrag_key_hits", 0),
        ("active_defrag_key_misses", 0),
        ("total_active_defrag_time", 0),
        ("current_active_defrag_time", 0),
        ("tracking_total_keys", len(engine.tracking.keys)),
        ("tracking_total_items", int(engine.tracking.items)),
        ("tracking_total_prefixes", len(engine.tracking.prefixes)),
        ("unexpected_error_replies", int(engine.unexpected_errors)),
        ("total_error_replies", int(engine.error_replies)),
        ("dump_payload_sanitizations", 0),
        ("total_reads_processed", int(hub.reads)),
        ("total_writes_processed", int(hub.writes)),
        ("io_threaded_reads_processed", 0),
        ("io_threaded_writes_processed", 0),
        ("reply_buffer_shrinks", 0),
        ("reply_buffer_expands", 0),
        ("eventloop_cycles", int(hub.wakes)),
        ("eventloop_duration_sum", int(hub.busy) // 1000),
        ("eventloop_duration_cmd_sum", _command_nanoseconds(server) // 1000),
        ("instantaneous_eventloop_cycles_per_sec", int(cron.wakes.per_second())),
        (
            "instantaneous_eventloop_duration_usec",
            int(cron.busy.per_second() / max(cron.wakes.per_second(), 1)) // 1000,
        ),
        ("acl_access_denied_auth", refused[access.AUTH]),
        ("acl_access_denied_cmd", refused[access.COMMAND]),
        ("acl_access_denied_key", refused[access.KEY]),
        ("acl_access_denied_channel", refused[access.CHANNEL]),
    ]


def _replication(server: Server) -> Fields:
    return [
        ("role", "master"),
        ("connected_slaves", 0),
        ("master_failover_state", "no-failover"),
        ("master_replid", server.replication_id),
        ("master_replid2", "0" * 40),
        ("master_repl_offset", 0),
        ("second_repl_offset", -1),
        ("repl_backlog_active", 0),
        ("repl_backlog_size", 1048576),
        ("repl_backlog_first_byte_offset", 0),
        ("repl_backlog_histlen", 0),
    ]


def _cpu(server: Server) -> Fields:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    # INFO runs in the thread that serves.
    main = resource.getrusage(resource.RUSAGE_THREAD)
    return [
        ("used_cpu_sys", f"{own.ru_stime:.6f}"),
        ("used_cpu_user", f"{own.ru_utime:.6f}"),
        ("used_cpu_sys_children", f"{children.ru_stime:.6f}"),
        ("used_cpu_user_children", f"{children.ru_utime:.6f}"),
        ("used_cpu_sys_main_thread", f"{main.ru_stime:.6f}"),
        ("used_cpu_user_main_thread", f"{main.ru_utime:.6f}"),
    ]


def _modules(server: Server) -> Fields:
    return []


def _all_commands(server: Server) -> list[Command]:
    found: list[Command] = []
    for command in server.engine.commands.values():
        found.append(command)
        if command.subcommands is not None:
            found.extend(command.subcommands.values())
    return found


def _command_nanoseconds(server: Server) -> int:
    """The time spent in commands; that of EXEC is its commands'."""
    commands = (command for command in _all_commands(server) if command.name != b"exec")
    return sum(int(command.durations.estimate(command.calls)) for command in commands)


def _commandstats(server: Server) -> Fields:
    fields: Fields = []
    for command in _all_commands(server):
        calls = int(command.calls)
        if not calls and not command.rejected and not command.failed:
            continue
        usec = command.durations.estimate(calls) // 1000
        fields.append(
            (
                "cmdstat_" + command.name.decode(),
                f"calls={calls},usec={usec},usec_per_call={usec / max(calls, 1):.2f},"
                f"rejected_calls={command.rejected},failed_calls={command.failed}",
            )
        )
    return fields


def _errorstats(server: Server) -> Fields:
    return [
        ("errorstat_" + code.decode("utf-8", "replace"), f"count={count}")
        for code, count in sorted(server.engine.error_counts.items())
    ]


def _latencystats(server: Server) -> Fields:
    if not server.config[directives.LATENCY_TRACKING]:
        return []
    percentiles = server.config[directives.LATENCY_TRACKING_INFO_PERCENTILES]
    return [
        (
            "latency_percentiles_usec_" + command.name.decode(),
            ",".join(f"p{percent:.10g}={command.durations.percentile(percent) / 1000:.3f}" for percent in percentiles),
        )
        for command in _all_commands(server)
        if command.durations.buckets
    ]


def _cluster(server: Server) -> Fields:
    return [("cluster_enabled", 0)]


def _keyspace(server: Server) -> Fields:
    def describe(db: Database) -> str:
        return f"keys={db.table.count},expires={db.table.expires_count},avg_ttl={db.average_ttl}"

    return [(f"db{db.index}", describe(db)) for db in server.engine.instance.keyspace.databases if db.table.count]


_SECTIONS: tuple[tuple[str, str, Callable[[Server], Fields]], ...] = (
    ("server", "Server", _server),
    ("clients", "Clients", _clients),
    ("memory", "Memory", _memory),
    ("persistence", "Persistence", _persistence),
    ("stats", "Stats", _stats),
    ("replication", "Replication", _replication),
    ("cpu", "CPU", _cpu),
    ("modules", "Modules", _modules),
    ("commandstats", "Commandstats", _commandstats),
    ("errorstats", "Errorstats", _errorstats),
    ("latencystats", "Latencystats", _latencystats),
    ("cluster", "Cluster", _cluster),
    ("keyspace", "Keyspace", _keyspace),
)
# What "all" and "everything" add to the default sections.
_EXTRA = ("commandstats", "latencystats")


def info_fields(server: Server) -> Fields:
    """All that INFO tells, field by field."""
    return [field for _, _, fields in _SECTIONS for field in fields(server)]


def render_info(server: Server, sections: list[bytes]) -> bytes:
    """The text for the sections asked for, in Redis's fixed order; none asked for means the default ones."""
    asked = {section.decode("utf-8", "replace").lower() for section in sections}
    everything = bool(asked & {"all", "everything"})
    default = not asked or "default" in asked
    parts: list[str] = []
    for name, title, fields in _SECTIONS:
        if everything or name in asked or (default and name not in _EXTRA):
            lines = [f"# {title}"]
            lines.extend(f"{field}:{value}" for field, value in fields(server))
            parts.append("\r\n".join(lines) + "\r\n")
    return "\r\n".join(parts).encode()
