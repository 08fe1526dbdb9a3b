# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=True
"""The compiled twin of bulks.py."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from durastore.protocol.digits cimport digits_of, write_size


def bulk_strings(list items not None):
    """See bulks.py."""
    cdef Py_ssize_t total = 0, size
    cdef bytes item
    # "$", the line ends behind the size and behind the string.
    for item in items:
        size = PyBytes_GET_SIZE(item)
        total += 5 + digits_of(size) + size
    out = PyBytes_FromStringAndSize(NULL, total)
    cdef char* at = PyBytes_AS_STRING(out)
    for item in items:
        size = PyBytes_GET_SIZE(item)
        at = write_size(at, size)
        memcpy(at, PyBytes_AS_STRING(item), size)
        at[size] = b"\r"
        at[size + 1] = b"\n"
        at += size + 2
    return out
