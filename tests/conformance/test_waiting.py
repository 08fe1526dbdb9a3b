"""WAIT and WAITAOF."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from support.resp import request
from support.scripts import assert_same_replies
from support.servers import Server

SCRIPTS = {
    "without a log": """
        wait 0 0
        wait 1 10
        wait -1 0
        wait 99999999999 1
        wait x 0
        wait 0 x
        wait 0 -1
        wait 1 1.5
        wait 1 9223372036854775807
        wait 1
        waitaof 0 0 10
        waitaof 0 1 10
        waitaof 1 0 10
        waitaof 2 0 10
        waitaof -1 0 10
        waitaof x 0 10
        waitaof 0 x 10
        waitaof 0 -1 10
        waitaof 0 0 -1
        waitaof 0 0 x
        waitaof 0 99999999999999999999 1
        waitaof 0 0
        multi
        wait 1 0
        waitaof 0 1 0
        exec
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
def test_replies_are_the_same(durastore: Server, valkey: Server, protocol: int) -> None:
    assert_same_replies(durastore, valkey, "without a log", SCRIPTS["without a log"], protocol, {})


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_waitaof_answers_when_the_write_is_on_disk(start_durastore: Callable[..., Server], policy: str) -> None:
    server = start_durastore(appendonly="yes", appendfsync=policy)
    with server.connect() as writer, server.connect() as reader:
        assert writer.call("WAITAOF", 1, 0, 0) == b"*2\r\n:1\r\n:0\r\n"
        writer.call("SET", "a", 1)
        assert writer.call("WAITAOF", 1, 0, 0) == b"*2\r\n:1\r\n:0\r\n"
        # In one packet with the write.
        writer.send(request("SET", "a", 2) + request("WAITAOF", 1, 0, 0) + request("GET", "a"))
        assert writer.read() == b"+OK\r\n"
        assert writer.read() == b"*2\r\n:1\r\n:0\r\n"
        assert writer.read() == b"$1\r\n2\r\n"
        assert reader.call("WAITAOF", 1, 0, 0) == b"*2\r\n:1\r\n:0\r\n"
        assert reader.call("WAITAOF", 1, 1, 10) == b"*2\r\n:1\r\n:0\r\n"


def test_waitaof_does_not_claim_what_is_not_on_disk(start_durastore: Callable[..., Server]) -> None:
    server = start_durastore(appendonly="yes", appendfsync="no")
    with server.connect() as writer, server.connect() as reader:
        writer.call("SET", "a", 1)
        begun = time.monotonic()
        assert writer.call("WAITAOF", 1, 0, 30) == b"*2\r\n:0\r\n:0\r\n"
        assert time.monotonic() - begun >= 0.03
        writer.send(request("SET", "a", 2) + request("WAITAOF", 0, 0, 0))
        assert writer.read() == b"+OK\r\n"
        assert writer.read() == b"*2\r\n:0\r\n:0\r\n"
        # Who wrote nothing has nothing to wait for.
        assert reader.call("WAITAOF", 1, 0, 0) == b"*2\r\n:1\r\n:0\r\n"
        # Whatever makes the log durable ends the wait.
        number = writer.call("CLIENT", "ID")
        writer.send(request("WAITAOF", 1, 0, 0))
        server.until_info("clients", "blocked_clients", "1")
        assert reader.call("CONFIG", "SET", "appendfsync", "everysec") == b"+OK\r\n"
        assert writer.read() == b"*2\r\n:1\r\n:0\r\n"
        # So does CLIENT UNBLOCK.
        for how, answer in (("TIMEOUT", b":0\r\n"), ("ERROR", b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")):
            writer.send(request("WAIT", 1, 0))
            server.until_info("clients", "blocked_clients", "1")
            assert reader.call("CLIENT", "UNBLOCK", int(number[1:]), how) == b":1\r\n"
            assert writer.read() == answer
