"""Old generations of the log: kept as long as the directives say, and removed behind a manifest that says so."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import trio

from durastore.persistence.aof import rewrite
from durastore.persistence.aof.history import expire_history, generations
from durastore.persistence.aof.manifest import LogFile, Manifest, manifest_path, parse_manifest
from support.disks import MemoryDisk
from support.inprocess import Running, make_server, running

PREFIX = "appendonly.aof"


def base(seq: int, since: int) -> LogFile:
    return LogFile(f"{PREFIX}.{seq}.base.rdb", seq, "b", since)


def increment(seq: int) -> LogFile:
    return LogFile(f"{PREFIX}.{seq}.incr.aof", seq, "i")


def three_generations() -> Manifest:
    manifest = Manifest(base(1, 1000), [increment(1)])
    manifest.renew(base(2, 2000), [increment(2)], 2000)
    manifest.increments.append(increment(3))
    manifest.renew(base(3, 3000), [increment(4)], 3000)
    return manifest


def test_the_manifest_tells_generations_and_their_moments() -> None:
    manifest = parse_manifest("m", three_generations().render())
    found = generations(manifest)
    assert [(each.since, each.until) for each in found] == [(1000, 2000), (2000, 3000), (3000, 0)]
    assert [[file.seq for file in each.increments] for each in found] == [[1], [2, 3], [4]]
    assert b"type h since 1000 until 2000\n" in manifest.render()
    assert manifest.next_base(PREFIX, True, 0, 1).seq == 4
    assert manifest.next_increment(PREFIX).seq == 5


@pytest.mark.parametrize(
    ("now", "age", "size", "left"),
    [
        (3000, 0, 0, []),
        (3000, 1, 0, [3000]),
        (3000, 2, 0, [2000, 3000]),
        (4000, 1, 0, []),
        (3000, 9, 30, [3000]),
        (3000, 9, 29, []),
        (3000, 9, 50, [2000, 3000]),
        # The clock was set back: what seems to be to come is not old.
        (500, 1, 0, [2000, 3000]),
    ],
)
def test_what_is_too_old_or_too_much_goes_generation_by_generation(
    now: int, age: int, size: int, left: list[int]
) -> None:
    manifest = three_generations()
    assert expire_history(manifest, lambda file: 10, now, age, size) == (len(left) < 2)
    assert [each.until for each in generations(manifest)[:-1]] == left
    assert len(manifest.history) == 5, "what is to be removed is still there"
    assert not expire_history(manifest, lambda file: 10, now, age, size)


def history_of(disk: MemoryDisk, folder: Path) -> list[str]:
    path = manifest_path(f"{folder}/appendonlydir", PREFIX)
    manifest = parse_manifest(path, bytes(disk.names[path].data))
    assert all(each.until for each in manifest.history), "nothing is left to be removed"
    named = {each.name for each in [*manifest.history, *manifest.increments]} | {manifest.base.name}  # type: ignore[union-attr]
    there = {Path(name).name for name in disk.names if "/appendonlydir/" in name} - {Path(path).name}
    assert there == named, "every file is named, and every name is there"
    return [each.name.removeprefix(PREFIX) for each in manifest.history]


async def rewritten(run: Running) -> None:
    session = await run.connect()
    assert session is not None
    await session.call("INCR", "n")
    await session.call("BGREWRITEAOF")
    while run.server.log.rewriting:
        await trio.sleep(0.001)
    await session.close()


async def pruned(run: Running, disk: MemoryDisk, folder: Path, left: int) -> None:
    with trio.fail_after(10):
        while True:
            try:
                if len(history_of(disk, folder)) == left:
                    return
            except AssertionError:
                # Between the steps.
                pass
            run.server.rewriter._history_looked_at = 0.0
            run.server.rewriter.consider()
            await trio.sleep(0.001)


async def test_a_server_keeps_history_over_restarts_until_it_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrite, "HISTORY_INTERVAL", 0)
    disk = MemoryDisk()
    options = {"appendonly": "yes", "aof_history_max_age": "3600"}
    async with running(make_server(tmp_path, disk, **options)) as run:
        await rewritten(run)
        await rewritten(run)
        first = history_of(disk, tmp_path)
        assert first == [".1.base.rdb", ".1.incr.aof", ".2.base.rdb", ".2.incr.aof"]
    async with running(make_server(tmp_path, disk, **options)) as run:
        session = await run.connect()
        assert session is not None
        assert await session.call("GET", "n") == b"2"
        assert history_of(disk, tmp_path) == first
        monkeypatch.setattr(time, "time", lambda real=time.time: real() + 3601)
        await pruned(run, disk, tmp_path, 0)
        await rewritten(run)
        assert len(history_of(disk, tmp_path)) == 2
        assert await session.call("CONFIG", "SET", "aof-history-max-age", "0") == b"+OK\r\n"
        await pruned(run, disk, tmp_path, 0)
        await rewritten(run)
        assert history_of(disk, tmp_path) == []


async def test_a_log_that_was_off_for_a_while_is_no_history(tmp_path: Path) -> None:
    disk = MemoryDisk()
    async with running(make_server(tmp_path, disk, appendonly="yes", aof_history_max_age="3600")) as run:
        await rewritten(run)
        session = await run.connect()
        assert session is not None
        await session.call("CONFIG", "SET", "appendonly", "no")
        await session.call("INCR", "n")
        await session.call("CONFIG", "SET", "appendonly", "yes")
        while run.server.log.rewriting:
            await trio.sleep(0.001)
        assert history_of(disk, tmp_path) == [".1.base.rdb", ".1.incr.aof"]
