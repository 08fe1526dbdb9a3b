"""Pub/sub and keyspace events, played by several connections to durastore and to a real server: the same bytes."""

from __future__ import annotations

import pytest

from durastore.protocol.parser import split_line
from support.resp import Connection, request
from support.servers import Server

# A line is "<connection> <request>"; "<connection> <" reads one more message that the connection was sent.
SCRIPTS = {
    "subscribe": """
        a subscribe one two
        a <
        a subscribe one
        a psubscribe o* t?o
        a <
        b publish one hello
        a <
        a <
        b publish two 2
        a <
        a <
        b publish nobody x
        b pubsub channels
        b pubsub channels t*
        b pubsub numsub one two nosuch
        b pubsub numsub
        b pubsub numpat
        b pubsub shardchannels
        a punsubscribe t?o nosuch
        a <
        a unsubscribe
        a <
        a punsubscribe
        a unsubscribe
        a ping
        b publish one hello
    """,
    "shards": """
        a ssubscribe s
        a ssubscribe t
        b spublish s 1
        a <
        b publish s 1
        b pubsub shardchannels
        b pubsub shardnumsub s t u
        a subscribe c
        a sunsubscribe s u
        a <
        a sunsubscribe
        a sunsubscribe
        a unsubscribe c
    """,
    "context": """
        a subscribe c
        a get x
        a ping
        a ping hello
        a multi
        a nosuch
        a subscribe
        a reset
        a get x
        b pubsub channels
        a subscribe c
        a quit
        b pubsub channels
    """,
    "own messages": """
        a subscribe c
        a publish c hello
        a multi
        a publish c 1
        a publish c 2
        a exec
    """,
    "transaction": """
        a multi
        a subscribe c d
        a unsubscribe d
        a exec
        a <
        b publish c 1
        a <
    """,
    "arguments": """
        a subscribe
        a psubscribe
        a publish c
        a publish c d e
        a spublish c
        a pubsub
        a pubsub nosuch
        a pubsub channels a b
        a pubsub numpat x
        a unsubscribe c
        a punsubscribe c d
        a <
    """,
    "events": """
        b config set notify-keyspace-events KEA
        b config get notify-keyspace-events
        a psubscribe __key*__:*
        b set k 1
        a <
        a <
        b set k 2 pxat 33177117420000
        a <
        a <
        a <
        a <
        b del k
        a <
        a <
        b lpush l 1 2
        a <
        a <
        b multi
        b hset h f v
        b rename h g
        b exec
        a <
        a <
        a <
        a <
        a <
        a <
        b set gone 1 px 1
        a <
        a <
        a <
        a <
        b debug sleep 0.01
        b get gone
        a <
        a <
        b config set notify-keyspace-events ""
        b set k 3
        b publish __keyspace@0__:x y
        a <
    """,
    "misses and new keys": """
        b config set notify-keyspace-events Emn$
        a psubscribe __keyevent@*__:*
        b get nosuch
        a <
        b set k 1
        a <
        a <
        b set k 2
        a <
        b config set notify-keyspace-events ""
    """,
}
# A connection that speaks RESP3 hears itself while it may still send other requests; in RESP2 it may not.
ONLY_RESP3 = {"own messages"}


def play(server: Server, script: str, protocol: int) -> list[tuple[str, bytes]]:
    found = []
    connections: dict[str, Connection] = {}
    for raw in script.strip().splitlines():
        name, _, line = raw.strip().partition(" ")
        if name not in connections:
            connections[name] = server.connect(protocol)
        if line != "<":
            words = split_line(line.encode())
            assert words is not None
            connections[name].send(request(*words))
        found.append((raw.strip(), connections[name].read()))
    for connection in connections.values():
        connection.close()
    return found


CASES = [(name, protocol) for name in SCRIPTS for protocol in (2, 3) if protocol == 3 or name not in ONLY_RESP3]


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_messages_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    ours = play(durastore, SCRIPTS[name], protocol)
    theirs = play(valkey, SCRIPTS[name], protocol)
    wrong = [
        f"{line}\n    ours   {reply!r}\n    theirs {answer!r}"
        for (line, reply), (_, answer) in zip(ours, theirs, strict=True)
        if reply != answer
    ]
    assert not wrong, "\n".join(wrong)


def test_a_subscriber_that_does_not_read_is_cut_off(durastore: Server) -> None:
    assert durastore.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1000000 0 0") == "OK"
    slow = durastore.connect()
    slow.call("SUBSCRIBE", "c")
    publisher = durastore.connect()
    # The kernel's buffers take some megabytes, durastore keeps at most one more.
    for _ in range(200):
        if publisher.call("PUBLISH", "c", b"x" * 100_000) == b":0\r\n":
            break
    assert publisher.call("PUBLISH", "c", "x") == b":0\r\n"
    assert durastore.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 33554432 8388608 60") == "OK"


def test_what_is_published_survives_in_order_beside_pipelined_requests(durastore: Server) -> None:
    listener = durastore.connect(3)
    listener.call("SUBSCRIBE", "c")
    publisher = durastore.connect()
    publisher.send(b"".join(request("PUBLISH", "c", i) for i in range(1000)))
    for _ in range(1000):
        assert publisher.read() == b":1\r\n"
    for i in range(1000):
        assert listener.read() == b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$%d\r\n%d\r\n" % (len(str(i)), i)


def test_requests_behind_a_wait_that_times_out_are_answered(durastore: Server) -> None:
    client = durastore.connect()
    client.send(request("BLPOP", "nosuch", "0.05") + request("PING"))
    assert client.read() == b"*-1\r\n"
    assert client.read() == b"+PONG\r\n"
