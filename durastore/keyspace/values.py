"""The value types that a key can hold.

A plain Redis string is a ``bytes`` object: immutable, so that a snapshot may keep it by reference.  Everything
else is one of the classes below.  All of them are mutable and carry ``shared``: a snapshot that has captured a
value by reference sets it, and whoever wants to change the value must first replace it by ``copy()``
(clone-on-write); see ``Database.writable``.

Times are Unix milliseconds; scores are IEEE doubles; stream ids are ``(milliseconds, sequence)``.
"""

from __future__ import annotations

from typing import final

from mypy_extensions import mypyc_attr

StreamID = tuple[int, int]


@mypyc_attr(allow_interpreted_subclasses=False)
class Value:
    """What the mutable value types have in common."""

    def __init__(self) -> None:
        self.shared = False

    def type_name(self) -> bytes:
        """The reply of TYPE."""
        raise NotImplementedError

    def copy(self) -> Value:
        """A deep copy that is not shared."""
        raise NotImplementedError

    def size(self) -> int:
        """The number of elements (of bytes, for a string)."""
        raise NotImplementedError


@final
class RawString(Value):
    """A string that was changed in place (APPEND, SETRANGE): what Redis calls the raw encoding."""

    def __init__(self, data: bytearray) -> None:
        super().__init__()
        self.data = data

    def type_name(self) -> bytes:
        return b"string"

    def copy(self) -> Value:
        return RawString(bytearray(self.data))

    def size(self) -> int:
        return len(self.data)


@final
class List(Value):
    """A list, head first."""

    def __init__(self, items: list[bytes]) -> None:
        super().__init__()
        self.items = items

    def type_name(self) -> bytes:
        return b"list"

    def copy(self) -> Value:
        return List(self.items.copy())

    def size(self) -> int:
        return len(self.items)


@final
class Set(Value):
    """A set.  ``members`` is a dict without values, which keeps the order of insertion."""

    def __init__(self, members: dict[bytes, None]) -> None:
        super().__init__()
        self.members = members

    def type_name(self) -> bytes:
        return b"set"

    def copy(self) -> Value:
        return Set(self.members.copy())

    def size(self) -> int:
        return len(self.members)


@final
class Hash(Value):
    """A hash.  ``expires`` holds the fields that have an expiry, in Unix milliseconds."""

    def __init__(self, fields: dict[bytes, bytes], expires: dict[bytes, int] | None = None) -> None:
        super().__init__()
        self.fields = fields
        self.expires: dict[bytes, int] = {} if expires is None else expires

    def type_name(self) -> bytes:
        return b"hash"

    def copy(self) -> Value:
        return Hash(self.fields.copy(), self.expires.copy())

    def size(self) -> int:
        return len(self.fields)


@final
class SortedSet(Value):
    """A sorted set: member to score."""

    def __init__(self, scores: dict[bytes, float]) -> None:
        super().__init__()
        self.scores = scores

    def type_name(self) -> bytes:
        return b"zset"

    def copy(self) -> Value:
        return SortedSet(self.scores.copy())

    def size(self) -> int:
        return len(self.scores)


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


def type_name(value: object) -> bytes:
    """The reply of TYPE for a stored value."""
    if isinstance(value, bytes):
        return b"string"
    assert isinstance(value, Value)
    return value.type_name()
