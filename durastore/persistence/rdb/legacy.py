"""The compact encodings of Redis before 7: intset (still used), ziplist and zipmap (only read).

Sources: the layout comments of intset.c, ziplist.c and zipmap.c in Redis 2.6 to 6.2.
"""

from __future__ import annotations

from typing import NoReturn

from librt.strings import read_i16_le, read_i32_be, read_i32_le, read_i64_le
from mypy_extensions import i64

from durastore.keyspace import intset
from durastore.persistence.rdb.format import RdbError


def check_intset(blob: bytes, offset: i64) -> None:
    """Raises RdbError unless a blob is an intset: as many numbers as announced, rising and distinct."""
    size: i64 = len(blob)
    if size < intset.HEADER:
        raise RdbError(int(offset), "damaged intset: shorter than a header")
    width: i64 = i64(read_i32_le(blob, 0))
    count: i64 = i64(read_i32_le(blob, 4))
    if width != 2 and width != 4 and width != 8:
        raise RdbError(int(offset), f"damaged intset: numbers of {width} bytes")
    if count < 0 or count * width != size - intset.HEADER:
        raise RdbError(int(offset), f"damaged intset: {count} numbers do not make up its size")
    i: i64 = 1
    while i < count:
        if intset.at(blob, i) <= intset.at(blob, i - 1):
            raise RdbError(int(offset), "damaged intset: its numbers do not rise")
        i += 1


def _damaged(offset: i64, kind: str, what: str) -> NoReturn:
    raise RdbError(int(offset), f"damaged {kind}: {what}")


def decode_ziplist(blob: bytes, offset: i64) -> list[bytes]:
    """The elements of a ziplist, integers as their decimal text.

    Raises RdbError unless sizes, previous lengths, tail, count and end agree.
    """
    size: i64 = len(blob)
    if size < 11:
        _damaged(offset, "ziplist", "shorter than a header")
    announced: i64 = i64(read_i32_le(blob, 0))
    if announced & 0xFFFFFFFF != size:
        _damaged(offset, "ziplist", "the size in its header is not its size")
    tail: i64 = i64(read_i32_le(blob, 4))
    count: i64 = i64(read_i16_le(blob, 8))
    count &= 0xFFFF
    last: i64 = size - 1
    if blob[last] != 0xFF:
        _damaged(offset, "ziplist", "no end mark")
    items: list[bytes] = []
    pos: i64 = 10
    start: i64 = 10
    before: i64 = 0
    while pos < last:
        start = pos
        previous: i64 = blob[pos]
        pos += 1
        if previous == 0xFE:
            if pos + 4 > last:
                _damaged(offset, "ziplist", "an element ends beyond it")
            previous = i64(read_i32_le(blob, pos))
            pos += 4
        if previous != before:
            _damaged(offset, "ziplist", "wrong previous length")
        if pos >= last:
            _damaged(offset, "ziplist", "an element ends beyond it")
        first: i64 = blob[pos]
        pos += 1
        if first < 0xC0:
            length: i64 = first & 0x3F
            if first >= 0x80:
                if pos + 4 > last:
                    _damaged(offset, "ziplist", "an element ends beyond it")
                length = i64(read_i32_be(blob, pos))
                pos += 4
            elif first >= 0x40:
                if pos + 1 > last:
                    _damaged(offset, "ziplist", "an element ends beyond it")
                length = length << 8 | blob[pos]
                pos += 1
            if length < 0 or pos + length > last:
                _damaged(offset, "ziplist", "an element ends beyond it")
            items.append(blob[pos : pos + length])
            pos += length
        else:
            width: i64
            if first == 0xC0:
                width = 2
            elif first == 0xD0:
                width = 4
            elif first == 0xE0:
                width = 8
            elif first == 0xF0:
                width = 3
            elif first == 0xFE:
                width = 1
            elif 0xF1 <= first <= 0xFD:
                width = 0
            else:
                _damaged(offset, "ziplist", f"unknown encoding 0x{first:02x}")
            if pos + width > last:
                _damaged(offset, "ziplist", "an element ends beyond it")
            value: i64
            if width == 0:
                value = (first & 0x0F) - 1
            elif width == 8:
                value = read_i64_le(blob, pos)
            elif width == 4:
                value = i64(read_i32_le(blob, pos))
            elif width == 2:
                value = i64(read_i16_le(blob, pos))
            elif width == 3:
                value = blob[pos] | blob[pos + 1] << 8 | blob[pos + 2] << 16
                if value > 0x7FFFFF:
                    value -= 0x1000000
            else:
                value = blob[pos]
                if value > 127:
                    value -= 256
            items.append(str(value).encode())
            pos += width
        before = pos - start
    if tail != start:
        _damaged(offset, "ziplist", "its header does not point to its last element")
    if count != 0xFFFF and count != len(items):
        _damaged(offset, "ziplist", f"{len(items)} elements where its header says {count}")
    return items


def decode_zipmap(blob: bytes, offset: i64) -> list[bytes]:
    """The fields and values of a zipmap, in turn.

    Layout: count (254: not known), then field length, field, value length, number of free bytes, value, free bytes;
    0xFF ends it.  A length of 254 is followed by the length in four bytes.  Raises RdbError.
    """
    size: i64 = len(blob)
    if size < 2 or blob[size - 1] != 0xFF:
        _damaged(offset, "zipmap", "no end mark")
    count: i64 = blob[0]
    last: i64 = size - 1
    items: list[bytes] = []
    pos: i64 = 1
    while pos < last:
        length: i64 = blob[pos]
        pos += 1
        if length == 255:
            _damaged(offset, "zipmap", "an end mark within it")
        if length == 254:
            if pos + 4 > last:
                _damaged(offset, "zipmap", "an element ends beyond it")
            length = i64(read_i32_le(blob, pos))
            pos += 4
        free: i64 = 0
        if len(items) & 1:
            if pos >= last:
                _damaged(offset, "zipmap", "an element ends beyond it")
            free = blob[pos]
            pos += 1
        if length < 0 or pos + length + free > last:
            _damaged(offset, "zipmap", "an element ends beyond it")
        items.append(blob[pos : pos + length])
        pos += length + free
    if len(items) & 1:
        _damaged(offset, "zipmap", "a field without a value")
    if count < 254 and count * 2 != len(items):
        _damaged(offset, "zipmap", f"{len(items) // 2} fields where its header says {count}")
    return items
