"""``appendfsync always`` on a disk whose fsync is held up: who hears what before it has ended."""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trio

from support.disks import MemoryDisk
from support.inprocess import Running, make_server, running
from support.resp import request


class SlowDisk(MemoryDisk):
    """Its fsyncs of the log wait for ``go`` while they are ``held``, and fail where they are to."""

    def __init__(self) -> None:
        super().__init__()
        self.held = False
        self.go = threading.Semaphore(0)
        self.broken = False
        self.fault = self._wait

    def _wait(self, operation: str, path: str) -> OSError | None:
        if operation == "fsync" and self.held and path.endswith(".aof"):
            assert self.go.acquire(timeout=20)
            if self.broken:
                return OSError(errno.EIO, "broken on purpose")
        return None


class Peer:
    """A client that reads only what is there."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream

    async def send(self, *requests: bytes) -> None:
        await self.stream.send_all(b"".join(requests))

    def heard(self) -> bytes:
        """What has come by now."""
        try:
            return self.stream.socket._sock.recv(1 << 16)  # type: ignore[attr-defined,no-any-return]
        except BlockingIOError:
            return b""

    async def hears(self, wanted: bytes) -> None:
        """This comes, and nothing else."""
        assert await self.next(len(wanted)) == wanted

    async def next(self, size: int) -> bytes:
        """So many bytes, or more."""
        got = b""
        with trio.fail_after(20):
            while len(got) < size:
                got += await self.stream.receive_some()
        return got

    async def is_cut_off(self) -> None:
        """The end comes, and nothing before."""
        with trio.fail_after(20), contextlib.suppress(trio.BrokenResourceError):
            assert await self.stream.receive_some() == b""


async def until(true: Callable[[], bool]) -> None:
    with trio.fail_after(20):
        while not true():
            await trio.sleep(0.001)


class Play:
    """A server with the log on a slow disk."""

    def __init__(self, run: Running, disk: SlowDisk) -> None:
        self.run = run
        self.disk = disk

    async def peer(self) -> Peer:
        return Peer(await trio.open_unix_socket(self.run.server.config.resolve("s")))

    def hold(self) -> None:
        self.disk.held = True

    def let_one_go(self) -> None:
        """The fsync that is under way ends; the next one is held."""
        self.disk.go.release()

    def let_go(self) -> None:
        self.disk.held = False
        self.disk.go.release(100)

    async def executed(self) -> None:
        """What was sent is in the log, and not durable: the wake that did it has ended."""
        log = self.run.server.log
        await until(lambda: log.durable < log.appended())


@contextlib.asynccontextmanager
async def slow_server(folder: Path, policy: str = "always") -> AsyncIterator[Play]:
    disk = SlowDisk()
    server = make_server(folder, disk, appendonly="yes", appendfsync=policy)
    server.log.thread.quick_limit = -1
    async with running(server) as run:
        session = await run.connect()
        assert session is not None
        assert await session.call("SET", "ready", 1) == b"+OK\r\n"
        await session.close()
        play = Play(run, disk)
        try:
            yield play
        finally:
            play.let_go()


EVAL = request("EVAL", "redis.call('SET', KEYS[1], 'x') return 7", 1, "k")


@pytest.mark.parametrize(
    ("sent", "reply"),
    [
        (request("SET", "k", "v"), b"+OK\r\n"),
        (request("MULTI") + request("SET", "k", "v") + request("INCR", "n") + request("EXEC"), None),
        (EVAL, b":7\r\n"),
        (request("INCR", "n") * 50, b"".join(b":%d\r\n" % n for n in range(1, 51))),
        (request("SET", "k", "v") + request("PUBLISH", "c", "m"), b"+OK\r\n:0\r\n"),
    ],
    ids=["SET", "EXEC", "EVAL", "pipeline", "with others"],
)
async def test_no_reply_leaves_before_its_fsync(tmp_path: Path, sent: bytes, reply: bytes | None) -> None:
    async with slow_server(tmp_path) as play:
        writer, reader = await play.peer(), await play.peer()
        play.hold()
        await writer.send(sent)
        await play.executed()
        assert writer.heard() == b""
        # Whoever has seen it would be misled as well.
        hub = play.run.server.hub
        reads = hub.reads
        await reader.send(request("EXISTS", "k", "n"))
        await until(lambda: hub.reads > reads)
        assert reader.heard() == b""
        play.let_go()
        wanted = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:1\r\n" if reply is None else reply
        await writer.hears(wanted)


async def test_who_is_served_by_the_write_of_another_waits_for_its_fsync(tmp_path: Path) -> None:
    async with slow_server(tmp_path) as play:
        waiting, writer = await play.peer(), await play.peer()
        await waiting.send(request("BLPOP", "list", 0))
        await until(lambda: len(play.run.server.engine.blocking.blocked) > 0)
        play.hold()
        await writer.send(request("RPUSH", "list", "a"))
        await play.executed()
        assert waiting.heard() == writer.heard() == b""
        play.let_go()
        await waiting.hears(b"*2\r\n$4\r\nlist\r\n$1\r\na\r\n")
        await writer.hears(b":1\r\n")


async def test_the_policy_that_is_set_counts_from_then_on(tmp_path: Path) -> None:
    async with slow_server(tmp_path, "everysec") as play:
        writer, other = await play.peer(), await play.peer()
        play.hold()
        await writer.send(request("SET", "k", 1))
        await writer.hears(b"+OK\r\n")
        await writer.send(request("CONFIG", "SET", "appendfsync", "always") + request("SET", "k", 2))
        await play.executed()
        first = writer.heard()
        assert first in (b"", b"+OK\r\n"), "the write waits"
        await other.send(request("CONFIG", "SET", "appendfsync", "everysec"))
        await other.hears(b"+OK\r\n")
        await writer.hears(b"+OK\r\n+OK\r\n"[len(first) :])


def message(*words: str) -> bytes:
    return request(*words)


# What makes a listener of a connection, the reply to the last of it, and what it is told of a SET.
LISTENERS = {
    "a keyspace event": (
        [("SUBSCRIBE", "__keyevent@0__:set")],
        message("message", "__keyevent@0__:set", "k"),
    ),
    "an invalidation": (
        [("HELLO", "3"), ("CLIENT", "TRACKING", "ON"), ("GET", "k")],
        b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
    ),
    "an invalidation by prefix": (
        [("HELLO", "3"), ("CLIENT", "TRACKING", "ON", "BCAST")],
        b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
    ),
    "a message": (
        [("SUBSCRIBE", "c")],
        message("message", "c", "m"),
    ),
}


async def listener(play: Play, *requests: tuple[str, ...]) -> Peer:
    """A connection that has sent these, and heard the replies."""
    peer = await play.peer()
    for each in (("CONFIG", "SET", "notify-keyspace-events", "KEA"), *requests):
        await peer.send(request(*each))
        await peer.next(1)
        # Large replies may come in two.
        await trio.sleep(0.01)
        peer.heard()
    return peer


SET_AND_PUBLISH = (
    request("MULTI") + request("SET", "k", "v") + request("PUBLISH", "c", "m") + request("EXEC")
)  # fmt: skip


@pytest.mark.parametrize("kind", LISTENERS)
async def test_what_tells_of_a_write_waits_as_its_reply_does(tmp_path: Path, kind: str) -> None:
    requests, told = LISTENERS[kind]
    async with slow_server(tmp_path) as play:
        told_one, writer = await listener(play, *requests), await play.peer()
        play.hold()
        await writer.send(SET_AND_PUBLISH)
        await play.executed()
        assert told_one.heard() == writer.heard() == b""
        play.let_go()
        await told_one.hears(told)


async def test_what_monitor_shows_waits_as_the_reply_does(tmp_path: Path) -> None:
    async with slow_server(tmp_path) as play:
        watcher, writer = await listener(play, ("MONITOR",)), await play.peer()
        play.hold()
        await writer.send(request("SET", "k", "v"))
        await play.executed()
        assert watcher.heard() == b""
        play.let_go()
        assert b'"SET" "k" "v"' in await watcher.next(1)


async def test_who_waits_for_nothing_hears_at_once(tmp_path: Path) -> None:
    async with slow_server(tmp_path) as play:
        subscriber, other = await listener(play, ("SUBSCRIBE", "c")), await play.peer()
        play.hold()
        await other.send(request("PUBLISH", "c", "m") + request("GET", "ready"))
        await other.hears(b":1\r\n$1\r\n1\r\n")
        await subscriber.hears(message("message", "c", "m"))


async def test_nobody_waits_for_what_was_written_later(tmp_path: Path) -> None:
    """And what is told comes in the order in which it happened, whether it waits for a write of its own or not."""
    async with slow_server(tmp_path) as play:
        subscriber = await listener(play, ("SUBSCRIBE", "__keyevent@0__:set", "c"))
        reader, first, second = await play.peer(), await play.peer(), await play.peer()
        log, hub = play.run.server.log, play.run.server.hub
        play.hold()
        await first.send(request("SET", "a", 1))
        await play.executed()
        await until(lambda: log.thread.busy)
        reads = hub.reads
        await reader.send(request("GET", "a"))
        await until(lambda: hub.reads > reads)
        written = log.appended()
        await second.send(request("SET", "b", 2) + request("PUBLISH", "c", "m"))
        await until(lambda: log.appended() > written)
        play.let_one_go()
        await first.hears(b"+OK\r\n")
        await reader.hears(b"$1\r\n1\r\n")
        await subscriber.hears(message("message", "__keyevent@0__:set", "a"))
        assert second.heard() == subscriber.heard() == b""
        play.let_go()
        await second.hears(b"+OK\r\n:1\r\n")
        await subscriber.hears(message("message", "__keyevent@0__:set", "b") + message("message", "c", "m"))


async def test_who_waits_is_cut_off_where_the_fsync_fails(tmp_path: Path) -> None:
    """Nobody is told of a write that may be lost; when the log is mended, all goes on."""
    async with slow_server(tmp_path) as play:
        subscriber = await listener(play, ("SUBSCRIBE", "__keyevent@0__:set"))
        reader, writer = await play.peer(), await play.peer()
        hub = play.run.server.hub
        play.hold()
        await writer.send(request("SET", "k", "v"))
        await play.executed()
        reads = hub.reads
        await reader.send(request("GET", "k"))
        await until(lambda: hub.reads > reads)
        play.disk.broken = True
        play.let_one_go()
        for each in (writer, reader, subscriber):
            await each.is_cut_off()
        play.disk.broken = False
        play.let_go()
        await until(lambda: play.run.server.engine.write_refusal is None)
        again = await play.peer()
        await again.send(request("SET", "k", "w"))
        await again.hears(b"+OK\r\n")
