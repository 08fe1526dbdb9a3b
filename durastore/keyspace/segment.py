"""One stretch of a database's hash space, and what a walk keeps of it (see ``durastore.keyspace.table``)."""

from __future__ import annotations

from typing import final

from mypy_extensions import i64

from durastore.keyspace.compact import CompactDict, Meter
from durastore.keyspace.positions import HALF
from durastore.keyspace.values import Value


@final
class Segment:
    """The keys of one stretch of hash space.  ``expires`` holds Unix milliseconds for the keys that have an expiry."""

    def __init__(self, start: i64, depth: i64, epoch: i64, meter: Meter) -> None:
        self.items: CompactDict[object] = CompactDict(meter, True)
        self.expires: CompactDict[int] = CompactDict(meter)
        self.start: i64 = start
        self.depth: i64 = depth
        self.epoch: i64 = epoch
        # No key of this segment expires before this time; -1: nothing is known.
        self.next_expiry: i64 = -1

    def width(self) -> i64:
        """How much hash space the segment covers; the whole of it (depth 0) does not fit a native integer."""
        return HALF >> (self.depth - 1)


@final
class Captured:
    """What one segment held when a walk began; with ``holding`` its values are ``held`` until it is let go."""

    def __init__(self, items: CompactDict[object], expires: CompactDict[int], holding: bool) -> None:
        self.items = items
        self.expires = expires
        self.holding = holding


def capture(segment: Segment) -> Captured:
    """Keeps a segment's content as it is; mutable values are marked so that writers clone them."""
    for value in segment.items.objects():
        if isinstance(value, Value):
            value.held += 1
    return Captured(segment.items.freeze(), segment.expires.freeze(), True)
