"""Evicted keys stay away: the log has their DELs, whatever the policy, and so has what follows from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.resp import Connection, parse, request
from support.servers import Server

Starter = Callable[..., Server]
WRITES = 6000


def keys(client: Connection) -> set[bytes]:
    found = parse(client.call("KEYS", "*"))
    assert isinstance(found, list)
    return set(found)


def fill(client: Connection) -> None:
    """Far more than there is room for, some of it with an expiry, some of it read again."""
    for start in range(0, WRITES, 100):
        numbers = range(start, start + 100)
        client.send(b"".join(request("SET", f"k:{i}", "x" * 500, "EX", 10**6 + i) for i in numbers))
        client.send(request("RPUSH", f"l:{start}", *["x" * 20] * 50) + request("GET", "k:0"))
        for _ in range(len(numbers) + 2):
            client.read()


@pytest.mark.parametrize("rewritten", [False, True])
@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-ttl"])
def test_what_was_evicted_does_not_come_back(start_durastore: Starter, policy: str, rewritten: bool) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always", maxmemory_policy=policy)
    server.call("CONFIG", "SET", "maxmemory", int(server.info("memory", "used_memory")) + 1_500_000)
    with server.connect() as client:
        fill(client)
        # A connection more would take memory, and cost a key.
        client.call("CONFIG", "SET", "maxmemory", 0)
        left = keys(client)
    assert 100 < len(left) < WRITES - 100
    evicted = int(server.info("stats", "evicted_keys"))
    assert evicted == WRITES + WRITES // 100 - len(left)
    if rewritten:
        server.call("BGREWRITEAOF")
        server.until_info("persistence", "aof_rewrite_in_progress", "0")
    # The next start has no limit: all that the files hold is there.
    server.kill()
    server.restart()
    with server.connect() as client:
        assert keys(client) == left
