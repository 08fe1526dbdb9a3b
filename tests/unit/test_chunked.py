"""The chunked dict: against a plain one, with copies that share chunks, cursors, samples and expiries."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.keyspace.chunked import CHUNK_LIMIT, NEVER, Chunked
from durastore.keyspace.compact import CompactDict

EMPTY: CompactDict[int] = CompactDict()


def key(number: int) -> bytes:
    return b"element:%d" % number


def content(chunked: Chunked) -> dict[bytes, tuple[object, int]]:
    found: dict[bytes, tuple[object, int]] = {}
    for chunk in chunked.chunks():
        for name, value in chunk.items.items():
            assert name not in found
            found[name] = (value, chunked.expiry(name))
        assert set(chunk.expires or EMPTY) <= set(chunk.items)
        assert all(when >= chunk.next_expiry >= chunked.next_expiry for when in (chunk.expires or EMPTY).values())
    assert len(found) == chunked.count
    assert sum(when != NEVER for _, when in found.values()) == chunked.expires_count
    return found


def filled(count: int) -> Chunked:
    chunked = Chunked()
    for i in range(count):
        assert chunked.put(key(i), i)
    return chunked


def test_it_grows_in_small_chunks_and_shrinks_to_one() -> None:
    chunked = filled(30_000)
    assert max(len(chunk.items) for chunk in chunked.chunks()) <= CHUNK_LIMIT
    assert len(chunked.chunks()) > 40
    assert content(chunked) == {key(i): (i, NEVER) for i in range(30_000)}
    for i in range(29_900):
        assert chunked.remove(key(i))
    assert not chunked.remove(key(0))
    assert content(chunked) == {key(i): (i, NEVER) for i in range(29_900, 30_000)}
    assert len(chunked.directory) <= 4, "the directory follows a container that shrinks"


actions = st.tuples(
    st.sampled_from(("put", "remove", "expire", "persist", "copy", "swap", "fill", "empty", "draw", "pop")),
    st.integers(0, 3999),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(actions, max_size=80))
def test_copies_never_see_what_happens_to_the_other_side(steps: list[tuple[str, int]]) -> None:
    one = filled(2000)
    model: dict[bytes, tuple[object, int]] = {key(i): (i, NEVER) for i in range(2000)}
    other, other_model = one.copy(), model.copy()
    for action, number in steps:
        name = key(number)
        if action == "put":
            assert one.put(name, action) == (name not in model)
            model[name] = (action, model.get(name, (None, NEVER))[1])
        elif action == "remove":
            assert one.remove(name) == (model.pop(name, None) is not None)
        elif action == "expire" and name in model:
            one.set_expiry(name, number)
            model[name] = (model[name][0], number)
        elif action == "persist":
            assert one.clear_expiry(name) == (model.get(name, (None, NEVER))[1] != NEVER)
            if name in model:
                model[name] = (model[name][0], NEVER)
        elif action == "draw" and model:
            assert one.random_key() in model
        elif action == "pop" and model:
            del model[one.pop_random()]
        elif action == "copy":
            other, other_model = one.copy(), model.copy()
        elif action == "swap":
            one, other, model, other_model = other, one, other_model, model
        elif action == "fill":
            for i in range(number, number + 900):
                one.put(key(i), number)
                model[key(i)] = (number, model.get(key(i), (None, NEVER))[1])
        elif action == "empty":
            for i in range(number, number + 900):
                one.remove(key(i))
                model.pop(key(i), None)
    assert content(one) == model
    assert content(other) == other_model
    assert all(one.get(name) == value for name, (value, _) in model.items())


def test_a_write_after_a_copy_clones_one_chunk_only() -> None:
    one = filled(20_000)
    other = one.copy()
    one.put(key(1), "changed")
    shared = {id(chunk) for chunk in one.chunks()} & {id(chunk) for chunk in other.chunks()}
    assert len(shared) == len(other.chunks()) - 1
    assert other.get(key(1)) == 1


@settings(max_examples=12, deadline=None)
@given(
    count=st.integers(5, 200),
    changes=st.lists(st.tuples(st.booleans(), st.integers(0, 6000)), max_size=30),
)
def test_scan_returns_every_element_that_stays(count: int, changes: list[tuple[bool, int]]) -> None:
    chunked = filled(6000)
    stays = {key(i) for i in range(0, 6000, 10)}
    seen: list[bytes] = []
    cursor = 0
    pending = list(changes)
    while True:
        cursor = chunked.scan(cursor, count, seen)
        if cursor == 0:
            break
        if pending:
            grow, number = pending.pop()
            for i in range(number, number + 1500):
                if grow:
                    chunked.put(b"more:%d" % i, None)
                elif i % 10:
                    chunked.remove(key(i))
    assert set(seen) >= stays


def test_scan_of_a_container_at_rest_returns_each_element_once_and_about_as_many_as_asked_for() -> None:
    chunked = filled(5000)
    cursor, sizes, seen = 0, [], Counter[bytes]()
    while True:
        found: list[bytes] = []
        cursor = chunked.scan(cursor, 10, found)
        seen.update(found)
        sizes.append(len(found))
        if cursor == 0:
            break
    assert seen == Counter(list(content(chunked)))
    assert max(sizes) < 60


def test_random_elements_are_members_and_all_of_them_come_up() -> None:
    chunked = filled(3000)
    members = set(content(chunked))
    assert {chunked.random_key() for _ in range(300)} <= members
    assert len({chunked.random_key() for _ in range(300)}) > 250
    for count in (1, 2, 50, 1500, 2999, 3000):
        chosen = chunked.sample(count)
        assert len(chosen) == len(set(chosen)) == count
        assert set(chosen) <= members
    for count in (1, 500, 20_000):
        chosen = chunked.random_keys(count)
        assert len(chosen) == count
        assert set(chosen) <= members
    drawn = Counter(chunked.random_keys(60_000))
    assert len(drawn) == 3000
    assert max(drawn.values()) < 60


def test_single_draws_are_about_uniform() -> None:
    chunked = filled(1500)
    drawn = Counter(chunked.random_key() for _ in range(30_000))
    assert len(drawn) == 1500
    assert max(drawn.values()) < 60


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2999), st.integers(0, 1000)), max_size=300), st.integers(0, 1100))
def test_due_finds_what_is_over_and_nothing_else(expiries: list[tuple[int, int]], now: int) -> None:
    chunked = filled(3000)
    model: dict[bytes, int] = {}
    for number, when in expiries:
        chunked.set_expiry(key(number), when)
        model[key(number)] = when
    twin = chunked.copy()
    found: list[bytes] = []
    while some := chunked.due(now, 20):
        found += some
        for name in some:
            chunked.remove(name)
    assert sorted(found) == sorted(name for name, when in model.items() if when < now)
    assert all(when >= chunked.next_expiry for when in model.values() if when >= now)
    content(chunked)
    assert sorted(twin.due(now, 10_000)) == sorted(found), "the copy still knows what is due"
