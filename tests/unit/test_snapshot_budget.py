"""``snapshot-cpu-percent``: a background snapshot takes short slices, and no more than its share of the time.

dragonfly#5625 and #2389: a snapshot took all there was, and clients waited.  How long they do wait here is looked at in
``tests/crash/test_reported_cases.py``.
"""

from __future__ import annotations

import time

import pytest
import trio

from durastore.persistence.commands import StretchedCommands
from durastore.persistence.rdb import RdbWriter
from durastore.persistence.saver import SLICE, write_file
from durastore.persistence.serializer import Serializer
from durastore.persistence.snapshot import Snapshot
from support.disks import MemoryDisk
from support.engines import engine, session

# A look at the clock takes so long here, in seconds: the work that lies between two of them.
LOOK = 0.0002


class Time:
    """Time that only work and sleep take, and what each slept."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        patch.setattr(time, "perf_counter", self.look)
        patch.setattr(trio, "sleep", self.sleep)

    def look(self) -> float:
        self.now += LOOK
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        await trio.lowlevel.checkpoint()


def keyspace_snapshot(serializer: Serializer) -> Snapshot:
    one = engine()
    client = session(one)
    client.feed(b"".join(b"SET k:%d value\r\n" % i for i in range(20_000)))
    client.feed(b"SADD set " + b" ".join(b"%d" % i for i in range(20_000)) + b"\r\n")
    client.take_output()
    return Snapshot(one.instance.keyspace, serializer, [])


@pytest.mark.parametrize(
    "make", [lambda: RdbWriter(True, True), lambda: StretchedCommands(0)], ids=["BGSAVE", "BGREWRITEAOF"]
)
@pytest.mark.parametrize("percent", [5, 50, 90])
def test_a_snapshot_keeps_to_its_share(monkeypatch: pytest.MonkeyPatch, percent: int, make: type[Serializer]) -> None:
    clock = Time(monkeypatch)
    trio.run(write_file, keyspace_snapshot(make()), MemoryDisk(), "/f", lambda: percent, False)
    # The look at the clock with which each slice begins is not its work.
    worked = clock.now - sum(clock.slept) - len(clock.slept) * LOOK
    assert len(clock.slept) > 20, "it is cut into slices"
    assert worked <= clock.now * percent / 100 + SLICE
    longest = max(clock.slept) * percent / (100 - percent)
    assert longest <= SLICE + 2.01 * LOOK, "after a slice others are served"


def test_a_new_share_counts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Time(monkeypatch)

    def share() -> int:
        return 100 if len(clock.slept) >= 3 else 10

    trio.run(write_file, keyspace_snapshot(RdbWriter(True, True)), MemoryDisk(), "/f", share, False)
    assert len(clock.slept) == 3
