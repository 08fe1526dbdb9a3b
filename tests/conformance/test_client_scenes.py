"""Clients that pause, kill and watch each other, played to durastore and to a real server."""

from __future__ import annotations

import pytest

from support.resp import Closed, request
from support.scenes import assert_same_scenes
from support.servers import Server

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
        a> set x 1 px 300
        a> watch x
        b> debug sleep 0.31
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


def test_who_is_killed_by_one_who_was_paused_like_him_runs_no_more(durastore: Server) -> None:
    with durastore.connect() as a, durastore.connect() as killer, durastore.connect() as killed:
        number = killed.value("CLIENT", "ID")
        killer.call("MULTI")
        killer.call("SET", "y", "1")
        killer.call("CLIENT", "KILL", "ID", number)
        assert a.call("CLIENT", "PAUSE", 100_000, "WRITE") == b"+OK\r\n"
        killer.send(request("EXEC"))
        durastore.until_info("clients", "blocked_clients", "1")
        killed.send(request("SET", "x", "1"))
        durastore.until_info("clients", "blocked_clients", "2")
        assert a.call("CLIENT", "UNPAUSE") == b"+OK\r\n"
        assert killer.read() == b"*2\r\n+OK\r\n:1\r\n"
        with pytest.raises(Closed):
            killed.read()
        assert a.call("EXISTS", "x") == b":0\r\n"


def test_nothing_expires_while_writes_are_paused(durastore: Server) -> None:
    """What has expired is missing, but its removal, which would be journalled, has to wait."""
    with durastore.connect() as a:
        a.send(request("SET", "x", 1, "PX", 300) + request("CLIENT", "PAUSE", 100_000, "WRITE"))
        assert [a.read(), a.read()] == [b"+OK\r\n"] * 2
        a.call("DEBUG", "SLEEP", "0.31")
        assert a.call("GET", "x") == b"$-1\r\n"
        assert a.call("TTL", "x") == b":-2\r\n"
        assert a.call("RANDOMKEY") in (b"$-1\r\n", b"$1\r\nx\r\n")
        assert a.call("SCAN", 0) == b"*2\r\n$1\r\n0\r\n*0\r\n"
        assert a.call("DBSIZE") == b":1\r\n"
        a.call("CLIENT", "UNPAUSE")
        assert a.call("GET", "x") == b"$-1\r\n"
        assert a.call("DBSIZE") == b":0\r\n"
