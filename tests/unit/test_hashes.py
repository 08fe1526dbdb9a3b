"""Hashes against a dict: the packed and the large form, expiries, copies, and the step from one form to the other."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.keyspace.chunked import NEVER
from durastore.keyspace.hashes import Hash, build_hash
from durastore.keyspace.limits import Limits
from durastore.keyspace.listpack import decode

numbers = st.integers(-(2**63), 2**63 - 1) | st.integers(-5000, 5000) | st.integers(-3, 130)
# Texts that are, nearly are, and contain each other as elements of a listpack.
texts = (
    numbers.map(lambda number: b"%d" % number)
    | st.sampled_from((b"", b"a", b"\x81a\x02", b"a\x02", b"007", b"-0", b"x" * 63, b"x" * 64, b"y" * 65))
    | st.binary(max_size=5)
    | st.binary(min_size=60, max_size=200)
)
few = st.sampled_from((b"a", b"b", b"1", b"-1", b"300", b"", b"a" * 70, b"cc"))
names = few | texts
actions = st.lists(
    st.tuples(
        st.sampled_from(("set", "keep", "remove", "expire", "persist", "get", "copy", "swap", "due")),
        names,
        texts,
        st.integers(1, 30) | st.integers(1, 2**48),
    ),
    max_size=60,
)

Model = dict[bytes, tuple[bytes, int]]


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    chosen = Limits()
    chosen.hash_entries = draw(st.sampled_from((0, 3, 20, 512)))
    chosen.hash_value = draw(st.sampled_from((0, 4, 64, 10_000)))
    return chosen


def check(held: Hash, model: Model) -> None:
    assert held.size() == len(model)
    assert dict(zip(held.fields(), held.values(), strict=True)) == {name: value for name, (value, _) in model.items()}
    flat = held.flat()
    assert (flat[::2], flat[1::2]) == (held.fields(), held.values())
    expiring = {name: when for name, (_, when) in model.items() if when != NEVER}
    assert held.expiries() == expiring
    assert held.expiring() == bool(expiring)
    assert held.next_expiry() <= min(expiring.values(), default=NEVER)
    if held.table is None:
        # It is a listpack that others can read; see decode for what that checks.
        assert len(decode(held.packed, 0)) == len(model) * (3 if held.timed else 2)
        order = [expiring.get(name, NEVER) for name in held.fields()]
        assert order == sorted(order), "the fields that expire first stand first"


@settings(max_examples=150, deadline=None)
@given(actions, limits())
def test_a_hash_is_a_dict_with_expiries(steps: list[tuple[str, bytes, bytes, int]], limit: Limits) -> None:
    held, model = Hash(), dict[bytes, tuple[bytes, int]]()
    twin, twin_model = Hash(), dict[bytes, tuple[bytes, int]]()
    for action, name, value, when in steps:
        if action in ("set", "keep"):
            keep = action == "keep"
            assert held.set(name, value, limit, keep) == (name not in model)
            model[name] = (value, model[name][1] if keep and name in model else NEVER)
        elif action == "remove":
            assert held.remove(name) == (model.pop(name, None) is not None)
        elif action == "expire" and name in model:
            held.set_expiry(name, when)
            model[name] = (model[name][0], when)
        elif action == "persist" and name in model:
            held.set_expiry(name, NEVER)
            model[name] = (model[name][0], NEVER)
        elif action == "get":
            assert held.get(name) == model.get(name, (None, 0))[0]
            assert held.contains(name) == (name in model)
            assert held.expiry(name) == model.get(name, (None, NEVER))[1]
        elif action == "copy":
            copied = held.copy()
            assert isinstance(copied, Hash)
            twin, twin_model = copied, model.copy()
        elif action == "swap":
            held, model, twin, twin_model = twin, twin_model, held, model
        elif action == "due":
            due = held.due(when, 1000)
            assert sorted(due) == sorted(each for each, (_, at) in model.items() if at < when)
            for each in due:
                held.remove(each)
                del model[each]
    check(held, model)
    check(twin, twin_model)


@settings(max_examples=50)
@given(st.dictionaries(texts, texts, max_size=20), limits())
def test_a_hash_built_at_once_is_the_one_built_field_by_field(fields: dict[bytes, bytes], limit: Limits) -> None:
    slowly = Hash()
    for name, value in fields.items():
        slowly.set(name, value, limit)
    at_once = build_hash(fields, None, limit)
    assert (at_once.table is None) == (slowly.table is None)
    assert at_once.packed == slowly.packed
    check(at_once, {name: (value, NEVER) for name, value in fields.items()})


def test_the_limits_are_those_of_redis() -> None:
    limit = Limits()
    held = build_hash({b"%d" % i: b"x" * 64 for i in range(511)}, None, limit)
    held.set(b"511", b"x", limit)
    assert held.table is None
    held.set(b"512", b"x", limit)
    assert held.table is not None
    assert held.size() == 513
    for name, value in ((b"f" * 65, b"v"), (b"f", b"v" * 65)):
        held = Hash()
        held.set(b"a", b"b", limit)
        held.set(name, value, limit)
        assert held.table is not None
        assert held.get(name) == value
        held.remove(name)
        assert held.table is not None, "a hash never shrinks back"


def test_expiries_survive_the_step_to_the_large_form() -> None:
    limit = Limits()
    held = build_hash({b"a": b"1", b"b": b"2", b"c": b"3"}, {b"a": 20, b"c": 10}, limit)
    held.spread()
    check(held, {b"a": (b"1", 20), b"b": (b"2", NEVER), b"c": (b"3", 10)})
    assert held.next_expiry() == 10


def test_a_copy_of_a_large_hash_takes_no_element() -> None:
    limit = Limits()
    held = build_hash({b"f%d" % i: b"v" for i in range(20_000)}, None, limit)
    copied = held.copy()
    assert isinstance(copied, Hash)
    assert held.table is not None
    assert copied.table is not None
    assert all(a is b for a, b in zip(held.table.chunks(), copied.table.chunks(), strict=True))


@settings(max_examples=50)
@given(st.integers(1, 1500), st.integers(1, 40))
def test_random_fields_are_fields(size: int, count: int) -> None:
    fields = {b"f%d" % i: b"v" for i in range(size)}
    held = build_hash(fields, {b"f0": 5} if size % 2 else None, Limits())
    assert held.random_field() in fields
    assert {*held.random_fields(count)} <= set(fields)
    assert len(held.random_fields(count)) == count
    chosen = held.sample(min(count, size))
    assert len({*chosen}) == min(count, size)
    assert {*chosen} <= set(fields)


def test_memory_of_a_small_hash_is_that_of_its_listpack() -> None:
    held = build_hash({b"field%05d" % i: b"value%05d" % i for i in range(10)}, None, Limits())
    assert len(held.packed) == 247
    assert held.memory(5) < 400
    large = build_hash({b"field%05d" % i: b"value%05d" % i for i in range(10_000)}, None, Limits())
    assert 10_000 * 40 < large.memory(0) < 10_000 * 250
    assert abs(large.memory(5) / large.memory(0) - 1) < 0.2
