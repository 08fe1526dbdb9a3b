"""``used_memory`` is honest: it grows by about what the process grows by, whatever the data are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import durastore
from support.resp import request
from support.servers import Server

Starter = Callable[..., Server]
# How far used_memory may be from the truth, either way: it knows nothing of the allocator's own losses.
FACTOR = 1.3 if durastore.compiled() else 2.2

# Requests that make 6 MB of data and more of one kind each: the allocator has a few hundred kilobytes to begin with.
DATASETS: dict[str, Callable[[], Iterator[bytes]]] = {
    "small strings": lambda: (request("SET", f"key:{i}", f"value:{i}") for i in range(160_000)),
    "strings": lambda: (request("SET", f"key:{i}", "x" * 4000) for i in range(1600)),
    "expiring": lambda: (request("SET", f"key:{i}", f"value:{i}", "EX", 10**6) for i in range(120_000)),
    "small hashes": lambda: (
        request("HSET", f"key:{i}", *(f"{n}{j}:{i}" for j in range(8) for n in ("field", "value")))
        for i in range(25_000)
    ),
    "a large hash": lambda: (
        request("HSET", "key", *(f"{n}{j}" for j in range(i, i + 50) for n in ("field", "value")))
        for i in range(0, 200_000, 50)
    ),
    "lists": lambda: (
        request("RPUSH", f"key:{i % 20}", *(f"element:{i + j}" for j in range(50))) for i in range(0, 400_000, 50)
    ),
    "a large set": lambda: (
        request("SADD", "key", *(f"member:{i + j}" for j in range(50))) for i in range(0, 240_000, 50)
    ),
    "sorted sets": lambda: (
        request("ZADD", f"key:{i % 20}", *(w for j in range(50) for w in (i + j, f"member:{i + j}")))
        for i in range(0, 120_000, 50)
    ),
    "streams": lambda: (
        request("XADD", f"key:{i % 20}", f"{i + 1}-1", "field", "value" * 10, "other", f"{i}") for i in range(160_000)
    ),
}


def resident(server: Server) -> int:
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def used(server: Server) -> int:
    return int(server.info("memory", "used_memory"))


@pytest.mark.parametrize("name", DATASETS)
def test_used_memory_is_what_the_process_grows_by(start_durastore: Starter, name: str) -> None:
    server = start_durastore()
    before = used(server), resident(server)
    with server.connect() as client:
        waiting = 0
        for number, data in enumerate(DATASETS[name]()):
            client.send(data)
            waiting += 1
            if number % 20 == 19:
                for _ in range(waiting):
                    client.read()
                waiting = 0
        for _ in range(waiting):
            client.read()
    counted, grown = used(server) - before[0], resident(server) - before[1]
    print(f"{name}: {counted} counted, {grown} grown, {counted / grown:.2f}")
    assert grown > 2 << 20
    assert grown / FACTOR <= counted <= grown * FACTOR
