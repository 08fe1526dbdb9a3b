"""Accounting of memory, and eviction: what is counted, what goes, and what the journal says of it."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durastore.engine.engine import Engine
from durastore.engine.memory import RUNNING
from durastore.engine.session import Session
from durastore.keyspace.compact import CompactDict, Meter
from durastore.keyspace.limits import Limits
from durastore.keyspace.sets import build_set
from durastore.keyspace.values import WEIGHED, Value
from durastore.protocol.parser import encode_request
from durastore.server.settings import eviction_patience
from support.disks import MemoryDisk
from support.engines import engine, run, session
from support.inprocess import make_server, without_socket

NOW = 1_700_000_000_000


def counted(one: Engine) -> int:
    return int(one.instance.keyspace.used())


def free_all(one: Engine) -> None:
    """What was flushed is counted until it is freed."""
    one.instance.keyspace.freeing.step(math.inf, lambda: 0.0)


KEYS = st.sampled_from(["a", "b", "c", "d"])
WORDS = st.sampled_from(["x", "y" * 30, "z" * 600, "12"])
REQUESTS = st.one_of(
    st.builds("set {} {}".format, KEYS, WORDS),
    st.builds("append {} {}".format, KEYS, WORDS),
    st.builds("rpush {} {} {}".format, KEYS, WORDS, WORDS),
    st.builds("lpop {}".format, KEYS),
    st.builds("hset {} {} {}".format, KEYS, WORDS, WORDS),
    st.builds("sadd {} {}".format, KEYS, WORDS),
    st.builds("smove {} {} {}".format, KEYS, KEYS, WORDS),
    st.builds("zadd {} 1 {}".format, KEYS, WORDS),
    st.builds("xadd {} * f {}".format, KEYS, WORDS),
    st.builds("rename {} {}".format, KEYS, KEYS),
    st.builds("copy {} {} replace".format, KEYS, KEYS),
    st.builds("move {} 1".format, KEYS),
    st.builds("del {}".format, KEYS),
    st.builds("expire {} 1000".format, KEYS),
    st.builds("persist {}".format, KEYS),
    st.just("swapdb 0 1"),
    st.just("flushdb"),
)


@given(st.lists(REQUESTS, max_size=40))
def test_what_is_counted_goes_when_the_data_goes(script: list[str]) -> None:
    one = engine(NOW)
    empty = counted(one)
    client = session(one)
    for line in script:
        run(client, line.encode())
    assert one.unexpected_errors == 0
    for db in one.instance.keyspace.databases:
        for key in [key for segment in db.table.directory for key in segment.items]:
            db.delete(key)
    free_all(one)
    # Slots that a dict has once had may be kept.
    assert 0 <= counted(one) - empty < 2000
    run(client, b"flushall")
    free_all(one)
    assert counted(one) == empty


def test_a_dict_counts_what_it_takes_and_gives_back() -> None:
    meter = Meter()
    held: CompactDict[object] = CompactDict(meter, True)
    empty = meter.bytes
    for i in range(1000):
        held[b"key:%d" % i] = b"v" * (i % 700)
    full = meter.bytes
    assert full - empty > sum(i % 700 for i in range(1000))
    low: CompactDict[object] = CompactDict(meter, True)
    high: CompactDict[object] = CompactDict(meter, True)
    held.split(1 << 20, low, high)
    assert abs(meter.bytes - full) < 20_000
    frozen = low.freeze()
    for each in (low, high):
        for key in each.keys():  # noqa: SIM118
            each[key] = b""
            del each[key]
    del frozen, held, low, high, each
    assert meter.bytes == 0


def test_marks_tell_when_keys_were_used_and_how_often() -> None:
    meter = Meter()
    meter.clock = 100
    held: CompactDict[object] = CompactDict(meter, True)
    held[b"k"] = b"v"
    meter.clock = 200
    assert held.use(b"k") == 100
    assert held[b"k"] == b"v"
    assert held.use(b"k") == 200
    meter.marking = False
    meter.clock = 300
    assert held[b"k"] == b"v"
    assert held.use(b"k") == 200
    meter.marking = True
    meter.counting = True
    held[b"l"] = 1
    assert meter.frequency(held.use(b"l")) == 5
    for _ in range(2000):
        assert held[b"l"] == 1
    often = meter.frequency(held.use(b"l"))
    assert 10 < often < 60
    meter.clock += 3
    assert meter.frequency(held.use(b"l")) == often - 3
    meter.clock += 1000
    assert meter.frequency(held.use(b"l")) == 0


def limited(policy: str, keys: int, expiring: int, samples: int = 10) -> tuple[Engine, Session]:
    """An engine with ``key:<n>`` of 100 bytes, of which the first have an expiry, with no room for more."""
    one = engine(NOW)
    one.memory.eviction.choose(policy, samples)
    client = session(one)
    for i in range(keys):
        one.begin_wake(NOW + i * 1000)
        run(client, b"set key:%d %b" % (i, b"x" * 100))
        if i < expiring:
            run(client, b"pexpireat key:%d %d" % (i, 4102444800000 - i * 1000))
    one.begin_wake(NOW + keys * 1000)
    one.memory.limit = counted(one)
    return one, client


def present(client: Session, keys: int) -> set[int]:
    client.client.no_touch = True
    left = {i for i in range(keys) if run(client, b"exists key:%d" % i) == b":1\r\n"}
    client.client.no_touch = False
    return left


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru"])
def test_lru_evicts_what_was_not_used_for_long(policy: str) -> None:
    _, client = limited(policy, 200, 200)
    for i in range(50):
        run(client, b"get key:%d" % i)
    for i in range(60):
        run(client, b"set new:%d %b" % (i, b"x" * 100))
    gone = set(range(200)) - present(client, 200)
    assert len(gone) >= 30
    # An approximation, as Redis's is.
    assert len(gone & set(range(50))) <= len(gone) // 10
    assert sum(i < 130 for i in gone) > len(gone) * 0.8


def test_lfu_evicts_what_was_used_seldom() -> None:
    _, client = limited("allkeys-lfu", 200, 0)
    for _ in range(200):
        for i in range(50):
            run(client, b"get key:%d" % i)
    for i in range(60):
        run(client, b"set new:%d %b" % (i, b"x" * 100))
    gone = set(range(200)) - present(client, 200)
    assert gone
    assert not gone & set(range(50))
    assert run(client, b"object idletime key:0").startswith(b"-ERR An LFU maxmemory policy is selected")


@pytest.mark.parametrize(
    "looking",
    [
        "memory usage k", "object encoding k", "type k", "ttl k", "exists k", "scan 0 type string", "watch k",
        "debug object k", "debug digest-value k", "debug listpack k", "debug quicklist k", "debug htstats-key k",
    ],
)  # fmt: skip
def test_who_only_looks_at_a_key_has_not_used_it(looking: str) -> None:
    server = make_server(Path("/"), MemoryDisk())
    server.engine.instance.debug_allowed = True
    client = without_socket(server)
    server.engine.begin_wake(NOW)
    run(client, b"set k v")
    server.engine.begin_wake(NOW + 5000)
    run(client, looking.encode())
    assert run(client, b"object idletime k") == b":5\r\n"
    run(client, b"get k")
    assert run(client, b"object idletime k") == b":0\r\n"


def test_volatile_ttl_evicts_what_expires_first() -> None:
    _, client = limited("volatile-ttl", 200, 100)
    for i in range(30):
        run(client, b"set new:%d %b" % (i, b"x" * 100))
    gone = set(range(200)) - present(client, 200)
    assert gone
    assert max(gone) < 100
    assert sum(i >= 50 for i in gone) > len(gone) * 0.7


@pytest.mark.parametrize("policy", ["allkeys-random", "volatile-random", "volatile-lfu", "volatile-lru"])
def test_only_what_may_go_goes_and_then_writes_are_refused(policy: str) -> None:
    one, client = limited(policy, 100, 30)
    replies = [run(client, b"set new:%d %b" % (i, b"x" * 100)) for i in range(300)]
    gone = set(range(100)) - present(client, 100)
    assert one.memory.evicted >= len(gone) > 10
    if policy.startswith("volatile"):
        assert gone == set(range(30))
        assert replies[-1] == b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
    else:
        assert replies[-1] == b"+OK\r\n"
        assert counted(one) <= one.memory.limit + 1000


def test_evictions_are_journalled_in_order() -> None:
    one, client = limited("allkeys-random", 50, 0)
    one.journal.enabled = True
    one.journal.take()
    for i in range(100):
        run(client, b"rpush list:%d %b" % (i % 7, b"x" * random.randrange(1, 200)))
    evicted = one.memory.evicted
    assert evicted
    text = one.journal.take()
    assert text.count(b"$3\r\nDEL\r\n") == evicted
    assert text.count(b"\r\nrpush\r\n") == 100


def test_noeviction_refuses_what_may_take_memory() -> None:
    one, client = limited("noeviction", 10, 0)
    oom = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
    one.memory.limit = 1
    assert run(client, b"set a b") == oom
    assert run(client, b"get key:1").startswith(b"$100")
    assert run(client, b"del key:1") == b":1\r\n"
    assert run(client, b"multi") == b"+OK\r\n"
    assert run(client, b"get key:2") == oom
    assert run(client, b"exec") == b"-EXECABORT Transaction discarded because of previous errors.\r\n"
    one.memory.limit = 0
    run(client, b"multi")
    run(client, b"set a b")
    one.memory.limit = 1
    assert run(client, b"exec") == b"-EXECABORT Transaction discarded because of: " + oom[1:]
    assert run(client, b"multi") == b"+OK\r\n"
    assert run(client, b"discard") == b"+OK\r\n"


def test_the_accounting_is_exact_after_changes_in_place() -> None:
    one = engine(NOW)
    client = session(one)
    for i in range(3000):
        run(client, b"rpush l %d" % i)
        run(client, b"hset h %d %d" % (i, i))
        run(client, b"zadd z %d %d" % (i, i))
        run(client, b"setrange s %d x" % i)
    live = counted(one)
    db = one.instance.keyspace.databases[0]
    for key in (b"l", b"h", b"z", b"s"):
        value = db.lookup(key, NOW)
        assert isinstance(value, Value)
        assert value.weight == value.memory(WEIGHED)
        db.table.find(key).items.reweigh(key, value)
    assert counted(one) == live


def test_scripts_are_refused_what_they_do_not_declare_when_memory_is_short() -> None:
    pytest.importorskip("lupa")
    one, client = limited("noeviction", 10, 0)
    oom = b"OOM command not allowed when used memory > 'maxmemory'."

    def script(body: bytes) -> bytes:
        client.feed(encode_request([b"EVAL", body, b"0"]))
        return client.take_output()

    one.memory.limit = 1
    assert script(b"return redis.call('get','key:1')").startswith(b"$100\r\n")
    assert script(b"return redis.call('set','a','b')").startswith(b"-" + oom + b" script: ")
    assert script(b"return redis.pcall('set','a','b')") == b"-" + oom + b"\r\n"
    # What has begun to write is not stopped.
    assert script(b"redis.call('del','key:2') return redis.call('set','a','b')") == b"+OK\r\n"
    assert script(b"#!lua\nreturn redis.call('get','key:1')") == b"-" + oom + b"\r\n"
    assert script(b"#!lua flags=allow-oom\nreturn redis.call('set','a','b')") == b"+OK\r\n"
    assert script(b"#!lua flags=no-writes\nreturn redis.call('exists','a')") == b":1\r\n"
    one.memory.limit = 0
    assert script(b"return redis.call('set','a','b')") == b"+OK\r\n"


def test_what_was_evicted_is_freed_before_anything_else_goes() -> None:
    one, client = limited("allkeys-lru", 50, 0, 60)
    one.memory.limit = 0
    one.begin_wake(NOW - 1_000_000)
    one.instance.keyspace.databases[0].set(b"large", build_set([b"%d" % i for i in range(30_000)], Limits()))
    one.begin_wake(NOW + 1_000_000)
    one.memory.limit = counted(one) - 10_000
    one.memory.stopwatch = iter(range(0, 10**15, 10**9)).__next__
    turns = 0
    while one.memory.make_room() == RUNNING:
        turns += 1
    assert turns >= 5, "no command waits for all of it"
    assert one.memory.evicted == 1
    assert present(client, 50) == set(range(50))


def test_a_flush_makes_room_even_where_nothing_is_evicted() -> None:
    one, client = limited("noeviction", 0, 0)
    one.memory.limit = 0
    one.instance.keyspace.databases[0].set(b"large", build_set([b"%d" % i for i in range(30_000)], Limits()))
    one.memory.limit = counted(one) - 100
    assert run(client, b"set k v").startswith(b"-OOM")
    assert run(client, b"flushall", b"set k v") == b"+OK\r\n+OK\r\n"


def test_evictions_keep_a_command_waiting_only_for_so_long() -> None:
    """What is left to do is left to later commands, and writes are not refused meanwhile."""
    one, client = limited("allkeys-random", 400, 0)
    one.memory.limit -= 20_000
    one.memory.patience = eviction_patience(0)
    clock = itertools.count(0, 1000)
    one.memory.stopwatch = lambda: next(clock)
    assert run(client, b"set new v") == b"+OK\r\n"
    assert one.memory.evicted == 16
    assert one.memory.exceeded()
    while one.memory.exceeded():
        before = one.memory.evicted
        assert run(client, b"ping") == b"+PONG\r\n"
        assert 1 <= one.memory.evicted - before <= 16
    one.memory.limit -= 20_000
    one.memory.patience = eviction_patience(100)
    before = one.memory.evicted
    assert run(client, b"ping") == b"+PONG\r\n"
    assert not one.memory.exceeded()
    assert one.memory.evicted - before > 50


def test_tenacity_is_half_a_millisecond_by_default_and_grows_by_the_power() -> None:
    assert [eviction_patience(step) for step in (0, 1, 10, 11)] == [0, 50_000, 500_000, 575_000]
    assert 100e9 < eviction_patience(99) < 200e9
    assert eviction_patience(100) > 10**18
