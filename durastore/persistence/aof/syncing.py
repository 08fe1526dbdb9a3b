"""The thread that fsyncs the files of the log, one job at a time, while the event loop goes on.

A job is handed over through a queue and comes back through another; an eventfd, which the event loop watches beside its
sockets, tells that one came back.  Nothing of this passes through trio's own worker threads, whose hand-over takes as
long as a fast disk's fsync.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

import trio

from durastore.persistence.aof.writer import AofWriter


class SyncJob:
    """Files to fsync.  ``target`` is the offset that is durable then; ``retired`` are closed behind it."""

    def __init__(self, files: Sequence[AofWriter], retired: Sequence[AofWriter], target: int) -> None:
        self.files = files
        self.retired = retired
        self.target = target
        # Taken for failed until it is known that it was not.
        self.error: OSError | None = OSError(errno.EIO, "the fsync did not end")

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


class SyncThread:
    """Does jobs; ``descriptor`` becomes readable when one is done, and ``finished`` has it."""

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # Whether jobs may be handed over, and whether there is one under way.
        self.alive = False
        self.busy = False
        self._ending = False
        self._jobs: SimpleQueue[SyncJob | None] = SimpleQueue()
        self._done: SimpleQueue[SyncJob] = SimpleQueue()

    def begin(self, job: SyncJob) -> None:
        """Hands a job over; there is at most one at a time."""
        assert self.alive
        assert not self.busy
        self.busy = True
        self._jobs.put(job)

    def finished(self) -> SyncJob | None:
        """The job that is done, or None: the descriptor may be readable for one that ``wait`` has had."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.descriptor)
        try:
            job = self._done.get_nowait()
        except Empty:
            return None
        self.busy = False
        return job

    def wait(self) -> SyncJob | None:
        """Keeps the caller until the job under way is done; None where there is none."""
        if not self.busy:
            return None
        job = self._done.get()
        self.busy = False
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
                self._jobs.put(None)

    def _begun(self, ready: Callable[[], None]) -> None:
        if not self._ending:
            self.alive = True
            ready()

    def _work(self, ready: Callable[[], None]) -> None:
        trio.from_thread.run_sync(self._begun, ready)
        while (job := self._jobs.get()) is not None:
            try:
                job.run()
            finally:
                self._done.put(job)
                os.eventfd_write(self.descriptor, 1)
