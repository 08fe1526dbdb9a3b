"""Listpacks: the compact row of strings and integers in Redis 7's encodings.

Layout: total size (4 bytes, little-endian), number of elements (2 bytes; 65535: not known), elements, 0xFF.  An element
is an encoding byte with its data, and behind it the size of both, seven bits a byte, to be read backwards.
Source: the listpack specification of Salvatore Sanfilippo.
"""

from __future__ import annotations

from typing import Final, NoReturn, final

from librt.strings import (
    BytesWriter,
    read_i16_le,
    read_i32_le,
    read_i64_le,
    write_i32_le,
    write_i64_le,
)
from mypy_extensions import i32, i64, u8

HEADER: Final = 6
# The size of a listpack without elements.
EMPTY: Final = HEADER + 1
_COUNT_UNKNOWN: Final = 65535
_END: Final = 255
# The one 64-bit integer that is therefore never stored as one; its text is stored instead, which reads back the same.
NOT_INTEGER: Final = -0x8000000000000000


def integer_of(text: bytes, longest: i64) -> i64:
    """The integer whose canonical decimal form the text is; NOT_INTEGER where there is none (or the text is longer)."""
    size: i64 = len(text)
    if size == 0 or size > longest:
        return NOT_INTEGER
    c: i64 = text[0]
    if c > 57 or c < 45:
        return NOT_INTEGER
    pos: i64 = 0
    if c == 45:
        if size == 1:
            return NOT_INTEGER
        pos = 1
        c = text[1]
    if c == 48:
        return 0 if size == 1 else NOT_INTEGER
    if size - pos > 18:
        return _long_integer(text)
    value: i64 = 0
    start: i64 = pos
    while pos < size:
        c = text[pos]
        if c < 48 or c > 57:
            return NOT_INTEGER
        value = value * 10 + c - 48
        pos += 1
    return -value if start == 1 else value


def _long_integer(text: bytes) -> i64:
    digits = text[1:] if text[0] == 45 else text
    if len(digits) != 19 or not digits.isdigit():
        return NOT_INTEGER
    value = int(text)
    if -0x7FFFFFFFFFFFFFFF <= value <= 0x7FFFFFFFFFFFFFFF:
        return value
    return NOT_INTEGER


class DamagedListpack(ValueError):
    """Bytes that are no listpack.  ``offset`` is the position that ``decode`` was told, ``reason`` what is wrong."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"{reason} (at offset {offset})")
        self.offset = offset
        self.reason = reason


@final
class ListpackWriter:
    """Builds one listpack."""

    def __init__(self) -> None:
        self._out = BytesWriter()
        # The header, which ``finish`` fills in.
        self._out.write(b"\0\0\0\0\0\0")
        self._count: i64 = 0

    def size(self) -> i64:
        """The size in bytes that the listpack has so far."""
        return len(self._out) + 1

    def string(self, text: bytes) -> None:
        """Adds an element; an integer's canonical text is stored as the integer."""
        size: i64 = len(text)
        if 0 < size <= 20 and text[0] <= 57:
            value = integer_of(text, 20)
            if value != NOT_INTEGER:
                self.integer(value)
                return
        out = self._out
        self._count += 1
        if size < 64:
            out.append(u8(0x80 | size))
            out.write(text)
            out.append(u8(size + 1))
            return
        if size < 4096:
            out.append(u8(0xE0 | size >> 8))
            out.append(u8(size & 255))
            out.write(text)
            self._back_length(size + 2)
            return
        out.append(0xF0)
        write_i32_le(out, i32(size))
        out.write(text)
        self._back_length(size + 5)

    def integer(self, value: i64) -> None:
        """Adds an integer."""
        out = self._out
        self._count += 1
        if 0 <= value <= 127:
            out.append(u8(value))
            out.append(1)
        elif -4096 <= value <= 4095:
            out.append(u8(0xC0 | (value >> 8) & 0x1F))
            out.append(u8(value & 255))
            out.append(2)
        elif -32768 <= value <= 32767:
            out.append(0xF1)
            out.append(u8(value & 255))
            out.append(u8((value >> 8) & 255))
            out.append(3)
        elif -8388608 <= value <= 8388607:
            out.append(0xF2)
            out.append(u8(value & 255))
            out.append(u8((value >> 8) & 255))
            out.append(u8((value >> 16) & 255))
            out.append(4)
        elif -2147483648 <= value <= 2147483647:
            out.append(0xF3)
            write_i32_le(out, i32(value))
            out.append(5)
        else:
            out.append(0xF4)
            write_i64_le(out, value)
            out.append(9)

    def join(self, other: ListpackWriter) -> None:
        """Adds all elements of another listpack."""
        self._out.write(other._out.getvalue()[HEADER:])
        self._count += other._count

    def mark(self, pos: i64, bits: i64) -> None:
        """Sets bits of the byte at ``pos``."""
        self._out[pos] = u8(i64(self._out[pos]) | bits)

    def raw(self, elements: bytes, count: i64) -> None:
        """Adds so many elements in the form that they have in a listpack."""
        self._out.write(elements)
        self._count += count

    def _back_length(self, size: i64) -> None:
        out = self._out
        if size <= 127:
            out.append(u8(size))
        elif size < 16384:
            out.append(u8(size >> 7))
            out.append(u8(size & 127 | 128))
        elif size < 2097152:
            out.append(u8(size >> 14))
            out.append(u8((size >> 7) & 127 | 128))
            out.append(u8(size & 127 | 128))
        elif size < 268435456:
            out.append(u8(size >> 21))
            out.append(u8((size >> 14) & 127 | 128))
            out.append(u8((size >> 7) & 127 | 128))
            out.append(u8(size & 127 | 128))
        else:
            out.append(u8(size >> 28))
            out.append(u8((size >> 21) & 127 | 128))
            out.append(u8((size >> 14) & 127 | 128))
            out.append(u8((size >> 7) & 127 | 128))
            out.append(u8(size & 127 | 128))

    def body(self) -> bytes:
        """The elements, without header and end mark."""
        return self._out.getvalue()[HEADER:]

    def finish(self) -> bytes:
        """The listpack; more may be added afterwards."""
        out = self._out
        size: i64 = len(out)
        total: i64 = size + 1
        count: i64 = self._count if self._count < _COUNT_UNKNOWN else _COUNT_UNKNOWN
        for i in range(4):
            out[i] = u8(total & 255)
            total >>= 8
        out[4] = u8(count & 255)
        out[5] = u8(count >> 8)
        out.append(_END)
        whole = out.getvalue()
        out.truncate(size)
        return whole


def listpack_of(body: bytes, count: i64) -> bytes:
    """The listpack that has this body of so many elements."""
    row = ListpackWriter()
    row.raw(body, count)
    return row.finish()


def entry_size(item: bytes) -> i64:
    """How many bytes an element takes in a listpack."""
    size: i64 = len(item)
    if size <= 20:
        value = integer_of(item, 20)
        if value != NOT_INTEGER:
            return _integer_size(value)
    if size < 64:
        return size + 2
    size += 2 if size < 4096 else 5
    if size <= 127:
        return size + 1
    if size < 16384:
        return size + 2
    if size < 2097152:
        return size + 3
    return size + 4 if size < 268435456 else size + 5


def _integer_size(value: i64) -> i64:
    if 0 <= value <= 127:
        return 2
    if -4096 <= value <= 4095:
        return 3
    if -32768 <= value <= 32767:
        return 4
    if -8388608 <= value <= 8388607:
        return 5
    return 6 if -2147483648 <= value <= 2147483647 else 10


def _damaged(offset: i64, what: str) -> NoReturn:
    raise DamagedListpack(int(offset), f"damaged listpack: {what}")


def next_element(blob: bytes, pos: i64) -> i64:
    """The position behind the element at ``pos``; the listpack must be a whole one."""
    first: i64 = blob[pos]
    if first < 0x80:
        return pos + 2
    if first < 0xC0:
        return pos + 2 + (first & 0x3F)
    size: i64
    if first < 0xE0:
        return pos + 3
    if first < 0xF0:
        size = 2 + ((first & 0x0F) << 8 | blob[pos + 1])
        return pos + size + (1 if size < 128 else 2)
    if first == 0xF0:
        size = 5 + i64(read_i32_le(blob, pos + 1))
        pos += size
        while size > 0:
            size >>= 7
            pos += 1
        return pos
    return pos + 10 if first == 0xF4 else pos + first - 0xF1 + 4


def previous_element(blob: bytes, pos: i64) -> i64:
    """The position of the element before ``pos``, which is behind an element."""
    pos -= 1
    part: i64 = blob[pos]
    size: i64 = part & 127
    shift: i64 = 0
    while part & 128:
        pos -= 1
        shift += 7
        part = blob[pos]
        size |= (part & 127) << shift
    return pos - size


def integer_at(blob: bytes, pos: i64) -> i64:
    """The integer at ``pos``; NOT_INTEGER where a string stands there."""
    first: i64 = blob[pos]
    if first < 0x80:
        return first
    value: i64
    if first < 0xE0:
        if first < 0xC0:
            return NOT_INTEGER
        value = (first & 0x1F) << 8 | blob[pos + 1]
        return value - 8192 if value > 4095 else value
    if first == 0xF1:
        return i64(read_i16_le(blob, pos + 1))
    if first == 0xF2:
        value = blob[pos + 1] | blob[pos + 2] << 8 | blob[pos + 3] << 16
        return value - 0x1000000 if value > 0x7FFFFF else value
    if first == 0xF3:
        return i64(read_i32_le(blob, pos + 1))
    if first == 0xF4:
        return read_i64_le(blob, pos + 1)
    return NOT_INTEGER


def element_at(blob: bytes, pos: i64) -> bytes:
    """The element at ``pos``, an integer as its decimal text."""
    first: i64 = blob[pos]
    size: i64
    if 0x80 <= first < 0xC0:
        return blob[pos + 1 : pos + 1 + (first & 0x3F)]
    if 0xE0 <= first < 0xF0:
        size = (first & 0x0F) << 8 | blob[pos + 1]
        return blob[pos + 2 : pos + 2 + size]
    if first == 0xF0:
        size = i64(read_i32_le(blob, pos + 1))
        return blob[pos + 5 : pos + 5 + size]
    return str(integer_at(blob, pos)).encode()


def check(blob: bytes, offset: i64) -> i64:
    """The number of elements of a listpack from a file or a peer.

    ``offset`` is where the blob stands in the file, for errors.  Raises DamagedListpack unless every part of the
    listpack agrees with every other: sizes, back lengths, count, end.
    """
    size: i64 = len(blob)
    if size < EMPTY:
        _damaged(offset, "shorter than a header")
    announced: i64 = i64(read_i32_le(blob, 0))
    if announced & 0xFFFFFFFF != size:
        _damaged(offset, "the size in its header is not its size")
    announced = i64(read_i16_le(blob, 4))
    announced &= 0xFFFF
    last: i64 = size - 1
    if blob[last] != _END:
        _damaged(offset, "no end mark")
    count: i64 = 0
    pos: i64 = HEADER
    while pos < last:
        start: i64 = pos
        pos += _element_size(blob, pos, last, offset)
        if pos > last:
            _damaged(offset, "an element ends beyond it")
        pos = _skip_back_length(blob, pos, last, pos - start, offset)
        count += 1
    if announced != _COUNT_UNKNOWN and announced != count:
        _damaged(offset, f"{count} elements where its header says {announced}")
    return count


def is_canonical(blob: bytes) -> bool:
    """Whether every element of a whole listpack has the one form that ``ListpackWriter`` gives it."""
    pos: i64 = HEADER
    last: i64 = len(blob) - 1
    while pos < last:
        following = next_element(blob, pos)
        value = integer_at(blob, pos)
        if value != NOT_INTEGER:
            if following - pos != _integer_size(value):
                return False
        elif blob[pos] < 0xC0:
            # So short a string may be the text of an integer.
            if following - pos <= 22 and integer_of(element_at(blob, pos), 20) != NOT_INTEGER:
                return False
        elif entry_size(element_at(blob, pos)) != following - pos:
            return False
        pos = following
    return True


def _element_size(blob: bytes, pos: i64, last: i64, offset: i64) -> i64:
    """The size of an element without its back length; ``last`` is where the listpack's end mark stands."""
    first: i64 = blob[pos]
    if first < 0x80:
        return 1
    if first < 0xC0:
        return 1 + (first & 0x3F)
    if first < 0xE0:
        return 2
    if first < 0xF0:
        if pos + 2 > last:
            _damaged(offset, "an element ends beyond it")
        return 2 + ((first & 0x0F) << 8 | blob[pos + 1])
    if first == 0xF0:
        if pos + 5 > last:
            _damaged(offset, "an element ends beyond it")
        length: i64 = i64(read_i32_le(blob, pos + 1))
        if length < 0:
            _damaged(offset, "an element ends beyond it")
        return 5 + length
    if first == 0xF4:
        return 9
    if first > 0xF4:
        _damaged(offset, f"unknown encoding 0x{first:02x}")
    return first - 0xF1 + 3


def decode(blob: bytes, offset: i64) -> list[bytes]:
    """The elements of a listpack, integers as their decimal text; raises DamagedListpack as ``check`` does."""
    check(blob, offset)
    items: list[bytes] = []
    pos: i64 = HEADER
    last: i64 = len(blob) - 1
    while pos < last:
        items.append(element_at(blob, pos))
        pos = next_element(blob, pos)
    return items


def _skip_back_length(blob: bytes, pos: i64, last: i64, entry: i64, offset: i64) -> i64:
    """The position behind the back length, which must say ``entry``."""
    width: i64 = 1
    while entry >> (7 * width) and width < 5:
        width += 1
    if pos + width > last:
        _damaged(offset, "an element ends beyond it")
    value: i64 = 0
    i: i64 = 0
    while i < width:
        part: i64 = blob[pos + i]
        if (part > 127) != (i > 0):
            _damaged(offset, "wrong back length")
        value = value << 7 | part & 127
        i += 1
    if value != entry:
        _damaged(offset, "wrong back length")
    return pos + width
