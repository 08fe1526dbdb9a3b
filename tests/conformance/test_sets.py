"""Set commands, played to durastore and to a real server."""

from __future__ import annotations

import pytest

from support.scripts import assert_same_replies
from support.servers import Server

LONG = "x" * 65


def words(first: int, count: int, prefix: str = "m") -> str:
    return " ".join(f"{prefix}{i}" for i in range(first, first + count))


SCRIPTS = {
    "add and remove": """
        sadd s a
        sadd s a b c b
        smembers s
        scard s
        sismember s a
        sismember s nosuch
        smismember s a nosuch c
        smismember nosuch a b
        sismember nosuch a
        scard nosuch
        smembers nosuch
        srem s b
        srem s b nosuch
        smembers s
        srem nosuch a
        srem s a c c
        exists s
        sadd s
        srem s
        sadd n 3 1 2 -5 70000
        smembers n
        sadd n 9223372036854775807 -9223372036854775808
        smembers n
        srem n 70000 x 007
        smembers n
        sismember n 3
        sismember n 03
        sismember n -9223372036854775808
        sadd n 007
        smembers n
        object encoding n
        sismember n 9223372036854775807
        sismember n -9223372036854775808
        srem n -9223372036854775808 1
        smembers n
        sadd e ""
        smembers e
        sismember e ""
        sadd e "\\x00\\xff\\r\\n"
        smembers e
        sadd i +1 -0 01 " 1" 1.0 9223372036854775808
        object encoding i
        smembers i
    """,
    "encodings": f"""
        sadd s 1 2 3
        object encoding s
        sadd s a
        object encoding s
        srem s a
        object encoding s
        sadd i {words(0, 512, "")}
        object encoding i
        scard i
        sadd i 512
        object encoding i
        scard i
        sismember i 0
        sismember i 511
        sismember i 512
        sadd j {words(0, 511, "")}
        sadd j 0
        object encoding j
        sadd j 511
        object encoding j
        sadd j a
        object encoding j
        sadd k {words(0, 513, "")}
        object encoding k
        sadd l {words(0, 128)}
        object encoding l
        sadd l m0
        object encoding l
        sadd l m128
        object encoding l
        scard l
        sadd m {words(0, 129)}
        object encoding m
        sadd n {LONG}
        object encoding n
        sadd o {LONG[1:]}
        object encoding o
        sadd o {LONG}
        object encoding o
        sismember o {LONG}
        sadd p 1 2 {LONG}
        object encoding p
        sadd q {words(0, 127, "")}
        sadd q a
        object encoding q
        sadd r {words(0, 128, "")}
        object encoding r
        sadd r a
        object encoding r
        sadd t {" ".join(["a"] * 129)}
        object encoding t
        scard t
        sadd u a
        sadd u {" ".join(["a"] * 129)}
        object encoding u
        sadd v 1
        sadd v {" ".join(["1"] * 129)}
        object encoding v
        sadd v {" ".join(["1"] * 513)}
        object encoding v
        sadd w 1 {" ".join(["a"] * 128)}
        object encoding w
        copy i i2
        object encoding i2
        copy s s2
        sadd s2 zz
        smembers s
        smembers s2
    """,
    "limits": """
        config get set-max-*
        config set set-max-intset-entries 3
        sadd a 1 2 3
        object encoding a
        sadd a 4
        object encoding a
        config set set-max-listpack-entries 2
        sadd b x y
        object encoding b
        sadd b z
        object encoding b
        sadd c 1 2
        sadd c x
        object encoding c
        sadd d 1
        sadd d x
        object encoding d
        config set set-max-listpack-entries 0
        sadd e x
        object encoding e
        sadd f 1
        object encoding f
        config set set-max-intset-entries 0
        sadd g 1
        object encoding g
        config set set-max-intset-entries 512 set-max-listpack-entries 128 set-max-listpack-value 3
        sadd h abc
        object encoding h
        sadd h abcd
        object encoding h
        sadd i 12345
        object encoding i
        sadd i abc
        object encoding i
        config set set-max-listpack-value 64
        config set set-max-listpack-value x
        config set set-max-intset-entries -1
    """,
    "move": f"""
        sadd a 1 2 x
        sadd b 3
        smove a b 1
        smembers a
        smembers b
        smove a b nosuch
        smove nosuch b 1
        smove a new 2
        smembers new
        object encoding new
        smove a a x
        smove a a nosuch
        smove a b x
        exists a
        smembers b
        object encoding b
        sadd a 3
        smove a b 3
        exists a
        scard b
        set s x
        smove s b x
        smove b s 3
        smove nosuch s 3
        smove s nosuch x
        sadd big {words(0, 200)}
        smove big b m7
        sismember b m7
        sismember big m7
    """,
    "algebra": """
        sadd a 1 2 3 4
        sadd b 3 4 5
        sadd c x y 3
        sadd d y z
        sinter a b
        sinter a c
        sinter c d
        sinter a
        sinter a a
        sinter a nosuch
        sinter nosuch nosuch2
        sinter a b c
        sunion a b
        sunion a c
        sunion c d
        sunion a
        sunion nosuch
        sunion nosuch a
        sdiff a b
        sdiff a c
        sdiff c d
        sdiff a
        sdiff a a
        sdiff nosuch a
        sdiff a nosuch
        sdiff a b c
        sdiff b a
        sintercard 1 a
        sintercard 2 a b
        sintercard 2 a b limit 1
        sintercard 2 a b LIMIT 0
        sintercard 2 a b limit 5
        sintercard 2 a nosuch
        sintercard 1 a limit 2
        sintercard 2 a b limit -1
        sintercard 2 a b limit x
        sintercard 2 a b limit
        sintercard 2 a b foo 1
        sintercard 2 a b limit 1 limit 2
        sintercard 0 a
        sintercard -1 a
        sintercard x a
        sintercard 3 a b
        sintercard 3 a b limit 1
        sintercard 1
        sinter
        sunion
        sdiff
        set s x
        sinter a s
        sinter nosuch s
        sinter s nosuch
        sunion s a
        sunion a s
        sdiff a s
        sdiff nosuch s
        sintercard 2 nosuch s
        sinterstore r a s
        sunionstore r a s
        sdiffstore r a s
        sinterstore r a b
        smembers r
        object encoding r
        sinterstore r c d
        smembers r
        object encoding r
        sinterstore r a nosuch
        exists r
        sunionstore r a b
        object encoding r
        sunionstore r c d
        smembers r
        object encoding r
        sunionstore r a c
        smembers r
        object encoding r
        sunionstore r nosuch
        exists r
        sdiffstore r a b
        smembers r
        object encoding r
        sdiffstore r c d
        smembers r
        object encoding r
        sdiffstore r a a
        exists r
        sdiffstore s a b
        smembers s
        sunionstore a a b
        smembers a
        sinterstore a a b
        smembers a
        sdiffstore a a b
        exists a
        expireat c 33177117420
        sunionstore c c d
        expiretime c
    """,
    "encodings of results": f"""
        sadd big {words(0, 200)}
        sadd big2 {words(100, 200)}
        sadd ints {words(0, 600, "")}
        sadd ints2 {words(590, 300, "")}
        sadd small m1 m2 x
        sadd nums 1 2 3 m4
        object encoding ints
        object encoding ints2
        sinterstore r big big2
        object encoding r
        sinterstore r big small
        object encoding r
        sinterstore r ints ints2
        object encoding r
        smembers r
        sinterstore r ints nums
        object encoding r
        smembers r
        sinterstore r nums nums
        object encoding r
        sinterstore r ints
        object encoding r
        sinterstore r big
        object encoding r
        sunionstore r big small
        object encoding r
        sunionstore r ints ints2
        object encoding r
        sunionstore r ints2
        object encoding r
        sunionstore r small nums
        object encoding r
        sunionstore r ints2 small
        object encoding r
        sdiffstore r big big2
        object encoding r
        sadd half {words(0, 195)}
        sdiffstore r big half
        object encoding r
        scard r
        sdiffstore r big half small nums big2
        object encoding r
        sdiffstore r ints ints2
        object encoding r
        sdiffstore r ints2 ints
        object encoding r
        sadd intsx {words(0, 595, "")}
        sdiffstore r ints intsx
        object encoding r
        smembers r
        scard big
        scard ints
    """,
    "pop": """
        spop nosuch
        spop nosuch 1
        spop nosuch 0
        spop nosuch -1
        sadd s a
        spop s 0
        spop s
        exists s
        sadd s a
        spop s 5
        exists s
        sadd s 1 2 3
        spop s 3
        exists s
        sadd s a
        spop s -1
        spop s x
        spop s 1 2
        spop s 9223372036854775807
        spop
        set t x
        spop t
        spop t 1
        spop t 0
        spop t -1
        sadd s a b c
        spop s 3
    """,
    "random": """
        srandmember nosuch
        srandmember nosuch 1
        srandmember nosuch 0
        srandmember nosuch -5
        sadd s a
        srandmember s
        srandmember s 1
        srandmember s 5
        srandmember s -3
        srandmember s 0
        srandmember s x
        srandmember s 1 2
        srandmember s 9223372036854775807
        srandmember s -9223372036854775808
        srandmember s 9223372036854775808
        sadd s b
        srandmember s 2
        srandmember s 10
        sadd i 3 1 2
        srandmember i 3
        set t x
        srandmember t
        srandmember t 1
        srandmember t x
    """,
    "scan": """
        sadd s a b c aa
        sscan s 0
        sscan s 0 match a*
        sscan s 0 match a* count 1
        sscan s 0 count 1
        sscan s 0 match *
        sscan s 0 match nosuch
        sscan s 0 count 0
        sscan s 0 count x
        sscan s 0 match
        sscan s 0 type set
        sscan s 0 foo
        sscan s x
        sscan s 5
        sscan nosuch 0
        sscan nosuch 0 foo
        sscan nosuch x
        sscan s
        sadd i 3 1 2
        sscan i 0
        sscan i 0 match [12]
        set t x
        sscan t 0
        sscan t x
    """,
    "wrong type": """
        set s x
        hset h a 1
        sadd s a
        srem s a
        sismember s a
        smismember s a
        scard s
        smembers s
        sadd h a
        smembers h
    """,
}

# Where Valkey 9.1 does not answer as Redis 7.2 does: script, line, Valkey's answer, and Redis's.
REDIS_ANSWERS: dict[tuple[str, str, bytes], bytes] = {}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_replies(durastore, valkey, name, SCRIPTS[name], protocol, REDIS_ANSWERS)
