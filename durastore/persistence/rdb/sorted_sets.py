"""Sorted sets into RDB."""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter, write_f64_le
from mypy_extensions import i64

from durastore.keyspace.listpack import ListpackWriter
from durastore.keyspace.sorted_sets import Entries, SortedSet
from durastore.persistence.rdb.parts import Parts
from durastore.persistence.rdb.primitives import write_count, write_string
from durastore.protocol.numbers import format_double

# Sets with more members than this are written in parts, and how many are in a part.
SORTED_SET_PARTS_FROM: Final = 4096
_PART: Final = 512


@final
class SortedSetParts(Parts):
    """A large sorted set from its greatest member to its smallest: so Redis's skip list takes each in at its head."""

    def __init__(self, out: BytesWriter, value: SortedSet, compress: bool) -> None:
        """Writes what stands before the members."""
        self._compress = compress
        self._entries = Entries(value, 0, value.count, True)
        write_count(out, value.count)

    def step(self, out: BytesWriter) -> bool:
        """See Parts."""
        entries = self._entries
        left: i64 = _PART
        while left > 0:
            if not entries.next():
                return left < _PART
            write_string(out, entries.member, self._compress)
            write_f64_le(out, entries.score)
            left -= 1
        return True


def save_sorted_set(out: BytesWriter, value: SortedSet, compress: bool) -> None:
    """Writes a sorted set in one go, as a listpack or member by member."""
    if not value.is_packed():
        parts = SortedSetParts(out, value, compress)
        while parts.step(out):
            pass
        return
    row = ListpackWriter()
    entries = Entries(value, 0, value.count, False)
    while entries.next():
        row.string(entries.member)
        row.string(format_double(entries.score))
    write_string(out, row.finish(), compress)
