"""Hash commands, played to durastore and to a real server."""

from __future__ import annotations

import pytest

from support.scripts import assert_same_replies
from support.servers import Server

# The default limit of a listpack is 64.
LONG = "x" * 65


def pairs(first: int, count: int) -> str:
    return " ".join(f"f{i} v{i}" for i in range(first, first + count))


SCRIPTS = {
    "set and get": f"""
        hset h a 1
        hset h a 2 b 3
        hset h c 4 c 5 d 6
        hgetall h
        hget h a
        hget h nosuch
        hget nosuch a
        hmget h a nosuch c
        hmget nosuch a b
        hkeys h
        hvals h
        hkeys nosuch
        hvals nosuch
        hgetall nosuch
        hlen h
        hlen nosuch
        hstrlen h a
        hstrlen h nosuch
        hstrlen nosuch a
        hexists h a
        hexists h nosuch
        hexists nosuch a
        hset h a
        hset h
        hset h a 1 b
        hmset h a 1 b
        hmset h e 7 f 8
        hmset h e
        hmset n x 1
        hgetall h
        hsetnx h a 9
        hsetnx h z 9
        hsetnx new z 9
        hgetall new
        hset h "" ""
        hget h ""
        hset bin "\\x00\\xff" "\\r\\n"
        hgetall bin
        hset num 12 34 -1 007 9223372036854775807 -9223372036854775808 128 -4097 70000 +1
        hgetall num
        hget num 12
        hget num 9223372036854775807
        hget num 70000
        hget num -1
        hset h long {LONG}
        hget h long
        object encoding h
        hget h a
        hlen h
        hmget h long a z nosuch
        hset h a 10
        hget h a
    """,
    "delete": """
        hset h a 1 b 2 c 3 d 4
        hdel h b
        hdel h b
        hdel h a nosuch a d
        hgetall h
        hdel nosuch a
        hdel h
        hdel h c
        exists h
        type h
        hset h a 1 b 2
        hdel h a b a b
        exists h
    """,
    "encodings": f"""
        hset h a 1
        object encoding h
        hset h {"y" * 64} {"z" * 64}
        object encoding h
        hset h a {LONG}
        object encoding h
        hset h a 1
        object encoding h
        hset twice a {LONG} a 1
        object encoding twice
        hset g {LONG} 1
        object encoding g
        hset i {pairs(0, 512)}
        object encoding i
        hset i more 1
        object encoding i
        hlen i
        hget i f0
        hget i f511
        hget i more
        hdel i more f0 f1 f2
        object encoding i
        hlen i
        hset j {pairs(0, 511)}
        hset j f0 v1
        object encoding j
        hsetnx j f510 x
        hsetnx j f511 x
        object encoding j
        hincrby j n 1
        object encoding j
        hset k {pairs(0, 513)}
        object encoding k
        hset l {" ".join(["f v"] * 513)}
        object encoding l
        hlen l
        hset m a 1
        hset m {" ".join(["f v"] * 513)}
        object encoding m
        hincrby n {LONG} 1
        object encoding n
        hincrbyfloat o {LONG} 1
        object encoding o
        hsetnx p {LONG} 1
        object encoding p
        hsetnx q a {LONG}
        object encoding q
        copy h h2
        object encoding h2
        copy a nosuch
        hset h3 a 1
        copy h3 h4
        hset h3 a 2
        hgetall h4
        hgetall h3
        rename h4 h5
        object encoding h5
    """,
    "limits": """
        config get hash-max-listpack-entries
        config get hash-max-ziplist-value
        config set hash-max-ziplist-entries 3
        config get hash-max-listpack-entries
        hset h a 1 b 2 c 3
        object encoding h
        hset h d 4
        object encoding h
        hset i a 1
        config set hash-max-listpack-entries 0
        object encoding i
        hset i b 1
        object encoding i
        hset j a 1
        object encoding j
        config set hash-max-listpack-entries 512 hash-max-listpack-value 5
        hset k a 12345
        object encoding k
        hset k a 123456
        object encoding k
        config set hash-max-listpack-value 64
        config set hash-max-listpack-value -1
        config set hash-max-listpack-entries x
    """,
    "increments": f"""
        hincrby h a 5
        hincrby h a -7
        hget h a
        hincrby h a x
        hincrby h a 1.5
        hincrby h a " 1"
        hincrby h a
        hset h s text e "" sp " 1" big 9223372036854775807 small -9223372036854775808
        hincrby h s 1
        hincrby h e 1
        hincrby h sp 1
        hincrby h big 1
        hincrby h big -1
        hincrby h small -1
        hincrby h small 9223372036854775807
        hincrby h a 9223372036854775807
        hincrby h a 9223372036854775807
        hincrby h a 9223372036854775808
        hincrby h nosuch -9223372036854775808
        hincrbyfloat h f 10.5
        hincrbyfloat h f 0.1
        hincrbyfloat h f -5.0e3
        hincrbyfloat h f 5.0e3
        hget h f
        hincrbyfloat h s 1
        hincrbyfloat h e 1
        hincrbyfloat h f x
        hincrbyfloat h f nan
        hincrbyfloat h f inf
        hincrbyfloat h f -inf
        hincrbyfloat h f
        hincrbyfloat h big 1
        hset h max 1e4932
        hincrbyfloat h max 1e4932
        hincrbyfloat h new 3.0
        hincrbyfloat new f 1e-3
        hgetall new
        hset h i inf
        hincrbyfloat h i 1
        hset h l {LONG}
        hincrby h l 1
        hincrby h nosuch2 17
        hget h nosuch2
    """,
    "wrong type": """
        set s x
        sadd t x
        hset s a 1
        hset s a
        hmset s a 1
        hsetnx s a 1
        hget s a
        hmget s a
        hgetall s
        hkeys s
        hvals s
        hlen s
        hstrlen s a
        hexists s a
        hdel s a
        hincrby s a 1
        hincrby s a x
        hincrbyfloat s a 1
        hincrbyfloat s a x
        hrandfield s
        hrandfield s 1
        hrandfield s x
        hrandfield s 1 foo
        hscan s 0
        hscan s x
        hscan s 0 foo
        hget t x
        hexpire s 10 fields 1 a
        httl s fields 1 a
        hpersist s fields 1 a
    """,
    "random": """
        hrandfield nosuch
        hrandfield nosuch 1
        hrandfield nosuch -1
        hrandfield nosuch 1 withvalues
        hset h a 1
        hrandfield h
        hrandfield h 1
        hrandfield h 5
        hrandfield h -3
        hrandfield h 0
        hrandfield h 0 withvalues
        hrandfield h 1 withvalues
        hrandfield h 5 withvalues
        hrandfield h -2 withvalues
        hrandfield h 1 WithValues
        hrandfield h x
        hrandfield h 1 foo
        hrandfield h 1 withvalues foo
        hrandfield h 9223372036854775807
        hrandfield h 9223372036854775807 withvalues
        hrandfield h -9223372036854775808
        hrandfield h -9223372036854775807 withvalues
        hrandfield h 9223372036854775808
        hset h b 2 c 3
        hrandfield h 3
        hrandfield h 10 withvalues
        hrandfield
    """,
    "scan": """
        hset h a 1 b 2 c 3 aa 4
        hscan h 0
        hscan h 0 match a*
        hscan h 0 match a* count 1
        hscan h 0 count 1
        hscan h 0 match *
        hscan h 0 match nosuch
        hscan h 0 novalues
        hscan h 0 novalues match a*
        hscan h 0 match a* novalues count 5
        hscan h 0 count 0
        hscan h 0 count -1
        hscan h 0 count x
        hscan h 0 match
        hscan h 0 count
        hscan h 0 type hash
        hscan h 0 foo
        hscan h x
        hscan h -1
        hscan h "1 "
        hscan h 5
        hscan nosuch 0
        hscan nosuch 0 foo
        hscan nosuch x
        hscan h
    """,
}

# Where Valkey 9.1 does not answer as Redis 7.2 does: script, line, Valkey's answer, and Redis's.
REDIS_ANSWERS = {
    ("scan", "hscan h -1", b"-ERR invalid cursor\r\n"): (
        b"*2\r\n$1\r\n0\r\n*8\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n"
        b"$1\r\nc\r\n$1\r\n3\r\n$2\r\naa\r\n$1\r\n4\r\n"
    ),
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_replies(durastore, valkey, name, SCRIPTS[name], protocol, REDIS_ANSWERS)
