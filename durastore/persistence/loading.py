"""Entries of an RDB file into the keyspace, in slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from mypy_extensions import i64

from durastore.keyspace.database import Database, Keyspace
from durastore.keyspace.hashes import Hash
from durastore.persistence.rdb import RdbError, RdbReader

# The clock is read once for so many keys.
KEYS_PER_LOOK: i64 = 256


@final
class RdbLoading:
    """One RDB file on its way into a keyspace.

    ``now`` (Unix milliseconds) is when a key counts as expired and is left out; -1 keeps every key, as commands that
    follow in a log may still refer to it.  With ``merge`` a key that is there already is replaced, otherwise a second
    key of the same name is damage.
    """

    def __init__(self, reader: RdbReader, keyspace: Keyspace, now: int, merge: bool) -> None:
        self.reader = reader
        self.keyspace = keyspace
        self.now: i64 = now
        self.merge = merge
        self.keys_loaded: i64 = 0
        self.keys_expired: i64 = 0

    def step(self, deadline: float, clock: Callable[[], float]) -> bool:
        """Loads entries until the deadline; True when the file is at its end.  Raises RdbError."""
        reader = self.reader
        databases = self.keyspace.databases
        while True:
            i: i64 = 0
            while i < KEYS_PER_LOOK:
                i += 1
                if not reader.next_entry():
                    self.keyspace.functions.extend(reader.functions)
                    return True
                index: i64 = reader.db
                if index >= len(databases):
                    raise RdbError(
                        int(reader.offset), f"the file uses database {index}, and only {len(databases)} are configured"
                    )
                self._store(databases[index], reader.key, reader.value, reader.expire_ms)
            if clock() >= deadline:
                return False

    def _store(self, db: Database, key: bytes, value: object, expire_ms: i64) -> None:
        if expire_ms != -1 and self.now != -1 and expire_ms < self.now:
            self.keys_expired += 1
            return
        table = db.table
        segment = table.find(key)
        before: i64 = table.count
        table.store(segment, key, value)
        if table.count == before and not self.merge:
            raise self.reader.duplicate_key()
        if isinstance(value, Hash):
            db.note_expiries(key, value)
        if expire_ms != -1:
            table.set_expiry(table.find(key), key, expire_ms)
        elif self.merge:
            table.clear_expiry(table.find(key), key)
        self.keys_loaded += 1
