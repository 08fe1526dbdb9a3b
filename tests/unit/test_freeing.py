"""Large containers that have left the keyspace are freed in slices, and what is still in use stays whole."""

from __future__ import annotations

import pytest
from librt.vecs import vec

from durastore.keyspace.database import Keyspace
from durastore.keyspace.freeing import LARGE
from durastore.keyspace.hashes import build_hash
from durastore.keyspace.limits import Limits
from durastore.keyspace.lists import List
from durastore.keyspace.sets import build_set
from durastore.keyspace.sorted_sets import build_sorted_set
from durastore.keyspace.streams import Stream
from durastore.keyspace.values import Value
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
    while keyspace.freeing.pending:
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
    # All of this stream's nodes are in one block.
    assert free(keyspace) > (0 if kind == "stream" else 1)
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
