"""Snapshots are the state of one moment, whatever is written while they are made."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from durastore.keyspace.hashes import Hash
from durastore.keyspace.values import RawString
from durastore.persistence.commands import CommandSerializer
from durastore.persistence.loading import RdbLoading
from durastore.persistence.rdb import RdbReader, RdbWriter
from durastore.persistence.serializer import Serializer
from durastore.persistence.snapshot import Snapshot
from durastore.protocol.parser import encode_request
from support.engines import engine, run, session


class Bytes:
    """A source over bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int, /) -> bytes:
        taken, self.data = self.data[:size], self.data[size:]
        return taken


def test_a_snapshot_under_writes_is_the_state_at_its_start() -> None:
    one = engine()
    client = session(one)
    client.feed(b"".join(b"SET k:%d before\r\n" % i for i in range(20_000)))
    client.feed(b"APPEND k:5 !\r\nSELECT 2\r\nSET x 1\r\n")
    client.take_output()
    snapshot = Snapshot(one.instance.keyspace, RdbWriter(True, True), [])
    data = b""
    number = 0
    while not snapshot.finished:
        data += snapshot.step(0.0, time.perf_counter)
        # Overwrite, append to, delete and create everywhere, ahead of the walk and behind it.
        run(
            client,
            b"select 0",
            b"set k:%d after" % (number * 7919 % 20_000),
            b"append k:5 more",
            b"append k:%d more" % (number * 104729 % 20_000),
            b"del k:%d" % (number * 15485863 % 20_000),
            b"set new:%d x" % number,
        )
        number += 1
    assert number > 100
    two = engine()
    loading = RdbLoading(RdbReader(Bytes(data), len(data)), two.instance.keyspace, -1, False)
    loading.reader.read_header()
    while not loading.step(0.0, time.perf_counter):
        pass
    assert loading.keys_loaded == 20_001
    reader = session(two)
    for i in range(20_000):
        wanted = b"$7\r\nbefore!\r\n" if i == 5 else b"$6\r\nbefore\r\n"
        assert run(reader, b"get k:%d" % i) == wanted


def test_a_base_of_commands_rebuilds_the_keyspace() -> None:
    one = engine()
    run(session(one), b"set a 1", b"set b 2 pxat 9999999999999", b"append c x", b"select 4", b"set d 4")
    snapshot = Snapshot(one.instance.keyspace, CommandSerializer(), [])
    data = snapshot.step(float("inf"), time.perf_counter)
    two = engine()
    client = session(two)
    client.feed(data)
    client.take_output()
    assert run(client, b"select 0", b"mget a b c", b"pexpiretime b", b"select 4", b"get d") == (
        b"+OK\r\n*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\nx\r\n:9999999999999\r\n+OK\r\n$1\r\n4\r\n"
    )


def large(command: bytes, key: bytes, pairs: bool) -> bytes:
    return encode_request([command, key, *(b"%d" % i for i in range(40_000 if pairs else 20_000))])


def test_a_large_value_is_written_in_slices_and_as_it_was() -> None:
    one = engine()
    client = session(one)
    client.feed(large(b"HSET", b"h", True) + large(b"SADD", b"s", False) + large(b"ZADD", b"z", True))
    run(client, b"hpexpireat h 9999999999999 fields 2 0 10", b"hset small a 1")
    snapshot = Snapshot(one.instance.keyspace, RdbWriter(True, True, 80), [])
    data = b""
    steps = 0
    while not snapshot.finished:
        data += snapshot.step(0.0, time.perf_counter)
        run(client, b"hset h %d x new:%d y" % (steps * 1234 % 40_000, steps), b"srem s %d %d" % (steps, 20_000 - steps))
        run(client, b"zadd z %d %d" % (-steps, steps * 1234 % 40_000), b"zremrangebyrank z 7000 7009")
        run(client, b"hpersist h fields 1 10", b"hset small a 2")
        steps += 1
    assert steps > 80, "a slice is a chunk of a large value, not the whole"
    assert snapshot.keys_written == 4
    two = engine()
    loading = RdbLoading(RdbReader(Bytes(data), len(data)), two.instance.keyspace, -1, False)
    loading.reader.read_header()
    while not loading.step(0.0, time.perf_counter):
        pass
    three = engine()
    client = session(three)
    client.feed(large(b"HSET", b"h", True) + large(b"SADD", b"s", False) + large(b"ZADD", b"z", True))
    run(client, b"hpexpireat h 9999999999999 fields 2 0 10", b"hset small a 1")
    assert run(session(two), b"debug digest") == run(client, b"debug digest")
    assert run(session(two), b"hpexpiretime h fields 3 0 10 2") == b"*3\r\n:9999999999999\r\n:9999999999999\r\n:-1\r\n"
    assert two.instance.keyspace.has_expiring_fields()


def test_a_base_of_commands_rebuilds_large_values_and_fields_that_expire() -> None:
    one = engine()
    client = session(one)
    client.feed(large(b"HSET", b"h", True) + large(b"SADD", b"s", False) + large(b"ZADD", b"z", True))
    run(client, b"hpexpireat h 9999999999999 fields 2 0 10", b"hset small a 1 b 2", b"pexpireat s 9999999999998")
    run(client, b"hpexpireat small 9999999999999 fields 1 b", b"pexpireat small 9999999999998")
    snapshot = Snapshot(one.instance.keyspace, CommandSerializer(), [])
    data = b""
    while not snapshot.finished:
        data += snapshot.step(0.0, time.perf_counter)
    two = engine()
    client = session(two)
    client.feed(data)
    client.take_output()
    assert run(client, b"debug digest") == run(session(one), b"debug digest")
    assert run(client, b"hpexpiretime small fields 2 a b") == b"*2\r\n:-1\r\n:9999999999999\r\n"
    assert run(client, b"pexpiretime s", b"pexpiretime small") == b":9999999999998\r\n" * 2


@pytest.mark.parametrize("make", [lambda: RdbWriter(True, True), lambda: RdbWriter(False, True), CommandSerializer])
def test_a_long_string_is_written_in_slices_and_as_it_was(make: Callable[[], Serializer]) -> None:
    one = engine()
    client = session(one)
    chance = random.Random(1)
    text = b"".join(b'{"id":%d,"name":"user %d"},' % (i, i * 7919 % 1000) for i in range(60_000))
    noise = chance.randbytes(1_000_003)
    mixed = text[:200_000] + noise[:65_000] + b"a"
    values = {
        b"json": text,
        b"noise": noise,
        b"mixed": mixed,
        b"edge": text[: 64 * 1024],
        b"over": text[: 64 * 1024 + 1],
    }
    for key, value in values.items():
        client.feed(encode_request([b"SET", key, value]))
    client.feed(encode_request([b"APPEND", b"raw", text]) + encode_request([b"APPEND", b"raw", noise]))
    run(client, b"pexpireat json 9999999999999", b"pexpireat raw 9999999999998")
    serializer = make()
    snapshot = Snapshot(one.instance.keyspace, serializer, [])
    data = b""
    steps = 0
    while not snapshot.finished:
        before = len(data) + int(serializer.pending())
        data += snapshot.step(0.0, time.perf_counter)
        assert len(data) + int(serializer.pending()) - before < 200_000, "a slice is a part of the string"
        run(client, b"append raw more", b"append json more")
        steps += 1
    assert steps > 60
    two = engine()
    reader = session(two)
    if isinstance(serializer, CommandSerializer):
        reader.feed(data)
        reader.take_output()
    else:
        loading = RdbLoading(RdbReader(Bytes(data), len(data)), two.instance.keyspace, -1, False)
        loading.reader.read_header()
        while not loading.step(0.0, time.perf_counter):
            pass
    for key, value in {**values, b"raw": text + noise}.items():
        found = two.instance.keyspace.databases[0].lookup(key, 1)
        assert (found.data if isinstance(found, RawString) else found) == value
    assert run(reader, b"pexpiretime json", b"pexpiretime raw") == b":9999999999999\r\n:9999999999998\r\n"


def test_after_a_snapshot_a_write_copies_nothing() -> None:
    one = engine()
    client = session(one)
    client.feed(b"HSET h" + b"".join(b" f:%d v" % i for i in range(5000)) + b"\r\n")
    run(client, b"append text abc", b"append text def", b"set other x")
    db = one.instance.keyspace.databases[0]
    table, text = db.lookup(b"h", 0), db.lookup(b"text", 0)
    assert isinstance(table, Hash)
    assert table.table is not None
    given_up = Snapshot(one.instance.keyspace, RdbWriter(True, True), [])
    run(client, b"set other y")
    given_up.close()
    # What that one has captured is let go in slices, after the next one has begun.
    snapshot = Snapshot(one.instance.keyspace, RdbWriter(True, True), [])
    run(client, b"set other z")
    one.instance.keyspace.free(float("inf"), time.perf_counter)
    run(client, b"hset h f:0 during")
    during = db.lookup(b"h", 0)
    assert isinstance(during, Hash)
    assert during is not table
    assert table.table.get(b"f:0") == b"v"
    while not snapshot.finished:
        snapshot.step(0.0, time.perf_counter)
    snapshot.close()
    run(client, b"hset h f:0 after", b"append text ghi")
    assert db.lookup(b"h", 0) is during
    assert db.lookup(b"text", 0) is text
    # Nor when nothing was written meanwhile.
    assert during.table is not None
    chunks = list(map(id, during.table.chunks()))
    another = Snapshot(one.instance.keyspace, RdbWriter(True, True), [])
    while not another.finished:
        another.step(0.0, time.perf_counter)
    another.close()
    run(client, *(b"hset h f:0 %d" % i for i in range(100)))
    assert db.lookup(b"h", 0) is during
    assert list(map(id, during.table.chunks())) == chunks
