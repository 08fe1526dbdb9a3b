"""Lives of a server, each of a seed, and a crash in every disk call of each."""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import trio

from durastore.engine.engine import Engine
from durastore.keyspace.limits import Limits
from durastore.persistence.aof.distrust import is_marked
from durastore.persistence.rdb import RdbWriter
from durastore.server.settings import log_settings
from support.engines import engine
from support.simulation import world
from support.simulation.disk import Faults, SimulatedDisk, outcomes
from support.simulation.judge import RDB, Judge, Violation
from support.simulation.load import Ledger, Promise, next_requests
from support.simulation.machine import Machine

# How long clients are at work, in virtual seconds, and how long a server has to recover from what the disk did to it.
SECONDS = 4.0
RECOVERY = 150.0
# So many of the crashes of a life are followed by a start that crashes again, in every disk call.
AGAIN = 2

Plant = Callable[[Machine, pytest.MonkeyPatch], None]


@dataclass
class Crash:
    """What was on disk when the power failed in a disk call, and what had been promised by then."""

    call: str
    outcome: str
    files: dict[str, bytes]
    promise: Promise
    # Whether something is damaged, and not only missing: a start without aof-load-corrupt-tail-max-size is refused.
    damaged: bool
    # The disk itself, where only the process was killed.
    disk: SimulatedDisk | None = None


@dataclass
class Report:
    """What was tried in a life, and what came of it."""

    seed: int
    calls: int = 0
    crashes: int = 0
    states: int = 0
    second: int = 0
    writes: int = 0
    refused: int = 0
    kept: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    violation: str = ""


class Life:
    """One server's life, as its seed has it; what a crash leaves is drawn ``draws`` times."""

    def __init__(self, seed: int, judging: Engine, plant: Plant | None = None, draws: int = 1) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.judging = judging
        self.plant = plant
        self.draws = draws
        self.report = Report(seed)
        self.ledger = Ledger()
        chance = self.chance
        self.fillers = chance.choice([0, 0, 150])
        self.log = chance.random() < 0.85
        self.directives = {
            "appendonly": "yes" if self.log else "no",
            "appendfsync": chance.choice(["always", "always", "everysec"]),
            "auto_aof_rewrite_min_size": chance.choice(["2kb", "64mb"]),
            "aof_use_rdb_preamble": chance.choice(["yes", "yes", "no"]),
            "aof_timestamp_enabled": chance.choice(["yes", "no"]),
            "save": chance.choice(["", "1 5"]),
            "stop_writes_on_bgsave_error": "no",
            "aof_history_max_age": random.Random(seed ^ 0xA0F).choice(["0", "3600"]),
        }
        self.faults = Faults(chance)
        self.disk = SimulatedDisk(random.Random(seed ^ 0xD15C), self.faults)
        self.crashes: list[Crash] = []
        self._seen: set[bytes] = set()
        self._outcomes = random.Random(seed ^ 0x0DDB)

    # Crashes

    def _note(self, machine: Machine, operation: str, path: str) -> None:
        """The power may fail now: keeps what would be left, unless the same was kept already."""
        machine.observe()
        promise = self.ledger.now()
        for outcome in outcomes(self.draws):
            self.report.crashes += 1
            files = machine.disk.after_power_failure(outcome, self._outcomes)
            mark = hashlib.blake2b(repr(promise).encode())
            for name in sorted(files):
                mark.update(b"%d %d %b%b" % (len(name), len(files[name]), name.encode(), files[name]))
            damaged = outcome == "anything" or (outcome != "everything" and machine.disk.has_lost())
            mark.update(b"damaged" if damaged else b"")
            if mark.digest() not in self._seen:
                self._seen.add(mark.digest())
                call = f"{machine.disk.calls} ({operation} {path})"
                alive = outcome == "everything" and self._goes_on(machine)
                self.crashes.append(
                    Crash(call, outcome, files, promise, damaged, machine.disk.twin() if alive else None)
                )

    def _goes_on(self, machine: Machine) -> bool:
        """Whether it is tried what a server does that was killed, on the disk as it is, with all that a cache hides.

        Nobody can tell what an fsync has lost where the process was killed before it could mark the log.
        """
        if machine.disk.has_lost():
            settings = machine.server.log.settings
            return is_marked(machine.disk, settings.folder, settings.filename)
        return self._outcomes.random() < 0.1

    def judge(self, machine: Machine) -> None:
        """Starts from all that crashes have left so far."""
        judge = Judge(log_settings(machine.server.config), self.judging, self.fillers)
        for crash in self.crashes:
            try:
                self._judge(judge, crash)
            except Violation as violation:
                raise Violation(f"crash in call {crash.call}, {crash.outcome} left: {violation}") from violation
        self.report.states += judge.loaded
        self.report.refused += judge.refused
        self.report.kept += judge.kept

    def _judge(self, judge: Judge, crash: Crash) -> None:
        judge.snapshot(crash.files, self.ledger, crash.promise)
        if self.log:
            judge.log(crash.files, self.ledger, crash.promise, crash.damaged)
            judge.history(crash.files, self.ledger, crash.damaged or bool(self.faults.injected))

    # What happens

    def _first_files(self) -> dict[str, bytes]:
        """Old keys, which make a snapshot take a while."""
        if not self.fillers:
            return {}
        writer = RdbWriter(True, True, limits=Limits())
        writer.begin([])
        writer.select(0, self.fillers, 0)
        for i in range(self.fillers):
            writer.entry(b"filler:%d" % i, b"x" * (i % 60), -1)
        writer.end()
        return {RDB: writer.take()}

    async def live(self, now: world.World, patch: pytest.MonkeyPatch) -> Report:
        self.now = self.disk.now = now.now
        self.faults.plan(SECONDS)
        machine = Machine(self.disk.holding(self._first_files()), self.ledger, self.chance, **self.directives)
        self.ledger.starts.add(0)
        if self.plant is not None:
            self.plant(machine, patch)
        async with trio.open_nursery() as nursery:
            planned = self.faults.stretches
            self.faults.stretches = []
            self.disk.before = functools.partial(self._note, machine)
            if not await machine.boot(nursery):
                raise Violation("the first start failed")
            self.faults.stretches = planned
            await self._work(machine)
            self._note(machine, "work is over", "")
            if self.chance.random() < 0.5:
                await self._recover(machine)
            else:
                await self._shut_down(machine)
            self._note(machine, "the end", "")
            self.disk.before = lambda operation, path: None
            self.faults.over = True
            nursery.cancel_scope.cancel()
        machine.end()
        self.report.calls = self.disk.calls
        self.report.faults = self.faults.injected
        self.report.writes = len(self.ledger.placed)
        self.judge(machine)
        await self._crash_again(machine)
        return self.report

    async def _work(self, machine: Machine) -> None:
        async with trio.open_nursery() as nursery:
            for number in range(self.chance.choice([1, 3, 5])):
                nursery.start_soon(self._client, machine, number)
            nursery.start_soon(self._operator, machine)

    async def _client(self, machine: Machine, number: int) -> None:
        chance = random.Random(self.seed * 100 + number)
        peer = machine.connect(number)
        sent = 0
        mean = chance.choice([0.02, 0.1, 0.3])
        while self.now() < SECONDS:
            if peer.closed:
                if self.own_is_open(machine, number):
                    break
                peer = machine.connect(number)
            asked = next_requests(chance, self.ledger, number, sent)
            sent += len(asked)
            await machine.call(peer, asked)
            await trio.sleep(min(chance.expovariate(1 / mean), 1.0))

    def own_is_open(self, machine: Machine, number: int) -> bool:
        """Whether it is open what became of a client's last key of its own: then the next would tell nothing."""
        return self.ledger.own_sent.get(number, 0) != self.ledger.own.get(number, 0)

    async def _operator(self, machine: Machine) -> None:
        chance = self.chance
        words = [
            "BGREWRITEAOF", "BGREWRITEAOF", "BGSAVE", "BGSAVE", "SAVE", "CONFIG SET appendfsync everysec",
            "CONFIG SET appendfsync always", "CONFIG SET appendfsync always",
        ]  # fmt: skip
        if self.log:
            words += ["CONFIG SET appendonly no", "CONFIG SET appendonly yes", "CONFIG SET appendonly yes"]
        while self.now() < SECONDS:
            await trio.sleep(min(chance.expovariate(1.5), SECONDS))
            await machine.tell(*chance.choice(words).split())

    async def _recover(self, machine: Machine) -> None:
        """The disk is good again: without a restart, everything is written, and what is written is promised."""
        self.faults.over = True
        server = machine.server
        end = self.now() + RECOVERY
        if self.log:
            while not (await machine.tell("CONFIG", "SET", "appendonly", "yes")).startswith(b"+OK"):
                await trio.sleep(0.5)
            await machine.tell("CONFIG", "SET", "appendfsync", "always")
        while server.engine.write_refusal is not None or (not machine.has_log() and self.log) or server.log.rewriting:
            if self.now() > end:
                raise Violation(f"after {RECOVERY} s on a good disk: {server.engine.write_refusal!r}")
            await trio.sleep(0.5)
        peer = machine.connect(99)
        chance = random.Random(self.seed)
        for sent in range(3):
            await machine.call(peer, next_requests(chance, self.ledger, 99, sent * 10))
            if peer.closed:
                raise Violation("cut off on a good disk")
        if self.log and self.ledger.sure.listed < self.ledger.listed:
            raise Violation("answered, and not promised")

    async def _shut_down(self, machine: Machine) -> None:
        if self.chance.random() < 0.5:
            self.faults.over = True
        sure = self.ledger.answered()
        kept = machine.has_log() and machine.server.log.error is None
        if machine.server.prepare_shutdown(nosave=self.chance.random() < 0.5, save=False, force=False) and kept:
            self.ledger.promise(sure)

    # Two crashes in a row

    async def _crash_again(self, first: Machine) -> None:
        if not self.log:
            return
        crashes = [crash for crash in self.crashes if not crash.damaged]
        killed = [crash for crash in crashes if crash.disk is not None]
        chosen = self.chance.sample(crashes, min(AGAIN, len(crashes)))
        for lost in (False, True):
            alike = [crash for crash in killed if crash.disk is not None and crash.disk.has_lost() == lost]
            chosen += self.chance.sample(alike, min(1, len(alike)))
        for crash in chosen:
            disk = crash.disk
            if disk is None:
                disk = SimulatedDisk(random.Random(self.seed), Faults(random.Random(self.seed)), self.now)
                disk.holding(crash.files)
            self.crashes = []
            machine = Machine(disk, self.ledger, self.chance, **self.directives)
            disk.before = functools.partial(self._note, machine)
            self.ledger.sure = crash.promise
            self.ledger.saved = crash.promise.saved
            self.ledger.listed = 0
            self.ledger.own = {}
            before = self.report.crashes
            async with trio.open_nursery() as nursery:
                if not await machine.boot(nursery):
                    raise Violation(f"no second start after a crash in call {crash.call}, {crash.outcome} left")
                self._promise_reads(machine)
                self._note(machine, "the second life begins", "")
                await trio.sleep(1.5)
                self._promise_reads(machine)
                self._note(machine, "the second life", "")
                disk.before = lambda operation, path: None
                nursery.cancel_scope.cancel()
            machine.end()
            self.report.second += self.report.crashes - before
            self.judge(machine)

    def _promise_reads(self, machine: Machine) -> None:
        """What a read may tell by now must not be lost."""
        if self.directives["appendfsync"] == "always" and machine.server.log.reliable():
            self.ledger.promise(Promise(machine.listed()))


def live(seed: int, judging: Engine, plant: Plant | None = None, draws: int = 1) -> Report:
    """One life and its crashes, judged with this engine; a violation is in the report."""
    life = Life(seed, judging, plant, draws)
    try:
        report = world.run(seed, life.live)
        assert isinstance(report, Report)
        return report
    except BaseException as error:
        found = violation_in(error)
        if found is None:
            raise
        life.report.violation = str(found)
        return life.report


def violation_in(error: BaseException) -> Violation | None:
    if isinstance(error, BaseExceptionGroup):
        return next((found for each in error.exceptions if (found := violation_in(each)) is not None), None)
    return error if isinstance(error, Violation) else None


def lives(first: int, count: int, plant: Plant | None = None, draws: int = 1) -> Iterator[Report]:
    """So many lives, one after the other."""
    judging = engine()
    for seed in range(first, first + count):
        yield live(seed, judging, plant, draws)
