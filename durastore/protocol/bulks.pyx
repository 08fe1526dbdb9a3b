# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=True
"""The compiled twin of bulks.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy


cdef inline Py_ssize_t _digits(Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t digits = 1
    while size >= 10:
        size //= 10
        digits += 1
    return digits


def bulk_strings(list items not None):
    """See bulks.py."""
    cdef Py_ssize_t total = 0, size, digits, place
    cdef bytes item
    # "$", the line ends behind the size and behind the string.
    for item in items:
        size = PyBytes_GET_SIZE(item)
        total += 5 + _digits(size) + size
    out = PyBytes_FromStringAndSize(NULL, total)
    cdef char* at = PyBytes_AS_STRING(out)
    for item in items:
        size = PyBytes_GET_SIZE(item)
        at[0] = b"$"
        at += 1
        digits = _digits(size)
        place = size
        for i in range(digits - 1, -1, -1):
            at[i] = <char> (48 + place % 10)
            place //= 10
        at += digits
        at[0] = b"\r"
        at[1] = b"\n"
        memcpy(at + 2, PyBytes_AS_STRING(item), size)
        at += size + 2
        at[0] = b"\r"
        at[1] = b"\n"
        at += 2
    return out
