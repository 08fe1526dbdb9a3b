# cython: language_level=3, boundscheck=False, wraparound=False
"""The compiled twin of dense_registers.py.  Hash and layout: see hyperloglog.py."""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_Check, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.string cimport memcmp

cdef enum:
    HEADER = 16
    DENSE_SIZE = 12304
    INDEX_BITS = 14
    VALUE_BITS = 50


cdef uint64_t murmur_hash(const unsigned char *data, Py_ssize_t size) noexcept:
    cdef uint64_t multiplier = 0xC6A4A7935BD1E995ULL
    cdef uint64_t h = <uint64_t>0xADC83B19 ^ <uint64_t>size * multiplier
    cdef uint64_t k
    cdef Py_ssize_t pos = 0, i
    while pos + 8 <= size:
        k = 0
        for i in range(8):
            k |= <uint64_t>data[pos + i] << (8 * i)
        k *= multiplier
        k ^= k >> 47
        h = (h ^ k * multiplier) * multiplier
        pos += 8
    if pos < size:
        k = 0
        for i in range(size - pos):
            k |= <uint64_t>data[pos + i] << (8 * i)
        h = (h ^ k) * multiplier
    h = (h ^ h >> 47) * multiplier
    return h ^ h >> 47


def held_up_to(data, list elements not None, Py_ssize_t first):
    """See dense_registers.py."""
    cdef const unsigned char *registers
    cdef Py_ssize_t size, pos
    cdef uint64_t hashed, rest
    cdef int value, shift, held
    if PyByteArray_Check(data):
        registers = <const unsigned char *>PyByteArray_AS_STRING(data)
        size = PyByteArray_GET_SIZE(data)
    else:
        registers = <const unsigned char *>PyBytes_AS_STRING(<bytes?>data)
        size = PyBytes_GET_SIZE(data)
    if size != DENSE_SIZE or memcmp(registers, b"HYLL\0", 5) != 0:
        return first
    while first < len(elements):
        element = <bytes?>elements[first]
        hashed = murmur_hash(<const unsigned char *>PyBytes_AS_STRING(element), PyBytes_GET_SIZE(element))
        rest = hashed >> INDEX_BITS | <uint64_t>1 << VALUE_BITS
        value = 1
        while not rest & 1:
            rest >>= 1
            value += 1
        pos = HEADER + ((hashed & 0x3FFF) * 6 >> 3)
        shift = (hashed & 0x3FFF) * 6 & 7
        held = registers[pos] >> shift
        if shift > 2:
            held |= registers[pos + 1] << (8 - shift)
        if value > (held & 63):
            break
        first += 1
    return first
