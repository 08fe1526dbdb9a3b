"""Sets against a dict: intsets, listpacks, the large form, and when one becomes the other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.keyspace import intset
from durastore.keyspace.limits import Limits
from durastore.keyspace.listpack import decode
from durastore.keyspace.sets import Set, build_set, empty_intset, new_set
from durastore.persistence.rdb.legacy import check_intset

integers = (
    st.integers(-(2**63), 2**63 - 1)
    | st.integers(-5, 5)
    | st.sampled_from((-(2**63), 2**63 - 1, 32767, 32768, -32768, -32769, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1))
)
members = (
    integers.map(lambda number: b"%d" % number) | st.binary(max_size=4) | st.sampled_from((b"007", b"-0", b"z" * 70))
)
actions = st.lists(st.tuples(st.sampled_from(("add", "add", "remove", "pop", "copy", "swap")), members), max_size=60)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    chosen = Limits()
    chosen.set_entries = draw(st.sampled_from((0, 4, 128)))
    chosen.set_value = draw(st.sampled_from((0, 3, 64)))
    chosen.set_intset = draw(st.sampled_from((0, 4, 512)))
    return chosen


def is_integer(text: bytes) -> bool:
    return text.lstrip(b"-").isdigit() and text == b"%d" % int(text) and -(2**63) <= int(text) < 2**63


def check(held: Set, model: set[bytes]) -> None:
    found = held.members()
    assert len(found) == held.size() == len(model)
    assert set(found) == model
    assert all(held.contains(member) for member in model)
    if held.table is not None:
        return
    if held.integers:
        check_intset(held.packed, 0)
        assert [int(member) for member in found] == sorted(int(member) for member in found)
    else:
        assert decode(held.packed, 0) == found


@settings(max_examples=120, deadline=None)
@given(actions, limits(), st.booleans())
def test_a_set_is_a_set(steps: list[tuple[str, bytes]], limit: Limits, begun_with_integers: bool) -> None:
    held = empty_intset() if begun_with_integers else Set()
    model = set[bytes]()
    twin, twin_model = Set(), set[bytes]()
    for action, member in steps:
        if action == "add":
            assert held.add(member, limit) == (member not in model)
            model.add(member)
        elif action == "remove":
            assert held.remove(member) == (member in model)
            model.discard(member)
        elif action == "pop" and model:
            model.remove(held.pop_random())
        elif action == "copy":
            copied = held.copy()
            assert isinstance(copied, Set)
            twin, twin_model = copied, model.copy()
        elif action == "swap":
            held, model, twin, twin_model = twin, twin_model, held, model
        assert held.contains(member) == (member in model)
    check(held, model)
    check(twin, twin_model)


@given(st.sets(integers, min_size=1, max_size=40), integers)
def test_intsets_are_sorted_and_searched(numbers: set[int], wanted: int) -> None:
    blob = intset.build(list(numbers))
    assert intset.values(blob) == sorted(numbers)
    index = intset.find(blob, wanted)
    assert (index >= 0) == (wanted in numbers)
    if index < 0:
        blob = intset.insert(blob, -1 - index, wanted)
    check_intset(blob, 0)
    assert intset.values(blob) == sorted(numbers | {wanted})
    blob = intset.remove(blob, intset.find(blob, wanted))
    assert intset.values(blob) == sorted(numbers - {wanted})


def test_an_intset_holds_its_numbers_in_as_few_bytes_as_the_widest_takes() -> None:
    blob = intset.NOTHING
    for number, width in ((1, 2), (40_000, 4), (2, 4), (-(2**40), 8)):
        blob = intset.insert(blob, -1 - intset.find(blob, number), number)
        assert len(blob) == 8 + width * intset.size(blob)


def form(held: Set) -> str:
    if held.table is not None:
        return "hashtable"
    return "intset" if held.integers else "listpack"


@pytest.mark.parametrize(
    ("present", "added", "wanted"),
    [
        (b"1 2", b"3", "intset"),
        (b"1 2", b"a", "listpack"),
        (b"1 2", b"z" * 65, "hashtable"),
        (b" ".join(b"%d" % i for i in range(511)), b"511", "intset"),
        (b" ".join(b"%d" % i for i in range(512)), b"512", "hashtable"),
        (b" ".join(b"%d" % i for i in range(127)), b"a", "listpack"),
        (b" ".join(b"%d" % i for i in range(128)), b"a", "hashtable"),
        (b"a " + b" ".join(b"%d" % i for i in range(126)), b"b", "listpack"),
        (b"a " + b" ".join(b"%d" % i for i in range(127)), b"b", "hashtable"),
        (b"a b", b"z" * 64, "listpack"),
    ],
)
def test_the_limits_are_those_of_redis(present: bytes, added: bytes, wanted: str) -> None:
    limit = Limits()
    words = present.split()
    held = new_set(words[0], 1, limit)
    for word in words:
        held.add(word, limit)
    assert held.add(added, limit)
    assert form(held) == wanted
    check(held, {*words, added})
    held.remove(added)
    assert form(held) == wanted, "a set never shrinks back"


@given(st.lists(members, unique=True, max_size=30), limits())
def test_gathering_integers_makes_an_intset_where_it_may_be_one(found: list[bytes], limit: Limits) -> None:
    found = [member for member in found if is_integer(member)]
    held = Set()
    for member in found:
        held.add(member, limit)
    if not found:
        return
    held.gather(limit)
    assert held.integers == (len(found) <= limit.set_intset)
    check(held, set(found))


@settings(max_examples=50)
@given(st.integers(1, 1500), st.integers(1, 40), st.booleans())
def test_random_members_are_members(size: int, count: int, numbers: bool) -> None:
    everyone = {b"%d" % i if numbers else b"m%d" % i for i in range(size)}
    held = build_set(list(everyone), Limits())
    assert held.random_member() in everyone
    assert {*held.random_members(count)} <= everyone
    chosen = held.sample(min(count, size))
    assert len({*chosen}) == min(count, size)
    assert {*chosen} <= everyone


def test_memory_of_a_small_set_is_that_of_its_packed_form() -> None:
    assert build_set([b"%d" % i for i in range(100)], Limits()).memory(5) < 330
    assert build_set([b"member:%03d" % i for i in range(100)], Limits()).memory(5) < 1350
