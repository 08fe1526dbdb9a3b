"""The primitive items of the RDB format, written: lengths, numbers, strings."""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, write_i16_le, write_i32_be, write_i32_le, write_i64_be
from mypy_extensions import i16, i32, i64, u8

from durastore.keyspace.chunks import signed64
from durastore.keyspace.listpack import NOT_INTEGER, integer_of
from durastore.persistence.lzf import compress as lzf_compress

_INT32_DIGITS: Final = 11
_COMPRESSED_FROM: Final = 21


def write_count(out: BytesWriter, size: i64) -> None:
    """A length."""
    if 0 <= size < 0x40:
        out.append(u8(size))
    elif 0 <= size < 0x4000:
        out.append(u8(0x40 | size >> 8))
        out.append(u8(size & 255))
    elif 0 <= size <= 0x7FFFFFFF:
        out.append(0x80)
        write_i32_be(out, i32(size))
    elif 0 <= size <= 0xFFFFFFFF:
        out.append(0x80)
        write_i32_be(out, i32(size - 0x100000000))
    else:
        out.append(0x81)
        write_i64_be(out, size)


def write_unsigned(out: BytesWriter, value: int) -> None:
    """A 64-bit unsigned number in the form of a length."""
    write_count(out, signed64(value))


def write_string(out: BytesWriter, text: bytes, compress: bool) -> None:
    """A string in its shortest form: an integer of up to 32 bits, LZF, or plain."""
    size: i64 = len(text)
    if size <= _INT32_DIGITS:
        value = integer_of(text, _INT32_DIGITS)
        if value != NOT_INTEGER and -0x80000000 <= value <= 0x7FFFFFFF:
            if -128 <= value <= 127:
                out.append(0xC0)
                out.append(u8(value & 255))
            elif -32768 <= value <= 32767:
                out.append(0xC1)
                write_i16_le(out, i16(value))
            else:
                out.append(0xC2)
                write_i32_le(out, i32(value))
            return
    elif compress and size >= _COMPRESSED_FROM:
        packed = lzf_compress(text)
        if packed is not None:
            out.append(0xC3)
            write_count(out, len(packed))
            write_count(out, size)
            out.write(packed)
            return
    if size < 0x40:
        out.append(u8(size))
    else:
        write_count(out, size)
    out.write(text)
