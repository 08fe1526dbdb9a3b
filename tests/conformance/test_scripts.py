"""Scripts of commands, played to durastore and to a real server: every reply is the same, byte for byte.

A line is an inline request.  Lines with times use absolute ones far ahead, so that no clock matters.
"""

from __future__ import annotations

import pytest

from support.scripts import assert_same_replies
from support.servers import Server

SCRIPTS = {
    "set": """
        set a 1
        set a 2 nx
        set b 2 xx
        set a 3 xx get
        set a 4 nx get
        set c 4 nx get
        get c
        set a 5 pxat 33177117420000
        pexpiretime a
        set a 6 keepttl
        pexpiretime a
        set a 7
        pexpiretime a
        set a 8 exat 33177117420
        pexpiretime a
        set a 1 ex
        set a 1 ex 0
        set a 1 ex -1
        set a 1 ex abc
        set a 1 px 9223372036854775807
        set a 1 ex 9223372036854775
        set a 1 exat 9223372036854775807
        set a 1 ex 10 px 10
        set a 1 ex 10 keepttl
        set a 1 keepttl ex 10
        set a 1 nx xx
        set a 1 xx nx
        set a 1 nx nx
        set a 1 get get
        set a 1 foo
        set a
        set a 1 persist
        set a 1 eX 100 Nx
        get a
        set a 1 pxat 1
        get a
        set "" ""
        get ""
        set a "\\x00\\xff\\r\\n"
        get a
        strlen a
    """,
    "getters": """
        getset a 1
        getset a 2
        getdel a
        getdel a
        set a 1
        getex a
        getex a pxat 33177117420000
        pexpiretime a
        getex a persist
        pexpiretime a
        getex a ex 0
        getex a ex 10 persist
        getex a keepttl
        getex a nx
        getex a exat 1
        exists a
        getex nosuch ex 10
        mset a 1 b 2
        mset a 1 b
        mget a nosuch b
        msetnx a 1 c 2
        msetnx c 1 d 2
        msetnx c
        mget a b c d
        setnx a 2
        setnx e 2
        setex a 0 x
        setex a -5 x
        setex a abc x
        setex a 9223372036854775807 x
        psetex a 0 x
        psetex a 33177117420000 x
        get a
    """,
    "append and ranges": """
        append a hello
        append a " world"
        object encoding a
        get a
        getrange a 0 4
        getrange a -5 -1
        getrange a 5 2
        getrange a -2 -5
        getrange a 0 -100
        getrange a 100 200
        getrange a x 1
        getrange nosuch 0 1
        substr a 1 2
        setrange a 6 durable
        setrange a 20 x
        get a
        setrange b 3 x
        get b
        setrange nosuch 5 ""
        exists nosuch
        setrange a -1 x
        setrange a 536870912 x
        setrange a 9223372036854775807 x
        setrange a abc x
        append n 12
        object encoding n
        incr n
        object encoding n
        append n 4
        get n
        strlen nosuch
    """,
    "counters": """
        incr a
        incrby a 41
        decr a
        decrby a 10
        incrby a abc
        incrby a 9223372036854775807
        set b 9223372036854775807
        incr b
        decrby b -1
        set c -9223372036854775808
        decr c
        decrby c -9223372036854775808
        decrby a -9223372036854775808
        set d abc
        incr d
        set d " 1"
        incr d
        set d 01
        incr d
        set d +1
        incr d
        set d -0
        incr d
        set d ""
        incr d
        incrbyfloat f 3.0
        incrbyfloat f 1.1
        incrbyfloat f -1e2
        incrbyfloat f 5.0e3
        incrbyfloat f abc
        incrbyfloat f nan
        incrbyfloat f inf
        incrbyfloat f -inf
        incrbyfloat f 0x10
        incrbyfloat f 1e4000
        incrbyfloat f 0.000000000000000001
        incrbyfloat g 1e-10
        incrbyfloat g 123456789.123456789
        incrbyfloat h 1000000000000000000000
        incrbyfloat d 1
        set x 3
        incrbyfloat x 0.1
        incrbyfloat x 0.2
        incrbyfloat x " 1"
    """,
    "lcs": """
        mset a ohmytext b mynewtext
        lcs a b
        lcs a b len
        lcs a b idx
        lcs a b idx minmatchlen 4
        lcs a b idx minmatchlen 4 withmatchlen
        lcs a b idx len
        lcs a b minmatchlen
        lcs a b minmatchlen x
        lcs a b foo
        lcs a nosuch
        lcs nosuch nosuch2 idx
        mset a ABCDEFGHIJKLABC b XXABCYYDEFZZABC
        lcs a b idx withmatchlen
        lcs a b
    """,
    "keys": """
        mset a 1 b 2 c 3
        del a a nosuch
        unlink b nosuch
        exists a c c
        touch c c nosuch
        type c
        type nosuch
        rename nosuch x
        rename c c
        renamenx c c
        rename c d
        renamenx d e
        set f 1
        renamenx e f
        copy e g
        copy e g
        copy e g replace
        copy e e
        copy e e db 1
        copy e h db 16
        copy e h db -1
        copy e h db x
        copy e h foo
        copy nosuch h
        move e 1
        move e 0
        move f 0
        move f 16
        move f x
        move f 2147483648
        move f 9223372036854775808
        copy e h db 2147483648
        swapdb 0 2147483648
        swapdb -2147483649 0
        select 2147483648
        select -2147483649
        move nosuch 1
        swapdb 0 1
        keys *
        swapdb 0 16
        swapdb x 1
        swapdb 0 x
        swapdb 0 0
        select 1
        keys g
        select 16
        select x
        select -1
        select 0
        dbsize
        randomkey
        flushdb async
        randomkey
        flushdb foo
        flushall sync
        flushall sync foo
        flushall foo
        keys
    """,
    "globs": """
        mset hello 1 hallo 2 hxllo 3 hllo 4 "h*llo" 5 "[x]" 6
        keys h\\?
        keys "h\\\\*llo"
        keys "\\\\[x]"
        keys hello*
        keys h[^e]llo*z
    """,
    "scan": """
        scan -1
        scan 18446744073709551615
        mset a 1 b 2
        scan 0 match a
        scan 0 count 100 type string match b
        scan 0 type list
        scan x
        scan -
        scan "" match a
        scan +0 match a
        scan " 0" match a
        scan "0 " match a
        scan 18446744073709551616
        scan -18446744073709551616
        scan 0 count 0
        scan 0 count x
        scan 0 count
        scan 0 foo bar
        scan 99999999999999999999999
    """,
    "expire": """
        set a 1
        expire a x
        expire a 9223372036854775807
        expire a -9223372036854775808
        pexpire a 9223372036854775807
        expireat a 9223372036854775807
        pexpireat a 33177117420000
        pexpiretime a
        expiretime a
        pexpireat a 33177117420001 nx
        pexpireat a 33177117420001 gt
        pexpireat a 33177117420000 gt
        pexpireat a 33177117420000 lt
        pexpireat a 33177117420002 xx
        pexpiretime a
        persist a
        persist a
        persist nosuch
        pexpireat a 33177117420000 xx
        pexpireat a 33177117420000 gt
        pexpireat a 33177117420000 lt
        pexpireat a 33177117420000 nx xx
        pexpireat a 33177117420000 gt lt
        pexpireat a 33177117420000 nx gt
        pexpireat a 33177117420000 xx gt
        pexpireat a 33177117420000 foo
        expire nosuch 10
        expire a 10 nosuch
        ttl nosuch
        pttl nosuch
        expiretime nosuch
        set b 1
        ttl b
        pttl b
        expiretime b
        expire b -1
        exists b
        set b 1
        expireat b 0
        exists b
    """,
    "object": """
        set a 1
        set b hello
        set c aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        object encoding a
        object encoding b
        object encoding c
        object encoding nosuch
        object refcount b
        object freq b
        object idletime b
        object foo b
        object encoding
        object help
        set d 9223372036854775808
        object encoding d
        set d 12345678901234567890
        object encoding d
    """,
    "transactions": """
        multi
        set a 1
        incr a
        get a
        exec
        exec
        discard
        multi
        discard
        multi
        nosuch
        set b 1
        exec
        get b
        multi
        set a
        exec
        multi
        incr c
        set a x
        incr a
        exec
        watch a
        set a 5
        multi
        set a 6
        exec
        get a
        watch a
        unwatch
        set a 7
        multi
        get a
        exec
        watch
        multi extra
        multi
        exec extra
        exec
        multi
        exec
        multi
        flushall
        dbsize
        select 1
        set z 1
        exec
        keys *
    """,
    "nested": """
        multi
        set a 1
        multi
        watch a
        save
        get a
        exec
        get a
    """,
    "connection": """
        ping
        ping hello
        ping a b
        echo x
        echo
        select 1
        reset
        client getname
        client setname foo
        client getname
        client setname "a b"
        client setinfo lib-name redis-py
        client setinfo lib-ver 1.2.3
        client setinfo lib-name "a b"
        client setinfo foo bar
        client setname ""
        client getname
        client foo
        client
        client no-evict on
        client no-evict foo
        client no-touch on
        client no-touch off
        client reply foo
        client reply on
        client pause x
        client pause -1
        client pause 1 foo
        client unpause
        client kill 1.2.3.4:5
        client kill id 0
        client kill id x
        client kill type foo
        client kill skipme foo
        client kill id 123456789
        client kill addr
        client list type foo
        client list id x
        client list foo
        client list type replica
        auth foo
        auth default foo
        auth a b c
        hello 4
        hello x
        hello 3 foo
        hello 2 setname "a b"
        hello 2 auth nosuch x
        hello 2 auth default
        nosuch
        nosuch a b c
        get
        command count x
        command foo
        command getkeys get a
        command getkeys mset a 1 b 2
        command getkeys ping
        command getkeys get
        command getkeys nosuch
        command getkeysandflags rename a b
        command getkeysandflags copy a b
        command info nosuch
        config get nosuch
        config get
        config set nosuch 1
        config set maxclients
        config set maxclients 10 maxclients 20
        config set databases 10
        config set hz abc
        config set appendfsync foo
        config foo
        config resetstat x
        time x
        lastsave x
        bgsave foo
        shutdown foo
        shutdown save nosave
        shutdown abort
        memory usage nosuch
        memory usage a samples -1
        memory usage a samples x
        memory usage a foo
        memory foo
        memory
        debug set-active-expire 1
        debug nosuch
        dump nosuch
        restore a x y
        restore a -1 y
        restore a 0 y
        restore a 0 y idletime -1
        restore a 0 y freq 256
        restore a 0 y foo
        quit
    """,
}

# Where Valkey 9.1 does not answer as Redis 7 does: script, line, Valkey's answer, and Redis's.
REDIS_ANSWERS = {
    ("scan", 'scan "" match a', b"-ERR invalid cursor\r\n"): b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n",
    ("scan", 'scan " 0" match a', b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"): b"-ERR invalid cursor\r\n",
    ("scan", "scan -1", b"-ERR invalid cursor\r\n"): b"*2\r\n$1\r\n0\r\n*0\r\n",
    ("object", "object encoding c", b"$6\r\nembstr\r\n"): b"$3\r\nraw\r\n",
    (
        "nested",
        "multi",
        b"-ERR Command 'multi' not allowed inside a transaction\r\n",
    ): b"-ERR MULTI calls can not be nested\r\n",
    (
        "nested",
        "watch a",
        b"-ERR Command 'watch' not allowed inside a transaction\r\n",
    ): b"-ERR WATCH inside MULTI is not allowed\r\n",
    (
        "nested",
        "save",
        b"-ERR Command 'save' not allowed inside a transaction\r\n",
    ): b"-ERR Command not allowed inside a transaction\r\n",
    ("connection", "client kill id x", b"-ERR syntax error\r\n"): b"-ERR client-id should be greater than 0\r\n",
    ("connection", "client list id x", b"-ERR syntax error\r\n"): b"-ERR Invalid client ID\r\n",
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_replies(durastore, valkey, name, SCRIPTS[name], protocol, REDIS_ANSWERS)
