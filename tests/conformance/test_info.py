"""INFO: the sections and fields of Redis 7.2, in its order, and figures that are true."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

import pytest

from support.resp import Connection
from support.scripts import play
from support.servers import Server

Starter = Callable[..., Server]

# Asked of a redis-server 7.2.4.
SECTIONS: Final = [
    "Server",
    "Clients",
    "Memory",
    "Persistence",
    "Stats",
    "Replication",
    "CPU",
    "Modules",
    "Commandstats",
    "Errorstats",
    "Latencystats",
    "Cluster",
    "Keyspace",
]
# What a plain INFO leaves out.
LEFT_OUT: Final = ["Commandstats", "Latencystats"]
FIELDS: Final = {
    "Server": """
        redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits monotonic_clock
        multiplexing_api atomicvar_api gcc_version process_id process_supervised run_id tcp_port server_time_usec
        uptime_in_seconds uptime_in_days hz configured_hz lru_clock executable config_file io_threads_active
        listener0
    """,
    "Clients": """
        connected_clients cluster_connections maxclients client_recent_max_input_buffer
        client_recent_max_output_buffer blocked_clients tracking_clients clients_in_timeout_table
        total_blocking_keys total_blocking_keys_on_nokey
    """,
    "Memory": """
        used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak used_memory_peak_human
        used_memory_peak_perc used_memory_overhead used_memory_startup used_memory_dataset used_memory_dataset_perc
        allocator_allocated allocator_active allocator_resident total_system_memory total_system_memory_human
        used_memory_lua used_memory_vm_eval used_memory_lua_human used_memory_scripts_eval number_of_cached_scripts
        number_of_functions number_of_libraries used_memory_vm_functions used_memory_vm_total
        used_memory_vm_total_human used_memory_functions used_memory_scripts used_memory_scripts_human maxmemory
        maxmemory_human maxmemory_policy allocator_frag_ratio allocator_frag_bytes allocator_rss_ratio
        allocator_rss_bytes rss_overhead_ratio rss_overhead_bytes mem_fragmentation_ratio mem_fragmentation_bytes
        mem_not_counted_for_evict mem_replication_backlog mem_total_replication_buffers mem_clients_slaves
        mem_clients_normal mem_cluster_links mem_aof_buffer mem_allocator active_defrag_running
        lazyfree_pending_objects lazyfreed_objects
    """,
    "Persistence": """
        loading async_loading current_cow_peak current_cow_size current_cow_size_age current_fork_perc
        current_save_keys_processed current_save_keys_total rdb_changes_since_last_save rdb_bgsave_in_progress
        rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec rdb_saves
        rdb_last_cow_size rdb_last_load_keys_expired rdb_last_load_keys_loaded aof_enabled aof_rewrite_in_progress
        aof_rewrite_scheduled aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_bgrewrite_status
        aof_rewrites aof_rewrites_consecutive_failures aof_last_write_status aof_last_cow_size
        module_fork_in_progress module_fork_last_cow_size
    """,
    "Stats": """
        total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes
        total_net_output_bytes total_net_repl_input_bytes total_net_repl_output_bytes instantaneous_input_kbps
        instantaneous_output_kbps instantaneous_input_repl_kbps instantaneous_output_repl_kbps rejected_connections
        sync_full sync_partial_ok sync_partial_err expired_keys expired_stale_perc expired_time_cap_reached_count
        expire_cycle_cpu_milliseconds evicted_keys evicted_clients total_eviction_exceeded_time
        current_eviction_exceeded_time keyspace_hits keyspace_misses pubsub_channels pubsub_patterns
        pubsubshard_channels latest_fork_usec total_forks migrate_cached_sockets slave_expires_tracked_keys
        active_defrag_hits active_defrag_misses active_defrag_key_hits active_defrag_key_misses
        total_active_defrag_time current_active_defrag_time tracking_total_keys tracking_total_items
        tracking_total_prefixes unexpected_error_replies total_error_replies dump_payload_sanitizations
        total_reads_processed total_writes_processed io_threaded_reads_processed io_threaded_writes_processed
        reply_buffer_shrinks reply_buffer_expands eventloop_cycles eventloop_duration_sum eventloop_duration_cmd_sum
        instantaneous_eventloop_cycles_per_sec instantaneous_eventloop_duration_usec acl_access_denied_auth
        acl_access_denied_cmd acl_access_denied_key acl_access_denied_channel
    """,
    "Replication": """
        role connected_slaves master_failover_state master_replid master_replid2 master_repl_offset
        second_repl_offset repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen
    """,
    "CPU": """
        used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread
        used_cpu_user_main_thread
    """,
    "Cluster": """
        cluster_enabled
    """,
}
# Fields of durastore's own, and younger ones of Redis.
OWN: Final = {
    "durastore_version", "durastore_build", "python_version", "expired_subkeys", "rdb_last_save_age_sec",
    "rdb_save_overdue", "aof_last_fsync_age_sec", "aof_fsync_overdue",
}  # fmt: skip
# The forms of values that are not plain numbers.
FORMS: Final = {
    "redis_version": r"7\.2\.\d+",
    "redis_git_sha1": r"[0-9a-f]{8}",
    "redis_mode": "standalone",
    "durastore_version": r"\d+\.\d+.*",
    "durastore_build": "compiled|interpreted",
    "process_supervised": "no|systemd|upstart",
    "run_id": "[0-9a-f]{40}",
    "executable": "/.+",
    "listener0": r"name=tcp(,bind=[^,]+)+,port=\d+",
    "maxmemory_policy": "noeviction",
    "role": "master",
    "master_failover_state": "no-failover",
    "master_replid": "[0-9a-f]{40}",
    "master_replid2": "[0-9a-f]{40}",
    "rdb_last_bgsave_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "aof_last_write_status": "ok",
}
_TEXT: Final = [
    "redis_build_id",
    "python_version",
    "os",
    "monotonic_clock",
    "multiplexing_api",
    "atomicvar_api",
    "gcc_version",
    "config_file",
    "mem_allocator",
]
_HUMAN: Final = r"\d+(\.\d\d)?[BKMGT]"
_PERCENT: Final = r"\d+\.\d\d%"


def sections(connection: Connection, *names: str) -> dict[str, dict[str, str]]:
    """What INFO tells, by the sections' titles."""
    found: dict[str, dict[str, str]] = {}
    text = connection.value("INFO", *names).decode()
    assert not text or text.endswith("\r\n")
    for block in text.split("\r\n\r\n"):
        lines = block.strip("\r\n").split("\r\n")
        if lines != [""]:
            assert lines[0].startswith("# ")
            found[lines[0][2:]] = dict(line.split(":", 1) for line in lines[1:])
    return found


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ((), [title for title in SECTIONS if title not in LEFT_OUT]),
        (("default",), [title for title in SECTIONS if title not in LEFT_OUT]),
        (("all",), SECTIONS),
        (("everything",), SECTIONS),
        (("EVERYTHING",), SECTIONS),
        (("default", "commandstats"), [title for title in SECTIONS if title != "Latencystats"]),
        (("cpu", "server", "nosuch"), ["Server", "CPU"]),
        (("nosuch",), []),
        *[((title.lower(),), [title]) for title in SECTIONS],
    ],
)
def test_sections(durastore: Server, names: tuple[str, ...], wanted: list[str]) -> None:
    assert list(sections(durastore.connect(), *names)) == wanted


def test_a_text_of_its_own_kind_in_resp3(durastore: Server) -> None:
    assert durastore.connect(3).call("INFO", "cluster") == b"=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n"
    assert durastore.connect(2).call("INFO", "cluster") == b"$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n"


def test_fields_in_order_and_in_form(durastore: Server) -> None:
    found = sections(durastore.connect(), "everything")
    for title, names in FIELDS.items():
        assert [name for name in found[title] if name not in OWN] == names.split(), title
        for name, value in found[title].items():
            form = FORMS.get(name, r"-?\d+(\.\d+)?")
            if name.endswith("_human"):
                form = _HUMAN
            elif name.endswith("_perc") and "used_memory" in name:
                form = _PERCENT
            assert name in _TEXT or re.fullmatch(form, value), f"{name}:{value}"


def test_fields_of_a_server_with_a_log(start_durastore: Starter) -> None:
    found = sections(start_durastore(appendonly="yes").connect(), "persistence")["Persistence"]
    names = (
        "aof_current_size aof_base_size aof_pending_rewrite aof_buffer_length aof_pending_bio_fsync aof_delayed_fsync"
    )
    assert list(found)[-6:] == names.split()
    assert found["aof_enabled"] == "1"


SCRIPT: Final = """
    set a 1
    set a
    set a 1 nosuch
    SET b x
    incr b
    incr a
    get a
    get nosuch
    nosuch
    client nosuch
    client setname x
    config get nosuch
    multi
    set a 2
    incr b
    set
    exec
    multi
    get a
    get b
    exec
    exec
    lpush b x
    object encoding a
    object encoding nosuch
"""


def _counts(connection: Connection) -> dict[str, str]:
    """How often each command ran, was refused and failed."""
    found = sections(connection, "commandstats")["Commandstats"]
    return {name: re.sub(r"usec=\d+,usec_per_call=[\d.]+,", "", value) for name, value in found.items()}


def test_commands_are_counted_as_redis_counts_them(durastore: Server, valkey: Server) -> None:
    counts, errors = [], []
    processed = []
    for server in (durastore, valkey):
        connection = server.connect()
        connection.call("CONFIG", "RESETSTAT")
        play(server, SCRIPT, 2)
        processed.append(sections(connection, "stats")["Stats"]["total_commands_processed"])
        counts.append(_counts(connection))
        errors.append(sections(connection, "errorstats")["Errorstats"])
    assert counts[0] == counts[1]
    assert errors[0] == errors[1]
    assert processed[0] == processed[1]


def test_time_spent_in_commands_is_measured(durastore: Server) -> None:
    connection = durastore.connect()
    connection.call("CONFIG", "RESETSTAT")
    begin = time.monotonic_ns()
    for _ in range(3):
        connection.call("DEBUG", "SLEEP", "0.02")
    for _ in range(500):
        connection.call("PING")
    spent = (time.monotonic_ns() - begin) // 1000
    found = sections(connection, "everything")
    slept = re.fullmatch(r"calls=3,usec=(\d+),usec_per_call=(\d+\.\d\d),.*", found["Commandstats"]["cmdstat_debug"])
    assert slept is not None
    assert 60_000 <= int(slept[1]) <= spent
    assert int(slept[1]) // 3 <= float(slept[2]) < int(slept[1]) / 3 + 0.01
    pinged = re.fullmatch(r"calls=500,usec=(\d+),usec_per_call=(\d+\.\d\d),.*", found["Commandstats"]["cmdstat_ping"])
    assert pinged is not None
    assert 0 < int(pinged[1]) <= spent
    share = re.fullmatch(
        r"p50=(\d+\.\d{3}),p99=(\d+\.\d{3}),p99.9=(\d+\.\d{3})", found["Latencystats"]["latency_percentiles_usec_debug"]
    )
    assert share is not None
    assert all(20_000 <= float(value) <= spent for value in share.groups())
    assert int(slept[1]) <= int(found["Stats"]["eventloop_duration_cmd_sum"]) <= spent * 1.1
    assert int(slept[1]) <= int(found["Stats"]["eventloop_duration_sum"])


def test_percentiles_that_are_asked_for(start_durastore: Starter) -> None:
    connection = start_durastore(latency_tracking_info_percentiles="50 99.99 100").connect()
    connection.call("PING")
    assert re.fullmatch(
        r"p50=[\d.]+,p99\.99=[\d.]+,p100=[\d.]+",
        sections(connection, "latencystats")["Latencystats"]["latency_percentiles_usec_ping"],
    )
    connection.call("CONFIG", "SET", "latency-tracking", "no")
    assert sections(connection, "latencystats") == {"Latencystats": {}}
    for wrong in ("101", "-1", "x", "50 nan"):
        assert connection.call("CONFIG", "SET", "latency-tracking-info-percentiles", wrong).startswith(
            b"-ERR CONFIG SET"
        )


def test_resetstat(durastore: Server) -> None:
    connection = durastore.connect()
    connection.call("GET", "nosuch")
    connection.call("nosuch")
    connection.call("CONFIG", "RESETSTAT")
    found = sections(connection, "everything")
    assert list(found["Commandstats"]) == ["cmdstat_config|resetstat"]
    assert found["Errorstats"] == {}
    for name in ("keyspace_misses", "total_error_replies", "total_connections_received", "expired_keys"):
        assert found["Stats"][name] == "0", name


def test_the_keyspace(durastore: Server, valkey: Server) -> None:
    script = """
        set a 1
        set b 1 pxat 33177117420000
        select 3
        set c 1
        select 4
        set d 1
        del d
    """
    found = []
    for server in (durastore, valkey):
        play(server, script, 2)
        keyspace = sections(server.connect(), "keyspace")["Keyspace"]
        found.append({db: re.sub(r"avg_ttl=.*", "", value) for db, value in keyspace.items()})
    assert found[0] == found[1] == {"db0": "keys=2,expires=1,", "db3": "keys=1,expires=0,"}
    value = sections(durastore.connect(), "keyspace")["Keyspace"]["db0"]
    assert re.fullmatch(r"keys=2,expires=1,avg_ttl=\d+", value)


def test_keyspace_tells_how_long_keys_have_on_average(durastore: Server, valkey: Server) -> None:
    for server in (durastore, valkey):
        with server.connect() as client:
            for i in range(100):
                client.call("SET", f"k{i}", "v", "PX", 100_000)
            found, end = 0, time.monotonic() + 30
            while not found and time.monotonic() < end:
                found = int(sections(client, "keyspace")["Keyspace"]["db0"].partition("avg_ttl=")[2].partition(",")[0])
            assert 10_000 < found <= 100_000


def test_the_share_of_keys_that_are_over_and_still_there(start_durastore: Starter) -> None:
    server = start_durastore(hz="500", **{"enable-debug-command": "yes"})
    server.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    for i in range(100):
        server.call("SET", f"k{i}", "v", "PX", 1)
    end = time.monotonic() + 30
    while float(server.info("stats", "expired_stale_perc")) < 10 and time.monotonic() < end:
        pass
    assert 10 <= float(server.info("stats", "expired_stale_perc")) <= 100
    server.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
    server.until_info("stats", "expired_stale_perc", "0.00")
    assert server.call("DBSIZE") == 0
    assert server.info("stats", "expired_time_cap_reached_count") == "0"


def test_what_counts_as_a_change_since_the_last_save(durastore: Server, valkey: Server) -> None:
    """A key that expires, or is evicted, is none: a save point is not reached by it."""
    found = []
    for server in (durastore, valkey):
        server.call("SAVE")
        before = server.info("persistence", "rdb_changes_since_last_save")
        for i in range(5):
            server.call("SET", f"k{i}", i)
        server.call("SET", "short", 1, "PX", 1)
        server.call("DEBUG", "SLEEP", "0.01")
        gone = server.call("GET", "short")
        expired = server.info("persistence", "rdb_changes_since_last_save")
        server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", 1)
        assert str(server.call("SET", "k", 1)).startswith("OOM")
        server.call("CONFIG", "SET", "maxmemory", 0, "maxmemory-policy", "noeviction")
        evicted = server.info("persistence", "rdb_changes_since_last_save")
        found.append((before, gone, expired, server.call("DBSIZE"), evicted))
    assert found[0] == found[1] == ("0", None, "6", 0, "6")


def test_protocol_errors_are_counted(durastore: Server, valkey: Server) -> None:
    found = []
    for server in (durastore, valkey):
        server.call("CONFIG", "RESETSTAT")
        for wrong in (b"*1\r\n$x\r\n", b'set "a\r\n'):
            with server.connect() as client:
                client.send(wrong)
                found.append(client.read())
        found.append((server.info("errorstats", "errorstat_ERR"), server.info("stats", "total_error_replies")))
    assert found[:3] == found[3:]
    assert found[2] == ("count=2", "2")
