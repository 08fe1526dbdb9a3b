"""A dict of byte strings that takes little more memory than what it holds, and the directory that leads to hundreds.

Where this is not compiled (compact.pyx) they are a plain dict and a list behind the same methods.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar, final, runtime_checkable

V = TypeVar("V")
S = TypeVar("S")

# Hash space is 0 .. 2**63 (``durastore.keyspace.positions``).
_HASH_BITS: Final = 63

# Byte strings beyond this length stay the objects that they are.
INLINE_MAX: Final = 440


# A dict of Python's takes so much for an entry, beside the key and the value.
_ENTRY: Final = 104
_USE_MASK: Final = 0xFFFFFF
_LFU_INIT: Final = 5


@final
class Meter:
    """What the dicts of one keyspace take together, and how they mark the uses of keys.

    A mark has 24 bits.  It is the ``clock`` of the last use, in seconds (LRU); while ``counting`` is set, the upper 16
    are the clock, in minutes, and the lower 8 a counter that rises with the logarithm of the uses and falls with time
    (LFU), as ``lfu-log-factor`` and ``lfu-decay-time`` (minutes) say.
    """

    __slots__ = ("bytes", "clock", "counting", "decay_time", "log_factor", "marking")

    def __init__(self) -> None:
        self.bytes = 0
        self.clock = 0
        # Whether to look a key up is a use of it.
        self.marking = True
        self.counting = False
        self.log_factor = 10
        self.decay_time = 1

    def first(self) -> int:
        """The mark of a new key."""
        return (self.clock & 0xFFFF) << 8 | _LFU_INIT if self.counting else self.clock & _USE_MASK

    def frequency(self, use: int) -> int:
        """The counter of an LFU mark, less what the time since then takes from it."""
        counter = use & 0xFF
        if self.decay_time == 0:
            return counter
        return max(counter - ((self.clock - (use >> 8)) & 0xFFFF) // self.decay_time, 0)

    def used(self, use: int) -> int:
        """The mark of a key that is used now."""
        if not self.counting:
            return self.clock & _USE_MASK
        counter = self.frequency(use)
        if counter < 255 and random.random() * (max(counter - _LFU_INIT, 0) * self.log_factor + 1) < 1:
            counter += 1
        return (self.clock & 0xFFFF) << 8 | counter


@runtime_checkable
class Weighty(Protocol):
    """A value that says what it takes: ``weigh`` finds out, ``weight`` is what it said last."""

    weight: int

    def weigh(self) -> int:
        """How many bytes it takes now."""


@final
class CompactDict(Generic[V]):
    """Keys and values in no order, made for some hundred of them.

    Of values, byte strings, integers and floats come back as equals, not as the same objects; all others are kept as
    they are.  ``compact[key]`` is None where the key is not there.

    With a meter, what the dict and its values take is counted there: values that are objects say it themselves
    (``weigh`` when they come, ``weight`` when they go).  One that ``marks`` notes for each key when it was used.
    """

    __slots__ = ("_held", "_marks", "_meter", "_uses", "bytes")

    def __init__(self, meter: Meter | None = None, marks: bool = False) -> None:
        self._held: dict[bytes, V] = {}
        self._uses: dict[bytes, int] = {}
        self._meter = meter
        self._marks = marks and meter is not None
        self.bytes = 0
        if meter is not None:
            self._charge(object.__sizeof__(self) + 2 * sys.getsizeof({}))

    def __del__(self) -> None:
        if self._meter is not None:
            self._meter.bytes -= self.bytes

    def _charge(self, size: int) -> None:
        self.bytes += size
        if self._meter is not None:
            self._meter.bytes += size

    def _weight(self, value: V) -> int:
        if isinstance(value, bytes | int | float):
            return sys.getsizeof(value)
        return int(getattr(value, "weight", 0)) if self._meter is not None else 0

    def _size_of(self, key: bytes, value: V) -> int:
        return sys.getsizeof(key) + _ENTRY + self._weight(value)

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: bytes) -> bool:
        return key in self._held

    def __getitem__(self, key: bytes) -> V | None:
        if self._marks and self._meter is not None and self._meter.marking and key in self._held:
            self._uses[key] = self._meter.used(self._uses[key])
        return self._held.get(key)

    def held(self, key: bytes) -> V | None:
        """The value where it is an object of its own that may be large, else None; that is no use of the key."""
        value = self._held.get(key)
        return None if isinstance(value, bytes | int | float) else value

    def __setitem__(self, key: bytes, value: V) -> None:
        meter = self._meter
        before = self._size_of(key, self._held[key]) if key in self._held else 0
        if meter is not None and isinstance(value, Weighty) and not value.weight:
            value.weigh()
        if self._marks and meter is not None:
            if key not in self._held:
                self._uses[key] = meter.first()
            elif meter.marking:
                self._uses[key] = meter.used(self._uses[key])
        self._held[key] = value
        self._charge(self._size_of(key, value) - before)

    def __delitem__(self, key: bytes) -> None:
        value = self._held.pop(key)
        self._uses.pop(key, None)
        self._charge(-self._size_of(key, value))

    def use(self, key: bytes) -> int:
        """The mark of a key's last use; 0 where it is not here, or none is kept."""
        return self._uses.get(key, 0)

    def mark(self, key: bytes, use: int) -> None:
        """Sets the mark of a key."""
        if key in self._held:
            self._uses[key] = use & _USE_MASK

    def reweigh(self, key: bytes, value: V) -> None:
        """Counts anew what an object takes that has changed in place, if it still is the key's."""
        if isinstance(value, Weighty) and self._held.get(key) is value:
            before = value.weight
            self._charge(value.weigh() - before)

    def sample(self, number: int, wanted: int) -> list[tuple[bytes, int]]:
        """Up to so many keys and their marks, which the random number chooses."""
        # Neighbours in a dict of Python's are of one age, and so no sample.
        keys = random.Random(number).sample(list(self._held), min(wanted, len(self._held)))
        return [(key, self._uses.get(key, 0)) for key in keys]

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
        for key, value in other._held.items():
            self._take(key, value, other._uses.get(key))

    def _take(self, key: bytes, value: V, use: int | None) -> None:
        self._held[key] = value
        if use is not None:
            self._uses[key] = use
        self._charge(self._size_of(key, value))

    def split(self, bit: int, low: CompactDict[V], high: CompactDict[V]) -> None:
        """Moves every entry to ``high`` where the hash of its key has the bit, to ``low`` where not; both are empty."""
        for key, value in self._held.items():
            (high if hash(key) & bit else low)._take(key, value, self._uses.get(key))
            self._charge(-self._size_of(key, value))
        self._held = {}
        self._uses = {}

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
        return object.__sizeof__(self) + self.bytes


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
