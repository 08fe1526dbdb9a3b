"""What was written is read back: files and payloads, for all value types."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.keyspace.hashes import Hash
from durastore.keyspace.limits import Limits
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import SortedSet
from durastore.keyspace.streams import Stream
from durastore.keyspace.values import RawString
from durastore.persistence.rdb import RdbError, RdbReader, RdbWriter, dump_value, load_dump
from durastore.persistence.recording import _ctime
from support.rdb import describe_value, scores_of
from support.values import hash_of, set_of, zset_of

times = st.integers(0, 2**62)
numbers = st.integers(-(2**63), 2**63 - 1).map(lambda n: b"%d" % n) | st.integers(-200, 200).map(lambda n: b"%d" % n)
texts = numbers | st.binary(max_size=80) | st.builds(lambda a, n: a * n, st.binary(max_size=9), st.integers(0, 600))
parts = st.integers(0, 2**64 - 1) | st.integers(0, 300)
stream_ids = st.tuples(parts, parts).filter(any)


@st.composite
def hashes(draw: st.DrawFn) -> Hash:
    fields = draw(st.dictionaries(texts, texts, min_size=1, max_size=20))
    expiring = draw(st.lists(st.sampled_from(sorted(fields)), max_size=3))
    return hash_of(fields, {name: draw(times) + 1 for name in expiring})


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    stream = Stream()
    node_limits = Limits()
    node_limits.stream_node_bytes = draw(st.sampled_from([0, 50]))
    node_limits.stream_node_entries = draw(st.sampled_from([0, 3]))
    names = draw(st.lists(texts, min_size=1, max_size=3))
    for entry_id in sorted(draw(st.sets(stream_ids, max_size=15))):
        own = names if draw(st.booleans()) else draw(st.lists(texts, min_size=1, max_size=3))
        stream.append(entry_id, [part for name in own for part in (name, draw(texts))], 0, node_limits)
    stream.max_deleted_id = draw(stream_ids)
    stream.added = draw(st.integers(0, 2**63 - 1))
    for name in draw(st.sets(texts, max_size=2)):
        group = stream.create_group(name, draw(stream_ids), draw(st.integers(-1, 2**40)))
        consumers = [
            group.create_consumer(consumer, draw(times), draw(st.integers(-1, 2**40)))
            for consumer in draw(st.sets(texts, max_size=2))
        ]
        if consumers:
            for entry_id in draw(st.sets(stream_ids, max_size=4)):
                owner = draw(st.sampled_from(consumers))
                group.assign(entry_id, owner, draw(times), draw(st.integers(0, 2**40)))
    return stream


values = st.one_of(
    texts,
    texts.map(lambda text: RawString(bytearray(text))),
    st.lists(texts, min_size=1, max_size=40).map(List),
    st.lists(texts | numbers, min_size=1, max_size=40).map(set_of),
    st.lists(numbers, min_size=1, max_size=40).map(set_of),
    st.dictionaries(texts, st.floats(allow_nan=False), min_size=1, max_size=30).map(zset_of),
    hashes(),
    streams(),
)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    chosen = Limits()
    if draw(st.booleans()):
        chosen.hash_entries = chosen.set_entries = chosen.set_intset = chosen.zset_entries = 4
        chosen.hash_value = chosen.set_value = chosen.zset_value = 10
        chosen.list_size = draw(st.sampled_from([-9, -1, 0, 1, 7]))
    return chosen


@given(values, limits(), st.booleans())
def test_payload(value: object, limit: Limits, compress: bool) -> None:
    assert describe_value(load_dump(dump_value(value, compress, limit))) == describe_value(value)


@settings(max_examples=60)
@given(
    st.dictionaries(texts, st.tuples(values, times | st.just(-1)), max_size=6),
    limits(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([11, 80]),
)
def test_file(
    entries: dict[bytes, tuple[Any, int]], limit: Limits, compress: bool, checksum: bool, version: int
) -> None:
    writer = RdbWriter(compress, checksum, version, limit)
    aux = [(b"redis-ver", b"7.2.0"), (b"ctime", b"1700000000")]
    writer.begin(aux)
    writer.function(b"#!lua name=lib\n...")
    parts = []
    writer.select(5, len(entries), 0)
    for key, (value, when) in entries.items():
        writer.entry(key, value, when)
        if len(key) % 2:
            parts.append(writer.take())
    writer.end()
    assert writer.pending() > 0
    parts.append(writer.take())
    data = b"".join(parts)
    reader = RdbReader(io.BytesIO(data), len(data))
    reader.read_header()
    for key, (value, when) in entries.items():
        assert reader.next_entry()
        assert (reader.db, reader.key, reader.expire_ms, reader.idle, reader.freq) == (5, key, when, -1, -1)
        assert describe_value(reader.value) == describe_value(value)
    assert not reader.next_entry()
    assert reader.verified == checksum
    assert reader.offset == len(data)
    assert reader.aux == dict(aux)
    assert reader.functions == [b"#!lua name=lib\n..."]
    assert reader.resizedb == {5: (len(entries), 0)}


def test_negative_zero_score_keeps_its_sign_in_a_large_set() -> None:
    small = load_dump(dump_value(zset_of({b"m": -0.0})))
    assert isinstance(small, SortedSet)
    # A listpack has whole scores as integers.
    assert str(scores_of(small)[b"m"]) == "0.0"
    large = load_dump(dump_value(zset_of({b"m": -0.0, b"long" * 20: 1.0})))
    assert isinstance(large, SortedSet)
    assert str(scores_of(large)[b"m"]) == "-0.0"


def test_order_of_a_list_a_set_and_a_hash_is_kept() -> None:
    items = [b"%d" % (i * 7919 % 1000) for i in range(1000)]
    loaded = load_dump(dump_value(List(items)))
    assert isinstance(loaded, List)
    assert loaded.items() == items
    members = load_dump(dump_value(set_of([b"text", *items[:100]])))
    assert isinstance(members, Set)
    assert members.members() == [b"text", *items[:100]]


class Dripping:
    """A source that gives little at a time, and can be told from one that gives all at once only by that."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data = data
        self.step = step
        self.pos = 0

    def read(self, size: int, /) -> bytes:
        part = self.data[self.pos : self.pos + min(size, self.step)]
        self.pos += len(part)
        return part


@pytest.mark.parametrize("known_size", [True, False])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_source_in_small_pieces_with_something_behind(step: int, known_size: bool) -> None:
    writer = RdbWriter(True, True)
    writer.begin([])
    writer.select(0, 3, 0)
    written = {b"key": b"value", b"list": List([b"a" * i for i in range(100)]), b"large": bytes(range(256)) * 40}
    for key, value in written.items():
        writer.entry(key, value, 12345)
    writer.end()
    data = writer.take()
    behind = b"*1\r\n$4\r\nPING\r\n"
    reader = RdbReader(Dripping(data + behind, step), len(data + behind) if known_size else -1)
    reader.read_header()
    for key, value in written.items():
        assert reader.next_entry()
        assert (reader.key, reader.expire_ms) == (key, 12345)
        assert describe_value(reader.value) == describe_value(value)
    assert not reader.next_entry()
    assert reader.verified
    assert reader.offset == len(data)
    rest = reader.rest()
    assert behind.startswith(rest)


def test_idle_and_frequency() -> None:
    writer = RdbWriter(False, True)
    writer.begin([])
    writer.select(0, 2, 0)
    writer.access(1000, -1)
    writer.entry(b"a", b"1", 5)
    writer.access(-1, 255)
    writer.entry(b"b", b"2", -1)
    writer.end()
    reader = RdbReader(io.BytesIO(writer.take()), -1)
    reader.read_header()
    assert reader.next_entry()
    assert (reader.idle, reader.freq, reader.expire_ms) == (1000, -1, 5)
    assert reader.next_entry()
    assert (reader.idle, reader.freq, reader.expire_ms) == (-1, 255, -1)
    assert not reader.next_entry()


def test_a_type_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError):
        dump_value(object())


@pytest.mark.parametrize("payload", [b"", b"short", b"\1" * 11, dump_value(b"value")[:-1], dump_value(b"v") + b"x"])
def test_restore_of_a_wrong_footer(payload: bytes) -> None:
    with pytest.raises(RdbError, match="version or checksum"):
        load_dump(payload)


@pytest.mark.parametrize(
    ("told", "number"),
    [
        (b"0", 0),
        (b"1700000000", 1700000000),
        (b"9" * 19, 10**19 - 1),
        (b"9" * 20, 0),
        (b"-1", 0),
        (b"7.2", 0),
        (b"", 0),
    ],
)
def test_numbers_among_the_auxiliary_fields(told: bytes, number: int) -> None:
    writer = RdbWriter(True, True)
    writer.begin([(b"ctime", told)])
    writer.end()
    data = writer.take()
    reader = RdbReader(io.BytesIO(data), len(data))
    reader.read_header()
    assert not reader.next_entry()
    assert reader.aux_number(b"ctime") == number
    assert reader.aux_number(b"used-mem") == 0
    assert _ctime(RdbReader(io.BytesIO(data), len(data))) == (number * 1000 if number < 10**11 else 0)
