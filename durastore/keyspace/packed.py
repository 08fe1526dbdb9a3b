"""Listpacks as values: searched in place, and changed by making a new one.

Elements are compared in the form that ``ListpackWriter`` gives them, so a listpack from elsewhere must be built anew
before it is searched here.  The number of elements in the header may be unknown (65535); ``length`` then counts them.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, write_i32_le
from mypy_extensions import i32, i64, u8

from durastore.keyspace.listpack import (
    EMPTY,
    HEADER,
    NOT_INTEGER,
    ListpackWriter,
    element_at,
    integer_of,
    next_element,
)

_UNKNOWN: Final = 65535
_INTEGER_LENGTH: Final = 20
# The longest string whose length fits the encoding byte.
_SHORT: Final = 63
_BYTES: Final = [bytes([i]) for i in range(256)]
# A listpack without elements.
NOTHING: Final = b"\x07\x00\x00\x00\x00\x00\xff"


def element(text: bytes) -> bytes:
    """The text in the form that it has as an element."""
    size: i64 = len(text)
    if size <= _SHORT and (size > _INTEGER_LENGTH or integer_of(text, _INTEGER_LENGTH) == NOT_INTEGER):
        return _BYTES[0x80 | size] + text + _BYTES[size + 1]
    row = ListpackWriter()
    row.string(text)
    return row.finish()[HEADER:-1]


def number(value: i64) -> bytes:
    """An integer in the form that it has as an element."""
    if 0 <= value <= 127:
        return _BYTES[value] + _BYTES[1]
    row = ListpackWriter()
    row.integer(value)
    return row.finish()[HEADER:-1]


def pack(texts: list[bytes]) -> bytes:
    """The listpack of these elements."""
    row = ListpackWriter()
    for text in texts:
        row.string(text)
    return row.finish()


def length(blob: bytes) -> i64:
    """The number of elements."""
    count: i64 = blob[4] | blob[5] << 8
    if count == _UNKNOWN:
        count = 0
        pos: i64 = HEADER
        last: i64 = len(blob) - 1
        while pos < last:
            pos = next_element(blob, pos)
            count += 1
    return count


def find(blob: bytes, text: bytes, step: i64) -> i64:
    """The position of an element with this text, among each ``step``-th one; -1 where there is none."""
    size: i64 = len(text)
    if size > _SHORT or size == 0 or (size <= _INTEGER_LENGTH and integer_of(text, _INTEGER_LENGTH) != NOT_INTEGER):
        return _find_element(blob, element(text), step)
    last: i64 = len(blob) - 1
    first: i64 = 0x80 | size
    # The last byte says more than any other about texts of one length.
    mark: i64 = text[size - 1]
    pos: i64 = HEADER
    while pos < last:
        if blob[pos] == first and blob[pos + size] == mark and blob[pos + 1 : pos + 1 + size] == text:
            return pos
        pos = skip(blob, pos, step)
    return -1


def _find_element(blob: bytes, wanted: bytes, step: i64) -> i64:
    """As ``find``, for any text in the form that it has as an element."""
    last: i64 = len(blob) - 1
    size: i64 = len(wanted)
    first: i64 = wanted[0]
    tail: i64 = size - 2
    mark: i64 = wanted[tail]
    pos: i64 = HEADER
    while pos < last:
        if blob[pos] == first and pos + size <= last and blob[pos + tail] == mark and blob[pos : pos + size] == wanted:
            return pos
        pos = skip(blob, pos, step)
    return -1


def skip(blob: bytes, pos: i64, count: i64) -> i64:
    """The position ``count`` elements on."""
    while count > 0:
        pos = next_element(blob, pos)
        count -= 1
    return pos


def elements(blob: bytes, first: i64, step: i64) -> list[bytes]:
    """The elements from the ``first`` on (counted from 0), each ``step``-th one."""
    found: list[bytes] = []
    last: i64 = len(blob) - 1
    pos: i64 = HEADER
    while first > 0 and pos < last:
        pos = next_element(blob, pos)
        first -= 1
    while pos < last:
        found.append(element_at(blob, pos))
        count: i64 = step
        while count > 0 and pos < last:
            pos = next_element(blob, pos)
            count -= 1
    return found


def splice(blob: bytes, start: i64, end: i64, replacement: bytes, added: i64) -> bytes:
    """The listpack with ``blob[start:end]`` replaced; ``added`` is how many elements more it has then."""
    count: i64 = blob[4] | blob[5] << 8
    if count != _UNKNOWN:
        count += added
        if count > _UNKNOWN:
            count = _UNKNOWN
    size: i64 = len(blob) - end + start + len(replacement)
    out = BytesWriter()
    write_i32_le(out, i32(size))
    out.append(u8(count & 255))
    out.append(u8(count >> 8))
    if start > HEADER:
        out.write(blob[HEADER:start])
    out.write(replacement)
    out.write(blob[end:])
    return out.getvalue()


def append(blob: bytes, new: bytes, added: i64) -> bytes:
    """The listpack with so many elements more at its end."""
    end: i64 = len(blob) - 1
    return splice(blob, end, end, new, added)


def fits(blob: bytes, more: i64) -> bool:
    """Whether so many bytes more keep it below the gigabyte that Redis lets a listpack have."""
    return len(blob) + more < 1 << 30


assert len(NOTHING) == EMPTY
