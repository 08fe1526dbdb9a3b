"""The bit algorithms against strings of "0" and "1"."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.keyspace import bits


def shown(data: bytes | bytearray) -> str:
    return "".join(f"{byte:08b}" for byte in data)


# Strings beyond several pieces of the algorithms, mostly of one value, and short ones of any.
runs = st.lists(st.tuples(st.sampled_from([b"\0", b"\xff", b"\x10", b"\xef"]), st.integers(0, 70_000)), max_size=3)
large = runs.map(lambda parts: b"".join(part * count for part, count in parts))
strings = st.one_of(st.binary(max_size=40), st.binary(min_size=250, max_size=300), large)
buffers = st.one_of(strings, strings.map(bytearray))


@settings(deadline=None)
@given(buffers, st.data())
def test_count_and_find(buffer: bytes | bytearray, data: st.DataObject) -> None:
    size = len(buffer) * 8
    if not size:
        return
    text = shown(buffer)
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first, size - 1))
    assert bits.count_range(buffer, first, last) == text.count("1", first, last + 1)
    for bit in (0, 1):
        assert bits.find_in_range(buffer, bit, first, last) == text.find(str(bit), first, last + 1)
    assert bits.get_bit(buffer, first) == int(text[first])
    assert bits.get_bit(buffer, size) == 0


def test_every_start_and_end_of_a_small_string() -> None:
    for buffer in (b"\x00\x00\x01", b"\xff\x7f\xff", b"\x80\x00\x7f"):
        text = shown(buffer)
        for first in range(24):
            for last in range(first, 24):
                assert bits.count_range(buffer, first, last) == text.count("1", first, last + 1)
                for bit in (0, 1):
                    assert bits.find_in_range(buffer, bit, first, last) == text.find(str(bit), first, last + 1)


@settings(deadline=None)
@given(st.lists(buffers, min_size=1, max_size=4))
def test_combine(sources: list[bytes | bytearray]) -> None:
    size = max(len(source) for source in sources)
    numbers = [int.from_bytes(bytes(source).ljust(size, b"\0"), "big") for source in sources]
    wanted_and = wanted_or = wanted_xor = numbers[0]
    for number in numbers[1:]:
        wanted_and &= number
        wanted_or |= number
        wanted_xor ^= number
    assert bits.combine(bits.AND, sources) == wanted_and.to_bytes(size, "big")
    assert bits.combine(bits.OR, sources) == wanted_or.to_bytes(size, "big")
    assert bits.combine(bits.XOR, sources) == wanted_xor.to_bytes(size, "big")
    assert bits.combine(bits.NOT, sources[:1]) == bytes(255 - byte for byte in sources[0])


@settings(deadline=None)
@given(st.binary(max_size=24), st.integers(0, 200), st.integers(1, 64), st.integers(-(2**64), 2**64))
def test_fields(content: bytes, offset: int, width: int, value: int) -> None:
    text = shown(content.ljust(40, b"\0"))
    field = text[offset : offset + width]
    assert bits.get_field(content, offset, width) == int(field, 2)
    stored = bytearray(content.ljust(40, b"\0"))
    bits.set_field(stored, offset, width, value)
    wanted = f"{value % 2**width:0{width}b}"
    assert shown(stored) == text[:offset] + wanted + text[offset + width :]
    number = bits.signed(int(wanted, 2), width)
    assert -(2 ** (width - 1)) <= number < 2 ** (width - 1)
    assert number % 2**width == value % 2**width
