"""A rewrite that mends the log: in each of its disk calls the power fails, or the process is killed, and starts again.

The log begins whole, or with a damaged end that was set aside; then an fsync, a write, or a write together with the cut
that is to take it back, fails: before a rewrite, or in the middle of one.
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from durastore.persistence.aof import rewrite
from support.disks import MemoryDisk
from support.engines import engine
from support.inprocess import Running, make_server, running
from support.resp import request
from support.simulation import world
from support.simulation.load import Asked
from support.simulation.machine import Machine
from support.simulation.play import Life, Report, violation_in

LOG = "/appendonlydir/appendonly.aof.1.incr.aof"
# Each call that may fail is tried in one run of so many; FAULTS=1 tries them all.
STRIDE = int(os.environ.get("FAULTS", "7"))
DRAWS = 2
PATIENCE = 20.0

Damage = Callable[[bytes, int], bytes]


def whole(data: bytes, end: int) -> bytes:
    return data[:end]


def torn(data: bytes, end: int) -> bytes:
    return data[:-9]


def flipped(data: bytes, end: int) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


def zeros_within(data: bytes, end: int) -> bytes:
    middle = (end + len(data)) // 2
    return data[:end] + bytes(middle - end) + data[middle:]


def garbage(data: bytes, end: int) -> bytes:
    return data[:end] + random.Random(end).randbytes(700)


DAMAGES: list[Damage] = [whole, torn, flipped, zeros_within, garbage]


class Script(Life):
    """A life that is told what happens; ``struck`` says which disk calls fail, by kind, path and number."""

    def __init__(self, seed: int, damage: Damage, struck: Callable[[str, str, int], bool]) -> None:
        super().__init__(seed, engine(), draws=DRAWS)
        self.fillers = 0
        self.log = True
        self.directives = {
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "aof_load_corrupt_tail_max_size": "1mb",
        }
        self.damage = damage
        self.struck = struck
        self.armed = False
        self.armed_calls = 0
        self.hit = False
        self.written = 0
        self.faults.strike = self._strike  # type: ignore[method-assign]
        self.faults.delay = lambda operation: 0.002  # type: ignore[method-assign]

    def _strike(self, operation: str, path: str, now: float) -> OSError | None:
        if not self.armed:
            return None
        self.armed_calls += 1
        if not self.struck(operation, path, self.armed_calls):
            return None
        self.hit = True
        return OSError(errno.EIO, os.strerror(errno.EIO))

    async def play(self, now: world.World, patch: pytest.MonkeyPatch) -> Report:
        patch.setattr(rewrite, "MEND_DELAY", 0)
        self.now = self.disk.now = now.now
        files = await self._first_life(patch)
        self.ledger.listed = self.ledger.sure.listed
        machine = Machine(self.disk.holding(files), self.ledger, self.chance, **self.directives)
        self.disk.before = functools.partial(self._note, machine)
        async with trio.open_nursery() as nursery:
            assert await machine.boot(nursery)
            # What is left before a damaged end was set aside cannot be started on without the directive.
            for crash in self.crashes:
                crash.damaged = True
            await self._write(machine, 3)
            self.armed = True
            if self.in_a_rewrite:
                assert (await machine.tell("BGREWRITEAOF")).startswith(b"+")
            await self._write(machine, 2)
            while self.in_a_rewrite and machine.server.log.rewriting and machine.server.rewriter.snapshot is None:
                await trio.sleep(0.001)
            await self._write(machine, 3)
            await self._mended(machine)
            self.armed = False
            await self._mended(machine)
            await self._write(machine, 3)
            assert self.ledger.sure.listed == machine.listed(), "all is promised again"
            self._note(machine, "the end", "")
            self.disk.before = lambda operation, path: None
            nursery.cancel_scope.cancel()
        machine.end()
        self.judge(machine)
        await self._crash_again(machine)
        return self.report

    in_a_rewrite = True

    async def _first_life(self, patch: pytest.MonkeyPatch) -> dict[str, bytes]:
        """The files of a server that was killed, the last stretch of which, which nobody was promised, is damaged."""
        machine = Machine(self.disk, self.ledger, self.chance, **self.directives)
        self.ledger.starts.add(0)
        async with trio.open_nursery() as nursery:
            assert await machine.boot(nursery)
            await self._write(machine, 4)
            end = len(self.disk.names[LOG].data)
            promised = self.ledger.sure
            if self.damage is not whole:
                await self._write(machine, 1)
            nursery.cancel_scope.cancel()
        machine.end()
        self.ledger.sure = promised
        for place in [place for place in self.ledger.placed if place > promised.listed]:
            del self.ledger.placed[place]
        files = self.disk.after_power_failure("everything", self.chance)
        files[LOG] = self.damage(files[LOG], end)
        self.disk.changes = []
        return files

    async def _write(self, machine: Machine, count: int) -> None:
        """Writes one after the other, some in transactions; who is cut off comes back."""
        peer = machine.connect(1)
        for _ in range(count):
            self.written += 1
            name = f"p1.{self.written}"
            self.ledger.sent.add(name)
            await machine.call(peer, [(Asked("write", name, 1), request("RPUSH", "log", name))])
            if peer.closed:
                peer = machine.connect(1)
        machine.leave(peer)

    async def _mended(self, machine: Machine) -> None:
        """Returns when the log is as good as new, or when what fails does not end of itself."""
        server = machine.server
        end = self.now() + PATIENCE
        while server.log.rewriting or server.engine.write_refusal is not None or not server.log.reliable():
            if self.now() > end:
                assert self.armed, server.engine.write_refusal
                return
            await trio.sleep(0.05)


class Before(Script):
    in_a_rewrite = False


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("durastore").setLevel(logging.CRITICAL + 1)


def run(script: Script) -> Script:
    try:
        world.run(script.seed, script.play)
    except BaseException as error:
        found = violation_in(error)
        if found is not None:
            raise AssertionError(str(found)) from error
        raise
    return script


def an_fsync(of: str, number: int) -> Callable[[str, str, int], bool]:
    """An fsync of an incremental file fails, the one with this number."""
    left = [number]

    def struck(operation: str, path: str, at: int) -> bool:
        if operation != "fsync" or not path.endswith(of):
            return False
        left[0] -= 1
        return left[0] == 0

    return struck


def first_write(takes_back: bool) -> Callable[[str, str, int], bool]:
    """The next write to the log fails; with ``takes_back`` what it has left behind is cut off."""
    left = ["write"] if takes_back else ["write", "truncate"]

    def struck(operation: str, path: str, number: int) -> bool:
        if not left or operation != left[0] or not path.endswith(".incr.aof"):
            return False
        del left[0]
        return True

    return struck


FAULTS: dict[str, Callable[[], Callable[[str, str, int], bool]]] = {
    "fsync of the old file": lambda: an_fsync(".1.incr.aof", 1),
    "second fsync of the old file": lambda: an_fsync(".1.incr.aof", 2),
    "fsync of the new file": lambda: an_fsync(".2.incr.aof", 1),
    "third fsync of the new file": lambda: an_fsync(".2.incr.aof", 3),
    "write": lambda: first_write(True),
    "write and cut": lambda: first_write(False),
}


CASES = [(kind, fault) for kind in (Before, Script) for fault in FAULTS if kind is Script or "new file" not in fault]


@pytest.mark.parametrize(("kind", "fault"), CASES)
def test_a_log_is_mended(kind: type[Script], fault: str) -> None:
    script = run(kind(1, whole, FAULTS[fault]()))
    assert script.hit
    assert script.report.states > 50


@pytest.mark.parametrize("damage", DAMAGES[1:])
def test_a_log_with_a_damaged_end_is_mended(damage: Damage) -> None:
    script = run(Script(1, damage, FAULTS["second fsync of the old file"]()))
    assert script.hit
    assert script.report.refused > 0


@pytest.mark.parametrize("count", [1, 4])
def test_any_disk_call_of_a_rewrite_fails(count: int) -> None:
    number = 1 + random.randrange(STRIDE)
    tried = 0
    while True:
        struck = functools.partial(lambda first, operation, path, at: first <= at < first + count, number)
        script = Script(number, whole, struck)
        try:
            run(script)
        except BaseException as error:
            error.add_note(f"calls from {number} on")
            raise
        if not script.hit:
            break
        tried += 1
        number += STRIDE
    assert tried * STRIDE > 10


class Sick(MemoryDisk):
    """A disk on which what ``fails`` names by operation and end of the path fails."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: list[tuple[str, str]] = []
        self.fault = self._strike

    def _strike(self, operation: str, path: str) -> OSError | None:
        if any(operation == each and path.endswith(end) for each, end in self.fails):
            return OSError(errno.EIO, os.strerror(errno.EIO))
        return None


async def reply(run: Running, *words: str) -> bytes | None:
    session = await run.connect()
    assert session is not None
    answer = await session.call(*words)
    await session.close()
    return answer


async def mended(run: Running) -> None:
    """Returns when the server has started, and accepts writes again."""
    assert await reply(run, "PING") == b"+PONG\r\n"
    with trio.fail_after(20):
        while run.server.engine.write_refusal is not None:
            await trio.sleep(0.001)


async def test_the_mark_stays_until_there_is_a_new_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrite, "MEND_DELAY", 0)
    disk = Sick()
    mark = f"{tmp_path}/appendonlydir/appendonly.aof.distrusted"
    no_base = ("create", ".base.rdb")
    async with running(make_server(tmp_path, disk, appendonly="yes", appendfsync="always")) as run:
        assert await reply(run, "SET", "k", "1") == b"+OK\r\n"
        disk.fails = [("fsync", ".incr.aof"), no_base]
        assert await reply(run, "SET", "k", "2") is None
    for _ in range(2):
        disk = disk.killed()
        disk.fails = [no_base]
        assert mark in disk.names
        async with running(make_server(tmp_path, disk, appendonly="yes", appendfsync="always")) as run:
            answer = await reply(run, "SET", "k", "3")
            assert answer is not None
            assert answer.startswith(b"-MISCONF")
    disk = disk.killed()
    async with running(make_server(tmp_path, disk, appendonly="yes", appendfsync="always")) as run:
        await mended(run)
        assert mark not in disk.names
        assert await reply(run, "SET", "k", "4") == b"+OK\r\n"


@pytest.mark.parametrize("policy", ["always", "everysec"])
async def test_a_shutdown_waits_until_everything_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    monkeypatch.setattr(rewrite, "MEND_DELAY", 0)
    disk = Sick()
    async with running(make_server(tmp_path, disk, appendonly="yes", appendfsync=policy)) as run:
        assert await reply(run, "SET", "k", "1") == b"+OK\r\n"
        disk.fails = [("fsync", ".incr.aof"), ("create", ".base.rdb")]
        # With everysec the fsync may have failed before.
        await reply(run, "SET", "k", "2")
        for _ in range(2):
            assert await reply(run, "SHUTDOWN") == b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
        found = await reply(run, "GET", "k")
        disk.fails = []
        await mended(run)
        assert await reply(run, "SHUTDOWN") is None
        await run.ended.wait()
        assert run.status == 0
    async with running(make_server(tmp_path, disk.killed(), appendonly="yes")) as run:
        assert await reply(run, "GET", "k") == found


async def test_an_fsync_that_fails_at_the_start_is_not_forgotten_by_the_next(tmp_path: Path) -> None:
    """Who supervises the server starts it again at once."""
    disk = Sick()
    async with running(make_server(tmp_path, disk, appendonly="yes", appendfsync="always")) as run:
        assert await reply(run, "SET", "k", "1") == b"+OK\r\n"
    disk = disk.killed()
    disk.fails = [("fsync", ".incr.aof")]
    async with running(make_server(tmp_path, disk, appendonly="yes", appendfsync="always")) as run:
        await run.ended.wait()
        assert run.status == 1
    disk = disk.killed()
    server = make_server(tmp_path, disk, appendonly="yes", appendfsync="always")
    async with running(server) as run:
        await mended(run)
        assert server.rewriter.rewrites == 1, "a new base was written first"
        assert await reply(run, "GET", "k") == b"1"
