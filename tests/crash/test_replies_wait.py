"""``appendfsync always`` on a disk whose fsync is held up: who hears what before it has ended."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trio

from support.disks import MemoryDisk
from support.inprocess import Running, make_server, running
from support.resp import request


class SlowDisk(MemoryDisk):
    """Its fsyncs of the log wait for ``go`` while they are ``held``."""

    def __init__(self) -> None:
        super().__init__()
        self.held = False
        self.go = threading.Event()
        self.fault = self._wait

    def _wait(self, operation: str, path: str) -> None:
        if operation == "fsync" and self.held and path.endswith(".aof"):
            assert self.go.wait(20)


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
        got = b""
        with trio.fail_after(20):
            while len(got) < len(wanted):
                got += await self.stream.receive_some()
        assert got == wanted


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
        self.disk.go.clear()
        self.disk.held = True

    def let_go(self) -> None:
        self.disk.held = False
        self.disk.go.set()

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
