"""Commands that wait for keys, played with several connections to durastore and to a real server."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from support.resp import Connection, parse, request
from support.scenes import assert_same_scenes
from support.servers import Server

SCENES = {
    "first come, first served": """
        a: blpop k 0
        b: brpop k 0
        c: blpop k j 0
        d: blmpop 0 1 k left count 5
        p> rpush k 1 2
        a<
        b<
        ?
        p> rpush j 3
        c<
        p> rpush k 4 5 6
        d<
        p> exists k
        p> rpush k 7
        a> blpop k 0
        ?
    """,
    "a transaction is served when it is whole": """
        a: blpop x 0
        b: blpop y 0
        c: blpop z x 0
        p> multi
        p> rpush y 1
        p> rpush x 2 3
        p> lpop y
        p> rpush z 4
        p> rpush y 5
        p> exec
        a<
        b<
        c<
        p> lrange x 0 -1
        p> lrange z 0 -1
        ?
    """,
    "what is gone again serves nobody": """
        a: blpop k 0
        p> multi
        p> rpush k 1
        p> lpop k
        p> exec
        ?
        p> multi
        p> rpush k 1
        p> del k
        p> set k text
        p> exec
        ?
        p> append k x
        p> getset k y
        p> del k
        p> sadd k member
        p> del k
        p> lpush k v
        a<
    """,
    "a key of another type is an error": """
        a: blpop x y 0
        b: blmove y d left left 0
        p> set x text
        ?
        p> rpush y 1
        a<
        b<
        b: blmove y e left left 0
        p> set e text
        p> rpush y 3
        b<
        p> lrange y 0 -1
        ?
    """,
    "a destination of another type": """
        a: blmove s d left right 0
        p> set d text
        b: blpop s 0
        p> rpush s 1
        a<
        b<
        ?
    """,
    "moves are chained": """
        a: blmove x y left right 0
        b: brpoplpush y z 0
        c: blpop z 0
        p> rpush x 1
        a<
        b<
        c<
        p> exists x y z
        a: brpoplpush k k 0
        b: blpop k 0
        p> rpush k 1 2
        a<
        b<
        p> lrange k 0 -1
        a: blmove x y right left 0
        b: blmove y x right left 0
        p> rpush x 1
        a<
        b<
        p> lrange x 0 -1
        p> lrange y 0 -1
    """,
    "lists that come in other ways": """
        a: blpop k 0
        p> rpush o 1
        p> rename o k
        a<
        a: blpop k 0
        p> rpush o 2
        p> renamenx o k
        a<
        a: blpop k 0
        p> rpush o 3
        p> copy o k
        a<
        a: blpop k 0
        p> sort o by nosort store k
        a<
        a: blpop k 0
        p> lmove o k left left
        a<
        a: blpop k 0
        p> linsert k before a b
        p> lpushx k c
        ?
        p> select 1
        p> rpush k 4
        p> move k 0
        a<
        a: blpop k 0
        p> select 1
        p> rpush k 5 6
        p> swapdb 0 1
        a<
        p> exists k
        p> select 0
        p> lrange k 0 -1
    """,
    "each database has its own keys": """
        a> select 3
        a: blpop k 0
        p> rpush k 1
        ?
        p> select 3
        p> rpush k 2
        a<
        p> copy k k db 4
        p> select 0
        p> lpop k
        a> select 4
        a: blpop k 0
        p> rpush k 3
        p> move k 4
        a<
    """,
    "types wait apart": """
        a: blpop k 0
        b: bzpopmin k 0
        c: xread block 0 streams k $
        d: bzmpop 0 2 j k max
        e: blmpop 0 1 k right
        p> zadd k 1 m
        b<
        ?
        p> zadd k 2 n
        d<
        p> xadd k 1-1 f v
        c<
        p> del k
        p> rpush k 1 2
        a<
        e<
    """,
    "a group that goes": """
        p> xgroup create s g $ mkstream
        a: xreadgroup group g c block 0 streams s >
        p> del s
        a<
        p> xgroup create s g $ mkstream
        a: xreadgroup group g c block 0 streams s >
        p> xgroup destroy s g
        a<
        p> xgroup create s g $
        a: xreadgroup group g c block 0 streams s >
        p> set s text
        a<
        p> del s
        p> xgroup create s g $ mkstream
        a: xreadgroup group g c block 0 streams s >
        p> rename s t
        a<
        a: xreadgroup group g c block 0 streams t >
        p> flushall
        a<
    """,
    "time-outs": """
        a> blpop k 0.01
        a> brpop k j 0.01
        a> blmove k j left left 0.01
        a> brpoplpush k j 0.01
        a> blmpop 0.01 1 k left
        a> bzpopmin k 0.01
        a> bzmpop 0.01 1 k min
        a> xread block 10 streams k 0
        a> ping
        ?
    """,
    "keys named twice": """
        a: blpop k k j k 0
        p> rpush k 1 2
        a<
        a> blpop k k 0
        a: blmpop 0 2 k k left
        p> rpush k 3
        a<
        p> exists k
    """,
    "unblocking": """
        a: blpop k 0
        b: brpoplpush k j 0
        c: blmpop 0 1 k left
        d: bzpopmin k 0
        e: xread block 0 streams k $
        p> client unblock {a}
        p> client unblock {b} timeout
        p> client unblock {c} error
        p> client unblock {d} TIMEOUT
        p> client unblock {e} Error
        a<
        b<
        c<
        d<
        e<
        p> client unblock {a}
        p> client unblock 999999
        p> client unblock {a} now
        p> client unblock x
        p> client unblock
        ?
        p> rpush k 1
        a> lpop k
    """,
    "one who is gone takes nothing": """
        a: blpop k 0
        b: blpop k j 0
        c: blpop k 0
        a;
        p> client kill id {b}
        p> rpush k 1
        c<
        p> exists k
    """,
    "a transaction of one who waited": """
        w> watch k
        a: blpop k 0
        p> rpush k 1
        a<
        w> multi
        w> ping
        w> exec
        w> watch k
        w> multi
        w> blpop k 0
        w> blmove k j left left 0
        w> bzpopmin k 0
        w> xread block 0 streams k 0
        w> exec
    """,
    "expiry": """
        a: blpop k 0
        p> multi
        p> rpush k 1
        p> pexpireat k 1
        p> exec
        ?
        p> rpush k 2
        a<
    """,
    "a pause holds who is served": """
        a: blpop k 0
        p> multi
        p> rpush k 1
        p> client pause 100000 write
        p> exec
        ?
        p> client unpause
        a<
        p> exists k
        p> client pause 100000 write
        b: blpop k 0
        p> client unpause
        ?
        p> client unblock {b}
        b<
    """,
    "a pause lets programs pass that do not write": r"""
        p> client pause 100000 write
        a> eval "#!lua flags=no-writes\nreturn 1" 0
        a> multi
        a> eval "#!lua flags=no-writes\nreturn 1" 0
        a> exec
        b: eval "#!lua\nreturn 1" 0
        ?
        p> client unpause
        b<
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCENES)
def test_scenes_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_scenes(durastore, valkey, SCENES[name], protocol)
    assert durastore.info("clients", "blocked_clients") == "0"
    assert durastore.info("clients", "total_blocking_keys") == "0"


def test_info_counts_those_who_wait(durastore: Server, valkey: Server) -> None:
    counted = []
    for server in (durastore, valkey):
        with server.connect() as first, server.connect() as second, server.connect() as third:
            assert first.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM") == b"+OK\r\n"
            first.send(request("BLPOP", "a", "b", 0))
            second.send(request("BLPOP", "b", "c", 100))
            third.send(request("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">"))
            server.until_info("clients", "blocked_clients", "3")
            fields = ("clients_in_timeout_table", "total_blocking_keys", "total_blocking_keys_on_nokey")
            counted.append([server.info("clients", field) for field in fields])
        server.until_info("clients", "blocked_clients", "0")
    assert counted[0] == counted[1]


def test_requests_behind_one_that_waits_wait_as_well(durastore: Server, valkey: Server) -> None:
    for server in (durastore, valkey):
        with server.connect() as waiting, server.connect() as pusher:
            waiting.send(
                request("BLPOP", "k", 0) + request("SET", "a", 1) + request("BLPOP", "k", 0) + request("INCR", "a")
            )
            server.until_info("clients", "blocked_clients", "1")
            assert pusher.call("EXISTS", "a") == b":0\r\n"
            # The first of them takes an element, and so does the second, which comes when the push is over.
            assert pusher.call("RPUSH", "k", "v", "w") == b":2\r\n"
            answers = [waiting.read() for _ in range(4)]
            assert answers == [
                b"*2\r\n$1\r\nk\r\n$1\r\nv\r\n",
                b"+OK\r\n",
                b"*2\r\n$1\r\nk\r\n$1\r\nw\r\n",
                b":2\r\n",
            ]


def test_time_outs_are_punctual(durastore: Server) -> None:
    """Loosely: machines are slow. The point is that nobody waits for the next tick, or for another's request."""
    connections = [durastore.connect() for _ in range(5)]
    start = time.monotonic()
    for i, connection in enumerate(connections):
        connection.send(request("BLPOP", "k", f"0.0{9 - i}"))
    for i, connection in reversed(list(enumerate(connections))):
        assert connection.read() == b"*-1\r\n"
        assert time.monotonic() - start >= (9 - i) / 100 - 0.001
    assert time.monotonic() - start < 5


def test_a_half_closed_connection_is_gone(durastore: Server) -> None:
    waiting = durastore.connect()
    waiting.send(request("BLPOP", "k", 0))
    durastore.until_info("clients", "blocked_clients", "1")
    waiting.sock.shutdown(1)
    durastore.until_info("clients", "blocked_clients", "0")


def busy_consumers(server: Server, rounds: int) -> list[bytes]:
    """Consumers of all kinds that wait again and again while somebody pushes; all that was taken."""
    requests = [
        request("BLPOP", "a", "b", 0),
        request("BRPOP", "b", 0),
        request("BLMOVE", "a", "b", "LEFT", "RIGHT", 0),
        request("BRPOPLPUSH", "b", "c", 0),
        request("BLMPOP", 0, 2, "b", "a", "RIGHT", "COUNT", 3),
        request("BZPOPMIN", "z", 0),
    ]
    consumers: list[Connection] = [server.connect() for _ in requests]
    pusher = server.connect()
    for consumer, data in zip(consumers, requests, strict=True):
        consumer.send(data)
    taken: list[bytes] = []
    for i in range(rounds):
        pusher.send(
            request("MULTI")
            + request("RPUSH", "a" if i % 3 else "b", i, f"x{i}")
            + request("ZADD", "z", i, f"m{i}")
            + request("EXEC")
        )
        for _ in range(4):
            pusher.read()
        consumer = consumers[i % len(consumers)]
        consumer.sock.settimeout(0.01)
        try:
            taken.append(consumer.read())
        except TimeoutError:
            continue
        consumer.send(requests[i % len(consumers)])
    return taken


def test_the_log_holds_what_was_taken_and_nothing_that_waits(start_durastore: Callable[..., Server]) -> None:
    server = start_durastore(appendonly="yes", appendfsync="no", enable_debug_command="yes")
    taken = busy_consumers(server, 200)
    assert len(taken) > 50
    digest = server.call("DEBUG", "DIGEST")
    assert server.call("DEBUG", "LOADAOF") == "OK"
    assert server.call("DEBUG", "DIGEST") == digest
    log = b"".join(path.read_bytes() for path in (server.folder / "appendonlydir").glob("*.incr.aof"))
    for word in (b"LPOP", b"RPOP", b"LMOVE", b"RPOPLPUSH", b"ZPOPMIN"):
        assert word in log
    for word in (b"BLPOP", b"BRPOP", b"BLMOVE", b"BLMPOP", b"BZPOPMIN"):
        assert word not in log


def test_the_log_is_read_alike_by_a_real_server(
    start_durastore: Callable[..., Server], start_valkey: Callable[..., Server]
) -> None:
    server = start_durastore(appendonly="yes", appendfsync="no", enable_debug_command="yes")
    busy_consumers(server, 50)
    digest = server.call("DEBUG", "DIGEST")
    assert server.stop() == 0
    other = start_valkey(appendonly="yes", folder=server.folder)
    assert other.call("DEBUG", "DIGEST") == digest


def test_with_fsync_always_the_one_who_is_served_hears_of_it(start_durastore: Callable[..., Server]) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always")
    with server.connect() as waiting, server.connect() as pusher:
        for i in range(20):
            waiting.send(request("BLPOP", "k", 0))
            server.until_info("clients", "blocked_clients", "1")
            assert pusher.value("RPUSH", "k", i) == 1
            assert parse(waiting.read()) == [b"k", b"%d" % i]
