"""Large containers that nobody needs any more, given back a little at a time.

An object is freed with all that hangs on it, at once: a set of a million members would stop the server for as long as
that takes.  So a large container that leaves the keyspace, by whatever command, and a flushed table come here; they are
taken apart, and their parts are dropped one by one, each with some hundred elements, in slices with a deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.order import Branch
from durastore.keyspace.table import Segment, Table
from durastore.keyspace.values import Value

# Containers with fewer elements are freed at once.
LARGE: Final = 2048
# The clock is read once for so many parts.
_PARTS_PER_LOOK: Final = 8


@final
class Freeing:
    """What is to be freed."""

    def __init__(self) -> None:
        self._parts: list[object] = []
        # Containers and tables that are waiting, and that were freed.
        self.pending: i64 = 0
        self.freed: i64 = 0

    def take(self, value: object) -> None:
        """Keeps a value that is about to be dropped, if it is large."""
        if isinstance(value, Value) and value.size() >= LARGE:
            parts = value.parts()
            if parts:
                self.pending += 1
                self._parts.append(None)
                self._parts.extend(parts)

    def take_table(self, table: Table) -> None:
        """Keeps a table whose keys are about to be dropped."""
        if table.count:
            self.pending += 1
            self._parts.append(None)
            self._parts.extend(table.directory.distinct())

    def step(self, deadline: float, clock: Callable[[], float]) -> None:
        """Frees parts until the deadline has passed or none is left."""
        while self.pending:
            for _ in range(_PARTS_PER_LOOK):
                if not self._parts:
                    break
                self._drop(self._parts.pop())
            if clock() >= deadline:
                break

    def _drop(self, part: object) -> None:
        """Frees a part, but for its own parts; None stands below those of a whole."""
        if part is None:
            self.pending -= 1
            self.freed += 1
        elif isinstance(part, Branch):
            self._parts.extend(part.children)
        elif isinstance(part, Segment):
            for value in part.items.objects():
                self.take(value)
