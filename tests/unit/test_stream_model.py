"""Streams against a naive model: entries, trimming, deletion, copies, groups and their pending lists."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from durastore.keyspace.chunks import BLOCK_LIMIT, Directory, Owner, StreamID, id_at, id_bytes
from durastore.keyspace.consumer_groups import PendingCursor, StreamGroup
from durastore.keyspace.limits import Limits
from durastore.keyspace.listpack import DamagedListpack
from durastore.keyspace.pending import CHUNK_ROWS, RowCursor, Rows
from durastore.keyspace.stream_nodes import check_node
from durastore.keyspace.streams import LAST, ZERO, EntryCursor, EntryFinder, Stream
from durastore.persistence.rdb import dump_value, load_dump
from support.rdb import describe_stream, pending_entries

names = st.sampled_from([b"a", b"field", b"7", b""])
texts = st.sampled_from([b"v", b"", b"12", b"-129", b"70000", b"x" * 70]) | st.binary(max_size=5)
entries = st.lists(st.tuples(names, texts), min_size=1, max_size=3).map(lambda pairs: [w for p in pairs for w in p])
consumers = st.sampled_from([b"alice", b"bob", b"carol"])
steps = st.integers(0, 3)


class Model:
    """What a stream is, without regard to time and space."""

    def __init__(self) -> None:
        self.entries: dict[StreamID, list[bytes]] = {}
        self.last_id: StreamID = ZERO
        self.max_deleted: StreamID = ZERO
        self.added = 0
        self.pending: dict[StreamID, tuple[bytes, int, int]] = {}
        self.consumers: set[bytes] = set()

    def copy(self) -> Model:
        twin = Model()
        twin.__dict__.update(
            {name: value.copy() if hasattr(value, "copy") else value for name, value in self.__dict__.items()}
        )
        return twin


def read(stream: Stream, start: StreamID, end: StreamID, reverse: bool) -> list[tuple[StreamID, list[bytes]]]:
    cursor = EntryCursor(stream, start, end, reverse)
    found = []
    while cursor.next():
        found.append((cursor.id, cursor.fields()))
    return found


class StreamMachine(RuleBasedStateMachine):
    """Anything that may happen to a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = Stream()
        self.model = Model()
        self.limits = Limits()
        self.copies: list[tuple[Stream, Model]] = []
        self.now = 1000
        self.group().create_consumer(b"zoe", 1)

    def group(self) -> StreamGroup:
        group = self.stream.group(b"g")
        return self.stream.create_group(b"g", ZERO, 0) if group is None else group

    @initialize(size=st.sampled_from([0, 60, 4096]), count=st.sampled_from([0, 1, 3, 100]))
    def limit(self, size: int, count: int) -> None:
        self.limits.stream_node_bytes = size
        self.limits.stream_node_entries = count

    @rule(ms=steps, seq=steps, words=entries)
    def add(self, ms: int, seq: int, words: list[bytes]) -> None:
        entry_id = (self.model.last_id[0] + ms, seq if ms else self.model.last_id[1] + seq + 1)
        if entry_id <= self.model.last_id:
            return
        self.stream.append(entry_id, [b"XADD", b"key", *words], 2, self.limits)
        self.model.entries[entry_id] = words
        self.model.last_id = entry_id
        self.model.added += 1

    @precondition(lambda self: self.model.entries)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        entry_id = data.draw(st.sampled_from(sorted(self.model.entries)))
        assert EntryFinder(self.stream).find(entry_id)
        assert self.stream.delete(entry_id)
        assert not EntryFinder(self.stream).find(entry_id)
        assert not self.stream.delete(entry_id)
        del self.model.entries[entry_id]
        self.model.max_deleted = max(self.model.max_deleted, entry_id)

    @rule(entry_id=st.tuples(steps, steps))
    def delete_what_may_not_be_there(self, entry_id: StreamID) -> None:
        there = self.model.entries.pop(entry_id, None) is not None
        assert self.stream.delete(entry_id) == there
        if there:
            self.model.max_deleted = max(self.model.max_deleted, entry_id)

    @rule(most=st.integers(0, 12), approximate=st.booleans(), limit=st.sampled_from([0, 0, 2, 5]))
    def trim(self, most: int, approximate: bool, limit: int) -> None:
        self._trimmed(self.stream.trim_length(most, approximate, limit), approximate or limit > 0, limit, most)

    @rule(back=st.integers(0, 5), approximate=st.booleans(), limit=st.sampled_from([0, 0, 2, 5]))
    def trim_by_id(self, back: int, approximate: bool, limit: int) -> None:
        ids = sorted(self.model.entries)
        least = ids[-back] if 0 < back <= len(ids) else LAST
        most = sum(1 for entry_id in ids if entry_id >= least)
        self._trimmed(self.stream.trim_before(least, approximate, limit), approximate or limit > 0, limit, most)

    def _trimmed(self, deleted: int, partly: bool, limit: int, most: int) -> None:
        surplus = max(len(self.model.entries) - most, 0)
        assert deleted <= surplus if partly else deleted == surplus
        assert not limit or deleted <= limit
        for entry_id in sorted(self.model.entries)[:deleted]:
            del self.model.entries[entry_id]

    @rule(start=st.tuples(steps, steps), end=st.tuples(st.integers(0, 9), steps), reverse=st.booleans())
    def look(self, start: StreamID, end: StreamID, reverse: bool) -> None:
        wanted = [(i, words) for i, words in self.model.entries.items() if start <= i <= end]
        assert read(self.stream, start, end, reverse) == (wanted[::-1] if reverse else wanted)

    @rule(wanted=st.lists(st.tuples(steps, steps), max_size=8), rising=st.booleans())
    def find(self, wanted: list[StreamID], rising: bool) -> None:
        finder = EntryFinder(self.stream)
        for entry_id in sorted(wanted) if rising else wanted:
            assert finder.find(entry_id) == (entry_id in self.model.entries)
            if entry_id in self.model.entries:
                assert finder.fields() == self.model.entries[entry_id]

    @rule(reload=st.booleans())
    def copy(self, reload: bool) -> None:
        """A snapshot keeps the old value, COPY keeps both; a payload makes one from the same nodes."""
        copied = self.stream.copy()
        assert isinstance(copied, Stream)
        kept, self.stream = (copied, self.stream) if reload else (self.stream, copied)
        self.copies.append((kept, self.model.copy()))
        if reload:
            loaded = load_dump(dump_value(self.stream))
            assert isinstance(loaded, Stream)
            assert describe_stream(loaded) == describe_stream(self.stream)
            self.stream = loaded

    @rule(name=consumers, entry_id=st.tuples(steps, steps), count=st.integers(0, 3))
    def assign(self, name: bytes, entry_id: StreamID, count: int) -> None:
        group = self.group()
        consumer = group.consumer(name) or group.create_consumer(name, self.now)
        self.now += 1
        group.assign(entry_id, consumer, self.now, count)
        self.model.consumers.add(name)
        self.model.pending[entry_id] = (name, self.now, count)

    @rule(name=consumers, ids=st.sets(st.tuples(st.integers(0, 200), steps), min_size=1))
    def assign_all(self, name: bytes, ids: set[StreamID]) -> None:
        group = self.group()
        consumer = group.consumer(name) or group.create_consumer(name, self.now)
        group.assign_all(sorted(ids), consumer, self.now, 1)
        self.model.consumers.add(name)
        self.model.pending.update((entry_id, (name, self.now, 1)) for entry_id in ids)

    @rule(entry_id=st.tuples(steps, steps))
    def acknowledge(self, entry_id: StreamID) -> None:
        assert self.group().acknowledge(entry_id) == (self.model.pending.pop(entry_id, None) is not None)

    @rule(name=consumers)
    def delete_consumer(self, name: bytes) -> None:
        group = self.group()
        consumer = group.consumer(name)
        assert (consumer is not None) == (name in self.model.consumers)
        if consumer is not None:
            group.delete_consumer(consumer)
            self.model.consumers.remove(name)
            self.model.pending = {i: row for i, row in self.model.pending.items() if row[0] != name}

    @invariant()
    def same(self) -> None:
        check(self.stream, self.model)

    def teardown(self) -> None:
        for stream, model in self.copies:
            check(stream, model)


def check(stream: Stream, model: Model) -> None:
    ids = sorted(model.entries)
    assert read(stream, ZERO, LAST, False) == [(i, model.entries[i]) for i in ids]
    assert read(stream, ZERO, LAST, True) == [(i, model.entries[i]) for i in reversed(ids)]
    assert (stream.length, stream.added) == (len(ids), model.added)
    assert stream.first_id == (ids[0] if ids else ZERO)
    assert stream.top() == (ids[-1] if ids else ZERO)
    assert (stream.last_id, stream.max_deleted_id) == (model.last_id, model.max_deleted)
    group = stream.groups[b"g"]
    rows = [(e.id, (e.consumer, e.delivery_time, e.delivery_count)) for e in pending_entries(group)]
    assert rows == sorted(model.pending.items())
    assert group.pending.count == len(rows)
    assert set(group.consumers) == model.consumers | {b"zoe"}
    for name, consumer in group.consumers.items():
        own = [i for i, row in sorted(model.pending.items()) if row[0] == name]
        cursor = PendingCursor(group, consumer, ZERO)
        found: list[Any] = []
        while (entry := cursor.next()) is not None:
            found.append(entry.id)
        assert found == own
        assert consumer.pending.count == len(own)


TestStreams = StreamMachine.TestCase
TestStreams.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_many_rows_in_any_order() -> None:
    """Chunks fill, split and empty, and copies keep their state."""
    source = random.Random(7)
    rows = Rows(Owner(), 24)
    model: dict[StreamID, bytes] = {}
    copies = []
    for step in range(20_000):
        entry_id = (source.randrange(40), source.randrange(100))
        if source.random() < (0.7 if step < 12_000 else 0.3):
            row = id_bytes(entry_id) + b"%8d" % step
            assert rows.put(entry_id, row) == model.get(entry_id)
            model[entry_id] = row
        else:
            assert rows.remove(entry_id) == model.pop(entry_id, None)
        if step % 1000 == 0:
            owner = Owner()
            copies.append((rows.copy(owner), model.copy()))
            rows.directory.owner = Owner()
    copies.append((rows, model))
    for kept, wanted in copies:
        assert kept.count == len(wanted)
        for start in (ZERO, (3, 50), (39, 99), (50, 0)):
            cursor = RowCursor(kept, start)
            found = []
            while cursor.next():
                found.append(cursor.chunk[cursor.pos : cursor.pos + 24])
            assert found == [wanted[i] for i in sorted(wanted) if i >= start]
    assert rows.directory.count <= len(model) // (CHUNK_ROWS // 8)


def test_rows_may_go_while_a_cursor_is_above_them() -> None:
    rows = Rows(Owner(), 16)
    ids = [(i, i) for i in range(500)]
    for entry_id in ids:
        rows.put(entry_id, id_bytes(entry_id))
    cursor = RowCursor(rows, ZERO)
    seen = []
    while cursor.next():
        entry_id = id_at(cursor.chunk, cursor.pos)
        seen.append(entry_id)
        if entry_id[0] % 3:
            rows.remove(entry_id)
        else:
            rows.put(entry_id, id_bytes(entry_id))
    assert seen == ids
    assert rows.count == 167


def test_a_directory_of_many_blocks() -> None:
    directory = Directory(Owner())
    count = BLOCK_LIMIT * 4
    for i in range(0, count, 2):
        directory.append(id_bytes((i, 0)) + b"appended")
    odd = list(range(1, count, 2))
    random.Random(3).shuffle(odd)
    for i in odd:
        directory.insert(id_bytes((i, 0)) + b"inserted")
    copied = directory.copy(Owner())
    directory.owner = Owner()
    assert directory.count == count
    for i in range(count):
        chunk = directory.floor((i, 5))
        assert chunk is not None
        assert id_at(chunk, 0) == (i, 0)
        after, before = directory.after(chunk), directory.before(chunk)
        assert (after and id_at(after, 0)) == ((i + 1, 0) if i + 1 < count else None)
        assert (before and id_at(before, 0)) == ((i - 1, 0) if i else None)
    for i in range(count):
        chunk = directory.floor((i, 0))
        assert chunk is not None
        if i % 5:
            directory.remove(chunk)
        else:
            directory.replace(chunk, id_bytes((i, 3)))
    assert directory.floor((0, 2)) is None
    assert [directory.floor((i, 9)) for i in (0, 7, count)] == [id_bytes((i, 3)) for i in (0, 5, (count - 1) // 5 * 5)]
    # The copy has seen nothing of that.
    chunk = copied.first()
    for i in range(count):
        assert chunk is not None
        assert chunk[:16] == id_bytes((i, 0))
        chunk = copied.after(chunk)
    assert chunk is None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=3), st.booleans())
def test_a_damaged_node_is_refused_or_can_be_read(changes: list[tuple[int, int]], cut: bool) -> None:
    stream = Stream()
    for i in range(1, 9):
        words = [b"field", b"%d" % (i * 5000)] if i % 3 else [b"other", b"x" * 70, b"more", b""]
        stream.append((i * 300, i), words, 0, Limits())
    stream.delete((600, 2))
    whole = stream.directory().first()
    assert whole is not None
    node = bytearray(whole)
    for place, value in changes:
        node[16 + place % (len(node) - 16)] = value
    if cut:
        del node[-1 - changes[0][0] % 40 :]
        node[16:20] = (len(node) - 16).to_bytes(4, "little")
    try:
        check_node(bytes(node), 0)
    except DamagedListpack:
        return
    loaded = Stream()
    assert loaded.add_node(bytes(node))
    loaded.last_id = LAST
    assert loaded.loaded()
    forwards = read(loaded, ZERO, LAST, False)
    assert read(loaded, ZERO, LAST, True) == forwards[::-1]
    assert len(forwards) == loaded.length
    for entry_id, _ in forwards:
        assert loaded.delete(entry_id)
