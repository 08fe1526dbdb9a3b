"""Applications that have their jobs, their cache or their locks on a server, each as its own documentation has it.

A module for each: ``enqueue(n)``, ``result(n)`` (None where there is none yet) and ``held()``, the jobs that are still
in the application's own books on the server, for tests/interop/test_applications.py; and the job, which its worker
runs. They run in processes of their own: URL tells where the server is, DONE the file that the jobs write to.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

URL = os.environ.get("URL", "redis://127.0.0.1:6379/0")


def done(number: int) -> int:
    """What every job does: it leaves a line outside the server."""
    file = os.open(os.environ["DONE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b"%d\n" % number)
    os.close(file)
    return number * 2


def until_acknowledged(request: Callable[[], object], errors: type[Exception] | tuple[type[Exception], ...]) -> None:
    """Repeats a request until the server has acknowledged it."""
    while True:
        try:
            request()
        except errors:
            time.sleep(0.05)
        else:
            return
