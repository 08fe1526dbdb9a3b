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
    "field expiry": """
        hset h a 1 b 2 c 3
        hexpireat h 33177117420 fields 2 a nosuch
        hexpiretime h fields 3 a b nosuch
        hpexpiretime h fields 1 a
        hpexpireat h 33177117420123 fields 1 b
        hpexpiretime h fields 1 b
        hpexpireat h 33177117420000 nx fields 3 a b c
        hpexpireat h 33177117420001 xx fields 2 a b
        hpexpireat h 33177117420000 gt fields 2 a b
        hpexpireat h 33177117420002 gt fields 2 a b
        hpexpireat h 33177117420003 lt fields 2 a b
        hpexpireat h 33177117420001 lt fields 2 a b
        hpexpireat h 33177117420001 LT fields 2 a b
        hpersist h fields 3 a c nosuch
        hpexpireat h 33177117420001 gt fields 1 a
        hpexpireat h 33177117420001 xx fields 1 a
        hpexpireat h 33177117420001 lt fields 1 a
        hpexpireat nosuch 33177117420001 fields 2 a b
        hpersist nosuch fields 2 a b
        httl nosuch fields 2 a b
        hpttl nosuch fields 1 a
        httl h fields 1 c
        hpttl h fields 2 c nosuch
        hexpire h 10 fields 1
        hexpire h x fields 1 a
        hexpire h 9223372036854775807 fields 1 a
        hexpire h 9223372036854775808 fields 1 a
        hpexpireat h 70368744177663 fields 1 a
        hexpire h 10
        hexpire h
        httl h fields 1
        hset h a 10
        hpexpiretime h fields 1 a
        hset h d 4
        hexpireat h 1 fields 2 d nosuch
        hexists h d
        hset x a 1
        hexpireat x 1 fields 1 a
        exists x
        hset x a 1
        hexpire x 0 fields 1 a
        exists x
        hset x a 1 b 2
        hpexpireat x 1 fields 2 a a
        hkeys x
        hincrby h b 5
        hpexpiretime h fields 1 b
        hincrbyfloat h b 0.5
        hpexpiretime h fields 1 b
        hsetnx h b 1
        hpexpiretime h fields 1 b
        hset h b 1
        hpexpiretime h fields 1 b
        copy h h2
        hpexpireat h2 33177117420000 fields 1 a
        hpexpiretime h2 fields 1 a
        hpexpiretime h fields 1 a
        rename h2 h3
        hpexpiretime h3 fields 1 a
        hgetdel h fields 2 a nosuch
        hexists h a
        hgetdel nosuch fields 1 a
        hgetdel h fields 1
        hgetdel h fields 2 b b
        hgetdel h fields 1 c
        exists h
        hset h a 1 b 2
        hgetex h fields 2 a nosuch
        hgetex h exat 33177117420 fields 2 a nosuch
        hpexpiretime h fields 2 a b
        hgetex h pxat 33177117420123 fields 1 b
        hpexpiretime h fields 2 a b
        hgetex h persist fields 2 a nosuch
        hpexpiretime h fields 2 a b
        hgetex h pxat 1 fields 1 a
        hexists h a
        hgetex nosuch fields 1 a
        hgetex nosuch ex 10 fields 2 a b
        hgetex h ex x fields 1 a
        hgetex h ex 0 fields 1 nosuch
        hgetex h exat 1 fields 1 b
        exists h
        hsetex h fields 1 a 1
        hgetall h
        hsetex h fields 2 a 2 b 3
        hsetex h exat 33177117420 fields 1 a 5
        hpexpiretime h fields 2 a b
        hsetex h keepttl fields 1 a 6
        hpexpiretime h fields 1 a
        hsetex h fields 1 a 7
        hpexpiretime h fields 1 a
        hsetex h fnx fields 1 a 8
        hsetex h fnx fields 1 c 8
        hsetex h fnx fields 2 c 9 d 9
        hsetex h fxx fields 1 a 10
        hsetex h fxx fields 2 a 11 nosuch 11
        hsetex h fxx pxat 33177117420123 fields 1 a 12
        hget h a
        hpexpiretime h fields 1 a
        hsetex nosuch fxx fields 1 a 1
        exists nosuch
        hsetex h pxat 1 fields 1 a 1
        hexists h a
        hsetex new pxat 1 fields 1 a 1
        exists new
        hsetex h ex x fields 1 a 1
        hsetex h fields 1 a
        hsetex h ex
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


ONE_EXPIRY = b"-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified\r\n"

# What Redis 7.4 and 8.0 answer where Valkey 9.1, which the scripts are played to, has words of its own.
REDIS_8_ANSWERS = {
    "hexpiretime h fields 1 b": b"*1\r\n:33177117421\r\n",
    "hexpire h 10 fields 0 a": b"-ERR Parameter `numFields` should be greater than 0\r\n",
    "hexpire h 10 fields -1 a": b"-ERR Parameter `numFields` should be greater than 0\r\n",
    "hexpire h 10 fields x a": b"-ERR Parameter `numFields` should be greater than 0\r\n",
    "hexpire h 10 fields 2 a": b"-ERR The `numfields` parameter must match the number of arguments\r\n",
    "hexpire h 10 fields 1 a b": b"-ERR The `numfields` parameter must match the number of arguments\r\n",
    "hexpire h 10 fieldz 1 a": b"-ERR Mandatory argument FIELDS is missing or not at the right position\r\n",
    "hexpire h 10 nx fieldz 1 a": b"-ERR Mandatory argument FIELDS is missing or not at the right position\r\n",
    "hexpire h 10 nx xx fields 1 a": b"-ERR Mandatory argument FIELDS is missing or not at the right position\r\n",
    "hexpire h -1 fields 1 a": b"-ERR invalid expire time, must be >= 0\r\n",
    "hpexpireat h 70368744177664 fields 1 a": b"-ERR invalid expire time in 'hpexpireat' command\r\n",
    "httl h fields 0 a": b"-ERR Number of fields must be a positive integer\r\n",
    "httl h fields x a": b"-ERR Number of fields must be a positive integer\r\n",
    "httl h fields 2 a": b"-ERR The `numfields` parameter must match the number of arguments\r\n",
    "httl h foo 1 a": b"-ERR Mandatory argument FIELDS is missing or not at the right position\r\n",
    "hpersist h fields 0 a": b"-ERR Number of fields must be a positive integer\r\n",
    "hpersist h fields 2 a": b"-ERR The `numfields` parameter must match the number of arguments\r\n",
    "hpersist h foo 1 a": b"-ERR Mandatory argument FIELDS is missing or not at the right position\r\n",
    "hgetdel h fields 0 a": b"-ERR Number of fields must be a positive integer\r\n",
    "hgetdel h fields 2 a": b"-ERR The `numfields` parameter must match the number of arguments\r\n",
    "hgetdel h foo 1 a": b"-ERR Mandatory argument FIELDS is missing or not at the right position\r\n",
    "hgetex h ex 10 px 10 fields 1 a": b"-ERR Mandatory argument FIELDS is missing or not at the right position\r\n",
    "hgetex h ex -1 fields 1 a": b"-ERR invalid expire time, must be >= 0\r\n",
    "hgetex h foo fields 1 a": b"-ERR Mandatory argument FIELDS is missing or not at the right position\r\n",
    "hgetex h ex 10 fields": b"-ERR Number of fields must be a positive integer\r\n",
    "hgetex h ex 10 fields 1": b"-ERR The `numfields` parameter must match the number of arguments\r\n",
    "hgetex h fields 0 a": b"-ERR Number of fields must be a positive integer\r\n",
    "hgetex h fields 2 a": b"-ERR The `numfields` parameter must match the number of arguments\r\n",
    "hsetex h ex 10 px 10 fields 1 a 1": ONE_EXPIRY,
    "hsetex h ex 10 keepttl fields 1 a 1": ONE_EXPIRY,
    "hsetex h fnx fxx fields 1 a 1": b"-ERR Only one of FXX or FNX arguments can be specified\r\n",
    "hsetex h ex -1 fields 1 a 1": b"-ERR invalid expire time, must be >= 0\r\n",
    "hsetex h foo fields 1 a 1": b"-ERR unknown argument: foo\r\n",
    "hsetex h fields 0 a 1": b"-ERR invalid number of fields\r\n",
    "hsetex h fields 2 a 1": b"-ERR wrong number of arguments for 'hsetex' command\r\n",
    "hsetex h fields 1 a 1 b": b"-ERR wrong number of arguments for 'hsetex' command\r\n",
    "hsetex h fields x a 1": b"-ERR invalid number of fields\r\n",
}


def test_complaints_about_field_expiry_are_those_of_redis(durastore: Server) -> None:
    with durastore.connect() as connection:
        connection.call("HSET", "h", "a", "1", "b", "2")
        connection.call("HPEXPIREAT", "h", "33177117420123", "FIELDS", "1", "b")
        assert {line: connection.call(*line.split()) for line in REDIS_8_ANSWERS} == REDIS_8_ANSWERS


def test_a_small_hash_with_expiring_fields_is_a_listpack_in_their_order(durastore: Server) -> None:
    """As in Redis 7.4; Valkey turns such a hash into a hashtable."""
    with durastore.connect() as connection:
        connection.call("HSET", "h", "a", "1", "b", "2", "c", "3")
        connection.call("HPEXPIREAT", "h", "33177117420002", "FIELDS", "1", "b")
        connection.call("HPEXPIREAT", "h", "33177117420001", "FIELDS", "1", "c")
        assert connection.value("OBJECT", "ENCODING", "h") == b"listpackex"
        assert connection.value("HKEYS", "h") == [b"c", b"b", b"a"]
        assert connection.value("DEBUG", "LISTPACK", "h") == "Listpack structure printed on stdout"
