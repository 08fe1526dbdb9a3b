"""Lists against a plain Python list, and the places where they change form."""

from __future__ import annotations

import io
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.keyspace import listpack
from durastore.keyspace.list_nodes import NO_LIMIT, Node, nodes_of, pack_body
from durastore.keyspace.lists import SHORT, List, list_of_nodes
from durastore.keyspace.quicklist import HOT
from durastore.persistence.commands import CommandSerializer
from durastore.persistence.loading import RdbLoading
from durastore.persistence.rdb import RdbReader, RdbWriter, dump_value, load_dump
from durastore.persistence.snapshot import Snapshot
from durastore.protocol.parser import encode_request
from support.engines import Listener, engine, run, session

# Few different elements, so that searches find something; of all forms in a listpack.
ELEMENTS = st.sampled_from(
    [
        b"",
        b"a",
        b"5",
        b"\x05\x01",
        b"-1",
        b"4095",
        b"-32768",
        b"8388607",
        b"1234567890123",
        b"007",
        b"x" * 64,
        b"y" * 300,
    ]
)
FILLS = st.sampled_from([-2, -1, -5, 0, 1, 2, 7, 128])


class Model:
    """A List and the plain list that it should equal."""

    def __init__(self, fill: int) -> None:
        self.fill = fill
        self.list = List([])
        self.plain: list[bytes] = []

    def push(self, item: bytes, head: bool) -> None:
        self.list.expect(len(item), 1, self.fill)
        if head:
            self.list.push_head(item, self.fill)
            self.plain.insert(0, item)
        else:
            self.list.push_tail(item, self.fill)
            self.plain.append(item)

    def pop(self, head: bool) -> None:
        if self.plain:
            taken = self.list.pop_head() if head else self.list.pop_tail()
            assert taken == self.plain.pop(0 if head else -1)
            self.settle()

    def settle(self) -> None:
        if self.plain:
            self.list.settle(self.fill)
        else:
            self.list = List([])

    def insert(self, place: float, item: bytes, after: bool) -> None:
        if self.plain:
            index = int(place * len(self.plain))
            self.list.expect(len(item), 1, self.fill)
            self.list.insert(index, item, after, self.fill)
            self.plain.insert(index + after, item)

    def replace(self, place: float, item: bytes) -> None:
        if self.plain:
            index = int(place * len(self.plain))
            self.list.expect(len(item), 1, self.fill)
            self.list.set(index, item)
            self.plain[index] = item
            self.settle()

    def remove(self, item: bytes, most: int) -> None:
        if not self.plain:
            return
        wanted = most or NO_LIMIT
        left = abs(wanted)
        kept = []
        for each in self.plain if wanted > 0 else reversed(self.plain):
            if each == item and left:
                left -= 1
            else:
                kept.append(each)
        if wanted < 0:
            kept.reverse()
        assert self.list.remove(item, abs(wanted), wanted < 0) == len(self.plain) - len(kept)
        self.plain = kept
        self.settle()

    def delete(self, place: float, share: float) -> None:
        if self.plain:
            start = int(place * len(self.plain))
            count = int(share * (len(self.plain) - start)) + 1
            self.list.delete(start, count)
            del self.plain[start : start + count]
            self.settle()

    def check(self) -> None:
        value = self.list
        assert value.size() == len(self.plain)
        assert value.items() == self.plain
        for index in {0, len(self.plain) // 3, len(self.plain) - 1} if self.plain else ():
            assert value.get(index) == self.plain[index]
        if value.nodes is not None and self.plain:
            check_nodes(value)


def check_nodes(value: List) -> None:
    """What the nodes say of themselves is true."""
    quick = value.nodes
    assert quick is not None
    assert quick.head_size == listpack_size(quick.head)
    assert quick.tail_size == listpack_size(quick.tail)
    assert value.quicklist or quick.is_one_node()
    total = len(quick.head) + len(quick.tail)
    for node in quick.nodes:
        total += node.count
        items: list[bytes] = []
        node.collect(0, node.count, items)
        assert len(items) == node.count
        assert node.size == listpack_size(items)
        assert listpack.decode(listpack.listpack_of(node.body(), node.count), 0) == items
    assert total == value.size()
    assert all(node.count for node in quick.nodes[1:-1])


def listpack_size(items: list[bytes]) -> int:
    return len(pack_body(items))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), ELEMENTS, st.booleans()),
        st.tuples(st.just("grow"), ELEMENTS, st.integers(1, 200)),
        st.tuples(st.just("pop"), st.booleans()),
        st.tuples(st.just("shrink"), st.booleans(), st.integers(1, 200)),
        st.tuples(st.just("insert"), st.floats(0, 0.999), ELEMENTS, st.booleans()),
        st.tuples(st.just("replace"), st.floats(0, 0.999), ELEMENTS),
        st.tuples(st.just("remove"), ELEMENTS, st.integers(-3, 3)),
        st.tuples(st.just("delete"), st.floats(0, 0.999), st.floats(0, 0.5)),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(FILLS, STEPS)
def test_a_list_behaves_as_a_plain_one(fill: int, steps: list[tuple[object, ...]]) -> None:
    model = Model(fill)
    for name, *arguments in steps:
        if name == "grow":
            item, count = arguments
            assert isinstance(item, bytes)
            assert isinstance(count, int)
            for i in range(count):
                model.push(item if i % 3 else b"%d" % i, i % 7 == 0)
        elif name == "shrink":
            head, count = arguments
            assert isinstance(head, bool)
            assert isinstance(count, int)
            for _ in range(count):
                model.pop(head)
        else:
            getattr(model, str(name))(*arguments)
        model.check()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(ELEMENTS, max_size=300),
    FILLS,
    ELEMENTS,
    st.integers(-5, 5).filter(bool),
    st.integers(0, 4),
    st.integers(0, 400),
)
def test_find(items: list[bytes], fill: int, item: bytes, rank: int, most: int, depth: int) -> None:
    value = List(items, fill)
    places = range(len(items)) if rank > 0 else range(len(items) - 1, -1, -1)
    looked_at = list(places)[: depth or None]
    wanted = [place for place in looked_at if items[place] == item][abs(rank) - 1 :][: most or None]
    assert value.find(item, rank, most or NO_LIMIT, depth or NO_LIMIT) == wanted


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1200), st.integers(0, 60), st.integers(0, 60), st.integers(0, 1400), st.integers(0, 1400))
def test_slices(size: int, more_head: int, more_tail: int, start: int, count: int) -> None:
    value = List([b"%d" % i for i in range(size)], -1)
    plain = value.items()
    for i in range(more_head):
        value.push_head(b"h%d" % i, -1)
        plain.insert(0, b"h%d" % i)
    for i in range(more_tail):
        value.push_tail(b"t%d" % i, -1)
        plain.append(b"t%d" % i)
    start = min(start, len(plain))
    count = min(count, len(plain) - start)
    assert value.slice(start, count) == plain[start : start + count]


def test_a_copy_shares_nothing_that_changes() -> None:
    value = List([b"%d" % i for i in range(5000)])
    before = value.items()
    copy = value.copy()
    assert isinstance(copy, List)
    assert value.nodes is not None
    assert copy.nodes is not None
    assert all(a is b for a, b in zip(value.nodes.nodes, copy.nodes.nodes, strict=True))
    rng = random.Random(1)
    for i in range(300):
        copy.push_head(b"h%d" % i, -2)
        copy.push_tail(b"t%d" % i, -2)
        copy.insert(rng.randrange(copy.size()), b"i", True, -2)
        copy.set(rng.randrange(copy.size()), b"s")
        copy.delete(rng.randrange(1, copy.size() - 20), 15)
        copy.remove(b"%d" % i, 1, True)
        copy.pop_head()
        copy.pop_tail()
    assert value.items() == before


def test_hot_ends_stay_small() -> None:
    value = List([])
    for i in range(20000):
        value.expect(8, 1, -2)
        value.push_head(b"%08d" % i, -2)
        value.push_tail(b"%08d" % i, -2)
    assert value.nodes is not None
    assert len(value.nodes.head) <= HOT
    assert len(value.nodes.tail) <= HOT
    # Nine bytes of node for eight of data, and little else.
    assert value.memory(0) < 40000 * 12


def test_a_list_used_as_a_queue_does_not_keep_empty_nodes() -> None:
    value = List([b"x" * 100 for _ in range(300)])
    for i in range(3000):
        value.push_tail(b"%d" % i, -2)
        value.pop_head()
    assert value.nodes is not None
    assert all(node.count for node in value.nodes.nodes[1:-1])
    assert len(value.nodes.nodes) < 10


@pytest.mark.parametrize(
    ("fill", "size", "count", "quicklist"),
    [
        (-2, 80, 90, False),
        (-2, 80, 110, True),
        (-1, 80, 45, False),
        (-1, 80, 55, True),
        (-5, 80, 700, False),
        (10, 1, 10, False),
        (10, 1, 11, True),
        (10, 2000, 5, True),
        (0, 1, 1, False),
        (0, 1, 2, True),
    ],
)
def test_the_encoding_follows_the_directive(fill: int, size: int, count: int, quicklist: bool) -> None:
    assert List([b"x" * size] * count, fill).quicklist == quicklist


def test_a_quicklist_becomes_a_listpack_again_at_half_of_the_limit() -> None:
    value = List([b"x" * 98] * 82)
    assert value.quicklist
    seen = []
    while value.size():
        value.pop_tail()
        value.settle(-2)
        seen.append(value.quicklist)
    # A node of so many elements: 40 of 101 bytes each and the frame are at most 4096 bytes.
    assert seen == [True] * (82 - 41) + [False] * 41


def test_a_limit_in_elements_counts_for_the_way_back_as_well() -> None:
    value = List([b"a"] * 11, 10)
    seen = []
    while value.size():
        value.pop_tail()
        value.settle(10)
        seen.append(value.quicklist)
    assert seen == [True] * 5 + [False] * 6


def test_short_lists_are_one_object() -> None:
    value = List([b"%d" % i for i in range(100)])
    assert value.nodes is None
    assert len(value.short) < SHORT
    assert value.memory(0) < 500


def test_one_large_element_is_kept_as_it_is() -> None:
    large = b"z" * 100_000
    value = List([b"a", large, b"b"])
    assert value.items() == [b"a", large, b"b"]
    nodes = value.packed_nodes()
    assert [node.single for node in nodes] == [False, True, False]
    assert nodes[1].data is large
    assert value.find(large, 1, 1, NO_LIMIT) == [1]
    value.set(1, b"c")
    assert value.remove(b"c", 1, False) == 1
    assert value.items() == [b"a", b"b"]


def test_a_list_out_of_a_file_takes_the_encoding_of_its_size() -> None:
    assert not list_of_nodes(nodes_of([b"a", b"b"]), -2).quicklist
    assert list_of_nodes([*nodes_of([b"a"]), *nodes_of([b"b"])], -2).quicklist
    assert list_of_nodes(nodes_of([b"a", b"b", b"c"]), 2).quicklist
    assert list_of_nodes([Node(b"x" * 20000, 1, True)], -2).quicklist


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(ELEMENTS, st.binary(max_size=100)), min_size=1, max_size=400), FILLS)
def test_a_list_survives_its_dump(items: list[bytes], fill: int) -> None:
    loaded = load_dump(dump_value(List(items, fill)))
    assert isinstance(loaded, List)
    assert loaded.items() == items


def test_listpacks_of_another_hand_are_written_anew() -> None:
    """5 as a string and 7 as a 16-bit integer: what we compare has but one form."""
    odd = b"\x815\x02" + b"\xf1\x07\x00\x03"
    blob = listpack.listpack_of(odd, 2)
    assert not listpack.is_canonical(blob)
    assert listpack.is_canonical(listpack.listpack_of(pack_body([b"5", b"7", b"05", b"x" * 70]), 4))
    payload = bytearray(dump_value(List([b"5", b"7"])))
    value = list_of_nodes(nodes_of(listpack.decode(blob, 0)), -2)
    assert value.find(b"5", 1, 1, NO_LIMIT) == [0]
    assert bytes(payload) == dump_value(value)


def test_a_snapshot_under_writes_holds_the_lists_of_its_start() -> None:
    one = engine()
    client = session(one)
    client.feed(b"".join(b"RPUSH k:%d %b\r\n" % (i, b" ".join(b"%d" % j for j in range(i * 3))) for i in range(1, 800)))
    assert client.take_output().endswith(b":2397\r\n")
    snapshot = Snapshot(one.instance.keyspace, RdbWriter(True, True), [])
    rng = random.Random(2)
    data = b""
    while not snapshot.finished:
        data += snapshot.step(0.0, time.perf_counter)
        key = b"k:%d" % rng.randrange(1, 800)
        run(
            client,
            b"lpush %b x y z" % key,
            b"rpop %b 2" % key,
            b"lset %b 0 a" % key,
            b"linsert %b before 5 b" % key,
            b"lrem %b 0 7" % key,
            b"ltrim %b 1 -2" % key,
            b"lmove %b k:%d left right" % (key, rng.randrange(1, 800)),
        )
    two = engine()
    loading = RdbLoading(RdbReader(io.BytesIO(data), len(data)), two.instance.keyspace, -1, False)
    loading.reader.read_header()
    while not loading.step(0.0, time.perf_counter):
        pass
    assert loading.keys_loaded == 799
    for i in range(1, 800):
        value = two.instance.keyspace.databases[0].lookup(b"k:%d" % i, 0)
        assert isinstance(value, List)
        assert value.items() == [b"%d" % j for j in range(i * 3)]


def test_long_lists_are_written_in_parts() -> None:
    one = engine()
    client = session(one)
    run(client, b"rpush k " + b" ".join(b"element:%d" % i for i in range(30000)))
    run(client, b"rpush large " + b" ".join([b"x" * 20000] * 30), b"set a 1")
    for writer in (RdbWriter(True, True), CommandSerializer()):
        snapshot = Snapshot(one.instance.keyspace, writer, [])
        data = b""
        parts = 0
        while not snapshot.finished:
            data += snapshot.step(0.0, time.perf_counter)
            parts += writer.unfinished
            run(client, b"rpop k", b"lset k 5 changed", b"lrem large 1 " + b"x" * 20000)
        assert parts > 10
        two = engine()
        if isinstance(writer, RdbWriter):
            loading = RdbLoading(RdbReader(io.BytesIO(data), len(data)), two.instance.keyspace, -1, False)
            loading.reader.read_header()
            while not loading.step(0.0, time.perf_counter):
                pass
        else:
            session(two).feed(data)
        db = two.instance.keyspace.databases[0]
        value, large = db.lookup(b"k", 0), db.lookup(b"large", 0)
        assert isinstance(value, List)
        assert isinstance(large, List)
        assert value.items() == [b"element:%d" % i for i in range(30000)]
        assert large.items() == [b"x" * 20000] * 30
        run(client, b"del k large", b"rpush k " + b" ".join(b"element:%d" % i for i in range(30000)))
        run(client, b"rpush large " + b" ".join([b"x" * 20000] * 30))


def test_a_write_to_a_long_list_that_a_snapshot_holds_clones_no_elements() -> None:
    one = engine()
    client = session(one)
    client.feed(b"RPUSH k " + b" ".join(b"element:%d" % i for i in range(20000)) + b"\r\n")
    db = one.instance.keyspace.databases[0]
    held = db.lookup(b"k", 0)
    assert isinstance(held, List)
    held.held = 1
    run(client, b"lset k 10000 changed", b"lpush k new")
    stored = db.lookup(b"k", 0)
    assert isinstance(stored, List)
    assert stored is not held
    assert held.get(10000) == b"element:10000"
    assert stored.get(10001) == b"changed"
    assert held.nodes is not None
    assert stored.nodes is not None
    ours = {id(node) for node in held.nodes.nodes}
    assert sum(id(node) not in ours for node in stored.nodes.nodes) == 1


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        (b"blpop nosuch k 0", [b"LPOP", b"k"]),
        (b"brpop k 0", [b"RPOP", b"k"]),
        (b"blmpop 0 2 nosuch k left count 9", [b"LPOP", b"k", b"3"]),
        (b"lmpop 1 k right count 2", [b"RPOP", b"k", b"2"]),
        (b"blmove k j Left RIGHT 0", [b"LMOVE", b"k", b"j", b"Left", b"RIGHT"]),
        (b"brpoplpush k j 0", [b"RPOPLPUSH", b"k", b"j"]),
        (b"lmove k j left right", [b"lmove", b"k", b"j", b"left", b"right"]),
        (b"lpop k 2", [b"lpop", b"k", b"2"]),
        (b"ltrim k 1 1", [b"ltrim", b"k", b"1", b"1"]),
        (b"lpushx k v", [b"lpushx", b"k", b"v"]),
    ],
)
def test_the_journal_holds_what_has_the_same_effect_again(line: bytes, effect: list[bytes]) -> None:
    one = engine()
    client = session(one)
    run(client, b"rpush k 1 2 3")
    one.journal.take()
    run(client, line)
    assert one.journal.take() == encode_request(effect)


def test_what_changes_nothing_leaves_no_trace() -> None:
    one = engine()
    client = session(one)
    run(client, b"rpush k 1 2 3")
    one.journal.take()
    run(client, b"lpushx no 1", b"lrem k 0 9", b"ltrim k 0 -1", b"linsert k before 9 1", b"lset k 9 1", b"lpop k 0")
    run(client, b"lmove no k left left", b"lmpop 1 no left", b"blpop no 1")
    assert one.journal.take() == b""


def test_nodes_end_where_those_of_redis_end() -> None:
    """What DEBUG OBJECT of redis-server 7.2 says of the numbers from 1 to 3000."""
    numbers = [b"%d" % i for i in range(1, 3001)]
    wanted = {128: (24, 9041), 5: (600, 13073), -1: (3, 8894), -2: (2, 8887)}
    for fill, (count, size) in wanted.items():
        nodes = List(numbers, fill).packed_nodes()
        assert (len(nodes), sum(int(node.size) + listpack.EMPTY for node in nodes)) == (count, size)


# Requests, and what redis-server 7.2 tells of all of them.
EVENTS = [
    (["rpush l a b", "lpush l c", "rpushx l d", "lpushx no d"], "rpush:l lpush:l rpush:l"),
    (["rpush l a b c d", "lpop l", "rpop l", "lpop l 0", "lpop l 5", "rpop l"], "rpush:l lpop:l rpop:l lpop:l del:l"),
    (["rpush l a", "linsert l before a x", "linsert l after no x", "lset l 0 y"], "rpush:l linsert:l lset:l"),
    (["rpush l a b a", "lrem l 0 a", "lrem l 0 a", "lrem l 0 b"], "rpush:l lrem:l lrem:l del:l"),
    (["rpush l a b c", "ltrim l 0 -1", "ltrim l 5 9"], "rpush:l ltrim:l ltrim:l del:l"),
    (
        ["rpush l a b", "lmove l m left right", "rpoplpush l m", "lmove m m left right", "lmove no m left left"],
        "rpush:l rpush:m lpop:l lpush:m rpop:l del:l rpush:m lpop:m",
    ),
    (["rpush l a b c d", "lmpop 1 l left", "blmpop 0 1 l right count 3"], "rpush:l lpop:l rpop:l del:l"),
    (
        ["rpush l a b c", "blpop l 0", "brpop l 0", "blmove l m left left 0", "brpoplpush m n 0"],
        "rpush:l lpop:l rpop:l lpush:m lpop:l del:l lpush:n rpop:m del:m",
    ),
]


@pytest.mark.parametrize(("requests", "expected"), EVENTS)
def test_events(requests: list[str], expected: str) -> None:
    one = engine()
    listener = Listener(one)
    run(session(one), *(each.encode() for each in requests))
    assert listener.told() == expected
