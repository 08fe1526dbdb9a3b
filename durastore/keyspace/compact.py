"""A dict of byte strings that takes little more memory than what it holds, and the directory that leads to hundreds.

Where this is not compiled (compact.pyx) they are a plain dict and a list behind the same methods.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final, Generic, TypeVar, final

V = TypeVar("V")
S = TypeVar("S")

# Hash space is 0 .. 2**63 (``durastore.keyspace.positions``).
_HASH_BITS: Final = 63

# Byte strings beyond this length stay the objects that they are.
INLINE_MAX: Final = 440


@final
class CompactDict(Generic[V]):
    """Keys and values in no order, made for some hundred of them.

    Of values, byte strings, integers and floats come back as equals, not as the same objects; all others are kept as
    they are.  ``compact[key]`` is None where the key is not there.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[bytes, V] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: bytes) -> bool:
        return key in self._held

    def __getitem__(self, key: bytes) -> V | None:
        return self._held.get(key)

    def __setitem__(self, key: bytes, value: V) -> None:
        self._held[key] = value

    def __delitem__(self, key: bytes) -> None:
        del self._held[key]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.keys())

    def keys(self) -> list[bytes]:
        """The keys, as a list of its own."""
        return list(self._held)

    def values(self) -> list[V]:
        """The values in the order of the keys, as a list of its own."""
        return list(self._held.values())

    def items(self) -> list[tuple[bytes, V]]:
        """The pairs of keys and values, as a list of its own."""
        return list(self._held.items())

    def copy(self) -> CompactDict[V]:
        """A copy; objects among the values are the same."""
        twin: CompactDict[V] = CompactDict()
        twin.merge(self)
        return twin

    def freeze(self) -> CompactDict[V]:
        """What is here now, not to be changed, whatever happens to this dict; made in next to no time."""
        return self.copy()

    def objects(self) -> list[V]:
        """The values that are kept as the objects that they are (others may be among them)."""
        return list(self._held.values())

    def merge(self, other: CompactDict[V]) -> None:
        """Takes copies of another's entries, none of whose keys are here."""
        self._held.update(other._held)

    def split(self, bit: int, low: CompactDict[V], high: CompactDict[V]) -> None:
        """Moves every entry to ``high`` where the hash of its key has the bit, to ``low`` where not; both are empty."""
        for key, value in self._held.items():
            (high if hash(key) & bit else low)[key] = value
        self._held = {}

    def stretch(self, shift: int, first: int, position: int, found: list[bytes]) -> None:
        """Appends the keys whose place in hash space (``durastore.keyspace.positions``), shifted down, is ``first``.

        Only those from a position on.
        """
        for key in self._held:
            place = hash(key) & sys.maxsize
            if place >> shift == first and place >= position:
                found.append(key)

    def draw(self, number: int) -> bytes | None:
        """The key that a random number stands for, each equally often; None: the number stands for none, draw again."""
        return self.keys()[number % len(self._held)] if self._held else None

    def __sizeof__(self) -> int:
        size = object.__sizeof__(self) + sys.getsizeof(self._held)
        for key, value in self._held.items():
            size += sys.getsizeof(key) + (sys.getsizeof(value) if isinstance(value, bytes | int | float) else 0)
        return size


@final
class Directory(Generic[S]):
    """Which segment of an extendible hash stands where in hash space: 2**depth slots, each with a segment.

    ``directory[key]`` is the segment of a key.  A segment never changes the dict that it was placed with for another.
    """

    __slots__ = ("_segments", "depth")

    def __init__(self, segment: S, items: CompactDict[object]) -> None:
        self._segments = [segment]
        self.depth = 0

    def __getitem__(self, key: bytes) -> S:
        return self.at(hash(key))

    def __len__(self) -> int:
        return len(self._segments)

    def __iter__(self) -> Iterator[S]:
        return iter(self.distinct())

    def at(self, position: int) -> S:
        """The segment at a position of hash space."""
        return self._segments[(position & sys.maxsize) >> (_HASH_BITS - self.depth)]

    def place(self, start: int, depth: int, segment: S, items: CompactDict[object]) -> None:
        """Has a stretch of hash space, which begins at ``start`` and is 2**-depth of it, point at a segment."""
        first = start >> (_HASH_BITS - self.depth)
        count = 1 << (self.depth - depth)
        self._segments[first : first + count] = [segment] * count

    def double(self) -> None:
        """Goes one level deeper."""
        self._segments = [each for each in self._segments for _ in range(2)]
        self.depth += 1

    def halve(self) -> None:
        """Takes a level back; no segment is as deep as it."""
        self._segments = self._segments[::2]
        self.depth -= 1

    def copy(self) -> Directory[S]:
        """A directory of the same segments."""
        twin: Directory[S] = Directory.__new__(Directory)
        twin._segments = self._segments.copy()
        twin.depth = self.depth
        return twin

    def distinct(self) -> list[S]:
        """Every segment once, in the order of hash space."""
        return [each for i, each in enumerate(self._segments) if i == 0 or self._segments[i - 1] is not each]

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + sys.getsizeof(self._segments)


def prefetch(directories: list[Directory[S]], keys: list[bytes]) -> None:
    """Has memory fetch, side by side, what lookups of ``keys[i]`` by ``directories[i]`` are about to need one by one.

    It changes nothing but the time that they take; the first 64 count.
    """
