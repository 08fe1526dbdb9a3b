"""Many bulk strings at once: the same bytes in both builds, and as one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durastore.protocol import bulks
from durastore.protocol.reply import Reply
from support.twins import interpreted

BUILDS = [bulks.bulk_strings, interpreted(bulks).bulk_strings]


@given(st.lists(st.binary(max_size=30)))
def test_are_as_one_by_one(items: list[bytes]) -> None:
    reply = Reply()
    for item in items:
        reply.bulk(item)
    expected = reply.take()
    for one in BUILDS:
        assert one(items) == expected


@pytest.mark.parametrize("size", [0, 9, 10, 99, 100, 999, 1000, 1023, 1024, 99_999, 100_000])
def test_sizes(size: int) -> None:
    item = b"x" * size
    for one in BUILDS:
        assert one([item, b""]) == b"$%d\r\n%b\r\n$0\r\n\r\n" % (size, item)


def test_more_than_are_joined_at_a_time() -> None:
    items = [b"%d" % i for i in range(2500)]
    reply = Reply()
    reply.bulks(items)
    assert reply.take() == b"*2500\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(item), item) for item in items)
