"""Hash space: where a key stands, and iteration by position.

Hash space is 0 .. 2**63; a *position* is a point in it.  A segment (of a database, of a large container) covers
``2**63 >> depth`` of it.  Positions stay valid while segments split and merge, which makes them usable as SCAN cursors.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.keyspace.compact import CompactDict

HASH_BITS: Final = 63
HASH_MASK: Final = 0x7FFFFFFFFFFFFFFF
# Half of hash space.  Powers of two are made by shifting this down: mypyc compiles a shifted 1 as a C int.
HALF: Final = 0x4000000000000000
# 48 bits of position are ample for a cursor, and small enough for clients that keep cursors in doubles.
CURSOR_SHIFT: Final = 15
CURSOR_MAX: Final = HASH_MASK >> CURSOR_SHIFT


def scan_segment(items: CompactDict[object], depth: i64, position: i64, wanted: i64, found: list[bytes]) -> i64:
    """Appends the keys of the stretch of a segment that begins at the position, about ``wanted``.

    ``depth`` is the segment's.  Returns the position behind the stretch, -1 at the end of hash space.
    """
    size: i64 = len(items)
    width_bits: i64 = HASH_BITS - depth
    whole: i64 = width_bits
    # A part of the segment that holds about as many keys as are still wanted.
    while size > wanted and width_bits > CURSOR_SHIFT:
        size >>= 1
        width_bits -= 1
    if width_bits == HASH_BITS:
        found.extend(items.keys())
        return -1
    first: i64 = position >> width_bits
    if width_bits == whole and first << width_bits == position:
        found.extend(items.keys())
    else:
        items.stretch(width_bits, first, position, found)
    if first >= HASH_MASK >> width_bits:
        return -1
    return (first + 1) << width_bits
