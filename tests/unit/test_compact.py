"""The compact dict against a plain one."""

from __future__ import annotations

import random
import sys

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from durastore.keyspace.compact import CompactDict, Directory, prefetch

KEYS = st.one_of(
    st.integers(0, 300).map(lambda number: b"key:%d" % number),
    st.sampled_from((b"", b"\0", b"\0\0", b"k" * 600, b"k" * 599 + b"l")),
)
VALUES = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.integers(430, 450).map(lambda size: b"v" * size),
    st.sampled_from((0, -1, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, True, 1.5, -0.0, float("inf"))),
    st.builds(object),
)


class CompactMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.compact: CompactDict[object] = CompactDict()
        self.model: dict[bytes, object] = {}
        self.frozen: list[tuple[CompactDict[object], dict[bytes, object]]] = []

    @rule(key=KEYS, value=VALUES)
    def store(self, key: bytes, value: object) -> None:
        self.compact[key] = value
        self.model[key] = value

    @rule(first=st.integers(0, 300), count=st.integers(0, 300), value=VALUES)
    def store_many(self, first: int, count: int, value: object) -> None:
        for number in range(first, first + count):
            self.store(b"key:%d" % number, value)

    @rule(key=KEYS)
    def look_up(self, key: bytes) -> None:
        found, wanted = self.compact[key], self.model.get(key)
        assert type(found) is type(wanted)
        assert found == wanted
        assert (key in self.compact) == (key in self.model)

    @rule(key=KEYS)
    def remove(self, key: bytes) -> None:
        if key in self.model:
            del self.model[key]
            del self.compact[key]
        else:
            try:
                del self.compact[key]
            except KeyError:
                return
            raise AssertionError("what is not there cannot be removed")

    @rule(modulus=st.integers(2, 7))
    def remove_many(self, modulus: int) -> None:
        for key in list(self.model):
            if len(key) % modulus == 0 or key[-1:] == b"%d" % modulus:
                self.remove(key)

    @rule()
    def freeze(self) -> None:
        self.frozen.append((self.compact.freeze(), dict(self.model)))

    @rule(index=st.integers(0, 10))
    def drop_frozen(self, index: int) -> None:
        if self.frozen:
            self.frozen.pop(index % len(self.frozen))

    @rule()
    def copy(self) -> None:
        twin = self.compact.copy()
        for key in self.model:
            self.compact[key] = b"changed after the copy"
        self.compact = twin

    @rule(bit=st.integers(0, 62))
    def split_and_merge(self, bit: int) -> None:
        low: CompactDict[object] = CompactDict()
        high: CompactDict[object] = CompactDict()
        self.compact.split(1 << bit, low, high)
        assert len(self.compact) == 0
        assert not self.compact.keys()
        assert all(hash(key) & 1 << bit == 0 for key in low)
        assert all(hash(key) & 1 << bit for key in high)
        low.merge(high)
        self.compact = low

    @rule(shift=st.integers(55, 63))
    def stretches(self, shift: int) -> None:
        found: list[bytes] = []
        for first in range(1 << 63 - shift):
            self.compact.stretch(shift, first, first << shift, found)
        assert sorted(found) == sorted(self.model)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert len(self.compact) == len(self.model)
        assert bool(self.compact) == bool(self.model)
        assert dict(self.compact.items()) == self.model
        assert dict(zip(self.compact.keys(), self.compact.values(), strict=True)) == self.model
        for frozen, model in self.frozen:
            assert dict(frozen.items()) == model
            assert all(key in frozen for key in model)
        assert {id(value) for value in self.compact.objects()} >= {
            id(value) for value in self.model.values() if type(value) is object
        }
        prefetch([Directory("the only one", self.compact)] * len(self.model), list(self.model))


TestCompact = CompactMachine.TestCase
TestCompact.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_objects_are_kept_and_let_go() -> None:
    compact: CompactDict[object] = CompactDict()
    held = [object() for _ in range(8)]
    before = [sys.getrefcount(each) for each in held]
    for i in range(4):
        compact[b"%d" % i] = held[i]
    twin = compact.copy()
    assert all(compact[b"%d" % i] is held[i] and twin[b"%d" % i] is held[i] for i in range(4))
    compact[b"0"] = held[4]
    compact[b"1"] = b"short"
    del compact[b"2"]
    low: CompactDict[object] = CompactDict()
    high: CompactDict[object] = CompactDict()
    compact.split(1, low, high)
    frozen = high.freeze()
    again = low.freeze()
    for key in high:
        high[key] = held[5]
    for key in low:
        del low[key]
    del compact, twin, low, again
    assert set(frozen.values()) <= {held[4], held[3], b"short"}
    del high, frozen
    assert [sys.getrefcount(each) for each in held] == before


def test_every_key_is_drawn_equally_often() -> None:
    compact: CompactDict[object] = CompactDict()
    assert compact.draw(7) is None
    for i in range(100):
        compact[b"%d" % i] = None
    for i in range(0, 100, 2):
        del compact[b"%d" % i]
    drawn = dict.fromkeys(compact, 0)
    generator = random.Random(1)
    total = 0
    while total < 20_000:
        key = compact.draw(generator.randrange(1 << 30))
        if key is not None:
            drawn[key] += 1
            total += 1
    assert set(drawn) == {b"%d" % i for i in range(1, 100, 2)}
    assert min(drawn.values()) > 300
    assert max(drawn.values()) < 500


def test_a_sample_is_not_of_one_age() -> None:
    """Else what was used of late would go where, by chance, nothing else is drawn."""
    compact: CompactDict[object] = CompactDict()
    assert compact.sample(7, 10) == []
    for i in range(200):
        compact[b"%d" % i] = None
    generator = random.Random(1)
    for _ in range(100):
        drawn = [int(key) for key, _use in compact.sample(generator.getrandbits(32), 10)]
        assert len(set(drawn)) == 10
        assert max(drawn) - min(drawn) > 20
    assert {key for key, _use in compact.sample(3, 500)} == set(compact)


def test_a_directory_follows_segments_that_divide_and_join() -> None:
    items: list[CompactDict[object]] = [CompactDict() for _ in range(6)]
    directory = Directory("all", items[0])
    assert directory[b"x"] == directory.at(0) == directory.at(2**63 - 1) == "all"
    directory.double()
    directory.place(0, 1, "low", items[1])
    directory.place(2**62, 1, "high", items[2])
    directory.double()
    directory.place(2**62, 2, "third", items[3])
    directory.place(2**62 + 2**61, 2, "fourth", items[4])
    assert (len(directory), directory.depth) == (4, 2)
    assert list(directory) == ["low", "third", "fourth"]
    assert [directory.at(i << 61) for i in range(4)] == ["low", "low", "third", "fourth"]
    for i in range(100):
        key = b"%d" % i
        assert directory[key] == directory.at(hash(key) & (2**63 - 1))
    prefetch([directory] * 64, [b"%d" % i for i in range(100)])
    twin = directory.copy()
    directory.place(2**62, 1, "joined", items[5])
    directory.halve()
    assert (directory.distinct(), directory.depth) == (["low", "joined"], 1)
    assert (twin.distinct(), twin.depth) == (["low", "third", "fourth"], 2)
    assert sys.getsizeof(directory) < sys.getsizeof(twin)
