# cython: language_level=3
"""The compiled twin of syncloop.py."""

from libc.errno cimport EINTR, errno
from libc.stdint cimport int32_t, int64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.unistd cimport fdatasync, read, write


cdef int64_t monotonic() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * 1000000000 + now.tv_nsec


def sync_descriptors(int jobs, int done):
    """See syncloop.py."""
    cdef int32_t descriptor
    cdef int64_t start, outcome
    cdef Py_ssize_t moved
    with nogil:
        while True:
            moved = read(jobs, &descriptor, sizeof(descriptor))
            while moved < 0 and errno == EINTR:
                moved = read(jobs, &descriptor, sizeof(descriptor))
            if moved != sizeof(descriptor) or descriptor < 0:
                break
            start = monotonic()
            if fdatasync(descriptor) == 0:
                outcome = monotonic() - start
            else:
                outcome = -errno
            while write(done, &outcome, sizeof(outcome)) < 0 and errno == EINTR:
                pass
