"""Pub/sub, keyspace events and client-side caching: several connections to durastore and to a real server."""

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
TRACKING = {
    "default": """
        a client tracking on
        a client trackinginfo
        a client getredir
        a get k
        b set k 1
        a <
        b set k 2
        a get k
        a mget k l
        b mset k 3 l 4
        a <
        a <
        a get k
        a set k 5
        a <
        a get k
        b del k
        a <
        a get k
        a multi
        a get k
        a set k 1
        a exec
        a <
        b flushall
        a <
        a client tracking off
        a get k
        b set k 9
        a ping
    """,
    "expiry and renames": """
        a client tracking on
        b set k 1 px 300
        a get k
        b debug sleep 0.31
        b get k
        a <
        b set x 1
        a exists x
        b rename x y
        a <
        a scard s
        b sadd s 1
        a <
    """,
    "own changes": """
        a client tracking on noloop
        a get k
        a set k 1
        b set k 2
        a get k
        b set k 3
        a <
        a client trackinginfo
    """,
    "opting": """
        a client tracking on optin
        a get k
        b set k 1
        a client caching yes
        a client trackinginfo
        a get k
        b set k 2
        a <
        a client caching yes
        a multi
        a get k
        a get l
        a exec
        b mset k 1 l 1
        a <
        a <
        a client caching no
        a client tracking on optout
        a client tracking off
        a client tracking on optout
        a client caching no
        a get k
        b set k 3
        a get k
        b set k 4
        a <
        a client caching yes
    """,
    "prefixes": """
        a client tracking on bcast prefix user: prefix x
        a client trackinginfo
        b set user:1 1
        a <
        b set other 1
        b mset x2 1 x1 1 user:2 2
        a <
        a <
        a client tracking on bcast prefix y
        a client tracking on bcast prefix use
        b set y 1
        a <
        a set y 2
        a <
    """,
    "everything": """
        a client tracking on bcast
        b set k 1
        a <
        b flushdb
        a <
    """,
    "redirection": """
        b subscribe __redis__:invalidate
        a client tracking on redirect 99999999
        a client tracking on redirect 1 redirect 2
        a client caching yes
        a client tracking maybe
        a client tracking on foo
        a client tracking on prefix x
        a client tracking on optin optout
        a client tracking on bcast optin
        a client tracking on bcast prefix ab prefix a
        a client tracking
        a client getredir
        a client tracking off
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


@pytest.mark.parametrize("name", TRACKING)
def test_invalidations_are_the_same(durastore: Server, valkey: Server, name: str) -> None:
    ours = play(durastore, TRACKING[name], 3)
    theirs = play(valkey, TRACKING[name], 3)
    wrong = [
        f"{line}\n    ours   {reply!r}\n    theirs {answer!r}"
        for (line, reply), (_, answer) in zip(ours, theirs, strict=True)
        if reply != answer
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("protocol", [2, 3])
def test_invalidations_go_to_who_they_are_redirected_to(durastore: Server, valkey: Server, protocol: int) -> None:
    found = []
    for server in (durastore, valkey):
        listener, reader, writer = server.connect(protocol), server.connect(protocol), server.connect()
        listener_id = listener.call("CLIENT", "ID").strip(b":\r\n").decode()
        replies = [
            listener.call("SUBSCRIBE", "__redis__:invalidate"),
            reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", listener_id),
            reader.call("GET", "k"),
            writer.call("SET", "k", "1"),
            listener.read(),
            writer.call("FLUSHALL"),
            listener.read(),
        ]
        listener.close()
        while listener_id in str(server.call("CLIENT", "LIST", "ID", listener_id)):
            pass
        replies += [reader.call("GET", "k"), writer.call("SET", "k", "1")]
        if protocol == 3:
            replies.append(reader.read().replace(listener_id.encode(), b"ID"))
        replies.append(reader.call("CLIENT", "TRACKINGINFO").replace(listener_id.encode(), b"ID"))
        found.append(replies)
    assert found[0] == found[1]


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
