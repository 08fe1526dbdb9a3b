"""The sorted set value, its tree and its table of scores, against models that sort a dict."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librt.vecs import vec

from durastore.keyspace import packed_scores
from durastore.keyspace.limits import Limits
from durastore.keyspace.order import BRANCH, LEAF, Branch, Leaf, Node, Order, OrderBuilder
from durastore.keyspace.scores import CHUNK, Scores
from durastore.keyspace.sorted_sets import DuplicateMember, Entries, Filling, LexBound, SortedSet, build_sorted_set
from support.rdb import scores_of
from support.values import zset_of

Pair = tuple[float, bytes]


def tree_of(order: Order) -> list[Pair]:
    """The entries of a tree; fails where the tree is not in order inside."""
    found: list[Pair] = []
    depths = set()

    def visit(node: Node, depth: int, low: Pair | None, high: Pair | None) -> int:
        if isinstance(node, Leaf):
            depths.add(depth)
            pairs = list(zip(node.scores, node.members, strict=True))
            assert len(pairs) <= LEAF
            assert pairs == sorted(pairs)
            assert all((low is None or low <= pair) and (high is None or pair < high) for pair in pairs)
            found.extend(pairs)
            return len(pairs)
        assert isinstance(node, Branch)
        assert 1 <= len(node.children) <= BRANCH
        marks = list(zip(node.scores, node.members, strict=True))
        total = 0
        for i, child in enumerate(node.children):
            under = visit(child, depth + 1, marks[i] if i else low, marks[i + 1] if i + 1 < len(marks) else high)
            assert under == node.counts[i] > 0
            total += under
        return total

    assert visit(order.root, 0, None, None) == order.size
    assert len(depths) == 1
    return found


@pytest.mark.parametrize("seed", range(4))
def test_tree(seed: int) -> None:
    chance = random.Random(seed)
    scores = [float(chance.randrange(50)) for _ in range(400)] if seed % 2 else []
    model: list[Pair] = []
    order = Order()
    copies: list[tuple[Order, list[Pair]]] = []
    for step in range(60):
        for _ in range(chance.randrange(1, 600)):
            if chance.random() < (0.75 if step < 35 else 0.3) or not model:
                score = chance.choice(scores) if scores else chance.random()
                pair = (score, b"%d" % chance.randrange(10**9))
                at = bisect_left(model, pair)
                if at == len(model) or model[at] != pair:
                    model.insert(at, pair)
                    order.insert(*pair)
            else:
                pair = model.pop(chance.randrange(len(model)))
                order.remove(*pair)
        if chance.random() < 0.3 and model:
            first = chance.randrange(len(model))
            last = chance.randrange(first, len(model) + 1)
            if last - first < len(model) // 2:
                order.remove_range(first, last)
                del model[first:last]
        if chance.random() < 0.2:
            copies.append((order.copy(), model.copy()))
        assert order.size == len(model)
        for rank in chance.sample(range(len(model)), min(len(model), 5)):
            leaf, place = order.locate(rank)
            assert (leaf.scores[place], leaf.members[place]) == model[rank]
            assert order.rank(*model[rank]) == rank
            assert order.rank_of_score(model[rank][0], False) == bisect_left(model, (model[rank][0], b""))
            assert order.rank_of_score(model[rank][0], True) == bisect_left(model, (model[rank][0], b"~"))
    assert tree_of(order) == model
    for copy, then in copies:
        assert tree_of(copy) == then
        if then:
            copy.remove(*then[0])
            assert tree_of(copy) == then[1:]
    order.remove_range(0, len(model))
    assert tree_of(order) == []


@pytest.mark.parametrize("part", [1, 512, LEAF * BRANCH + 1])
@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("size", [0, 1, 112, 113, LEAF * BRANCH + 1])
def test_tree_built_from_its_leaves_up(size: int, falling: bool, part: int) -> None:
    pairs = [(float(i // 3), b"%09d" % i) for i in range(size)]
    builder = OrderBuilder(falling)
    parts = [pairs[first : first + part] for first in range(0, size, part)]
    for some in reversed(parts) if falling else parts:
        builder.add([member for _, member in some], vec[float]([score for score, _ in some]))
    order = builder.finish()
    assert tree_of(order) == pairs
    order.insert(-1.0, b"first")
    order.insert(math.inf, b"last")
    assert tree_of(order) == [(-1.0, b"first"), *pairs, (math.inf, b"last")]


@pytest.mark.parametrize("order", ["rising", "falling", "both", "none"])
def test_a_large_set_that_comes_in_parts(order: str) -> None:
    pairs = [(float(i // 3), b"%09d" % i) for i in range(3000)]
    wanted = pairs.copy()
    if order == "none":
        random.Random(1).shuffle(pairs)
    elif order != "rising":
        pairs.reverse()
    if order == "both":
        pairs = pairs[:1000] + pairs[:999:-1]
    filling = Filling()
    for first in range(0, len(pairs), 512):
        some = pairs[first : first + 512]
        filling.extend([member for _, member in some], vec[float]([score for score, _ in some]))
    made = SortedSet()
    filling.hand_over(made)
    entries = Entries(made, 0, made.count, False)
    found = []
    while entries.next():
        found.append((entries.score, entries.member))
    assert found == wanted
    assert made.order is not None
    assert tree_of(made.order) == wanted
    assert [made.find(member) for _, member in wanted] == [score for score, _ in wanted]
    with pytest.raises(DuplicateMember):
        filling.extend([b"new", wanted[7][1]], vec[float]([1.0, 2.0]))


def test_tree_of_ascending_entries_is_dense() -> None:
    order = Order()
    for i in range(20_000):
        order.insert(float(i), b"m")
    leaves = 0

    def count(node: Node) -> None:
        nonlocal leaves
        if isinstance(node, Branch):
            for child in node.children:
                count(child)
        else:
            leaves += 1

    count(order.root)
    assert leaves <= 20_000 // LEAF + 1
    assert order.rank_of_member(b"m", False) == 0
    tree_of(order)


@pytest.mark.parametrize("seed", range(4))
def test_scores(seed: int) -> None:
    chance = random.Random(seed)
    model: dict[bytes, float] = {}
    scores = Scores()
    copies: list[tuple[Scores, dict[bytes, float]]] = []

    def check(of: Scores, wanted: dict[bytes, float]) -> None:
        for member, score in wanted.items():
            assert of.find(member) == score
            assert of.found() == member
        members: list[bytes] = []
        values: list[float] = []
        assert of.scan(0, 1 << 40, members, values) == 0
        assert len(members) == len(wanted)
        assert dict(zip(members, values, strict=True)) == wanted

    for step in range(40):
        for _ in range(chance.randrange(1, 300)):
            member = b"%d" % chance.randrange(6000)
            score = chance.random()
            assert math.isnan(scores.find(member)) == (member not in model)
            if member not in model:
                if step < 30:
                    scores.add(member, score)
                    model[member] = score
            elif chance.random() < (0.3 if step < 20 else 0.9):
                scores.remove()
                del model[member]
            else:
                scores.change(score)
                model[member] = score
        if chance.random() < 0.2:
            copies.append((scores.copy(), model.copy()))
    check(scores, model)
    for copy, then in copies:
        check(copy, then)
    for member in list(model):
        scores.find(member)
        scores.remove()
        assert math.isnan(scores.find(member))
    check(scores, {})


def test_members_that_stay_are_found_by_a_scan_under_writes() -> None:
    scores = Scores()
    for i in range(3 * CHUNK):
        scores.add(b"stays %d" % i, float(i))
    found: list[bytes] = []
    cursor = 0
    number = 0
    while True:
        members: list[bytes] = []
        values: list[float] = []
        cursor = scores.scan(cursor, 10, members, values)
        assert len(members) < 100
        found += members
        if cursor == 0:
            break
        for _ in range(40):
            number += 1
            scores.add(b"new %d" % number, 0.0)
            if number % 3 == 0:
                scores.find(b"new %d" % (number // 2))
                if scores.was_found():
                    scores.remove()
    assert {b"stays %d" % i for i in range(3 * CHUNK)} <= set(found)


members = st.binary(max_size=4) | st.binary(min_size=250, max_size=260)
values = st.sampled_from([-math.inf, -1.5, 0.0, 1.0, 2.0, math.inf]) | st.floats(allow_nan=False).map(lambda f: f + 0.0)


@st.composite
def ends(draw: st.DrawFn) -> LexBound:
    return LexBound(draw(st.sampled_from([-1, 0, 0, 0, 0, 1])), draw(members), draw(st.booleans()))


def is_above(member: bytes, low: LexBound) -> bool:
    return low.infinite < 0 if low.infinite else (member, 1) > (low.member, 1 if low.exclusive else 0)


def is_below(member: bytes, high: LexBound) -> bool:
    return high.infinite > 0 if high.infinite else (member, 0) < (high.member, 0 if high.exclusive else 1)


@settings(max_examples=150)
@given(st.data(), st.integers(0, 30), st.sampled_from([3, 255, 300]))
def test_sorted_set(data: st.DataObject, entries: int, longest: int) -> None:
    limits = Limits()
    limits.zset_entries = entries
    limits.zset_value = longest
    value = SortedSet()
    model: dict[bytes, float] = {}
    small = True
    copied: list[tuple[SortedSet, dict[bytes, float]]] = []
    for _ in range(data.draw(st.integers(1, 40))):
        kind = data.draw(st.sampled_from(["put", "put", "put", "put", "remove", "range", "copy"]))
        if kind == "put":
            member = data.draw(members)
            score = data.draw(values)
            old = value.find(member)
            assert math.isnan(old) if member not in model else old == model[member]
            if member not in model:
                value.insert(member, score, limits)
                small = small and len(model) < entries and len(member) <= longest
            elif score != old:
                value.change(old, score)
            model[member] = score
        elif kind == "remove" and model:
            member = data.draw(st.sampled_from(sorted(model)))
            value.remove(value.find(member))
            del model[member]
        elif kind == "range" and model:
            first = data.draw(st.integers(0, len(model) - 1))
            last = data.draw(st.integers(first, len(model)))
            order = sorted(model, key=lambda m: (model[m], m))
            value.remove_range(first, last)
            for member in order[first:last]:
                del model[member]
        elif kind == "copy":
            twin = value.copy()
            assert isinstance(twin, SortedSet)
            copied.append((twin, model.copy()))
    assert value.is_packed() == small
    for each, wanted in [*copied, (value, model)]:
        check(each, wanted)


def check(value: SortedSet, model: dict[bytes, float]) -> None:
    order = sorted((score, member) for member, score in model.items())
    assert value.size() == len(order)
    assert [(score, member) for member, score in scores_of(value).items()] == order
    size = len(order)
    for first, last in [(0, size), (size // 3, size // 2), (size // 2, size)]:
        entries = Entries(value, first, last, True)
        found = []
        while entries.next():
            found.append((entries.score, entries.member))
        assert found == order[first:last][::-1]
        for reverse in (False, True):
            entries = Entries(value, first, last, reverse)
            members: list[bytes] = []
            while stretch := entries.stretch():
                members += stretch
            assert members == [member for _, member in order[first:last]][:: -1 if reverse else 1]
    for rank, (score, member) in enumerate(order):
        assert value.find(member) == score
        assert value.rank(member, score) == rank
        assert value.rank_of_score(score, False) == bisect_left(order, (score, b""))
        assert value.rank_of_score(score, True) == bisect_left(order, (score, b"\xff" * 300))
    members = []
    scores: list[float] = []
    cursor = value.scan(0, 3, members, scores)
    while cursor:
        cursor = value.scan(cursor, 3, members, scores)
    assert dict(zip(members, scores, strict=True)) == model
    assert value.memory(0) > 0


@settings(max_examples=200)
@given(st.data(), st.sets(members, min_size=1), st.booleans())
def test_ranges_of_members(data: st.DataObject, of: set[bytes], small: bool) -> None:
    limits = Limits()
    limits.zset_entries = 100 if small else 0
    limits.zset_value = 1000
    value = zset_of(dict.fromkeys(of, 5.0), limits)
    low = data.draw(ends())
    high = data.draw(ends())
    order = sorted(of)
    wanted = [member for member in order if is_above(member, low) and is_below(member, high)]
    for reverse in (False, True):
        first, last = value.lex_range(low, high, reverse)
        assert order[first : max(first, last)] == wanted


def test_a_member_that_comes_twice_is_refused() -> None:
    for copies in (1, 200):
        with pytest.raises(DuplicateMember):
            build_sorted_set([b"a", *(b"%d" % i for i in range(copies)), b"a"], vec[float](range(copies + 2)), Limits())


def test_a_large_set_is_copied_without_being_touched() -> None:
    value = zset_of({b"%d" % i: float(i) for i in range(50_000)})
    twin = value.copy()
    assert isinstance(twin, SortedSet)
    assert value.order is not None
    assert twin.order is not None
    assert twin.order.root is value.order.root
    twin.change(twin.find(b"777"), -1.0)
    twin.remove(twin.find(b"9"))
    assert value.find(b"777") == 777.0
    assert value.find(b"9") == 9.0
    assert twin.size() == value.size() - 1
    assert twin.rank(b"777", twin.find(b"777")) == 0


EDGES = [
    0.0, 1.0, -1.0, 127.0, 128.0, -128.0, -129.0, 32767.0, 32768.0, -32768.0, -32769.0, 2147483647.0, 2147483648.0,
    -2147483648.0, -2147483649.0, 0.5, -127.5, 1e300, 5e-324, math.inf, -math.inf, 2.0**53, float(1 << 63),
]  # fmt: skip


def test_every_score_has_a_form_that_keeps_it() -> None:
    packed = b""
    for score in EDGES:
        for size in (0, 1, 62, 63, 64, 70_000):
            one = packed_scores.entry(score, b"m" * size)
            assert packed_scores.score_at(b"xx" + one, 2) == score
            assert packed_scores.member_at(b"xx" + one, 2) == b"m" * size
            assert packed_scores.entry_end(b"xx" + one + b"xx", 2) == 2 + len(one)
            assert packed_scores.find(b"" + one, b"m" * size) == 0
            assert packed_scores.find(b"" + one, b"n" * size) == (0 if size == 0 else -1)
        packed += one
    assert math.copysign(1.0, packed_scores.score_at(packed_scores.entry(-0.0, b""), 0)) == 1.0


def test_a_small_score_takes_little() -> None:
    """A listpack, which Redis uses, takes four bytes beside a short member for such a score, and ten for a long one."""
    assert len(packed_scores.entry(100.0, b"member")) == 6 + 2
    assert len(packed_scores.entry(-30_000.0, b"member")) == 6 + 3
    assert len(packed_scores.entry(1_700_000_000.0, b"member")) == 6 + 5
    assert len(packed_scores.entry(1.5, b"member")) == 6 + 9


@given(st.dictionaries(st.binary(min_size=1, max_size=2), st.sampled_from(EDGES), max_size=12), st.sampled_from(EDGES))
def test_packed_entries_are_found_by_scores_of_every_form(held: dict[bytes, float], score: float) -> None:
    pairs = sorted((each, member) for member, each in held.items())
    entries = [packed_scores.entry(each, member) for each, member in pairs]
    packed = b"".join(entries)
    scores = [each for each, _ in pairs]
    assert packed_scores.rank_of_score(packed, score, False) == bisect_left(scores, score)
    assert packed_scores.rank_of_score(packed, score, True) == bisect_right(scores, score)
    before = entries[: bisect_left(pairs, (score, b"new"))]
    assert packed_scores.spot(packed, 0, score, b"new") == sum(map(len, before))
