"""Are data files whole?

What start-up would refuse is damaged, and what it would cut off is a torn end: both go the same way through a file
(``walk``).  But nothing is kept here, so that memory is bounded by the largest value or command, whatever the size of
the file: values are decoded, commands are looked up with their arity, and not run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from durastore.engine.engine import Engine
from durastore.engine.session import replay_session
from durastore.keyspace.values import type_name
from durastore.persistence.aof.history import generations
from durastore.persistence.aof.manifest import SUFFIX, AofError, LogFile, Manifest, manifest_path, parse_manifest
from durastore.persistence.aof.reader import AofReader, TornTail, complaint
from durastore.persistence.aof.transaction import Transaction
from durastore.persistence.disk import TEMPORARY_PREFIX, Disk, Source
from durastore.persistence.duplicates import SeenKeys, find_duplicate
from durastore.persistence.rdb import RdbError, RdbReader
from durastore.persistence.replay import load_libraries
from durastore.persistence.walk import Counted, Sink, may_end_early, walk_log_file, walk_rdb
from durastore.protocol.parser import ERROR, REQUEST, RequestParser

HISTORY = "history"
TEMPORARY = "temporary: left behind by a save or rewrite that did not end"
# What ends a connection, and with it a replay.
_ENDING = (b"quit", b"shutdown")
# So many entries or commands are taken at a time.
_ENTRIES = 1024
# How much of a word is shown.
_SHOWN = 80


class Verdict(StrEnum):
    """What is to be said of a file."""

    WHOLE = "whole"
    TORN = "torn end"
    DAMAGED = "damaged"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    LEFT_OVER = "left over"
    STRAY = "not of the manifest"


@dataclass
class Contents:
    """What was found in a file up to where it is good; offsets and sizes in bytes."""

    rdb: int = 0
    rdb_checksum: bool = False
    keys: int = 0
    types: dict[str, int] = field(default_factory=dict)
    expires: int = 0
    expired: int = 0
    functions: int = 0
    last_key: str = ""
    last_key_offset: int = -1
    commands: int = 0
    names: dict[str, int] = field(default_factory=dict)
    stretches: int = 0
    verified_bytes: int = 0
    foreign_bytes: int = 0
    last_command: str = ""
    last_command_offset: int = -1


@dataclass
class FileReport:
    """The verdict on a file.

    ``kind`` is rdb, aof, manifest or empty, ``role`` what the manifest says it is.  From ``offset`` on (-1: the whole
    file) it is not good, for ``reason``; ``lost`` bytes stand there.
    """

    path: str
    kind: str = ""
    role: str = ""
    verdict: Verdict = Verdict.WHOLE
    offset: int = -1
    reason: str = ""
    size: int = 0
    seconds: float = 0.0
    contents: Contents = field(default_factory=Contents)

    @property
    def lost(self) -> int:
        """The bytes from the offset on."""
        return self.size - self.offset if self.offset >= 0 else 0

    def judge(self, verdict: Verdict, offset: int, reason: str) -> None:
        """Gives the verdict."""
        self.verdict = verdict
        self.offset = offset
        self.reason = reason


def shown(word: bytes) -> str:
    """A word for people, cut short."""
    text = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word[:_SHOWN])
    return text if len(word) <= _SHOWN else f"{text}..."


class Examiner(Sink):
    """Looks at everything in a file, and keeps nothing of it; ``finish`` completes the contents."""

    def __init__(self, engine: Engine, contents: Contents, size: int) -> None:
        self.limits = engine.instance.keyspace.limits
        self.seen = SeenKeys(size)
        self._engine = engine
        self._databases = len(engine.instance.keyspace.databases)
        self._client = replay_session(engine).client
        self._contents = contents
        self._transaction = Transaction()
        self._types: dict[bytes, int] = {}
        self._names: dict[bytes, int] = {}
        self._last_key = (0, b"")
        self._last_command: list[bytes] = []

    def finish(self) -> None:
        """To be called at the end, whether of the file or of what is good in it."""
        contents = self._contents
        if contents.keys:
            db, key = self._last_key
            contents.last_key = f"{shown(key)} in database {db}"
        contents.types = {name.decode(): count for name, count in self._types.items()}
        contents.names = {name.decode(): count for name, count in self._names.items()}
        contents.last_command = " ".join(shown(word) for word in self._last_command[:2])

    def entries(self, reader: RdbReader, now: int, merge: bool) -> Iterator[None]:
        """See Sink."""
        contents = self._contents
        contents.rdb = int(reader.version)
        while reader.next_entry():
            self._entry(reader, now)
            if contents.keys % _ENTRIES == 0:
                yield
        contents.functions = len(reader.functions)
        if reader.functions:
            self._engine.instance.keyspace.functions = list(reader.functions)
            load_libraries(self._engine, reader)
        contents.rdb_checksum = reader.verified

    def _entry(self, reader: RdbReader, now: int) -> None:
        contents = self._contents
        db = int(reader.db)
        if db >= self._databases:
            raise RdbError(reader.offset, f"the file uses database {db}, and only {self._databases} are configured")
        contents.keys += 1
        kind = type_name(reader.value)
        self._types[kind] = self._types.get(kind, 0) + 1
        contents.last_key_offset = int(reader.entry_offset)
        self._last_key = (db, reader.key)
        if reader.expire_ms != -1:
            contents.expires += 1
            if now != -1 and reader.expire_ms < now:
                contents.expired += 1
                return
        self.seen.add(db, reader.key)

    def in_transaction(self) -> bool:
        """See Sink."""
        return self._transaction.is_open

    def commands(self, reader: AofReader, path: str) -> Iterator[None]:
        """See Sink."""
        contents = self._contents
        self._transaction = Transaction()
        parser = replay_session(self._engine).parser
        begin = int(reader.offset)
        while True:
            before = int(reader.offset)
            at_boundary = parser.at_boundary()
            piece = reader.next_piece(at_boundary)
            if piece is None:
                break
            if reader.verified:
                contents.stretches += 1
                contents.verified_bytes += int(reader.offset) - before
            else:
                contents.foreign_bytes += len(piece)
            if at_boundary:
                begin = int(reader.offset) - len(piece)
            begin = self._piece(parser, piece, int(reader.offset), begin, path)
            yield
        if self._transaction.is_open:
            raise TornTail(int(reader.offset), "the file ends within a transaction")

    def _piece(self, parser: RequestParser, piece: bytes, end: int, begin: int, path: str) -> int:
        """Takes the commands of a piece that ends at the offset ``end``; returns where the next one begins."""
        contents = self._contents
        parser.feed(piece)
        while (outcome := parser.next()) == REQUEST:
            argv = parser.argv
            self._command(argv, path, begin)
            behind = end - len(parser.buf) + int(parser.pos)
            contents.commands += 1
            contents.last_command_offset = behind - int(parser.pos - parser.start) if parser.start >= 0 else begin
            self._last_command = argv
            begin = behind
        if outcome == ERROR:
            raise AofError(path, begin, complaint(parser.error))
        return begin

    def _command(self, argv: list[bytes], path: str, offset: int) -> None:
        engine = self._engine
        command = engine.find(argv)
        refusal = engine.complaint(self._client, command, argv)
        if refusal is not None or command is None:
            raise AofError(path, offset, complaint(refusal or b"").removeprefix("ERR "))
        name = command.name
        if name in _ENDING:
            raise AofError(path, offset, f"the command '{name.decode()}' ended the replay")
        self._transaction.follow(name, offset)
        self._names[name] = self._names.get(name, 0) + 1


class Checker:
    """Checks files.

    ``progress`` hears how many bytes were read; ``now`` (Unix milliseconds) says which keys of an RDB file have
    expired, and so are left out at the start.
    """

    def __init__(
        self, disk: Disk, engine: Engine, now: int, progress: Callable[[int], None], load_truncated: bool = True
    ) -> None:
        self._disk = disk
        self._engine = engine
        self._now = now
        self._progress = progress
        self._load_truncated = load_truncated

    def rdb(self, path: str) -> FileReport:
        """An RDB file by itself."""
        report = FileReport(path, "rdb")

        def walk(source: Source, sink: Sink) -> Iterator[None]:
            return walk_rdb(source, sink, self._now, False)

        self._walk(report, walk, self._now)
        return report

    def single_log(self, path: str) -> FileReport:
        """A log that is one file, or one file of a log by itself."""
        report = self._log_file(path, "")
        self._judge_end(report, True)
        return report

    def log(self, folder: str, prefix: str) -> list[FileReport]:
        """A log in parts: its manifest first, then its files, then what else is in the folder."""
        path = manifest_path(folder, prefix)
        report, manifest = self._manifest(path)
        reports = [report]
        files = manifest.files()
        checked = [self._part(folder, each, _role(each)) for each in files]
        # A file that is missing is none that may end early.
        sizes = [-1 if each.verdict is Verdict.MISSING else each.size for each in checked]
        last = may_end_early([each.path for each in checked], sizes)
        for number, each in enumerate(checked):
            self._judge_end(each, number >= last)
        reports += checked
        reports += self._history(folder, manifest)
        known = {each.name for each in (*files, *manifest.history)}
        reports += self._strays(folder, prefix, known)
        return reports

    def _history(self, folder: str, manifest: Manifest) -> list[FileReport]:
        """What newer bases have replaced: kept, so that it can be restored, or about to be removed."""
        reports = []
        for generation in generations(manifest)[:-1]:
            for each in generation.files():
                report = self._part(folder, each, HISTORY)
                self._judge_end(report, False)
                reports.append(report)
        for each in manifest.history:
            path = os.path.join(folder, each.name)
            if not each.until and self._disk.exists(path):
                reports.append(self.other(path, Verdict.LEFT_OVER, "history that is to be removed"))
        return reports

    def other(self, path: str, verdict: Verdict, reason: str) -> FileReport:
        """A file that no start reads."""
        report = FileReport(path, verdict=verdict, reason=reason)
        with _judging(report):
            report.size = self._disk.size(path)
        return report

    def _manifest(self, path: str) -> tuple[FileReport, Manifest]:
        report = FileReport(path, "manifest")
        if not self._disk.exists(path):
            report.judge(Verdict.MISSING, -1, "files of a log are there, and a start would not see them")
            return report, Manifest()
        with _judging(report):
            data = self._disk.read_whole(path)
            report.size = len(data)
            return report, parse_manifest(path, data)
        return report, Manifest()

    def _strays(self, folder: str, prefix: str, known: set[str]) -> list[FileReport]:
        """The files in the folder of a log that belong neither to it nor to another one."""
        names = self._disk.list(folder)
        others = tuple(name.removesuffix(SUFFIX) + "." for name in names if name.endswith(SUFFIX))
        theirs = tuple(other for other in others if other != prefix + ".")
        reports = []
        for name in names:
            path = os.path.join(folder, name)
            if name.startswith(TEMPORARY_PREFIX):
                reports.append(self.other(path, Verdict.LEFT_OVER, TEMPORARY))
            elif name not in known and not name.endswith(SUFFIX) and not name.startswith(theirs):
                reports.append(self.other(path, Verdict.STRAY, "no start reads it"))
        return reports

    def _part(self, folder: str, line: LogFile, role: str) -> FileReport:
        report = self._log_file(os.path.join(folder, line.name), role)
        if report.verdict in (Verdict.WHOLE, Verdict.TORN):
            with _judging(report):
                line.demand_size(report.size)
        return report

    def _log_file(self, path: str, role: str) -> FileReport:
        report = FileReport(path, "aof", role)

        def walk(source: Source, sink: Sink) -> Iterator[None]:
            return walk_log_file(self._disk, source, path, sink)

        self._walk(report, walk, -1)
        return report

    def _judge_end(self, report: FileReport, last: bool) -> None:
        """A torn end is damage unless a start would cut it off."""
        if report.verdict is Verdict.TORN and not last:
            report.verdict = Verdict.DAMAGED
            report.reason += "; it is not the last file of the log"
        elif report.verdict is Verdict.TORN and not self._load_truncated:
            report.reason += "; aof-load-truncated is off"

    def _walk(self, report: FileReport, walk: Callable[[Source, Sink], Iterator[None]], now: int) -> None:
        begun = time.perf_counter()
        with _judging(report):
            source = self._disk.open(report.path)
            report.size = source.size
            sink = Examiner(self._engine, report.contents, source.size)
            with _judging(report):
                for _ in walk(Counted(source, self._progress), sink):
                    pass
            sink.finish()
            if sink.seen.suspects and report.verdict in (Verdict.WHOLE, Verdict.TORN):
                find_duplicate(self._disk, report.path, sink.seen.suspects, now)
        report.seconds = time.perf_counter() - begun


def _role(line: LogFile) -> str:
    return "base" if line.kind == "b" else "incremental"


@contextmanager
def _judging(report: FileReport) -> Iterator[None]:
    """What goes wrong is the verdict."""
    try:
        yield
    except TornTail as tail:
        report.judge(Verdict.TORN, tail.offset, tail.reason)
    except (AofError, RdbError) as error:
        report.judge(Verdict.DAMAGED, error.offset, error.reason)
    except FileNotFoundError as error:
        report.judge(Verdict.MISSING, -1, error.strerror or str(error))
    except OSError as error:
        report.judge(Verdict.UNREADABLE, -1, error.strerror or str(error))


def exit_status(reports: list[FileReport], load_truncated: bool = True) -> int:
    """0: all is whole; 1: an end is torn, which a start repairs; 2: there is damage; 3: something cannot be read."""
    verdicts = {report.verdict for report in reports}
    if Verdict.UNREADABLE in verdicts:
        return 3
    if verdicts & {Verdict.DAMAGED, Verdict.MISSING}:
        return 2
    if Verdict.TORN in verdicts:
        return 1 if load_truncated else 2
    return 0
