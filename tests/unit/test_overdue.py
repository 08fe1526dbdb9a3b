"""Snapshots and fsyncs that stop without an error are noticed."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
import trio

from durastore.server import overdue
from durastore.server.http import unready
from durastore.server.info import render_info
from durastore.server.overdue import Debt
from durastore.server.server import Server
from support.disks import MemoryDisk
from support.engines import run
from support.inprocess import make_server, running, without_socket


def test_a_debt_is_overdue_when_it_is_owed_and_not_paid() -> None:
    debt = Debt()
    assert not debt.look(False, 0.0, 1000.0, 10)
    # It is owed since now only, however long ago the last payment was.
    assert not debt.look(True, 0.0, 1001.0, 10)
    assert not debt.look(True, 0.0, 1011.0, 10)
    assert debt.look(True, 0.0, 1012.0, 10)
    assert debt.overdue
    assert not debt.look(True, 0.0, 1013.0, 10), "told once"
    assert debt.look(True, 1013.5, 1014.0, 10), "paid, and owed anew"
    assert not debt.overdue
    assert debt.look(True, 1013.5, 1025.0, 10)
    assert debt.look(False, 1013.5, 1026.0, 10)
    assert not debt.overdue
    debt.look(True, 0.0, 2000.0, 0)
    debt.look(True, 0.0, 9000.0, 0)
    assert not debt.overdue, "0 is never"


def told(server: Server, field: str) -> str:
    lines = render_info(server, [b"persistence"]).decode().split("\r\n")
    return next(line.partition(":")[2] for line in lines if line.startswith(field + ":"))


def test_a_snapshot_that_does_not_come(caplog: pytest.LogCaptureFixture) -> None:
    server = make_server(Path("/"), MemoryDisk(), save="1 1000000", rdb_save_age_warning="100")
    start = server.saver.last_good
    server.engine.begin_wake(1)
    run(without_socket(server), b"SET a 1")
    server.debts.look(start)
    server.debts.look(start + 99)
    assert told(server, "rdb_save_overdue") == "0"
    server.debts.look(start + 101)
    assert told(server, "rdb_save_overdue") == "1"
    assert "The last good snapshot is 101 seconds old, and 1 changes have come since" in caplog.text
    server.saver.save()
    server.debts.look(server.saver.last_good + 1)
    assert told(server, "rdb_save_overdue") == "0"
    assert told(server, "rdb_last_save_age_sec") == "0"
    assert "Snapshots are up to date again" in caplog.text


def test_nobody_is_warned_who_takes_no_snapshots() -> None:
    server = make_server(Path("/"), MemoryDisk(), rdb_save_age_warning="100")
    server.engine.begin_wake(1)
    run(without_socket(server), b"SET a 1")
    for seconds in (0, 1000, 2000):
        server.debts.look(server.saver.last_good + seconds)
    assert told(server, "rdb_save_overdue") == "0"
    assert told(server, "aof_last_fsync_age_sec") == "-1"


async def test_an_fsync_that_does_not_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As dragonfly#4257 asks for snapshots: an age, a threshold, and whoever watches is told."""
    monkeypatch.setattr(overdue, "INTERVAL", 3600)
    disk = MemoryDisk()
    server = make_server(tmp_path, disk, appendonly="yes", appendfsync="everysec", aof_fsync_age_warning="5")
    async with running(server) as life:
        client = await life.connect()
        assert client is not None
        assert told(server, "aof_fsync_overdue") == "0"
        go = threading.Event()

        def hang(operation: str, path: str) -> None:
            if operation == "fsync":
                assert go.wait(20)

        disk.fault = hang
        await client.call("SET", "a", "1")
        now = server.log.last_good
        for seconds in (0, 3, 9):
            server.debts.look(now + seconds)
        assert told(server, "aof_fsync_overdue") == "1"
        assert "The last good fsync of the append only file was 9 seconds ago" in caplog.text
        assert unready(server) == ["the last good fsync is longer ago than aof-fsync-age-warning"]
        go.set()
        with trio.fail_after(20):
            while server.log.behind():
                await trio.sleep(0.01)
        server.debts.look(now + 10)
        assert told(server, "aof_fsync_overdue") == "0"
        assert unready(server) == []
        assert "The append only file is on disk again" in caplog.text
        await client.close()


class Listener(logging.Handler):
    """Knows when the log has told something."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what
        self.heard = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._what in record.getMessage():
            self.heard.set()


async def test_an_fsync_that_the_event_loop_itself_waits_for_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overdue, "INTERVAL", 0.01)
    disk = MemoryDisk()
    server = make_server(tmp_path, disk, appendonly="yes", appendfsync="always", aof_fsync_age_warning="1")
    server.log.thread.quick_limit = 1 << 62
    hung, good = Listener("The last good fsync of the append only file was"), Listener("is on disk again")
    for listener in (hung, good):
        server.logger.addHandler(listener)
    waited: list[str] = []

    def hang(operation: str, path: str) -> None:
        if operation == "fsync" and not waited:
            waited.append(threading.current_thread().name)
            assert hung.heard.wait(20)

    async with running(server) as life:
        client = await life.connect()
        assert client is not None
        disk.fault = hang
        assert await client.call("SET", "a", "1") == b"+OK\r\n"
        assert waited == [threading.main_thread().name]
        with trio.fail_after(20):
            while not good.heard.is_set():
                await trio.sleep(0.01)
        await client.close()
    for listener in (hung, good):
        server.logger.removeHandler(listener)
