"""Streams in RDB files: rows of listpacks, then ids and counters, then the consumer groups.

A listpack begins with a master entry (count, number deleted, the field names of the first entry) relative to whose id
and names the others are stored.  Sources: the layout comment of t_stream.c, and the three RDB types of Redis 5, 7.0
and 7.2, each of which adds to the one before.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, read_i64_be, write_i64_be, write_i64_le
from mypy_extensions import i64

from durastore.keyspace.limits import Limits
from durastore.keyspace.listpack import EMPTY, ListpackWriter
from durastore.keyspace.streams import PendingEntry, Stream, StreamConsumer, StreamGroup, StreamID
from durastore.persistence.rdb.cursor import Cursor
from durastore.persistence.rdb.format import TYPE_STREAM, TYPE_STREAM_3, RdbError
from durastore.persistence.rdb.primitives import signed64, write_count, write_string, write_unsigned

_DELETED: Final = 1
_SAME_FIELDS: Final = 2
_UNSIGNED: Final = 1 << 64
# The size of a listpack may not pass this, whatever the directives say.
_NODE_BYTES: Final = 1 << 30
# The bytes of the master entry's first element, the number of entries, as long as it is below 128.
_COUNT_ELEMENT: Final = 2


def _id_bytes(stream_id: StreamID) -> bytes:
    out = BytesWriter()
    write_i64_be(out, signed64(stream_id[0]))
    write_i64_be(out, signed64(stream_id[1]))
    return out.getvalue()


def _read_id(blob: bytes) -> StreamID:
    high: i64 = read_i64_be(blob, 0)
    low: i64 = read_i64_be(blob, 8)
    return int(high) % _UNSIGNED, int(low) % _UNSIGNED


def save_stream(out: BytesWriter, stream: Stream, limits: Limits, compress: bool) -> None:
    """Writes the body of a stream (TYPE_STREAM_3)."""
    nodes = _nodes(stream, limits)
    write_count(out, len(nodes))
    for master, listpack in nodes:
        write_string(out, _id_bytes(master), compress)
        write_string(out, listpack, compress)
    write_count(out, len(stream.entries))
    first: StreamID = (0, 0)
    for entry_id in stream.entries:
        first = entry_id
        break
    for stream_id in (stream.last_id, first, stream.max_deleted_id):
        write_unsigned(out, stream_id[0])
        write_unsigned(out, stream_id[1])
    write_unsigned(out, stream.entries_added)
    write_count(out, len(stream.groups))
    for name in sorted(stream.groups):
        _save_group(out, name, stream.groups[name], compress)


def _save_group(out: BytesWriter, name: bytes, group: StreamGroup, compress: bool) -> None:
    write_string(out, name, compress)
    write_unsigned(out, group.last_id[0])
    write_unsigned(out, group.last_id[1])
    write_unsigned(out, group.entries_read % _UNSIGNED)
    write_count(out, len(group.pending))
    owned: dict[bytes, list[StreamID]] = {}
    for entry_id in sorted(group.pending):
        entry = group.pending[entry_id]
        out.write(_id_bytes(entry_id))
        write_i64_le(out, entry.delivery_time)
        write_unsigned(out, entry.delivery_count)
        owned.setdefault(entry.consumer, []).append(entry_id)
    write_count(out, len(group.consumers))
    for consumer_name in sorted(group.consumers):
        consumer = group.consumers[consumer_name]
        write_string(out, consumer_name, compress)
        write_i64_le(out, consumer.seen_time)
        write_i64_le(out, consumer.active_time)
        ids = owned.get(consumer_name, [])
        write_count(out, len(ids))
        for entry_id in ids:
            out.write(_id_bytes(entry_id))


def _nodes(stream: Stream, limits: Limits) -> list[tuple[StreamID, bytes]]:
    """The entries in listpacks, each with the id of its first entry.

    A new listpack begins where XADD would have begun one.
    """
    nodes: list[tuple[StreamID, bytes]] = []
    most_bytes: i64 = limits.stream_node_bytes
    if most_bytes <= 0 or most_bytes > _NODE_BYTES:
        most_bytes = _NODE_BYTES
    most_entries: i64 = limits.stream_node_entries
    body = ListpackWriter()
    head = ListpackWriter()
    names: list[bytes] = []
    master: StreamID = (0, 0)
    held: i64 = 0
    for entry_id, fields in stream.entries.items():
        total: i64 = 0
        for text in fields:
            total += len(text)
        full = _COUNT_ELEMENT + head.size() + body.size() - EMPTY + total >= most_bytes or 0 < most_entries <= held
        if held and full:
            nodes.append((master, _close(held, head, body)))
            held = 0
        own_names = fields[::2]
        if not held:
            master = entry_id
            names = own_names
            head = _head(names)
            body = ListpackWriter()
        held += 1
        count: i64 = len(own_names)
        same = own_names == names
        body.integer(_SAME_FIELDS if same else 0)
        body.integer(signed64(entry_id[0] - master[0]))
        body.integer(signed64(entry_id[1] - master[1]))
        if same:
            for value in fields[1::2]:
                body.string(value)
            body.integer(count + 3)
        else:
            body.integer(count)
            for text in fields:
                body.string(text)
            body.integer(count * 2 + 4)
    if held:
        nodes.append((master, _close(held, head, body)))
    return nodes


def _head(names: list[bytes]) -> ListpackWriter:
    """The master entry without its first element, the number of entries."""
    head = ListpackWriter()
    head.integer(0)
    head.integer(len(names))
    for name in names:
        head.string(name)
    head.integer(0)
    return head


def _close(held: i64, head: ListpackWriter, body: ListpackWriter) -> bytes:
    """The whole listpack."""
    whole = ListpackWriter()
    whole.integer(held)
    whole.join(head)
    whole.join(body)
    return whole.finish()


def load_stream(cursor: Cursor, kind: i64) -> Stream:
    """Reads the body of a stream.  Raises RdbError."""
    stream = Stream()
    remaining: i64 = cursor.count()
    while remaining > 0:
        remaining -= 1
        key = cursor.string()
        if len(key) != 16:
            cursor.fail("stream node key is not a stream id")
        offset = cursor.offset()
        _load_node(stream, _read_id(key), cursor.listpack(), offset)
    length = cursor.unsigned()
    if length != len(stream.entries):
        cursor.fail(f"stream of {len(stream.entries)} entries says that it has {length}")
    stream.last_id = (cursor.unsigned(), cursor.unsigned())
    if kind > TYPE_STREAM:
        # The id of the first entry follows from the entries.
        cursor.unsigned()
        cursor.unsigned()
        stream.max_deleted_id = (cursor.unsigned(), cursor.unsigned())
        stream.entries_added = cursor.unsigned()
    else:
        stream.entries_added = length
    for entry_id in reversed(stream.entries):
        if entry_id > stream.last_id:
            cursor.fail("stream has an entry above its last id")
        break
    remaining = cursor.count()
    while remaining > 0:
        remaining -= 1
        name = cursor.string()
        if name in stream.groups:
            cursor.fail("duplicate consumer group")
        stream.groups[name] = _load_group(cursor, stream, kind)
    return stream


def _number(items: list[bytes], at: i64, offset: i64) -> int:
    """An integer element of a stream's listpack."""
    if at >= len(items):
        raise RdbError(int(offset), "stream listpack ends within an entry")
    try:
        return int(items[at])
    except ValueError:
        raise RdbError(int(offset), "text where a stream listpack must have a number") from None


def _load_node(stream: Stream, master: StreamID, items: list[bytes], offset: i64) -> None:
    total: i64 = len(items)
    valid = _number(items, 0, offset)
    deleted = _number(items, 1, offset)
    width: i64 = _count(items, 2, offset)
    pos: i64 = 3 + width
    names = items[3:pos]
    if _number(items, pos, offset) != 0:
        raise RdbError(int(offset), "stream listpack has no end of its master entry")
    pos += 1
    last: StreamID | None = None
    for entry_id in reversed(stream.entries):
        last = entry_id
        break
    while pos < total:
        start: i64 = pos
        flags = _number(items, pos, offset)
        ms = master[0] + _number(items, pos + 1, offset)
        seq = master[1] + _number(items, pos + 2, offset)
        pos += 3
        fields: list[bytes]
        if flags & _SAME_FIELDS:
            values = items[pos : pos + width]
            fields = []
            for name, value in zip(names, values, strict=False):
                fields.append(name)
                fields.append(value)
            pos += width
        else:
            count = _count(items, pos, offset)
            fields = items[pos + 1 : pos + 1 + 2 * count]
            pos += 1 + 2 * count
        if _number(items, pos, offset) != pos - start:
            raise RdbError(int(offset), "stream entry of a wrong length")
        pos += 1
        if flags & _DELETED:
            deleted -= 1
            continue
        valid -= 1
        entry_id = (ms % _UNSIGNED, seq % _UNSIGNED)
        if last is not None and entry_id <= last:
            raise RdbError(int(offset), "stream entries do not rise")
        last = entry_id
        stream.entries[entry_id] = fields
    if valid != 0 or deleted != 0:
        raise RdbError(int(offset), "stream listpack has not as many entries as it says")


def _count(items: list[bytes], at: i64, offset: i64) -> i64:
    """A number of fields, which cannot be more than there are elements."""
    count = _number(items, at, offset)
    if count < 0 or count > len(items):
        raise RdbError(int(offset), "impossible number of fields in a stream listpack")
    return count


def _load_group(cursor: Cursor, stream: Stream, kind: i64) -> StreamGroup:
    last_id = (cursor.unsigned(), cursor.unsigned())
    if kind > TYPE_STREAM:
        read = cursor.unsigned()
        if read >= 1 << 63:
            read -= _UNSIGNED
    else:
        read = entries_read(stream, last_id)
    group = StreamGroup(last_id, read)
    times: dict[StreamID, tuple[int, int]] = {}
    remaining: i64 = cursor.count()
    while remaining > 0:
        remaining -= 1
        entry_id = _read_id(cursor.take(16))
        if entry_id in times:
            cursor.fail("duplicate entry in the pending list of a consumer group")
        delivered = int(cursor.int64())
        times[entry_id] = (delivered, cursor.unsigned())
    owners: dict[StreamID, bytes] = {}
    remaining = cursor.count()
    while remaining > 0:
        remaining -= 1
        name = cursor.string()
        if name in group.consumers:
            cursor.fail("duplicate consumer")
        seen = int(cursor.int64())
        active = int(cursor.int64()) if kind >= TYPE_STREAM_3 else seen
        group.consumers[name] = StreamConsumer(seen, active)
        owned: i64 = cursor.count()
        while owned > 0:
            owned -= 1
            entry_id = _read_id(cursor.take(16))
            if entry_id not in times:
                cursor.fail("a consumer's entry is not in the pending list of its group")
            if entry_id in owners:
                cursor.fail("a pending entry of two consumers")
            owners[entry_id] = name
    for entry_id, when in times.items():
        owner = owners.get(entry_id)
        if owner is None:
            cursor.fail("a pending entry without a consumer")
        group.pending[entry_id] = PendingEntry(owner, when[0], when[1])
    return group


def entries_read(stream: Stream, last_id: StreamID) -> int:
    """How many entries a group with this last id has read, for files that do not say; -1 where it cannot be known."""
    if not stream.entries_added:
        return 0
    if not stream.entries:
        return stream.entries_added if last_id <= stream.last_id else -1
    if last_id != (0, 0) and last_id < stream.max_deleted_id:
        return -1
    if last_id == stream.last_id:
        return stream.entries_added
    if last_id > stream.last_id:
        return -1
    first: StreamID = (0, 0)
    for entry_id in stream.entries:
        first = entry_id
        break
    if stream.max_deleted_id < first:
        if last_id < first:
            return stream.entries_added - len(stream.entries)
        if last_id == first:
            return stream.entries_added - len(stream.entries) + 1
    return -1
