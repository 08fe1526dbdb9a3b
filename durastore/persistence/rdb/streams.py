"""Streams in RDB files: the nodes as they are in memory, then ids and counters, then the consumer groups.

Sources: the three RDB types of Redis 5, 7.0 and 7.2, each of which adds to the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

from librt.strings import BytesWriter, write_i64_le
from mypy_extensions import i64

from durastore.keyspace.chunks import ID_SIZE, id_at, signed64, unsigned64
from durastore.keyspace.consumer_groups import StreamConsumer, StreamGroup, delivery_count
from durastore.keyspace.listpack import DamagedListpack
from durastore.keyspace.stream_nodes import check_node
from durastore.keyspace.streams import Stream
from durastore.persistence.rdb.cursor import Cursor
from durastore.persistence.rdb.format import TYPE_STREAM, TYPE_STREAM_3, RdbError
from durastore.persistence.rdb.parts import Parts
from durastore.persistence.rdb.primitives import write_count, write_string, write_unsigned
from durastore.protocol.numbers import INT64_MAX

# Pending entries that are read at a time.
_PENDING: Final = 512
# Streams of more chunks than this are written in parts: so many nodes, or so many chunks of pending entries.
STREAM_PARTS_FROM: Final = 64
_NODES: Final = 16
_ROWS: Final = 64
# Id and delivery time, which a file has in the same bytes.
_PLAIN: Final = ID_SIZE + 8


@final
class StreamParts(Parts):
    """A stream on its way out (TYPE_STREAM_3)."""

    def __init__(self, out: BytesWriter, stream: Stream, compress: bool) -> None:
        """Writes what stands before the nodes."""
        super().__init__()
        self._stream = stream
        self._compress = compress
        nodes = stream.directory()
        self._nodes = nodes
        self._node = nodes.first()
        self._groups: list[bytes] = sorted(stream.groups)
        # How many groups were begun; -1: the nodes are not done.
        self._begun: i64 = -1
        self._rows: bytes | None = None
        self._consumers: list[bytes] = []
        self._consumers_done: i64 = 0
        write_count(out, nodes.count)

    def step(self, out: BytesWriter) -> bool:
        """See Parts."""
        if self._begun < 0:
            self._write_nodes(out)
        elif self._rows is not None:
            self._write_pending(out)
        elif self._consumers_done < len(self._consumers):
            self._write_consumer(out, self._group().consumers[self._consumers[self._consumers_done]])
            self._consumers_done += 1
        elif self._begun < len(self._groups):
            self._begin_group(out)
        else:
            return False
        return True

    def _write_nodes(self, out: BytesWriter) -> None:
        left: i64 = _NODES
        node = self._node
        while node is not None and left > 0:
            write_string(out, node[:ID_SIZE], False)
            write_string(out, node[ID_SIZE:], self._compress)
            node = self._nodes.after(node)
            left -= 1
        self._node = node
        if node is not None:
            return
        stream = self._stream
        write_count(out, stream.length)
        for stream_id in (stream.last_id, stream.first_id, stream.max_deleted_id):
            write_unsigned(out, stream_id[0])
            write_unsigned(out, stream_id[1])
        write_unsigned(out, stream.added)
        write_count(out, len(self._groups))
        self._begun = 0

    def _group(self) -> StreamGroup:
        return self._stream.groups[self._groups[self._begun - 1]]

    def _begin_group(self, out: BytesWriter) -> None:
        self._begun += 1
        group = self._group()
        write_string(out, self._groups[self._begun - 1], self._compress)
        write_unsigned(out, group.last_id[0])
        write_unsigned(out, group.last_id[1])
        write_unsigned(out, unsigned64(group.entries_read))
        write_count(out, group.pending.count)
        self._consumers = sorted(group.consumers)
        self._consumers_done = 0
        self._rows = group.pending.directory.first()
        if self._rows is None:
            write_count(out, len(self._consumers))

    def _write_pending(self, out: BytesWriter) -> None:
        pending = self._group().pending
        left: i64 = _ROWS
        chunk = self._rows
        while chunk is not None and left > 0:
            pos: i64 = 0
            while pos < len(chunk):
                out.write(chunk[pos : pos + _PLAIN])
                write_count(out, delivery_count(chunk, pos))
                pos += pending.width
            chunk = pending.directory.after(chunk)
            left -= 1
        self._rows = chunk
        if chunk is None:
            write_count(out, len(self._consumers))

    def _write_consumer(self, out: BytesWriter, consumer: StreamConsumer) -> None:
        write_string(out, consumer.name, self._compress)
        write_i64_le(out, consumer.seen_time)
        write_i64_le(out, consumer.active_time)
        write_count(out, consumer.pending.count)
        chunk = consumer.pending.directory.first()
        while chunk is not None:
            out.write(chunk)
            chunk = consumer.pending.directory.after(chunk)


def save_stream(out: BytesWriter, stream: Stream, compress: bool) -> None:
    """Writes the body of a stream in one go."""
    parts = StreamParts(out, stream, compress)
    while parts.step(out):
        pass


def arriving_stream(cursor: Cursor, kind: i64) -> Iterator[Stream | None]:
    """Reads the body of a stream, in parts (see ``Arriving``)."""
    stream = Stream()
    left: i64 = cursor.count()
    while left > 0:
        _read_nodes(cursor, stream, min(left, _NODES))
        left -= _NODES
        if left > 0:
            yield None
    _read_counters(cursor, stream, kind)
    # Rows since the last part.
    rows: i64 = 0
    left = cursor.count()
    while left > 0:
        left -= 1
        name = cursor.string()
        if name in stream.groups:
            cursor.fail("duplicate consumer group")
        group = _read_group(cursor, stream, name, kind)
        pending: i64 = cursor.count()
        while pending > 0:
            count: i64 = min(pending, _PENDING)
            _read_pending(cursor, group, count)
            pending -= count
            rows += count
            if rows >= _PENDING:
                rows = 0
                yield None
        owned: i64 = 0
        consumers: i64 = cursor.count()
        while consumers > 0:
            consumers -= 1
            consumer = _read_consumer(cursor, group, kind)
            pending = cursor.count()
            owned += pending
            rows += 1
            while pending > 0:
                count = min(pending, _PENDING)
                _read_owned(cursor, group, consumer, count)
                pending -= count
                rows += count
                if rows >= _PENDING:
                    rows = 0
                    yield None
        if owned != group.pending.count:
            cursor.fail("a pending entry without a consumer")
    yield stream


def _read_nodes(cursor: Cursor, stream: Stream, count: i64) -> None:
    while count > 0:
        count -= 1
        key = cursor.string()
        if len(key) != ID_SIZE:
            cursor.fail("stream node key is not a stream id")
        offset = cursor.offset()
        node = key + cursor.string()
        try:
            check_node(node, offset)
        except DamagedListpack as error:
            raise RdbError(error.offset, error.reason) from None
        if not stream.add_node(node):
            cursor.fail("stream entries do not rise")


def _read_counters(cursor: Cursor, stream: Stream, kind: i64) -> None:
    length: i64 = cursor.number()
    if length != stream.length:
        cursor.fail(f"stream of {stream.length} entries says that it has {length}")
    stream.last_id = (cursor.unsigned(), cursor.unsigned())
    if kind > TYPE_STREAM:
        # The id of the first entry follows from the entries.
        cursor.unsigned()
        cursor.unsigned()
        stream.max_deleted_id = (cursor.unsigned(), cursor.unsigned())
        # No stream counts further: the number goes through signed ones.
        stream.added = min(cursor.unsigned(), INT64_MAX)
    else:
        stream.added = int(length)
    if not stream.loaded():
        cursor.fail("stream has an entry above its last id")


def _read_group(cursor: Cursor, stream: Stream, name: bytes, kind: i64) -> StreamGroup:
    """What stands before a group's pending entries."""
    last_id = (cursor.unsigned(), cursor.unsigned())
    read = int(signed64(cursor.unsigned())) if kind > TYPE_STREAM else stream.entries_read_at(last_id)
    return stream.create_group(name, last_id, read)


def _read_pending(cursor: Cursor, group: StreamGroup, count: i64) -> None:
    while count > 0:
        count -= 1
        entry_id = id_at(cursor.take(ID_SIZE), 0)
        delivered = cursor.int64()
        if not group.expect(entry_id, delivered, signed64(cursor.unsigned())):
            cursor.fail("duplicate entry in the pending list of a consumer group")


def _read_consumer(cursor: Cursor, group: StreamGroup, kind: i64) -> StreamConsumer:
    """What stands before a consumer's entries."""
    name = cursor.string()
    if name in group.consumers:
        cursor.fail("duplicate consumer")
    seen = cursor.int64()
    active = cursor.int64() if kind >= TYPE_STREAM_3 else seen
    return group.create_consumer(name, seen, active)


def _read_owned(cursor: Cursor, group: StreamGroup, consumer: StreamConsumer, count: i64) -> None:
    while count > 0:
        count -= 1
        if not group.give(id_at(cursor.take(ID_SIZE), 0), consumer):
            cursor.fail("a consumer's entry is not in the pending list of its group, or is another consumer's")
