"""Consumer groups of streams.  Times are Unix milliseconds."""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter, read_i64_le, write_i64_le
from mypy_extensions import i64

from durastore.keyspace.chunks import ID_SIZE, Owner, StreamID, id_at, id_bytes, write_id
from durastore.keyspace.pending import PENDING_SIZE, RowCursor, Rows

# Where the parts of a group's row stand (see ``PENDING_SIZE``), and what stands for a consumer not known yet.
_TIME: Final = ID_SIZE
_COUNT: Final = ID_SIZE + 8
_NUMBER: Final = ID_SIZE + 16
_NOBODY: Final = -1
# A consumer that has less than this part of a group's pending entries loses them one by one.
_FEW: Final = 16


def _row(entry_id: StreamID, time: i64, count: i64, consumer: i64) -> bytes:
    out = BytesWriter()
    write_id(out, entry_id)
    write_i64_le(out, time)
    write_i64_le(out, count)
    write_i64_le(out, consumer)
    return out.getvalue()


def delivery_count(chunk: bytes, pos: i64) -> i64:
    """The number of deliveries in a group's row."""
    return read_i64_le(chunk, pos + _COUNT)


@final
class StreamConsumer:
    """A consumer of a group.

    ``seen_time`` is when it last asked, ``active_time`` when it last got something (-1: never).  In the rows of its
    group it stands by its number.
    """

    def __init__(self, owner: Owner, name: bytes, number: i64, seen_time: i64, active_time: i64) -> None:
        self.owner = owner
        self.name = name
        self.number: i64 = number
        self.seen_time: i64 = seen_time
        self.active_time: i64 = active_time
        # The ids of its pending entries.
        self.pending = Rows(owner, ID_SIZE)

    def copy(self, owner: Owner) -> StreamConsumer:
        """A copy under another mark."""
        twin = StreamConsumer(owner, self.name, self.number, self.seen_time, self.active_time)
        twin.pending = self.pending.copy(owner)
        return twin


@final
class StreamGroup:
    """A consumer group.  ``entries_read`` is -1 where it is not known."""

    def __init__(self, owner: Owner, last_id: StreamID, entries_read: int) -> None:
        self.owner = owner
        self.last_id = last_id
        self.entries_read = entries_read
        self.pending = Rows(owner, PENDING_SIZE)
        self.consumers: dict[bytes, StreamConsumer] = {}
        self._names: dict[int, bytes] = {}
        self._next_number: i64 = 0

    def copy(self, owner: Owner) -> StreamGroup:
        """A copy under another mark, which shares its consumers until they change."""
        twin = StreamGroup(owner, self.last_id, self.entries_read)
        twin.pending = self.pending.copy(owner)
        twin.consumers = self.consumers.copy()
        twin._names = self._names.copy()
        twin._next_number = self._next_number
        return twin

    def consumer(self, name: bytes) -> StreamConsumer | None:
        """A consumer, to be changed: no copy shares it."""
        consumer = self.consumers.get(name)
        if consumer is not None and consumer.owner is not self.owner:
            consumer = consumer.copy(self.owner)
            self.consumers[name] = consumer
        return consumer

    def create_consumer(self, name: bytes, seen_time: i64, active_time: i64 = -1) -> StreamConsumer:
        """A new consumer."""
        number = self._next_number
        self._next_number = number + 1
        consumer = StreamConsumer(self.owner, name, number, seen_time, active_time)
        self.consumers[name] = consumer
        self._names[number] = name
        return consumer

    def delete_consumer(self, consumer: StreamConsumer) -> None:
        """Removes a consumer and its pending entries."""
        if consumer.pending.count > self.pending.count // _FEW:
            self.pending = self._pending_without(consumer.number)
        else:
            cursor = RowCursor(consumer.pending, (0, 0))
            while cursor.next():
                self.pending.remove(id_at(cursor.chunk, cursor.pos))
        del self.consumers[consumer.name]
        del self._names[consumer.number]

    def _pending_without(self, number: i64) -> Rows:
        """The rows of all other consumers, in one pass."""
        kept = Rows(self.owner, PENDING_SIZE)
        directory = self.pending.directory
        chunk = directory.first()
        while chunk is not None:
            rest = BytesWriter()
            pos: i64 = 0
            while pos < len(chunk):
                if read_i64_le(chunk, pos + _NUMBER) != number:
                    rest.write(chunk[pos : pos + PENDING_SIZE])
                pos += PENDING_SIZE
            if len(rest):
                kept.extend(rest.getvalue())
            chunk = directory.after(chunk)
        return kept

    def owner_name(self, number: int) -> bytes:
        """The name of the consumer of a number."""
        return self._names[number]

    def find(self, entry_id: StreamID) -> PendingEntry | None:
        """What is known of a pending entry."""
        row = self.pending.get(entry_id)
        return None if row is None else PendingEntry(self, row, 0)

    def assign(self, entry_id: StreamID, consumer: StreamConsumer, time: i64, count: i64) -> None:
        """Makes an entry pending, or gives it to this consumer, which may have it already."""
        before = self.pending.put(entry_id, _row(entry_id, time, count, consumer.number))
        if before is not None:
            number: i64 = read_i64_le(before, _NUMBER)
            if number == consumer.number:
                return
            self._take_from(number, entry_id)
        consumer.pending.put(entry_id, id_bytes(entry_id))

    def assign_all(self, ids: list[StreamID], consumer: StreamConsumer, time: i64, count: i64) -> None:
        """As ``assign`` for rising ids, at once where they come behind all that is pending."""
        last = self.pending.last()
        if last is not None and last >= ids[0]:
            for entry_id in ids:
                self.assign(entry_id, consumer, time, count)
            return
        rows = BytesWriter()
        own = BytesWriter()
        for entry_id in ids:
            write_id(own, entry_id)
            write_id(rows, entry_id)
            write_i64_le(rows, time)
            write_i64_le(rows, count)
            write_i64_le(rows, consumer.number)
        self.pending.extend(rows.getvalue())
        consumer.pending.extend(own.getvalue())

    def expect(self, entry_id: StreamID, time: i64, count: i64) -> bool:
        """Makes an entry pending whose consumer ``give`` is to tell; False where it is pending already."""
        return self.pending.put(entry_id, _row(entry_id, time, count, _NOBODY)) is None

    def give(self, entry_id: StreamID, consumer: StreamConsumer) -> bool:
        """Gives an expected entry to a consumer; False where it is not expected or has been given away."""
        row = self.pending.get(entry_id)
        if row is None or read_i64_le(row, _NUMBER) != _NOBODY:
            return False
        self.pending.put(entry_id, _row(entry_id, read_i64_le(row, _TIME), read_i64_le(row, _COUNT), consumer.number))
        consumer.pending.put(entry_id, id_bytes(entry_id))
        return True

    def acknowledge(self, entry_id: StreamID) -> bool:
        """Takes an entry out of the pending list; says whether it was there."""
        row = self.pending.remove(entry_id)
        if row is None:
            return False
        self._take_from(read_i64_le(row, _NUMBER), entry_id)
        return True

    def _take_from(self, number: i64, entry_id: StreamID) -> None:
        consumer = self.consumer(self._names[number])
        assert consumer is not None
        consumer.pending.remove(entry_id)


@final
class PendingEntry:
    """One pending entry, as it was when it was read."""

    def __init__(self, group: StreamGroup, data: bytes, pos: i64) -> None:
        self.id = id_at(data, pos)
        self.delivery_time: i64 = read_i64_le(data, pos + _TIME)
        self.delivery_count: i64 = read_i64_le(data, pos + _COUNT)
        self.consumer = group.owner_name(int(read_i64_le(data, pos + _NUMBER)))


@final
class PendingCursor:
    """Goes through a group's pending entries from an id on, those of one consumer where one is given.

    Entries that it has passed, and the one that it stands on, may change meanwhile.
    """

    def __init__(self, group: StreamGroup, consumer: StreamConsumer | None, start: StreamID) -> None:
        self._group = group
        self._whole = consumer is None
        self._rows = RowCursor(group.pending if consumer is None else consumer.pending, start)

    def next(self) -> PendingEntry | None:
        """The next entry."""
        rows = self._rows
        if not rows.next():
            return None
        if self._whole:
            return PendingEntry(self._group, rows.chunk, rows.pos)
        return self._group.find(id_at(rows.chunk, rows.pos))
