"""Bytes as they come: what is answered to them, what is cut off, and what HELLO says."""

from __future__ import annotations

import re

import pytest

from support.resp import request
from support.servers import Server

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
