"""SORT and SORT_RO, played to durastore and to a real server."""

from __future__ import annotations

import random

import pytest

from support.scripts import assert_same_replies
from support.servers import Server

SCRIPTS = {
    "lists": """
        rpush l 3 10 1 2 -5 2.5 0
        sort l
        sort l asc
        sort l desc
        sort l ASC DESC
        sort l desc asc
        sort l alpha
        sort l alpha desc
        sort l limit 0 2
        sort l limit 2 3
        sort l limit 5 100
        sort l limit 7 1
        sort l limit 100 1
        sort l limit -3 2
        sort l limit 2 -1
        sort l limit 2 -7
        sort l limit 0 0
        sort l desc limit 1 2
        sort l limit 0 2 limit 1 1
        sort_ro l desc limit 1 2
        sort nosuch
        sort_ro nosuch
        sort nosuch by x limit 1 2 desc
        rpush w b a B "" c "\\xff" aa
        sort w
        sort w alpha
        sort w alpha desc
        sort w alpha limit 2 2
        sort w by nosort
        object encoding l
    """,
    "numbers": """
        rpush l 1 1e1 inf -inf .5 5. -0 0 00 007 -1.5e-3
        sort l
        sort l desc
        rpush m " 2" 0x10 1 +3
        sort m
        rpush n nan
        sort n
        rpush t "1 "
        sort t
        rpush x 1x
        sort x
        rpush e "" 1 -1
        sort e
        rpush s " "
        sort s
        rpush z "1\\x00x" 0
        sort z
        rpush i infinity -INFINITY Inf 9223372036854775807 9223372036854775806 -9223372036854775808
        sort i
        sort x by nosort
        sort x alpha
        sort x store d
        exists d
        rpush o 1e400
        sort o
        rpush u 1e-400
        sort u
    """,
    "by": """
        rpush l a b c d
        mset w:a 3 w:b 1 w:c 2
        sort l by w:*
        sort l by w:* desc
        sort l by w:* alpha
        sort l by w:* alpha desc
        sort l by w:* limit 1 2
        sort l by w:* desc limit 0 1
        sort l by nosuch:*
        sort l by nosuch:* desc
        sort l by nosuch:* alpha
        sort l by nosuch:* alpha desc
        sort l by nosort
        sort l by nosort desc
        sort l by nosort limit 1 2
        sort l by nosort desc limit 1 2
        sort l by nosort desc limit 3 10
        sort l by nosort limit 10 1
        sort l by "#"
        sort l by "" desc
        sort l by w:* by nosort
        sort l by nosort by w:*
        set w:d x
        sort l by w:*
        sort l by w:* alpha
        mset v:a "" v:b 1
        sort l by v:*
        lpush w:a 1
        del w:d
        rpush w:d 1
        sort l by w:*
        hset h:a f 1 g z
        hset h:b f 0 g y
        hset h:c f -1 g x
        sort l by h:*->f
        sort l by h:*->g alpha
        sort l by h:*->nosuch
        sort l by h:*
        sort l by w:*->f
        sort l by h:*->
        rpush m a b a b
        sort m by w:*
        sort m by w:* desc
        sort m by nosuch:*
        mset s:a 1 s:b 1 s:c 1
        sort l by s:*
        sort l by s:* desc
    """,
    "get": """
        rpush l 2 1 3
        mset o:1 one o:2 two o:->x arrow p:1:q suffix
        hset h:1 f field1 a->b arrow
        hset h:2 f field2
        sort l get o:*
        sort l get "#" get o:*
        sort l get o:* get h:*->f get "#"
        sort l get p:*:q
        sort l get o:*->x
        sort l get h:*->f
        sort l get h:*->a->b
        sort l get h:*->
        sort l get h:*
        sort l get nosort
        sort l get ""
        sort l get "*"
        sort l get "##"
        sort l by nosort get o:*
        sort l by h:*->f get o:* alpha desc
        sort l limit 1 1 get o:*
        sort_ro l get "#" get o:*
        sort l get
        sort l by
        sort l store
        sort l limit 1
        sort l limit a 1
        sort l limit 1 a
        sort l limit 9223372036854775807 9223372036854775807
        sort l limit -9223372036854775808 -9223372036854775808
        sort l foo
        sort_ro l store d
        sort_ro l foo
        sort
        set s 1
        sort s
        sort s foo
        sort_ro s
        hset hash f v
        sort hash
    """,
    "store": """
        rpush l 3 1 2
        sort l store d
        lrange d 0 -1
        object encoding d
        sort l desc limit 0 2 store d
        lrange d 0 -1
        mset o:1 one o:2 two
        sort l get "#" get o:* store d
        lrange d 0 -1
        sort l store l
        lrange l 0 -1
        pexpireat d 33177117420000
        sort l limit 5 1 store d
        exists d
        sort nosuch store d
        set d x
        sort nosuch store d
        exists d
        set d x
        sort l store d
        type d
        ttl d
        pexpireat d 33177117420000
        sort l store d
        ttl d
        sort l store a store b
        exists a
        lrange b 0 -1
        sort l by nosort desc store d
        lrange d 0 -1
        watch d
        sort l store d
        multi
        get x
        exec
        watch q
        sort nosuch store q
        multi
        get x
        exec
    """,
    "sets": """
        sadd i 3 10 1 2
        sort i
        sort i desc limit 1 2
        sort i alpha
        sort i by nosort
        sort i by nosort store d
        lrange d 0 -1
        sadd w banana apple cherry
        sort w alpha
        sort w alpha desc
        sort w
        sort w by nosort store d
        lrange d 0 -1
        sort w by nosort desc store d
        lrange d 0 -1
        sort w by nosort limit 1 1 store d
        lrange d 0 -1
        mset w:apple 2 w:banana 1 w:cherry 3
        sort w by w:*
        sort w by w:* get w:* desc
        sort w by nosuch:*
    """,
    "ties": """
        sadd s e d c b a
        sort s by w:* alpha
        sort s by w:* alpha desc
        sort s by w:* alpha limit 1 2
        sort s by w:* alpha store d
        lrange d 0 -1
        sort s by w:* alpha desc limit 1 3 store d
        lrange d 0 -1
        eval "return redis.call('sort', 's', 'by', 'w:*', 'alpha')" 0
        sort s by w:*
        mset w:c x w:a x
        sort s by w:* alpha
        sort s by w:* alpha get #
        sort s by w:* alpha limit 0 4
        srem s c
        sadd s c
        sort s by w:* alpha
        sort s by w:* alpha store d
        lrange d 0 -1
        sort s by nosort
        sort s by nosort desc
        sort s by nosort alpha limit 1 3
        eval "return redis.call('sort', 's', 'by', 'nosort')" 0
        eval "return redis.call('sort', 's', 'by', 'nosort', 'desc', 'limit', 1, 2)" 0
        eval_ro "return redis.call('sort_ro', 's', 'by', 'nosort')" 0
        sadd i 5 3 1 10 2
        sort i by w:* alpha
        sort i by w:* alpha desc store d
        lrange d 0 -1
        eval "return redis.call('sort', 'i', 'by', 'nosort')" 0
        rpush l 0 1 2 3 4 5 6 7 8 9
        sort l by w:* alpha limit 2 6
        sort l by w:* alpha desc limit 0 9
        sort l by w:* alpha limit 0 10
        mset w:0 b w:1 a w:2 b w:3 a w:4 b w:5 a w:6 b w:7 a w:8 b
        sort l by w:* alpha limit 0 1
        sort l by w:* alpha limit 1 9
        sort l by w:* alpha desc limit 3 2
        sort l by w:* alpha desc limit 3 2 get # get w:* store d
        lrange d 0 -1
        sort l by w:* alpha limit 10 1
        sort l by w:* alpha limit 3 0
    """,
    "zeros": """
        rpush l "a\\x00c" "a\\x00b" a b
        sort l alpha
        sort l alpha desc
        sort l alpha limit 1 2
        sort l alpha store d
        lrange d 0 -1
        sort l alpha desc store d
        lrange d 0 -1
        rpush k 1 2 3
        mset w:1 "a\\x00c" w:2 "a\\x00b" w:3 a
        sort k by w:* alpha
        sort k by w:* alpha desc
        sort k by w:* alpha store d
        lrange d 0 -1
    """,
    "sorted sets": """
        zadd z 1 e 2 d 3 c 4 b 5 a
        sort z
        sort z alpha
        sort z alpha desc
        sort z by nosort
        sort z by nosort desc
        sort z by nosort limit 1 2
        sort z by nosort desc limit 1 2
        sort z by nosort limit 4 10
        sort z by nosort desc limit 4 10
        sort z by nosort limit 5 10
        sort z by nosort limit 0 0
        sort z by nosort store d
        lrange d 0 -1
        sort z by nosort desc limit 0 3 get "#" store d
        lrange d 0 -1
        mset w:a 2 w:b 1 w:c 3
        sort z by w:*
        sort z by w:* limit 1 2
        zadd n 1 30 2 20 3 10
        sort n
        sort n desc
        sort n limit 0 1
    """,
}

# Where Valkey 9.1 does not answer as Redis 7.2 does: script, line, Valkey's answer, and Redis's.
_NO_DOUBLE = b"-ERR One or more scores can't be converted into double\r\n"
REDIS_ANSWERS = {
    # Redis reads numbers with strtod.
    ("numbers", "sort m", _NO_DOUBLE): b"*4\r\n$1\r\n1\r\n$2\r\n 2\r\n$2\r\n+3\r\n$4\r\n0x10\r\n",
    ("numbers", "sort e", _NO_DOUBLE): b"*3\r\n$2\r\n-1\r\n$0\r\n\r\n$1\r\n1\r\n",
    ("by", "sort l by v:*", _NO_DOUBLE): b"*4\r\n$1\r\na\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\nb\r\n",
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_replies(durastore, valkey, name, SCRIPTS[name], protocol, REDIS_ANSWERS)


@pytest.mark.parametrize("elements", [6, 7, 40, 41, 300])
def test_equal_weights_leave_the_elements_in_the_same_order(durastore: Server, valkey: Server, elements: int) -> None:
    """With LIMIT, it is the order in which Redis's sort of a part happens to leave them."""
    chance = random.Random(elements)
    names = [b"%d" % number for number in range(elements)]
    connections = (durastore.connect(), valkey.connect())
    for kinds in (2, 3, 10, elements):
        weights = ["MSET", *(word for name in names for word in (b"w" + name, chance.randrange(kinds)))]
        orders = [["ASC"], ["DESC"], *(["DESC", "LIMIT", chance.randrange(elements), 9] for _ in range(9))]
        for connection in connections:
            connection.call("DEL", "l")
            connection.call("RPUSH", "l", *names)
            connection.call(*weights)
        for order in orders:
            ours, theirs = (each.value("SORT", "l", "BY", "w*", "ALPHA", *order) for each in connections)
            assert ours == theirs, (kinds, order)
