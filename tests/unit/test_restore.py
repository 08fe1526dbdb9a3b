"""Restoring to a moment gives exactly the state of that moment, or says why there is none."""

from __future__ import annotations

import errno
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.persistence.aof.manifest import AofError, LogFile, Manifest
from durastore.persistence.loader import LoadError
from durastore.persistence.recording import FolderRecording, RecordingError
from durastore.persistence.restore import Restore, Restored
from support.disks import Inode, MemoryDisk
from support.histories import EMPTY, PREFIX, START, History, Reader
from support.resp import request

KEYS = st.sampled_from(["a", "b", "c", "d"])
COMMANDS = st.one_of(
    st.tuples(st.just("SET"), KEYS, st.text(max_size=5)).map(list),
    st.tuples(st.just("DEL"), KEYS).map(list),
    st.tuples(st.just("INCR"), st.sampled_from(["n", "m"])).map(list),
    st.tuples(st.just("RPUSH"), st.just("list"), KEYS).map(list),
    st.tuples(st.just("SADD"), st.just("set"), KEYS).map(list),
    st.tuples(st.just("ZADD"), st.just("zset"), st.integers(0, 9), KEYS).map(list),
    st.tuples(st.just("SELECT"), st.integers(0, 2)).map(list),
    st.just(["SET", "big", "x" * 3000]),
    st.just(["SET", "odd", "\n#CRC64:\n#TS:1\n#DURASTORE-AOF:1\r\n"]),
)
WAKES = st.lists(COMMANDS, min_size=1, max_size=3)
STEPS = st.lists(
    st.one_of(
        WAKES.map(lambda commands: ("write", commands)),
        WAKES.map(lambda commands: ("write", [["MULTI"], *commands, ["EXEC"]])),
        st.sampled_from([("rewrite", []), ("switch", []), ("reopen", [])]),
    ),
    max_size=20,
)


def play(history: History, steps: list[tuple[str, list[list[str | int]]]], waits: list[int]) -> None:
    for (kind, commands), wait in zip(steps, itertools.cycle(waits), strict=False):
        history.wait(wait)
        if kind == "write":
            history.write(*commands)
        else:
            getattr(history, kind)()
    history.wait(5)


def restore(history: History, at: int | None, reader: Reader, folder: str = "/new") -> Restored:
    recording = FolderRecording(history.disk, history.data, lambda: history.now + 1)
    return Restore(recording, history.disk, folder, at, reader.load).run()


def lists_of(disk: MemoryDisk, folder: str) -> list[str]:
    return sorted(path.removeprefix(folder + "/") for path in disk.names if path.startswith(folder + "/"))


@given(STEPS, st.lists(st.integers(0, 3), min_size=1, max_size=5), st.booleans())
@settings(max_examples=60)
def test_every_moment_gives_the_state_that_was_there(
    steps: list[tuple[str, list[list[str | int]]]], waits: list[int], timestamps: bool
) -> None:
    history = History(timestamps=timestamps)
    play(history, steps, waits)
    reader = Reader(history.disk)
    for number, at in enumerate(range(START, history.now + 1)):
        restored = restore(history, at, reader, f"/new{number}")
        assert reader.digest == history.state(at), at - START
        assert restored.copy.moment <= at
        assert (restored.copy.later or at + 1) > at
    restore(history, None, reader)
    assert reader.digest == history.state(history.now)


def test_a_moment_that_is_not_recorded_is_refused_and_leaves_nothing() -> None:
    history = History()
    history.write(["SET", "a", 1])
    history.wait(10)
    history.rewrite(retain=False)
    history.wait(10)
    reader = Reader(history.disk)
    for at in (START, START + 9, START + 21, history.now + 1):
        with pytest.raises(RecordingError, match="is not recorded"):
            restore(history, at, reader, "/missing")
        assert not history.disk.exists("/missing")
        history.disk.make_folder("/new")
        with pytest.raises(RecordingError, match="is not recorded"):
            restore(history, at, reader)
        assert history.disk.list("/new") == []
    restored = restore(history, START + 10, reader)
    assert restored.copy.moment == START + 10
    assert lists_of(history.disk, "/new") == [
        f"appendonlydir/{PREFIX}.1.base.rdb",
        f"appendonlydir/{PREFIX}.1.incr.aof",
        f"appendonlydir/{PREFIX}.manifest",
    ]


def test_a_folder_with_something_in_it_is_left_alone() -> None:
    history = History()
    history.disk.make_folder("/new")
    history.disk.names["/new/dump.rdb"] = Inode(b"mine")
    with pytest.raises(OSError, match="is not empty: it holds dump"):
        restore(history, None, Reader(history.disk))
    assert lists_of(history.disk, "/new") == ["dump.rdb"]


def test_a_torn_end_is_left_out_and_told() -> None:
    history = History()
    history.write(["SET", "a", 1])
    good = len(history.disk.names[history.writer.path].data)
    history.wait(1)
    before = history.state(START)
    history.write(["SET", "a", 2])
    reader = Reader(history.disk)
    inode = history.disk.names[history.writer.path]
    whole = bytes(inode.data)
    for number, size in enumerate(range(good + 1, len(whole))):
        inode.data = bytearray(whole[:size])
        restored = restore(history, None, reader, f"/new{number}")
        assert reader.digest == before
        assert restored.copy.torn
        assert restored.copy.left_out == size - good
    inode.data = bytearray(whole + bytes(100))
    restore(history, None, reader)
    assert reader.digest == history.state(history.now)


def test_damage_anywhere_before_the_moment_is_refused() -> None:
    history = History()
    history.write(["SET", "a", "some text"])
    history.wait(1)
    history.rewrite()
    history.write(["SET", "a", "more text"], ["SET", "b", 1])
    history.write(["SET", "c", 1])
    disk = history.disk
    reader = Reader(disk)
    for path in (f"{history.folder}/{PREFIX}.2.base.rdb", f"{history.folder}/{PREFIX}.2.incr.aof"):
        whole = bytes(disk.names[path].data)
        for place in range(len(whole)):
            flipped = bytearray(whole)
            flipped[place] ^= 4
            disk.names[path] = Inode(bytes(flipped))
            with pytest.raises(AofError, match=rf"{PREFIX}\.2\."):
                restore(history, None, reader)
            assert lists_of(disk, "/new") == []
        disk.names[path] = Inode(whole)
    restore(history, None, reader)
    assert reader.digest == history.state(history.now)


def test_files_that_a_rewrite_removes_meanwhile_make_it_begin_anew() -> None:
    history = History()
    history.write(["SET", "a", 1])
    disk = history.disk
    opened = 0

    def rewrite_meanwhile(operation: str, path: str) -> OSError | None:
        nonlocal opened
        if operation == "open" and path.endswith(f"{PREFIX}.1.incr.aof") and path.startswith("/data"):
            opened += 1
            disk.fault = None
            old = [f"{history.folder}/{PREFIX}.1.{kind}" for kind in ("base.rdb", "incr.aof")]
            history.write(["SET", "a", 2])
            history.rewrite(retain=False)
            history.write(["SET", "b", 3])
            for each in old:
                disk.remove(each)
        return None

    disk.fault = rewrite_meanwhile
    reader = Reader(disk)
    restore(history, None, reader)
    assert opened == 1
    assert reader.digest == history.state(history.now)
    disk.remove(f"{history.folder}/{PREFIX}.2.base.rdb")
    with pytest.raises(RecordingError, match=r"2\.base\.rdb is missing"):
        restore(history, None, reader, "/other")


def test_a_log_that_goes_on_in_another_file_meanwhile_has_no_hole() -> None:
    history = History()
    history.write(["SET", "a", 1])
    first = history.writer
    history.switch()
    second = history.writer
    # The next file is in the manifest, and the log is about to go on in it.
    history.writer = first
    history.engine.journal.restart()
    opened = 0

    def go_on(operation: str, path: str) -> OSError | None:
        nonlocal opened
        if operation == "open" and path in (first.path, second.path):
            opened += 1
            if opened == 2:
                history.write(["SET", "b", 2])
                history.writer = second
                history.engine.journal.restart()
                history.write(["SET", "c", 3])
        return None

    history.disk.fault = go_on
    reader = Reader(history.disk)
    restore(history, None, reader)
    assert opened >= 2
    assert reader.digest in [digest for _, digest in history.states]


def test_what_was_opened_before_it_was_removed_is_read_to_its_end() -> None:
    history = History()
    history.write(["SET", "a", 1])
    state = history.state(history.now)
    recording = FolderRecording(history.disk, "/data", lambda: history.now)
    reader = Reader(history.disk)

    def remove_meanwhile(operation: str, path: str) -> OSError | None:
        if operation == "create" and path.endswith("temp-restore/" + f"{PREFIX}.1.base.rdb"):
            for name in [name for name in history.disk.names if name.startswith(history.folder)]:
                del history.disk.names[name]
        return None

    history.disk.fault = remove_meanwhile
    Restore(recording, history.disk, "/new", None, reader.load).run()
    assert reader.digest == state


def test_every_disk_call_of_a_restore_fails_or_the_power_does() -> None:
    history = History()
    history.write(["SET", "a", 1])
    history.wait(1)
    history.rewrite()
    history.write(["MULTI"], ["SET", "b", 2], ["SET", "c", 3], ["EXEC"])
    base = history.disk.after_kill()
    wanted = history.state(history.now)
    for call in itertools.count():
        disk = base.after_kill()
        history.disk = disk
        afterwards: list[MemoryDisk] = []

        def fault(operation: str, path: str, disk: MemoryDisk = disk, call: int = call, to: list = afterwards):  # type: ignore[no-untyped-def,type-arg]
            to += [disk.after_power_failure(), disk.after_kill()]
            return OSError(errno.EIO, "broken on purpose", path) if len(disk.calls) == call + 1 else None

        disk.fault = fault
        done = False
        try:
            restore(history, None, Reader(disk))
            done = True
        except (OSError, RecordingError, LoadError):
            pass
        disk.fault = None
        assert disk.opened <= 1, "only the history's own file is open"
        assert done or not disk.exists("/new") or disk.list("/new") == ["appendonlydir"]
        for after in [*afterwards, disk.after_power_failure()]:
            if after.exists(f"/new/appendonlydir/{PREFIX}.manifest"):
                reader = Reader(after)
                reader.load("/new/appendonlydir")
                assert reader.digest == wanted
        if len(disk.calls) <= call + 1 and done:
            break
    assert call > 40


# Logs of Redis and Valkey

SECOND = 1000


def foreign(*parts: bytes, name: str = "appendonly.aof.1.incr.aof", base: bytes = b"") -> MemoryDisk:
    disk = MemoryDisk()
    disk.make_folder("/data")
    disk.make_folder("/data/appendonlydir")
    disk.names[f"/data/appendonlydir/{name}"] = Inode(b"".join(parts))
    manifest = Manifest(None, [LogFile(name, 1, "i")])
    disk.names[f"/data/appendonlydir/{PREFIX}.manifest"] = Inode(manifest.render().partition(b"\n")[2])
    return disk


def keys_at(disk: MemoryDisk, at: int | None) -> set[bytes]:
    reader = Reader(disk)
    recording = FolderRecording(disk, "/data", lambda: 10**13)
    folder = f"/at{at}"
    Restore(recording, disk, folder, at, reader.load).run()
    return {bytes(key) for key in reader._engine.instance.keyspace.databases[0].scan(0, 1 << 30)[1]}


def test_a_log_of_redis_is_cut_at_its_timestamps_to_the_second() -> None:
    disk = foreign(
        b"#TS:100\r\n", request("SELECT", 0), request("SET", "a", "#TS:999\r\n"), b"#TS:101\r\n", request("MULTI"),
        request("SET", "b", 1), b"#TS:103\r\n", request("SET", "c", 1), request("EXEC"), b"#TS:105\r\n",
        request("SET", "d", 1), request("SET", "e", "x" * 300_000), b"#TS:104\r\n", request("SET", "f", 1),
    )  # fmt: skip
    for at, keys in [
        (99, b""), (100, b"a"), (101, b"a"), (102, b"a"), (103, b"abc"), (104, b"abc"), (105, b"abcdef"),
        (None, b"abcdef"),
    ]:  # fmt: skip
        expected = {keys[i : i + 1] for i in range(len(keys))}
        assert keys_at(disk, None if at is None else at * SECOND + 999) == expected, at


def test_commands_without_times_are_restored_as_a_whole_or_refused() -> None:
    disk = foreign(request("SET", "a", 1), b"#TS:100\r\n", request("SET", "b", 1))
    assert keys_at(disk, 100 * SECOND) == {b"a", b"b"}
    with pytest.raises(AofError, match="offset 0: the commands from there on have no times"):
        keys_at(disk, 99 * SECOND)
    disk = foreign(request("SET", "a", 1))
    assert keys_at(disk, None) == {b"a"}
    with pytest.raises(AofError, match="have no times"):
        keys_at(disk, 99 * SECOND)


def test_what_redis_appended_to_our_log_without_times_is_not_taken_for_older() -> None:
    history = History()
    history.write(["SET", "a", 1])
    history.disk.names[history.writer.path].data += request("SET", "b", 1)
    history.wait(5)
    history.reopen()
    history.write(["SET", "c", 1])
    reader = Reader(history.disk)
    with pytest.raises(AofError, match="have no times"):
        restore(history, START + 2, reader)
    assert restore(history, START + 5, reader).loaded.keys == 3  # type: ignore[union-attr]


def test_an_rdb_file_alone_is_a_state_too() -> None:
    history = History()
    history.write(["SET", "a", 1])
    history.rewrite()
    data = bytes(history.disk.names[f"{history.folder}/{PREFIX}.2.base.rdb"].data)
    disk = MemoryDisk()
    disk.make_folder("/data")
    disk.names["/data/dump.rdb"] = Inode(data)
    reader = Reader(disk)
    Restore(FolderRecording(disk, "/data", lambda: 1), disk, "/new", None, reader.load).run()
    assert reader.digest == history.state(history.now) != EMPTY
    with pytest.raises(RecordingError, match="neither a log nor"):
        FolderRecording(disk, "/", lambda: 1)
