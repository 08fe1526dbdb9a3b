"""No damage of a file is taken for data, and none leads to anything but RdbError."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.keyspace.limits import Limits
from durastore.keyspace.lists import List
from durastore.keyspace.packed import pack
from durastore.keyspace.streams import Stream
from durastore.persistence.checksum import crc64_redis
from durastore.persistence.rdb import RdbError, RdbReader, RdbWriter, dump_value, load_dump
from durastore.persistence.rdb.format import TYPE_HASH_LISTPACK_EX_PRE_GA
from support.values import hash_of, set_of, zset_of

FILES = sorted((Path(__file__).parents[2] / "fixtures" / "rdb").glob("*.rdb"))


def load(data: bytes, size_hint: int | None = None) -> int:
    reader = RdbReader(io.BytesIO(data), len(data) if size_hint is None else size_hint)
    reader.read_header()
    count = 0
    while reader.next_entry():
        count += 1
    return count


def small_file(version: int, compress: bool = True) -> bytes:
    stream = Stream()
    stream.append((5, 1), [b"f", b"v"], 0, Limits())
    stream.append((5, 2), [b"g", b"v"], 0, Limits())
    group = stream.create_group(b"g", (5, 1), 1)
    group.assign((5, 1), group.create_consumer(b"c", 1, 2), 3, 1)
    writer = RdbWriter(compress, True, version)
    writer.begin([(b"redis-bits", b"64")])
    writer.select(0, 8, 1)
    writer.entry(b"text", b"value", -1)
    writer.entry(b"number", b"-12345", 1700000000000)
    writer.entry(b"lzf", b"ab" * 30, -1)
    writer.entry(b"list", List([b"a", b"5000", b"x" * 70]), -1)
    writer.entry(b"set", set_of([b"1", b"300"]), -1)
    writer.entry(b"texts", set_of([b"a", b"b"]), -1)
    writer.entry(b"zset", zset_of({b"m": 1.5, b"n": 2.0}), -1)
    writer.entry(b"hash", hash_of({b"f": b"v", b"g": b"w" * 65}, {b"f": 1700000000000} if version == 80 else None), -1)
    writer.entry(b"stream", stream, -1)
    writer.end()
    return writer.take()


@pytest.mark.parametrize("known_size", [True, False])
@pytest.mark.parametrize("version", [11, 80])
def test_truncation_anywhere(version: int, known_size: bool) -> None:
    data = small_file(version)
    assert load(data) == 9
    for size in range(len(data)):
        with pytest.raises(RdbError):
            load(data[:size], size if known_size else -1)


@pytest.mark.parametrize("version", [11, 80])
def test_every_flipped_bit_is_noticed(version: int) -> None:
    data = bytearray(small_file(version))
    for i in range(len(data)):
        for bit in range(8):
            data[i] ^= 1 << bit
            with pytest.raises(RdbError):
                load(bytes(data))
            data[i] ^= 1 << bit
    assert load(bytes(data)) == 9


def test_flipped_bits_of_an_empty_file() -> None:
    writer = RdbWriter(False, True)
    writer.begin([])
    writer.end()
    data = bytearray(writer.take())
    assert load(bytes(data)) == 0
    for i in range(len(data)):
        for bit in range(8):
            data[i] ^= 1 << bit
            with pytest.raises(RdbError):
                load(bytes(data))
            data[i] ^= 1 << bit


def sealed(data: bytes | bytearray) -> bytes:
    """The file with the checksum that it ought to have, as someone would make it who means harm."""
    body = bytes(data[:-8])
    return body + crc64_redis(body).to_bytes(8, "little")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_forged_files_load_or_fail_cleanly(path: Path) -> None:
    original = path.read_bytes()
    tracemalloc.start()
    try:
        for i in range(9, len(original) - 8):
            for change in (0x01, 0xC0):
                data = bytearray(original)
                data[i] ^= change
                with contextlib.suppress(RdbError):
                    load(sealed(data))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # LZF unpacks to at most 88 times its size; everything else is bounded by the file.
    assert peak < 8_000_000


@settings(max_examples=150)
@given(st.sampled_from(FILES), st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), max_size=6))
def test_forged_stretches(path: Path, patches: list[tuple[float, bytes]]) -> None:
    data = bytearray(path.read_bytes())
    size = len(data)
    for where, patch in patches:
        at = 9 + int(where * (size - 22))
        data[at : at + len(patch)] = patch
    with contextlib.suppress(RdbError):
        load(sealed(data))


@given(st.binary(max_size=100), st.integers(0, 25), st.sampled_from([1, 11, 12, 80]))
def test_arbitrary_payloads(body: bytes, kind: int, version: int) -> None:
    payload = bytes([kind]) + body + version.to_bytes(2, "little")
    payload += crc64_redis(payload).to_bytes(8, "little")
    try:
        value = load_dump(payload)
    except RdbError:
        return
    load_dump(dump_value(value))


@pytest.mark.parametrize("known_size", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x01k\x80\x7f\xff\xff\xff",
        b"\x00\x01k\x81\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\x01k\xc3\x05\x80\x7f\xff\xff\xff\x00a\xe0\xff\x00",
        b"\x00\x01k\xc3\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x05",
        b"\x01\x01k\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x01a",
        b"\x02\x01k\x80\xff\xff\xff\xff\x01a",
        b"\x04\x01k\x80\xff\xff\xff\xff\x01a\x01b",
        b"\x05\x01k\x80\xff\xff\xff\xff\x01a",
        b"\x12\x01k\x80\xff\xff\xff\xff\x02",
        b"\x15\x01k\x80\xff\xff\xff\xff",
        b"\x09\x01k\x08\x01\xfe\xff\xff\xff\x7f\x01\xff",
        # A stream of no nodes that says how many entries it has.
        b"\x0f\x01k\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x15\x01k\x00\x81\x80\x00\x00\x00\x00\x00\x00\x00",
    ],
)
def test_impossible_lengths_reserve_nothing(body: bytes, known_size: bool) -> None:
    data = b"REDIS0011\xfe\x00" + body + b"\xff" + bytes(8)
    tracemalloc.start()
    try:
        with pytest.raises(RdbError):
            load(data, len(data) if known_size else -1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_an_expiry_of_thousands_of_digits_is_refused() -> None:
    row = pack([b"field", b"value", b"9" * 5000])
    body = bytes([TYPE_HASH_LISTPACK_EX_PRE_GA]) + b"\x01k\x80" + len(row).to_bytes(4, "big") + row
    with pytest.raises(RdbError, match="impossible expiry of a hash field"):
        load(b"REDIS0012\xfe\x00" + body + b"\xff" + bytes(8))
