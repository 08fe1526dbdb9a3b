"""The set value type: an intset while all members are integers, a listpack while it is small, a ``Chunked`` beyond.

It only ever turns from a smaller form into a larger one, at the limits at which Redis 7.2 does.
"""

from __future__ import annotations

import random
import sys
from typing import Final, final

from librt.random import randrange
from mypy_extensions import i64, mypyc_attr

from durastore.keyspace import intset
from durastore.keyspace.chunked import Chunked
from durastore.keyspace.limits import Limits
from durastore.keyspace.listpack import HEADER, element_at, next_element
from durastore.keyspace.packed import NOTHING, append, element, elements, find, fits, length, pack, skip, splice
from durastore.keyspace.values import Value

# The size of the object itself.
_OBJECT: Final = 72


@final
@mypyc_attr(acyclic=True)
class Set(Value):
    """A set.  Either ``table`` is None, or ``packed`` is of no meaning."""

    def __init__(self) -> None:
        super().__init__()
        self.packed = NOTHING
        # Whether the packed form is an intset; otherwise it is a listpack.
        self.integers = False
        self.table: Chunked | None = None

    def type_name(self) -> bytes:
        return b"set"

    def copy(self) -> Value:
        twin = Set()
        twin.packed = self.packed
        twin.integers = self.integers
        if self.table is not None:
            twin.table = self.table.copy()
        return twin

    def elements(self) -> Chunked | None:
        return self.table

    def size(self) -> int:
        table = self.table
        if table is not None:
            return table.count
        return intset.size(self.packed) if self.integers else length(self.packed)

    def contains(self, member: bytes) -> bool:
        """Whether it is a member."""
        table = self.table
        if table is not None:
            return table.contains(member)
        if self.integers:
            value = intset.number_of(member)
            return intset.is_number(member, value) and intset.find(self.packed, value) >= 0
        return find(self.packed, member, 1) != -1

    def add(self, member: bytes, limits: Limits) -> bool:
        """Adds a member; says whether it is new."""
        table = self.table
        if table is not None:
            return table.add(member)
        if self.integers:
            return self._add_to_intset(member, limits)
        packed = self.packed
        if find(packed, member, 1) != -1:
            return False
        if length(packed) < limits.set_entries and len(member) <= limits.set_value and fits(packed, len(member)):
            self.packed = append(packed, element(member), 1)
            return True
        return self.spread().add(member)

    def _add_to_intset(self, member: bytes, limits: Limits) -> bool:
        packed = self.packed
        value = intset.number_of(member)
        count: i64 = intset.size(packed)
        if intset.is_number(member, value):
            index: i64 = intset.find(packed, value)
            if index >= 0:
                return False
            self.packed = intset.insert(packed, -1 - index, value)
            if count >= limits.set_intset or count >= 1 << 30:
                self.spread()
            return True
        digits: i64 = 0
        if count:
            digits = max(len(str(intset.at(packed, 0))), len(str(intset.at(packed, count - 1))))
        if count < limits.set_entries and len(member) <= limits.set_value and digits <= limits.set_value:
            self.packed = append(pack(self.members()), element(member), 1)
            self.integers = False
            return True
        return self.spread().add(member)

    def remove(self, member: bytes) -> bool:
        """Takes a member out; says whether it was one."""
        table = self.table
        if table is not None:
            return table.remove(member)
        packed = self.packed
        if self.integers:
            value = intset.number_of(member)
            if not intset.is_number(member, value):
                return False
            index: i64 = intset.find(packed, value)
            if index < 0:
                return False
            self.packed = intset.remove(packed, index)
            return True
        pos: i64 = find(packed, member, 1)
        if pos == -1:
            return False
        self.packed = splice(packed, pos, next_element(packed, pos), b"", -1)
        return True

    def spread(self) -> Chunked:
        """Turns a small set into a large one, which it stays."""
        table = Chunked()
        for member in self.members():
            table.put(member, None)
        self.table = table
        self.packed = NOTHING
        self.integers = False
        return table

    def gather(self, limits: Limits) -> None:
        """Turns a set that has only integers into an intset, if it is small enough to be one."""
        if self.integers or self.size() > limits.set_intset:
            return
        self.packed = intset.build([int(member) for member in self.members()])
        self.integers = True
        self.table = None

    def memory(self, samples: i64) -> i64:
        """The bytes that it takes, estimated from so many elements of a large one (0: from all)."""
        table = self.table
        return _OBJECT + (sys.getsizeof(self.packed) if table is None else table.memory(samples))

    def listpack(self) -> bytes | None:
        """The members, where one listpack holds them."""
        return None if self.integers or self.table is not None else self.packed

    def members(self) -> list[bytes]:
        """All members: rising in an intset, in the order of their coming in a listpack."""
        table = self.table
        if table is not None:
            found: list[bytes] = []
            for chunk in table.chunks():
                found.extend(chunk.items)
            return found
        if self.integers:
            return [str(value).encode() for value in intset.values(self.packed)]
        return elements(self.packed, 0, 1)

    def scan(self, cursor: i64, count: i64, found: list[bytes]) -> i64:
        """Appends some members; returns the next cursor.  A small set is one step."""
        table = self.table
        if table is not None:
            return table.scan(cursor, count, found)
        found.extend(self.members())
        return 0

    def random_member(self) -> bytes:
        """A random member."""
        table = self.table
        if table is not None:
            return table.random_key()
        packed = self.packed
        if self.integers:
            return str(intset.at(packed, randrange(intset.size(packed)))).encode()
        return element_at(packed, skip(packed, HEADER, randrange(length(packed))))

    def pop_random(self) -> bytes:
        """Takes a random member out."""
        table = self.table
        if table is not None:
            return table.pop_random()
        member = self.random_member()
        self.remove(member)
        return member

    def random_members(self, count: i64) -> list[bytes]:
        """So many random members, the same one maybe more than once."""
        table = self.table
        if table is not None:
            return table.random_keys(count)
        members = self.members()
        size: i64 = len(members)
        return [members[randrange(size)] for _ in range(count)]

    def sample(self, count: i64) -> list[bytes]:
        """So many different random members, at most as many as there are."""
        table = self.table
        return table.sample(count) if table is not None else random.sample(self.members(), count)


def new_set(first: bytes, expected: i64, limits: Limits) -> Set:
    """An empty set in the form that suits its first member and how many are to come."""
    made = Set()
    if expected <= limits.set_intset and intset.is_number(first, intset.number_of(first)):
        made.packed = intset.NOTHING
        made.integers = True
    elif expected > limits.set_entries:
        made.table = Chunked()
    return made


def empty_intset() -> Set:
    """An empty set that is an intset as long as it can be."""
    made = Set()
    made.packed = intset.NOTHING
    made.integers = True
    return made


def build_set(members: list[bytes], limits: Limits) -> Set:
    """A set of these members in the form that Redis gives it when it loads them one by one."""
    if len(members) > limits.set_intset:
        made = Set()
        made.table = Chunked()
    else:
        made = empty_intset()
    for member in members:
        made.add(member, limits)
    return made
