"""What the files of the log are after rewrites, starts and stops."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from durastore.keyspace.values import RawString
from durastore.persistence.aof.manifest import LogFile, Manifest, parse_manifest
from support.disks import MemoryDisk
from support.inprocess import Running, make_server, running
from support.servers import Server


async def written(run: Running, *keys: str) -> None:
    session = await run.connect()
    assert session is not None
    for key in keys:
        assert await session.call("SET", key, "x") == b"+OK\r\n"
    await session.close()


async def told(run: Running, *words: str) -> bytes | None:
    session = await run.connect()
    assert session is not None
    reply = await session.call(*words)
    await session.close()
    return reply


async def settled(run: Running) -> None:
    with trio.fail_after(20):
        while run.server.log.rewriting or run.server.rewriter.scheduled:
            await trio.sleep(0.001)


async def keys_of(folder: Path, disk: MemoryDisk) -> set[bytes]:
    """What a start with a log has."""
    async with running(make_server(folder, disk, appendonly="yes")) as run:
        await told(run, "PING")
        assert not run.ended.is_set()
        db = run.server.engine.instance.keyspace.databases[0]
        found = {key for key in db.scan(0, 1 << 30)[1] if isinstance(db.lookup(key, 1), (bytes, RawString))}
    return found


@pytest.mark.parametrize("before", ["yes", "no"])
async def test_a_rewrite_without_a_log_makes_a_base_and_begins_no_log(tmp_path: Path, before: str) -> None:
    disk = MemoryDisk()
    images: list[MemoryDisk] = []
    async with running(make_server(tmp_path, disk, appendonly=before, appendfsync="always")) as run:
        await written(run, "a")
        if before == "yes":
            assert await told(run, "CONFIG", "SET", "appendonly", "no") == b"+OK\r\n"
        await written(run, "b")
        disk.fault = lambda operation, path: images.extend([disk.after_power_failure(), disk.after_kill()])
        await told(run, "BGREWRITEAOF")
        await settled(run)
        await written(run, "c")
        disk.fault = None
        assert b"aof_enabled:0" in (await told(run, "INFO", "persistence") or b"")
        images += [disk.after_power_failure(), disk.after_kill()]
    found = [await keys_of(tmp_path, image) for image in images]
    assert found[-2:] == [{b"a", b"b"}] * 2
    first = {b"a"} if before == "yes" else set()
    assert all(each in (first, {b"a", b"b"}) for each in found), "the old log or the new base, and no mixture"


async def test_what_a_killed_server_has_written_is_on_disk_before_it_is_read(tmp_path: Path) -> None:
    disk = MemoryDisk()
    async with running(make_server(tmp_path, disk, appendonly="yes", appendfsync="no")) as run:
        await told(run, "BGREWRITEAOF")
        await settled(run)
        await written(run, "a")
    names = list(disk.names)
    for inode in disk.names.values():
        assert len(inode.data) >= len(inode.synced)
    assert any(bytes(inode.data) != inode.synced for inode in disk.names.values()), "something is not on disk"
    async with running(make_server(tmp_path, disk, appendonly="yes", appendfsync="no")) as run:
        assert await told(run, "EXISTS", "a") == b":1\r\n"
        image = disk.after_power_failure()
    assert names
    assert await keys_of(tmp_path, image) == {b"a"}


def test_a_new_file_never_has_the_name_of_one_that_is_about_to_be_removed() -> None:
    manifest = parse_manifest("m", b"file p.2.base.rdb seq 2 type b\nfile p.1.incr.aof seq 1 type h\n")
    assert manifest.next_increment("p") == LogFile("p.2.incr.aof", 2, "i")
    assert Manifest().next_increment("p").seq == 1


def remove_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def rename_folder(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def remove_the_last_part(folder: Path) -> None:
    (folder / "appendonly.aof.2.incr.aof").unlink()


def replace_the_last_part(folder: Path) -> None:
    last = folder / "appendonly.aof.2.incr.aof"
    shutil.copy(last, folder / "copy")
    (folder / "copy").rename(last)


@pytest.mark.parametrize("history", ["0", "3600"])
@pytest.mark.parametrize("harm", [remove_folder, rename_folder, remove_the_last_part, replace_the_last_part])
def test_a_log_that_is_gone_under_a_running_server_is_noticed_and_made_anew(
    start_durastore: Callable[..., Server], harm: Callable[[Path], None], history: str
) -> None:
    """Redis goes on writing to files that no start will read."""
    server = start_durastore(appendonly="yes", appendfsync="always", aof_history_max_age=history)
    assert server.call("SET", "before", 1) == "OK"
    server.call("BGREWRITEAOF")
    server.until_info("persistence", "aof_rewrites", "1")
    # Then the server has removed what the rewrite made needless, too.
    server.until_info("persistence", "aof_rewrite_in_progress", "0")
    harm(server.folder / "appendonlydir")
    server.until_info("persistence", "aof_rewrites", "2")
    server.until_info("persistence", "aof_last_write_status", "ok")
    assert server.call("SET", "after", 2) == "OK"
    assert "was removed, renamed or replaced" in server.log_tail()
    server.kill()
    server.start()
    assert server.call("MGET", "before", "after") == [b"1", b"2"]
