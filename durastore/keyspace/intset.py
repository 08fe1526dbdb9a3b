"""Intsets: a sorted row of binary integers, which is also Redis's form of it in RDB.

Layout, little-endian: the width of a number in bytes (4 bytes: 2, 4 or 8), how many there are (4 bytes), the numbers in
rising order.  The width only ever grows.
"""

from __future__ import annotations

from typing import Final

from librt.strings import (
    BytesWriter,
    read_i16_le,
    read_i32_le,
    read_i64_le,
    write_i16_le,
    write_i32_le,
    write_i64_le,
)
from mypy_extensions import i16, i32, i64

from durastore.keyspace.listpack import NOT_INTEGER, integer_of

HEADER: Final = 8
# An intset without numbers.
NOTHING: Final = b"\x02\x00\x00\x00\x00\x00\x00\x00"
_LOWEST: Final = b"-9223372036854775808"
_INTEGER_LENGTH: Final = 20


def number_of(text: bytes) -> i64:
    """The 64-bit integer whose canonical form the text is; ``is_number`` says whether it is one."""
    return integer_of(text, _INTEGER_LENGTH)


def is_number(text: bytes, value: i64) -> bool:
    """Whether ``number_of`` found an integer: the value that stands for none is also the lowest one."""
    return value != NOT_INTEGER or text == _LOWEST


def _width(value: i64) -> i64:
    if -32768 <= value <= 32767:
        return 2
    return 4 if -2147483648 <= value <= 2147483647 else 8


def size(blob: bytes) -> i64:
    """How many numbers there are."""
    return (len(blob) - HEADER) // i64(blob[0])


def at(blob: bytes, index: i64) -> i64:
    """The number at an index."""
    width: i64 = blob[0]
    if width == 2:
        return i64(read_i16_le(blob, HEADER + index * 2))
    if width == 4:
        return i64(read_i32_le(blob, HEADER + index * 4))
    return read_i64_le(blob, HEADER + index * 8)


def find(blob: bytes, value: i64) -> i64:
    """The index of a number; where it is not there, ``-1 - index`` of where it would be."""
    low: i64 = 0
    high: i64 = size(blob)
    while low < high:
        middle: i64 = (low + high) >> 1
        found: i64 = at(blob, middle)
        if found == value:
            return middle
        if found < value:
            low = middle + 1
        else:
            high = middle
    return -1 - low


def _write(out: BytesWriter, width: i64, value: i64) -> None:
    if width == 2:
        write_i16_le(out, i16(value))
    elif width == 4:
        write_i32_le(out, i32(value))
    else:
        write_i64_le(out, value)


def _head(width: i64, count: i64) -> BytesWriter:
    out = BytesWriter()
    write_i32_le(out, i32(width))
    write_i32_le(out, i32(count))
    return out


def insert(blob: bytes, index: i64, value: i64) -> bytes:
    """The intset with a number more, at the index that ``find`` told."""
    width: i64 = blob[0]
    count: i64 = size(blob)
    wanted: i64 = _width(value)
    if wanted <= width:
        pos: i64 = HEADER + index * width
        out = _head(width, count + 1)
        if index:
            out.write(blob[HEADER:pos])
        _write(out, width, value)
        if index < count:
            out.write(blob[pos:])
        return out.getvalue()
    numbers = values(blob)
    numbers.insert(index, value)
    return _build(numbers, wanted)


def remove(blob: bytes, index: i64) -> bytes:
    """The intset without the number at an index."""
    width: i64 = blob[0]
    pos: i64 = HEADER + index * width
    out = _head(width, size(blob) - 1)
    out.write(blob[HEADER:pos])
    out.write(blob[pos + width :])
    return out.getvalue()


def values(blob: bytes) -> list[int]:
    """The numbers."""
    count: i64 = size(blob)
    return [int(at(blob, i)) for i in range(count)]


def _build(numbers: list[int], width: i64) -> bytes:
    out = _head(width, len(numbers))
    for each in numbers:
        _write(out, width, each)
    return out.getvalue()


def build(numbers: list[int]) -> bytes:
    """The intset of these numbers, which are distinct; at least one."""
    ordered = sorted(numbers)
    return _build(ordered, max(_width(ordered[0]), _width(ordered[-1])))
