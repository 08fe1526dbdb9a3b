"""Elements of a listpack as bulk strings, which the replies of LRANGE, HGETALL and SMEMBERS are made of.

Where it is compiled (packed_bulks.pyx) it goes from the one form to the other without an object for each element.
"""

from __future__ import annotations

from durastore.keyspace.listpack import element_at, next_element
from durastore.protocol.bulks import bulk_strings


def packed_bulks(listpack: bytes, pos: int, count: int) -> bytes:
    """So many elements from the one at ``pos`` on, each as a bulk string, one behind the other.

    The listpack, or its body, must be a whole one.  Raises IndexError where there are not so many elements.
    """
    found = []
    for _ in range(count):
        found.append(element_at(listpack, pos))
        pos = next_element(listpack, pos)
    if pos > len(listpack):
        raise IndexError("there are not so many elements")
    return bulk_strings(found)
