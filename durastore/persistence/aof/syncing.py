"""The thread that fsyncs the files of the log, one job at a time, while the event loop goes on.

A job is handed over through a pipe, and another pipe, which the event loop watches beside its sockets, tells that it is
done.  Nothing of this passes through trio's own worker threads, whose hand-over takes as long as a fast disk's fsync;
and where the loop of the thread is compiled, it never asks for the interpreter's lock (``syncloop``).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

import trio
from mypy_extensions import mypyc_attr

from durastore.persistence.aof.syncloop import sync_descriptors
from durastore.persistence.aof.writer import AofWriter

# What the thread is told instead of a descriptor: that there is a job that only ``SyncJob.run`` can do, or none.
_ASK = (-1).to_bytes(4, sys.byteorder, signed=True)
_DONE = bytes(8)
# An fsync that takes up to so long (nanoseconds) is quick: to have the thread do it and tell costs as much.
_QUICK = 500_000
# How many fsyncs it takes, about, to change what is expected of the next one.
_AVERAGED = 8


class SyncJob:
    """Files to fsync.  ``target`` is the offset that is durable then; ``retired`` are closed behind it."""

    def __init__(self, files: Sequence[AofWriter], retired: Sequence[AofWriter], target: int) -> None:
        self.files = files
        self.retired = retired
        self.target = target
        # Taken for failed until it is known that it was not.
        self.error: OSError | None = OSError(errno.EIO, "the fsync did not end")

    def descriptor(self) -> int:
        """The descriptor that is all there is to sync, or -1."""
        return self.files[0].file.descriptor() if len(self.files) == 1 and not self.retired else -1

    def run(self) -> None:
        """Does it; why it failed is in ``error``, None where it did not."""
        try:
            for each in self.files:
                each.file.fsync()
            self.error = None
        except OSError as error:
            self.error = error
        for each in self.retired:
            # It is on disk, or known not to be: what close says changes neither.
            with contextlib.suppress(OSError):
                each.close()


@mypyc_attr(allow_interpreted_subclasses=True)
class SyncThread:
    """Does jobs; ``watched`` becomes readable when one is done, and ``finished`` has it."""

    def __init__(self) -> None:
        self._take, self._hand = os.pipe2(os.O_CLOEXEC)
        self.watched, self._tell = os.pipe2(os.O_CLOEXEC)
        # Whether jobs may be handed over.
        self.alive = False
        self.job: SyncJob | None = None
        self._ending = False
        # How long an fsync takes, and how long one may take that is quick, in nanoseconds.
        self._time = 0.0
        self.quick_limit = _QUICK
        # For the thread: a job that is not just a descriptor.
        self._asked: deque[SyncJob] = deque()

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return self.job is not None

    def quick(self) -> bool:
        """Whether an fsync is done as soon as it is handed over: ``run_here`` is for such disks."""
        return self._time <= self.quick_limit

    def expected(self) -> int:
        """How long the next fsync takes, as far as is known, in nanoseconds."""
        return int(self._time)

    def _timed(self, nanoseconds: int) -> None:
        self._time += (nanoseconds - self._time) / _AVERAGED

    def run_here(self, job: SyncJob) -> None:
        """Does a job while the caller waits."""
        start = time.monotonic_ns()
        job.run()
        self._timed(time.monotonic_ns() - start)

    def begin(self, job: SyncJob) -> None:
        """Hands a job over; there is at most one at a time."""
        assert self.alive
        assert self.job is None
        self.job = job
        descriptor = job.descriptor()
        if descriptor >= 0:
            os.write(self._hand, descriptor.to_bytes(4, sys.byteorder))
        else:
            self._asked.append(job)
            os.write(self._hand, _ASK)

    def finished(self) -> SyncJob | None:
        """The job that is done, as ``watched`` tells; keeps the caller until it is.  None where there is none."""
        job = self.job
        if job is None:
            return None
        outcome = int.from_bytes(os.read(self.watched, 8), sys.byteorder, signed=True)
        if outcome < 0:
            job.error = OSError(-outcome, os.strerror(-outcome))
        elif job.descriptor() >= 0:
            job.error = None
            self._timed(outcome)
        self.job = None
        return job

    async def run(self, ready: Callable[[], None]) -> None:
        """The life of the thread: it calls ``ready`` in the event loop, and ends when this is cancelled."""
        limiter = trio.CapacityLimiter(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: trio.to_thread.run_sync(self._work, ready, limiter=limiter))
            try:
                await trio.sleep_forever()
            finally:
                self._ending = True
                self.alive = False
                os.write(self._hand, _ASK)

    def _begun(self, ready: Callable[[], None]) -> None:
        if not self._ending:
            self.alive = True
            ready()

    def _work(self, ready: Callable[[], None]) -> None:
        trio.from_thread.run_sync(self._begun, ready)
        while True:
            sync_descriptors(self._take, self._tell)
            if not self._asked:
                return
            job = self._asked.popleft()
            try:
                job.run()
            finally:
                os.write(self._tell, _DONE)

    def close(self) -> None:
        """Gives the descriptors back."""
        for descriptor in (self._take, self._hand, self.watched, self._tell):
            os.close(descriptor)
