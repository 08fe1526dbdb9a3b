"""A dict of byte strings that takes little more memory than what it holds, made for some hundred keys.

Where it is not compiled (compact.pyx) it is a plain dict behind the same methods.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final, Generic, TypeVar, final

V = TypeVar("V")

# Byte strings beyond this length stay the objects that they are.
INLINE_MAX: Final = 440


@final
class CompactDict(Generic[V]):
    """Keys and values in no order.

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


def prefetch(tables: list[CompactDict[object]], keys: list[bytes]) -> None:
    """Has memory fetch, side by side, what the lookups of ``keys[i]`` in ``tables[i]`` are about to need one by one.

    It changes nothing but the time that they take; the first 64 count.
    """
