"""Large values are loaded a part at a time: so many elements lie between two looks at the clock, and no more."""

from __future__ import annotations

import io
import struct
from itertools import pairwise

import pytest
from librt.vecs import vec

from durastore.keyspace.hashes import Hash, build_hash
from durastore.keyspace.keyspace import Keyspace
from durastore.keyspace.limits import Limits
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set, build_set
from durastore.keyspace.sorted_sets import SortedSet, build_sorted_set
from durastore.keyspace.streams import Stream
from durastore.persistence.checksum import crc64_redis
from durastore.persistence.loading import RdbLoading
from durastore.persistence.rdb import RdbError, RdbReader, RdbWriter, load_dump
from support.rdb import describe_value

COUNT = 8_000
# Between two looks at the clock so many bytes are read at most: of 512 elements, or of eight nodes of a list.
MOST = {"list": 9 * 8192}
MOST_ELSE = 40_000
NAMES = [b"element:%08d" % number for number in range(COUNT)]


def of_fields(every: int) -> Hash:
    expires = {name: 4102444800000 + at for at, name in enumerate(NAMES) if at % every == 0}
    return build_hash(dict.fromkeys(NAMES, b"v"), expires, Limits())


def stream(groups: int) -> Stream:
    made = Stream()
    for number in range(COUNT):
        made.append((number + 1, 0), [b"f", b"v%d" % number], 0, Limits())
    for number in range(groups):
        group = made.create_group(b"group:%d" % number, (COUNT, 0), COUNT)
        for name in (b"alice", b"bob"):
            consumer = group.create_consumer(name, 1, 1)
            for entry in range(1 if name == b"bob" else 2, COUNT, 2):
                group.assign((entry, 0), consumer, 5, 1)
    return made


VALUES = {
    "set": lambda: build_set(NAMES, Limits()),
    "hash": lambda: build_hash(dict.fromkeys(NAMES, b"v"), None, Limits()),
    "hash with expiries": lambda: of_fields(2),
    "zset": lambda: build_sorted_set(NAMES, vec[float](float(at * 7919 % COUNT) for at in range(COUNT)), Limits()),
    "list": lambda: List(NAMES),
    "stream": lambda: stream(0),
    "pending": lambda: stream(2),
}


def written(values: list[object], version: int) -> bytes:
    writer = RdbWriter(False, True, version)
    writer.begin([])
    writer.select(3, len(values), 1)
    for number, value in enumerate(values):
        writer.entry(b"k%d" % number, value, 9999999999999 if number == 1 else -1)
    writer.end()
    return writer.take()


def load(data: bytes) -> tuple[Keyspace, list[int]]:
    """The keyspace of a file, and how many bytes of it were read between looks at the clock."""
    keyspace = Keyspace(4)
    reader = RdbReader(io.BytesIO(data), len(data), keyspace.limits)
    reader.read_header()
    loading = RdbLoading(reader, keyspace, -1, False)
    read = [reader.offset]

    def clock() -> float:
        read.append(reader.offset)
        return 0.0

    while not loading.step(0.0, clock):
        pass
    return keyspace, [after - before for before, after in pairwise(read)]


@pytest.mark.parametrize(("kind", "version"), [*((kind, 11) for kind in VALUES), ("hash with expiries", 80)])
def test_a_large_value_is_loaded_in_parts(kind: str, version: int) -> None:
    value = VALUES[kind]()
    keyspace, read = load(written([b"before", value, b"after"], version))
    assert max(read) <= MOST.get(kind, MOST_ELSE), "a part has so many elements, whatever the value has"
    assert sum(read) > 90_000
    db = keyspace.databases[3]
    assert describe_value(db.lookup(b"k1", 1)) == describe_value(value)
    assert (db.lookup(b"k0", 1), db.lookup(b"k2", 1)) == (b"before", b"after")
    assert db.get_expiry(b"k1") == 9999999999999
    assert db.get_expiry(b"k2") == -1


def test_what_was_loaded_in_parts_has_the_same_form_and_can_be_changed() -> None:
    value = VALUES["zset"]()
    keyspace, _ = load(written([b"", value], 11))
    loaded = keyspace.databases[3].lookup(b"k1", 1)
    assert isinstance(value, SortedSet)
    assert isinstance(loaded, SortedSet)
    for rank in (0, 1, 700, COUNT // 2, COUNT - 1):
        assert loaded.at(rank).member == value.at(rank).member
        score = loaded.find(value.at(rank).member)
        assert loaded.rank(value.at(rank).member, score) == rank
    loaded.remove_range(10, COUNT)
    assert loaded.find(NAMES[0]) == 0.0
    loaded.remove(0.0)
    assert loaded.size() == 9


def test_many_values_of_some_size_do_not_go_by_number() -> None:
    values: list[object] = [build_set(NAMES[:1000], Limits()) for _ in range(40)]
    keyspace, read = load(written(values, 11))
    assert keyspace.databases[3].table.count == 40
    assert max(read) <= (16 * 1024 + 1000 * 20) * 4, "a batch ends after so many bytes, and one entry more"
    assert len(read) >= 8


def test_large_limits_are_kept() -> None:
    """What would be compact by its limit is so however it was read."""
    names = NAMES[:1500]
    data = written([build_hash(dict.fromkeys(names, b"v"), None, Limits()), build_set(names, Limits())], 11)
    reader = RdbReader(io.BytesIO(data), len(data), wide := Limits())
    wide.hash_entries = wide.set_entries = wide.set_intset = len(names)
    reader.read_header()
    assert reader.next_entry()
    assert isinstance(reader.value, Hash)
    assert reader.value.table is None
    assert reader.next_entry()
    assert isinstance(reader.value, Set)
    assert reader.value.table is None
    assert not reader.next_entry()


def payload(kind: int, body: bytes) -> bytes:
    data = bytes([kind]) + body + (11).to_bytes(2, "little")
    return data + crc64_redis(data).to_bytes(8, "little")


def number(value: int) -> bytes:
    return b"\x80" + struct.pack(">I", value)


MEMBERS = [bytes([len(name)]) + name for name in NAMES[:3000]]


@pytest.mark.parametrize(
    ("kind", "behind"),
    [(2, b""), (4, b"\x01v"), (5, struct.pack("<d", 1.0)), (3, b"\x011")],
    ids=["set", "hash", "zset", "zset of old"],
)
def test_an_element_that_comes_again_in_a_later_part_is_damage(kind: int, behind: bytes) -> None:
    good = number(3000) + b"".join(member + behind for member in MEMBERS)
    assert load_dump(payload(kind, good))
    bad = number(3001) + b"".join(member + behind for member in [*MEMBERS, MEMBERS[0]])
    with pytest.raises(RdbError, match="duplicate"):
        load_dump(payload(kind, bad))


@pytest.mark.parametrize("kind", [1, 2, 4, 5, 18])
def test_a_large_value_that_ends_early_is_damage(kind: int) -> None:
    body = number(3000) + b"".join(MEMBERS[:2000])
    with pytest.raises(RdbError):
        load_dump(payload(kind, body))


def test_a_list_without_elements_in_many_nodes_is_no_value() -> None:
    empty = b"\x02\x07" + b"\x07\x00\x00\x00\x00\x00\xff"
    data = b"REDIS0011\xfe\x03\xfc" + struct.pack("<q", 9999999999999) + b"\x12\x01k" + bytes([50]) + empty * 50
    data += b"\x00\x01s\x01v\xff"
    data += crc64_redis(data).to_bytes(8, "little")
    reader = RdbReader(io.BytesIO(data), len(data))
    reader.read_header()
    assert reader.next_entry()
    assert (reader.key, reader.value, reader.expire_ms, reader.empty_keys) == (b"s", b"v", -1, 1)
    assert not reader.next_entry()


def test_a_long_list_of_the_first_form_is_whole() -> None:
    assert describe_value(load_dump(payload(1, number(3000) + b"".join(MEMBERS)))) == (
        "list",
        [name.decode() for name in NAMES[:3000]],
    )
