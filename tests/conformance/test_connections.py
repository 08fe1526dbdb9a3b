"""Connections: CLIENT, HELLO, AUTH, RESET and their like, the protocol's errors, and who waits, watches or is cut."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from support.resp import Connection, request
from support.scenes import assert_same_scenes
from support.scripts import assert_same_replies
from support.servers import Server

Starter = Callable[..., Server]

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


# What is sent, with an ECHO behind it; the replies up to that of the ECHO, or to the end, are the real server's.
RAW = [
    b"PING\r\n",
    b"PING\n",
    b"\r\n\r\nPING\r\n",
    b"  PING  \r\n",
    b"*0\r\nPING\r\n",
    b"*-1\r\nPING\r\n",
    b"*-10\r\nPING\r\n",
    b"*x\r\n",
    b"*1x\r\n$4\r\nPING\r\n",
    b"*1048577\r\n",
    b"*1048576\r\n",
    b"*2147483648\r\n",
    b"*99999999999999999999\r\n",
    b"*\r\n",
    b"*1\r\nPING\r\n",
    b"*1\r\n+PING\r\n",
    b"*1\r\n\r\n",
    b"*1\r\n:1\r\n",
    b"*1\r\n$x\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$99999999999999999999\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*01\r\n$4\r\nPING\r\n",
    b"*+1\r\n$4\r\nPING\r\n",
    b"* 1\r\n$4\r\nPING\r\n",
    b"*1\n$4\nPING\n",
    b'SET "a b" "c\\x41\\n"\r\nGET "a b"\r\n',
    b'SET a "b\r\n',
    b"SET a 'b\r\n",
    b"ECHO 'it\\'s'\r\n",
    b'ECHO "a\\qb"\r\n',
    b'ECHO "\\xzz"\r\n',
    b"ECHO a\\nb\r\n",
    b'ECHO ""\r\n',
    b"ECHO ''\r\n",
    b'"PING"\r\n',
    b'ECHO a"b"\r\n',
    b'ECHO "a" "b"\r\n',
    b"PING " + b"A" * 65530 + b"\r\n",
    b"*" + b"1" * 65537,
    b"*1\r\n$" + b"1" * 65537,
    b"*1\r\n$" + b"1" * 100 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"host: x\r\nPING\r\n",
    b"HOST: x\r\n",
    b"post x\r\n",
    b"POST\r\n",
    b"Host:\r\n",
    b"*1\r\n$4\r\nquit\r\n*1\r\n$4\r\nPING\r\n",
    b"QUIT\r\n",
    b"*2\r\n$4\r\nquit\r\n$1\r\nx\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$-5\r\n",
    b"PING\r\n*x\r\nPING\r\n",
    b"*1\r\n$0\r\n\r\n",
    b"*2\r\n$0\r\n\r\n$1\r\na\r\n",
    b"*2\r\n$3\r\nfoo\r\n$3\r\n\r\nx\r\n",
    b"*2\r\n$130\r\n" + b"f" * 130 + b"\r\n$130\r\n" + b"g" * 130 + b"\r\n",
    b"*3\r\n$3\r\nfoo\r\n$100\r\n" + b"f" * 100 + b"\r\n$130\r\n" + b"g" * 130 + b"\r\n",
    b"fo\x01o a\r\n",
    b"*2\r\n$6\r\nclient\r\n$3\r\nf\ro\r\n",
    b"*2\r\n$6\r\nclient\r\n$200\r\n" + b"f" * 200 + b"\r\n",
    b"$4\r\nPING\r\n",
    b"+PING\r\n",
    b":1\r\n",
    b"!3\r\nabc\r\n",
    b"%1\r\n$1\r\na\r\n$1\r\nb\r\n",
    b"~1\r\n",
    b"multi\r\nfoo\r\nexec\r\n",
    b"client reply off\r\nPING\r\nclient reply on\r\nPING\r\n",
    b"client reply skip\r\nPING\r\nPING\r\n",
    b"client reply off\r\nclient reply skip\r\nPING\r\nclient reply on\r\n",
    b"client reply skip\r\nclient reply skip\r\nPING\r\nPING\r\n",
    b"client reply off\r\nfoo\r\nclient reply on\r\n",
    b"client reply off\r\nhello 3\r\nclient reply on\r\nhello 2 foo\r\n",
    b"subscribe a\r\nget x\r\nping\r\nunsubscribe\r\nget x\r\n",
    b"subscribe a\r\nquit\r\n",
    b"subscribe a\r\nreset\r\nget nosuch\r\n",
    b"auth\r\nauth a b c\r\n",
    b"reset\r\nreset x\r\n",
    b"multi\r\nreset\r\nexec\r\n",
    b"select 3\r\nreset\r\nset q 1\r\nselect 0\r\ndel q\r\n",
    b"multi\r\nselect 3\r\nset q 2\r\nexec\r\ndel q\r\n",
    b"multi\r\nquit\r\n",
    b"multi\r\nauth x\r\nexec\r\n",
    b"multi\r\nunwatch\r\nexec\r\n",
    b"multi\r\nclient id\r\nclient foo\r\nexec\r\n",
    b"multi\r\nexec x\r\nexec\r\n",
    b"multi\r\ndiscard x\r\nexec\r\n",
    b"exec\r\ndiscard\r\nunwatch\r\n",
    b"multi\r\nconfig resetstat\r\nexec\r\n",
    b"multi\r\nclient pause 1\r\nexec\r\n",
    b"multi\r\ndebug sleep 0\r\nexec\r\n",
]

END = request(b"ECHO", b"the end")
ENDED = b"$7\r\nthe end\r\n"
CLOSED = b"(closed)"
PING = request(b"PING")


def replies(server: Server, data: bytes) -> bytes:
    """What comes back, up to the reply to ``END``; ``CLOSED`` stands for the end of the connection."""
    with server.connect() as connection:
        found = b""
        try:
            connection.send(data + END)
            while not found.endswith(ENDED):
                found += connection.sock.recv(1 << 16) or CLOSED
                if found.endswith(CLOSED):
                    break
        except (ConnectionResetError, BrokenPipeError):
            found += CLOSED
    return re.sub(rb"(\$2\r\nid\r\n):\d+", rb"\1:1", found)


@pytest.mark.parametrize("data", RAW, ids=lambda data: ascii(data[:40]))
def test_bytes_as_they_come(durastore: Server, valkey: Server, data: bytes) -> None:
    assert replies(durastore, data) == replies(valkey, data)


# Where Valkey 9.1 is stricter or says it in other words: what Redis 7.2 answers, without the reply to ``END``.
REDIS_RAW = [
    (b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n", b"+PONG\r\n+PONG\r\n"),
    (b"*1\rx$4\ryPING\r\n", b"+PONG\r\n"),
    (b'SET a "b"c\r\n', b"-ERR Protocol error: unbalanced quotes in request\r\n" + CLOSED),
    (b"ECHO \xff\r\n", b"$1\r\n\xff\r\n"),
    (b"PING " + b"A" * 70000 + b"\r\n", b"$70000\r\n" + b"A" * 70000 + b"\r\n"),
    (b"fo\xffo \xfe\r\n", b"-ERR unknown command 'fo\xffo', with args beginning with: '\xfe' \r\n"),
    (b"multi\r\nmulti\r\nexec\r\n", b"+OK\r\n-ERR MULTI calls can not be nested\r\n*0\r\n"),
    (b"multi\r\nwatch a\r\nexec\r\n", b"+OK\r\n-ERR WATCH inside MULTI is not allowed\r\n*0\r\n"),
    (
        b"multi\r\nshutdown\r\nexec\r\n",
        b"+OK\r\n-ERR Command not allowed inside a transaction\r\n"
        b"-EXECABORT Transaction discarded because of previous errors.\r\n",
    ),
    (
        b"multi\r\nclient reply skip\r\nping\r\nexec\r\nping\r\nping\r\n",
        b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+PONG\r\n+PONG\r\n",
    ),
]


@pytest.mark.parametrize(("data", "wanted"), REDIS_RAW, ids=lambda data: ascii(data[:40]))
def test_bytes_as_redis_takes_them(durastore: Server, data: bytes, wanted: bytes) -> None:
    assert replies(durastore, data) == (wanted if wanted.endswith(CLOSED) else wanted + ENDED)


HELLO_3 = (
    b"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n"
    b"$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"hello 3\r\n", HELLO_3),
        (b"hello\r\n", HELLO_3.replace(b"%7", b"*14").replace(b":3", b":2")),
        (b"hello 3 auth default x setname y\r\nclient getname\r\n", HELLO_3 + b"$1\r\ny\r\n"),
        (b"hello 3\r\nget nosuch\r\n", HELLO_3 + b"_\r\n"),
        (b"hello 3\r\nreset\r\nget nosuch\r\n", HELLO_3 + b"+RESET\r\n$-1\r\n"),
        (
            b"multi\r\nhello 3\r\nget nosuch\r\nexec\r\nget nosuch\r\n",
            b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n" + HELLO_3 + b"_\r\n_\r\n",
        ),
    ],
)
def test_hello(durastore: Server, data: bytes, wanted: bytes) -> None:
    assert replies(durastore, data) == wanted + ENDED


def test_a_push_has_a_reply_as_well(durastore: Server) -> None:
    push = b"$40\r\nSome real reply following the push reply\r\n>2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n"
    assert replies(durastore, b"hello 3\r\ndebug protocol push\r\n") == HELLO_3 + push + ENDED
    assert replies(durastore, b"debug protocol push\r\n") == b"-ERR RESP2 is not supported by this command\r\n" + ENDED


@pytest.mark.parametrize(
    "lines", [b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"host: x\r\n", b"PING\r\nHost: x\r\n", b"post\r\n"]
)
def test_what_a_browser_sends_is_cut_off(durastore: Server, lines: bytes) -> None:
    """Nothing is run behind a line of HTTP, and nothing answered: a page could have made a browser send commands."""
    assert replies(durastore, lines + b"SET forged 1\r\n") == CLOSED
    assert durastore.call("EXISTS", "forged") == 0
    assert "SECURITY ATTACK" in durastore.log_tail()


def test_a_silenced_client_hears_of_no_error(durastore: Server) -> None:
    assert replies(durastore, b"client reply off\r\n*x\r\n") == CLOSED
    assert replies(durastore, b"client reply off\r\nquit\r\n") == CLOSED


SCENES = {
    "writes are paused": """
        a> set x 1
        a> client pause 100000 write
        b> get x
        b> set x
        b> nosuch
        b> ping
        b: set x 2
        c: publish ch m
        d: pfcount nosuch
        a> get x
        a> client unpause
        b<
        c<
        d<
        a> get x
    """,
    "transactions in a pause": """
        b> multi
        b> set x 2
        c> multi
        c> get x
        a> client pause 100000 write
        b: exec
        c> exec
        d> multi
        d> get x
        d: set x 3
        a> client unpause
        b<
        d<
        d> exec
        a> get x
    """,
    "a pause that is prolonged": """
        a> client pause 100000 write
        a> client pause 1 write
        b: set x 1
        a> get x
        a> client unpause
        b<
    """,
    "who is held can be killed": """
        a> client pause 100000 write
        b: set x 1
        a> client kill id {b}
        b!
        c: set y 1
        c;
        a> client unpause
        a> mget x y
    """,
    "killed": """
        b> ping
        a> client kill id {b}
        b!
        b> ping
        a> client kill addr {b_addr} laddr {b_laddr}
        b!
        b> client setname x
        a> client kill {b_addr}
        b!
        a> client kill id {a}
        a> client kill id {a} skipme yes
        b> ping
        a> client kill id {b} type pubsub
        a> client kill id {b} type normal user default
        b!
        a> client kill id {a} skipme no
        a!
        b> client kill {b_addr}
        b!
        c> subscribe ch
        a> client kill type pubsub
        c!
        c: blpop l 0
        a> client kill id {c}
        c!
        a> rpush l 1
        a> llen l
        c> multi
        c> set x 1
        a> client kill id {c}
        c!
        a> get x
        c> watch x
        a> client kill id {c}
        c!
        a> set x 1
    """,
    "watched": """
        a> watch x
        b> set x 1
        a> multi
        a> get x
        a> exec
        a> watch x
        b> get x
        b> expire nosuch 10
        b> incr x
        b> set y 1
        a> multi
        a> get x
        a> exec
        a> get x
    """,
    "watched and changed": """
        a> set x 1
        a> watch x
        b> expire x 1000
        a> multi
        a> exec
        a> watch x
        b> persist x
        a> multi
        a> exec
        a> watch x
        b> rename x y
        a> multi
        a> exec
        a> watch x
        b> rename y x
        a> multi
        a> exec
        a> watch x
        b> flushdb
        a> multi
        a> exec
        a> watch x
        b> flushall
        a> multi
        a> exec
        a> watch x
        b> swapdb 0 1
        a> multi
        a> exec
        a> set x 1
        a> watch x
        b> swapdb 0 1
        a> multi
        a> exec
        a> set x 1
        a> watch x
        b> swapdb 0 0
        a> multi
        a> exec
        a> watch x
        b> setrange x 0 ""
        b> append x ""
        a> multi
        a> exec
        a> watch x
        b> move x 1
        a> multi
        a> exec
        a> watch x
        b> select 1
        b> copy x y db 0
        b> copy x x db 0
        a> multi
        a> exec
        a> watch x
        b> select 0
        b> del nosuch
        b> object encoding x
        b> touch x
        a> multi
        a> exec
    """,
    "watched no more": """
        a> watch x
        b> set x 1
        a> unwatch
        a> multi
        a> exec
        a> watch x
        b> set x 2
        a> reset
        a> multi
        a> exec
        a> watch x
        b> set x 3
        a> multi
        a> discard
        a> multi
        a> exec
        a> watch x
        a> set x 4
        a> multi
        a> exec
        a> watch x
        a> multi
        a> set x 5
        a> exec
        a> watch x
        b> multi
        b> set x 6
        a> multi
        a> get x
        a> exec
        a> watch x
        b> exec
        a> multi
        a> exec
        a> watch x y x
        b> set y 1
        a> watch z
        a> multi
        a> exec
        a> select 1
        a> watch x
        a> select 0
        b> set x 1
        a> multi
        a> exec
        a> select 1
        a> watch x
        a> select 0
        b> select 1
        b> set x 1
        a> multi
        a> exec
    """,
    "watched and expired": """
        a> set x 1 pxat 1
        a> watch x
        a> multi
        a> exec
        a> set x 1 px 1
        b> debug sleep 0.01
        a> watch x
        a> multi
        a> exec
        a> watch x
        b> set x 1 px 1
        b> debug sleep 0.01
        b> get x
        a> multi
        a> exec
        a> set x 1 px 20
        a> watch x
        b> debug sleep 0.03
        a> multi
        a> exec
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCENES)
def test_scenes_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_scenes(durastore, valkey, SCENES[name], protocol)


def test_everything_is_paused_until_the_time_is_up(durastore: Server) -> None:
    with durastore.connect() as a, durastore.connect() as b:
        assert a.call("CLIENT", "PAUSE", 60) == b"+OK\r\n"
        assert a.call("CLIENT", "PAUSE", 1, "WRITE") == b"+OK\r\n"
        b.send(request("NOSUCH") + request("PING"))
        assert b.read().startswith(b"-ERR unknown command")
        began = a.value("DEBUG", "SLEEP", "0")
        assert began == "OK"
        assert b.read() == b"+PONG\r\n"
        # CLIENT UNPAUSE is not held, or nobody could end a long pause of everything.
        assert a.call("CLIENT", "PAUSE", 1_000_000) == b"+OK\r\n"
        assert b.call("CLIENT", "UNPAUSE") == b"+OK\r\n"
        assert b.call("PING") == b"+PONG\r\n"


def test_nothing_expires_while_writes_are_paused(durastore: Server) -> None:
    """What has expired is missing, but its removal, which would be journalled, has to wait."""
    with durastore.connect() as a:
        a.call("SET", "x", 1, "PX", 1)
        a.call("CLIENT", "PAUSE", 100_000, "WRITE")
        a.call("DEBUG", "SLEEP", "0.01")
        assert a.call("GET", "x") == b"$-1\r\n"
        assert a.call("TTL", "x") == b":-2\r\n"
        assert a.call("RANDOMKEY") in (b"$-1\r\n", b"$1\r\nx\r\n")
        assert a.call("SCAN", 0) == b"*2\r\n$1\r\n0\r\n*0\r\n"
        assert a.call("DBSIZE") == b":1\r\n"
        a.call("CLIENT", "UNPAUSE")
        assert a.call("GET", "x") == b"$-1\r\n"
        assert a.call("DBSIZE") == b":0\r\n"


# The fields of Redis 7.2.4.
FIELDS = [
    "id",
    "addr",
    "laddr",
    "fd",
    "name",
    "age",
    "idle",
    "flags",
    "db",
    "sub",
    "psub",
    "ssub",
    "multi",
    "qbuf",
    "qbuf-free",
    "argv-mem",
    "multi-mem",
    "rbs",
    "rbp",
    "obl",
    "oll",
    "omem",
    "tot-mem",
    "events",
    "cmd",
    "user",
    "redir",
    "resp",
    "lib-name",
    "lib-ver",
]


def described(text: bytes) -> dict[str, str]:
    """A line of CLIENT LIST."""
    assert text.endswith(b"\n")
    return dict(field.split("=", 1) for field in text.decode().rstrip("\n").split(" "))


def test_a_client_is_described(durastore: Server) -> None:
    with durastore.connect(3) as a, durastore.connect() as b:
        address = "{}:{}".format(*a.sock.getsockname())
        for words in (
            ("CLIENT", "SETNAME", "me"),
            ("CLIENT", "SETINFO", "lib-name", "lib"),
            ("CLIENT", "SETINFO", "LIB-VER", "1.2"),
            ("SELECT", "3"),
            ("CLIENT", "NO-EVICT", "on"),
            ("CLIENT", "NO-TOUCH", "on"),
            ("MULTI",),
            ("SET", "a", "1" * 1000),
        ):
            a.call(*words)
        number = b.value("CLIENT", "LIST").decode().split("name=me")[0].rsplit("id=", 1)[1].split(" ")[0]
        found = described(b.value("CLIENT", "LIST", "ID", number))
        assert list(found) == FIELDS
        wanted = {
            "addr": address,
            "laddr": f"127.0.0.1:{durastore.port}",
            "name": "me",
            "age": "0",
            "idle": "0",
            "flags": "xeT",
            "db": "3",
            "sub": "0",
            "multi": "1",
            "events": "r",
            "cmd": "set",
            "user": "default",
            "redir": "-1",
            "resp": "3",
            "lib-name": "lib",
            "lib-ver": "1.2",
        }
        assert {name: found[name] for name in wanted} == wanted
        assert int(found["multi-mem"]) >= 1000
        assert int(found["tot-mem"]) >= 1000
        own = described(b.value("CLIENT", "INFO"))
        assert own["cmd"] == "client|info"
        assert own["flags"] == "N"
        assert own["id"] == str(b.value("CLIENT", "ID"))
        listed = [described(line + b"\n")["id"] for line in b.value("CLIENT", "LIST").splitlines()]
        assert listed == sorted(listed, key=int)
        assert b.value("CLIENT", "LIST", "ID", own["id"], "999999", own["id"]).count(b"\n") == 2


@pytest.mark.parametrize(
    ("script", "flags"),
    [
        ("", "N"),
        ("multi", "x"),
        ("watch k", "N"),
        ("subscribe c", "P"),
        ("client no-evict on", "e"),
        ("client no-touch on", "T"),
    ],
)
def test_flags_of_a_client(durastore: Server, valkey: Server, script: str, flags: str) -> None:
    for server in (durastore, valkey):
        with server.connect() as a, server.connect() as b:
            number = a.value("CLIENT", "ID")
            if script:
                a.call(*script.split())
            assert described(b.value("CLIENT", "LIST", "ID", number))["flags"] == flags


PASSWORDS = """
    ping
    get a
    nosuch
    auth
    auth wrong
    auth default wrong
    auth nosuch secret
    hello
    hello 3
    hello 2 auth default wrong
    hello 2 auth default wrong setname x
    hello 4
    client setname x
    reset
    ping
    auth secret
    ping
    client getname
    auth wrong
    ping
    reset
    ping
    auth default secret
    multi
    set a 1
    exec
    config set requirepass other
    ping
    auth secret
    auth other
    reset
    ping
    auth other
    config set requirepass ""
    reset
    ping
    auth x
    auth default x
"""


@pytest.mark.parametrize("protocol", [2])
def test_passwords(start_durastore: Starter, start_valkey: Starter, protocol: int) -> None:
    servers = start_durastore(requirepass="secret"), start_valkey(requirepass="secret")
    # Valkey does not tell strangers which commands there are.
    unknown = b"-ERR unknown command 'nosuch', with args beginning with: \r\n"
    answers = {("passwords", "nosuch", b"-NOAUTH Authentication required.\r\n"): unknown}
    assert_same_replies(*servers, "passwords", PASSWORDS, protocol, answers)


UNAUTHENTICATED = [
    b"*10\r\n" + b"$4\r\nPING\r\n" * 10,
    b"*11\r\n" + b"$4\r\nPING\r\n" * 11,
    b"*2\r\n$4\r\nAUTH\r\n$16384\r\n" + b"x" * 16384 + b"\r\n",
    b"*2\r\n$4\r\nAUTH\r\n$16385\r\n" + b"x" * 16385 + b"\r\n",
    b"AUTH " + b"x" * 20000 + b"\r\n",
    # What follows AUTH in the same packet has its rights already.
    request(b"AUTH", b"secret") + b"*11\r\n" + b"$4\r\nPING\r\n" * 11,
    request(b"AUTH", b"secret") + request(b"ECHO", b"x" * 20000),
]


def test_limits_before_a_password_was_given(start_durastore: Starter, start_valkey: Starter) -> None:
    durastore, valkey = start_durastore(requirepass="secret"), start_valkey(requirepass="secret")
    end = request(b"PING", b"x")
    for data in UNAUTHENTICATED:
        found = []
        for server in (durastore, valkey):
            with server.connect() as connection:
                connection.send(data + end + b"QUIT\r\n")
                found.append(connection.rest())
        assert found[0] == found[1], data[:60]


def test_limits_of_requests(start_durastore: Starter, start_valkey: Starter) -> None:
    directives = {"proto_max_bulk_len": "1mb", "client_query_buffer_limit": "2mb"}
    servers = start_durastore(**directives), start_valkey(**directives)
    for data in (
        b"*2\r\n$4\r\nECHO\r\n$1048576\r\n",
        b"*2\r\n$4\r\nECHO\r\n$1048577\r\n",
    ):
        found = []
        for server in servers:
            with server.connect() as connection:
                connection.send(data)
                if b"$1048576" in data:
                    connection.send(b"x" * 1_048_576 + b"\r\n" + request("QUIT"))
                found.append(connection.rest())
        assert found[0] == found[1]


COUNTED = ("qbuf", "argv-mem", "multi", "multi-mem", "obl", "oll", "omem", "sub", "psub", "ssub", "events")


def test_what_clients_have_in_their_buffers(durastore: Server, valkey: Server) -> None:
    found = []
    for server in (durastore, valkey):
        with (
            server.connect() as asking,
            server.connect() as idle,
            server.connect() as waiting,
            server.connect() as half,
        ):
            names = {asking: "asking", idle: "idle", waiting: "waiting", half: "half"}
            for client, name in names.items():
                client.call("CLIENT", "SETNAME", name)
            waiting.send(request("BLPOP", "nothing", "here", "0"))
            half.send(b"*3\r\n$3\r\nSET\r\n$5\r\nnever\r\n$10\r\nend")
            while True:
                listed = [described(line + b"\n") for line in asking.value("CLIENT", "LIST").splitlines()]
                told = {each["name"]: [each[field] for field in COUNTED] for each in listed if each["name"]}
                if told["half"][1] != "0" and told["waiting"][1] != "0":
                    break
            found.append(told)
            own = described(asking.value("CLIENT", "INFO"))
            found[-1]["info"] = [own[field] for field in COUNTED]
            for name in ("asking", "info"):
                # The request that asks is still in the buffer of Redis 7.2, and no longer in Valkey's.
                del found[-1][name][0]
            waiting.close()
    assert found[0] == found[1]


def test_clients_are_listed_and_killed_by_type(start_durastore: Starter, start_valkey: Starter) -> None:
    found = []
    for server in (start_durastore(), start_valkey()):
        with server.connect() as asking, server.connect() as first, server.connect() as second:
            first.call("SUBSCRIBE", "c")
            second.call("PING")
            replies = [
                [described(line + b"\n")["cmd"] for line in asking.value("CLIENT", "LIST", "TYPE", kind).splitlines()]
                for kind in ("normal", "pubsub", "replica", "master")
            ]
            found.append([*replies, asking.call("CLIENT", "KILL", "TYPE", "pubsub"), first.rest()])
    assert found[0] == found[1]


def test_an_argument_that_is_too_large_to_be_buffered(start_durastore: Starter) -> None:
    server = start_durastore(client_query_buffer_limit="2mb")
    with server.connect() as connection:
        # As in Redis, arguments that have arrived as a whole do not count.
        connection.send(request("DEL", *["x" * 800_000] * 3))
        assert connection.read() == b":0\r\n"
        connection.send(b"*2\r\n$3\r\nGET\r\n$2100000\r\n" + b"x" * 100)
        assert connection.rest() == b""
    assert "that reached max query buffer length" in server.log.read_text()


def test_a_string_of_limited_length(start_durastore: Starter, start_valkey: Starter) -> None:
    servers = start_durastore(proto_max_bulk_len="1mb"), start_valkey(proto_max_bulk_len="1mb")
    script = """
        setrange a 1048576 x
        setrange a 1048575 x
        append a x
        strlen a
        setbit b 8388608 1
        setbit b 8388607 1
        getbit b 8388608
        getbit b 4294967296
    """
    assert_same_replies(*servers, "lengths", script, 2, {})


def test_idle_clients_are_closed(start_durastore: Starter) -> None:
    """Not those who wait for keys or listen to channels."""
    server = start_durastore(timeout="1")
    with server.connect() as idle, server.connect() as blocked, server.connect() as listening:
        blocked.send(request("BLPOP", "l", 0))
        listening.call("SUBSCRIBE", "c")
        assert idle.rest() == b""
        with server.connect() as other:
            assert other.call("RPUSH", "l", 1) == b":1\r\n"
            assert blocked.read() == b"*2\r\n$1\r\nl\r\n$1\r\n1\r\n"
            other.call("PUBLISH", "c", "m")
            assert listening.read() == b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"


def test_too_many_clients(start_durastore: Starter) -> None:
    server = start_durastore(maxclients="3")
    connections = [server.connect() for _ in range(3)]
    assert all(connection.call("PING") == b"+PONG\r\n" for connection in connections)
    refused = server.connect()
    assert refused.rest() == b"-ERR max number of clients reached\r\n"
    assert b"rejected_connections:1\r\n" in connections[0].value("INFO", "stats")
    connections[0].call("CONFIG", "SET", "maxclients", 4)
    assert server.connect().call("PING") == b"+PONG\r\n"
    assert isinstance(connections[0], Connection)


def test_a_client_that_does_not_read_is_closed(start_durastore: Starter) -> None:
    server = start_durastore(client_output_buffer_limit="normal 1mb 0 0")
    with server.connect() as writer, server.connect() as slow:
        writer.call("SET", "a", b"x" * 1_000_000)
        number = slow.value("CLIENT", "ID")
        slow.send(request("GET", "a") * 50)
        while writer.value("CLIENT", "LIST", "ID", number):
            pass
        assert len(slow.rest()) < 50_000_000
        assert writer.call("PING") == b"+PONG\r\n"
