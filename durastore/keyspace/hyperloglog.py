"""HyperLogLog: cardinalities estimated from 16384 registers, in Redis's own format inside a string.

The string is a header of 16 bytes (``HYLL``, the encoding, three zeros, and the cached cardinality: 8 bytes, little
endian, whose highest bit says that it is out of date) and the registers:

- dense: 6 bits each, the lowest first;
- sparse: runs of registers.  ``00llllll`` are l+1 zeros, ``01llllll llllllll`` l+1 zeros as well, ``1vvvvvll`` l+1
  registers of value v+1.

A register holds the longest run of zeros, plus one, that the hashes of the elements that fall to it end in.
Format and hash: Redis's ``hyperloglog.c``.  Estimator: Otmar Ertl, "New cardinality estimation algorithms for
HyperLogLog sketches" (arXiv:1702.01284).
"""

from __future__ import annotations

import math
from typing import Final, final

from librt.strings import read_i64_le
from librt.vecs import vec
from mypy_extensions import i64, u8

REGISTERS: Final = 16384
HEADER: Final = 16
DENSE_SIZE: Final = HEADER + REGISTERS * 6 // 8
_INDEX_BITS: Final = 14
# The number of bits of a hash that a register's value tells of.
_VALUE_BITS: Final = 50
_VALUE_MASK: Final = 0x3FFFFFFFFFFFF
_DENSE: Final = 0
_SPARSE: Final = 1
_MAGIC: Final = b"HYLL"
_STALE: Final = 0x80
# What an opcode of the sparse encoding can hold.
_ZERO_RUN: Final = 64
_VALUE_RUN: Final = 4
_VALUE_LIMIT: Final = 32
# How far behind a changed opcode neighbours are looked at that could be merged.
_MERGE_SCAN: Final = 5
# How many registers each opcode covers; 0: that is said by the byte behind it as well.
_SPANS: Final = bytes([*range(1, _ZERO_RUN + 1), *[0] * 64, *[1, 2, 3, 4] * 32])
_ALPHA: Final = 0.721347520444481703680

_SEED: Final = 0xADC83B19
_MULTIPLIER: Final = -4132994306676758123


class Corrupt(Exception):
    """The registers of a HyperLogLog do not add up."""


def _product(a: i64, b: i64) -> i64:
    """The product modulo 2**64 as a signed number, in compiled and in interpreted code."""
    # In two halves: in compiled code a literal of more than 62 bits is an object.
    product: i64 = a * b
    high: i64 = (product >> 32) & 0xFFFFFFFF
    high -= (high & 0x80000000) << 1
    return (high << 32) + (product & 0xFFFFFFFF)


def murmur_hash(data: bytes) -> i64:
    """MurmurHash64A with the seed that Redis uses here, as a signed number."""
    size: i64 = len(data)
    h: i64 = _SEED ^ _product(size, _MULTIPLIER)
    pos: i64 = 0
    while pos + 8 <= size:
        k = _product(read_i64_le(data, pos), _MULTIPLIER)
        k ^= (k >> 47) & 0x1FFFF
        h = _product(h ^ _product(k, _MULTIPLIER), _MULTIPLIER)
        pos += 8
    if pos < size:
        shift: i64 = 0
        tail: i64 = 0
        while pos < size:
            byte: i64 = data[pos]
            tail |= byte << shift
            shift += 8
            pos += 1
        h = _product(h ^ tail, _MULTIPLIER)
    h ^= (h >> 47) & 0x1FFFF
    h = _product(h, _MULTIPLIER)
    return h ^ ((h >> 47) & 0x1FFFF)


def register_of(hashed: i64) -> i64:
    """The register that an element falls to."""
    return hashed & (REGISTERS - 1)


def value_of(hashed: i64) -> i64:
    """What the element wants in its register, at the least."""
    rest: i64 = (hashed >> _INDEX_BITS) & _VALUE_MASK
    if not rest:
        return _VALUE_BITS + 1
    value: i64 = 1
    while not rest & 1:
        rest >>= 1
        value += 1
    return value


def create() -> bytearray:
    """An empty HyperLogLog, in the sparse encoding."""
    last: i64 = REGISTERS - 1
    return bytearray(_MAGIC + bytes([_SPARSE]) + bytes(HEADER - 5) + bytes([0x40 | (last >> 8), last & 0xFF]))


def is_valid(data: bytes | bytearray) -> bool:
    """Whether a string may be a HyperLogLog; its registers are not looked at."""
    if len(data) < HEADER or not data.startswith(_MAGIC):
        return False
    encoding = data[4]
    return encoding == _SPARSE or (encoding == _DENSE and len(data) == DENSE_SIZE)


def is_sparse(data: bytes | bytearray) -> bool:
    """The encoding of a valid HyperLogLog."""
    return data[4] == _SPARSE


def cached_count(data: bytes | bytearray) -> int:
    """The cardinality in the header, or -1 where it is out of date."""
    if data[15] & _STALE:
        return -1
    return int.from_bytes(data[8:16], "little")


def cache_count(data: bytearray, count: int) -> None:
    """Puts the cardinality into the header."""
    data[8:16] = count.to_bytes(8, "little")


def invalidate(data: bytearray) -> None:
    """Marks the cardinality in the header as out of date."""
    data[15] |= _STALE


@final
class Place:
    """A register, and in the sparse encoding the opcode that covers it.

    The opcode stands at ``position``, the one before it at ``previous`` (0: there is none), and it covers ``span``
    registers from ``first`` on.
    """

    def __init__(self, index: i64, value: i64) -> None:
        self.index: i64 = index
        self.value: i64 = value
        self.position: i64 = 0
        self.previous: i64 = 0
        self.first: i64 = 0
        self.span: i64 = 0


def find(data: bytes | bytearray, index: i64) -> Place:
    """A register and its value.  Raises Corrupt."""
    if data[4] == _SPARSE:
        return _find_sparse(bytes(data), index)
    bit: i64 = index * 6
    pos: i64 = HEADER + (bit >> 3)
    shift: i64 = bit & 7
    value: i64 = data[pos]
    value >>= shift
    if shift > 2:
        high: i64 = data[pos + 1]
        value |= high << (8 - shift)
    return Place(index, value & 63)


def _find_sparse(data: bytes, index: i64) -> Place:
    end: i64 = len(data)
    pos: i64 = HEADER
    previous: i64 = 0
    first: i64 = 0
    while pos < end:
        opcode: i64 = data[pos]
        span: i64 = _SPANS[opcode]
        size: i64 = 1
        if span == 0:
            if pos + 1 >= end:
                break
            low: i64 = data[pos + 1]
            span = ((opcode & 63) << 8 | low) + 1
            size = 2
        if index < first + span:
            place = Place(index, ((opcode >> 2) & 31) + 1 if opcode & 0x80 else 0)
            place.position = pos
            place.previous = previous
            place.first = first
            place.span = span
            return place
        previous = pos
        pos += size
        first += span
    raise Corrupt


def raise_register(data: bytearray, place: Place, value: i64, sparse_limit: i64) -> None:
    """Sets a register to a value that is greater than its present one; ``place`` comes from ``find``.

    A sparse HyperLogLog becomes dense where the value or the size (``sparse_limit`` bytes) demands it.  Raises Corrupt.
    The cached cardinality is left alone.
    """
    if data[4] == _DENSE:
        _set_dense(data, place.index, value)
    elif value > _VALUE_LIMIT or not _set_sparse(data, place, value, sparse_limit):
        make_dense(data)
        _set_dense(data, place.index, value)


def _set_dense(data: bytearray, index: i64, value: i64) -> None:
    bit: i64 = index * 6
    pos: i64 = HEADER + (bit >> 3)
    shift: i64 = bit & 7
    low: i64 = data[pos]
    data[pos] = ((low & ~(63 << shift)) | (value << shift)) & 0xFF
    if shift > 2:
        high: i64 = data[pos + 1]
        data[pos + 1] = (high & ~(63 >> (8 - shift))) | (value >> (8 - shift))


def _zeros(span: i64) -> bytes:
    """The opcode for a run of zeros."""
    last: i64 = span - 1
    if span > _ZERO_RUN:
        return bytes([0x40 | (last >> 8), last & 0xFF])
    return bytes([last])


def _values(value: i64, span: i64) -> bytes:
    """The opcode for a run of registers of one value."""
    return bytes([0x80 | ((value - 1) << 2) | (span - 1)])


def _set_sparse(data: bytearray, place: Place, value: i64, limit: i64) -> bool:
    """Splits the opcode that covers the register; False where the string would become too long."""
    before: i64 = place.index - place.first
    behind: i64 = place.span - before - 1
    opcodes = _values(value, 1)
    if before:
        opcodes = (_values(place.value, before) if place.value else _zeros(before)) + opcodes
    if behind:
        opcodes += _values(place.value, behind) if place.value else _zeros(behind)
    pos: i64 = place.position
    size: i64 = 2 if data[pos] & 0xC0 == 0x40 else 1
    growth: i64 = len(opcodes) - size
    if growth > 0 and len(data) + growth > limit:
        return False
    data[pos : pos + size] = opcodes
    _merge(data, place.previous if place.previous else HEADER)
    return True


def _merge(data: bytearray, pos: i64) -> None:
    """Joins neighbouring runs of the same value, as far as they fit into one opcode."""
    scan: i64 = _MERGE_SCAN
    while pos < len(data) and scan > 0:
        scan -= 1
        opcode: i64 = data[pos]
        if opcode & 0x80 and pos + 1 < len(data):
            following: i64 = data[pos + 1]
            # The same value in the same kind of opcode: all but the length is equal.
            if following >> 2 == opcode >> 2:
                span: i64 = (opcode & 3) + (following & 3) + 2
                if span <= _VALUE_RUN:
                    data[pos : pos + 2] = bytes([(opcode & 0xFC) | (span - 1)])
                    continue
        pos += 2 if opcode & 0xC0 == 0x40 else 1


def make_dense(data: bytearray) -> None:
    """Turns the sparse encoding into the dense one.  Raises Corrupt."""
    if data[4] == _DENSE:
        return
    registers = new_registers()
    merge(registers, data)
    data[4] = _DENSE
    data[HEADER:] = _pack(registers)


def raise_registers(data: bytearray, registers: vec[u8], sparse_limit: i64) -> None:
    """Sets every register that is below its value in ``registers`` to that."""
    if data[4] == _DENSE:
        merge(registers, data)
        data[HEADER:] = _pack(registers)
        return
    i: i64 = 0
    while i < REGISTERS:
        value = i64(registers[i])
        if value:
            place = find(data, i)
            if value > place.value:
                raise_register(data, place, value, sparse_limit)
        i += 1


def _pack(registers: vec[u8]) -> bytes:
    packed = bytearray(DENSE_SIZE - HEADER)
    pos: i64 = 0
    i: i64 = 0
    while i < REGISTERS:
        four: i64 = (
            i64(registers[i]) | i64(registers[i + 1]) << 6 | i64(registers[i + 2]) << 12 | i64(registers[i + 3]) << 18
        )
        if four:
            packed[pos] = four & 0xFF
            packed[pos + 1] = (four >> 8) & 0xFF
            packed[pos + 2] = four >> 16
        pos += 3
        i += 4
    return bytes(packed)


def new_registers() -> vec[u8]:
    """All registers, at zero, one byte each."""
    return vec[u8]([0] * REGISTERS)


def merge(registers: vec[u8], data: bytes | bytearray) -> None:
    """Raises each register to its value in a HyperLogLog, where that is greater.  Raises Corrupt."""
    if data[4] == _DENSE:
        _merge_dense(registers, bytes(data))
    else:
        _merge_sparse(registers, bytes(data))


def _merge_dense(registers: vec[u8], data: bytes) -> None:
    # Eight registers at a time, out of 6 of the 8 bytes read.
    data += b"\0\0"
    pos: i64 = HEADER
    i: i64 = 0
    while i < REGISTERS:
        eight: i64 = read_i64_le(data, pos)
        stop: i64 = i + 8
        while i < stop:
            value = u8(eight & 63)
            if value > registers[i]:
                registers[i] = value
            eight >>= 6
            i += 1
        pos += 6


def _merge_sparse(registers: vec[u8], data: bytes) -> None:
    pos: i64 = HEADER
    end: i64 = len(data)
    i: i64 = 0
    while pos < end:
        opcode: i64 = data[pos]
        pos += 1
        if opcode & 0x80:
            stop: i64 = i + (opcode & 3) + 1
            value = u8(((opcode >> 2) & 31) + 1)
            if stop > REGISTERS:
                raise Corrupt
            while i < stop:
                if value > registers[i]:
                    registers[i] = value
                i += 1
        elif opcode & 0x40:
            if pos >= end:
                raise Corrupt
            low: i64 = data[pos]
            i += ((opcode & 63) << 8 | low) + 1
            pos += 1
        else:
            i += opcode + 1
    if i != REGISTERS:
        raise Corrupt


def count(data: bytes | bytearray) -> int:
    """The number of distinct elements that a HyperLogLog has seen.  Raises Corrupt."""
    held = vec[i64]([0] * 64)
    if data[4] == _DENSE:
        _tally_dense(held, bytes(data))
    else:
        _tally_sparse(held, bytes(data))
    return _estimate(held)


def count_merged(registers: vec[u8]) -> int:
    """The number of distinct elements that the registers tell of."""
    held = vec[i64]([0] * 64)
    i: i64 = 0
    while i < REGISTERS:
        held[i64(registers[i])] += 1
        i += 1
    return _estimate(held)


def _tally_dense(held: vec[i64], data: bytes) -> None:
    """Adds to ``held`` how many registers hold each value."""
    data += b"\0\0"
    pos: i64 = HEADER
    end: i64 = DENSE_SIZE
    while pos < end:
        eight: i64 = read_i64_le(data, pos)
        held[eight & 63] += 1
        held[(eight >> 6) & 63] += 1
        held[(eight >> 12) & 63] += 1
        held[(eight >> 18) & 63] += 1
        held[(eight >> 24) & 63] += 1
        held[(eight >> 30) & 63] += 1
        held[(eight >> 36) & 63] += 1
        held[(eight >> 42) & 63] += 1
        pos += 6


def _tally_sparse(held: vec[i64], data: bytes) -> None:
    pos: i64 = HEADER
    end: i64 = len(data)
    registers: i64 = 0
    while pos < end:
        opcode: i64 = data[pos]
        span: i64 = _SPANS[opcode]
        value: i64 = ((opcode >> 2) & 31) + 1 if opcode & 0x80 else 0
        if span == 0:
            pos += 1
            if pos >= end:
                raise Corrupt
            low: i64 = data[pos]
            span = ((opcode & 63) << 8 | low) + 1
        held[value] += span
        registers += span
        pos += 1
    if registers != REGISTERS:
        raise Corrupt


def _estimate(held: vec[i64]) -> int:
    """The cardinality; ``held`` says how many registers hold each value."""
    size = float(REGISTERS)
    z = size * _tau((size - float(held[_VALUE_BITS + 1])) / size)
    j: i64 = _VALUE_BITS
    while j >= 1:
        z += float(held[j])
        z *= 0.5
        j -= 1
    z += size * _sigma(float(held[0]) / size)
    exact = _ALPHA * size * size / z
    whole = int(exact)
    return whole + 1 if exact - float(whole) >= 0.5 else whole


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y = 1.0
    z = x
    while True:
        x *= x
        before = z
        z += x * y
        y += y
        if z == before:
            return z


def _tau(x: float) -> float:
    if x == 0.0 or x == 1.0:
        return 0.0
    y = 1.0
    z = 1.0 - x
    while True:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1.0 - x) * (1.0 - x) * y
        if z == before:
            return z / 3.0


def decode(data: bytes | bytearray) -> bytes:
    """The opcodes of the sparse encoding for people: ``z:n`` and ``Z:n`` zeros, ``v:value,n`` registers of a value."""
    words: list[bytes] = []
    pos: i64 = HEADER
    while pos < len(data):
        opcode = data[pos]
        if opcode & 0x80:
            words.append(b"v:%d,%d" % (((opcode >> 2) & 31) + 1, (opcode & 3) + 1))
        elif opcode & 0x40:
            low = data[pos + 1] if pos + 1 < len(data) else 0
            words.append(b"Z:%d" % (((opcode & 63) << 8 | low) + 1))
            pos += 1
        else:
            words.append(b"z:%d" % (opcode + 1))
        pos += 1
    return b" ".join(words)


def self_test() -> bytes:
    """Adds elements to a sparse and to a dense HyperLogLog; says what is wrong with them, if anything."""
    sparse = create()
    dense = create()
    make_dense(dense)
    added: i64 = 0
    next_check: i64 = 1
    while added < 100_000:
        hashed = murmur_hash(b"%d" % added)
        added += 1
        index = register_of(hashed)
        value = value_of(hashed)
        for data in (sparse, dense):
            place = find(data, index)
            if value > place.value:
                raise_register(data, place, value, 3000)
                if find(data, index).value != value:
                    return b"register %d does not hold %d" % (index, value)
        if added == next_check:
            next_check *= 10
            found = count(dense)
            if found != count(sparse):
                return b"sparse and dense estimates differ at %d elements" % added
            # Four standard errors, and one for small numbers.
            if abs(found - int(added)) > 4 * 1.04 / 128 * int(added) + 1:
                return b"%d elements are estimated as %d" % (added, found)
    return b""
