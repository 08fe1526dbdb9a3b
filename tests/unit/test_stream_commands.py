"""Stream commands: what the journal is told, who is woken, which events there are."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.engine.engine import Engine
from durastore.engine.session import Session, replay_session
from durastore.keyspace.streams import Stream
from durastore.persistence.rdb import RdbWriter
from durastore.persistence.snapshot import Snapshot
from support.engines import Listener, engine, run, session
from support.rdb import describe_stream, read_all
from support.resp import parse, request


def stream(of: Engine, key: bytes) -> Stream:
    value = of.instance.keyspace.databases[0].lookup(key, of.instance.now)
    assert isinstance(value, Stream)
    return value


def journalled(of: Engine) -> list[str]:
    """What the journal was told since the last look, a line for each request."""
    data = of.journal.take()
    lines = []
    while data:
        count, _, data = data[1:].partition(b"\r\n")
        words = []
        for _ in range(int(count)):
            size, _, data = data[1:].partition(b"\r\n")
            words.append(data[: int(size)])
            data = data[int(size) + 2 :]
        lines.append(b" ".join(words).decode())
    return lines


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        (b"xadd s 5-1 f v", ["xadd s 5-1 f v"]),
        (b"xadd s * f v", ["xadd s 1000000-0 f v"]),
        (b"xadd s 9-* f v", ["xadd s 9-0 f v"]),
        (b"xadd s nomkstream maxlen 2 * f v", ["xadd s nomkstream maxlen 2 1000000-0 f v"]),
        (b"xadd s maxlen ~ 2 limit 50 5-1 f v", ["xadd s maxlen = 5 limit 50 5-1 f v"]),
        (b"xadd s minid ~ 3 * f v", ["xadd s minid = 1-1 1000000-0 f v"]),
        (b"xtrim s maxlen 3", ["xtrim s maxlen 3"]),
        (b"xtrim s maxlen ~ 3", []),
        (b"xtrim s maxlen ~ 0", ["xtrim s maxlen = 0"]),
        (b"xtrim s minid ~ 9", ["xtrim s minid = 18446744073709551615-18446744073709551615"]),
        (b"xdel s 1-1 7-7", ["xdel s 1-1 7-7"]),
        (b"xdel s 7-7", []),
        (b"xread streams s 0", []),
        (b"xack s g 1-1", []),
        (
            b"xreadgroup group g c count 2 streams s >",
            [
                "MULTI",
                "XGROUP CREATECONSUMER s g c",
                "XCLAIM s g c 0 1-1 2-1 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-1",
                "XGROUP SETID s g 2-1 ENTRIESREAD 2",
                "EXEC",
            ],
        ),
        (
            b"xreadgroup group g c noack streams s >",
            ["MULTI", "XGROUP CREATECONSUMER s g c", "XGROUP SETID s g 4-1 ENTRIESREAD 4", "EXEC"],
        ),
        (b"xreadgroup group h old streams s >", []),
        (b"xreadgroup group h new streams s >", ["XGROUP CREATECONSUMER s h new"]),
        (b"xreadgroup group h old streams s 4-1", []),
        (
            b"xreadgroup group h old streams s 0",
            ["XCLAIM s h old 0 1-1 2-1 3-1 4-1 TIME 1000000 RETRYCOUNT 2 FORCE JUSTID LASTID 4-1"],
        ),
        (
            b"xclaim s h new 0 2-1 3-1 time 5 justid",
            [
                "MULTI",
                "XGROUP CREATECONSUMER s h new",
                "XCLAIM s h new 0 2-1 3-1 TIME 5 RETRYCOUNT 1 FORCE JUSTID LASTID 4-1",
                "EXEC",
            ],
        ),
        (b"xclaim s h old 5000 2-1", []),
        (b"xclaim s h old 5000 2-1 lastid 9-9", ["XGROUP SETID s h 9-9 ENTRIESREAD 4"]),
        (
            b"xautoclaim s h old 0 2-1 count 2",
            ["XCLAIM s h old 0 2-1 3-1 TIME 1000000 RETRYCOUNT 2 FORCE JUSTID LASTID 4-1"],
        ),
        (b"xgroup create s g2 $", ["xgroup create s g2 $"]),
        (b"xgroup destroy s nosuch", []),
        (b"xgroup createconsumer s h old", []),
        (b"xgroup delconsumer s h nosuch", []),
    ],
)
def test_the_journal_holds_what_has_the_same_effect_again(line: bytes, effect: list[str]) -> None:
    one = engine()
    client = session(one)
    run(client, *(b"xadd s %d-1 f v" % i for i in range(1, 5)), b"xgroup create s g 0", b"xgroup create s h 0")
    run(client, b"xreadgroup group h old streams s >")
    one.journal.take()
    assert not run(client, line).startswith(b"-")
    assert journalled(one) == effect


def test_claims_of_entries_that_are_gone_are_journalled_as_acknowledgements() -> None:
    one = engine()
    client = session(one)
    run(client, *(b"xadd s %d-1 f v" % i for i in range(1, 5)), b"xgroup create s g 0")
    run(client, b"xreadgroup group g c streams s >", b"xdel s 1-1 3-1")
    one.journal.take()
    reply = parse(run(client, b"xautoclaim s g c 0 - count 3 justid"))
    assert reply == [b"4-1", [b"2-1"], [b"1-1", b"3-1"]]
    assert journalled(one) == [
        "MULTI",
        "XACK s g 1-1",
        "XACK s g 3-1",
        "XCLAIM s g c 0 2-1 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 4-1",
        "EXEC",
    ]


keys = st.sampled_from([b"s", b"t"])
groups = st.sampled_from([b"g", b"h"])
consumers = st.sampled_from([b"alice", b"bob"])
ids = st.builds(lambda ms, seq: b"%d-%d" % (ms, seq), st.integers(0, 8), st.integers(0, 2))
bounds = ids | st.sampled_from([b"-", b"+", b"(2"])
counts = st.integers(0, 6).map(lambda n: b"%d" % n)
starts = ids | st.sampled_from([b">", b">", b">", b"0"])
trims = st.sampled_from([b"", b"", b"maxlen 4", b"maxlen ~ 4", b"minid 3", b"minid ~ 3", b"maxlen ~ 2 limit 3"])
new_ids = ids | st.sampled_from([b"*", b"5-*", b"9-*"])
options = st.sampled_from([b"", b"justid", b"force", b"retrycount 5", b"lastid 6-1", b"time 99", b"idle 50 force"])
lines = st.one_of(
    st.builds(lambda k, t, i, n: b"xadd %b %b %b f %b" % (k, t, i, n), keys, trims, new_ids, counts),
    st.builds(lambda k, t, i, n: b"xadd %b %b %b f %b" % (k, t, i, n), keys, trims, new_ids, counts),
    st.builds(lambda k, i, j: b"xdel %b %b %b" % (k, i, j), keys, ids, ids),
    st.builds(lambda k, t: b"xtrim %b %b" % (k, t), keys, trims),
    st.builds(lambda k, g, i: b"xgroup create %b %b %b mkstream" % (k, g, i), keys, groups, ids | st.just(b"$")),
    st.builds(lambda k, g, i: b"xgroup setid %b %b %b" % (k, g, i), keys, groups, ids | st.just(b"$")),
    st.builds(lambda k, g, c: b"xgroup delconsumer %b %b %b" % (k, g, c), keys, groups, consumers),
    st.builds(lambda k, g, c: b"xgroup createconsumer %b %b %b" % (k, g, c), keys, groups, consumers),
    st.builds(lambda k, g: b"xgroup destroy %b %b" % (k, g), keys, groups),
    st.builds(
        lambda g, c, n, i, j: b"xreadgroup group %b %b count %b streams s t %b %b" % (g, c, n, i, j),
        groups, consumers, counts, starts, starts,
    ),
    st.builds(
        lambda k, g, c, n, i, o: b"xreadgroup group %b %b count %b %b streams %b %b" % (g, c, n, o, k, i),
        keys, groups, consumers, counts, starts, st.sampled_from([b"", b"", b"noack"]),
    ),
    st.builds(lambda k, g, i, j: b"xack %b %b %b %b" % (k, g, i, j), keys, groups, ids, ids),
    st.builds(
        lambda k, g, c, i, j, o: b"xclaim %b %b %b 0 %b %b %b" % (k, g, c, i, j, o),
        keys, groups, consumers, ids, ids, options,
    ),
    st.builds(
        lambda k, g, c, i, n: b"xautoclaim %b %b %b 2 %b count %b" % (k, g, c, i, n),
        keys, groups, consumers, bounds, counts,
    ),
    st.builds(lambda k, i: b"xsetid %b %b entriesadded 9" % (k, i), keys, ids),
    st.sampled_from([b"multi", b"exec", b"copy s t replace", b"del s", b"rename t s"]),
)  # fmt: skip


def timeless(of: Engine, key: bytes) -> Any:
    """A stream without the times of its consumers, which the journal does not tell."""
    value = of.instance.keyspace.databases[0].lookup(key, of.instance.now)
    if not isinstance(value, Stream):
        return value
    described = describe_stream(value)
    for group in described["groups"]:
        group["consumers"] = [consumer[0] for consumer in group["consumers"]]
    return described


@settings(max_examples=60, deadline=None)
@given(st.lists(lines, max_size=40))
def test_replaying_the_journal_gives_the_same_streams(script: list[bytes]) -> None:
    one = engine()
    one.instance.keyspace.limits.stream_node_entries = 3
    client = session(one)
    now = 1_000_000
    for line in [b"xgroup create s g 0 mkstream", b"xgroup create t g 0 mkstream", *script, b"exec"]:
        now += 1
        one.begin_wake(now)
        run(client, line)
    two = engine()
    # Trims are exact in the journal, so that the size of nodes does not matter.
    two.instance.keyspace.limits.stream_node_entries = 7
    replay = replay_session(two)
    replay.feed(one.journal.take())
    assert replay.failure == b""
    for key in (b"s", b"t"):
        assert timeless(two, key) == timeless(one, key)


def waiting(of: Engine, line: bytes, number: int = 7) -> Session:
    """A client that is blocked on a line."""
    client = session(of, number)
    assert run(client, line) == b""
    assert client.client.blocked
    return client


def test_a_blocked_xread_gets_what_was_added_since() -> None:
    one = engine()
    client = session(one)
    run(client, b"xadd s 1-1 f v")
    first = waiting(one, b"xread block 0 count 1 streams t s $ $", 2)
    second = waiting(one, b"xread block 0 streams s 1-1", 3)
    third = waiting(one, b"xread block 0 streams s 7-7", 4)
    run(client, b"multi", b"xadd s 2-1 a 1", b"xadd s 2-2 a 2", b"exec")
    assert parse(first.take_output()) == [[b"s", [[b"2-1", [b"a", b"1"]]]]]
    assert parse(second.take_output()) == [[b"s", [[b"2-1", [b"a", b"1"]], [b"2-2", [b"a", b"2"]]]]]
    assert third.client.blocked
    run(client, b"del s", b"xadd s 7-7 a 1", b"set s text")
    assert third.client.blocked
    run(client, b"del s", b"xadd s 7-8 a 1")
    assert parse(third.take_output()) == [[b"s", [[b"7-8", [b"a", b"1"]]]]]


def test_an_entry_that_is_gone_again_wakes_nobody() -> None:
    one = engine()
    client = session(one)
    blocked = waiting(one, b"xread block 0 streams s $")
    run(client, b"multi", b"xadd s 1-1 a 1", b"del s", b"exec")
    assert blocked.client.blocked
    run(client, b"multi", b"xadd s 2-1 a 1", b"xdel s 2-1", b"exec")
    assert blocked.client.blocked
    run(client, b"xadd s 3-1 a 1")
    assert parse(blocked.take_output()) == [[b"s", [[b"3-1", [b"a", b"1"]]]]]


def test_consumers_that_wait_share_the_entries_and_the_journal_tells_who_got_what() -> None:
    one = engine()
    client = session(one)
    run(client, b"xgroup create s g 0 mkstream", b"xgroup createconsumer s g a", b"xgroup createconsumer s g b")
    first = waiting(one, b"xreadgroup group g a block 0 count 1 streams s >", 2)
    second = waiting(one, b"xreadgroup group g b block 0 streams s >", 3)
    one.journal.take()
    run(client, b"xadd s 1-1 f v")
    assert parse(first.take_output()) == [[b"s", [[b"1-1", [b"f", b"v"]]]]]
    assert second.client.blocked
    assert journalled(one) == [
        "xadd s 1-1 f v",
        "MULTI",
        "XCLAIM s g a 0 1-1 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1",
        "XGROUP SETID s g 1-1 ENTRIESREAD 1",
        "EXEC",
    ]
    run(client, b"xadd s 1-2 f v")
    assert parse(second.take_output()) == [[b"s", [[b"1-2", [b"f", b"v"]]]]]


def test_a_blocked_consumer_is_created_at_once_and_journalled() -> None:
    one = engine()
    run(session(one), b"xgroup create s g $ mkstream")
    one.journal.take()
    waiting(one, b"xreadgroup group g c block 0 streams s >")
    assert journalled(one) == ["XGROUP CREATECONSUMER s g c"]
    assert list(stream(one, b"s").groups[b"g"].consumers) == [b"c"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"xgroup destroy s g", b"-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n"),
        (b"del s", b"-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n"),
        (b"rename s t", b"-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n"),
        (b"flushall", b"-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n"),
        (b"set s text", b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        (
            b"copy other s replace",
            b"-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n",
        ),
    ],
)
def test_a_blocked_consumer_hears_that_there_is_nothing_to_wait_for(line: bytes, error: bytes) -> None:
    one = engine()
    client = session(one)
    run(client, b"xgroup create s g $ mkstream", b"xadd other 1-1 f v")
    blocked = waiting(one, b"xreadgroup group g c block 0 streams s >")
    assert not run(client, line).startswith(b"-")
    assert blocked.take_output() == error


def test_plus_reads_the_last_entry() -> None:
    """Redis 7.4's id ``+``: the last entry that there is, or else the next one that comes."""
    one = engine()
    client = session(one)
    assert run(client, b"xread streams s +") == b"*-1\r\n"
    blocked = waiting(one, b"xread block 0 streams s +")
    run(client, b"xadd s 1-1 a 1")
    assert parse(blocked.take_output()) == [[b"s", [[b"1-1", [b"a", b"1"]]]]]
    run(client, b"xadd s 1-2 a 2", b"xadd s 2-0 a 3")
    last = [[b"s", [[b"2-0", [b"a", b"3"]]]]]
    assert parse(run(client, b"xread count 5 streams s +")) == last
    assert parse(run(client, b"xread block 0 streams s +")) == last
    run(client, b"xdel s 2-0")
    assert parse(run(client, b"xread streams s +")) == [[b"s", [[b"1-2", [b"a", b"2"]]]]]
    run(client, b"xtrim s maxlen 0")
    assert run(client, b"xread streams s +") == b"*-1\r\n"
    run(client, b"xgroup create s g 0")
    assert run(client, b"xreadgroup group g c streams s +").startswith(b"-ERR Invalid stream ID")


def test_counts_near_the_limit_of_an_integer_are_told() -> None:
    most = (1 << 63) - 1
    of = engine()
    client = session(of)
    client.feed(request("XADD", "s", "1-1", "f", "v") + request("XSETID", "s", "1-1", "ENTRIESADDED", most))
    client.feed(request("XADD", "s", "1-2", "f", "v") + request("XGROUP", "CREATE", "s", "g", "0", "ENTRIESREAD", 0))
    client.take_output()
    client.feed(request("XINFO", "STREAM", "s") + request("XINFO", "GROUPS", "s"))
    said = client.take_output()
    assert b"entries-added\r\n:%d\r\n" % -(1 << 63) in said, said
    assert b"$3\r\nlag\r\n:%d\r\n" % -(1 << 63) in said, said


def test_events() -> None:
    one = engine()
    listener = Listener(one)
    client = session(one)
    told = []
    for line in (
        b"xadd s maxlen 2 1-1 f v",
        b"xadd s 1-2 f v",
        b"xadd s maxlen 2 1-3 f v",
        b"xdel s 1-1",
        b"xdel s 1-2",
        b"xtrim s maxlen 9",
        b"xtrim s maxlen 0",
        b"xsetid s 5-5",
        b"xgroup create s g 0",
        b"xgroup setid s g 0",
        b"xreadgroup group g c streams s >",
        b"xgroup createconsumer s g d",
        b"xclaim s g e 0 1-1",
        b"xautoclaim s g f 0 -",
        b"xgroup delconsumer s g c",
        b"xgroup delconsumer s g c",
        b"xack s g 1-1",
        b"xgroup destroy s g",
        b"xgroup destroy s g",
    ):
        run(client, line)
        told.append(listener.told().replace(":s", ""))
    assert told == [
        "xadd",
        "xadd",
        "xadd xtrim",
        "",
        "xdel",
        "",
        "xtrim",
        "xsetid",
        "xgroup-create",
        "xgroup-setid",
        "xgroup-createconsumer",
        "xgroup-createconsumer",
        "xgroup-createconsumer",
        "xgroup-createconsumer",
        "xgroup-delconsumer",
        "",
        "",
        "xgroup-destroy",
        "",
    ]


def test_seen_and_active_times() -> None:
    one = engine(1000)
    client = session(one)
    run(client, b"xgroup create s g 0 mkstream")

    def times(name: bytes) -> tuple[int, int]:
        consumer = stream(one, b"s").groups[b"g"].consumers[name]
        return int(consumer.seen_time), int(consumer.active_time)

    run(client, b"xreadgroup group g c streams s >")
    assert times(b"c") == (1000, -1)
    one.begin_wake(2000)
    run(client, b"xadd s 1-1 f v", b"xreadgroup group g c streams s >")
    assert times(b"c") == (2000, 2000)
    one.begin_wake(3000)
    run(client, b"xreadgroup group g c streams s >", b"xreadgroup group g c streams s 0")
    assert times(b"c") == (3000, 2000)
    run(client, b"xclaim s g d 5000 1-1")
    assert times(b"d") == (3000, -1)
    one.begin_wake(4000)
    run(client, b"xautoclaim s g d 500 -")
    assert times(b"d") == (4000, 4000)
    run(client, b"xgroup createconsumer s g e", b"xreadgroup group g f noack streams s >")
    assert times(b"e") == (4000, -1)
    assert times(b"f") == (4000, -1)


def test_a_snapshot_under_writes_is_the_state_at_its_start() -> None:
    one = engine()
    client = session(one)
    client.feed(b"".join(b"XADD s %d-0 field value%d\r\n" % (i, i) for i in range(1, 1501)))
    run(client, b"xgroup create s g 0", b"xreadgroup group g c count 600 streams s >")
    client.feed(b"".join(b"SET k:%d x\r\n" % i for i in range(3000)))
    client.take_output()
    before = describe_stream(stream(one, b"s"))
    snapshot = Snapshot(one.instance.keyspace, RdbWriter(True, True), [])
    data = b""
    number = 1
    while not snapshot.finished:
        data += snapshot.step(0.0, time.perf_counter)
        run(
            client,
            b"xadd s maxlen 1490 * f v",
            b"xdel s %d-0" % (number * 7919 % 1500),
            b"xack s g %d-0" % (number * 104729 % 600),
            b"xreadgroup group g d count 2 streams s >",
            b"xclaim s g e 0 %d-0" % (number * 31 % 600),
            b"xgroup createconsumer s g c%d" % number,
            b"set k:%d y" % number,
        )
        number += 1
    assert number > 20
    saved = {entry["key"]: entry["value"] for entry in read_all(data)[1]}
    assert saved["s"] == before
    assert describe_stream(stream(one, b"s")) != before


def test_a_change_clones_a_block_and_not_the_stream() -> None:
    one = engine()
    one.instance.keyspace.limits.stream_node_entries = 4
    client = session(one)
    client.feed(b"".join(b"XADD s %d-0 f v\r\n" % i for i in range(1, 2101)))
    client.take_output()
    before = stream(one, b"s")
    kept = before.copy()
    run(client, b"xdel s 1000-0")
    assert isinstance(kept, Stream)
    shared = sum(mine is theirs for mine, theirs in zip(before.nodes.blocks, kept.nodes.blocks, strict=True))
    assert (len(before.nodes.blocks), shared) == (2, 1)
