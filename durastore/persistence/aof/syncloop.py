"""The loop of the thread that fsyncs the log.

Where it is compiled (syncloop.pyx) it runs without the interpreter's lock, and so never holds up the event loop.
Descriptors and error numbers go through the pipes as 32-bit integers in the machine's order.
"""

from __future__ import annotations

import errno
import os
import sys


def sync_descriptors(jobs: int, done: int) -> None:
    """Syncs the data of each descriptor that comes from the pipe ``jobs``, and answers each into the pipe ``done``.

    The answer is the error number, 0 where there was none.  Returns when a number comes that is no descriptor.
    """
    while True:
        descriptor = int.from_bytes(os.read(jobs, 4), sys.byteorder, signed=True)
        if descriptor < 0:
            return
        outcome = 0
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            outcome = error.errno or errno.EIO
        os.write(done, outcome.to_bytes(4, sys.byteorder))
