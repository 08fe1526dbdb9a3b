"""Passwords, and the limits of what a connection may send, hold and wait for."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from support.resp import Connection, request
from support.scripts import assert_same_replies
from support.servers import Server

Starter = Callable[..., Server]

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


def test_no_more_clients_than_the_system_has_descriptors_for(start_durastore: Starter) -> None:
    server = start_durastore()
    refused = str(server.call("CONFIG", "SET", "maxclients", 2_000_000_000))
    assert re.search(r"not able to handle the specified number of clients, try with \d+$", refused)
    assert server.call("CONFIG", "GET", "maxclients") == [b"maxclients", b"10000"]
    server = start_durastore(maxclients="2000000000")
    reduced = server.info("clients", "maxclients")
    assert int(reduced) < 2_000_000_000
    assert refused.endswith(f"try with {reduced}")


def test_who_waits_for_the_end_of_a_pause_counts_as_blocked(start_durastore: Starter) -> None:
    server = start_durastore()
    server.call("CLIENT", "PAUSE", 100_000, "WRITE")
    with server.connect() as client:
        client.send(request("SET", "a", 1))
        server.until_info("clients", "blocked_clients", "1")
        server.call("CLIENT", "UNPAUSE")
        assert client.read() == b"+OK\r\n"
    assert server.info("clients", "blocked_clients") == "0"
