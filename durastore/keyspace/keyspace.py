"""The keyspace: all databases of a server, their clock, and what they have to tell the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from mypy_extensions import i64

from durastore.keyspace.compact import Meter
from durastore.keyspace.database import CLOCK_MASK, Database, Expired, Noted, WaitedKey
from durastore.keyspace.freeing import Freeing
from durastore.keyspace.limits import Limits
from durastore.keyspace.values import Value


@final
class Keyspace:
    """All databases of one server, and what they have in common."""

    def __init__(self, databases: int) -> None:
        # While a log or a primary's stream is replayed, its own DELs say which keys have expired.
        self.expiring = True
        # While writes are paused, what has expired is missing, but stays where it is: nothing may be journalled.
        self.keeping = False
        # What keyspace events are asked for that only the keyspace knows of, and has happened since they were told.
        self.noting_misses = False
        self.noting_new = False
        self.noted: list[Noted] = []
        # The time of the present wake; set by the engine.
        self.now: i64 = 0
        # What the databases take, and the clock of their keys' uses.
        self.meter = Meter()
        # The second of that clock.
        self.second: i64 = 0
        # Whether marks of use decide what is evicted: then files tell them.
        self.evicts_by_use = False
        # Values that were changed in place since they were weighed.
        self.unweighed: list[tuple[Database, bytes, Value]] = []
        self.expired: list[Expired] = []
        self.expired_keys: i64 = 0
        self.expired_fields: i64 = 0
        # Waited keys that something has happened to, in that order; always the same list.
        self.ready: list[WaitedKey] = []
        self.hits: i64 = 0
        self.misses: i64 = 0
        # Whether clients keep copies of keys (``Database.observe``), and what has changed since they were told.
        self.tracking = False
        self.modified: list[bytes] = []
        self.flushed = False
        self.functions: list[bytes] = []
        self.limits = Limits()
        self.freeing = Freeing()
        self.databases: list[Database] = [Database(self, i) for i in range(databases)]

    def set_clock(self, now: i64) -> None:
        """Sets the time, and the clock of uses."""
        self.now = now
        if now // 1000 == self.second:
            return
        self.second = now // 1000
        self.meter.clock = self.second // 60 & 0xFFFF if self.meter.counting else self.second & CLOCK_MASK

    def count_uses(self, counting: bool) -> None:
        """From now on the marks of keys count uses (LFU), or tell the time of the last one (LRU)."""
        self.meter.counting = counting
        # Has the clock set anew.
        self.second = -1
        self.set_clock(self.now)

    def weigh(self) -> None:
        """Weighs what was changed in place."""
        for db, key, value in self.unweighed:
            if value.changed:
                value.changed = False
                db.table.find(key).items.reweigh(key, value)
        self.unweighed.clear()

    def used(self) -> int:
        """The bytes that the databases take, and what has left them and is not freed yet."""
        if self.unweighed:
            self.weigh()
        return self.meter.bytes + int(self.freeing.bytes)

    def free(self, deadline: float, clock: Callable[[], float]) -> None:
        """Frees what has left the databases, until the deadline has passed or nothing is left."""
        if self.freeing.waiting():
            # What is to be weighed is not to be kept alive by that alone, and then freed at once.
            self.weigh()
            self.freeing.step(deadline, clock)

    def track(self, tracking: bool) -> None:
        """From now on changes of keys are noted in ``modified``, or not."""
        self.tracking = tracking
        self.modified = []
        self.flushed = False
        for db in self.databases:
            db.observe()

    def swap(self, first: Database, second: Database) -> None:
        """Exchanges the content of two databases (SWAPDB); what is watched stays with the number."""
        if first is second:
            return
        self.weigh()
        for db, other in ((first, second), (second, first)):
            for key in list(db.watched):
                if db.exists(key) or other.exists(key):
                    db.changed(key)
        first.table, second.table = second.table, first.table
        first.hash_expiries, second.hash_expiries = second.hash_expiries, first.hash_expiries
        first.average_ttl, second.average_ttl = second.average_ttl, first.average_ttl
        first.expiry_cursor = second.expiry_cursor = 0
        for db in (first, second):
            for key in db.waited:
                db.signal(key)

    def has_expiring_fields(self) -> bool:
        """Whether there is a hash with fields that expire."""
        return any(db.hash_expiries.count for db in self.databases)

    def key_count(self) -> int:
        """The keys of all databases, expired ones that were not removed yet among them."""
        total = 0
        for db in self.databases:
            total += db.table.count
        return total
