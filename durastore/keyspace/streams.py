"""The stream value type.

A stream is a sorted row of nodes (``stream_nodes``) in a directory of chunks (``chunks``).  The last node is open
while entries are added: ``_tail`` holds it in a form that grows cheaply, and ``_flush`` brings the directory up to
date before anybody reads.  Times are Unix milliseconds.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.chunks import ID_MAX, SMALL, Directory, Owner, StreamID, directory_size, id_at
from durastore.keyspace.consumer_groups import StreamGroup
from durastore.keyspace.limits import Limits
from durastore.keyspace.stream_nodes import NODE_BYTES, NodeReader, NodeWriter, valid_entries
from durastore.keyspace.values import Value

ZERO: Final = (0, 0)
LAST: Final = (ID_MAX, ID_MAX)
# What the objects of an empty stream, group and consumer take, in bytes.
_STREAM_SIZE: Final = 1200
_GROUP_SIZE: Final = 600
_CONSUMER_SIZE: Final = 500


def precedes(left: StreamID, right: StreamID) -> bool:
    """Whether an id is smaller than another."""
    return left[0] < right[0] or (left[0] == right[0] and left[1] < right[1])


def following(stream_id: StreamID) -> StreamID | None:
    """The next greater id; None where there is none."""
    if stream_id[1] < SMALL or stream_id[1] < ID_MAX:
        return stream_id[0], stream_id[1] + 1
    return (stream_id[0] + 1, 0) if stream_id[0] < ID_MAX else None


def preceding(stream_id: StreamID) -> StreamID | None:
    """The next smaller id; None where there is none."""
    if stream_id[1] > 0:
        return stream_id[0], stream_id[1] - 1
    return (stream_id[0] - 1, ID_MAX) if stream_id[0] > 0 else None


@final
class Stream(Value):
    """A stream.

    ``added`` counts all entries that there ever were; ``first_id`` is that of the first entry, or 0-0.  The greatest
    id that was ever deleted by itself (not by trimming) is ``max_deleted_id``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.owner = Owner()
        self.nodes = Directory(self.owner)
        self.length: i64 = 0
        self.added = 0
        self.last_id: StreamID = ZERO
        self.first_id: StreamID = ZERO
        self.max_deleted_id: StreamID = ZERO
        self.groups: dict[bytes, StreamGroup] = {}
        self._tail: NodeWriter | None = None
        # Whether the directory has all that the tail has; and whether it has an earlier state of the same node.
        self._flushed = True
        self._tail_listed = False
        # The id of the last entry that is not deleted, as long as it is known.
        self._top: StreamID = ZERO
        self._top_known = True

    def type_name(self) -> bytes:
        return b"stream"

    def size(self) -> int:
        return int(self.length)

    def parts(self) -> list[object]:
        parts: list[object] = [*self.nodes.blocks]
        for group in self.groups.values():
            parts.extend(group.pending.directory.blocks)
            for consumer in group.consumers.values():
                parts.extend(consumer.pending.directory.blocks)
        return parts

    def memory(self, samples: i64) -> i64:
        """See Value; always estimated, from the first and last nodes and pending rows."""
        nodes = self.directory()
        size: i64 = _STREAM_SIZE + directory_size(nodes)
        for group in self.groups.values():
            size += _GROUP_SIZE + directory_size(group.pending.directory)
            for name, consumer in group.consumers.items():
                size += _CONSUMER_SIZE + len(name) + directory_size(consumer.pending.directory)
        return size

    def copy(self) -> Value:
        self._flush()
        twin = Stream()
        twin.nodes = self.nodes.copy(twin.owner)
        twin.length = self.length
        twin.added = self.added
        twin.last_id = self.last_id
        twin.first_id = self.first_id
        twin.max_deleted_id = self.max_deleted_id
        twin.groups = self.groups.copy()
        twin._top = self._top
        twin._top_known = self._top_known
        # What was this stream's own is now shared.
        self.owner = Owner()
        self.nodes.owner = self.owner
        return twin

    def chunks(self) -> i64:
        """The number of chunks: of entries, and of pending entries of all groups."""
        total: i64 = self.nodes.count
        for group in self.groups.values():
            total += group.pending.directory.count
        return total

    def directory(self) -> Directory:
        """The nodes, all entries among them."""
        self._flush()
        return self.nodes

    def add_node(self, node: bytes) -> bool:
        """Adds a node that was loaded; False where it does not begin behind the one before."""
        before = self.nodes.last()
        if before is not None:
            reader = NodeReader(before)
            reader.rewind()
            if reader.backward() and not precedes(reader.id, id_at(node, 0)):
                return False
        entries = valid_entries(node)
        if entries:
            self.nodes.append(node)
            self.length += entries
        return True

    def loaded(self) -> bool:
        """To be called when all nodes and ``last_id`` are there; False where that is below an entry."""
        self._find_first()
        self._top_known = False
        return not precedes(self.last_id, self.top())

    def append(self, entry_id: StreamID, words: list[bytes], at: i64, limits: Limits) -> None:
        """Adds an entry, whose id is greater than ``last_id``; names and values are the words from ``at`` on."""
        tail = self._tail
        if tail is None:
            tail = self._open(entry_id, words, at, limits)
        elif _full(tail.size() + words_size(words, at), tail.valid + tail.deleted, limits):
            self._flush()
            tail = self._begin(entry_id, words, at)
        tail.add(entry_id, words, at)
        self._flushed = False
        if self.length == 0:
            self.first_id = entry_id
        self.length += 1
        self.added += 1
        self.last_id = entry_id
        self._top = entry_id
        self._top_known = True

    def _begin(self, entry_id: StreamID, words: list[bytes], at: i64) -> NodeWriter:
        """A new last node."""
        names: list[bytes] = []
        end: i64 = len(words)
        while at < end:
            names.append(words[at])
            at += 2
        tail = NodeWriter(entry_id, names)
        tail.begin()
        self._tail = tail
        self._tail_listed = False
        return tail

    def _open(self, entry_id: StreamID, words: list[bytes], at: i64, limits: Limits) -> NodeWriter:
        """The last node, opened again, or a new one."""
        node = self.nodes.last()
        if node is None:
            return self._begin(entry_id, words, at)
        reader = NodeReader(node)
        if _full(reader.size() + words_size(words, at), reader.valid + reader.deleted, limits):
            return self._begin(entry_id, words, at)
        tail = NodeWriter(reader.master, reader.names())
        tail.resume(reader)
        self._tail = tail
        self._tail_listed = True
        return tail

    def _flush(self) -> None:
        """Brings the directory up to date."""
        if self._flushed:
            return
        tail = self._tail
        assert tail is not None
        node = tail.finish()
        if self._tail_listed:
            self.nodes.replace(node, node)
        else:
            self.nodes.append(node)
            self._tail_listed = True
        self._flushed = True

    def _tail_of(self, node: bytes) -> NodeWriter | None:
        """The open node, if it is this one."""
        tail = self._tail
        return tail if tail is not None and id_at(node, 0) == tail.master else None

    def top(self) -> StreamID:
        """The id of the last entry; 0-0 where there is none."""
        if not self._top_known:
            cursor = EntryCursor(self, ZERO, LAST, True)
            self._top = cursor.id if cursor.next() else ZERO
            self._top_known = True
        return self._top

    def delete(self, entry_id: StreamID) -> bool:
        """Deletes an entry; says whether it was there."""
        if self.length == 0 or precedes(entry_id, self.first_id) or precedes(self.last_id, entry_id):
            return False
        node = self.directory().floor(entry_id)
        if node is None:
            return False
        reader = NodeReader(node)
        tail = self._tail_of(node)
        if tail is not None:
            reader.skip(tail.deleted_to)
        while True:
            if not reader.forward() or precedes(entry_id, reader.id):
                return False
            if reader.id == entry_id:
                break
        if reader.deleted_entry:
            return False
        offset: i64 = reader.offset()
        if reader.valid == 1:
            self._remove_node(node)
        elif node is self.nodes.last():
            self._mark(reader, [int(offset)])
        else:
            self.nodes.replace(node, reader.cut(offset, reader.behind(), 1, 0, reader.entry_elements()))
        self.length -= 1
        if precedes(self.max_deleted_id, entry_id):
            self.max_deleted_id = entry_id
        if entry_id == self.first_id:
            self._find_first()
        if entry_id == self._top:
            self._top_known = False
        return True

    def _mark(self, reader: NodeReader, offsets: list[int]) -> None:
        """Deletes entries of the last node."""
        self.nodes.replace(reader.node, reader.marked(offsets))
        tail = self._tail_of(reader.node)
        if tail is not None:
            tail.delete(offsets)

    def _remove_node(self, node: bytes) -> None:
        if self._tail_of(node) is not None:
            self._tail = None
        self.nodes.remove(node)

    def _find_first(self) -> None:
        cursor = EntryCursor(self, ZERO, LAST, False)
        self.first_id = cursor.id if cursor.next() else ZERO

    def _first_node(self) -> bytes | None:
        """The first node, up to date."""
        node = self.nodes.first()
        if not self._flushed and (node is None or self._tail_of(node) is not None):
            self._flush()
            node = self.nodes.first()
        return node

    def trim_length(self, most: int, approximate: bool, limit: i64) -> i64:
        """Deletes the first entries until ``most`` are left; returns how many it deleted.

        With ``approximate`` only whole nodes go, and with ``limit`` (0: none) no more entries than that.
        """
        deleted: i64 = 0
        while self.length > most:
            node = self._first_node()
            if node is None:
                break
            entries: i64 = valid_entries(node)
            if limit and deleted + entries > limit:
                break
            if self.length - entries >= most:
                self._remove_node(node)
                self.length -= entries
                deleted += entries
            elif approximate:
                break
            else:
                return deleted + self._trim_node(node, self.length - i64(most), LAST)
        return self._trimmed(deleted)

    def trim_before(self, least: StreamID, approximate: bool, limit: i64) -> i64:
        """Deletes the entries with smaller ids; as ``trim_length``."""
        deleted: i64 = 0
        while self.length and precedes(self.first_id, least):
            node = self._first_node()
            if node is None:
                break
            entries: i64 = valid_entries(node)
            if limit and deleted + entries > limit:
                break
            reader = NodeReader(node)
            reader.rewind()
            if reader.backward() and precedes(reader.id, least):
                self._remove_node(node)
                self.length -= entries
                deleted += entries
            elif approximate:
                break
            else:
                return deleted + self._trim_node(node, self.length, least)
        return self._trimmed(deleted)

    def _trim_node(self, node: bytes, most: i64, least: StreamID) -> i64:
        """Deletes up to ``most`` entries at the beginning of the first node, whose ids are smaller than ``least``."""
        reader = NodeReader(node)
        tail = self._tail_of(node)
        if tail is not None:
            reader.skip(tail.deleted_to)
        offsets: list[int] = []
        elements: i64 = 0
        passed: i64 = 0
        while reader.forward():
            if not reader.deleted_entry:
                if len(offsets) == most or not precedes(reader.id, least):
                    break
                offsets.append(int(reader.offset()))
            passed += 1
            elements += reader.entry_elements()
        entries: i64 = len(offsets)
        self.length -= entries
        if entries == reader.valid:
            self._remove_node(node)
            self._find_first()
            return entries
        self.first_id = reader.id
        if node is not self.nodes.last():
            self.nodes.replace(node, reader.cut(0, reader.offset(), entries, passed - entries, elements))
        elif entries:
            self._mark(reader, offsets)
            if tail is not None:
                tail.deleted_to = reader.offset()
        return entries

    def _trimmed(self, deleted: i64) -> i64:
        if deleted:
            self._find_first()
            if self.length == 0:
                self._top_known = False
        return deleted

    def group(self, name: bytes) -> StreamGroup | None:
        """A consumer group, to be changed: no copy of the stream shares it."""
        group = self.groups.get(name)
        if group is not None and group.owner is not self.owner:
            group = group.copy(self.owner)
            self.groups[name] = group
        return group

    def create_group(self, name: bytes, last_id: StreamID, entries_read: int) -> StreamGroup:
        """A new consumer group."""
        group = StreamGroup(self.owner, last_id, entries_read)
        self.groups[name] = group
        return group

    def deleted_behind(self, start: StreamID) -> bool:
        """Whether an entry with this id or a greater one was deleted by itself, as far as is known."""
        return self.length != 0 and self.max_deleted_id != ZERO and not precedes(self.max_deleted_id, start)

    def entries_read_at(self, entry_id: StreamID) -> int:
        """How many entries were added up to an id, itself among them; -1 where that cannot be known."""
        if not self.added:
            return 0
        if self.length == 0 and not precedes(self.last_id, entry_id):
            return self.added
        if entry_id != ZERO and precedes(entry_id, self.max_deleted_id):
            return -1
        if entry_id == self.last_id:
            return self.added
        if precedes(self.last_id, entry_id):
            return -1
        if self.max_deleted_id == ZERO or precedes(self.max_deleted_id, self.first_id):
            if precedes(entry_id, self.first_id):
                return self.added - int(self.length)
            if entry_id == self.first_id:
                return self.added - int(self.length) + 1
        return -1

    def lag(self, group: StreamGroup) -> int | None:
        """How many entries a group has still to read; None where that cannot be known."""
        if not self.added:
            return 0
        if group.entries_read != -1 and not self.deleted_behind(group.last_id):
            return self.added - group.entries_read
        read = self.entries_read_at(group.last_id)
        return None if read == -1 else self.added - read

    def advance(self, group: StreamGroup, entry_id: StreamID) -> None:
        """The group, to be changed, has read up to an entry beyond its last one."""
        if (
            group.entries_read != -1
            and not precedes(group.last_id, self.first_id)
            and not self.deleted_behind(group.last_id)
        ):
            group.entries_read += 1
        elif self.added:
            group.entries_read = self.entries_read_at(entry_id)
        group.last_id = entry_id


def words_size(words: list[bytes], at: i64) -> i64:
    """The bytes of an entry's names and values, which are the words from ``at`` on."""
    total: i64 = 0
    end: i64 = len(words)
    while at < end:
        total += len(words[at])
        at += 1
    return total


def _full(size: i64, entries: i64, limits: Limits) -> bool:
    """Whether a node of so many entries must not grow to this size."""
    most: i64 = limits.stream_node_entries
    if 0 < most <= entries:
        return True
    most = limits.stream_node_bytes
    if most <= 0 or most > NODE_BYTES:
        most = NODE_BYTES
    return size >= most


@final
class EntryCursor:
    """Goes through the entries of a stream from ``start`` to ``end``, both included; ``reverse``: from end to start.

    The stream does not change meanwhile.
    """

    def __init__(self, stream: Stream, start: StreamID, end: StreamID, reverse: bool) -> None:
        self._nodes = stream.directory()
        # Where the entries end, unless they do so with the stream.
        self._stop = start if reverse else end
        self._endless = start == ZERO if reverse else end == LAST
        # Entries before this one are passed over, until the first that is not.
        self._begin = end if reverse else start
        self._begun = False
        self._reverse = reverse
        self._reader: NodeReader | None = None
        self.id: StreamID = ZERO
        node = self._nodes.floor(self._begin)
        if node is None and not reverse:
            node = self._nodes.first()
        self._go(node)

    def _go(self, node: bytes | None) -> None:
        if node is None:
            self._reader = None
        else:
            self._reader = NodeReader(node)
            if self._reverse:
                self._reader.rewind()

    def next(self) -> bool:
        """Goes to the next entry, whose id is ``id``."""
        reader = self._reader
        while reader is not None:
            while reader.backward() if self._reverse else reader.forward():
                if reader.deleted_entry:
                    continue
                entry_id = reader.id
                if not self._begun:
                    if precedes(self._begin, entry_id) if self._reverse else precedes(entry_id, self._begin):
                        continue
                    self._begun = True
                if not self._endless and (
                    precedes(entry_id, self._stop) if self._reverse else precedes(self._stop, entry_id)
                ):
                    self._reader = None
                    return False
                self.id = entry_id
                return True
            self._go(self._nodes.before(reader.node) if self._reverse else self._nodes.after(reader.node))
            reader = self._reader
        return False

    def fields(self) -> list[bytes]:
        """Name, value, name, value ... of the entry."""
        reader = self._reader
        assert reader is not None
        return reader.fields()


@final
class EntryFinder:
    """Finds entries by their ids; cheaply where these rise.  The stream does not change meanwhile."""

    def __init__(self, stream: Stream) -> None:
        self._nodes = stream.directory()
        self._reader: NodeReader | None = None
        self._exhausted = False

    def find(self, entry_id: StreamID) -> bool:
        """Whether there is an entry of this id."""
        node = self._nodes.floor(entry_id)
        if node is None:
            return False
        reader = self._reader
        if reader is None or reader.node is not node or not precedes(reader.id, entry_id):
            reader = NodeReader(node)
            self._reader = reader
            self._exhausted = not reader.forward()
        while not self._exhausted and precedes(reader.id, entry_id):
            self._exhausted = not reader.forward()
        return not self._exhausted and reader.id == entry_id and not reader.deleted_entry

    def fields(self) -> list[bytes]:
        """Name, value, name, value ... of the entry that was found."""
        reader = self._reader
        assert reader is not None
        return reader.fields()
