"""Marks of use in RDB files: written where eviction goes by them, and taken over by who reads them."""

from __future__ import annotations

import io
import math

import pytest

from durastore.engine.engine import Engine
from durastore.engine.memory import MemoryLimit
from durastore.persistence.loading import RdbLoading
from durastore.persistence.rdb import RdbReader, RdbWriter, dump_value
from durastore.persistence.snapshot import Snapshot
from support.engines import engine, session
from support.resp import request

NOW = 1_700_000_000_000


def server(policy: str) -> Engine:
    made = engine(NOW)
    memory: MemoryLimit = made.memory
    memory.eviction.choose(policy, 5)
    return made


def call(of: Engine, *words: bytes | str | int) -> bytes:
    client = session(of)
    client.feed(request(*words))
    reply = client.take_output()
    client.disconnect()
    return reply


def saved(of: Engine) -> bytes:
    snapshot = Snapshot(of.instance.keyspace, RdbWriter(True, True), [])
    data = b""
    while not snapshot.finished:
        data += snapshot.step(math.inf, lambda: 0.0)
    snapshot.close()
    return data


def loaded(data: bytes, policy: str) -> Engine:
    made = server(policy)
    reader = RdbReader(io.BytesIO(data), len(data))
    reader.read_header()
    assert RdbLoading(reader, made.instance.keyspace, NOW, False).step(math.inf, lambda: 0.0)
    return made


def marks(data: bytes) -> dict[bytes, tuple[int, int]]:
    """Idle times and frequencies of a file."""
    reader = RdbReader(io.BytesIO(data), len(data))
    reader.read_header()
    found = {}
    while reader.next_entry():
        found[reader.key] = (int(reader.idle), int(reader.freq))
    return found


def filled(policy: str) -> Engine:
    made = server(policy)
    call(made, "SET", "old", "v", "EX", 10**6)
    call(made, "RPUSH", "list", "a", "b")
    made.begin_wake(NOW + 5000_000)
    call(made, "SET", "new", "v")
    return made


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru"])
def test_idle_times_are_kept(policy: str) -> None:
    data = saved(filled(policy))
    assert marks(data) == {b"old": (5000, -1), b"list": (5000, -1), b"new": (0, -1)}
    again = loaded(data, "allkeys-lru")
    assert call(again, "OBJECT", "IDLETIME", "old") == b":5000\r\n"
    assert call(again, "OBJECT", "IDLETIME", "new") == b":0\r\n"
    # A policy that does not go by them neither keeps what a file says nor says anything.
    assert call(loaded(data, "allkeys-lfu"), "OBJECT", "FREQ", "old") == b":5\r\n"


def test_frequencies_are_kept() -> None:
    made = server("allkeys-lfu")
    call(made, "SET", "k", "v")
    call(made, "SET", "often", "v")
    call(made, "RESTORE", "often", 0, dump_value(b"v"), "REPLACE", "FREQ", 200)
    data = saved(made)
    assert marks(data) == {b"k": (-1, 5), b"often": (-1, 200)}
    again = loaded(data, "volatile-lfu")
    assert call(again, "OBJECT", "FREQ", "often") == b":200\r\n"


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-random", "volatile-ttl"])
def test_other_policies_do_without(policy: str) -> None:
    assert set(marks(saved(filled(policy))).values()) == {(-1, -1)}


def test_the_log_tells_them_of_restored_keys() -> None:
    made = server("allkeys-lru")
    payload = dump_value(b"v")
    call(made, "RESTORE", "k", 0, payload, "IDLETIME", 77)
    assert made.journal.take().endswith(request("RESTORE", "k", 0, payload, "REPLACE", "ABSTTL", "IDLETIME", 77))
