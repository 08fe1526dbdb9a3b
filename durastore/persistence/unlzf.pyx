# cython: language_level=3, boundscheck=False, wraparound=False
"""The compiled twin of unlzf.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

cdef enum:
    LITERALS = 32
    RATIO = 88


class LzfError(ValueError):
    """See unlzf.py."""


def decompress(bytes data not None, long long size):
    """See unlzf.py."""
    cdef const unsigned char* packed = <const unsigned char*> PyBytes_AS_STRING(data)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t pos = 0, done = 0, length, source, stop
    cdef int control
    if size <= 0 or size > end * RATIO:
        raise LzfError("impossible length of a compressed string")
    original = PyBytes_FromStringAndSize(NULL, size)
    cdef unsigned char* out = <unsigned char*> PyBytes_AS_STRING(original)
    while pos < end:
        control = packed[pos]
        pos += 1
        if control < LITERALS:
            length = control + 1
            if pos + length > end or done + length > size:
                raise LzfError("literals beyond the end of a compressed string")
            memcpy(out + done, packed + pos, length)
            pos += length
            done += length
            continue
        length = control >> 5
        if length == 7:
            if pos >= end:
                raise LzfError("compressed string ends within a copy")
            length += packed[pos]
            pos += 1
        length += 2
        if pos >= end:
            raise LzfError("compressed string ends within a copy")
        source = done - ((control & 31) << 8 | packed[pos]) - 1
        pos += 1
        if source < 0 or done + length > size:
            raise LzfError("copy from beyond the bounds of a compressed string")
        # It may copy what it has just written, so one byte after the other.
        stop = source + length
        while source < stop:
            out[done] = out[source]
            done += 1
            source += 1
    if done != size:
        raise LzfError("compressed string is shorter than announced")
    return original
