# cython: language_level=3, cdivision=True
"""Decimal digits of sizes and numbers, for the compiled twins that write replies."""

from libc.stdint cimport uint64_t


cdef inline Py_ssize_t digits_of(uint64_t number) noexcept nogil:
    """How many there are."""
    cdef Py_ssize_t digits = 1
    while number >= 10:
        number //= 10
        digits += 1
    return digits


cdef inline char* write_digits(char* at, uint64_t number, Py_ssize_t digits) noexcept nogil:
    """Writes so many; the place behind them."""
    cdef Py_ssize_t i
    for i in range(digits - 1, -1, -1):
        at[i] = <char> (48 + number % 10)
        number //= 10
    return at + digits


cdef inline char* write_size(char* at, Py_ssize_t size) noexcept nogil:
    """Writes what stands before a bulk string; the place behind it."""
    at[0] = b"$"
    at = write_digits(at + 1, size, digits_of(size))
    at[0] = b"\r"
    at[1] = b"\n"
    return at + 2
