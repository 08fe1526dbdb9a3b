"""Every single call to the disk fails once, or the power fails in it, and nothing that was acknowledged is lost."""

from __future__ import annotations

import copy
import errno
import functools
import itertools
import logging
import os
import random
from pathlib import Path

import pytest
import trio

from durastore.config import table as directives
from durastore.persistence.aof import rewrite
from durastore.persistence.loader import Loader
from support.disks import MemoryDisk
from support.inprocess import Running, Session, make_server, running

# Each disk call is tried in one run of so many; FAULTS=1 tries them all.
STRIDE = int(os.environ.get("FAULTS", "5"))


class Ledger:
    """What was asked for, what was acknowledged, and what of it must not be lost."""

    def __init__(self) -> None:
        self.tried = 0
        self.acknowledged: list[int] = []
        # So many of the acknowledged are under the promise of ``appendfsync always``.
        self.sure = 0
        self.counted = 0
        self.sure_count = 0

    def promises(self) -> tuple[set[int], int]:
        return set(self.acknowledged[: self.sure]), self.sure_count


class Play:
    """A server's life in which all that touches the disk happens."""

    def __init__(self, folder: Path, disk: MemoryDisk) -> None:
        self.folder = folder
        self.disk = disk
        self.ledger = Ledger()
        self.session: Session | None = None
        self.run: Running | None = None
        # Whether an acknowledgement is a promise at present.
        self.promising = False

    async def call(self, *words: bytes | str | int) -> bytes | None:
        assert self.run is not None
        if self.session is None:
            self.session = await self.run.connect()
        if self.session is None:
            return None
        reply = await self.session.call(*words)
        if reply is None:
            self.session = None
        return reply

    async def write(self) -> bytes | None:
        """Sets a new key and counts; the reply of the last."""
        ledger = self.ledger
        ledger.tried += 1
        number = ledger.tried
        reply = await self.call("SET", f"key:{number}", f"value {number}")
        if reply == b"+OK\r\n":
            ledger.acknowledged.append(number)
            if self.promising:
                ledger.sure = len(ledger.acknowledged)
        counted = await self.call("INCR", "count")
        if counted is None or counted.startswith(b":"):
            ledger.counted += 1
        if counted is not None and counted.startswith(b":") and self.promising:
            ledger.sure_count = int(counted[1:])
        for each in (reply, counted):
            assert each is None or each.startswith((b"+OK", b":", b"-MISCONF")), each
        return counted

    async def writes(self, count: int) -> None:
        for _ in range(count):
            await self.write()

    async def settled(self) -> None:
        """Returns when nothing goes on in the background."""
        assert self.run is not None
        server = self.run.server
        while (server.log.rewriting or server.saver.in_progress) and not self.run.ended.is_set():
            await trio.sleep(0.001)

    async def play(self, run: Running) -> None:
        self.run = run
        server = run.server
        self.promising = True
        await self.writes(2)
        await self.call("BGREWRITEAOF")
        await self.writes(2)
        await self.settled()
        await self.writes(1)
        await self.call("BGSAVE")
        await self.writes(1)
        await self.settled()
        await self.call("SAVE")
        self.promising = False
        await self.call("CONFIG", "SET", "appendfsync", "everysec")
        await self.writes(2)
        if await self.call("CONFIG", "SET", "appendfsync", "always") == b"+OK\r\n":
            self.promising = True
        await self.writes(1)
        self.promising = False
        await self.call("CONFIG", "SET", "appendonly", "no")
        await self.writes(1)
        await self.call("CONFIG", "SET", "appendonly", "yes")
        await self.writes(1)
        await self.settled()
        self.promising = server.rewriter.on and server.rewriter.complete
        await self.writes(2)


class Examiner:
    """Starts servers on disks that others have left."""

    def __init__(self, folder: Path) -> None:
        self._server = make_server(folder, MemoryDisk(), appendonly="yes")

    async def examine(self, disk: MemoryDisk, ledger: Ledger, promises: tuple[set[int], int]) -> None:
        """What was promised is there, and nothing that was never asked for."""
        server = self._server
        for db in server.engine.instance.keyspace.databases:
            db.flush()
        server.loader = Loader(server.engine, disk, server.loader._settings, server.loader._rdb_path)
        await server.loader.load(True)
        db = server.engine.instance.keyspace.databases[0]
        found = {key: db.lookup(key, 1) for key in db.scan(0, 1 << 30)[1]}
        count = found.pop(b"count", b"0")
        assert isinstance(count, bytes)
        sure, sure_count = promises
        for number in sure:
            assert found.get(b"key:%d" % number) == b"value %d" % number, f"key:{number} was acknowledged"
        for key, value in found.items():
            number = int(key.partition(b":")[2])
            assert number <= ledger.tried
            assert value == b"value %d" % number
        assert sure_count <= int(count) <= ledger.counted, "what was counted, and nothing of it twice"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrite, "MEND_DELAY", 0)
    logging.getLogger("durastore").setLevel(logging.CRITICAL)


@pytest.mark.parametrize("history", ["0", "3600"])
async def test_the_power_fails_in_every_disk_call(tmp_path: Path, history: str) -> None:
    disk = MemoryDisk()
    play = Play(tmp_path, disk)
    disks: list[tuple[MemoryDisk, tuple[set[int], int]]] = []

    def note(operation: str, path: str) -> None:
        promises = play.ledger.promises()
        for after in (disk.after_power_failure, disk.after_luck, disk.after_kill):
            disks.append((after(), promises))

    disk.fault = note
    server = make_server(tmp_path, disk, appendonly="yes", appendfsync="always", aof_history_max_age=history)
    async with running(server) as run:
        await play.play(run)
    assert play.ledger.sure > 10
    assert len(disks) > 300
    examiner = Examiner(tmp_path)
    for after, promises in disks:
        await examiner.examine(after, play.ledger, promises)


async def life_with_a_fault(folder: Path, examiner: Examiner, first: int, calls: int, code: int) -> bool:
    """Has so many calls fail from the one with this number on; False where there is no such call."""
    disk = MemoryDisk()
    play = Play(folder, disk)
    broken: list[tuple[str, str]] = []

    def fault(operation: str, path: str) -> OSError | None:
        if first <= len(disk.calls) <= first + calls - 1:
            broken.append((operation, path))
            return OSError(code if operation in ("write", "create") else errno.EIO, "broken on purpose")
        return None

    disk.fault = fault
    # In some of the lives the history is kept, so much that the oldest of it has to go.
    history = {"aof_history_max_age": "3600", "aof_history_max_size": "300"} if calls > 1 else {}
    server = make_server(folder, disk, appendonly="yes", appendfsync="always", **history)
    async with running(server) as run:
        await play.play(run)
        disk.fault = None
        promises = play.ledger.promises()
        for after in (disk.after_power_failure(), disk.after_luck(), disk.after_kill()):
            await examiner.examine(after, play.ledger, promises)
        if run.ended.is_set():
            assert run.status == 1
        else:
            with trio.fail_after(20):
                await recovered(play, run)
            await play.writes(2)
            assert play.ledger.sure == len(play.ledger.acknowledged)
    server.log.thread.close()
    for after in (disk.after_power_failure(), disk.after_kill()):
        await examiner.examine(after, play.ledger, play.ledger.promises())
    return bool(broken)


async def recovered(play: Play, run: Running) -> None:
    """Returns when writes are acknowledged again, without a restart."""
    server = run.server
    play.promising = False
    if server.config[directives.APPEND_FSYNC] != "always":
        assert await play.call("CONFIG", "SET", "appendfsync", "always") == b"+OK\r\n"
    while not server.rewriter.on:
        await play.call("CONFIG", "SET", "appendonly", "yes")
    while server.engine.write_refusal is not None or not server.rewriter.complete or server.log.rewriting:
        server.rewriter.consider()
        if not server.saver.last_ok and not server.saver.in_progress and not server.log.rewriting:
            await play.call("BGSAVE")
        await trio.sleep(0.001)
    play.promising = True


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("calls", [1, 7])
async def test_every_disk_call_fails(tmp_path: Path, calls: int, code: int) -> None:
    examiner = Examiner(tmp_path)
    start = random.randrange(STRIDE)
    for first in itertools.count(start + 1, STRIDE):
        try:
            if not await life_with_a_fault(tmp_path, examiner, first, calls, code):
                assert first > 100
                break
        except BaseException as error:
            error.add_note(f"call {first}")
            raise


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
async def test_every_disk_call_of_a_start_fails(tmp_path: Path, code: int) -> None:
    """The start is refused, or all is there and promised; and so it is with the next start."""
    before = MemoryDisk()
    first = Play(tmp_path, before)
    async with running(make_server(tmp_path, before, **WITH_HISTORY)) as first.run:
        first.promising = True
        await first.writes(2)
        await first.call("BGREWRITEAOF")
        await first.settled()
        await first.writes(2)
    log = f"{tmp_path}/appendonlydir/appendonly.aof.2.incr.aof"
    # What nobody was promised is torn.
    before.names[log].data += b"#CRC64:"
    examiner = Examiner(tmp_path)
    refused = 0
    for number in itertools.count(random.randrange(STRIDE) + 1, STRIDE):
        print(f"call {number}")
        disk = before.after_kill()
        broken: list[tuple[str, str]] = []
        disk.fault = functools.partial(break_one, disk, number, code, broken)
        play = Play(tmp_path, disk)
        play.ledger = copy.deepcopy(first.ledger)
        async with running(make_server(tmp_path, disk, **WITH_HISTORY)) as play.run:
            if await play.run.connect() is None:
                assert play.run.status == 1
                refused += 1
            elif not broken:
                break
            disk.fault = None
        disk = disk.killed()
        async with running(make_server(tmp_path, disk, **WITH_HISTORY)) as play.run:
            with trio.fail_after(20):
                await recovered(play, play.run)
            await play.writes(1)
        for after in (disk.after_power_failure(), disk.after_kill()):
            await examiner.examine(after, play.ledger, play.ledger.promises())
    assert refused


WITH_HISTORY = {"appendonly": "yes", "appendfsync": "always", "aof_history_max_age": "3600"}


def break_one(
    disk: MemoryDisk, number: int, code: int, broken: list[tuple[str, str]], operation: str, path: str
) -> OSError | None:
    if len(disk.calls) != number:
        return None
    broken.append((operation, path))
    return OSError(code, os.strerror(code), path)
