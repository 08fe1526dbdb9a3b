"""The loop of the thread that fsyncs the log.

Where it is compiled (syncloop.pyx) it runs without the interpreter's lock, and so never holds up the event loop.
Descriptors go through their pipe as 32-bit integers in the machine's order, answers through theirs as 64-bit ones.
"""

from __future__ import annotations

import errno
import os
import sys
import time


def sync_descriptors(jobs: int, done: int) -> None:
    """Syncs the data of each descriptor that comes from the pipe ``jobs``, and answers each into the pipe ``done``.

    The answer is how many nanoseconds it took, or, less than 0, the error number.  Returns when a number comes that is
    no descriptor.
    """
    while True:
        descriptor = int.from_bytes(os.read(jobs, 4), sys.byteorder, signed=True)
        if descriptor < 0:
            return
        start = time.monotonic_ns()
        try:
            os.fdatasync(descriptor)
            outcome = time.monotonic_ns() - start
        except OSError as error:
            outcome = -(error.errno or errno.EIO)
        os.write(done, outcome.to_bytes(8, sys.byteorder, signed=True))
