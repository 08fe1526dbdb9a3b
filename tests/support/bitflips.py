"""Every bit of a small log's files and of an RDB file flipped, one at a time, and what each server makes of it.

A flip is *detected* where the start is refused, *harmless* where everything loads as it was, and *wrong* where the
server starts with something else, and says nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from durastore.keyspace.lists import List
from durastore.persistence.aof.log import LogSettings
from durastore.persistence.aof.manifest import LogFile, Manifest
from durastore.persistence.aof.writer import AofWriter
from durastore.persistence.loader import Loader, LoadError
from durastore.persistence.rdb import RdbWriter
from durastore.protocol.parser import encode_request
from support.disks import Inode, MemoryDisk
from support.engines import engine
from support.resp import Closed, Connection
from support.servers import redis_binary, valkey_binary
from support.simulation.judge import content
from support.values import hash_of, set_of, zset_of

FOLDER = "/appendonlydir"
PREFIX = "appendonly.aof"
BASE = f"{FOLDER}/{PREFIX}.1.base.rdb"
INCREMENT = f"{FOLDER}/{PREFIX}.1.incr.aof"
MANIFEST = f"{FOLDER}/{PREFIX}.manifest"
RDB = "/dump.rdb"
NAMES = {BASE: "base", INCREMENT: "increment", MANIFEST: "manifest", RDB: "RDB"}
Verdict = Callable[[dict[str, bytes]], str]
PATIENCE = 5.0


def rdb_file() -> bytes:
    # The version that redis-server 7.0 reads as well.
    writer = RdbWriter(True, True, 10)
    writer.begin([(b"redis-ver", b"7.2.4"), (b"redis-bits", b"64")])
    writer.select(0, 6, 0)
    writer.entry(b"text", b"some text", -1)
    writer.entry(b"number", b"12345", -1)
    writer.entry(b"list", List([b"a", b"5000"]), -1)
    writer.entry(b"set", set_of([b"1", b"300"]), -1)
    writer.entry(b"zset", zset_of({b"m": 1.5, b"n": 2.0}), -1)
    writer.entry(b"hash", hash_of({b"f": b"v", b"g": b"w"}), -1)
    writer.end()
    return writer.take()


def files() -> dict[str, bytes]:
    """A small log of durastore's, and an RDB file."""
    disk = MemoryDisk()
    writer = AofWriter(disk, INCREMENT, 0, True)
    select = encode_request([b"SELECT", b"0"])
    writer.append(select + encode_request([b"INCR", b"number"]), 1_700_000_000_000)
    transaction = [[b"MULTI"], [b"SET", b"a", b"1"], [b"RPUSH", b"list", b"b"], [b"EXEC"]]
    writer.append(b"".join(map(encode_request, transaction)), 1_700_000_001_000)
    writer.append(encode_request([b"APPEND", b"text", b"!"]), 1_700_000_002_000)
    writer.close()
    manifest = Manifest(LogFile(f"{PREFIX}.1.base.rdb", 1, "b"), [LogFile(f"{PREFIX}.1.incr.aof", 1, "i")])
    return {
        BASE: rdb_file(),
        INCREMENT: bytes(disk.names[INCREMENT].data),
        MANIFEST: manifest.render(),
        RDB: rdb_file(),
    }


def is_log(path: str) -> bool:
    return path != RDB


def flips(data: bytes, every: int = 1) -> Iterator[tuple[int, bytes]]:
    """The data with each bit flipped in turn, or with each so many-th."""
    for bit in range(0, len(data) * 8, every):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        yield bit, bytes(flipped)


@dataclass
class Row:
    """What a server made of the flips of one file."""

    file: str
    server: str
    verdicts: Counter[str] = field(default_factory=Counter)
    wrong: list[int] = field(default_factory=list)
    harmless: list[int] = field(default_factory=list)


def examine(path: str, server: str, judge: Judge, every: int = 1) -> Row:
    row = Row(NAMES[path], server)
    whole = files()
    truth = judge.content(whole, is_log(path))
    assert truth is not None, f"{server} does not load what is not damaged"
    for bit, flipped in flips(whole[path], every):
        found = judge.content({**whole, path: flipped}, is_log(path))
        verdict = "detected" if found is None else "harmless" if found == truth else "wrong"
        row.verdicts[verdict] += 1
        if verdict != "detected":
            (row.wrong if verdict == "wrong" else row.harmless).append(bit)
    return row


class Judge:
    """A server that loads files."""

    def content(self, files: dict[str, bytes], log: bool) -> object | None:
        """What it starts with; None where it refuses."""
        raise NotImplementedError


class Ours(Judge):
    """durastore's loader, in this process."""

    def __init__(self) -> None:
        self._engine = engine()
        self._settings = LogSettings(
            folder=FOLDER, filename=PREFIX, fsync="no", timestamps=False, rdb_preamble=True, no_fsync_on_rewrite=False,
            rewrite_percentage=0, rewrite_min_size=0, load_truncated=True, corrupt_tail=0, incremental_fsync=False,
        )  # fmt: skip

    def content(self, files: dict[str, bytes], log: bool) -> object | None:
        disk = MemoryDisk()
        disk.names = {path: Inode(data) for path, data in files.items()}
        loader = Loader(self._engine, disk, lambda: self._settings, lambda: RDB)
        try:
            if log:
                loader.reload_log()
            else:
                loader.reload_rdb(flush=True, merge=False)
        except LoadError:
            return None
        databases = self._engine.instance.keyspace.databases
        return [content(db) for db in databases]


class Peer(Judge):
    """A server process for each start."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._folder = Path(tempfile.mkdtemp(prefix="flips-"))

    def close(self) -> None:
        shutil.rmtree(self._folder)

    def content(self, files: dict[str, bytes], log: bool) -> object | None:
        home = self._folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        for path, data in files.items():
            if is_log(path) == log:
                place = home / path[1:]
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(data)
        options = {"port": "0", "unixsocket": str(home / "s"), "dir": str(home), "save": "", "appendonly": "no"}
        if log:
            options["appendonly"] = "yes"
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        process = subprocess.Popen([*self._command, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return self._ask(process, str(home / "s"))
        finally:
            process.kill()
            process.wait()

    def _ask(self, process: subprocess.Popen[bytes], path: str) -> object | None:
        end = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < end:
            if os.path.exists(path):
                with contextlib.suppress(OSError, Closed):
                    sock = socket.socket(socket.AF_UNIX)
                    sock.connect(path)
                    with Connection(sock) as connection:
                        if connection.call("PING") == b"+PONG\r\n":
                            return [connection.call("DEBUG", "DIGEST"), connection.call("DBSIZE")]
            time.sleep(0.002)
        return None


def peers() -> dict[str, Peer]:
    """The servers that are installed, by name."""
    return {
        "redis-server 7.0": Peer([*redis_binary(), "--enable-debug-command", "yes"]),
        "valkey-server 9.1": Peer([*valkey_binary(), "--enable-debug-command", "yes"]),
    }
