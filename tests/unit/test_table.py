"""The segmented table: growth, walks that see one moment, cursors, expiry."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.keyspace.database import Database
from durastore.keyspace.keyspace import Keyspace
from durastore.keyspace.table import SEGMENT_LIMIT, Walk


def database() -> Database:
    return Keyspace(1).databases[0]


def key(number: int) -> bytes:
    return b"key:%d" % number


def collect(walk: Walk) -> dict[bytes, tuple[object, int | None]]:
    found: dict[bytes, tuple[object, int | None]] = {}
    while (captured := walk.step()) is not None:
        for name, value in captured.items.items():
            assert name not in found, "a walk returns each key once"
            found[name] = (value, captured.expires[name])
    return found


def content(db: Database) -> dict[bytes, tuple[object, int | None]]:
    return {
        name: (value, segment.expires[name])
        for segment in set(db.table.directory)
        for name, value in segment.items.items()
    }


def test_a_growing_table_keeps_its_segments_small_and_finds_every_key() -> None:
    db = database()
    for i in range(20_000):
        db.set(key(i), b"%d" % i)
    assert db.table.count == 20_000
    assert max(len(segment.items) for segment in db.table.directory) <= SEGMENT_LIMIT
    assert all(db.lookup(key(i), 0) == b"%d" % i for i in range(20_000))
    for i in range(20_000):
        assert db.delete(key(i))
    assert db.table.count == 0


def test_sparse_neighbours_are_merged_without_losing_keys() -> None:
    db = database()
    for i in range(20_000):
        db.set(key(i), b"x")
    before = len(set(db.table.directory))
    for i in range(20_000):
        if i % 100:
            db.delete(key(i))
    for _ in range(before * 4):
        db.merge_slice(8)
    assert len(set(db.table.directory)) < before // 4
    assert set(content(db)) == {key(i) for i in range(0, 20_000, 100)}


@settings(max_examples=25, deadline=None)
@given(
    writes=st.lists(
        st.tuples(st.sampled_from(("set", "delete", "expire", "step", "merge")), st.integers(0, 3000)), max_size=300
    )
)
def test_a_walk_sees_the_moment_of_its_beginning(writes: list[tuple[str, int]]) -> None:
    db = database()
    for i in range(1500):
        db.set_with_expiry(key(i), b"old", i if i % 3 == 0 else -1)
    wanted = content(db)
    walk = db.table.begin_walk()
    found: dict[bytes, tuple[object, int | None]] = {}
    for action, number in writes:
        name = key(number)
        if action == "set":
            db.set(name, b"new")
        elif action == "delete":
            db.delete(name)
        elif action == "expire" and db.exists(name):
            db.set_expiry(name, 99)
        elif action == "merge":
            db.merge_slice(number % 5)
        elif action == "step" and (captured := walk.step()) is not None:
            for each, value in captured.items.items():
                found[each] = (value, captured.expires[each])
    found.update(collect(walk))
    assert found == wanted
    assert db.table.walk is None


def test_a_walk_over_a_flushed_table_goes_on() -> None:
    db = database()
    for i in range(2000):
        db.set(key(i), b"old")
    walk = db.table.begin_walk()
    assert db.flush() == 2000
    for i in range(2000):
        db.set(key(i), b"new")
    assert collect(walk) == {key(i): (b"old", None) for i in range(2000)}


@settings(max_examples=20, deadline=None)
@given(
    count=st.integers(1, 50),
    changes=st.lists(st.tuples(st.booleans(), st.integers(2000, 9000)), max_size=200),
)
def test_scan_returns_every_key_that_stays(count: int, changes: list[tuple[bool, int]]) -> None:
    db = database()
    for i in range(2000):
        db.set(key(i), b"x")
    seen: set[bytes] = set()
    cursor = 0
    pending = list(changes)
    while True:
        cursor, found = db.scan(cursor, count)
        seen.update(found)
        if cursor == 0:
            break
        for add, number in pending[:20]:
            if add:
                for extra in range(40):
                    db.set(b"extra:%d:%d" % (number, extra), b"y")
            else:
                db.delete(b"extra:%d:0" % number)
                db.merge_slice(4)
        pending = pending[20:]
    assert seen >= {key(i) for i in range(2000)}


def test_scan_returns_about_as_many_keys_as_asked_for() -> None:
    db = database()
    for i in range(5000):
        db.set(key(i), b"x")
    sizes = []
    cursor = 0
    while True:
        cursor, found = db.scan(cursor, 10)
        sizes.append(len(found))
        if cursor == 0:
            break
    assert max(sizes) < 60
    assert sum(sizes) == 5000


def test_expired_keys_are_gone_at_a_lookup_and_are_reported_once() -> None:
    db = database()
    db.set_with_expiry(b"a", b"x", 100)
    assert db.lookup(b"a", 100) == b"x"
    assert db.lookup(b"a", 101) is None
    assert [(each.db, each.key) for each in db.keyspace.expired] == [(0, b"a")]
    assert db.table.expires_count == 0
    assert db.table.count == 0


def test_nothing_expires_while_a_log_is_replayed() -> None:
    db = database()
    db.keyspace.expiring = False
    db.set_with_expiry(b"a", b"x", 100)
    assert db.lookup(b"a", 10_000) == b"x"


def test_active_expiry_removes_what_is_due_and_nothing_else() -> None:
    db = database()
    for i in range(5000):
        db.set_with_expiry(key(i), b"x", 100 if i % 2 else 10_000)
    removed = 0
    for _ in range(1000):
        removed += db.expire_slice(101, 4)
    assert removed == 2500
    assert db.table.count == db.table.expires_count == 2500
    assert all(db.lookup(key(i), 101) == b"x" for i in range(0, 5000, 2))


def test_the_average_time_to_live_follows_the_keys() -> None:
    keyspace = Keyspace(2)
    first, second = keyspace.databases
    keys = [b"%d" % i for i in range(1000)]
    for key in keys:
        first.set_with_expiry(key, b"v", 101_000)
    for key in keys[:900]:
        first.clear_expiry(key)
    first.set_with_expiry(b"over", b"v", 500)
    assert first.estimate_ttl(1000) < 1
    assert first.average_ttl == 100_000
    for key in keys[900:]:
        first.set_expiry(key, 51_000)
    for _ in range(1000):
        first.estimate_ttl(1000)
    assert 50_000 <= first.average_ttl < 50_100
    keyspace.swap(first, second)
    assert first.average_ttl == 0
    assert second.average_ttl >= 50_000
    second.flush()
    assert second.average_ttl == 0
    first.set_with_expiry(b"k", b"v", 2000)
    first.estimate_ttl(1000)
    assert first.estimate_ttl(1000) == 0
    assert first.estimate_ttl(2000) == 1
    first.clear_expiry(b"k")
    first.estimate_ttl(1000)
    assert first.average_ttl == 0


def test_a_random_key_is_one_of_the_keys() -> None:
    db = database()
    assert db.random_key(0) is None
    for i in range(3000):
        db.set(key(i), b"x")
    names = {db.random_key(0) for _ in range(200)}
    assert None not in names
    assert len(names) > 100


def test_a_reserved_table_does_not_split() -> None:
    table = database().table
    table.reserve(50_000)
    segments = set(table.directory)
    assert len(segments) * SEGMENT_LIMIT > 50_000
    for i in range(50_000):
        table.store(table.find(key(i)), key(i), b"x")
    assert set(table.directory) == segments
    table.reserve(5_000_000)
    assert set(table.directory) == segments
    assert table.count == 50_000
