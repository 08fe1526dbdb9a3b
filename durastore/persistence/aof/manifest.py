"""The manifest: which files make up the log, in which order.

The format is Redis 7's: a line ``file NAME seq N type T`` for each file, with ``b`` for the base, ``i`` for incremental
files in their order, and ``h`` for history, which is about to be removed.  A name with unusual characters is quoted.
Behind that durastore notes what Redis and Valkey pass over: ``since`` (Unix ms), of a base, is the moment whose state
it holds, and ``size`` how many bytes it has; history with ``until`` is kept, as the retention asks for: it tells what
was up to that moment.
Lines that start with ``#`` are skipped by Redis and Valkey; durastore's first line is one, and holds the CRC-64/ISO of
the others, as a single flipped bit can make a file of the log one that is to be removed.
The manifest is always replaced as a whole, after the files that it names are on disk.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace

from durastore.persistence.checksum import crc64_iso
from durastore.persistence.disk import Disk
from durastore.protocol.parser import split_line

SUFFIX = ".manifest"
# What the names of incremental files end in, and those of bases that are RDB files, or commands.
INCREMENT = ".incr.aof"
RDB_BASE = ".base.rdb"
_COMMAND_BASE = ".base.aof"
_CHECKSUM = b"#CRC64:"
# Sequence numbers and moments have no more digits.
_DIGITS = 15


class AofError(Exception):
    """The log cannot be used; says which file, where in it, and why.

    With ``vague`` the place is only the beginning of the piece in which it is.
    """

    def __init__(self, file: str, offset: int, reason: str, vague: bool = False) -> None:
        super().__init__(f"{file}, offset {offset}: {reason}" if offset >= 0 else f"{file}: {reason}")
        self.file = file
        self.offset = offset
        self.reason = reason
        self.vague = vague
        # Up to where the file holds whole commands, -1 where that is not known.
        self.whole_up_to = -1


@dataclass(frozen=True)
class LogFile:
    """A line of the manifest; ``kind`` is ``b``, ``i`` or ``h``; what is not known of the others is 0."""

    name: str
    seq: int
    kind: str
    since: int = 0
    until: int = 0
    size: int = 0

    def render(self) -> str:
        """The line."""
        notes = (("since", self.since), ("until", self.until), ("size", self.size))
        known = "".join(f" {word} {number}" for word, number in notes if number)
        return f"file {_quoted(self.name)} seq {self.seq} type {self.kind}{known}\n"

    def demand_size(self, size: int) -> None:
        """Raises AofError where the file has not the size that it should have."""
        if self.size not in (0, size):
            raise AofError(self.name, min(size, self.size), f"it has {size} bytes, and {self.size} were written")


def _quoted(name: str) -> str:
    if name and all(33 <= ord(c) <= 126 and c not in "\"'\\" for c in name):
        return name
    escaped = "".join(
        chr(byte)
        if 32 <= byte <= 126 and byte not in b'"\\'
        else ("\\" + chr(byte) if byte in b'"\\' else f"\\x{byte:02x}")
        for byte in os.fsencode(name)
    )
    return f'"{escaped}"'


@dataclass
class Manifest:
    """The files of a log."""

    base: LogFile | None = None
    increments: list[LogFile] = field(default_factory=list)
    history: list[LogFile] = field(default_factory=list)

    def files(self) -> list[LogFile]:
        """The files to read, in their order."""
        return [*([self.base] if self.base else []), *self.increments]

    def render(self) -> bytes:
        """The manifest's text."""
        files = [*([self.base] if self.base else []), *self.history, *self.increments]
        body = "".join(each.render() for each in files).encode()
        return b"%b%016x\n%b" % (_CHECKSUM, crc64_iso(body), body)

    def copy(self) -> Manifest:
        """One that may be changed without changing this one."""
        return Manifest(self.base, list(self.increments), list(self.history))

    def next_increment(self, prefix: str) -> LogFile:
        """The incremental file that comes next; none has the name of one that is about to be removed."""
        seq = max((each.seq for each in [*self.increments, *self.history]), default=0) + 1
        return LogFile(f"{prefix}.{seq}{INCREMENT}", seq, "i")

    def next_base(self, prefix: str, rdb: bool, used: int, since: int) -> LogFile:
        """The base that comes next, of a moment, where the numbers up to ``used`` are used up."""
        seq = max(self.base.seq if self.base else 0, used, *(each.seq for each in self.history)) + 1
        return LogFile(f"{prefix}.{seq}{RDB_BASE if rdb else _COMMAND_BASE}", seq, "b", since)

    def renew(self, base: LogFile, kept: list[LogFile], until: int = 0) -> None:
        """A new base takes the place of all files but those that ``kept`` names.

        They are history to be kept with ``until``, the moment of the new base, and to be removed without.
        """
        old = [*([self.base] if self.base else []), *(each for each in self.increments if each not in kept)]
        self.history.extend(replace(each, kind="h", until=until) for each in old if each.name != base.name)
        self.base = base
        self.increments = kept


def parse_manifest(path: str, data: bytes) -> Manifest:
    """Reads a manifest.  Raises AofError, with the number of the line, where it breaks Redis's rules."""
    manifest = Manifest()
    last_seq = 0
    if not data:
        raise AofError(path, -1, "the manifest is empty")
    if not data.endswith(b"\n"):
        raise AofError(path, len(data), "the last line of the manifest is not complete")
    if data.startswith(_CHECKSUM):
        line, _, body = data.partition(b"\n")
        if line[len(_CHECKSUM) :] != b"%016x" % crc64_iso(body):
            raise AofError(path, 0, "checksum error in the manifest")
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        where = f"line {number}"
        if line.startswith(b"#"):
            continue
        words = split_line(line)
        if words is None or len(words) < 6 or len(words) % 2:
            raise AofError(path, -1, f"{where}: expected 'file NAME seq NUMBER type TYPE'")
        values = {words[i].lower(): words[i + 1] for i in range(0, len(words), 2)}
        if not {b"file", b"seq", b"type"} <= values.keys() or not _is_number(values[b"seq"]):
            raise AofError(path, -1, f"{where}: expected 'file NAME seq NUMBER type TYPE'")
        name = os.fsdecode(values[b"file"])
        if os.path.basename(name) != name or not name or "\0" in name:
            raise AofError(path, -1, f"{where}: a file name must have neither a folder nor a NUL in it")
        entry = LogFile(
            name,
            int(values[b"seq"]),
            values[b"type"].decode("latin-1"),
            _number(values.get(b"since", b"")),
            _number(values.get(b"until", b"")),
            _number(values.get(b"size", b"")),
        )
        if entry.kind == "b":
            if manifest.base is not None:
                raise AofError(path, -1, f"{where}: there is a base already")
            manifest.base = entry
        elif entry.kind == "i":
            if entry.seq <= last_seq:
                raise AofError(path, -1, f"{where}: the sequence numbers of incremental files do not rise")
            last_seq = entry.seq
            manifest.increments.append(entry)
        elif entry.kind == "h":
            manifest.history.append(entry)
        else:
            raise AofError(path, -1, f"{where}: unknown type {entry.kind!r}")
    return manifest


def _is_number(word: bytes) -> bool:
    return word.isdigit() and len(word) <= _DIGITS


def _number(word: bytes) -> int:
    return int(word) if _is_number(word) else 0


def manifest_path(folder: str, prefix: str) -> str:
    """Where the manifest is."""
    return os.path.join(folder, prefix + SUFFIX)


def demand_no_log(disk: Disk, folder: str, prefix: str) -> None:
    """To be called where there is no manifest.  Raises AofError where files hold writes that it should have named.

    A base alone is what a first start leaves that was killed before it had written the manifest (``bases_left``).
    """
    for name in disk.list(folder) if disk.exists(folder) else []:
        path = os.path.join(folder, name)
        of_log = name == prefix or (name.startswith(prefix + ".") and name.endswith(INCREMENT))
        if of_log and disk.size(path) > 0:
            missing = manifest_path(folder, prefix)
            raise AofError(
                path,
                -1,
                f"it is part of a log whose manifest {missing} is missing; bring that back, or move the log away",
            )


def bases_left(disk: Disk, folder: str, prefix: str) -> dict[str, int]:
    """The bases in a folder, whether or not a manifest names them, with their numbers."""
    pattern = re.compile(
        rf"{re.escape(prefix)}\.(\d{{1,{_DIGITS}}})(?:{re.escape(RDB_BASE)}|{re.escape(_COMMAND_BASE)})"
    )
    matches = [pattern.fullmatch(name) for name in disk.list(folder)]
    return {match[0]: int(match[1]) for match in matches if match}


def store_manifest(disk: Disk, folder: str, prefix: str, manifest: Manifest) -> None:
    """Puts a manifest in place, after its files."""
    disk.write_atomically(manifest_path(folder, prefix), manifest.render())


def remove_history(disk: Disk, folder: str, prefix: str, manifest: Manifest) -> None:
    """Removes the files that are history and not kept, and then their lines."""
    kept = [each for each in manifest.history if each.until]
    if len(kept) == len(manifest.history):
        return
    for each in manifest.history:
        path = os.path.join(folder, each.name)
        if not each.until and disk.exists(path):
            disk.remove(path)
    manifest.history = kept
    store_manifest(disk, folder, prefix, manifest)
