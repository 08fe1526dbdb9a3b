# cython: language_level=3
"""The compiled twin of syncloop.py."""

from libc.errno cimport EINTR, errno
from libc.stdint cimport int32_t
from posix.unistd cimport fdatasync, read, write


def sync_descriptors(int jobs, int done):
    """See syncloop.py."""
    cdef int32_t descriptor, outcome
    cdef Py_ssize_t moved
    with nogil:
        while True:
            moved = read(jobs, &descriptor, sizeof(descriptor))
            while moved < 0 and errno == EINTR:
                moved = read(jobs, &descriptor, sizeof(descriptor))
            if moved != sizeof(descriptor) or descriptor < 0:
                break
            outcome = 0
            if fdatasync(descriptor) != 0:
                outcome = errno
            while write(done, &outcome, sizeof(outcome)) < 0 and errno == EINTR:
                pass
