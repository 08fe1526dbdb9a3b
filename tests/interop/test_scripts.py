"""Scripts and functions in a real server: while they are slow, across a restart, and from redis-py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.exceptions

from support.resp import parse
from support.servers import Server

Starter = Callable[..., Server]

BUSY = b"-BUSY Redis is busy running a script. You can only call %b KILL or SHUTDOWN NOSAVE.\r\n"
LOOP = "while true do end"
LIBRARY = "#!lua name=lib\nredis.register_function('loop', function() while true do end end)\n" + (
    "redis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)"
)


@pytest.fixture
def slow(start_durastore: Starter) -> Server:
    """A server whose scripts are slow after a moment."""
    return start_durastore(busy_reply_threshold="20", appendonly="yes", appendfsync="always")


def until_busy(server: Server) -> None:
    """Returns when others hear of a slow script."""
    while not server.connect().call("PING").startswith(b"-BUSY"):
        pass


def test_a_slow_script_is_killed(slow: Server) -> None:
    caller, other = slow.connect(), slow.connect()
    caller.send(b"EVAL '%b' 0\r\nPING\r\n" % LOOP.encode())
    until_busy(slow)
    assert other.call("GET", "a") == BUSY % b"SCRIPT"
    assert other.call("FUNCTION", "STATS") == BUSY % b"SCRIPT"
    assert other.call("MULTI") == b"+OK\r\n"
    assert other.call("GET", "a") == BUSY % b"SCRIPT"
    assert other.call("DISCARD") == b"+OK\r\n"
    assert other.call("SCRIPT", "KILL") == b"+OK\r\n"
    assert caller.read().startswith(b"-ERR Script killed by user with SCRIPT KILL... script: ")
    assert caller.read() == b"+PONG\r\n"
    assert other.call("SCRIPT", "KILL") == b"-NOTBUSY No scripts in execution right now.\r\n"


def test_a_slow_function_is_killed(slow: Server) -> None:
    caller, other = slow.connect(), slow.connect()
    assert caller.call("FUNCTION", "LOAD", LIBRARY) == b"$3\r\nlib\r\n"
    caller.send(b"FCALL loop 0\r\n")
    until_busy(slow)
    assert other.call("SCRIPT", "KILL") == BUSY % b"FUNCTION"
    stats: Any = parse(other.call("FUNCTION", "STATS"))
    assert stats[1][:4] == [b"name", b"loop", b"command", [b"FCALL", b"loop", b"0"]]
    assert other.call("FUNCTION", "KILL") == b"+OK\r\n"
    assert caller.read().endswith(b"script: loop, on @user_function:2.\r\n")


def test_the_caller_of_a_slow_script_may_leave(slow: Server) -> None:
    caller, other = slow.connect(), slow.connect()
    caller.send(b"EVAL '%b' 0\r\n" % LOOP.encode())
    until_busy(slow)
    caller.close()
    assert other.call("SCRIPT", "KILL") == b"+OK\r\n"
    assert other.call("PING") == b"+PONG\r\n"


def test_the_server_ends_in_a_script_that_has_written_and_nothing_of_that_is_in_the_log(slow: Server) -> None:
    caller, other = slow.connect(), slow.connect()
    assert caller.call("SET", "before", 1) == b"+OK\r\n"
    caller.send(
        b"SET before 2\r\nEVAL \"redis.call('SET', 'a', 1) redis.call('SET', 'b', 1) %b\" 0\r\n" % LOOP.encode()
    )
    until_busy(slow)
    assert other.call("SCRIPT", "KILL").startswith(b"-UNKILLABLE ")
    assert other.call("SHUTDOWN") == BUSY % b"SCRIPT"
    other.send(b"SHUTDOWN NOSAVE\r\n")
    assert slow.process is not None
    assert slow.process.wait(30) == 0
    slow.start()
    assert parse(slow.connect().call("MGET", "before", "a", "b")) == [b"2", None, None]


def test_libraries_survive_a_restart(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always")
    assert server.call("FUNCTION", "LOAD", LIBRARY) == b"lib"
    assert server.call("FCALL", "add", 1, "n", 2) == 2
    for wanted in (5, 8):
        server.kill()
        server.start()
        assert server.call("FCALL", "add", 1, "n", 3) == wanted
        server.call("BGREWRITEAOF")
        server.until_info("persistence", "aof_rewrite_in_progress", "0")
        server.until_info("persistence", "aof_rewrite_scheduled", "0")


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py(durastore: Server, protocol: int) -> None:
    with redis.Redis(port=durastore.port, protocol=protocol) as client:
        client.script_flush()
        multiply = client.register_script("return redis.call('GET', KEYS[1]) * ARGV[1]")
        client.set("foo", 2)
        assert multiply(keys=["foo"], args=[5]) == 10
        assert client.script_exists(multiply.sha) == [True]
        client.script_flush()
        with client.pipeline() as pipeline:
            multiply(keys=["foo"], args=[3], client=pipeline)
            pipeline.set("bar", 1)
            assert pipeline.execute() == [6, True]
        with pytest.raises(redis.exceptions.NoScriptError):
            client.evalsha("0" * 40, 0)
        with pytest.raises(redis.exceptions.ResponseError, match="user_script:1: no"):
            client.eval("error('no')", 0)
        assert client.eval_ro("return redis.call('GET', KEYS[1])", 1, "foo") == b"2"
        assert client.function_load("#!lua name=py\nredis.register_function('echo', function(k, a) return a end)") in (
            "py",
            b"py",
        )
        assert client.fcall("echo", 0, "x", "y") == [b"x", b"y"]
        dump = client.function_dump()
        assert client.function_flush()
        assert client.function_restore(dump)
        assert client.function_delete("py")


def test_a_snapshot_has_the_libraries(start_durastore: Starter) -> None:
    server = start_durastore(enable_debug_command="yes")
    server.call("FUNCTION", "LOAD", LIBRARY)
    server.call("SAVE")
    server.kill()
    server.start()
    assert server.call("FCALL", "add", 1, "n", 2) == 2
    assert server.call("DEBUG", "RELOAD") == "OK"
    assert server.call("FCALL", "add", 1, "n", 2) == 4
