"""Damaged and hostile files, made out of real ones by a seed, and what becomes of them.

RDB files, DUMP payloads through RESTORE, append-only files and manifests; and requests (``fuzzing_requests``).
Whatever they hold, they load or are refused with the error that is meant for it, soon, and in memory in proportion to
their size.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import os
import random
import time
import traceback
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from durastore.engine.engine import Engine
from durastore.engine.session import Session
from durastore.persistence.aof.annotations import CHAIN_START, stretch_checksum, stretch_header
from durastore.persistence.aof.log import LogSettings
from durastore.persistence.aof.manifest import AofError, LogFile, Manifest, parse_manifest
from durastore.persistence.checksum import crc64_redis
from durastore.persistence.loader import Loader, LoadError
from durastore.persistence.rdb import RdbError, RdbReader, dump_value
from support.disks import Inode, MemoryDisk
from support.fuzzing_requests import Calls, Requests
from support.inprocess import make_server, without_socket
from support.mutating import mutate
from support.rdb import describe_value
from support.resp import request
from support.simulation.judge import content

FIXTURES = Path(__file__).parents[2] / "fixtures"
# No case takes longer, in seconds.
PATIENCE = 5.0
# LZF unpacks to at most 88 times its size, and Python objects are large: so much for each byte, and to begin with.
MEMORY_FACTOR = 200
MEMORY_BASE = 6 << 20
# The memory of one case in so many is measured.
MEASURED = 200

_LENGTHS = [
    b"\x00", b"\x01", b"\x3f", b"\x40", b"\x7f", b"\x80", b"\x81", b"\xc0", b"\xc1", b"\xc2", b"\xc3", b"\xfe", b"\xff",
    b"\x7f\xff", b"\x80\x7f\xff\xff\xff", b"\x80\xff\xff\xff\xff", b"\x81" + b"\xff" * 8, b"\x81\x7f" + b"\xff" * 7,
    b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", bytes(4), bytes(8), b"\xff" * 8, b"\x80" + bytes(4), b"\xf0" * 6,
]  # fmt: skip
_TEXTS = [
    b"$-1\r\n", b"*-1\r\n", b"*0\r\n", b"$0\r\n\r\n", b"*1048576\r\n", b"*99999999\r\n", b"$536870912\r\n",
    b"$9999999999\r\n",
    b"#TS:x\r\n", CHAIN_START, b"#CRC64:0000000000000000:9:1\r\n", b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n",
    b"\r\n",
    b"REDIS0011",
]  # fmt: skip


# What reads all that a value has beside its elements.
_READS: dict[bytes, tuple[tuple[str, ...], ...]] = {
    b"stream": (("XINFO", "STREAM", "k", "FULL"), ("XINFO", "GROUPS", "k"), ("XADD", "k", "*", "f", "v")),
    b"hash": (("HPEXPIRETIME", "k", "FIELDS", "1", "f"), ("HGETALL", "k")),
    b"zset": (("ZRANGE", "k", "0", "-1", "WITHSCORES"), ("ZINCRBY", "k", "1", "m")),
}


def sealed(body: bytes) -> bytes:
    return body + crc64_redis(body).to_bytes(8, "little")


@dataclass
class Failure:
    """A case that was not handled as it ought to be."""

    kind: str
    seed: int
    what: str
    data: bytes


class Rdb:
    """Whole RDB files."""

    name = "rdb"

    def __init__(self) -> None:
        self.files = [path.read_bytes() for path in sorted((FIXTURES / "rdb").glob("*.rdb"))]

    def case(self, chance: random.Random) -> bytes:
        original = chance.choice(self.files)
        if chance.random() < 0.2:
            return mutate(original, self.files, _LENGTHS, chance)
        # The version and the checksum are right: it gets to the values.
        body = mutate(original[9:-8], self.files, _LENGTHS, chance)
        return sealed(original[:9] + body)

    def run(self, data: bytes) -> None:
        reader = RdbReader(io.BytesIO(data), len(data))
        try:
            reader.read_header()
            while reader.next_entry():
                value = reader.value
                describe_value(value)
                dump_value(value)
        except RdbError:
            pass


class Restore:
    """DUMP payloads."""

    name = "restore"

    def __init__(self) -> None:
        self.payloads = []
        for path in sorted((FIXTURES / "rdb").glob("*.rdb")):
            data = path.read_bytes()
            reader = RdbReader(io.BytesIO(data), len(data))
            reader.read_header()
            while reader.next_entry():
                payload = dump_value(reader.value)
                if len(payload) < 3000:
                    self.payloads.append(payload)
        self._server = make_server(Path("/"), MemoryDisk())
        self._engine = self._server.engine

    def case(self, chance: random.Random) -> bytes:
        original = chance.choice(self.payloads)
        if chance.random() < 0.1:
            return mutate(original, self.payloads, _LENGTHS, chance)
        return sealed(mutate(original[:-10], self.payloads, _LENGTHS, chance) + original[-10:-8])

    def run(self, data: bytes) -> None:
        client = without_socket(self._server)
        reply = _call(client, "RESTORE", "k", 0, data, "REPLACE")
        if reply == b"+OK\r\n":
            for words in (("TYPE", "k"), ("OBJECT", "ENCODING", "k"), ("DUMP", "k"), ("MEMORY", "USAGE", "k")):
                _call(client, *words)
            for words in _READS.get(_call(client, "TYPE", "k")[1:-2], ()):
                _call(client, *words)
            describe_value(content_of(self._engine, b"k"))
        else:
            assert reply.startswith((b"-ERR Bad data format", b"-ERR DUMP payload version or checksum")), reply
        _call(client, "FLUSHALL")


def content_of(of: Engine, key: bytes) -> object:
    db = of.instance.keyspace.databases[0]
    return db.table.find(key).items[key]


def _call(to: Session, *words: bytes | str | int) -> bytes:
    to.feed(request(*words))
    return to.take_output()


class Aof:
    """Files of a log: of real servers, of durastore, and with an RDB file before the commands."""

    name = "aof"

    def __init__(self) -> None:
        self.files = [path.read_bytes() for path in sorted((FIXTURES / "aof").glob("*.aof"))]
        self.rdbs = [
            path.read_bytes() for path in sorted((FIXTURES / "rdb").glob("*.rdb")) if path.stat().st_size < 3000
        ]
        self._engine = make_server(Path("/"), MemoryDisk()).engine
        self._settings = settings()

    def case(self, chance: random.Random) -> bytes:
        commands = chance.choice(self.files)
        kind = chance.randrange(4)
        if kind == 0:
            return mutate(commands, self.files, [*_TEXTS, *_LENGTHS], chance)
        if kind == 1:
            return mutate(chance.choice(self.rdbs) + commands, self.files, [*_TEXTS, *_LENGTHS], chance)
        whole = mutate(commands, self.files, _TEXTS, chance) if kind == 2 else commands
        out, checksum = [CHAIN_START], 0
        for begin in range(0, len(whole), 500):
            part = whole[begin : begin + 500]
            checksum = stretch_checksum(checksum, len(part), begin, part)
            out += [stretch_header(checksum, len(part), begin), part]
        return b"".join(out) if kind == 2 else mutate(b"".join(out), self.files, _TEXTS, chance)

    def run(self, data: bytes) -> None:
        disk = MemoryDisk()
        disk.names = {"/a/f.1.incr.aof": Inode(data), "/a/f.manifest": Inode(b"file f.1.incr.aof seq 1 type i\n")}
        loader = Loader(self._engine, disk, lambda: self._settings, lambda: "/dump.rdb")
        try:
            loader.reload_log()
        except LoadError as error:
            if "/a/f.1.incr.aof" not in str(error):
                raise
        keyspace = self._engine.instance.keyspace
        content(keyspace.databases[0])
        # Nobody else does, and what was flushed would pile up.
        keyspace.freeing.step(math.inf, time.perf_counter)


class Manifests:
    """Manifests, with a checksum and without one."""

    name = "manifest"

    def __init__(self) -> None:
        manifest = Manifest(
            LogFile("appendonly.aof.7.base.rdb", 7, "b", 1_700_000_000_000),
            [LogFile("appendonly.aof.9.incr.aof", 9, "i"), LogFile("appendonly.aof.10.incr.aof", 10, "i")],
            [LogFile("a name", 1, "h", 1_600_000_000_000, 1_700_000_000_000), LogFile("old", 2, "h")],
        )
        ours = manifest.render()
        self.files = [ours, ours.partition(b"\n")[2], b"file appendonly.aof seq 1 type b\n"]

    def case(self, chance: random.Random) -> bytes:
        pieces = [
            b"\n",
            b" ",
            b'"',
            b"\\x00",
            b"\0",
            b"/",
            b"..",
            b"#",
            b"9" * 20,
            b"-1",
            b"type",
            b"seq",
            b"file",
            b"h",
        ]
        pieces += [b"type h until 1", b'"a\\x00b"', b"9" * 5000, b"since", b"\xff", b"''"]
        return mutate(chance.choice(self.files), self.files, pieces, chance)

    def run(self, data: bytes) -> None:
        try:
            manifest = parse_manifest("/a/f.manifest", data)
        except AofError:
            return
        again = parse_manifest("/a/f.manifest", manifest.render())
        assert again == manifest
        for each in (*manifest.files(), *manifest.history):
            # What the system's calls take as the name of a file in that folder.
            with contextlib.suppress(OSError):
                os.stat(os.path.join("/nonexistent", each.name))


def settings() -> LogSettings:
    return LogSettings(
        folder="/a", filename="f", fsync="no", timestamps=False, rdb_preamble=True, no_fsync_on_rewrite=False,
        rewrite_percentage=0, rewrite_min_size=0, load_truncated=True, corrupt_tail=100, incremental_fsync=False,
    )  # fmt: skip


KINDS: dict[str, Callable[[], Rdb | Restore | Aof | Manifests | Requests | Calls]] = {
    "rdb": Rdb, "restore": Restore, "aof": Aof, "manifest": Manifests, "requests": Requests, "calls": Calls,
}  # fmt: skip


class Complaints(logging.Handler):
    """Errors that the engine has caught: a client was told that it was an internal one."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter().format(record))


class Fuzzer:
    """Runs cases of one kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._target = KINDS[kind]()
        self._complaints = Complaints()
        logger = logging.getLogger("durastore")
        logger.handlers = [self._complaints]
        logger.propagate = False
        self.slowest = 0.0
        self.most_memory = 0.0

    def try_case(self, seed: int) -> Failure | None:
        """One case; what was wrong with how it was handled, or None."""
        data = self._target.case(random.Random(seed))
        measured = seed % MEASURED == 0
        if measured:
            tracemalloc.start()
        # Of the processor: on a busy machine others take more than that.
        begun = time.process_time()
        what = ""
        try:
            self._target.run(data)
        except (Exception, MemoryError):
            what = traceback.format_exc()
        what += "".join(text for text in self._complaints.texts if "Traceback" in text)
        self._complaints.texts.clear()
        seconds = time.process_time() - begun
        if measured:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            self.most_memory = max(self.most_memory, peak / max(len(data), 1))
            if peak > MEMORY_BASE + MEMORY_FACTOR * len(data):
                what = f"{peak} bytes of memory for {len(data)} bytes"
        self.slowest = max(self.slowest, seconds)
        if seconds > PATIENCE:
            what = f"it took {seconds:.1f} s"
        return Failure(self.kind, seed, what, data) if what else None
