"""List commands, played to durastore and to a real server."""

from __future__ import annotations

import random

import pytest

from support.resp import request
from support.scripts import assert_same_replies
from support.servers import Server

SCRIPTS = {
    "push and pop": """
        lpush l a
        lpush l b c
        rpush l d e
        lrange l 0 -1
        llen l
        lpushx l x
        rpushx l y z
        lpushx nosuch x
        rpushx nosuch x y
        exists nosuch
        lpop l
        rpop l
        lpop l 2
        rpop l 2
        lpop l 0
        rpop l 0
        lrange l 0 -1
        lpop l 100
        exists l
        lpop l
        rpop l
        lpop l 1
        rpop l 1
        lpop l 0
        lpop l -1
        lpop l x
        lpop l 9223372036854775808
        lpop l 1 1
        rpop l 1 1
        LPOP
        lpush l
        lpush
        rpushx l
        llen l
        llen
        rpush l 1 2 3 4 5
        rpop l 3
        rpop l 9223372036854775807
        type l
        rpush l "" "a b" "\\x00\\xff"
        lrange l 0 -1
        lpush l 1 01 -1 -0 007 +1 9223372036854775807 -9223372036854775808 9223372036854775808 99999999999999999999999
        lrange l 0 -1
    """,
    "wrong types": """
        set s text
        lpush s a
        rpush s a
        lpushx s a
        rpushx s a
        lpop s
        lpop s 1
        lpop s 0
        lpop s x
        rpop s
        llen s
        lrange s 0 -1
        lrange s x -1
        lindex s 0
        lindex s x
        lset s 0 a
        lset s x a
        linsert s before a b
        linsert s nowhere a b
        lrem s 0 a
        lrem s x a
        ltrim s 0 1
        ltrim s x 1
        lpos s a
        lpos s a rank 0
        rpush l a b
        lmove s l left left
        lmove l s left left
        lmove s l left nowhere
        rpoplpush s l
        rpoplpush l s
        lrange l 0 -1
        lmpop 1 s left
        lmpop 2 nosuch s left
        lmpop 2 l s left
        lmpop 2 s l left
        rpush l a b c d e
        blpop s l 0
        blpop l s 0
        brpop s 0
        blmove s l left left 0
        blmove l s left left 0
        brpoplpush l s 0
        rpush l c
        brpoplpush l s 0
        brpoplpush s l 0
        blmpop 0 1 s left
        blmpop 0 2 s l left
        get s
        incr l
        getrange l 0 1
    """,
    "range": """
        rpush l 0 1 2 3 4 5 6 7 8 9
        lrange l 0 0
        lrange l 0 -1
        lrange l -3 -1
        lrange l -100 2
        lrange l 8 100
        lrange l 5 4
        lrange l 10 20
        lrange l -1 -3
        lrange l -100 -50
        lrange l 3 -11
        lrange l -9223372036854775808 9223372036854775807
        lrange l 0 9223372036854775808
        lrange l x 0
        lrange l 0 x
        lrange nosuch 0 -1
        lrange nosuch x -1
        lrange l 0
        lindex l 0
        lindex l 9
        lindex l 10
        lindex l -1
        lindex l -10
        lindex l -11
        lindex l 9223372036854775807
        lindex l -9223372036854775808
        lindex l x
        lindex nosuch 0
        lindex nosuch x
        lindex l
    """,
    "set and insert": """
        rpush l a b c a b c
        lset l 0 A
        lset l -1 C
        lset l 2 12
        lrange l 0 -1
        lset l 6 x
        lset l -7 x
        lset l x x
        lset nosuch 0 x
        lset nosuch x x
        lset l 0
        linsert l before b 1
        linsert l after b 2
        linsert l BEFORE A 3
        linsert l AfTeR C 4
        linsert l after nosuch 5
        linsert l around a 5
        linsert nosuch before a 5
        linsert nosuch around a 5
        linsert l before a
        linsert l before 12 ""
        linsert l after "" 12
        lrange l 0 -1
        llen l
    """,
    "rem": """
        rpush l a b a c a d a
        lrem l 1 a
        lrange l 0 -1
        lrem l -1 a
        lrange l 0 -1
        lrem l 0 a
        lrem l 0 a
        lrem l 5 b
        lrange l 0 -1
        rpush l 5 05 5 -5 5
        lrem l -2 5
        lrange l 0 -1
        lrem l -9223372036854775807 5
        lrem l 9223372036854775807 05
        lrem l -100 -5
        lrem l x a
        lrem l 9223372036854775808 a
        lrem nosuch 0 a
        lrem nosuch x a
        lrem l 0
        lrem l 0 c
        lrem l 0 d
        exists l
        rpush l x x x
        lrem l 2 x
        lrem l -2 x
        exists l
    """,
    "trim": """
        rpush l 0 1 2 3 4 5 6 7 8 9
        ltrim l 0 -1
        ltrim l 1 -2
        lrange l 0 -1
        ltrim l -5 100
        lrange l 0 -1
        ltrim l 2 2
        lrange l 0 -1
        ltrim l 1 0
        exists l
        rpush l a b
        ltrim l 5 10
        exists l
        rpush l a b
        ltrim l 0 -100
        exists l
        rpush l a b c
        ltrim l -9223372036854775808 0
        lrange l 0 -1
        ltrim nosuch 0 1
        ltrim nosuch x 1
        ltrim l x 1
        ltrim l 0 x
        ltrim l 0
    """,
    "pos": """
        rpush l a b c 1 2 3 c c
        lpos l a
        lpos l c
        lpos l c rank 2
        lpos l c rank 4
        lpos l c rank -1
        lpos l c rank -3
        lpos l c count 2
        lpos l c count 0
        lpos l c count 0 rank 2
        lpos l c count 2 rank -1
        lpos l c count 0 rank -2
        lpos l c count 0 maxlen 3
        lpos l c count 0 maxlen 2
        lpos l c maxlen 2
        lpos l c maxlen 0
        lpos l c rank -1 maxlen 1
        lpos l a rank -1 maxlen 7
        lpos l a rank -1 maxlen 8 count 5
        lpos l 2
        lpos l 02
        lpos l nosuch
        lpos l nosuch count 1
        lpos l nosuch count 0
        lpos nosuch a
        lpos nosuch a count 1
        lpos nosuch a rank 0
        lpos l a rank 0
        lpos l a rank x
        lpos l a rank -9223372036854775808
        lpos l a rank -9223372036854775807
        lpos l a rank 9223372036854775807
        lpos l a count -1
        lpos l a count x
        lpos l a maxlen -1
        lpos l a maxlen x
        lpos l a rank
        lpos l a count 1 maxlen
        lpos l a foo 1
        lpos l a rank 1 rank 2
        lpos l c COUNT 1 Count 2
        lpos l
    """,
    "move": """
        rpush l a b c d
        lmove l m left right
        lmove l m right left
        lrange l 0 -1
        lrange m 0 -1
        lmove l l left right
        lrange l 0 -1
        lmove l l right right
        rpoplpush l m
        rpoplpush l m
        rpoplpush l m
        exists l
        lrange m 0 -1
        rpoplpush m m
        lrange m 0 -1
        lmove nosuch m left left
        lmove m n up left
        lmove m n left down
        lmove m n left
        lmove m n left left left
        rpoplpush m
        rpush one x
        lmove one one left right
        lrange one 0 -1
        rpoplpush one one
        lmove one two RIGHT Left
        exists one
        lrange two 0 -1
    """,
    "mpop": """
        rpush l a b c d e
        rpush m 1 2 3
        lmpop 1 l left
        lmpop 1 l right
        lmpop 2 nosuch l left count 2
        lmpop 2 nosuch l right count 10
        lmpop 2 l nosuch left
        lmpop 3 l nosuch m RIGHT COUNT 2
        lmpop 0 m left
        lmpop -1 m left
        lmpop x m left
        lmpop 2 m left
        lmpop 1 m up
        lmpop 1 m left count
        lmpop 1 m left count 0
        lmpop 1 m left count -1
        lmpop 1 m left count x
        lmpop 1 m left count 1 count 1
        lmpop 1 m left 1
        lmpop 9223372036854775807 m left
        lmpop 9223372036854775808 m left
        lmpop 1 m
        lmpop 1
        llen m
        blmpop 0 1 m left
        rpush m 1 2 3
        blmpop 0 2 nosuch m right count 2
        blmpop 0.001 2 nosuch m left count 9223372036854775807
        blmpop 0.001 1 m left
        blmpop x 1 m left
        blmpop -1 1 m left
        blmpop 0 0 m left
        blmpop x 0 m left
        blmpop 0 1 m up
        blmpop 0 1 m left count 0
        blmpop 0 1 m left foo
        blmpop 0 2 m left
        blmpop 0 1 m
    """,
    "blocking commands that need not wait": """
        rpush l a b c d e f
        blpop l 0
        brpop l 0
        blpop nosuch l 0
        brpop nosuch l nosuch 0.5
        blmove l m left right 0
        brpoplpush l m 0
        exists l
        lrange m 0 -1
        blpop l 0.001
        brpop l m 0.01
        blmove l m left left 0.001
        brpoplpush l m 0.001
        blpop l 1e-3
        blpop l 0x0.1p-2
        rpush l z
        blpop l -0.0001
        blpop l x
        blpop l ""
        blpop l -1
        blpop l nan
        blpop l inf
        blpop l -inf
        blpop l 1e100
        blpop l 1e5000
        blpop l 9223372036854775
        blpop l 9223372036854775808
        blpop l " 1"
        blpop l 1x
        blmove l m left left x
        blmove l m up left x
        blmove l m left up x
        blmove l m left left -1
        blmove l m left left
        brpoplpush l m x
        brpoplpush l m
        blpop l
        blpop
        multi
        blpop l 0
        brpop l nosuch 0
        blmove l m left left 0
        brpoplpush l m 0
        blmpop 0 1 l left
        rpush l x y z
        blpop l 0
        blmove l m left left 0
        blmpop 0 1 l left
        blpop l x
        exec
        exists l
        lrange m 0 -1
    """,
    "transactions": """
        rpush l a
        watch l
        multi
        llen l
        exec
        watch l
        lpush l b
        multi
        llen l
        exec
        watch l
        lrem l 0 nosuch
        lset l 5 x
        multi
        llen l
        exec
        watch m
        lmove l m left left
        multi
        exec
        watch l
        lpop l
        multi
        exec
    """,
}

MANY = " ".join(f"element:{i:05d}" for i in range(400))
WORDS = "word " * 1000
SCRIPTS["encodings"] = f"""
    rpush l {MANY}
    object encoding l
    rpush l {MANY}
    object encoding l
    ltrim l 0 399
    object encoding l
    ltrim l 0 199
    object encoding l
    rpush l {MANY}
    rpush l {MANY}
    lpop l 500
    object encoding l
    lpop l 300
    object encoding l
    lpop l 150
    object encoding l
    del l
    rpush l {"x" * 8000}
    object encoding l
    rpush l {"y" * 190}
    object encoding l
    rpush l z
    object encoding l
    lset l 0 small
    object encoding l
    lset l 0 {"x" * 9000}
    object encoding l
    rpush l a b c
    object encoding l
    lrem l 0 {"x" * 9000}
    object encoding l
    del l
    rpush l a b c
    linsert l before nosuch {"x" * 9000}
    object encoding l
    lpop l
    object encoding l
    linsert l after b {"x" * 9000}
    object encoding l
    lmove l m left left
    lmove l m left left
    object encoding m
    object encoding l
    lmove l l left left
    object encoding l
    lset l 0 {"w" * 9000}
    lset l 10 {"w" * 9000}
    object encoding l
    del l
    rpush l {WORDS}
    object encoding l
    rpush l {WORDS}
    object encoding l
    lrem l 1200 word
    object encoding l
    lrem l 200 word
    object encoding l
    lpushx l {"x" * 8000}
    object encoding l
    rpoplpush l l
    object encoding l
"""


SCRIPTS["debug"] = f"""
    rpush l a b c
    debug listpack l
    debug quicklist-packed-threshold 100b
    rpush l {"x" * 200}
    lrange l 0 -1
    debug quicklist-packed-threshold 0
    debug quicklist-packed-threshold x
    debug quicklist-packed-threshold 5gb
    rpush m {MANY}
    rpush m {MANY}
    debug listpack m
"""


REDIS_ANSWERS: dict[tuple[str, str, bytes], bytes] = {}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_replies(durastore, valkey, name, SCRIPTS[name], protocol, REDIS_ANSWERS)


def random_commands(seed: int, count: int) -> list[list[bytes]]:
    """Commands on a few lists that grow and shrink."""
    rng = random.Random(seed)

    def element() -> bytes:
        kind = rng.random()
        if kind < 0.4:
            return b"%d" % rng.choice((0, 5, 127, 128, -1, 4096, 70000, 1 << 40, -(1 << 50), rng.getrandbits(20)))
        if kind < 0.9:
            return rng.choice((b"a", b"bb", b"element:%d" % rng.randrange(20), b"x" * 70, b"y" * 200))
        return b"z" * rng.choice((1000, 4090, 5000, 8180, 9000, 17000))

    def index() -> bytes:
        return b"%d" % rng.choice((0, 1, -1, -2, rng.randrange(-300, 300)))

    def end() -> bytes:
        return rng.choice((b"left", b"right"))

    commands: list[list[bytes]] = []
    for _ in range(count):
        key, other = rng.choice((b"l", b"m")), rng.choice((b"l", b"m", b"n"))
        many = [element() for _ in range(rng.choice((1, 1, 2, 30)))]
        commands.append(
            rng.choice(
                (
                    [rng.choice((b"rpush", b"lpush")), key, *many],
                    [rng.choice((b"rpush", b"lpush")), key, *many],
                    [rng.choice((b"rpop", b"lpop")), key],
                    [rng.choice((b"rpop", b"lpop")), key, b"%d" % rng.choice((1, 5, 40))],
                    [b"linsert", key, rng.choice((b"before", b"after")), element(), element()],
                    [b"lset", key, index(), element()],
                    [b"lrem", key, b"%d" % rng.choice((0, 1, -1, 3, -3)), element()],
                    [b"ltrim", key, b"%d" % rng.choice((0, 1, 5, 70)), b"%d" % rng.choice((-1, -2, -70, 200))],
                    [b"lmove", key, other, end(), end()],
                    [b"lmpop", b"2", other, key, end(), b"count", b"%d" % rng.choice((1, 3, 80))],
                    [b"lindex", key, index()],
                    [b"lrange", key, index(), index()],
                    [b"lpos", key, element(), b"rank", rng.choice((b"1", b"2", b"-1", b"-2")), b"count", b"0"],
                )
            )
        )
        commands.append([b"object", b"encoding", key])
        if rng.random() < 0.05:
            commands.append([b"debug", b"digest-value", b"l", b"m", b"n"])
        if rng.random() < 0.01:
            commands.append([b"del", b"l", b"m"])
    return commands


@pytest.mark.parametrize("size", ["-2", "-1", "-5"])
def test_a_long_life_of_changes_leads_to_the_same_lists_and_encodings(
    durastore: Server, valkey: Server, size: str
) -> None:
    commands = random_commands(int(size), 2000)
    answers = []
    for server in (durastore, valkey):
        with server.connect() as connection:
            before = connection.value("CONFIG", "GET", "list-max-listpack-size")[1]
            assert connection.call("CONFIG", "SET", "list-max-listpack-size", size) == b"+OK\r\n"
            connection.send(b"".join(request(*command) for command in commands))
            answers.append([connection.read() for _ in commands])
            assert connection.call("CONFIG", "SET", "list-max-listpack-size", before) == b"+OK\r\n"
    for command, ours, theirs in zip(commands, *answers, strict=True):
        assert ours == theirs, [word[:40] for word in command]
