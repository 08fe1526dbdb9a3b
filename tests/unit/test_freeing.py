"""Large containers that have left the keyspace are freed in slices, and what is still in use stays whole."""

from __future__ import annotations

import pytest
from librt.vecs import vec

from durastore.keyspace.freeing import LARGE, PARTS_PER_LOOK
from durastore.keyspace.hashes import build_hash
from durastore.keyspace.keyspace import Keyspace
from durastore.keyspace.limits import Limits
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set, build_set
from durastore.keyspace.sorted_sets import build_sorted_set
from durastore.keyspace.streams import Stream
from durastore.keyspace.values import Value
from durastore.persistence.rdb import RdbWriter
from durastore.persistence.snapshot import Snapshot
from support.engines import engine, run, session
from support.rdb import describe_value

COUNT = 20 * LARGE
NAMES = [b"%08d" % number for number in range(COUNT)]


def make(kind: str) -> Value:
    if kind == "list":
        return List(NAMES)
    if kind == "set":
        return build_set(NAMES, Limits())
    if kind == "hash":
        return build_hash(dict.fromkeys(NAMES, b"v"), None, Limits())
    if kind == "zset":
        return build_sorted_set(NAMES, vec[float](float(at) for at in range(COUNT)), Limits())
    stream = Stream()
    for number in range(COUNT):
        stream.append((number + 1, 0), [b"f", b"v"], 0, Limits())
    stream.last_id = (COUNT, 0)
    return stream


def free(keyspace: Keyspace) -> int:
    """Frees everything in the shortest slices; how many these were."""
    slices = 0
    while keyspace.freeing.waiting():
        keyspace.freeing.step(0.0, lambda: 1.0)
        slices += 1
    return slices


@pytest.mark.parametrize("kind", ["list", "set", "hash", "zset", "stream"])
@pytest.mark.parametrize("way", ["delete", "overwrite", "replace", "flush", "expire"])
def test_a_large_container_is_freed_in_slices(kind: str, way: str) -> None:
    keyspace = Keyspace(1)
    db = keyspace.databases[0]
    value = make(kind)
    copy = value.copy()
    wanted = describe_value(copy)
    db.set(b"k", value)
    del value
    if way == "delete":
        db.delete(b"k")
    elif way == "overwrite":
        db.set(b"k", b"v")
    elif way == "replace":
        db.replace(b"k", b"v")
    elif way == "flush":
        db.flush()
    else:
        db.set_expiry(b"k", 1)
        assert db.lookup(b"k", 2) is None
    assert keyspace.freeing.pending == 1
    # A part has 700 elements at most; but all of this stream's nodes are in one block.
    assert free(keyspace) >= (1 if kind == "stream" else COUNT // (PARTS_PER_LOOK * 700))
    assert keyspace.freeing.pending == 0
    assert keyspace.freeing.freed == (2 if way == "flush" else 1)
    assert describe_value(copy) == wanted


def test_a_value_that_is_changed_and_stored_again_is_not_freed() -> None:
    keyspace = Keyspace(1)
    db = keyspace.databases[0]
    value = make("zset")
    db.set(b"k", value)
    db.replace(b"k", value)
    assert keyspace.freeing.pending == 0


def test_small_values_and_strings_are_not_kept() -> None:
    keyspace = Keyspace(1)
    db = keyspace.databases[0]
    db.set(b"s", b"x" * 100_000)
    db.set(b"l", List([b"a", b"b"]))
    db.delete(b"s")
    db.delete(b"l")
    assert keyspace.freeing.pending == 0


def large_set(keyspace: Keyspace, key: bytes = b"k") -> None:
    keyspace.databases[0].set(key, build_set(NAMES, Limits()))


@pytest.mark.parametrize("way", ["delete", "flush"])
def test_what_is_not_freed_yet_counts(way: str) -> None:
    keyspace = Keyspace(1)
    empty = keyspace.used()
    large_set(keyspace)
    full = keyspace.used()
    assert full - empty > 20 * COUNT
    if way == "delete":
        keyspace.databases[0].delete(b"k")
    else:
        keyspace.databases[0].flush()
    assert abs(keyspace.used() - full) < 5000
    free(keyspace)
    assert keyspace.used() - empty < 2000


def test_what_has_grown_since_it_was_weighed_counts_as_it_is() -> None:
    keyspace = Keyspace(1)
    large_set(keyspace)
    db = keyspace.databases[0]
    value = db.lookup_owned(b"k", 1)
    assert isinstance(value, Set)
    for name in NAMES:
        value.add(b"another:" + name, Limits())
    db.delete(b"k")
    assert keyspace.used() > 60 * COUNT
    free(keyspace)
    assert keyspace.freeing.bytes == 0


def test_a_value_that_only_moves_is_not_freed() -> None:
    one = engine()
    client = session(one)
    one.instance.keyspace.databases[0].set(b"k", build_set(NAMES, Limits()))
    run(client, b"rename k l", b"move l 1")
    assert run(client, b"select 1", b"scard l") == b"+OK\r\n:%d\r\n" % COUNT
    assert not one.instance.keyspace.freeing.waiting()
    run(client, b"copy l m", b"rename m l")
    assert one.instance.keyspace.freeing.pending == 1


def test_few_elements_may_be_much() -> None:
    keyspace = Keyspace(1)
    db = keyspace.databases[0]
    db.set(b"h", build_hash({b"%d" % number: b"%d" % number * 10_000 for number in range(100, 300)}, None, Limits()))
    db.delete(b"h")
    assert keyspace.freeing.pending == 1
    assert free(keyspace) >= 200 // PARTS_PER_LOOK
    assert keyspace.used() < 5000


@pytest.mark.parametrize("change", [b"del k", b"sadd k more", b"set k v"])
def test_what_a_snapshot_was_the_last_to_hold_is_freed_in_slices(change: bytes) -> None:
    one = engine()
    client = session(one)
    keyspace = one.instance.keyspace
    large_set(keyspace)
    run(client, b"set other 1")
    snapshot = Snapshot(keyspace, RdbWriter(True, True), [])
    run(client, change)
    free(keyspace)
    while not snapshot.finished:
        assert not keyspace.freeing.waiting(), "it is needed still"
        snapshot.step(0.0, lambda: 1.0)
    snapshot.close()
    # It is not INFO's: nobody has removed it.
    assert keyspace.freeing.pending == 0
    assert keyspace.freeing.waiting()
    assert free(keyspace) > 5


def test_what_a_given_up_snapshot_has_captured_is_freed_in_slices() -> None:
    keyspace = Keyspace(1)
    large_set(keyspace)
    snapshot = Snapshot(keyspace, RdbWriter(True, True), [])
    keyspace.databases[0].delete(b"k")
    free(keyspace)
    snapshot.close()
    assert free(keyspace) > 5


def test_a_table_that_was_flushed_during_a_snapshot_is_freed_in_slices_after_it() -> None:
    keyspace = Keyspace(1)
    empty = keyspace.used()
    db = keyspace.databases[0]
    for number in range(20_000):
        db.set(b"key:%d" % number, b"v")
    large_set(keyspace)
    full = keyspace.used()
    snapshot = Snapshot(keyspace, RdbWriter(True, True), [])
    assert db.flush() == 20_001
    assert not keyspace.freeing.waiting()
    while not snapshot.finished:
        snapshot.step(0.0, lambda: 1.0)
    assert snapshot.keys_written == 20_001
    assert keyspace.freeing.pending == 1
    assert keyspace.used() > full // 2
    assert free(keyspace) > 5
    assert keyspace.used() - empty < 2000


def test_freeing_lets_go_of_what_is_only_to_be_weighed() -> None:
    """Otherwise the last reference is dropped by the weighing, and with it all that was thought to be freed."""
    keyspace = Keyspace(1)
    large_set(keyspace)
    db = keyspace.databases[0]
    assert db.lookup_owned(b"k", 1) is not None
    db.delete(b"k")
    assert len(keyspace.unweighed) == 1
    keyspace.free(0.0, lambda: 1.0)
    assert not keyspace.unweighed
