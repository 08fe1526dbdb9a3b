"""The pending lists of consumer groups: entries that were delivered and not yet acknowledged.

Rows of a fixed size, each of which begins with a stream id, in sorted chunks of at most ``CHUNK_ROWS``.  A group has
one row with owner, time and count for each pending entry, a consumer the bare ids of its own.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.chunks import ID_SIZE, Directory, Owner, StreamID, at_most, id_at, same_id, signed64

CHUNK_ROWS: Final = 64
# Id, delivery time (Unix milliseconds), number of deliveries, number of the consumer: 8 bytes each but for the id.
PENDING_SIZE: Final = ID_SIZE + 24


@final
class Rows:
    """A sorted row of rows of ``width`` bytes, each of which begins with its id."""

    def __init__(self, owner: Owner, width: i64) -> None:
        self.directory = Directory(owner)
        self.width: i64 = width
        # The number of rows.
        self.count: i64 = 0

    def copy(self, owner: Owner) -> Rows:
        """A copy under another mark (see ``Directory.copy``)."""
        twin = Rows(owner, self.width)
        twin.directory = self.directory.copy(owner)
        twin.count = self.count
        return twin

    def get(self, entry_id: StreamID) -> bytes | None:
        """The row of an id."""
        chunk = self.directory.floor(entry_id)
        if chunk is None:
            return None
        pos = self.find(chunk, entry_id)
        return chunk[pos : pos + self.width] if pos >= 0 else None

    def put(self, entry_id: StreamID, row: bytes) -> bytes | None:
        """Adds the row of an id, or replaces it; returns the row that was there before."""
        directory = self.directory
        width = self.width
        chunk = directory.floor(entry_id)
        if chunk is None:
            chunk = directory.first()
            if chunk is None:
                self.extend(row)
                return None
        pos = self.find(chunk, entry_id)
        if pos >= 0:
            directory.replace(chunk, chunk[:pos] + row + chunk[pos + width :])
            return chunk[pos : pos + width]
        pos = ~pos
        self.count += 1
        size: i64 = len(chunk)
        if size < CHUNK_ROWS * width:
            directory.replace(chunk, chunk + row if pos == size else chunk[:pos] + row + chunk[pos:])
        elif pos == size:
            directory.insert(row)
        else:
            half = CHUNK_ROWS // 2 * width
            if pos <= half:
                directory.replace(chunk, chunk[:pos] + row + chunk[pos:half])
                directory.insert(chunk[half:])
            else:
                directory.replace(chunk, chunk[:half])
                directory.insert(chunk[half:pos] + row + chunk[pos:])
        return None

    def extend(self, rows: bytes) -> None:
        """Adds rows in their order, whose ids are greater than all others."""
        directory = self.directory
        size: i64 = len(rows)
        most: i64 = CHUNK_ROWS * self.width
        self.count += size // self.width
        pos: i64 = 0
        chunk = directory.last()
        if chunk is not None and len(chunk) < most:
            pos = most - len(chunk)
            directory.replace(chunk, chunk + rows[:pos])
        while pos < size:
            directory.append(rows[pos : pos + most])
            pos += most

    def remove(self, entry_id: StreamID) -> bytes | None:
        """Takes the row of an id out and returns it."""
        directory = self.directory
        width = self.width
        chunk = directory.floor(entry_id)
        if chunk is None:
            return None
        pos = self.find(chunk, entry_id)
        if pos < 0:
            return None
        self.count -= 1
        if len(chunk) == width:
            directory.remove(chunk)
            return chunk
        rest = chunk[width:] if pos == 0 else chunk[:pos] + chunk[pos + width :]
        directory.replace(chunk, rest)
        return chunk[pos : pos + width]

    def last(self) -> StreamID | None:
        """The greatest id."""
        chunk = self.directory.last()
        return None if chunk is None else id_at(chunk, len(chunk) - self.width)

    def find(self, chunk: bytes, entry_id: StreamID) -> i64:
        """The position of an id's row in its chunk; where there is none, ``~`` of where it would have to be."""
        width = self.width
        low: i64 = -1
        high: i64 = len(chunk) // width
        ms = signed64(entry_id[0])
        seq = signed64(entry_id[1])
        while high - low > 1:
            middle: i64 = (low + high) >> 1
            if at_most(chunk, middle * width, ms, seq):
                low = middle
            else:
                high = middle
        if low >= 0 and same_id(chunk, low * width, ms, seq):
            return low * width
        return ~(low * width + width)


@final
class RowCursor:
    """Goes through rows from an id on; ``chunk`` and ``pos`` are where the row stands.

    The row that it stands on, and those that it has passed, may be changed and removed meanwhile.
    """

    def __init__(self, rows: Rows, start: StreamID) -> None:
        self._rows = rows
        self._width: i64 = rows.width
        self.chunk = b""
        self.pos: i64 = 0
        chunk = rows.directory.floor(start)
        if chunk is not None:
            self.chunk = chunk
            self.pos = rows.find(chunk, start)
        if chunk is None or self.pos < 0:
            self._seek(start)
        self.pos -= self._width

    def next(self) -> bool:
        """Goes to the next row."""
        self.pos += self._width
        if self.pos >= len(self.chunk):
            if not self.chunk:
                return False
            self._seek(id_at(self.chunk, len(self.chunk) - self._width))
        return self.pos < len(self.chunk)

    def _seek(self, entry_id: StreamID) -> None:
        """Goes to the first row behind an id; to the end of a chunk only where there is none."""
        directory = self._rows.directory
        chunk = directory.floor(entry_id)
        if chunk is None:
            chunk = directory.first()
            self.pos = 0
        else:
            found = self._rows.find(chunk, entry_id)
            self.pos = found + self._width if found >= 0 else ~found
            if self.pos >= len(chunk):
                following = directory.after(chunk)
                if following is not None:
                    chunk = following
                    self.pos = 0
        self.chunk = b"" if chunk is None else chunk
