"""SAVE, BGSAVE and the save points: when snapshots are taken, and what became of the last one.

A snapshot is written to a temporary file, fsynced, renamed over the old one, and the folder is fsynced: at every
moment the folder holds one whole snapshot.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

import trio

from durastore.engine.engine import Engine
from durastore.keyspace.keyspace import Keyspace
from durastore.persistence.disk import TEMPORARY_PREFIX, Disk, File
from durastore.persistence.serializer import Serializer
from durastore.persistence.snapshot import Snapshot
from durastore.protocol.identity import REDIS_VERSION

log = logging.getLogger("durastore.persistence")

# The longest that a snapshot keeps the event loop, in seconds.
SLICE = 0.001
# With incremental fsync, a file goes to disk in pieces of so many bytes: one fsync of all of it would hold up those of
# the log.
SYNC_EVERY = 4 << 20
# A failed background save is not tried again by the save points before so many seconds are over.
RETRY_DELAY = 5


class SaveError(Exception):
    """A snapshot could not be written; the text says why."""


def auxiliary_fields(keyspace: Keyspace, *, aof_base: bool) -> list[tuple[bytes, bytes]]:
    """What an RDB file of the present tells of itself, under Redis's names; ``used-mem`` is the dataset's memory."""
    return [
        (b"redis-ver", REDIS_VERSION.encode()),
        (b"redis-bits", b"64"),
        (b"ctime", b"%d" % int(time.time())),
        (b"used-mem", b"%d" % keyspace.used()),
        (b"aof-base", b"%d" % aof_base),
    ]


async def write_file(
    snapshot: Snapshot, disk: Disk, path: str, cpu_percent: Callable[[], int], incremental_fsync: bool
) -> None:
    """Writes a snapshot to a file that is on disk then; where that fails or is cancelled, the file is gone.

    It goes in slices, and gives the rest of each period to whoever else wants to run.  The disk is only ever waited for
    in threads.
    """
    file = await trio.to_thread.run_sync(disk.create, path)
    whole = False
    try:
        unsynced = 0
        while not snapshot.finished:
            begun = time.perf_counter()
            chunk = snapshot.step(begun + SLICE, time.perf_counter)
            used = time.perf_counter() - begun
            if chunk:
                await trio.to_thread.run_sync(file.write_all, chunk)
                unsynced += len(chunk)
            if unsynced >= SYNC_EVERY and incremental_fsync:
                await trio.to_thread.run_sync(file.fsync)
                unsynced = 0
            percent = cpu_percent()
            if percent < 100:
                await trio.sleep(used * (100 - percent) / percent)
            else:
                await trio.lowlevel.checkpoint()
        await trio.to_thread.run_sync(file.fsync)
        whole = True
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(_end_file, disk, path, file, whole)


def write_file_now(snapshot: Snapshot, disk: Disk, path: str) -> None:
    """As ``write_file``, in one go."""
    file = disk.create(path)
    whole = False
    try:
        while not snapshot.finished:
            chunk = snapshot.step(float("inf"), time.perf_counter)
            if chunk:
                file.write_all(chunk)
        file.fsync()
        whole = True
    finally:
        _end_file(disk, path, file, whole)


def _end_file(disk: Disk, path: str, file: File, whole: bool) -> None:
    try:
        file.close()
        if not whole:
            disk.remove(path)
    except OSError as error:
        log.warning("Cannot remove %s: %s", path, error)


def publish(disk: Disk, temporary: str, path: str) -> None:
    """Gives a file that is on disk the name under which it counts; removes it where that fails."""
    try:
        disk.rename(temporary, path)
    except OSError:
        discard(disk, temporary)
        raise
    disk.fsync_folder(os.path.dirname(path) or ".")


def discard(disk: Disk, path: str) -> None:
    """Removes a file that is not needed, if it is there."""
    try:
        if disk.exists(path):
            disk.remove(path)
    except OSError as error:
        log.warning("Cannot remove %s: %s", path, error)


class Saver:
    """The RDB file of one server."""

    def __init__(
        self,
        engine: Engine,
        disk: Disk,
        path: Callable[[], str],
        serializer: Callable[[], Serializer],
        cpu_percent: Callable[[], int],
        incremental_fsync: Callable[[], bool],
        on_outcome: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._disk = disk
        self._path = path
        self._serializer = serializer
        self._cpu_percent = cpu_percent
        self._incremental_fsync = incremental_fsync
        self._on_outcome = on_outcome
        self._nursery: trio.Nursery | None = None
        self._scope: trio.CancelScope | None = None
        self.snapshot: Snapshot | None = None
        # Whether the background save that still runs is to leave nothing; read by the thread that publishes it.
        self._cancelled = False
        self._publishing = threading.Lock()
        # A save that waits until a rewrite of the log is done.
        self.scheduled = False
        self.saves = 0
        self.last_save = int(time.time())
        # The same by the monotonic clock.
        self.last_good = time.monotonic()
        self.last_attempt = 0.0
        self.last_ok = True
        self.last_seconds = -1
        self.started = 0.0

    def open(self, nursery: trio.Nursery) -> None:
        """From here on background saves run in this nursery."""
        self._nursery = nursery

    @property
    def in_progress(self) -> bool:
        """Whether a background save runs."""
        return self.snapshot is not None

    def save(self) -> None:
        """Writes a snapshot now, and returns when it is on disk.  Raises SaveError.

        A background save that still runs has an older state to tell, and is cancelled; what a thread does for it at
        this moment goes on, hence the file of its own.
        """
        self.cancel()
        begun = time.monotonic()
        dirty = self._engine.instance.dirty
        path = self._path()
        snapshot = self._begin(at_once=True)
        try:
            temporary = self._temporary(path)
            write_file_now(snapshot, self._disk, temporary)
            with self._publishing:
                publish(self._disk, temporary, path)
        except OSError as error:
            self._failed(error)
            raise SaveError(str(error)) from error
        finally:
            snapshot.close()
        self._succeeded(int(dirty), int(snapshot.keys_written), begun)

    def start(self) -> None:
        """Begins a background save of the present state."""
        assert self._nursery is not None
        assert self.snapshot is None
        self.scheduled = False
        self._cancelled = False
        self.started = self.last_attempt = time.monotonic()
        self.snapshot = self._begin(at_once=False)
        log.info("Background saving started")
        self._scope = trio.CancelScope()
        self._nursery.start_soon(self._run, self._scope, self.snapshot, int(self._engine.instance.dirty))

    def cancel(self) -> None:
        """Ends a background save without a result."""
        if self._scope is not None:
            self._cancelled = True
            self._scope.cancel()
        if self.snapshot is not None:
            self.snapshot.close()

    def abandon(self) -> None:
        """Removes what saves that will not end have left, as the process is about to."""
        discard(self._disk, self._temporary(self._path()))
        discard(self._disk, self._temporary(self._path(), "bg-"))

    async def _run(self, scope: trio.CancelScope, snapshot: Snapshot, dirty: int) -> None:
        begun = self.started
        path = self._path()
        temporary = self._temporary(path, "bg-")
        try:
            with scope:
                await write_file(snapshot, self._disk, temporary, self._cpu_percent, self._incremental_fsync())
                await trio.to_thread.run_sync(self._publish_unless_cancelled, temporary, path)
            if self._cancelled:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(discard, self._disk, temporary)
                log.info("Background saving cancelled")
            else:
                self._succeeded(dirty, int(snapshot.keys_written), begun)
        except OSError as error:
            self._failed(error)
        finally:
            snapshot.close()
            self.snapshot = None
            self._scope = None

    def _publish_unless_cancelled(self, temporary: str, path: str) -> None:
        with self._publishing:
            if not self._cancelled:
                publish(self._disk, temporary, path)

    def _begin(self, at_once: bool) -> Snapshot:
        keyspace = self._engine.instance.keyspace
        return Snapshot(keyspace, self._serializer(), auxiliary_fields(keyspace, aof_base=False), at_once)

    @staticmethod
    def _temporary(path: str, kind: str = "") -> str:
        return os.path.join(os.path.dirname(path), f"{TEMPORARY_PREFIX}{kind}{os.getpid()}.rdb")

    def _succeeded(self, dirty: int, keys: int, begun: float) -> None:
        self._engine.instance.dirty -= dirty
        self.saves += 1
        self.last_save = int(time.time())
        self.last_good = time.monotonic()
        self.last_ok = True
        self.last_seconds = int(time.monotonic() - begun)
        self._on_outcome()
        log.info("DB saved on disk (%d keys, %.3f seconds)", keys, time.monotonic() - begun)

    def _failed(self, error: OSError) -> None:
        self.last_ok = False
        self._on_outcome()
        log.error("Error saving DB on disk: %s", error)

    def may_retry(self, monotonic: float) -> bool:
        """Whether the save points may start another save after a failure."""
        return self.last_ok or monotonic - self.last_attempt > RETRY_DELAY
