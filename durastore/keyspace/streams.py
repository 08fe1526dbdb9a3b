"""The stream value type.  Stream ids are ``(milliseconds, sequence)``, times Unix milliseconds."""

from __future__ import annotations

from typing import final

from durastore.keyspace.values import Value

StreamID = tuple[int, int]


@final
class PendingEntry:
    """One entry of a consumer group's pending list (NACK in Redis's source)."""

    def __init__(self, consumer: bytes, delivery_time: int, delivery_count: int) -> None:
        self.consumer = consumer
        self.delivery_time = delivery_time
        self.delivery_count = delivery_count


@final
class StreamConsumer:
    """A consumer of a group.  ``active_time`` is -1 if it never fetched anything."""

    def __init__(self, seen_time: int, active_time: int) -> None:
        self.seen_time = seen_time
        self.active_time = active_time


@final
class StreamGroup:
    """A consumer group.  ``entries_read`` is -1 where it is not known."""

    def __init__(self, last_id: StreamID, entries_read: int) -> None:
        self.last_id = last_id
        self.entries_read = entries_read
        self.pending: dict[StreamID, PendingEntry] = {}
        self.consumers: dict[bytes, StreamConsumer] = {}

    def copy(self) -> StreamGroup:
        """A deep copy."""
        twin = StreamGroup(self.last_id, self.entries_read)
        for entry_id, pending in self.pending.items():
            twin.pending[entry_id] = PendingEntry(pending.consumer, pending.delivery_time, pending.delivery_count)
        for name, consumer in self.consumers.items():
            twin.consumers[name] = StreamConsumer(consumer.seen_time, consumer.active_time)
        return twin


@final
class Stream(Value):
    """A stream.  ``entries`` maps ids, in rising order, to a flat list of field, value, field, value ..."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[StreamID, list[bytes]] = {}
        self.last_id: StreamID = (0, 0)
        self.max_deleted_id: StreamID = (0, 0)
        self.entries_added = 0
        self.groups: dict[bytes, StreamGroup] = {}

    def type_name(self) -> bytes:
        return b"stream"

    def copy(self) -> Value:
        twin = Stream()
        for entry_id, fields in self.entries.items():
            twin.entries[entry_id] = fields.copy()
        twin.last_id = self.last_id
        twin.max_deleted_id = self.max_deleted_id
        twin.entries_added = self.entries_added
        for name, group in self.groups.items():
            twin.groups[name] = group.copy()
        return twin

    def size(self) -> int:
        return len(self.entries)
