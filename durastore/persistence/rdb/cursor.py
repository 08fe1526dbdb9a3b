"""A reading position in an RDB file: buffering, the checksum, and the primitive items (numbers, lengths, strings).

Every length is compared with what the source can still hold before anything is reserved; where that is not known (a
replica's stream) memory grows only with the bytes that arrive.
"""

from __future__ import annotations

from typing import Final, NoReturn, Protocol, final

from librt.strings import read_f64_le, read_i16_le, read_i32_be, read_i32_le, read_i64_be, read_i64_le
from mypy_extensions import i64

from durastore.keyspace.limits import Limits
from durastore.keyspace.listpack import DamagedListpack, check, decode
from durastore.persistence.checksum import crc64_redis
from durastore.persistence.rdb.format import RdbError
from durastore.persistence.unlzf import LzfError, decompress

CHUNK: Final = 1 << 20


class Source(Protocol):
    """Where the bytes come from: a file, a socket, a test."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; empty only at the end."""


@final
class Cursor:
    """The reading position.  ``buf[pos:]`` is what is buffered and not yet consumed."""

    def __init__(self, source: Source | None, size_hint: int, data: bytes, limits: Limits | None = None) -> None:
        self.buf = data
        self.pos: i64 = 0
        # The file offset of buf[0].
        self.base: i64 = 0
        # How many bytes the source has still to give; -1 where that is not known.
        self.left: i64 = size_hint
        self.source = source
        self.crc = 0
        # Up to where values that are read get compact encodings.
        self.limits = Limits() if limits is None else limits
        # buf[:summed] is in the checksum.
        self._summed: i64 = 0

    def offset(self) -> i64:
        """The position in the file, in bytes."""
        return self.base + self.pos

    def bytes_left(self) -> i64:
        """How many bytes are still to come, -1 where that is not known."""
        return self.left + len(self.buf) - self.pos if self.left >= 0 else -1

    def fail(self, reason: str) -> NoReturn:
        """Raises RdbError for the present position."""
        raise RdbError(int(self.base + self.pos), reason)

    def checksum(self) -> int:
        """The checksum of all that was consumed."""
        if self._summed < self.pos:
            self.crc = crc64_redis(memoryview(self.buf)[self._summed : self.pos], self.crc)
            self._summed = self.pos
        return self.crc

    def fill(self, size: i64) -> None:
        """Makes sure that ``size`` bytes are buffered.  Raises RdbError where the source has no more."""
        have: i64 = len(self.buf) - self.pos
        if have >= size:
            return
        source = self.source
        if source is None or (self.left >= 0 and size - have > self.left):
            self.fail(f"truncated: {size} bytes are needed and {have + self.left if source else have} are left")
        self.checksum()
        parts = [self.buf[self.pos :]]
        while have < size:
            data = source.read(CHUNK)
            if not data:
                self.fail(f"truncated: {size} bytes are needed and {have} are left")
            parts.append(data)
            have += len(data)
            if self.left >= 0:
                self.left -= len(data)
                if self.left < 0:
                    self.left = 0
        self.base += self.pos
        self.pos = 0
        self._summed = 0
        self.buf = b"".join(parts)

    def at_end(self) -> bool:
        """Whether nothing is left to read."""
        if self.pos < len(self.buf):
            return False
        if self.source is None or self.left == 0:
            return True
        self.checksum()
        data = self.source.read(CHUNK)
        self.base += self.pos
        self.pos = 0
        self._summed = 0
        self.buf = data
        if self.left >= 0:
            self.left = self.left - len(data) if len(data) < self.left else 0
        return not data

    def rest(self) -> bytes:
        """What is buffered behind the position, consumed without entering the checksum."""
        self.checksum()
        data = self.buf[self.pos :]
        self.base += len(self.buf)
        self.buf = b""
        self.pos = 0
        self._summed = 0
        return data

    def byte(self) -> i64:
        """The next byte."""
        if self.pos >= len(self.buf):
            self.fill(1)
        value: i64 = self.buf[self.pos]
        self.pos += 1
        return value

    def take(self, size: i64) -> bytes:
        """The next bytes."""
        if size > len(self.buf) - self.pos:
            self.fill(size)
        start: i64 = self.pos
        self.pos = start + size
        return self.buf[start : start + size]

    def int32(self) -> i64:
        """A signed 32-bit integer, little-endian."""
        self.fill(4)
        value: i64 = i64(read_i32_le(self.buf, self.pos))
        self.pos += 4
        return value

    def int64(self) -> i64:
        """A signed 64-bit integer, little-endian."""
        self.fill(8)
        value: i64 = read_i64_le(self.buf, self.pos)
        self.pos += 8
        return value

    def double(self) -> float:
        """A double in its eight bytes."""
        self.fill(8)
        value = read_f64_le(self.buf, self.pos)
        self.pos += 8
        return value

    def _length(self, first: i64) -> i64:
        """The rest of a length, as its 64 bits; ``first`` is its first byte."""
        if first < 0x40:
            return first
        if first < 0x80:
            return (first & 0x3F) << 8 | self.byte()
        if first == 0x80:
            self.fill(4)
            value: i64 = i64(read_i32_be(self.buf, self.pos))
            self.pos += 4
            return value & 0xFFFFFFFF
        if first == 0x81:
            self.fill(8)
            value = read_i64_be(self.buf, self.pos)
            self.pos += 8
            return value
        self.pos -= 1
        if first < 0xC0:
            self.fail(f"unknown length encoding 0x{first:02x}")
        self.fail("a string where a length is expected")

    def count(self) -> i64:
        """A number of things that follow, each of at least one byte."""
        size = self._length(self.byte())
        if size < 0 or (self.left >= 0 and size > self.left + len(self.buf) - self.pos):
            self.fail("impossible count: more than the file can hold")
        return size

    def number(self) -> i64:
        """A number in the form of a length, of things that need not follow."""
        value: i64 = self._length(self.byte())
        if value < 0:
            self.fail("impossible number")
        return value

    def unsigned(self) -> int:
        """A 64-bit unsigned number in the form of a length."""
        value: i64 = self._length(self.byte())
        return int(value) if value >= 0 else int(value) + (1 << 64)

    def string(self) -> bytes:
        """A string in any of its forms: plain, an integer, LZF."""
        first = self.byte()
        if first < 0x40:
            return self.take(first)
        if first >= 0xC0:
            return self._special(first & 0x3F)
        size = self._length(first)
        if size < 0:
            self.fail("impossible length of a string")
        return self.take(size)

    def _special(self, form: i64) -> bytes:
        value: i64
        if form == 0:
            value = self.byte()
            if value > 127:
                value -= 256
        elif form == 1:
            self.fill(2)
            value = i64(read_i16_le(self.buf, self.pos))
            self.pos += 2
        elif form == 2:
            value = self.int32()
        elif form == 3:
            packed_size = self._length(self.byte())
            size = self._length(self.byte())
            if packed_size < 0 or size < 0:
                self.fail("impossible length of a string")
            packed = self.take(packed_size)
            try:
                return decompress(packed, size)
            except LzfError as error:
                self.fail(str(error))
        else:
            self.fail(f"unknown string encoding {form}")
        return str(value).encode()

    def listpack(self) -> list[bytes]:
        """The elements of a listpack that stands here as a string."""
        offset = self.offset()
        try:
            return decode(self.string(), offset)
        except DamagedListpack as error:
            raise RdbError(error.offset, error.reason) from None

    def listpack_blob(self) -> tuple[bytes, i64]:
        """A listpack that stands here as a string, and how many elements it has; it has been checked."""
        offset = self.offset()
        blob = self.string()
        try:
            return blob, check(blob, offset)
        except DamagedListpack as error:
            raise RdbError(error.offset, error.reason) from None
