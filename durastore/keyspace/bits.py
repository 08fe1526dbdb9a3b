"""Algorithms on strings as arrays of bits; bit 0 is the highest bit of byte 0.

Large strings are worked on in pieces, so that an operation needs no memory in proportion to them beyond its result.
The compiled build walks over 64-bit words; in the interpreted one large integers do the same.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, read_i64_le, write_i64_le
from mypy_extensions import i64

AND: Final = 0
OR: Final = 1
XOR: Final = 2
NOT: Final = 3

_COMPILED: Final = not __file__.endswith(".py")
# Bytes; a multiple of 64 that fits the processor's caches several times.
_PIECE: Final = 65536
_SMALL: Final = 256
_ZEROS: Final = bytes(_PIECE)
_ONES: Final = b"\xff" * _PIECE
_INVERTED: Final = bytes(255 - i for i in range(256))

# Every second bit, pair, and group of four.
_M1: Final = 0x5555555555555555
_M2: Final = 0x3333333333333333
_M4: Final = 0x0F0F0F0F0F0F0F0F


def count_ones(data: bytes | bytearray, start: i64, end: i64) -> i64:
    """The number of set bits in the bytes ``[start, end)``."""
    if end - start <= _SMALL or not _COMPILED:
        count: i64 = 0
        while start < end:
            stop: i64 = min(start + _PIECE, end)
            count += int.from_bytes(data[start:stop], "little").bit_count()
            start = stop
        return count
    with memoryview(data) as view:
        count = 0
        while end - start >= _PIECE:
            count += _count_words(bytes(view[start : start + _PIECE]))
            start += _PIECE
        rest = bytes(view[start:end])
    return count + _count_words(rest + bytes(-len(rest) % 64))


def _count_words(data: bytes) -> i64:
    """The number of set bits; the length is a multiple of 64.

    Eight words at a time are added in bits by carry-save adders (Harley and Seal), so that the bits of one word in
    eight have to be counted.
    """
    size: i64 = len(data)
    ones: i64 = 0
    twos: i64 = 0
    fours: i64 = 0
    eights: i64 = 0
    i: i64 = 0
    while i < size:
        a = read_i64_le(data, i)
        b = read_i64_le(data, i + 8)
        u: i64 = ones ^ a
        twos_a: i64 = (ones & a) | (u & b)
        ones = u ^ b
        a = read_i64_le(data, i + 16)
        b = read_i64_le(data, i + 24)
        u = ones ^ a
        twos_b: i64 = (ones & a) | (u & b)
        ones = u ^ b
        u = twos ^ twos_a
        fours_a: i64 = (twos & twos_a) | (u & twos_b)
        twos = u ^ twos_b
        a = read_i64_le(data, i + 32)
        b = read_i64_le(data, i + 40)
        u = ones ^ a
        twos_a = (ones & a) | (u & b)
        ones = u ^ b
        a = read_i64_le(data, i + 48)
        b = read_i64_le(data, i + 56)
        u = ones ^ a
        twos_b = (ones & a) | (u & b)
        ones = u ^ b
        u = twos ^ twos_a
        fours_b: i64 = (twos & twos_a) | (u & twos_b)
        twos = u ^ twos_b
        u = fours ^ fours_a
        eights += _count_word((fours & fours_a) | (u & fours_b))
        fours = u ^ fours_b
        i += 64
    return 8 * eights + 4 * _count_word(fours) + 2 * _count_word(twos) + _count_word(ones)


def _count_word(word: i64) -> i64:
    """The number of set bits in 64."""
    word = (word & _M1) + ((word >> 1) & _M1)
    word = (word & _M2) + ((word >> 2) & _M2)
    word = (word & _M4) + ((word >> 4) & _M4)
    word += word >> 8
    word += word >> 16
    return (word + (word >> 32)) & 0x7F


def find_bit(data: bytes | bytearray, bit: i64, start: i64, end: i64) -> i64:
    """The position of the first bit that is ``bit`` in the bytes ``[start, end)``, or -1."""
    dull = _ZEROS if bit else _ONES
    while end - start >= _PIECE and data.startswith(dull, start):
        start += _PIECE
    while start < end:
        piece = data[start : min(start + _PIECE, end)]
        rest = piece.lstrip(b"\0" if bit else b"\xff")
        if rest:
            start += len(piece) - len(rest)
            byte: int = rest[0] if bit else 255 - rest[0]
            return start * 8 + 8 - byte.bit_length()
        start += len(piece)
    return -1


def get_bit(data: bytes | bytearray, offset: i64) -> i64:
    """One bit; zero behind the end of the string."""
    byte: i64 = offset >> 3
    if byte >= len(data):
        return 0
    value: i64 = data[byte]
    return (value >> (7 - (offset & 7))) & 1


def count_range(data: bytes | bytearray, first: i64, last: i64) -> i64:
    """The number of set bits from bit ``first`` to bit ``last``, both within the string."""
    start: i64 = first >> 3
    end: i64 = last >> 3
    before: int = data[start] >> (8 - (first & 7))
    behind: int = data[end] & (0x7F >> (last & 7))
    return count_ones(data, start, end + 1) - before.bit_count() - behind.bit_count()


def find_in_range(data: bytes | bytearray, bit: i64, first: i64, last: i64) -> i64:
    """The position of the first bit that is ``bit`` from bit ``first`` to bit ``last``, or -1."""
    while first <= last and first & 7:
        if get_bit(data, first) == bit:
            return first
        first += 1
    if first > last:
        return -1
    found = find_bit(data, bit, first >> 3, (last >> 3) + 1)
    return found if found <= last else -1


def combine(operation: i64, sources: list[bytes | bytearray]) -> bytearray:
    """AND, OR or XOR of strings, the shorter ones continued by zeros; NOT of one string."""
    size: i64 = max([len(source) for source in sources])
    result = bytearray(size)
    start: i64 = 0
    while start < size:
        end: i64 = min(start + _PIECE, size)
        piece = bytes(sources[0][start:end])
        if operation == NOT:
            result[start:end] = piece.translate(_INVERTED)
        else:
            for source in sources[1:]:
                piece = _combine_piece(operation, piece, bytes(source[start:end]))
            result[start : start + len(piece)] = piece
        start = end
    return result


def _combine_piece(operation: i64, a: bytes, b: bytes) -> bytes:
    size: i64 = max(len(a), len(b))
    if _COMPILED:
        whole: i64 = (size + 7) & ~7
        if len(a) < whole:
            a += bytes(whole - len(a))
        if len(b) < whole:
            b += bytes(whole - len(b))
        return _combine_words(operation, a, b)[:size]
    x = int.from_bytes(a, "little")
    y = int.from_bytes(b, "little")
    combined = x & y if operation == AND else x | y if operation == OR else x ^ y
    return combined.to_bytes(size, "little")


def _combine_words(operation: i64, a: bytes, b: bytes) -> bytes:
    """Both have the same length, a multiple of 8."""
    size: i64 = len(a)
    out = BytesWriter()
    i: i64 = 0
    if operation == AND:
        while i < size:
            write_i64_le(out, read_i64_le(a, i) & read_i64_le(b, i))
            i += 8
    elif operation == OR:
        while i < size:
            write_i64_le(out, read_i64_le(a, i) | read_i64_le(b, i))
            i += 8
    else:
        while i < size:
            write_i64_le(out, read_i64_le(a, i) ^ read_i64_le(b, i))
            i += 8
    return out.getvalue()


def get_field(data: bytes | bytearray, offset: int, width: int) -> int:
    """The unsigned number in ``width`` bits from bit ``offset`` on; there are zeros behind the end of the string."""
    first = offset >> 3
    size = ((offset + width + 7) >> 3) - first
    piece = data[first : first + size]
    word = int.from_bytes(piece, "big") << 8 * (size - len(piece))
    return (word >> (-(offset + width) & 7)) & ((1 << width) - 1)


def set_field(data: bytearray, offset: int, width: int, value: int) -> None:
    """Stores the lowest ``width`` bits of a number; the string is long enough."""
    first = offset >> 3
    last = (offset + width + 7) >> 3
    shift = -(offset + width) & 7
    mask = ((1 << width) - 1) << shift
    word = int.from_bytes(data[first:last], "big")
    data[first:last] = ((word & ~mask) | ((value << shift) & mask)).to_bytes(last - first, "big")


def signed(value: int, width: int) -> int:
    """An unsigned number of ``width`` bits read as two's complement."""
    return value - (1 << width) if value >> (width - 1) else value
