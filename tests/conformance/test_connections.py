"""Commands about connections and the server, played to durastore and to a real server; see test_scripts.py."""

from __future__ import annotations

import pytest

from support.scripts import assert_same_replies
from support.servers import Server

SCRIPTS = {
    "client": """
        client kill addr 1.2.3.4:5
        client kill laddr 1.2.3.4:5
        client kill user nosuch
        client kill user default id 99999
        client kill id -1
        client kill id abc
        client kill id 1 2
        client kill id
        client kill type normal addr 1:1
        client kill type nosuch
        client kill type master
        client kill type slave
        client kill type replica
        client kill type pubsub
        client kill skipme
        client kill skipme yes id 99999
        client kill skipme nosuch
        client kill foo bar
        client kill foo
        client kill
        client list id 99999
        client list id
        client list id x 1
        client list type normal x
        client list type
        client list type nosuch
        client list x
        client list type master
        client no-evict
        client no-evict on
        client no-evict OFF
        client no-evict x
        client no-touch on
        client no-touch x
        client no-touch off
        client pause
        client pause 0
        client pause 0 write
        client pause 0 all
        client pause 0 x
        client pause -1
        client pause x
        client unpause
        client pause 1.5
        client unpause x
        client reply
        client reply x
        client reply on
        client reply on x
        client setinfo
        client setinfo lib-name
        client setinfo lib-name a b
        client setinfo lib-name "a b"
        client setinfo lib-ver ""
        client setinfo LIB-NAME ""
        client setinfo nosuch x
        client setname "a\\nb"
        client setname ""
        client setname "\\xff"
        client setname abc
        client getname
        client getname x
        client unblock
        client unblock x
        client unblock 99999
        client unblock 99999 x
        client unblock 99999 error
        client unblock 99999 timeout
        client trackinginfo
        client getredir
        client caching yes
        client caching x
        client tracking
        client tracking x
        client tracking on x
        client tracking off
        client nosuch
    """,
    "connection": """
        auth
        auth x
        auth default x
        auth x y
        auth a b c
        reset x
        reset
        select
        select 0 1
        select ""
        select 15
        select 16
        echo
        echo a b
        ping a b
        ping ""
        ping a
        ping
    """,
    "object": """
        object
        object nosuch
        object freq nosuch
        object idletime nosuch
        object encoding
        object encoding a b
        object refcount nosuch
    """,
    "memory": """
        memory
        memory nosuch
        memory usage
        memory usage a samples
        memory usage a samples x
        memory usage a samples -1
        memory usage nosuch samples 0
        memory usage nosuch nosuch
        memory purge
    """,
    "debug": """
        debug
        debug nosuch
        debug sleep
        debug sleep x
        debug sleep 0
        debug set-active-expire x
        debug set-active-expire
        debug set-active-expire 1
        debug object
        debug object nosuch
        debug digest-value
        debug digest-value nosuch
        debug digest x
        debug error "ERR foo"
        debug error foo
        debug error
        debug quicklist-packed-threshold 100
        debug quicklist-packed-threshold 0
        debug protocol string
        debug protocol integer
        debug protocol double
        debug protocol null
        debug protocol array
        debug protocol set
        debug protocol map
        debug protocol attrib
        debug protocol verbatim
        debug protocol true
        debug protocol false
        debug protocol bignum
        debug protocol nosuch
        debug protocol
        debug populate 3 key 5
        debug populate
        debug populate x
        get key:0
        debug listpack nosuch
        debug quicklist-packed-threshold 4294967295
        debug quicklist-packed-threshold 4294967296
        debug quicklist-packed-threshold 4gb
        debug sdslen
        debug sdslen nosuch
        set n 12
        debug sdslen n
        rpush l a
        debug sdslen l
        debug clusterlink kill to x
        debug clusterlink kill
        debug pause-cron
        debug pause-cron 0
        debug leak
        debug leak x
    """,
    "server": """
        lastsave x
        save x
        bgsave x
        bgsave schedule x
        bgrewriteaof x
        dbsize x
        flushall x
        flushall sync
        flushdb sync async
        swapdb
        swapdb 0
        swapdb 0 1 2
        info x y
    """,
    "shutdown": """
        shutdown x
        shutdown save nosave
        shutdown nosave save
        shutdown now abort
        shutdown abort now
        shutdown abort
        shutdown abort abort
        shutdown now force x
        shutdown save nosave now
        shutdown force abort
    """,
    "hello errors": """
        hello 2 auth
        hello 2 auth a
        hello 2 auth a b
        hello 3 x
        hello 2 setname
        hello 2 setname "a b"
        hello 2 setname x auth a b
        client getname
        hello 1
        hello 4
        hello x
        hello ""
        hello 3.0
        hello 99999999999999999999
        hello -1
    """,
}

REDIS_ANSWERS = {
    ("client", "client kill id abc", b"-ERR syntax error\r\n"): b"-ERR client-id should be greater than 0\r\n",
    ("client", "client kill id 1 2", b":0\r\n"): b"-ERR syntax error\r\n",
    ("client", "client list id x 1", b"-ERR syntax error\r\n"): b"-ERR Invalid client ID\r\n",
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_replies(durastore, valkey, name, SCRIPTS[name], protocol, REDIS_ANSWERS)
