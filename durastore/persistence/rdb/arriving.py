"""Large values on their way out of RDB: loading must not keep the event loop for the whole of one.

What is read of a container so far is in its final form already.  A part is so many elements, or nodes of about so many
of them; the clock, and how many parts make a slice, are the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from durastore.keyspace.chunked import Chunked
from durastore.keyspace.hashes import Hash
from durastore.keyspace.list_nodes import Node, count_limit, size_limit
from durastore.keyspace.lists import List, list_of_nodes
from durastore.keyspace.quicklist import Quicklist
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import DuplicateMember, Filling, SortedSet
from durastore.persistence.rdb.cursor import Cursor
from durastore.persistence.rdb.elements import read_fields, read_nodes, read_scores, read_strings

# Elements, and nodes of lists, that are read at a time.
PART: Final = 512
NODES: Final = 8
# A container of fewer elements is read in one go.
LARGE: Final = 2 * PART


@final
@mypyc_attr(acyclic=True)
class Arriving:
    """A value of which there is more to read."""

    def __init__(self, parts: Iterator[object | None]) -> None:
        """``parts`` gives None behind each part but the last, and then the value, if it is one."""
        self._parts = parts
        # What it became: None where it has no elements.
        self.value: object | None = None

    def step(self) -> bool:
        """Reads the next part; False where that was the last one.  Raises RdbError."""
        for value in self._parts:
            self.value = value
            return value is None
        return False

    def complete(self) -> object | None:
        """Reads all that is left."""
        while self.step():
            pass
        return self.value


def begun(parts: Iterator[object | None]) -> object | None:
    """What the first part makes: the value, or one that is ``Arriving``."""
    arriving = Arriving(parts)
    return arriving if arriving.step() else arriving.value


def arriving_set(cursor: Cursor, left: i64) -> Iterator[Set | None]:
    """A set of so many members."""
    table = Chunked()
    while left > 0:
        for member in read_strings(cursor, min(left, PART)):
            if not table.add(member):
                cursor.fail("duplicate members in a set")
        left -= PART
        if left > 0:
            yield None
    made = Set()
    made.table = table
    yield made


def arriving_hash(cursor: Cursor, form: i64, lowest: int, left: i64) -> Iterator[Hash | None]:
    """A hash of so many fields; see ``read_fields``."""
    table = Chunked()
    while left > 0:
        expires: dict[bytes, int] = {}
        for field, value in read_fields(cursor, form, lowest, min(left, PART), expires).items():
            if not table.put(field, value):
                cursor.fail("duplicate fields in a hash")
        for field, when in expires.items():
            table.set_expiry(field, when)
        left -= PART
        if left > 0:
            yield None
    made = Hash()
    made.table = table
    yield made


def arriving_zset(cursor: Cursor, kind: i64, left: i64) -> Iterator[SortedSet | None]:
    """A sorted set of so many members."""
    filling = Filling()
    while left > 0:
        members: list[bytes] = []
        scores = read_scores(cursor, kind, min(left, PART), members)
        try:
            filling.extend(members, scores)
        except DuplicateMember:
            cursor.fail("duplicate members in a sorted set")
        left -= PART
        if left > 0:
            yield None
    made = SortedSet()
    filling.hand_over(made)
    yield made


def arriving_quicklist(cursor: Cursor, kind: i64, left: i64) -> Iterator[List | None]:
    """A list of so many nodes."""
    nodes: list[Node] = []
    while left > 0:
        nodes.extend(read_nodes(cursor, kind, min(left, NODES)))
        left -= NODES
        if left > 0:
            yield None
    yield list_of_nodes(nodes, cursor.limits.list_size) if nodes else None


def arriving_list(cursor: Cursor, left: i64) -> Iterator[List | None]:
    """A list of so many elements, as before quicklists."""
    fill: i64 = cursor.limits.list_size
    nodes = Quicklist([])
    while left > 0:
        for item in read_strings(cursor, min(left, PART)):
            nodes.push_tail(item, size_limit(fill), count_limit(fill))
        left -= PART
        if left > 0:
            yield None
    yield list_of_nodes(nodes.settle(), fill)
