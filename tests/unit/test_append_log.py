"""The log when the disk fails: nothing that failed is taken for done, and it recovers by itself."""

from __future__ import annotations

import errno

import pytest

from durastore.engine.journal import Journal
from durastore.persistence.aof.log import AppendLog, LogSettings
from durastore.persistence.aof.reader import AofReader
from durastore.persistence.aof.syncing import SyncJob, SyncThread
from durastore.persistence.aof.writer import AofWriter
from durastore.persistence.disk import File, RealDisk, Source
from durastore.protocol.parser import encode_request


class SmallFile(File):
    """A file on a disk that is full, or broken, when the test says so."""

    def __init__(self) -> None:
        self.data = b""
        self.room = 1 << 30
        self.sync_error = 0
        self.syncs = 0
        self.cut_error = 0

    def write(self, data: bytes) -> int:
        taken = min(len(data), self.room - len(self.data))
        if taken <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.data += data[:taken]
        return taken

    def fsync(self) -> None:
        if self.sync_error:
            raise OSError(self.sync_error, "Input/output error")
        self.syncs += 1

    def truncate(self, size: int) -> None:
        if self.cut_error:
            raise OSError(self.cut_error, "Input/output error")
        self.data = self.data[:size]

    def close(self) -> None:
        pass


class SmallDisk(RealDisk):
    def __init__(self) -> None:
        self.file = SmallFile()
        self.others: dict[str, SmallFile] = {}

    def append(self, path: str) -> File:
        return self.others.get(path, self.file)

    def create(self, path: str) -> File:
        self.others[path] = SmallFile()
        return self.others[path]


class Bytes(Source):
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, size: int, /) -> bytes:
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def zeros_at_end(self) -> int:
        return len(self._data) - len(self._data.rstrip(b"\0"))

    def close(self) -> None:
        pass


def settings(no_fsync_on_rewrite: bool = False) -> LogSettings:
    return LogSettings(
        folder="", filename="", fsync="always", timestamps=False, rdb_preamble=True,
        no_fsync_on_rewrite=no_fsync_on_rewrite, rewrite_percentage=100, rewrite_min_size=0, load_truncated=True,
        corrupt_tail=0, incremental_fsync=True,
    )  # fmt: skip


class SlowThread(SyncThread):
    """Ends its fsyncs when the test says so."""

    def __init__(self, quick: bool, expected: int = 0) -> None:
        super().__init__()
        self.alive = True
        self._quick = quick
        self._expected = expected

    def quick(self) -> bool:
        return self._quick

    def expected(self) -> int:
        return self._expected

    def begin(self, job: SyncJob) -> None:
        self.job = job

    def finished(self) -> SyncJob | None:
        job, self.job = self.job, None
        if job is not None:
            job.run()
        return job


def replay(data: bytes) -> list[bytes]:
    reader = AofReader(Bytes(data), "file")
    found = []
    while (stretch := reader.next_piece(True)) is not None:
        found.append(stretch)
    return found


def opened(disk: SmallDisk, thread: SyncThread | None = None) -> tuple[AppendLog, list[str]]:
    events: list[str] = []
    log = AppendLog(
        Journal(),
        disk,
        settings(),
        on_durable=lambda offset: events.append(f"durable {offset}"),
        on_failure=lambda: events.append("failure"),
        on_state=lambda: events.append("state"),
        saving=lambda: False,
    )
    if thread is not None:
        log.thread.close()
        log.thread = thread
    log.switch(AofWriter(disk, "file", 0, False))
    return log, events


def command(number: int) -> bytes:
    return encode_request([b"SET", b"key", b"%d" % number])


def test_a_full_disk_refuses_writes_and_recovers_without_a_hole() -> None:
    disk = SmallDisk()
    log, _ = opened(disk)
    assert log.append(command(1), 1)
    disk.file.room = len(disk.file.data) + 20
    before = disk.file.data
    assert not log.append(command(2), 2)
    assert disk.file.data == before, "what was half written is gone again"
    assert log.refusal() == b"MISCONF Errors writing to the AOF file: file, offset %d: No space left on device" % len(
        before
    )
    log.look_after(3)
    assert log.refusal() is not None
    assert not log.append(command(3), 3)
    disk.file.room = 1 << 30
    log.look_after(4)
    assert log.refusal() is None
    assert log.append(command(4), 5)
    assert b"".join(replay(disk.file.data)) == b"".join(command(i) for i in (1, 2, 3, 4))


async def test_a_failed_fsync_is_never_an_ok_and_needs_a_new_base() -> None:
    disk = SmallDisk()
    log, events = opened(disk)
    assert log.append(command(1), 1)
    assert log.wait_for_disk()
    disk.file.sync_error = errno.EIO
    assert not log.flush_now()
    assert "failure" in events
    assert ".distrusted" in disk.others, "a server that is killed now, and started again, must know"
    assert not [event for event in events if event.startswith("durable") and event != "durable 0"]
    assert log.refusal() is not None
    disk.file.sync_error = 0
    log.look_after(2)
    assert log.refusal() is not None, "a later fsync that succeeds says nothing about the pages that are gone"
    log.rewriting = True
    log.switch(AofWriter(disk, "new", 0, False))
    log._sync_here()
    assert log.durable == 0, "the base that holds what was lost is not there yet"
    log.rewritten()
    assert log.durable == len(command(1))
    assert log.refusal() is None


def test_nobody_waits_for_a_file_whose_end_could_not_be_restored() -> None:
    """Nothing is taken for durable before it is mended: who waits would hold up all who ask after him."""
    disk = SmallDisk()
    log, events = opened(disk)
    assert log.append(command(1), 1)
    assert log.wait_for_disk()
    disk.file.room = len(disk.file.data) + 20
    disk.file.cut_error = errno.EIO
    assert not log.append(command(2), 2)
    assert events.count("failure") == 1
    assert not log.wait_for_disk()


def test_it_is_told_once_that_what_was_gathered_left_half_a_stretch() -> None:
    """And who wrote before that is answered first: it is on disk."""
    disk = SmallDisk()
    log, events = opened(disk, SlowThread(quick=False))
    log.sync_ended(0)
    assert log.append(command(1), 1)
    assert log.append(command(2), 2)
    disk.file.room = len(disk.file.data) + 20
    disk.file.cut_error = errno.EIO
    events.clear()
    log.sync_ended(0)
    assert not log.trusted
    first = f"durable {len(command(1))}"
    assert events.count("failure") == 1
    assert first in events[: events.index("failure")]


def test_nobody_waits_for_a_file_whose_end_could_not_be_restored_at_the_second_attempt() -> None:
    disk = SmallDisk()
    log, events = opened(disk)
    assert log.append(command(1), 1)
    disk.file.room = len(disk.file.data) + 20
    assert not log.append(command(2), 2)
    disk.file.cut_error = errno.EIO
    events.clear()
    log.look_after(3)
    assert "failure" in events
    assert not log.trusted
    assert not log.wait_for_disk()


def test_a_log_that_was_turned_off_refuses_nothing() -> None:
    disk = SmallDisk()
    log, events = opened(disk)
    assert log.append(command(1), 1)
    log.switch(None)
    disk.file.sync_error = errno.EIO
    log._sync_here()
    assert log.refusal() is None, "nothing would ever mend it"
    assert "failure" not in events


def test_a_failed_rewrite_leaves_what_is_owed_to_the_log() -> None:
    disk = SmallDisk()
    log, _ = opened(disk)
    disk.file.room = 0
    assert not log.append(command(1), 1)
    log.rewriting = True
    log.switch(AofWriter(disk, "new", 0, False))
    log.rewrite_failed()
    log.rewriting = False
    assert not log.flush_now()
    disk.file.room = 1 << 30
    log.look_after(2)
    assert replay(disk.file.data) == [command(1)]


def test_a_new_file_stays_empty_until_the_one_before_is_on_disk() -> None:
    """A power failure could keep what was written to it, and lose what stood before that."""
    disk = SmallDisk()
    new = disk.others["new"] = SmallFile()
    log, events = opened(disk)
    assert log.append(command(1), 1)
    log.switch(AofWriter(disk, "new", 0, False))
    assert log.append(command(2), 2)
    log.look_after(3)
    log.policy_changed()
    assert new.data == b""
    assert log.unwritten() == len(command(2))
    assert log.wait_for_disk()
    assert log.flush_now()
    assert disk.file.syncs == 1
    assert replay(new.data) == [command(2)]
    assert new.syncs
    assert events[-1] == f"durable {len(command(1) + command(2))}"


def test_a_file_that_lost_pages_is_not_synced_again() -> None:
    """That would only bring to disk what stands behind the gap, which no start could read."""
    disk = SmallDisk()
    log, _ = opened(disk)
    assert log.append(command(1), 1)
    disk.file.sync_error = errno.EIO
    assert not log.flush_now()
    disk.file.sync_error = 0
    assert not log.flush_now()
    log.look_after(1)
    log.policy_changed()
    assert disk.file.syncs == 0


def test_what_comes_during_an_fsync_shares_one_write_and_the_next_fsync() -> None:
    disk = SmallDisk()
    log, events = opened(disk, SlowThread(quick=False))
    log.sync_ended(0)
    assert log.append(command(1), 1)
    during = disk.file.data
    assert log.append(command(2), 2)
    assert log.append(command(3), 2)
    assert log.wait_for_disk()
    assert disk.file.data == during
    events.clear()
    log.sync_ended(0)
    assert events == [f"durable {len(command(1))}"]
    assert replay(disk.file.data) == [command(1), command(2) + command(3)]
    before = disk.file.syncs
    log.sync_ended(0)
    assert disk.file.syncs == before + 1
    assert events[-1] == f"durable {3 * len(command(1))}"
    assert not log.wait_for_disk()


def test_a_slow_fsync_waits_for_those_who_were_answered_by_the_one_before() -> None:
    """Or clients that write again and again would fall into two groups that wait for each other's fsyncs."""
    disk = SmallDisk()
    log, events = opened(disk, SlowThread(quick=False, expected=10**9))
    log.sync_ended(0)
    log.gathered()
    assert log.append(command(1), 1)
    assert log.append(command(2), 2)
    before = disk.file.data
    log.sync_ended(1)
    assert events[-1] == f"durable {len(command(1))}", "nobody waits longer for an answer than before"
    assert log.gathers()
    assert log.append(command(3), 3)
    assert log.wait_for_disk()
    assert disk.file.data == before
    log.gathered()
    assert not log.gathers()
    assert replay(disk.file.data) == [command(i) for i in (1, 2, 3)]
    log.sync_ended(2)
    assert events[-1] == f"durable {3 * len(command(1))}"


def test_nobody_is_waited_for_longer_than_it_is_worth() -> None:
    disk = SmallDisk()
    thread = SlowThread(quick=False, expected=10**9)
    log, _ = opened(disk, thread)
    log.sync_ended(25_001)
    assert not log.gathers(), "to serve so many takes as long as the fsync"
    assert log.append(command(1), 1)
    log.sync_ended(1)
    assert log.gathers()
    log._gather_until = 0.0
    assert log.append(command(2), 2)
    assert thread.busy, "half the time of an fsync has passed"
    assert replay(disk.file.data) == [command(1), command(2)]


def test_who_comes_last_hears_nothing_where_what_was_gathered_cannot_be_written() -> None:
    disk = SmallDisk()
    log, events = opened(disk, SlowThread(quick=False, expected=10**9))
    log.sync_ended(1)
    disk.file.room = 0
    log._gather_until = 0.0
    assert not log.append(command(1), 1)
    assert events.count("failure") == 1
    assert log.refusal() is not None
    assert not log.gathers()


def test_a_log_that_is_flushed_waits_for_nobody() -> None:
    disk = SmallDisk()
    log, events = opened(disk, SlowThread(quick=False, expected=10**9))
    log.sync_ended(0)
    assert log.gathers()
    assert log.append(command(1), 1)
    assert log.flush_now()
    assert not log.gathers()
    assert events[-1] == f"durable {len(command(1))}"


def test_who_waits_is_cut_off_where_what_was_gathered_cannot_be_written() -> None:
    disk = SmallDisk()
    log, events = opened(disk, SlowThread(quick=False))
    log.sync_ended(0)
    assert log.append(command(1), 1)
    assert log.append(command(2), 2)
    disk.file.room = 0
    events.clear()
    log.sync_ended(0)
    assert events[:3] == ["state", f"durable {len(command(1))}", "failure"]
    assert events.count("failure") == 1
    disk.file.room = 1 << 30
    log.look_after(3)
    assert b"".join(replay(disk.file.data)) == command(1) + command(2)


def test_who_waits_is_cut_off_where_a_write_fails_that_no_fsync_was_to_follow() -> None:
    """no-appendfsync-on-rewrite: a save begins while writes wait for an fsync to end, and then the disk is full."""
    disk = SmallDisk()
    log, events = opened(disk, SlowThread(quick=False))
    log.sync_ended(0)
    assert log.append(command(1), 1)
    assert log.append(command(2), 2)
    log.settings = settings(no_fsync_on_rewrite=True)
    log._saving = lambda: True
    disk.file.room = 0
    events.clear()
    assert not log.append(command(3), 3)
    log.look_after(4)
    written = 3 * len(command(1))
    assert "failure" in events, "who wrote the second waits"
    assert f"durable {written}" not in events[: events.index("failure")]


def test_a_quick_disk_is_waited_for() -> None:
    disk = SmallDisk()
    log, events = opened(disk, SlowThread(quick=True))
    events.clear()
    assert log.append(command(1), 1)
    assert not log.wait_for_disk()
    assert events == [f"durable {len(command(1))}"]
    disk.file.sync_error = errno.EIO
    assert not log.append(command(2), 2), "who wrote it must not be answered"
    assert log.refusal() is not None


def test_a_disk_that_turns_slow_is_left_to_the_thread_until_it_is_quick_again() -> None:
    thread = SyncThread()
    disk = SmallDisk()
    job = SyncJob([AofWriter(disk, "file", 0, False)], [], 0)
    now = 0

    def fsync() -> None:
        nonlocal now
        now += milliseconds * 1_000_000

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk.file, "fsync", fsync)
        patch.setattr("time.monotonic_ns", lambda: now)
        assert thread.quick()
        milliseconds = 20
        thread.run_here(job)
        assert not thread.quick()
        milliseconds = 0
        runs = 0
        while not thread.quick():
            thread.run_here(job)
            runs += 1
        assert 10 < runs < 100
    thread.close()
