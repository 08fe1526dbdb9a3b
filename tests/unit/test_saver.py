"""Snapshots that are taken at once while a background save has not ended yet, as by SHUTDOWN."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import trio

from support.disks import MemoryDisk
from support.engines import run
from support.inprocess import make_server, without_socket
from support.simulation.judge import content


@pytest.mark.parametrize("operation", ["create", "write", "fsync", "rename", "fsync_folder"])
def test_the_last_snapshot_is_the_one_that_is_there(operation: str) -> None:
    disk = MemoryDisk()
    held, release = threading.Event(), threading.Event()

    def hold(asked: str, path: str) -> None:
        if asked == operation and threading.current_thread() is not threading.main_thread():
            held.set()
            release.wait()

    disk.fault = hold
    server = make_server(Path("/"), disk)
    client = without_socket(server)
    server.engine.begin_wake(1)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            server.saver.open(nursery)
            run(client, b"set k old")
            server.saver.start()
            await trio.to_thread.run_sync(held.wait)
            run(client, b"set k new")
            # A save that waits for the other's rename must be let go by somebody else; what is there then is the same.
            threading.Timer(0.1, release.set).start()
            server.saver.save()

    trio.run(main)
    assert [name for name in disk.names if name != "/dump.rdb"] == []
    assert not server.saver.in_progress
    assert server.engine.instance.dirty == 0
    again = make_server(Path("/"), disk.after_power_failure())
    again.loader.reload_rdb(flush=True, merge=False)
    assert content(again.engine.instance.keyspace.databases[0]) == {"k": ("string", "new")}
