"""Large values that nobody needs any more, given back a little at a time.

An object is freed with all that hangs on it, at once: a set of a million members would stop the server for as long as
that takes.  So a large value that leaves the keyspace, by whatever command, and a flushed table come here; they are
taken apart, and their parts are dropped one by one, each with some hundred elements, in slices with a deadline.

There are three ways in, and no other for a value to leave: ``Table`` hands over what it gives up, key by key or as a
whole, and whoever walks over a table what a pre-image held.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.chunked import Chunk
from durastore.keyspace.order import Branch
from durastore.keyspace.segment import Captured, Segment
from durastore.keyspace.values import Value

# A value of fewer elements and bytes is freed at once.
LARGE: Final = 2048
HEAVY: Final = 1 << 20
# The clock is read once for so many parts.
PARTS_PER_LOOK: Final = 8


@final
class Whole:
    """What is left of a value or a table that is being freed."""

    def __init__(self, parts: list[object], weight: i64, counted: bool) -> None:
        self.parts = parts
        # The bytes that count as taken until all of it is freed.
        self.weight: i64 = weight
        # Whether INFO tells of it: not where it may be in use still.
        self.counted = counted


@final
class Freeing:
    """What is to be freed."""

    def __init__(self) -> None:
        self._wholes: list[Whole] = []
        # The bytes of the values that are waiting.  Tables count their own.
        self.bytes: i64 = 0
        # Values and tables that are waiting, and that were freed.
        self.pending: i64 = 0
        self.freed: i64 = 0

    def waiting(self) -> bool:
        """Whether there is anything to free."""
        return len(self._wholes) > 0

    def take(self, value: object) -> None:
        """Keeps a value that has just left the keyspace, if it is large."""
        if isinstance(value, Value) and _is_large(value):
            if value.changed:
                value.weigh()
            self._add(value.parts(), value.weight)

    def take_table(self, segments: list[Segment]) -> None:
        """Keeps the segments of a table whose keys were dropped."""
        self._add(list(segments), 0)

    def _add(self, parts: list[object], weight: i64) -> None:
        if parts:
            self.pending += 1
            self.bytes += weight
            self._wholes.append(Whole(parts, weight, True))

    def release(self, captured: Captured) -> None:
        """To be called once when a walk no longer needs what it captured: for some values that was the last use."""
        for value in captured.items.objects():
            if isinstance(value, Value):
                if captured.holding:
                    value.held -= 1
                if _is_large(value):
                    parts = value.parts()
                    if parts:
                        self._wholes.append(Whole(parts, 0, False))

    def release_all(self, captured: list[Captured]) -> None:
        """``release`` for what was captured in vain, however much it is."""
        if captured:
            self._wholes.append(Whole(list(captured), 0, False))

    def step(self, deadline: float, clock: Callable[[], float]) -> None:
        """Frees parts until the deadline has passed or none is left."""
        while self._wholes:
            self.free_some()
            if clock() >= deadline:
                break

    def free_some(self) -> None:
        """Frees some parts: ``PARTS_PER_LOOK``."""
        left: i64 = PARTS_PER_LOOK
        while left > 0 and self._wholes:
            left -= 1
            whole = self._wholes[-1]
            if whole.parts:
                self._drop(whole.parts)
            else:
                self._wholes.pop()
                self.bytes -= whole.weight
                if whole.counted:
                    self.pending -= 1
                    self.freed += 1

    def _drop(self, parts: list[object]) -> None:
        """Frees the last part, but for its own parts."""
        part = parts.pop()
        if isinstance(part, Branch):
            parts.extend(part.children)
        elif isinstance(part, Chunk):
            if sys.getsizeof(part.items) >= HEAVY:
                # Long strings, each of which may be as much as a chunk of short ones.
                parts.extend(part.items.objects())
        elif isinstance(part, Segment):
            for value in part.items.objects():
                self.take(value)
        elif isinstance(part, Captured):
            self.release(part)


def _is_large(value: Value) -> bool:
    return value.size() >= LARGE or value.weight >= HEAVY
