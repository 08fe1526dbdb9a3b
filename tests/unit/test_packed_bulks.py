"""Elements of listpacks and small sorted sets as bulk strings: the same bytes in both builds, and as one by one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from durastore.commands import packed_bulks
from durastore.keyspace import packed_scores
from durastore.keyspace.list_nodes import pack_body
from durastore.keyspace.listpack import HEADER, ListpackWriter, next_element
from durastore.keyspace.packed import pack
from durastore.protocol.bulks import bulk_strings
from support.twins import interpreted

TWIN = interpreted(packed_bulks)
BUILDS = [packed_bulks.packed_bulks, TWIN.packed_bulks]

edges = st.sampled_from([sign * (1 << bits) + off for bits in range(64) for sign in (1, -1) for off in (-1, 0, 1)])
integers = (edges | st.integers(-(1 << 63), (1 << 63) - 1)).map(b"%d".__mod__)
sizes = st.sampled_from([0, 1, 62, 63, 64, 125, 126, 127, 128, 4095, 4096, 16378, 16379, 70_000])
strings = st.binary(max_size=30) | sizes.map(lambda size: b"x" * size)


@given(st.lists(integers | strings, max_size=12), st.data())
@example([b"%d" % value for value in range(-5000, 5000)], None)
def test_are_as_one_by_one(items: list[bytes], data: st.DataObject | None) -> None:
    body = pack_body(items)
    first = data.draw(st.integers(0, len(items))) if data else 0
    last = data.draw(st.integers(first, len(items))) if data else len(items)
    pos = 0
    for _ in range(first):
        pos = next_element(body, pos)
    for one in BUILDS:
        assert one(body, pos, last - first) == bulk_strings(items[first:last])
        assert one(pack(items), HEADER, len(items)) == bulk_strings(items)
        for step in (2, 3):
            wanted = items[first:last:step]
            assert one(body, pos, len(wanted), step) == bulk_strings(wanted)


def test_integers_of_every_width() -> None:
    row = ListpackWriter()
    values = [sign * (1 << bits) for bits in range(63) for sign in (1, -1)]
    for value in values:
        row.integer(value)
    for one in BUILDS:
        assert one(row.body(), 0, len(values)) == bulk_strings([b"%d" % value for value in values])


def test_nothing_is_read_beyond_the_end() -> None:
    body = pack_body([b"a", b"1", b"x" * 100])
    for one in BUILDS:
        with pytest.raises(IndexError):
            one(body, 0, 4)
        with pytest.raises(IndexError):
            one(body[:-1], 0, 3)
        with pytest.raises(IndexError):
            one(body, 0, 2, 3)


@given(st.dictionaries(strings, st.integers() | st.floats(allow_nan=False), max_size=8), st.data())
def test_members_of_small_sorted_sets(items: dict[bytes, float], data: st.DataObject) -> None:
    entries = [packed_scores.entry(float(score), member) for member, score in items.items()]
    packed = b"".join(entries)
    first = data.draw(st.integers(0, len(items)))
    last = data.draw(st.integers(first, len(items)))
    place = len(b"".join(entries[:first]))
    for one in (packed_bulks.packed_members, TWIN.packed_members):
        assert one(packed, place, last - first) == bulk_strings(list(items)[first:last])


def test_no_member_is_read_beyond_the_end() -> None:
    packed = packed_scores.entry(1.0, b"a") + packed_scores.entry(2.5, b"b" * 100)
    for one in (packed_bulks.packed_members, TWIN.packed_members):
        with pytest.raises(IndexError):
            one(packed, 0, 3)
        with pytest.raises(IndexError):
            one(packed[:-1], 0, 2)
