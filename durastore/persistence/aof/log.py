"""The append-only log of a running server: appending, and making what was appended durable.

Replies leave after ``append``; under ``appendfsync always`` they wait until ``durable`` has reached their offset, while
the next wakes go on: all that arrived while one fsync ran shares the next one (group commit).

A failure is never taken for success.  What could not be written is kept and tried again, and writes are refused until
it is in the file.  After a failed fsync nobody knows which pages are on disk, so the file is not trusted again: a
rewrite puts a new base in its place (``rewrite.py``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import trio

from durastore.engine.journal import Journal, JournalSink
from durastore.persistence.aof.manifest import AofError
from durastore.persistence.aof.writer import AofWriter
from durastore.persistence.disk import Disk

log = logging.getLogger("durastore.persistence")

# With appendfsync everysec, an append waits at most so long (seconds) for an fsync that is under way: some file
# systems hold up a write to a file that is being synced.
POSTPONE_LIMIT = 1.0


class LogSettings:
    """What the conf file says about the log; times and sizes in seconds and bytes."""

    def __init__(
        self,
        *,
        folder: str,
        filename: str,
        fsync: str,
        timestamps: bool,
        rdb_preamble: bool,
        no_fsync_on_rewrite: bool,
        rewrite_percentage: int,
        rewrite_min_size: int,
        load_truncated: bool,
    ) -> None:
        self.folder = folder
        self.filename = filename
        self.fsync = fsync
        self.timestamps = timestamps
        self.rdb_preamble = rdb_preamble
        self.no_fsync_on_rewrite = no_fsync_on_rewrite
        self.rewrite_percentage = rewrite_percentage
        self.rewrite_min_size = rewrite_min_size
        self.load_truncated = load_truncated


class AppendLog(JournalSink):
    """The log as the hub and the periodic work see it.

    Offsets count all bytes of journal since the server started, over all files.
    """

    def __init__(
        self,
        journal: Journal,
        disk: Disk,
        settings: LogSettings,
        on_durable: Callable[[int], None],
        on_failure: Callable[[], None],
        on_state: Callable[[], None],
    ) -> None:
        super().__init__()
        self.settings = settings
        self._journal = journal
        self._disk = disk
        self._on_durable = on_durable
        self._on_failure = on_failure
        self._on_state = on_state
        self.writer: AofWriter | None = None
        # Files that no longer grow, and hold bytes that are not known to be on disk.
        self._retired: list[AofWriter] = []
        self._written = 0
        self.durable = 0
        self._sync_wanted = trio.Event()
        self._sync_begun = 0.0
        self.syncing = False
        self.rewriting = False
        self._postponed: list[bytes] = []
        self._postponed_since = 0.0
        self.delayed_fsyncs = 0
        self.last_fsync = time.time()
        # Why writes are refused, or None; and the journal that is not in the file for that reason.
        self.error: str | None = None
        self._unwritten = b""
        # The part of it that is older than the rewrite under way, whose base will hold it.
        self._covered = b""
        # Whether the files on disk can be relied on; a failed fsync ends it, a rewrite mends it.
        self.trusted = True
        self._mending = False

    def appended(self) -> int:
        """See JournalSink."""
        return self._written

    def durable_offset(self) -> int:
        """See JournalSink."""
        return self.durable

    def wait_for_disk(self) -> bool:
        """See JournalSink."""
        return self.writer is not None and self.durable < self._written and self.settings.fsync == "always"

    def unwritten(self) -> int:
        """How many bytes of journal are not in the file yet."""
        return len(self._covered) + len(self._unwritten) + sum(len(part) for part in self._postponed)

    def append(self, data: bytes, now: int) -> bool:
        """See JournalSink."""
        writer = self.writer
        if writer is None:
            return True
        self._written += len(data)
        if self.error is not None:
            self._unwritten += data
            return False
        policy = self.settings.fsync
        if self.syncing and policy == "everysec":
            if not self._postponed:
                self._postponed_since = time.monotonic()
                self._postponed.append(data)
                return True
            if time.monotonic() - self._postponed_since < POSTPONE_LIMIT:
                self._postponed.append(data)
                return True
            self.delayed_fsyncs += 1
        if self._postponed:
            self._postponed.append(data)
            data = b"".join(self._postponed)
            self._postponed = []
        return self._write(writer, data, now)

    def _write(self, writer: AofWriter, data: bytes, now: int) -> bool:
        try:
            writer.append(data, now)
        except AofError as error:
            self._unwritten = data
            self._fail(str(error))
            return False
        if self.settings.fsync != "no":
            self._sync_wanted.set()
        return True

    def _write_postponed(self) -> None:
        if self._postponed and self.writer is not None and self.error is None:
            data = b"".join(self._postponed)
            self._postponed = []
            self._write(self.writer, data, int(time.time() * 1000))

    def _fail(self, reason: str) -> None:
        if self.error is None:
            log.error("Error writing to the AOF file: %s. Writes are refused until it can be written again.", reason)
        self.error = reason
        self._on_state()

    def refusal(self) -> bytes | None:
        """Why writes are to be refused, as an error text, or None."""
        if self.error is None:
            return None
        return b"MISCONF Errors writing to the AOF file: " + self.error.encode("utf-8", "replace")

    def retry(self, now: int) -> None:
        """Tries again what could not be written."""
        if self.error is None or self.writer is None or self.rewriting or not self.trusted or not self.writer.trusted:
            return
        data, self._unwritten = self._unwritten, b""
        self.error = None
        if not data or self._write(self.writer, data, now):
            log.warning("AOF write error looks solved, writes are accepted again.")
            self._on_state()

    # Durability

    async def run_sync(self) -> None:
        """Makes what is appended durable, as ``appendfsync`` says, until cancelled."""
        while True:
            await self._sync_wanted.wait()
            if self.settings.fsync == "everysec":
                await trio.sleep(max(self._sync_begun + 1.0 - time.monotonic(), 0))
            self._sync_wanted = trio.Event()
            if self.settings.no_fsync_on_rewrite and self.rewriting and self.settings.fsync == "everysec":
                continue
            await self._sync()

    async def _sync(self) -> None:
        writer = self.writer
        if writer is None:
            self._close_retired(len(self._retired))
            return
        retired = len(self._retired)
        target = self._written - self.unwritten()
        self.syncing = True
        self._sync_begun = time.monotonic()
        try:
            await trio.to_thread.run_sync(_sync_files, [*self._retired, writer])
        except OSError as error:
            self._sync_failed(error)
            return
        finally:
            self.syncing = False
        self._close_retired(retired)
        self._reached(target)
        self._write_postponed()

    def _close_retired(self, count: int) -> None:
        """Closes the oldest files that no longer grow; never while a thread may be syncing them."""
        for each in self._retired[:count]:
            each.close()
        del self._retired[:count]

    def _reached(self, target: int) -> None:
        self.durable = max(self.durable, target)
        self.last_fsync = time.time()
        self._on_durable(self.durable)

    def _sync_failed(self, error: OSError) -> None:
        self.trusted = False
        self._fail(f"fsync: {error.strerror or error}")
        self._on_failure()

    def policy_changed(self) -> None:
        """``appendfsync`` was set: nobody waits longer than the new policy asks."""
        if self.settings.fsync != "no":
            self._sync_wanted.set()
        if self.settings.fsync != "always":
            self._on_durable(self._written)

    def flush_now(self) -> bool:
        """Appends and makes durable all there is, at once; False where that failed."""
        writer = self.writer
        if writer is None:
            return True
        now = int(time.time() * 1000)
        if len(self._journal.out):
            self.append(self._journal.take(), now)
        self._write_postponed()
        self.retry(now)
        if self.error is not None:
            return False
        try:
            _sync_files([*self._retired, writer])
        except OSError as error:
            self._sync_failed(error)
            return False
        self._reached(self._written)
        return True

    # Files

    def switch(self, writer: AofWriter | None) -> None:
        """Goes on in another file (None: no log), as a rewrite does when it begins.

        What could not be written to the old file so far is left to the base that the rewrite makes.
        """
        self._write_postponed()
        if self.writer is not None:
            self._retired.append(self.writer)
        elif writer is not None:
            self.durable = self._written
        self.writer = writer
        self._journal.enabled = writer is not None
        self._journal.restart()
        if writer is None:
            self._forget()
            return
        self._covered += self._unwritten
        self._unwritten = b""
        self._mending = not self.trusted
        self.trusted = True
        self._sync_wanted.set()

    def rewritten(self) -> None:
        """The rewrite that began with ``switch`` is done: its base holds every effect up to then."""
        self._covered = b""
        self._mending = False
        if self.error is not None and self.trusted and not self._unwritten:
            self.error = None
            log.warning("The AOF was rewritten after an error, writes are accepted again.")
            self._on_state()

    def rewrite_failed(self) -> None:
        """The rewrite that began with ``switch`` came to nothing: what its base was to hold is owed to the log."""
        self._unwritten = self._covered + self._unwritten
        self._covered = b""
        if self._mending:
            self._mending = False
            self.trusted = False

    def _forget(self) -> None:
        """There is no log any more, and nothing is owed to it."""
        if not self.syncing:
            self._close_retired(len(self._retired))
        self._covered = self._unwritten = b""
        self.error = None
        self.trusted = True
        self._on_durable(self._written)
        self._on_state()


def _sync_files(writers: list[AofWriter]) -> None:
    for writer in writers:
        writer.file.fsync()
