"""maxmemory: what counts, and how room is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.client import Instance
from durastore.engine.journal import Journal
from durastore.keyspace.eviction import NOTHING, Candidate, Eviction

# The clock is looked at after so many evictions.
_AT_ONCE: Final = 16
# Outcomes of ``make_room``: memory is within the limit, will be as work goes on, or cannot be brought there.
ROOM: Final = 0
RUNNING: Final = 1
FULL: Final = 2
OOM: Final = b"OOM command not allowed when used memory > 'maxmemory'."


@final
class MemoryLimit:
    """The limit of one server.  Sizes are in bytes."""

    def __init__(self, instance: Instance, journal: Journal, stopwatch: Callable[[], int]) -> None:
        self._instance = instance
        self._journal = journal
        self.stopwatch = stopwatch
        # 0: none.
        self.limit: i64 = 0
        # What the process took before it had any data, and what its clients take.
        self.fixed: i64 = 0
        self.clients: i64 = 0
        self.eviction = Eviction(instance.keyspace)
        # How long a command may be kept waiting by evictions (nanoseconds).
        self.patience: i64 = 500_000
        self.lazily = False
        # Whether the last command that room was made for found none; kept by the engine.
        self.full = False
        self.evicted: i64 = 0
        # Since when (Unix milliseconds, 0: not) the limit is exceeded, and how long it was before.
        self.exceeded_since: i64 = 0
        self.exceeded_time: i64 = 0

    def counted(self) -> i64:
        """What is measured against the limit."""
        return self.fixed + self.clients + self._instance.keyspace.used()

    def exceeded(self) -> bool:
        """Whether there is a limit, and more is taken."""
        return self.limit != 0 and self.counted() > self.limit

    def make_room(self) -> i64:
        """Evicts keys until memory is within the limit, or for as long as ``patience`` says."""
        instance = self._instance
        if not self.exceeded():
            self._note_end()
            return ROOM
        if self.exceeded_since == 0:
            self.exceeded_since = instance.now
        freeing = instance.keyspace.freeing
        start: i64 = self.stopwatch()
        outcome: i64 = ROOM
        number: i64 = 0
        while True:
            if freeing.waiting():
                # What has left the keyspace counts until it is freed: no other key has to go for it.
                freeing.free_some()
                look = True
            elif self.eviction.kind == NOTHING:
                return FULL
            else:
                victim = self.eviction.victim()
                if victim is None:
                    outcome = FULL
                    break
                self._evict(victim)
                number += 1
                look = number % _AT_ONCE == 0
            if not self.exceeded():
                self._note_end()
                break
            if look and self.stopwatch() - start > self.patience:
                outcome = RUNNING
                break
        instance.latency.note(b"eviction-cycle", instance.now, self.stopwatch() - start)
        return outcome

    def _note_end(self) -> None:
        if self.exceeded_since:
            self.exceeded_time += self._instance.now - self.exceeded_since
            self.exceeded_since = 0

    def _evict(self, victim: Candidate) -> None:
        instance = self._instance
        db = victim.db
        db.delete(victim.key)
        self.evicted += 1
        instance.events.publish(events.EVICTED, b"evicted", victim.key, db.index)
        self._journal.add([b"UNLINK" if self.lazily else b"DEL", victim.key], db.index)
