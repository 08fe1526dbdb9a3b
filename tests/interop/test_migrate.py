"""MIGRATE to a real server, to durastore, and to something that is no server."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from support.servers import Server, free_port

FAR_AHEAD = 33177117420000


def migrate(source: Server, target: Server, *words: str) -> object:
    """MIGRATE's reply; the words stand behind host and port."""
    return source.call("MIGRATE", "127.0.0.1", str(target.port), *words)


@pytest.fixture(params=["valkey", "durastore"])
def pair(
    request: pytest.FixtureRequest, durastore: Server, valkey: Server, start_durastore: Callable[..., Server]
) -> tuple[Server, Server]:
    """durastore, and the server that keys go to."""
    return durastore, valkey if request.param == "valkey" else start_durastore()


def test_a_key_goes_to_the_other_server_with_its_expiry(pair: tuple[Server, Server]) -> None:
    source, target = pair
    source.call("SET", "a", "1", "PXAT", str(FAR_AHEAD))
    source.call("SET", "b", "2")
    assert migrate(source, target, "a", "0", "1000") == "OK"
    assert migrate(source, target, "a", "0", "1000") == "NOKEY"
    assert target.call("GET", "a") == b"1"
    expiry = target.call("PEXPIRETIME", "a")
    assert isinstance(expiry, int)
    assert abs(expiry - FAR_AHEAD) < 60_000
    assert source.call("EXISTS", "a") == 0
    assert source.call("EXISTS", "b") == 1


def test_many_keys_to_another_database(pair: tuple[Server, Server]) -> None:
    source, target = pair
    source.call("RPUSH", "l", "x", "y")
    source.call("PFADD", "h", "x")
    assert migrate(source, target, "", "3", "1000", "KEYS", "l", "nosuch", "h") == "OK"
    with target.connect() as connection:
        connection.call("SELECT", 3)
        assert connection.call("LPOP", "l") == b"$1\r\nx\r\n"
        assert connection.call("PFCOUNT", "h") == b":1\r\n"
        connection.call("FLUSHDB")
    assert source.call("DBSIZE") == 0


def test_copy_and_replace(pair: tuple[Server, Server]) -> None:
    source, target = pair
    source.call("SET", "a", "new")
    target.call("SET", "a", "old")
    answer = migrate(source, target, "a", "0", "1000", "COPY")
    assert str(answer) == "ERR Target instance replied with error: BUSYKEY Target key name already exists."
    assert migrate(source, target, "a", "0", "1000", "COPY", "REPLACE") == "OK"
    assert target.call("GET", "a") == b"new"
    assert source.call("GET", "a") == b"new"


def test_what_did_not_arrive_stays(pair: tuple[Server, Server]) -> None:
    source, target = pair
    target.call("SET", "b", "old")
    for key in "abc":
        source.call("SET", key, "new")
    answer = migrate(source, target, "", "0", "1000", "KEYS", "a", "b", "c")
    assert str(answer).startswith("ERR Target instance replied with error: BUSYKEY")
    assert [source.call("EXISTS", key) for key in "abc"] == [0, 1, 0]


def test_a_target_that_refuses(pair: tuple[Server, Server]) -> None:
    source, target = pair
    source.call("SET", "a", "1")
    for words in (("a", "99", "1000"), ("a", "0", "1000", "AUTH2", "nosuch", "wrong")):
        answer = migrate(source, target, *words)
        assert str(answer).startswith("ERR Target instance replied with error: "), words
        assert source.call("GET", "a") == b"1"


def test_nobody_listens_or_answers(durastore: Server) -> None:
    durastore.call("SET", "a", "1")
    answer = durastore.call("MIGRATE", "127.0.0.1", str(free_port()), "a", "0", "200")
    assert str(answer) == "IOERR error or timeout writing to target instance"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = durastore.call("MIGRATE", "127.0.0.1", str(silent.getsockname()[1]), "a", "0", "50")
    assert str(answer) == "IOERR error or timeout reading from target instance"
    assert durastore.call("GET", "a") == b"1"


@pytest.mark.parametrize(
    "words",
    [
        ("a", "0", "x"),
        ("a", "x", "10"),
        ("a", "0", "10", "FOO"),
        ("a", "0", "10", "AUTH"),
        ("a", "0", "10", "AUTH2", "user"),
        ("a", "0", "10", "KEYS", "b"),
        ("nosuch", "0", "10"),
        ("", "0", "10", "KEYS", "nosuch", "nosuch2"),
    ],
)
def test_complaints_are_the_same(durastore: Server, valkey: Server, words: tuple[str, ...]) -> None:
    port = str(free_port())
    ours, theirs = durastore.connect(), valkey.connect()
    assert ours.call("MIGRATE", "127.0.0.1", port, *words) == theirs.call("MIGRATE", "127.0.0.1", port, *words)


def test_the_log_has_a_deletion(start_durastore: Callable[..., Server], valkey: Server) -> None:
    server = start_durastore(appendonly="yes")
    server.call("MSET", "a", "1", "b", "2")
    assert migrate(server, valkey, "", "0", "1000", "KEYS", "a") == "OK"
    server.kill()
    server.start()
    assert server.call("KEYS", "*") == [b"b"]
