# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=True
"""The compiled twin of packed_bulks.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int16_t, int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from durastore.protocol.digits cimport digits_of, write_digits, write_size

ctypedef const unsigned char* Bytes


cdef struct Element:
    # An integer's text is NULL.
    Bytes text
    Py_ssize_t size
    int64_t value


cdef inline uint64_t _magnitude(int64_t value) noexcept nogil:
    return <uint64_t> value if value >= 0 else 0 - <uint64_t> value


cdef inline Py_ssize_t _back_length(Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t width = 1
    while size >= 128 and width < 5:
        size >>= 7
        width += 1
    return width


cdef inline Py_ssize_t _string(Element* into, Bytes blob, Py_ssize_t pos, Py_ssize_t head, Py_ssize_t size) noexcept nogil:
    into.text = blob + pos + head
    into.size = size
    into.value = 0
    return pos + head + size + _back_length(head + size)


cdef inline Py_ssize_t _integer(Element* into, Py_ssize_t behind, int64_t value) noexcept nogil:
    into.text = NULL
    into.value = value
    into.size = digits_of(_magnitude(value)) + (value < 0)
    return behind


cdef inline Py_ssize_t _read(Element* into, Bytes blob, Py_ssize_t pos) noexcept nogil:
    """The element at ``pos``; the position behind it."""
    cdef unsigned char first = blob[pos]
    cdef int16_t short_value
    cdef int32_t word
    cdef int64_t value
    if first < 0x80:
        return _integer(into, pos + 2, first)
    if first < 0xC0:
        return _string(into, blob, pos, 1, first & 0x3F)
    if first < 0xE0:
        value = (first & 0x1F) << 8 | blob[pos + 1]
        return _integer(into, pos + 3, value - 8192 if value > 4095 else value)
    if first < 0xF0:
        return _string(into, blob, pos, 2, (first & 0x0F) << 8 | blob[pos + 1])
    if first == 0xF0:
        memcpy(&word, blob + pos + 1, 4)
        return _string(into, blob, pos, 5, word)
    if first == 0xF1:
        memcpy(&short_value, blob + pos + 1, 2)
        return _integer(into, pos + 4, short_value)
    if first == 0xF2:
        value = blob[pos + 1] | blob[pos + 2] << 8 | blob[pos + 3] << 16
        return _integer(into, pos + 5, value - 0x1000000 if value > 0x7FFFFF else value)
    if first == 0xF3:
        memcpy(&word, blob + pos + 1, 4)
        return _integer(into, pos + 6, word)
    memcpy(&value, blob + pos + 1, 8)
    return _integer(into, pos + 10, value)


def packed_bulks(bytes listpack not None, Py_ssize_t pos, Py_ssize_t count, Py_ssize_t step=1):
    """See packed_bulks.py."""
    cdef Bytes blob = <Bytes> PyBytes_AS_STRING(listpack)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(listpack)
    cdef Py_ssize_t behind = pos, total = 0, i, skipped
    cdef Element found, passed
    for i in range(count):
        if behind >= end:
            raise IndexError("there are not so many elements")
        behind = _read(&found, blob, behind)
        # "$", the line ends behind the size and behind the string.
        total += 5 + digits_of(found.size) + found.size
        if i + 1 < count:
            for skipped in range(1, step):
                if behind >= end:
                    raise IndexError("there are not so many elements")
                behind = _read(&passed, blob, behind)
    if behind > end:
        raise IndexError("there are not so many elements")
    out = PyBytes_FromStringAndSize(NULL, total)
    cdef char* at = PyBytes_AS_STRING(out)
    for i in range(count):
        pos = _read(&found, blob, pos)
        at = write_size(at, found.size)
        if found.text != NULL:
            memcpy(at, found.text, found.size)
            at += found.size
        elif found.value < 0:
            at[0] = b"-"
            at = write_digits(at + 1, _magnitude(found.value), found.size - 1)
        else:
            at = write_digits(at, found.value, found.size)
        at[0] = b"\r"
        at[1] = b"\n"
        at += 2
        if i + 1 < count:
            for skipped in range(1, step):
                pos = _read(&passed, blob, pos)
    return out


cdef inline Py_ssize_t _member(Element* into, Bytes packed, Py_ssize_t place, Py_ssize_t end) noexcept nogil:
    """The member of the entry at ``place``; the place behind it, or one beyond the end."""
    cdef Py_ssize_t start = place + 1 + (1 << (packed[place] >> 6))
    cdef Py_ssize_t size = packed[place] & 63
    cdef int32_t word
    if size == 63:
        if start + 4 > end:
            return end + 1
        memcpy(&word, packed + start, 4)
        size = word
        start += 4
    into.text = packed + start
    into.size = size
    return start + size


def packed_members(bytes packed not None, Py_ssize_t place, Py_ssize_t count):
    """See packed_bulks.py."""
    cdef Bytes blob = <Bytes> PyBytes_AS_STRING(packed)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(packed)
    cdef Py_ssize_t behind = place, total = 0, i
    cdef Element found
    for i in range(count):
        if behind >= end:
            raise IndexError("there are not so many entries")
        behind = _member(&found, blob, behind, end)
        if behind > end:
            raise IndexError("there are not so many entries")
        total += 5 + digits_of(found.size) + found.size
    out = PyBytes_FromStringAndSize(NULL, total)
    cdef char* at = PyBytes_AS_STRING(out)
    for i in range(count):
        place = _member(&found, blob, place, end)
        at = write_size(at, found.size)
        memcpy(at, found.text, found.size)
        at[found.size] = b"\r"
        at[found.size + 1] = b"\n"
        at += found.size + 2
    return out
