"""Entries of an RDB file into the keyspace, in slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.compact import prefetch
from durastore.keyspace.database import Database
from durastore.keyspace.hashes import Hash
from durastore.keyspace.keyspace import Keyspace
from durastore.persistence.rdb import RdbError, RdbReader
from durastore.persistence.rdb.reader import END, ENTRY, MORE

# So many entries are decoded before they are stored, so that memory can fetch their places side by side.
BATCH: Final = 64
# The clock is read once for so many batches, of fewer entries where they have more bytes than this.
BATCHES_PER_LOOK: Final = 4
BATCH_BYTES: Final = 16 * 1024


@final
class _Entry:
    """An entry that was decoded; ``expire_ms`` is -1 where it never expires."""

    def __init__(self) -> None:
        self.key = b""
        self.value: object = b""
        self.expire_ms: i64 = -1
        self.idle: i64 = -1
        self.frequency: i64 = -1
        self.offset: i64 = 0


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
        self._entries = [_Entry() for _ in range(BATCH)]
        self._count: i64 = 0

    def step(self, deadline: float, clock: Callable[[], float]) -> bool:
        """Loads entries until the deadline; True when the file is at its end.  Raises RdbError."""
        while True:
            for _ in range(BATCHES_PER_LOOK):
                come_to = self._load_batch()
                if come_to == END:
                    self.keyspace.functions.extend(self.reader.functions)
                    return True
                if come_to == MORE:
                    break
            if clock() >= deadline:
                return False

    def _load_batch(self) -> i64:
        """Loads the next entries: END at the end of the file, MORE in the middle of a large value, or else ENTRY."""
        reader = self.reader
        databases = self.keyspace.databases
        index: i64 = -1
        end: i64 = reader.entry_offset + BATCH_BYTES
        while self._count < BATCH and reader.entry_offset < end:
            come_to = reader.advance()
            if come_to != ENTRY:
                self._store_all(index)
                return come_to
            if reader.db != index:
                self._store_all(index)
                index = reader.db
                if index >= len(databases):
                    raise RdbError(
                        int(reader.offset), f"the file uses database {index}, and only {len(databases)} are configured"
                    )
                databases[index].table.reserve(reader.announced_keys())
            if reader.expire_ms != -1 and self.now != -1 and reader.expire_ms < self.now:
                self.keys_expired += 1
                continue
            entry = self._entries[self._count]
            entry.key = reader.key
            entry.value = reader.value
            entry.expire_ms = reader.expire_ms
            entry.idle = reader.idle
            entry.frequency = reader.freq
            entry.offset = reader.entry_offset
            self._count += 1
        self._store_all(index)
        return ENTRY

    def _store_all(self, index: i64) -> None:
        """Stores what was decoded, all of it of one database."""
        if self._count == 0:
            return
        db = self.keyspace.databases[index]
        keys: list[bytes] = []
        directories = [db.table.directory] * self._count
        for i in range(self._count):
            keys.append(self._entries[i].key)
        prefetch(directories, keys)
        for i in range(self._count):
            self._store(db, self._entries[i])
        self.keys_loaded += self._count
        self._count = 0

    def _store(self, db: Database, entry: _Entry) -> None:
        key = entry.key
        value = entry.value
        table = db.table
        before: i64 = table.count
        table.store(table.find(key), key, value)
        if table.count == before and not self.merge:
            raise RdbError(int(entry.offset), f"duplicate key {key!r} in database {db.index}")
        if isinstance(value, Hash):
            db.note_expiries(key, value)
        if entry.idle >= 0 or entry.frequency >= 0:
            db.mark_used(key, entry.idle, entry.frequency)
        if entry.expire_ms != -1:
            table.set_expiry(table.find(key), key, entry.expire_ms)
        elif self.merge:
            table.clear_expiry(table.find(key), key)
