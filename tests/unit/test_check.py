"""The checker says of every file what a start does with it, and more; the repair cuts only what a start would cut."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.persistence import duplicates
from durastore.persistence.aof.manifest import LogFile, parse_manifest
from durastore.persistence.check import Checker, FileReport, Verdict, exit_status
from durastore.persistence.checksum import crc64_redis
from durastore.persistence.finding import Kind, NothingFound, Target, belongs_to, find
from durastore.persistence.loader import Loader, LoadError
from durastore.persistence.rdb import RdbWriter
from durastore.persistence.repair import RepairRefused, cut_torn_end, torn_file
from support.disks import Inode, MemoryDisk
from support.engines import engine
from support.logs import (
    BASE,
    FIRST,
    FOLDER,
    LAST,
    MANIFEST,
    PREFIX,
    changed,
    foreign,
    increment,
    log_settings,
    small_log,
)
from support.resp import request

FIXTURES = sorted(Path(__file__).parents[2].glob("fixtures/rdb/*.rdb"))
RDB = "/dump.rdb"
ENGINE = engine()
STATUS = {"starts": 0, "cuts": 1, "refuses": 2}


def checker(disk: MemoryDisk, truncated: bool = True) -> Checker:
    return Checker(disk, ENGINE, 1_700_000_000_000, lambda size: None, truncated)


def check(disk: MemoryDisk) -> list[FileReport]:
    return checker(disk).log(FOLDER, PREFIX)


def of(reports: list[FileReport], path: str) -> FileReport:
    return next(report for report in reports if report.path == path)


class Start:
    """What a start does: "starts", "cuts" (and starts), or "refuses"."""

    def __init__(self) -> None:
        self.engine = engine()

    def log(self, disk: MemoryDisk) -> str:
        copy = changed(disk, MANIFEST, bytes(disk.names[MANIFEST].data))
        return self._outcome(copy, lambda loader: loader.reload_log())

    def rdb(self, disk: MemoryDisk) -> str:
        return self._outcome(disk, lambda loader: loader.reload_rdb(flush=True, merge=False))

    def _outcome(self, disk, load) -> str:
        try:
            load(Loader(self.engine, disk, log_settings, lambda: RDB))
        except LoadError:
            return "refuses"
        return "cuts" if any(operation == "truncate" for operation, _ in disk.calls) else "starts"


START = Start()


def mixed_log() -> MemoryDisk:
    """Ours, then what another server has appended, then ours again, behind a preamble in an old single file."""
    disk = MemoryDisk()
    disk.names[FIRST] = Inode(small_log().names[BASE].data + request("SELECT", 0) + request("SET", "x", "y" * 40))
    increment(disk, FIRST, request("SELECT", 1) + request("INCR", "n"), request("MULTI") + request("INCR", "n"))
    disk.names[FIRST].data += request("EXEC") + b"#TS:1700000000\r\n" + request("XADD", "s", "1-1", "a", "b")
    disk.names[MANIFEST] = Inode(b"file appendonly.aof.1.incr.aof seq 1 type b\n")
    return disk


LOGS = {
    "ours": small_log(),
    "mixed": mixed_log(),
    "foreign": foreign(
        request("SELECT", 0), request("MULTI"), request("SET", "b", "x\n#CRC64:"), request("DEL", "b"), request("EXEC"),
        b"#TS:1700000000\r\n", request("RPUSH", "l", *range(20)), request("EXPIREAT", "l", 99999999999),
    ),
}  # fmt: skip


def mutated(data: bytes, kind: str, where: float, length: int, filling: bytes) -> bytes:
    at = int(where * len(data))
    if kind == "flip" and data:
        at = min(at, len(data) - 1)
        return data[:at] + bytes([data[at] ^ (1 << length % 8)]) + data[at + 1 :]
    if kind == "cut":
        return data[:at]
    if kind == "remove":
        return data[:at] + data[at + length :]
    if kind == "repeat":
        return data[: at + length] + data[at:]
    if kind == "zeros":
        return data + bytes(length)
    if kind == "overwrite":
        return data[:at] + filling + data[at + len(filling) :]
    return data[:at] + filling + data[at:]


KINDS = ["flip", "cut", "remove", "repeat", "zeros", "overwrite", "insert"]
PIECES = [
    b"*",
    b"#",
    b"\r\n",
    b"$1\r\n",
    b"*1\r\n$4\r\nEXEC\r\n",
    b"*1\r\n$5\r\nMULTI\r\n",
    b"*2\r\n$3\r\nGET\r\n",
    b"#\n",
]
MUTATION = st.tuples(
    st.sampled_from(KINDS),
    st.floats(0, 1),
    st.integers(1, 80),
    st.one_of(st.sampled_from(PIECES), st.binary(max_size=20)),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(LOGS)), st.lists(st.tuples(st.integers(0, 3), MUTATION), min_size=1, max_size=4))
def test_the_verdict_on_a_log_is_what_a_start_does(name: str, mutations: list[tuple[int, tuple]]) -> None:
    disk = LOGS[name]
    paths = sorted(disk.names)
    for number, mutation in mutations:
        path = paths[number % len(paths)]
        disk = changed(disk, path, mutated(bytes(disk.names[path].data), *mutation))
    reports = check(disk)
    assert exit_status(reports) == STATUS[START.log(disk)], reports


@pytest.mark.parametrize("name", sorted(LOGS))
def test_a_log_that_is_cut_or_flipped_anywhere(name: str) -> None:
    whole = LOGS[name]
    path = LAST if name == "ours" else FIRST
    data = bytes(whole.names[path].data)
    for size in range(len(data) + 1):
        for disk in (changed(whole, path, data[:size]), changed(whole, path, data[:size] + b"\x00" * 9)):
            reports = check(disk)
            assert exit_status(reports) == STATUS[START.log(disk)], (size, reports)
    for place in range(0, len(data), 3):
        disk = changed(whole, path, mutated(data, "flip", place / len(data), place, b""))
        assert exit_status(check(disk)) == STATUS[START.log(disk)], place


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(FIXTURES), st.lists(MUTATION, min_size=1, max_size=3), st.booleans())
def test_the_verdict_on_an_rdb_file_is_what_a_start_does(path: Path, mutations: list[tuple], sealed: bool) -> None:
    data = path.read_bytes()
    for mutation in mutations:
        data = mutated(data, *mutation)
    if sealed:
        data = data[:-8] + crc64_redis(data[:-8]).to_bytes(8, "little")
    disk = MemoryDisk()
    disk.names[RDB] = Inode(data)
    report = checker(disk).rdb(RDB)
    assert exit_status([report]) == STATUS[START.rdb(disk)], report


def test_what_is_told_of_a_log() -> None:
    manifest, base, first, last = check(LOGS["ours"])
    assert [each.verdict for each in (manifest, base, first, last)] == [Verdict.WHOLE] * 4
    assert (base.role, base.contents.rdb_checksum, base.contents.keys, base.contents.types) == (
        "base", True, 2, {"string": 2},
    )  # fmt: skip
    assert (first.contents.commands, first.contents.stretches) == (3, 2)
    assert last.contents.names == {"select": 1, "incr": 1, "multi": 1, "set": 2, "exec": 1}
    assert last.contents.foreign_bytes == 0
    assert last.contents.last_command == "SET d"
    assert last.size == last.contents.verified_bytes
    data = bytes(LOGS["ours"].names[LAST].data)
    assert last.contents.last_command_offset == data.rindex(b"*3")


def test_what_is_told_of_damage() -> None:
    whole = LOGS["ours"]
    data = bytes(whole.names[LAST].data)
    torn = of(check(changed(whole, LAST, data[:-3])), LAST)
    stretch = data.rindex(b"#CRC64:")
    assert (torn.verdict, torn.offset, torn.lost) == (Verdict.TORN, stretch, len(data) - 3 - stretch)
    assert torn.contents.last_command == "EXEC"
    zeros = of(check(changed(whole, LAST, data + bytes(5000))), LAST)
    assert (zeros.verdict, zeros.offset, zeros.lost) == (Verdict.TORN, len(data), 5000)
    middle = of(check(changed(whole, FIRST, bytes(whole.names[FIRST].data)[:-3])), FIRST)
    assert (middle.verdict, middle.reason[-30:]) == (Verdict.DAMAGED, "s not the last file of the log")
    flipped = of(check(changed(whole, BASE, mutated(bytes(whole.names[BASE].data), "flip", 0.5, 3, b""))), BASE)
    assert flipped.verdict is Verdict.DAMAGED
    assert flipped.offset > 0
    unknown = of(check(foreign(request("SET", "a", 1), request("NOSUCH", "x"))), FIRST)
    assert (unknown.offset, unknown.reason) == (len(request("SET", "a", 1)), unknown.reason)
    assert "unknown command 'NOSUCH'" in unknown.reason
    arity = of(check(foreign(request("SET", "a", 1), request("GET"))), FIRST)
    assert "wrong number of arguments" in arity.reason
    ended = of(check(foreign(request("SET", "a", 1), request("QUIT"))), FIRST)
    assert ended.verdict is Verdict.DAMAGED


def test_what_else_is_in_the_folder_of_a_log() -> None:
    disk = changed(LOGS["ours"], f"{FOLDER}/{PREFIX}.9.incr.aof", b"")
    disk.names[f"{FOLDER}/temp-{PREFIX}.2.base.rdb"] = Inode(b"REDIS")
    disk.names[f"{FOLDER}/other.aof.1.incr.aof"] = Inode()
    disk.names[f"{FOLDER}/other.aof.manifest"] = Inode(b"file other.aof.1.incr.aof seq 1 type i\n")
    reports = check(disk)
    assert {report.path: report.verdict for report in reports[4:]} == {
        f"{FOLDER}/{PREFIX}.9.incr.aof": Verdict.STRAY,
        f"{FOLDER}/temp-{PREFIX}.2.base.rdb": Verdict.LEFT_OVER,
    }
    assert exit_status(reports) == 0
    del disk.names[LAST]
    assert of(check(disk), LAST).verdict is Verdict.MISSING
    del disk.names[MANIFEST]
    assert [report.verdict for report in check(disk)].count(Verdict.MISSING) == 1


def test_history_that_is_kept_is_checked_and_other_history_is_left_over() -> None:
    disk = changed(LOGS["ours"], "/old", b"")
    base, first = LogFile("x.1.base.rdb", 1, "h", 0, 5000), LogFile("x.1.incr.aof", 1, "h", 0, 5000)
    manifest = parse_manifest(MANIFEST, bytes(disk.names[MANIFEST].data))
    manifest.history = [base, first, LogFile("x.gone.aof", 1, "h")]
    disk.names[MANIFEST] = Inode(manifest.render())
    disk.names[f"{FOLDER}/{base.name}"] = Inode(bytes(disk.names[BASE].data))
    disk.names[f"{FOLDER}/{first.name}"] = Inode(bytes(disk.names[FIRST].data))
    disk.names[f"{FOLDER}/x.gone.aof"] = Inode()
    reports = check(disk)
    assert exit_status(reports) == 0
    assert [(report.role, report.verdict, report.contents.keys) for report in reports[4:]] == [
        ("history", Verdict.WHOLE, 2), ("history", Verdict.WHOLE, 0), ("", Verdict.LEFT_OVER, 0),
    ]  # fmt: skip
    disk.names[f"{FOLDER}/{first.name}"].data.pop()
    disk.names[LAST].data += b"*"
    reports = check(disk)
    assert exit_status(reports) == 2
    torn = torn_file(reports)
    assert torn is not None
    assert torn.path == LAST, "history is in the way of no start"


def test_a_torn_end_that_may_not_be_cut_is_not_harmless() -> None:
    disk = changed(LOGS["ours"], LAST, bytes(LOGS["ours"].names[LAST].data)[:-1])
    reports = checker(disk, truncated=False).log(FOLDER, PREFIX)
    assert "aof-load-truncated is off" in of(reports, LAST).reason
    assert exit_status(reports, load_truncated=False) == 2


def rdb_of(keys: list[bytes], expire_ms: int = -1) -> bytes:
    writer = RdbWriter(True, True)
    writer.begin([])
    writer.select(0, len(keys), 0)
    for key in keys:
        writer.entry(key, b"1", expire_ms)
    writer.end()
    return writer.take()


def test_a_key_that_is_twice_among_many_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [b"key:%d" % i for i in range(20_000)]
    disk = MemoryDisk()
    # The filter is so full that most keys are suspected.
    monkeypatch.setattr(duplicates, "_MOST_BITS", 15)
    disk.names[RDB] = Inode(rdb_of(keys))
    assert checker(disk).rdb(RDB).verdict is Verdict.WHOLE
    disk.names[RDB] = Inode(rdb_of([*keys, keys[7]]))
    report = checker(disk).rdb(RDB)
    assert (report.verdict, report.reason) == (Verdict.DAMAGED, "duplicate key b'key:7' in database 0")
    # What has expired is left out by a start, and so may be there twice.
    disk.names[RDB] = Inode(rdb_of([*keys, keys[7]], expire_ms=1000))
    assert checker(disk).rdb(RDB).contents.expired == 20_001
    assert START.rdb(disk) == "starts"


# Repair


def torn_disk() -> tuple[MemoryDisk, bytes]:
    """A disk with everything synced, and the content of its torn file."""
    disk = changed(LOGS["ours"], LAST, bytes(LOGS["ours"].names[LAST].data)[:-3] + bytes(100))
    disk.fsync_folder(FOLDER)
    for inode in disk.names.values():
        inode.sync()
    return disk, bytes(disk.names[LAST].data)


def test_a_torn_end_is_cut_off_and_everything_kept() -> None:
    disk, original = torn_disk()
    torn = torn_file(check(disk))
    assert torn is not None
    repair = cut_torn_end(disk, torn, "20260101T000000Z")
    assert repair.original == f"{LAST}.damaged-20260101T000000Z"
    assert (repair.offset, repair.bytes, repair.commands) == (torn.offset, len(original) - torn.offset, 0)
    again = disk.after_power_failure()
    assert bytes(again.names[repair.original].data) == original
    assert bytes(again.names[LAST].data) == original[: torn.offset]
    assert exit_status(check(again)) == 0
    # A second repair within the second takes another name.
    disk.names[LAST].data += b"*"
    torn = torn_file(check(disk))
    assert torn is not None
    assert cut_torn_end(disk, torn, "20260101T000000Z").original == f"{repair.original}-2"
    assert bytes(disk.names[repair.original].data) == original


def test_it_says_which_commands_are_lost() -> None:
    disk = foreign(request("SET", "a", 1), request("MULTI"), request("SET", "b", 2), request("INCR", "c"), b"*1\r\n")
    torn = torn_file(check(disk))
    assert torn is not None
    repair = cut_torn_end(disk, torn, "x")
    assert (repair.commands, repair.first) == (3, "MULTI")
    assert bytes(disk.names[FIRST].data) == request("SET", "a", 1)


class FailOnce:
    """Fails the call of a number, and keeps what the disk is like where the power fails instead."""

    def __init__(self, disk: MemoryDisk, number: int) -> None:
        self.disk = disk
        self.number = number
        self.worlds: list[MemoryDisk] = []
        disk.calls.clear()
        disk.fault = self

    def __call__(self, operation: str, path: str) -> OSError | None:
        if len(self.disk.calls) != self.number:
            return None
        self.worlds = [self.disk.after_power_failure(), self.disk.after_luck(), self.disk.after_kill()]
        return OSError(28, "No space left on device")


def test_no_failure_and_no_crash_in_a_repair_loses_the_original() -> None:
    whole, original = torn_disk()
    report = torn_file(check(whole))
    assert report is not None
    number = 0
    while True:
        number += 1
        disk, _ = torn_disk()
        failure = FailOnce(disk, number)
        try:
            cut_torn_end(disk, report, "x")
            break
        except OSError:
            disk.fault = None
        for world in (*failure.worlds, disk):
            assert original in [bytes(inode.data) for inode in world.names.values()], number
            assert exit_status(check(world)) in (0, 1)
    assert number > 8


@pytest.mark.parametrize("path", [BASE, FIRST, MANIFEST])
def test_damage_is_not_repaired(path: str) -> None:
    disk, _ = torn_disk()
    data = bytes(disk.names[path].data)
    with pytest.raises(RepairRefused, match=path):
        torn_file(check(changed(disk, path, mutated(data, "flip", 0.9, 3, b""))))
    del disk.names[path]
    with pytest.raises(RepairRefused, match=path):
        torn_file(check(disk))
    assert torn_file(check(LOGS["ours"])) is None


# Which files a path means


def test_what_a_path_means(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    log = folder / "appendonlydir"
    log.mkdir(parents=True)
    with pytest.raises(NothingFound):
        find(str(folder))
    for path in ("a.aof.manifest", "a.aof.1.incr.aof", "b.aof.3.base.rdb"):
        (log / path).touch()
    for path in ("dump.rdb", "old.aof", "temp-12.rdb", "none.conf"):
        (folder / path).touch()
    (folder / "odd").write_bytes(b"REDIS0011")
    (folder / "text").write_bytes(b"hello")
    logs = [Target(Kind.LOG, str(log), prefix) for prefix in ("a.aof", "b.aof")]
    assert find(str(log)) == logs, "the second has lost its manifest"
    assert find(str(log / "a.aof.manifest")) == logs[:1]
    assert set(find(str(folder))) == {
        *logs, Target(Kind.RDB, str(folder / "dump.rdb")), Target(Kind.AOF, str(folder / "old.aof")),
        Target(Kind.LEFT_OVER, str(folder / "temp-12.rdb")),
    }  # fmt: skip
    assert find(str(folder / "odd")) == [Target(Kind.RDB, str(folder / "odd"))]
    assert find(str(folder / "odd"), Kind.AOF)[0].kind is Kind.AOF
    with pytest.raises(NothingFound, match="neither"):
        find(str(folder / "text"))
    with pytest.raises(FileNotFoundError):
        find(str(folder / "nosuch"))
    assert belongs_to(str(log / "a.aof.1.incr.aof")) == str(log / "a.aof.manifest")
    assert belongs_to(str(folder / "old.aof")) is None
    assert {target.data_folder() for target in find(str(folder))[:2]} == {str(folder)}


class LongLog:
    """A foreign log of 16 MB that nobody holds."""

    size = 16 << 20

    def __init__(self) -> None:
        self.position = 0
        self.piece = request("SET", "key", "v" * (1024 - 30)) * 256
        assert len(self.piece) == 1 << 18

    def read(self, size: int, /) -> bytes:
        start = self.position % len(self.piece)
        taken = self.piece[start : start + min(size, self.size - self.position)]
        self.position += len(taken)
        return taken

    def zeros_at_end(self) -> int:
        return 0

    def close(self) -> None:
        pass


def test_memory_does_not_grow_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemoryDisk()
    monkeypatch.setattr(disk, "open", lambda path: LongLog())
    tracemalloc.start()
    try:
        report = checker(disk).single_log("/long.aof")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (report.verdict, report.contents.commands) == (Verdict.WHOLE, 16384)
    assert peak < 6 << 20
