"""What Prometheus is told: INFO's fields under the names that redis_exporter gives them, so that its dashboards work.

What only durastore has begins with ``durastore_``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from durastore.config import table as directives
from durastore.server.info import info_fields

if TYPE_CHECKING:
    from durastore.server.server import Server

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_GAUGES: Final = {
    "uptime_in_seconds": "redis_uptime_in_seconds",
    "process_id": "redis_process_id",
    "io_threads_active": "redis_io_threads_active",
    "connected_clients": "redis_connected_clients",
    "blocked_clients": "redis_blocked_clients",
    "maxclients": "redis_max_clients",
    "tracking_clients": "redis_tracking_clients",
    "clients_in_timeout_table": "redis_clients_in_timeout_table",
    "cluster_connections": "redis_cluster_connections",
    "client_recent_max_input_buffer": "redis_client_recent_max_input_buffer_bytes",
    "client_recent_max_output_buffer": "redis_client_recent_max_output_buffer_bytes",
    "total_blocking_keys": "redis_total_blocking_keys",
    "total_blocking_keys_on_nokey": "redis_total_blocking_keys_on_nokey",
    "used_memory": "redis_memory_used_bytes",
    "used_memory_rss": "redis_memory_used_rss_bytes",
    "used_memory_peak": "redis_memory_used_peak_bytes",
    "used_memory_lua": "redis_memory_used_lua_bytes",
    "used_memory_vm_eval": "redis_memory_used_vm_eval_bytes",
    "used_memory_scripts_eval": "redis_memory_used_scripts_eval_bytes",
    "used_memory_overhead": "redis_memory_used_overhead_bytes",
    "used_memory_startup": "redis_memory_used_startup_bytes",
    "used_memory_dataset": "redis_memory_used_dataset_bytes",
    "number_of_cached_scripts": "redis_number_of_cached_scripts",
    "number_of_functions": "redis_number_of_functions",
    "number_of_libraries": "redis_number_of_libraries",
    "used_memory_vm_functions": "redis_memory_used_vm_functions_bytes",
    "used_memory_scripts": "redis_memory_used_scripts_bytes",
    "used_memory_functions": "redis_memory_used_functions_bytes",
    "used_memory_vm_total": "redis_memory_used_vm_total",
    "total_system_memory": "redis_total_system_memory_bytes",
    "maxmemory": "redis_memory_max_bytes",
    "mem_fragmentation_ratio": "redis_mem_fragmentation_ratio",
    "mem_fragmentation_bytes": "redis_mem_fragmentation_bytes",
    "mem_not_counted_for_evict": "redis_mem_not_counted_for_eviction_bytes",
    "mem_clients_slaves": "redis_mem_clients_slaves",
    "mem_clients_normal": "redis_mem_clients_normal",
    "mem_aof_buffer": "redis_mem_aof_buffer",
    "lazyfree_pending_objects": "redis_lazyfree_pending_objects",
    "active_defrag_running": "redis_active_defrag_running",
    "active_defrag_hits": "redis_defrag_hits",
    "active_defrag_misses": "redis_defrag_misses",
    "active_defrag_key_hits": "redis_defrag_key_hits",
    "active_defrag_key_misses": "redis_defrag_key_misses",
    "migrate_cached_sockets": "redis_migrate_cached_sockets_total",
    "expired_stale_perc": "redis_expired_stale_percentage",
    "loading": "redis_loading_dump_file",
    "async_loading": "redis_async_loading",
    "rdb_changes_since_last_save": "redis_rdb_changes_since_last_save",
    "rdb_bgsave_in_progress": "redis_rdb_bgsave_in_progress",
    "rdb_last_save_time": "redis_rdb_last_save_timestamp_seconds",
    "rdb_last_bgsave_status": "redis_rdb_last_bgsave_status",
    "rdb_last_bgsave_time_sec": "redis_rdb_last_bgsave_duration_sec",
    "rdb_current_bgsave_time_sec": "redis_rdb_current_bgsave_duration_sec",
    "rdb_last_cow_size": "redis_rdb_last_cow_size_bytes",
    "rdb_last_load_keys_expired": "redis_rdb_last_load_expired_keys",
    "rdb_last_load_keys_loaded": "redis_rdb_last_load_loaded_keys",
    "aof_enabled": "redis_aof_enabled",
    "aof_rewrite_in_progress": "redis_aof_rewrite_in_progress",
    "aof_rewrite_scheduled": "redis_aof_rewrite_scheduled",
    "aof_last_rewrite_time_sec": "redis_aof_last_rewrite_duration_sec",
    "aof_current_rewrite_time_sec": "redis_aof_current_rewrite_duration_sec",
    "aof_last_bgrewrite_status": "redis_aof_last_bgrewrite_status",
    "aof_last_write_status": "redis_aof_last_write_status",
    "aof_last_cow_size": "redis_aof_last_cow_size_bytes",
    "aof_current_size": "redis_aof_current_size_bytes",
    "aof_base_size": "redis_aof_base_size_bytes",
    "aof_pending_rewrite": "redis_aof_pending_rewrite",
    "aof_buffer_length": "redis_aof_buffer_length",
    "aof_pending_bio_fsync": "redis_aof_pending_bio_fsync",
    "aof_delayed_fsync": "redis_aof_delayed_fsync",
    "module_fork_in_progress": "redis_module_fork_in_progress",
    "module_fork_last_cow_size": "redis_module_fork_last_cow_size",
    "current_eviction_exceeded_time": "redis_current_eviction_exceeded_time_ms",
    "instantaneous_ops_per_sec": "redis_instantaneous_ops_per_sec",
    "instantaneous_input_kbps": "redis_instantaneous_input_kbps",
    "instantaneous_output_kbps": "redis_instantaneous_output_kbps",
    "pubsub_channels": "redis_pubsub_channels",
    "pubsub_patterns": "redis_pubsub_patterns",
    "pubsubshard_channels": "redis_pubsubshard_channels",
    "latest_fork_usec": "redis_latest_fork_usec",
    "tracking_total_keys": "redis_tracking_total_keys",
    "tracking_total_items": "redis_tracking_total_items",
    "tracking_total_prefixes": "redis_tracking_total_prefixes",
    "connected_slaves": "redis_connected_slaves",
    "repl_backlog_size": "redis_replication_backlog_bytes",
    "repl_backlog_active": "redis_repl_backlog_is_active",
    "repl_backlog_first_byte_offset": "redis_repl_backlog_first_byte_offset",
    "repl_backlog_histlen": "redis_repl_backlog_history_bytes",
    "master_repl_offset": "redis_master_repl_offset",
    "second_repl_offset": "redis_second_repl_offset",
    "slave_expires_tracked_keys": "redis_slave_expires_tracked_keys",
    "sync_full": "redis_replica_resyncs_full",
    "sync_partial_ok": "redis_replica_partial_resync_accepted",
    "sync_partial_err": "redis_replica_partial_resync_denied",
    "cluster_enabled": "redis_cluster_enabled",
    # durastore's own.
    "rdb_last_save_age_sec": "durastore_rdb_last_save_age_seconds",
    "rdb_save_overdue": "durastore_rdb_save_overdue",
    "aof_last_fsync_age_sec": "durastore_aof_last_fsync_age_seconds",
    "aof_fsync_overdue": "durastore_aof_fsync_overdue",
    "aof_rewrites_consecutive_failures": "durastore_aof_rewrites_consecutive_failures",
    "loading_loaded_perc": "durastore_loading_percent",
}
# Without "_total", which the client library puts behind them.
_COUNTERS: Final = {
    "total_connections_received": "redis_connections_received",
    "total_commands_processed": "redis_commands_processed",
    "rejected_connections": "redis_rejected_connections",
    "total_net_input_bytes": "redis_net_input_bytes",
    "total_net_output_bytes": "redis_net_output_bytes",
    "total_net_repl_input_bytes": "redis_net_repl_input_bytes",
    "total_net_repl_output_bytes": "redis_net_repl_output_bytes",
    "expired_subkeys": "redis_expired_subkeys",
    "expired_keys": "redis_expired_keys",
    "expired_time_cap_reached_count": "redis_expired_time_cap_reached",
    "expire_cycle_cpu_milliseconds": "redis_expire_cycle_cpu_time_ms",
    "evicted_keys": "redis_evicted_keys",
    "evicted_clients": "redis_evicted_clients",
    "total_eviction_exceeded_time": "redis_eviction_exceeded_time_ms",
    "keyspace_hits": "redis_keyspace_hits",
    "keyspace_misses": "redis_keyspace_misses",
    "used_cpu_sys": "redis_cpu_sys_seconds",
    "used_cpu_user": "redis_cpu_user_seconds",
    "used_cpu_sys_children": "redis_cpu_sys_children_seconds",
    "used_cpu_user_children": "redis_cpu_user_children_seconds",
    "used_cpu_sys_main_thread": "redis_cpu_sys_main_thread_seconds",
    "used_cpu_user_main_thread": "redis_cpu_user_main_thread_seconds",
    "acl_access_denied_auth": "redis_acl_access_denied_auth",
    "acl_access_denied_cmd": "redis_acl_access_denied_cmd",
    "acl_access_denied_key": "redis_acl_access_denied_key",
    "acl_access_denied_channel": "redis_acl_access_denied_channel",
    "rdb_saves": "redis_rdb_saves",
    "aof_rewrites": "durastore_aof_rewrites",
}
# Counters whose names do not end as those of counters do.
_ODD: Final = {
    "unexpected_error_replies": "redis_unexpected_error_replies",
    "total_error_replies": "redis_total_error_replies",
    "total_reads_processed": "redis_total_reads_processed",
    "total_writes_processed": "redis_total_writes_processed",
    "dump_payload_sanitizations": "redis_dump_payload_sanitizations",
}
_LABELS: Final = (
    "role", "redis_version", "redis_build_id", "redis_mode", "os", "maxmemory_policy", "tcp_port", "run_id",
    "process_id", "master_replid",
)  # fmt: skip
_WORDS: Final = {"ok": 1.0, "err": 0.0}


class _Collected(Collector):
    """Metrics that were taken already, so that another thread may write them down."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def render(metrics: list[Metric]) -> bytes:
    """The metrics as text.  May run in any thread."""
    return generate_latest(_Collected(metrics))


def take_metrics(server: Server) -> list[Metric]:
    """All that there is to tell at this moment."""
    fields = {name: str(value) for name, value in info_fields(server)}
    return [
        _gauge("redis_up", 1.0, "1 while the server answers"),
        *_plain(fields),
        *_instance(server, fields),
        *_databases(fields),
        *_commands(fields),
        *_slow(server),
    ]


def _number(text: str) -> float:
    return _WORDS[text] if text in _WORDS else float(text)


def _gauge(name: str, value: float, about: str) -> Metric:
    return GaugeMetricFamily(name, about, value)


def _plain(fields: dict[str, str]) -> Iterator[Metric]:
    for field, text in fields.items():
        about = f"{field} of INFO"
        if field in _GAUGES:
            yield _gauge(_GAUGES[field], _number(text), about)
        elif field in _COUNTERS:
            yield CounterMetricFamily(_COUNTERS[field], about, float(text))
        elif field in _ODD:
            odd = Metric(_ODD[field], about, "unknown")
            odd.add_sample(_ODD[field], {}, float(text))
            yield odd


def _instance(server: Server, fields: dict[str, str]) -> Iterator[Metric]:
    told = GaugeMetricFamily("redis_instance_info", "What runs", labels=_LABELS)
    told.add_metric([fields[name] for name in _LABELS], 1)
    yield told
    own = GaugeMetricFamily("durastore_build_info", "What runs", labels=("version", "build", "python_version"))
    own.add_metric([fields["durastore_version"], fields["durastore_build"], fields["python_version"]], 1)
    yield own
    yield _gauge("redis_start_time_seconds", server.started, "When the process began, in Unix seconds")
    for directive in (directives.MAX_CLIENTS, directives.MAX_MEMORY):
        name = directive.name
        yield _gauge(f"redis_config_{name}", server.config[directive], f"The directive {name}")


def _pairs(text: str) -> dict[str, float]:
    return {name: float(value) for name, _, value in (pair.partition("=") for pair in text.split(","))}


def _databases(fields: dict[str, str]) -> Iterator[Metric]:
    keys = GaugeMetricFamily("redis_db_keys", "Keys, by database", labels=("db",))
    expiring = GaugeMetricFamily("redis_db_keys_expiring", "Keys that expire, by database", labels=("db",))
    ttl = GaugeMetricFamily("redis_db_avg_ttl_seconds", "The mean of times to live, by database", labels=("db",))
    for field, text in fields.items():
        if field.startswith("db") and field[2:].isdecimal():
            found = _pairs(text)
            keys.add_metric([field], found["keys"])
            expiring.add_metric([field], found["expires"])
            if found["avg_ttl"]:
                ttl.add_metric([field], found["avg_ttl"] / 1000)
    yield from (keys, expiring, ttl)


def _commands(fields: dict[str, str]) -> Iterator[Metric]:
    calls = CounterMetricFamily("redis_commands", "Calls, by command", labels=("cmd",))
    seconds = CounterMetricFamily("redis_commands_duration_seconds", "Time spent, by command", labels=("cmd",))
    rejected = CounterMetricFamily("redis_commands_rejected_calls", "Calls that did not run", labels=("cmd",))
    failed = CounterMetricFamily("redis_commands_failed_calls", "Calls that failed", labels=("cmd",))
    errors = CounterMetricFamily("redis_errors", "Error replies, by code", labels=("err",))
    latencies = Metric("redis_latency_percentiles_usec", "Execution times in microseconds", "summary")
    for field, text in fields.items():
        if field.startswith("cmdstat_"):
            name, found = [field.removeprefix("cmdstat_")], _pairs(text)
            calls.add_metric(name, found["calls"])
            seconds.add_metric(name, found["usec"] / 1e6)
            rejected.add_metric(name, found["rejected_calls"])
            failed.add_metric(name, found["failed_calls"])
        elif field.startswith("errorstat_"):
            errors.add_metric([field.removeprefix("errorstat_")], _pairs(text)["count"])
        elif field.startswith("latency_percentiles_usec_"):
            _percentiles(latencies, field.removeprefix("latency_percentiles_usec_"), text, fields)
    yield from (calls, seconds, rejected, failed, errors, latencies)


def _percentiles(latencies: Metric, command: str, text: str, fields: dict[str, str]) -> None:
    for percent, microseconds in _pairs(text).items() if text else ():
        quantile = f"{float(percent[1:]) / 100:.10g}"
        latencies.add_sample(latencies.name, {"cmd": command, "quantile": quantile}, microseconds)
    known = _pairs(fields.get(f"cmdstat_{command}", "calls=0,usec=0"))
    latencies.add_sample(f"{latencies.name}_sum", {"cmd": command}, known["usec"])
    latencies.add_sample(f"{latencies.name}_count", {"cmd": command}, known["calls"])


def _slow(server: Server) -> Iterator[Metric]:
    entries = server.engine.instance.slow_log.entries
    yield _gauge("redis_slowlog_length", len(entries), "Entries of SLOWLOG")
    if entries:
        yield _gauge("redis_slowlog_last_id", entries[0].number, "The number of SLOWLOG's last entry")
        yield _gauge(
            "redis_last_slow_execution_duration_seconds",
            int(entries[0].microseconds) / 1e6,
            "How long that command took",
        )
    last = GaugeMetricFamily("redis_latency_spike_last", "When something was last slow", labels=("event_name",))
    took = GaugeMetricFamily("redis_latency_spike_duration_seconds", "How long it took", labels=("event_name",))
    for name, history in server.engine.instance.latency.events.items():
        if history.samples:
            when, milliseconds = history.samples[-1]
            last.add_metric([name.decode()], when)
            took.add_metric([name.decode()], milliseconds / 1000)
    yield from (last, took)
