"""Notices snapshots and fsyncs that have silently stopped: nothing failed, and yet nothing reaches the disk."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import trio

from durastore.config import table as directives

if TYPE_CHECKING:
    from durastore.server.server import Server

# How often it is looked, in seconds.
INTERVAL = 1.0


class Debt:
    """Something that is owed to the disk, and when it was paid last; in seconds of a clock that only goes on."""

    def __init__(self) -> None:
        self.overdue = False
        self._owed_since: float | None = None

    def look(self, owed: bool, paid: float, now: float, limit: int) -> bool:
        """Works out whether it is overdue: owed, and not paid for longer than the limit (0: never).

        Returns whether that has changed.
        """
        if not owed:
            self._owed_since = None
        elif self._owed_since is None:
            self._owed_since = now
        before = self.overdue
        self.overdue = self._owed_since is not None and 0 < limit < now - max(self._owed_since, paid)
        return self.overdue != before


class Debts:
    """What one server owes to the disk.

    It is looked at from a thread, which speaks as well while the event loop itself waits for an fsync that hangs.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.save = Debt()
        self.fsync = Debt()

    async def watch(self) -> None:
        """Looks each second until cancelled."""
        ended = threading.Event()
        try:
            await trio.to_thread.run_sync(self._watch, ended, abandon_on_cancel=True)
        finally:
            ended.set()

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(INTERVAL):
            if not self._server.engine.loading:
                self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Tells the log what has become overdue, and what is no longer."""
        server = self._server
        config = server.config
        saver, log = server.saver, server.log
        limit = config[directives.RDB_SAVE_AGE_WARNING]
        changes = int(server.engine.instance.dirty)
        wanted = changes > 0 and (bool(config[directives.SAVE]) or saver.saves > 0)
        if self.save.look(wanted, saver.last_good, now, limit):
            if self.save.overdue:
                server.logger.warning(
                    "The last good snapshot is %.0f seconds old, and %d changes have come since "
                    "(rdb-save-age-warning %d).",
                    now - saver.last_good, changes, limit,
                )  # fmt: skip
            else:
                server.logger.warning("Snapshots are up to date again.")
        limit = config[directives.AOF_FSYNC_AGE_WARNING]
        pending = server.rewriter.on and config[directives.APPEND_FSYNC] != "no" and log.behind()
        if self.fsync.look(pending, log.last_good, now, limit):
            if self.fsync.overdue:
                server.logger.warning(
                    "The last good fsync of the append only file was %.0f seconds ago, and writes wait for the next "
                    "one (aof-fsync-age-warning %d).", now - log.last_good, limit,
                )  # fmt: skip
            else:
                server.logger.warning("The append only file is on disk again.")
