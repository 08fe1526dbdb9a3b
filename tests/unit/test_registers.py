"""The registers of HyperLogLogs in both encodings, against a plain list."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librt.vecs import vec
from mypy_extensions import u8

from durastore.keyspace import hyperloglog as hll
from durastore.keyspace.dense_registers import held_up_to

# Neighbouring registers, so that runs are split and merged, and some far away.
indexes = st.one_of(st.integers(0, 12), st.integers(80, 90), st.integers(16370, 16383), st.integers(0, 16383))
changes = st.lists(st.tuples(indexes, st.integers(1, 51)), max_size=80)
small_changes = st.lists(st.tuples(indexes, st.integers(1, 3)), max_size=80)


def registers_of(data: bytearray) -> list[int]:
    registers = hll.new_registers()
    hll.merge(registers, data)
    return [int(register) for register in registers]


def raised(data: bytearray, steps: list[tuple[int, int]], limit: int = 3000) -> list[int]:
    model = [0] * hll.REGISTERS
    for index, value in steps:
        place = hll.find(data, index)
        assert place.value == model[index]
        if value > place.value:
            hll.raise_register(data, place, value, limit)
            model[index] = value
    return model


@settings(max_examples=25, deadline=None)
@given(st.one_of(changes, small_changes), st.sampled_from([0, 30, 3000]))
def test_registers_hold_their_values_whatever_the_encoding(steps: list[tuple[int, int]], limit: int) -> None:
    data = hll.create()
    model = raised(data, steps, limit)
    assert hll.is_valid(data)
    assert hll.is_sparse(data) or max(model) > 32 or limit < 3000
    assert registers_of(data) == model
    estimate = hll.count(data)
    if hll.is_sparse(data):
        # The opcodes cover all registers.
        runs = [(kind, int(a), int(b or 0)) for kind, a, b in re.findall(rb"(\w):(\d+)(?:,(\d+))?", hll.decode(data))]
        assert sum(b if kind == b"v" else a for kind, a, b in runs) == hll.REGISTERS
        assert len(data) <= max(limit, 18)
    hll.make_dense(data)
    assert len(data) == hll.DENSE_SIZE
    assert registers_of(data) == model
    assert hll.count(data) == estimate == hll.count_merged(_registers(model))


def _registers(model: list[int]) -> vec[u8]:
    registers = hll.new_registers()
    for i, value in enumerate(model):
        registers[i] = u8(value)
    return registers


@settings(max_examples=25, deadline=None)
@given(small_changes, changes, st.booleans())
def test_merging_takes_the_greater_value(
    first: list[tuple[int, int]], second: list[tuple[int, int]], dense: bool
) -> None:
    a, b = hll.create(), hll.create()
    if dense:
        hll.make_dense(a)
    wanted = [max(pair) for pair in zip(raised(a, first), raised(b, second), strict=True)]
    registers = hll.new_registers()
    hll.merge(registers, a)
    hll.merge(registers, b)
    hll.raise_registers(a, registers, 3000)
    assert registers_of(a) == wanted


@pytest.mark.parametrize("count", [0, 1, 10, 1000, 100_000])
def test_estimates_are_near_the_truth(count: int) -> None:
    data = hll.create()
    for i in range(count):
        hashed = hll.murmur_hash(b"%d" % i)
        place = hll.find(data, hll.register_of(hashed))
        if hll.value_of(hashed) > place.value:
            hll.raise_register(data, place, hll.value_of(hashed), 3000)
    assert abs(hll.count(data) - count) <= count * 0.02 + 0.5


@pytest.mark.parametrize(
    ("element", "register", "value"),
    [
        (b"", 5938, 2),
        (b"a", 12711, 2),
        (b"1234567", 10327, 3),
        (b"12345678", 10579, 3),
        (b"123456789", 9293, 2),
        (b"\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff", 15504, 3),
        (b"x" * 31, 10810, 1),
    ],
)
def test_elements_fall_where_redis_puts_them(element: bytes, register: int, value: int) -> None:
    hashed = hll.murmur_hash(element)
    assert (hll.register_of(hashed), hll.value_of(hashed)) == (register, value)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=20), st.binary(max_size=40), st.booleans())
def test_what_a_dense_register_holds_is_found_at_once(before: list[bytes], element: bytes, dense: bool) -> None:
    data = hll.create()
    if dense:
        hll.make_dense(data)
    for each in before:
        hashed = hll.murmur_hash(each)
        place = hll.find(data, hll.register_of(hashed))
        if hll.value_of(hashed) > place.value:
            hll.raise_register(data, place, hll.value_of(hashed), 3000)
    hashed = hll.murmur_hash(element)
    held = hll.find(data, hll.register_of(hashed)).value >= hll.value_of(hashed)
    elements = [*before, element]
    wanted = len(before) + held if dense else 0
    assert held_up_to(data, elements, 0) == held_up_to(bytes(data), elements, 0) == wanted
    assert held_up_to(data, elements, len(before)) == (wanted if dense else len(before))


def test_what_is_no_hyperloglog_holds_nothing() -> None:
    dense = hll.create()
    hll.make_dense(dense)
    for data in (dense[:-1], b"HYLX" + dense[4:], dense[:4] + b"\x02" + dense[5:], b""):
        assert held_up_to(data, [b"a"], 0) == 0


@settings(deadline=None)
@given(st.binary(max_size=40).map(lambda body: bytearray(b"HYLL\x01" + bytes(11) + body)), indexes)
def test_damaged_registers_are_noticed(data: bytearray, index: int) -> None:
    try:
        registers_of(data)
        hll.count(data)
    except hll.Corrupt:
        with pytest.raises(hll.Corrupt):
            hll.count(data)
        before = bytes(data)
        with pytest.raises(hll.Corrupt):
            hll.make_dense(data)
        assert data == before
    try:
        place = hll.find(data, index)
        hll.raise_register(data, place, place.value + 1, 3000)
    except hll.Corrupt:
        pass
