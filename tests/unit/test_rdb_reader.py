"""The frame of RDB files: versions, opcodes, what is refused and in which words; duplicates and disorder in values."""

from __future__ import annotations

import io
import math
import struct
import time

import pytest

from durastore.keyspace import intset
from durastore.keyspace.keyspace import Keyspace
from durastore.keyspace.listpack import DamagedListpack, ListpackWriter, decode
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import SortedSet
from durastore.persistence.checksum import crc64_redis
from durastore.persistence.loading import RdbLoading
from durastore.persistence.rdb import RdbError, RdbReader, load_dump
from durastore.persistence.rdb.legacy import check_intset, decode_ziplist, decode_zipmap
from support.rdb import describe_value, read_all, scores_of
from support.values import hash_of


def file(body: bytes, magic: bytes = b"REDIS0011") -> bytes:
    data = magic + body + b"\xff"
    return data + crc64_redis(data).to_bytes(8, "little")


def payload(kind: int, body: bytes, version: int = 11) -> bytes:
    data = bytes([kind]) + body + version.to_bytes(2, "little")
    return data + crc64_redis(data).to_bytes(8, "little")


def listpack(*items: bytes) -> bytes:
    row = ListpackWriter()
    for item in items:
        row.string(item)
    return row.finish()


def string(data: bytes) -> bytes:
    assert len(data) < 16384
    return struct.pack(">H", 0x4000 | len(data)) + data


@pytest.mark.parametrize("version", [*range(5, 13)])
def test_versions_that_are_read(version: int) -> None:
    reader, entries = read_all(file(b"\x00\x01k\x01v", b"REDIS%04d" % version))
    assert reader.version == version
    assert [entry["key"] for entry in entries] == ["k"]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_versions_without_a_checksum(version: int) -> None:
    data = b"REDIS%04d\x00\x01k\x01v\xff" % version
    reader, entries = read_all(data)
    assert len(entries) == 1
    assert not reader.verified
    # A damaged version number must not get rid of the checksum.
    with pytest.raises(RdbError, match="data behind the end"):
        read_all(data + bytes(8))
    with pytest.raises(RdbError, match="has no type 250"):
        read_all(b"REDIS%04d\xfa\x01k\x01v\xff" % version)
    with pytest.raises(RdbError, match="has no type 16"):
        read_all(b"REDIS%04d\x10\x01k\x01v\xff" % version)


@pytest.mark.parametrize(
    ("magic", "words"),
    [
        (b"REDIS0000", "version REDIS0000 is not supported"),
        (b"REDIS0013", "version REDIS0013 is not supported"),
        (b"REDIS0080", "version REDIS0080 is not supported"),
        (b"VALKEY011", "version VALKEY011 is not supported"),
        (b"VALKEY081", "version VALKEY081 is not supported"),
        (b"REDIS-011", "wrong version"),
        (b"VALKEY0 0", "wrong version"),
        (b"RADIS0011", "wrong magic"),
        (b"*1\r\n$4\r\nP", "wrong magic"),
    ],
)
def test_magic_and_version(magic: bytes, words: str) -> None:
    with pytest.raises(RdbError, match=words) as caught:
        read_all(file(b"", magic))
    assert caught.value.offset == 0


# "ReJSON-RL" and its version 3, as Redis packs them.
MODULE = (
    sum(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(c) << (58 - 6 * i)
        for i, c in enumerate("ReJSON-RL")
    )
    | 3
)
MODULE_ID = b"\x81" + struct.pack(">Q", MODULE)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xf7" + MODULE_ID + b"\x02\x01\x00", "module type 'ReJSON-RL'"),
        (b"\x07\x01k" + MODULE_ID + b"\x00", "module type 'ReJSON-RL'"),
        (b"\x06\x01k\x00", "Redis 4 release candidate"),
        (b"\xf6\x01k", "Redis 7 release candidate"),
        (b"\xf3\x01k\x00", "has no type 243"),
        (b"\x08\x01k\x00", "unknown value type 8"),
        (b"\x1a\x01k\x00", "unknown value type 26"),
        (b"\x16\x01k\x00", "unknown value type 22 in RDB version 11"),
        (b"\xc8\x01k\x00", "unknown value type 200"),
        (b"\x00\x01k\x8f", "unknown length encoding 0x8f"),
        (b"\x00\x01k\xc4", "unknown string encoding 4"),
        (b"\xfe\xc0\x01", "a string where a length is expected"),
        (b"\x12\x01k\x01\x03\x01a", "unknown kind of quicklist node 3"),
    ],
)
def test_what_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(RdbError, match=words):
        read_all(file(b"\xfe\x00" + body))


def test_valkey_slot_import_is_refused_by_name() -> None:
    with pytest.raises(RdbError, match="imported into a Valkey cluster"):
        read_all(file(b"\xf3\x03job\x00", b"VALKEY080"))


def test_wrong_checksum_says_where_and_what() -> None:
    data = bytearray(file(b"\x00\x01k\x01v"))
    data[11] ^= 1
    with pytest.raises(RdbError, match="wrong checksum") as caught:
        read_all(bytes(data))
    assert caught.value.offset == len(data) - 8


def test_offset_of_damage_in_the_middle() -> None:
    with pytest.raises(RdbError) as caught:
        read_all(file(b"\xfe\x00" + b"\x00\x01a\x01v" + b"\x0b\x01k\x05wrong"))
    # Behind magic (9), database (2), first entry (5), type and key (3): the intset.
    assert caught.value.offset == 19


def test_empty_containers_are_left_out_of_files_and_refused_in_payloads() -> None:
    bodies = {1: b"\x00", 2: b"\x00", 3: b"\x00", 4: b"\x00", 5: b"\x00", 16: string(listpack()), 18: b"\x00"}
    body = b"".join(b"\xfc" + bytes(8) + bytes([kind]) + b"\x01k" + empty for kind, empty in bodies.items())
    reader, entries = read_all(file(body + b"\x00\x01k\x01v"))
    assert entries == [{"db": 0, "key": "k", "type": "string", "value": "v"}]
    assert reader.empty_keys == len(bodies)
    for kind, empty in bodies.items():
        with pytest.raises(RdbError, match="without elements"):
            load_dump(payload(kind, empty))


def test_duplicate_key_error_names_the_key() -> None:
    data = file(b"\xfe\x03\x00\x01k\x01v\x00\x01k\x01w")
    reader = RdbReader(io.BytesIO(data), len(data))
    reader.read_header()
    with pytest.raises(RdbError, match="duplicate key b'k' in database 3") as raised:
        RdbLoading(reader, Keyspace(4), -1, False).step(math.inf, time.perf_counter)
    assert raised.value.offset == 16


@pytest.mark.parametrize(
    ("kind", "body", "version"),
    [
        (2, b"\x02\x01a\x01a", 11),
        (3, b"\x02\x01a\x011\x01a\x012", 11),
        (4, b"\x02\x01a\x011\x01a\x012", 11),
        (5, b"\x02\x01a" + struct.pack("<d", 1) + b"\x01a" + struct.pack("<d", 2), 11),
        (16, string(listpack(b"a", b"1", b"a", b"2")), 11),
        (17, string(listpack(b"a", b"1", b"a", b"2")), 11),
        (20, string(listpack(b"a", b"a")), 11),
        (22, b"\x02" + (b"\x01a\x011" + b"\xff" * 8) * 2, 80),
        (24, bytes(8) + b"\x02" + b"\x00\x01a\x011" * 2, 12),
        (25, bytes(8) + string(listpack(b"a", b"1", b"0", b"a", b"2", b"0")), 12),
        (11, string(struct.pack("<IIhh", 2, 2, 5, 5)), 11),
    ],
)
def test_duplicates_in_a_value(kind: int, body: bytes, version: int) -> None:
    with pytest.raises(RdbError, match=r"duplicate|do not rise"):
        load_dump(payload(kind, body, version))


@pytest.mark.parametrize(
    ("kind", "body", "version"),
    [
        (16, string(listpack(b"a", b"1", b"b")), 11),
        (17, string(listpack(b"a")), 11),
        (17, string(listpack(b"a", b"one")), 11),
        (17, string(listpack(b"a", b"nan")), 11),
        (5, b"\x01\x01a" + struct.pack("<d", float("nan")), 11),
        (3, b"\x01\x01a\xfd", 11),
        (3, b"\x01\x01a\x031_0", 11),
        (25, bytes(8) + string(listpack(b"a", b"1")), 12),
        (25, bytes(8) + string(listpack(b"a", b"1", b"x")), 12),
        (24, struct.pack("<q", -5) + b"\x01\x00\x01a\x011", 12),
        (24, struct.pack("<q", 2**63 - 1) + b"\x01\x05\x01a\x011", 12),
        (24, bytes(8) + b"\x01\x81" + b"\xff" * 8 + b"\x01a\x011", 12),
        (22, b"\x01\x01a\x011" + struct.pack("<q", -2), 80),
        (0, b"\x01ab", 11),
    ],
)
def test_values_that_make_no_sense(kind: int, body: bytes, version: int) -> None:
    with pytest.raises(RdbError):
        load_dump(payload(kind, body, version))


def test_text_scores() -> None:
    value = load_dump(payload(3, b"\x04\x01a\x03inf\x01b\x041e-5\x01c\xff\x01d\xfe"))
    assert isinstance(value, SortedSet)
    assert scores_of(value) == {b"a": float("inf"), b"b": 1e-5, b"c": float("-inf"), b"d": float("inf")}


@pytest.mark.parametrize(
    ("version", "accepted"), [(1, True), (12, True), (13, False), (79, False), (80, True), (81, False)]
)
def test_payload_versions(version: int, accepted: bool) -> None:
    data = payload(0, b"\x01v", version)
    if accepted:
        assert load_dump(data) == b"v"
    else:
        with pytest.raises(RdbError, match="version or checksum"):
            load_dump(data)


def test_type_22_is_read_by_the_version() -> None:
    valkey = load_dump(payload(22, b"\x01\x01f\x01v" + struct.pack("<q", 5000), 80))
    release_candidate = load_dump(payload(22, b"\x01\x80" + struct.pack(">I", 5000) + b"\x01f\x01v", 12))
    expected = describe_value(hash_of({b"f": b"v"}, {b"f": 5000}))
    assert describe_value(valkey) == describe_value(release_candidate) == expected


LONG_LISTPACK = [b"%d" % 2**i for i in range(63)] + [b"-%d" % 2**i for i in range(64)] + [b"x" * 5000, b"y" * 130, b""]


def test_listpack_of_all_encodings() -> None:
    assert decode(listpack(*LONG_LISTPACK), 0) == LONG_LISTPACK
    many = [b"e"] * 70000
    assert decode(listpack(*many), 0) == many


def test_damaged_compact_encodings_are_noticed() -> None:
    row = listpack(b"a", b"300", b"x" * 200)
    for blob in (row[:-1], b"", row[:6], row + b"\xff", row[:4] + b"\x02\x00" + row[6:], row[:-1] + b"\x00"):
        with pytest.raises(DamagedListpack, match="damaged listpack"):
            decode(blob, 0)
    whole = intset.build([1, 2, 3])
    for blob in (b"", whole[:-1], whole + b"x", b"\x03" + whole[1:], whole[:8] + whole[10:] + whole[8:10]):
        with pytest.raises(RdbError, match="damaged intset"):
            check_intset(blob, 0)
    for blob in (
        b"",
        b"\x00",
        b"\x01\x01a\x05\x00v\xff",
        b"\x01\x01a\xff",
        b"\x02\x01a\x01\x00v\xff",
        b"\x01\xff\x01a\x01\x00v\xff",
    ):
        with pytest.raises(RdbError, match="damaged zipmap"):
            decode_zipmap(blob, 0)
    ziplist = struct.pack("<IIH", 16, 13, 2) + b"\x00\x01a" + b"\x03\xf2" + b"\xff"
    assert decode_ziplist(ziplist, 0) == [b"a", b"1"]
    for i in range(10):
        changed = bytearray(ziplist)
        changed[i] ^= 1
        with pytest.raises(RdbError, match="damaged ziplist"):
            decode_ziplist(bytes(changed), 0)
    for blob in (b"", ziplist[:-1], ziplist.replace(b"\x03\xf2", b"\x02\xf2"), ziplist.replace(b"\xf2", b"\xc5")):
        with pytest.raises(RdbError, match="damaged ziplist"):
            decode_ziplist(blob, 0)


def test_a_quicklist_keeps_its_plain_nodes() -> None:
    value = load_dump(payload(18, b"\x02\x01\x05plain\x02" + string(listpack(b"packed"))))
    assert isinstance(value, List)
    assert value.items() == [b"plain", b"packed"]


def test_set_of_numbers_reads_as_text() -> None:
    value = load_dump(payload(11, string(struct.pack("<IIqq", 8, 2, -(2**63), 2**63 - 1))))
    assert isinstance(value, Set)
    assert value.members() == [b"-9223372036854775808", b"9223372036854775807"]


def test_no_more_keys_are_announced_than_the_file_can_hold() -> None:
    data = file(b"\xfe\x00\xfb\x80" + (100_000_000).to_bytes(4, "big") + b"\x00\x00\x01k\x01v" * 1)
    reader = RdbReader(io.BytesIO(data), len(data))
    reader.read_header()
    assert reader.next_entry()
    assert reader.resizedb == {0: (100_000_000, 0)}
    assert reader.announced_keys() == 3
