"""Sorted set commands as the journal, blocked clients and a second engine see them."""

from __future__ import annotations

import random

import pytest

from durastore.protocol.parser import encode_request as request
from support.engines import engine, run, session


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        (b"zadd z 5 x", b"zadd z 5 x"),
        (b"zadd z incr 1 a", b"zadd z incr 1 a"),
        (b"zincrby z 0.1 a", b"zincrby z 0.1 a"),
        (b"zadd z 1 a", b""),
        (b"zadd z nx 7 a", b""),
        (b"zrem z nosuch", b""),
        (b"zpopmin z 2", b"zpopmin z 2"),
        (b"zmpop 2 nosuch z max count 9", b"ZPOPMAX z 3"),
        (b"bzpopmin nosuch z 0", b"ZPOPMIN z"),
        (b"bzpopmax z 0", b"ZPOPMAX z"),
        (b"bzmpop 0 1 z min count 2", b"ZPOPMIN z 2"),
        (b"bzmpop 0 1 z min", b"ZPOPMIN z 1"),
        (b"zremrangebyrank z 0 1", b"zremrangebyrank z 0 1"),
        (b"zremrangebyscore z 7 8", b""),
        (b"zunionstore d 1 z", b"zunionstore d 1 z"),
        (b"zinterstore d 1 nosuch", b""),
        (b"geoadd g nx 13.361389 38.115556 p", b"ZADD g nx 3479099956230698 p"),
        (b"geoadd z xx 13.361389 38.115556 p", b""),
        (b"geosearchstore d z fromlonlat 0 0 byradius 1 m", b""),
    ],
)
def test_what_is_journalled(line: bytes, effect: bytes) -> None:
    one = engine()
    client = session(one)
    run(client, b"zadd z 1 a 2 b 3 c")
    one.journal.take()
    run(client, line)
    assert one.journal.take().removeprefix(request([b"SELECT", b"0"])) == (request(effect.split()) if effect else b"")


def test_those_who_wait_for_members_get_them_in_the_order_in_which_they_came() -> None:
    one = engine()
    waiting = [session(one, number) for number in range(1, 5)]
    assert run(waiting[0], b"bzpopmin x z 0") == b""
    assert run(waiting[1], b"bzmpop 0 1 z max count 2") == b""
    assert run(waiting[2], b"bzpopmax z 0") == b""
    one.journal.take()
    assert run(waiting[3], b"set z text") == b"+OK\r\n"
    assert waiting[0].client.blocked
    run(waiting[3], b"del z")
    one.journal.take()
    assert run(waiting[3], b"zadd z 1 a 2 b 3 c") == b":3\r\n"
    assert waiting[0].take_output() == b"*3\r\n$1\r\nz\r\n$1\r\na\r\n$1\r\n1\r\n"
    pairs = b"*2\r\n$1\r\nc\r\n$1\r\n3\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n"
    assert waiting[1].take_output() == b"*2\r\n$1\r\nz\r\n*2\r\n" + pairs
    assert waiting[2].client.blocked
    assert one.journal.take() == b"".join(
        request(line.split()) for line in (b"zadd z 1 a 2 b 3 c", b"ZPOPMIN z", b"ZPOPMAX z 2")
    )
    assert run(waiting[3], b"geoadd z 1 1 place") == b":1\r\n"
    assert waiting[2].take_output().startswith(b"*3\r\n$1\r\nz\r\n$5\r\nplace\r\n")
    assert run(waiting[3], b"exists z") == b":0\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"zunionstore z 1 s",
        b"zinterstore z 1 s",
        b"zdiffstore z 1 s",
        b"zrangestore z s 0 -1",
        b"geosearchstore z s fromlonlat 0 0 byradius 1000000 km",
        b"zincrby z 1 m",
        b"rename s z",
        b"copy s z",
    ],
)
def test_whatever_makes_a_sorted_set_serves_those_who_wait(line: bytes) -> None:
    one = engine()
    waiting, client = session(one, 1), session(one, 2)
    run(client, b"zadd s 1 m")
    run(waiting, b"bzpopmin z 0")
    run(client, line)
    assert waiting.take_output() == b"*3\r\n$1\r\nz\r\n$1\r\nm\r\n$1\r\n1\r\n"


@pytest.mark.parametrize("entries", [0, 12, 128])
def test_the_journal_replays_to_the_same_sets(entries: int) -> None:
    chance = random.Random(entries)
    one, two = engine(), engine()
    one.instance.keyspace.limits.zset_entries = two.instance.keyspace.limits.zset_entries = entries
    client = session(one)
    for _ in range(1500):
        key = chance.choice([b"a", b"b", b"c"])
        member = b"m%d" % chance.randrange(40)
        score = b"%r" % chance.choice([chance.random(), 1e17, 0.1, -0.0, 3.0])
        low = chance.randrange(40)
        run(
            client,
            chance.choice(
                [
                    *[b"zadd %b %b %b" % (key, score, member)] * 6,
                    b"zincrby %b %b %b" % (key, score, member),
                    b"zadd %b gt incr %b %b" % (key, score, member),
                    b"geoadd %b %d %d %b" % (key, low, low, member),
                    b"zrem %b %b" % (key, member),
                    b"bzmpop 0 2 a %b max count 2" % key,
                    b"zpopmin %b 2" % key,
                    b"zremrangebyrank %b %d %d" % (key, low, low + 1),
                    b"zunionstore d 2 %b d weights 0.3 0.7" % key,
                    b"geosearchstore e %b fromlonlat 0 0 byradius 3000 km storedist" % key,
                    b"zrangestore f %b %d %d" % (key, low, low + 9),
                ]
            ),
        )
    replayed = session(two)
    replayed.feed(one.journal.take())
    replayed.take_output()
    for line in (b"debug digest", *(b"object encoding %b" % key for key in (b"a", b"b", b"c", b"d", b"e", b"f"))):
        assert run(session(two), line) == run(session(one), line)
