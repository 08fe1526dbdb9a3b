"""Fork-free snapshots: the keyspace as it was at one moment, written while it goes on changing.

``Snapshot`` begins one walk per database; writers that are ahead of a walk leave pre-images (``keyspace.table``), so
the file holds exactly the state at the beginning.  Its work is cut into slices with a deadline.  A snapshot that is
made ``at_once``, while nothing else runs, needs no pre-images, and so may come in the middle of another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.compact import Meter
from durastore.keyspace.database import CLOCK_MASK, Database
from durastore.keyspace.keyspace import Keyspace
from durastore.keyspace.segment import Captured
from durastore.keyspace.table import Walk
from durastore.persistence.serializer import Serializer

# How much is serialised before it is written out.
CHUNK: Final = 256 * 1024
# The clock is read once for so many keys.
KEYS_PER_LOOK: Final = 64


@final
class Part:
    """One database of a snapshot."""

    def __init__(self, db: Database, at_once: bool) -> None:
        self.index = int(db.index)
        self.walk: Walk = Walk(db.table) if at_once else db.table.begin_walk()


@final
class Snapshot:
    """A snapshot in progress."""

    def __init__(
        self, keyspace: Keyspace, writer: Serializer, aux: list[tuple[bytes, bytes]], at_once: bool = False
    ) -> None:
        self.writer = writer
        # Whose marks of use are written, too; None: they do not matter.
        self._meter = keyspace.meter if keyspace.evicts_by_use else None
        self.parts: list[Part] = [Part(db, at_once) for db in keyspace.databases if db.table.count]
        self.total: i64 = 0
        for part in self.parts:
            self.total += part.walk.keys
        self.keys_written: i64 = 0
        self.finished = False
        self._part: i64 = 0
        self._selected: i64 = -1
        self._captured: Captured | None = None
        self._keys: list[bytes] = []
        self._values: list[object] = []
        self._next: i64 = 0
        writer.begin(aux)
        for code in keyspace.functions:
            writer.function(code)

    def close(self) -> None:
        """Ends the walks, finished or not."""
        self._release()
        for part in self.parts:
            part.walk.close()

    def step(self, deadline: float, clock: Callable[[], float]) -> bytes:
        """Serialises until there is a chunk to write, or the deadline has passed, or all is done."""
        writer = self.writer
        while not self.finished:
            while writer.unfinished:
                writer.more()
                if writer.pending() >= CHUNK or clock() >= deadline:
                    return writer.take() if writer.pending() >= CHUNK else b""
            captured = self._captured
            if captured is None or self._next == len(self._keys):
                captured = self._capture()
                if captured is None:
                    writer.end()
                    self.finished = True
                    break
            keys = self._keys
            values = self._values
            expires = captured.expires
            i: i64 = self._next
            end: i64 = len(keys)
            if end - i > KEYS_PER_LOOK:
                end = i + KEYS_PER_LOOK
            self.keys_written -= i
            if self._meter is not None:
                while i < end and not writer.unfinished:
                    self._tell_use(self._meter, captured, keys[i])
                    when = expires[keys[i]]
                    writer.entry(keys[i], values[i], -1 if when is None else when)
                    i += 1
            elif expires:
                while i < end and not writer.unfinished:
                    key = keys[i]
                    when = expires[key]
                    writer.entry(key, values[i], -1 if when is None else when)
                    i += 1
            else:
                while i < end and not writer.unfinished:
                    writer.entry(keys[i], values[i], -1)
                    i += 1
            self.keys_written += i
            self._next = i
            if writer.pending() >= CHUNK or clock() >= deadline:
                break
        if self.finished or writer.pending() >= CHUNK:
            return writer.take()
        return b""

    def _tell_use(self, meter: Meter, captured: Captured, key: bytes) -> None:
        use: i64 = captured.items.use(key)
        clock: i64 = meter.clock
        if meter.counting:
            self.writer.access(-1, meter.frequency(use))
        else:
            self.writer.access(int((clock - use) & CLOCK_MASK), -1)

    def _capture(self) -> Captured | None:
        """The next segment to serialise.

        The databases come one after the other; pre-images of a later database wait in its walk, as references.
        """
        self._release()
        while self._part < len(self.parts):
            part = self.parts[self._part]
            if self._selected != self._part:
                self._selected = self._part
                self.writer.select(part.index, int(part.walk.keys), int(part.walk.expires))
            captured = part.walk.step()
            if captured is not None:
                self._captured = captured
                self._keys = captured.items.keys()
                self._values = captured.items.values()
                self._next = 0
                return captured
            self._part += 1
        return None

    def _release(self) -> None:
        """Gives back the segment that was serialised: all of it, and its last value has no part left to write."""
        captured = self._captured
        if captured is not None:
            self.parts[self._part].walk.release(captured)
            self._captured = None
            self._keys = []
            self._values = []
