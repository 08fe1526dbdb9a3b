"""A server in a simulated world: its own start, its own hub over real sockets, its own periodic work."""

from __future__ import annotations

import random
import select
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from durastore.config import table as directives
from durastore.persistence.aof.syncing import SyncJob, SyncThread
from durastore.server.server import Server
from support.inprocess import make_server
from support.resp import request
from support.simulation.disk import SimulatedDisk
from support.simulation.judge import listed
from support.simulation.load import Asked, Ledger, Peer, Promise
from support.simulation.world import Fiber


class SimulatedSyncThread(SyncThread):
    """Does its jobs in fibers.  Chance says now and then that the disk is quick, or slow enough to gather more."""

    def __init__(self, ended: Callable[[], None], chance: random.Random) -> None:
        super().__init__()
        self._ended = ended
        self._chance = chance
        self._nursery: trio.Nursery | None = None
        self._fiber: Fiber | None = None

    def quick(self) -> bool:
        return self._chance.random() < 0.5

    def expected(self) -> int:
        return 2_000_000 if self._chance.random() < 0.5 else 0

    def begin(self, job: SyncJob) -> None:
        assert self._nursery is not None
        self.job = job
        self._fiber = Fiber(job.run)
        self._nursery.start_soon(self._drive, job, self._fiber)

    async def _drive(self, job: SyncJob, fiber: Fiber) -> None:
        while not fiber.step():
            await trio.sleep(fiber.wait)
        if self.job is job:
            self._ended()

    def finished(self) -> SyncJob | None:
        job = self.job
        if job is not None:
            assert self._fiber is not None
            while not self._fiber.step():
                pass
            self.job = None
        return job

    async def run(self, ready: Callable[[], None]) -> None:
        async with trio.open_nursery() as self._nursery:
            self.alive = True
            ready()
            try:
                await trio.sleep_forever()
            finally:
                self.alive = False


class Machine:
    """A server on a disk, with its clients."""

    def __init__(self, disk: SimulatedDisk, ledger: Ledger, chance: random.Random, **directives: str) -> None:
        self.disk = disk
        self.ledger = ledger
        self.chance = chance
        self.server: Server = make_server(Path("/"), disk, **{"hz": "10", **directives})
        self.peers: list[Peer] = []
        self._stirred = trio.Event()
        self._use_fibers()
        self._note_snapshots()
        disk.fsync_begins = self._fsync_begins
        disk.fsync_ended = self._fsync_ended

    def _use_fibers(self) -> None:
        server = self.server
        server.hub.epoll.unregister(server.log.thread.watched)
        server.log.thread.close()
        server.log.thread = SimulatedSyncThread(self._sync_ended, self.chance)

    def _sync_ended(self) -> None:
        self.server.log.sync_ended(len(self.server.hub.gate))
        # Where the hub waits for more to share the next fsync, it has to look whether any comes.
        self._stirred.set()

    def _note_snapshots(self) -> None:
        """Where each snapshot begins, and which the last is that is there."""
        saver: Any = self.server.saver
        begin, succeeded = saver._begin, saver._succeeded
        begun: list[int] = [0]

        def note(at_once: bool) -> object:
            begun[0] = self.listed()
            self.ledger.starts.add(begun[0])
            return begin(at_once)

        def done(*arguments: Any) -> None:
            self.ledger.saved = max(self.ledger.saved, begun[0])
            succeeded(*arguments)

        saver._begin, saver._succeeded = note, done

    def listed(self) -> int:
        return listed(self.server.engine.instance.keyspace.databases[0])

    # What is promised, when

    def _fsync_begins(self, path: str) -> object:
        writer = self.server.log.writer
        if writer is None or writer.path != path or not self.has_log() or not self.server.log.reliable():
            return None
        if self.server.log.unwritten():
            # What is answered is not all in the file yet.
            return None
        self.observe()
        return self.ledger.answered()

    def _fsync_ended(self, path: str, mark: object) -> None:
        if isinstance(mark, Promise) and self.server.log.reliable() and self.has_log():
            self.ledger.promise(mark)

    def has_log(self) -> bool:
        return self.server.rewriter.on and self.server.rewriter.complete

    def observe(self) -> None:
        """Takes note of what has been answered by now."""
        always = self.has_log() and self.server.config[directives.APPEND_FSYNC] == "always"
        sound = self.server.log.error is None and self.server.log.reliable()
        for peer in self.peers:
            peer.drain(always, always and sound)

    # Life

    async def boot(self, nursery: trio.Nursery) -> bool:
        """Starts the server; whether it has started."""
        server = self.server
        server.engine.loading = True
        server.engine.update_guard()
        server.saver.open(nursery)
        await server._serve(nursery)
        nursery.start_soon(self._react)
        return not server.engine.loading

    async def _react(self) -> None:
        """Serves the sockets some time after clients have sent something."""
        while True:
            await self._stirred.wait()
            self._stirred = trio.Event()
            await trio.sleep(self.chance.random() * 0.001)
            self.turn()

    def turn(self) -> None:
        # What was answered in one wake counts by the policy of that time, which the next may change.
        self.observe()
        while self.server.hub.turn(0.0):
            self.observe()

    def connect(self, number: int) -> Peer:
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
        connection = self.server.admission.admit(theirs, "", True)
        assert connection is not None
        self.server.hub.connections[connection.fd] = connection
        self.server.hub.epoll.register(connection.fd, select.EPOLLIN)
        peer = Peer(number, self.ledger, ours)
        self.peers.append(peer)
        return peer

    async def call(self, peer: Peer, asked: list[tuple[Asked, bytes]]) -> None:
        """Sends requests, and returns when they are answered or the connection has ended."""
        peer.send(asked)
        self._stirred.set()
        patience = 0.0005
        while not peer.closed and peer.waiting:
            await trio.sleep(patience)
            patience = min(patience * 1.5, 0.05)
            self.observe()
        if peer.closed and peer in self.peers:
            self.peers.remove(peer)
            peer.sock.close()

    async def tell(self, *words: str) -> bytes:
        """An administrative request on a connection of its own; its reply, empty where there was none."""
        peer = self.connect(-1)
        asked = Asked("admin", "", 1)
        await self.call(peer, [(asked, request(*words))])
        self.leave(peer)
        return asked.last

    def leave(self, peer: Peer) -> None:
        if peer in self.peers:
            self.peers.remove(peer)
        peer.sock.close()
        self.turn()

    def end(self) -> None:
        """The process is gone."""
        self.server.hub.close()
        for peer in self.peers:
            peer.sock.close()
        self.server.log.thread.close()
