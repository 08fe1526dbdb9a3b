"""What small values hold as bulk strings, which the replies of LRANGE, HGETALL, SMEMBERS and ZRANGE are made of.

Where it is compiled (packed_bulks.pyx) it goes from the one form to the other without an object for each element.
"""

from __future__ import annotations

from durastore.keyspace import packed_scores
from durastore.keyspace.listpack import element_at, next_element
from durastore.protocol.bulks import bulk_strings


def packed_bulks(listpack: bytes, pos: int, count: int, step: int = 1) -> bytes:
    """So many elements of a listpack from the one at ``pos`` on, each ``step``-th, as bulk strings behind each other.

    The listpack, or its body, must be a whole one.  Raises IndexError where there are not so many elements.
    """
    found = []
    for number in range(count):
        found.append(element_at(listpack, pos))
        for _ in range(step if number + 1 < count else 1):
            pos = next_element(listpack, pos)
    if pos > len(listpack):
        raise IndexError("there are not so many elements")
    return bulk_strings(found)


def packed_members(packed: bytes, place: int, count: int) -> bytes:
    """The members of so many entries of a small sorted set, from a place on, as bulk strings behind each other.

    Raises IndexError where there are not so many entries.
    """
    found = []
    for _ in range(count):
        found.append(packed_scores.member_at(packed, place))
        place = packed_scores.entry_end(packed, place)
    if place > len(packed):
        raise IndexError("there are not so many entries")
    return bulk_strings(found)
