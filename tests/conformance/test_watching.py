"""SLOWLOG, LATENCY and MONITOR: what they show of commands, and what they hide."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from support.resp import Connection
from support.scripts import assert_same_replies
from support.servers import Server

Starter = Callable[..., Server]

SCRIPTS = {
    "forms": """
        slowlog len x
        slowlog get x
        slowlog get -2
        slowlog get 1 2
        slowlog get 0
        slowlog nosuch
        slowlog
        slowlog reset x
        config set slowlog-log-slower-than -1
        slowlog reset
        slowlog len
        slowlog get
        slowlog get -1
        config set slowlog-log-slower-than 10000
        config set slowlog-max-len -1
        config set slowlog-max-len 128
        slowlog help
    """,
    "latency": """
        latency
        latency nosuch
        latency history
        latency history nosuch
        latency latest
        latency latest x
        latency graph nosuch
        latency graph
        latency doctor x
        latency reset
        latency reset nosuch
        latency histogram nosuch
        latency help
        config set latency-monitor-threshold -1
        config set latency-monitor-threshold 0
        monitor x
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_replies(durastore, valkey, name, SCRIPTS[name], protocol, {})


# Each is a request of its own connection's.
REQUESTS: list[list[str]] = [
    ["SET", "a", "x" * 128],
    ["SET", "a", "x" * 129],
    ["set", "a", "x" * 100_000],
    ["GET", "a"],
    ["MGET", *map(str, range(31))],
    ["MGET", *map(str, range(32))],
    ["MGET", *map(str, range(100))],
    ["NOSUCH", "x"],
    ["GET"],
    ["INCR", "a"],
    ["CONFIG", "GET", "save"],
    ["config", "set", "requirepass", "", "HZ", "10"],
    ["AUTH", "secret"],
    ["AUTH", "default", "secret"],
    ["HELLO", "2", "AUTH", "default", "secret", "SETNAME", "me"],
    ["ACL", "SETUSER", "u", "on", ">pw"],
    ["ACL", "LIST"],
    ["MULTI"],
    ["SET", "b", "1"],
    ["PING"],
    ["EXEC"],
    ["BLPOP", "nosuch", "0.01"],
    ["SLOWLOG", "LEN"],
    ["SUBSCRIBE", "x"],
]  # fmt: skip


def entries(server: Server, limit: int) -> list[Any]:
    """What the log has once all requests have run under a threshold of nothing."""
    with server.connect() as admin, server.connect() as connection:
        admin.call("CONFIG", "SET", "slowlog-max-len", "1000", "slowlog-log-slower-than", "0")
        admin.call("SLOWLOG", "RESET")
        for words in REQUESTS:
            connection.call(*words)
        admin.call("CONFIG", "SET", "slowlog-log-slower-than", "10000", "slowlog-max-len", str(limit))
        found: list[Any] = admin.value("SLOWLOG", "GET", "-1")
        assert [entry[0] for entry in found] == sorted((entry[0] for entry in found), reverse=True)
        for entry in found:
            assert abs(entry[1] - int(server.call("TIME")[0])) < 60  # type: ignore[index]
            assert 0 <= entry[2] < 60_000_000
            assert entry[4].startswith(b"127.0.0.1:")
        return [(entry[3], entry[5]) for entry in found]


def test_entries(start_durastore: Starter, start_valkey: Starter) -> None:
    ours, theirs = entries(start_durastore(), 1000), entries(start_valkey(), 1000)
    assert ours == theirs
    assert ([b"AUTH", b"(redacted)"], b"") in ours


def test_only_slow_commands_are_noted(start_durastore: Starter) -> None:
    server = start_durastore(enable_debug_command="yes")
    server.call("SET", "a", "1")
    for _ in range(3):
        server.call("DEBUG", "SLEEP", "0.02")
    assert [entry[3] for entry in server.call("SLOWLOG", "GET")] == [[b"DEBUG", b"SLEEP", b"0.02"]] * 3  # type: ignore[attr-defined]
    assert server.call("SLOWLOG", "GET")[0][2] >= 20_000  # type: ignore[index]
    server.call("CONFIG", "SET", "slowlog-max-len", "1")
    server.call("DEBUG", "SLEEP", "0.03")
    assert [entry[0] for entry in server.call("SLOWLOG", "GET", "-1")] == [3]  # type: ignore[attr-defined]
    server.call("CONFIG", "SET", "slowlog-log-slower-than", "-1")
    server.call("DEBUG", "SLEEP", "0.02")
    assert server.call("SLOWLOG", "LEN") == 1
    server.call("SLOWLOG", "RESET")
    assert server.call("SLOWLOG", "LEN") == 0


MONITORED = [
    ["SET", "k", 'a\x00"\xff\\\n\t'],
    ["AUTH", "default", "x"],
    ["get"],
    ["nosuch"],
    ["MULTI"],
    ["get", "k"],
    ["CONFIG", "GET", "x"],
    ["exec"],
    ["acl", "whoami"],
    ["acl", "list"],
    ["client", "id"],
    ["select", "3"],
    ["hello", "2", "AUTH", "default", "x"],
    ["discard"],
    ["rpush", "q", "1"],
    ["blpop", "q", "0"],
    ["blpop", "q", "0.01"],
    ["reset"],
    [
        "eval",
        "redis.call('set', KEYS[1], ARGV[1]) redis.pcall('lpush', KEYS[1], 1) return redis.call('get', 'k')",
        "1",
        "k",
        "v",
    ],
    ["eval", "redis.call('select', 2) redis.pcall('nosuch') return redis.call('get', 'k')", "0"],
    ["eval", "return 1", "-1"],
    ["evalsha", "x", "0"],
    ["eval_ro", "return redis.call('get', 'k')", "0"],
    ["function", "load", "#!lua name=lib\nredis.register_function('f', function() return redis.call('get', 'k') end)"],
    ["fcall", "f", "0"],
    ["fcall", "nosuch", "0"],
    ["MULTI"],
    ["eval", "return redis.call('get', 'k')", "0"],
    ["exec"],
    ["ping", "end"],
]


def watched(server: Server, protocol: int) -> list[bytes]:
    """What a monitor is sent while requests run, some of them its own."""
    with server.connect(protocol) as monitor, server.connect() as other, server.connect() as waiting:
        assert monitor.call("MONITOR") == b"+OK\r\n"
        for words in MONITORED:
            other.call(*words)
        found = _until(monitor, b'"ping" "end"')
        for words in (["get", "k"], ["set", "k", "v"], ["publish", "x", "1"]):
            found.append(monitor.call(*words))
        for words in (["ping"], ["subscribe", "x"]):
            found += [monitor.call(*words), monitor.read()]
        assert monitor_flags(server).startswith("O")
        waiting.send(b"BLPOP w 0\r\n")
        found += _until(monitor, b'"BLPOP"')
        other.call("RPUSH", "w", "1")
        waiting.read()
        found += _until(monitor, b'"RPUSH"')
        found.append(monitor.call("RESET"))
        other.call("SET", "unseen", "1")
        found.append(monitor.call("ECHO", "seen"))
    return [re.sub(rb"\d+\.\d{6} \[", b"time [", re.sub(rb"127\.0\.0\.1:\d+\]", b"address]", line)) for line in found]


def monitor_flags(server: Server) -> str:
    """The flags of the connection that watches."""
    with server.connect() as connection:
        found: str = re.findall(r"flags=(\w*O\w*) ", connection.value("CLIENT", "LIST").decode())[0]
        return found


def _until(connection: Connection, what: bytes) -> list[bytes]:
    found = [connection.read()]
    while what not in found[-1]:
        found.append(connection.read())
    return found


@pytest.mark.parametrize("protocol", [2, 3])
def test_monitor(start_durastore: Starter, start_valkey: Starter, protocol: int) -> None:
    ours, theirs = watched(start_durastore(), protocol), watched(start_valkey(), protocol)
    assert [line for line in ours if b'"client"' not in line] == [line for line in theirs if b'"client"' not in line]
    assert b'+time [0 address] "AUTH" "(redacted)" "(redacted)"\r\n' in ours
    assert b'+time [0 lua] "set" "k" "v"\r\n' in ours


def test_histograms(durastore: Server) -> None:
    durastore.call("CONFIG", "RESETSTAT")
    for _ in range(200):
        durastore.call("INCR", "a")
    with durastore.connect(3) as connection:
        found = connection.value("LATENCY", "HISTOGRAM", "incr", "config", "nosuch")
        assert set(found) == {b"incr", b"config|resetstat"} or set(found) == {b"incr"}
        levels = found[b"incr"][b"histogram_usec"]
        assert list(levels.values()) == sorted(levels.values())
        assert max(levels.values()) == found[b"incr"][b"calls"] <= 200
        assert b"latency|histogram" in connection.value("LATENCY", "HISTOGRAM")


def test_what_a_script_has_run_is_nobodys_in_the_slow_log(start_durastore: Starter) -> None:
    server = start_durastore(**{"slowlog-log-slower-than": "0"})
    with server.connect() as client:
        client.call("CLIENT", "SETNAME", "me")
        client.call("EVAL", "return redis.call('get', 'k')", 0)
        found = client.value("SLOWLOG", "GET", 2)
        assert [(entry[3][0], entry[4] != b"", entry[5]) for entry in found] == [
            (b"EVAL", True, b"me"),
            (b"get", False, b""),
        ]


def test_a_script_whose_command_failed_has_failed(start_durastore: Starter) -> None:
    server = start_durastore()
    for script in ("return redis.call('nosuch')", "return redis.pcall('lpush', 'a')", "error('x')", "return 1"):
        server.call("EVAL", script, 0)
    assert server.info("commandstats", "cmdstat_eval").endswith("rejected_calls=0,failed_calls=3")


def test_monitor_is_not_for_transactions(durastore: Server, valkey: Server) -> None:
    for server in (durastore, valkey):
        with server.connect() as client:
            client.call("MULTI")
            client.call("MONITOR")
            assert client.call("EXEC") == b"*1\r\n-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n"
            assert client.call("PING") == b"+PONG\r\n"
