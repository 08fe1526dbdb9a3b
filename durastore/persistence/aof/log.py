"""The append-only log of a running server: appending, and making what was appended durable.

Replies leave after ``append``; under ``appendfsync always`` they wait until ``durable`` has reached their offset.  A
disk that takes no longer for an fsync than a hand-over to a thread is waited for.  With any other the fsyncs run in a
thread of their own (``syncing``), while the next wakes go on: all that arrived during one fsync shares one write and
the next fsync (group commit).  Before a slow one begins, those who were just answered are waited for, for a moment: or
clients that write again and again would fall into two groups, each of which waits while the other's fsync runs.

A failure is never taken for success.  What could not be written is kept and tried again, and writes are refused until
it is in the file.  After a failed fsync nobody knows which pages are on disk, so the file is not trusted again: a
rewrite puts a new base in its place (``rewrite.py``).  Reads go on meanwhile, and wait for nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import trio

from durastore.engine.journal import Journal, JournalSink
from durastore.persistence.aof.distrust import leave_mark
from durastore.persistence.aof.manifest import AofError
from durastore.persistence.aof.syncing import SyncJob, SyncThread
from durastore.persistence.aof.writer import AofWriter
from durastore.persistence.disk import Disk

log = logging.getLogger("durastore.persistence")

# With appendfsync everysec, an append waits at most so long (seconds) for an fsync that is under way: some file
# systems hold up a write to a file that is being synced.
POSTPONE_LIMIT = 1.0
# So often (seconds) it is looked whether the file is still where a start would look for it.
PLACE_INTERVAL = 1.0
# With appendfsync always, an fsync that takes so long (nanoseconds) may wait for those who are answered by the one
# before it, if to serve them takes less, at so many nanoseconds each.  It waits for at most this share of its time.
GATHER_FROM = 1_000_000
GATHER_EACH = 40_000
GATHER_SHARE = 0.5


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
        incremental_fsync: bool,
        corrupt_tail: int = 0,
        history_max_age: int = 0,
        history_max_size: int = 0,
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
        self.corrupt_tail = corrupt_tail
        self.incremental_fsync = incremental_fsync
        self.history_max_age = history_max_age
        self.history_max_size = history_max_size


class AppendLog(JournalSink):
    """The log as the hub and the periodic work see it.

    Offsets count all bytes of journal since the server started, over all files.  ``saving`` tells whether a background
    save is under way.
    """

    def __init__(
        self,
        journal: Journal,
        disk: Disk,
        settings: LogSettings,
        on_durable: Callable[[int], None],
        on_failure: Callable[[], None],
        on_state: Callable[[], None],
        saving: Callable[[], bool],
    ) -> None:
        super().__init__()
        self.settings = settings
        self._journal = journal
        self._disk = disk
        self._on_durable = on_durable
        self._on_failure = on_failure
        self._on_state = on_state
        self._saving = saving
        self.writer: AofWriter | None = None
        # Files that no longer grow: to be synced and closed, or, where a new base takes their place, just closed.
        self._retired: list[AofWriter] = []
        self._given_up: list[AofWriter] = []
        self._accepted = 0
        self.durable = 0
        # When an fsync was good last, by the monotonic clock.
        self.last_good = time.monotonic()
        self.thread = SyncThread()
        self._sync_wanted = trio.Event()
        # Whether a sync was asked for while another one was under way.
        self._sync_again = False
        self._sync_begun = 0.0
        self.rewriting = False
        # Whether the file before the present one is on its way to disk.  Until it is there, nothing is written to the
        # present one: a power failure must not keep what came later and lose what came before.
        self.sealing = False
        # What waits for an fsync to end, with its times.
        self._postponed: list[tuple[bytes, int]] = []
        self._postponed_since = 0.0
        # Whether the next fsync waits for more to share it, and until when at most.
        self._gathering = False
        self._gather_until = 0.0
        self.delayed_fsyncs = 0
        # Why writes are refused, or None; and the journal that is not in the file for that reason.
        self.error: str | None = None
        self._unwritten = b""
        # The part of it that is older than the rewrite under way, whose base will hold it; and where that one began.
        self._covered = b""
        self._switched_at = 0
        # Whether the files on disk can be relied on.  A failed fsync ends it, and so does a file whose end could not be
        # restored; a rewrite mends it.
        self.trusted = True
        self._mending = False
        # A failed fsync has lost pages of the present file.  Another one would only bring to disk what stands behind
        # the gap.
        self._pages_lost = False
        self._place_looked_at = 0.0

    def appended(self) -> int:
        """See JournalSink.  What could not be written does not count yet."""
        return self._accepted - len(self._covered) - len(self._unwritten)

    def durable_offset(self) -> int:
        """See JournalSink."""
        return self.durable

    def wait_for_disk(self) -> bool:
        """See JournalSink."""
        return (
            self.settings.fsync == "always"
            and self.writer is not None
            and self.durable < self.appended()
            and self.reliable()
            and not self._sync_held()
        )

    def reliable(self) -> bool:
        """Whether a sync makes durable all that is in the files: before a log is mended, earlier bytes may be gone."""
        return self.trusted and not self._mending

    def _sync_held(self) -> bool:
        """no-appendfsync-on-rewrite."""
        settings = self.settings
        return settings.no_fsync_on_rewrite and settings.fsync != "no" and (self.rewriting or self._saving())

    def unwritten(self) -> int:
        """How many bytes of journal are not in the file yet."""
        return len(self._covered) + len(self._unwritten) + self._postponed_bytes()

    def behind(self) -> bool:
        """Whether anything that was appended, or is to be, is not known to be on disk."""
        return self.durable < self._accepted

    def _postponed_bytes(self) -> int:
        return sum(len(data) for data, _ in self._postponed)

    def append(self, data: bytes, now: int) -> bool:
        """See JournalSink."""
        writer = self.writer
        if writer is None:
            return True
        self._accepted += len(data)
        if self.error is not None:
            self._unwritten += data
            return False
        if self.sealing or self._shares_next():
            self._postpone(data, now)
            if self._gathering and time.monotonic() > self._gather_until:
                self.gathered()
                return self.refusal() is None
            return True
        if self.thread.busy and self.settings.fsync == "everysec":
            if not self._postponed:
                self._postponed_since = time.monotonic()
            if time.monotonic() - self._postponed_since < POSTPONE_LIMIT:
                self._postpone(data, now)
                return True
            self.delayed_fsyncs += 1
        if self._postponed:
            self._postpone(data, now)
            stretches = self._postponed
            self._postponed = []
            return self._write(writer, stretches)
        return self._write(writer, [(data, now)])

    def _shares_next(self) -> bool:
        """Whether what comes now is written when the fsync under way has ended, and shares one write and one fsync.

        It is answered no sooner than that anyhow.
        """
        if self._gathering:
            return True
        return self.thread.busy and self.settings.fsync == "always" and not self._sync_held()

    def gathers(self) -> bool:
        """See JournalSink."""
        return self._gathering

    def gathered(self) -> None:
        """See JournalSink."""
        self._write_postponed()
        if self._sync_again:
            self._sync_again = False
            self._go_on_syncing()

    def _postpone(self, data: bytes, now: int) -> None:
        """Keeps what is to be written later; what has the same time becomes one stretch."""
        if self._postponed and self._postponed[-1][1] == now:
            data = self._postponed.pop()[0] + data
        self._postponed.append((data, now))

    def _write(self, writer: AofWriter, stretches: list[tuple[bytes, int]]) -> bool:
        try:
            writer.append_all(stretches)
        except AofError as error:
            self._unwritten = b"".join([data for data, _ in stretches])
            self._fail(str(error))
            return False
        self._want_sync()
        return self.error is None

    def _write_postponed(self) -> None:
        """Writes what was kept, unless it is to be kept on."""
        self._gathering = False
        if self._postponed and self.writer is not None and self.error is None and not self.sealing:
            stretches = self._postponed
            self._postponed = []
            self._write(self.writer, stretches)

    def _fail(self, reason: str) -> None:
        """A write or an fsync has failed: writes are refused, and who waits for more than is on disk is cut off."""
        if self.error is None:
            log.error("Error writing to the AOF file: %s. Writes are refused until it can be written again.", reason)
        self.error = reason
        # What waited for an fsync to end comes behind what failed.
        self._unwritten += b"".join([data for data, _ in self._postponed])
        self._postponed = []
        self._gathering = False
        if self.writer is not None and not self.writer.trusted:
            # It ends in half a stretch, and has to be mended first.
            self.trusted = False
        self._on_state()
        self._on_durable(self.durable)
        self._on_failure()

    def refusal(self) -> bytes | None:
        """Why writes are to be refused, as an error text, or None."""
        if self.error is None:
            return None
        return b"MISCONF Errors writing to the AOF file: " + self.error.encode("utf-8", "replace")

    def look_after(self, now: int) -> None:
        """To be called now and then: tries again what could not be written, and syncs what was held back."""
        self._look_at_place()
        self._retry(now)
        if self.durable < self.appended():
            self._want_sync()

    def _look_at_place(self) -> None:
        """No start would read a file that somebody has removed or renamed: a rewrite puts another in its place."""
        writer = self.writer
        now = time.monotonic()
        if writer is None or not self.trusted or self.rewriting or now - self._place_looked_at < PLACE_INTERVAL:
            return
        self._place_looked_at = now
        try:
            if not writer.file.in_place():
                self.distrust(f"{writer.path} was removed, renamed or replaced")
        except OSError as error:
            log.warning("Cannot look whether %s is in its place: %s", writer.path, error.strerror or error)

    def _retry(self, now: int) -> None:
        writer = self.writer
        if self.error is None or writer is None or self.rewriting or self.sealing or not self.trusted:
            return
        try:
            if self._unwritten:
                writer.append(self._unwritten, now)
        except AofError as error:
            self._fail(str(error))
            return
        self._unwritten = b""
        self._recovered("AOF write error looks solved, writes are accepted again.")

    def _recovered(self, message: str) -> None:
        self.error = None
        log.warning(message)
        self._on_state()
        self._want_sync()

    # Durability

    def _want_sync(self) -> None:
        """Has what is appended made durable, as ``appendfsync`` says: at once, or within the second."""
        policy = self.settings.fsync
        if policy == "always":
            self._begin_sync()
        elif policy == "everysec":
            self._sync_wanted.set()

    def _go_on_syncing(self) -> None:
        """Has the next sync begun: at once where more waits for it than the policy knows of."""
        if self.sealing:
            self._begin_sync()
        else:
            self._want_sync()

    def _begin_sync(self) -> None:
        """Hands the files to the thread; while it is at work, what is appended gathers for the next time."""
        thread = self.thread
        if self._sync_held() and not self.sealing:
            self._on_durable(self._accepted)
        elif self._pages_lost:
            return
        elif thread.busy:
            self._sync_again = True
        elif thread.alive:
            self._sync_again = False
            self._sync_begun = time.monotonic()
            if self.settings.fsync == "always" and thread.quick() and not self._retired and not self._given_up:
                self._sync_here()
            else:
                thread.begin(self._job())

    def _job(self) -> SyncJob:
        files = self._retired if self.writer is None else [*self._retired, self.writer]
        job = SyncJob(files, [*self._retired, *self._given_up], self.appended() - self._postponed_bytes())
        self._retired = []
        self._given_up = []
        return job

    def sync_ended(self, waiting: int) -> None:
        """To be called when the thread's ``watched`` is readable; so many replies wait for what it did."""
        job = self.thread.finished()
        if job is not None:
            self._conclude(job, self._worth_gathering(waiting))

    def _await_sync(self) -> None:
        while (job := self.thread.finished()) is not None:
            self._conclude(job, False)

    def _conclude(self, job: SyncJob, gather: bool) -> None:
        if job.error is not None:
            leave_mark(self._disk, self.settings.folder, self.settings.filename)
            if self.writer is not None:
                self.distrust(f"fsync: {job.error.strerror or job.error}")
            return
        self.last_good = time.monotonic()
        if not self._retired:
            self.sealing = False
        self._reached(job.target)
        if gather and not self.sealing:
            self._gathering = True
            self._gather_until = time.monotonic() + self.thread.expected() * GATHER_SHARE / 1e9
        else:
            # The disk is kept busy before anybody is answered.
            self.gathered()
        self._on_durable(self.durable)

    def _worth_gathering(self, waiting: int) -> bool:
        return (
            self.settings.fsync == "always"
            and self.thread.expected() >= max(GATHER_FROM, waiting * GATHER_EACH)
            and self.error is None
            and not self._sync_held()
        )

    def distrust(self, reason: str) -> None:
        """No start could rely on the present file: writes are refused until a rewrite has put a base in its place."""
        self.trusted = False
        self.sealing = False
        self._pages_lost = True
        self._fail(reason)

    def _reached(self, target: int) -> None:
        if self.reliable():
            self.durable = max(self.durable, target)

    async def run_sync(self) -> None:
        """The life of the thread, and the clock of ``everysec``, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.thread.run, self._go_on_syncing)
            while True:
                await self._sync_wanted.wait()
                await trio.sleep(max(self._sync_begun + 1.0 - time.monotonic(), 0))
                self._sync_wanted = trio.Event()
                self._begin_sync()

    def policy_changed(self) -> None:
        """``appendfsync`` was set: nobody waits longer than the new policy asks."""
        self._write_postponed()
        self._want_sync()
        if self.settings.fsync != "always":
            self._on_durable(self._accepted)

    def flush_now(self) -> bool:
        """Appends and makes durable all there is, at once; False where that failed."""
        self._await_sync()
        if self.writer is None:
            return True
        if self.sealing:
            self._sync_here()
        now = int(time.time() * 1000)
        pending = self._journal.take()
        if pending:
            self.append(pending, now)
        self._write_postponed()
        self._retry(now)
        self._await_sync()
        if self.error is None:
            self._sync_here()
        return self.error is None

    def _sync_here(self) -> None:
        job = self._job()
        self.thread.run_here(job)
        self._conclude(job, False)

    # Files

    def switch(self, writer: AofWriter | None) -> None:
        """Goes on in another file (None: no log), as a rewrite does when it begins; not while ``sealing``.

        What could not be written to the old file so far is left to the base that the rewrite makes.
        """
        if len(self._journal.out):
            self.append(self._journal.take(), int(time.time() * 1000))
        self._write_postponed()
        self._mending = writer is not None and not self.trusted
        if self.writer is not None:
            self._retired.append(self.writer)
            self.sealing = writer is not None and not self._mending
        if self._mending:
            self._given_up += self._retired
            self._retired = []
        if self.writer is None:
            self.durable = self._accepted
        self.writer = writer
        self._journal.enabled = writer is not None
        self._journal.restart()
        self._switched_at = self._accepted
        self.trusted = True
        self._pages_lost = False
        if writer is None:
            self._forget()
        else:
            self._covered += self._unwritten
            self._unwritten = b""
        self._begin_sync()

    def rewritten(self) -> None:
        """The rewrite that began with ``switch`` is on disk: its base holds every effect up to then."""
        self._covered = b""
        self._mending = False
        self._reached(self._switched_at)
        self._on_durable(self.durable)
        if self.error is not None and self.trusted and not self._unwritten:
            self._recovered("The AOF was rewritten after an error, writes are accepted again.")

    def rewrite_failed(self) -> None:
        """The rewrite that began with ``switch`` came to nothing: what its base was to hold is owed to the log."""
        self._unwritten = self._covered + self._unwritten
        self._covered = b""
        if self._mending:
            self._mending = False
            self.trusted = False

    def _forget(self) -> None:
        """There is no log any more, and nothing is owed to it."""
        self._covered = self._unwritten = b""
        self._postponed = []
        self.error = None
        self._on_durable(self._accepted)
        self._on_state()
