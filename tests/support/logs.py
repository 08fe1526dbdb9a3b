"""Logs on a disk in memory: how they are made, and how they are changed."""

from __future__ import annotations

from durastore.persistence.aof.log import LogSettings
from durastore.persistence.aof.manifest import LogFile, Manifest
from durastore.persistence.aof.writer import AofWriter
from durastore.persistence.rdb import RdbWriter
from durastore.protocol.parser import encode_request
from support.disks import Inode, MemoryDisk

FOLDER = "/appendonlydir"
PREFIX = "appendonly.aof"
BASE = f"{FOLDER}/{PREFIX}.1.base.rdb"
FIRST = f"{FOLDER}/{PREFIX}.1.incr.aof"
LAST = f"{FOLDER}/{PREFIX}.2.incr.aof"
MANIFEST = f"{FOLDER}/{PREFIX}.manifest"


def log_settings(truncated: bool = True) -> LogSettings:
    return LogSettings(
        folder=FOLDER, filename=PREFIX, fsync="always", timestamps=False, rdb_preamble=True, no_fsync_on_rewrite=False,
        rewrite_percentage=100, rewrite_min_size=0, load_truncated=truncated, incremental_fsync=True,
    )  # fmt: skip


def base() -> bytes:
    writer = RdbWriter(True, True)
    writer.begin([])
    writer.select(0, 2, 0)
    writer.entry(b"a", b"1", -1)
    writer.entry(b"b", b"some text", -1)
    writer.end()
    return writer.take()


def increment(disk: MemoryDisk, path: str, *stretches: bytes, timestamps: bool = False) -> None:
    writer = AofWriter(disk, path, 0, timestamps)
    for i, stretch in enumerate(stretches):
        writer.append(stretch, 1_700_000_000_000 + i * 1000)
    writer.close()


def small_log() -> MemoryDisk:
    disk = MemoryDisk()
    disk.names[BASE] = Inode(base())
    select = encode_request([b"SELECT", b"0"])
    increment(disk, FIRST, select + encode_request([b"INCR", b"a"]), encode_request([b"APPEND", b"b", b"!"]))
    increment(
        disk,
        LAST,
        select + encode_request([b"INCR", b"a"]),
        encode_request([b"MULTI"]) + encode_request([b"SET", b"c", b"x\r\n#CRC64:"]) + encode_request([b"EXEC"]),
        encode_request([b"SET", b"d", b"last"]),
        timestamps=True,
    )
    manifest = Manifest(
        LogFile(f"{PREFIX}.1.base.rdb", 1, "b"), [LogFile(f"{PREFIX}.{i}.incr.aof", i, "i") for i in (1, 2)]
    )
    disk.names[MANIFEST] = Inode(manifest.render())
    return disk


def changed(disk: MemoryDisk, path: str, data: bytes) -> MemoryDisk:
    twin = MemoryDisk()
    twin.names = {name: Inode(bytes(inode.data)) for name, inode in disk.names.items()}
    twin.names[path] = Inode(data)
    return twin


def foreign(*commands: bytes) -> MemoryDisk:
    disk = MemoryDisk()
    disk.names[FIRST] = Inode(b"".join(commands))
    disk.names[MANIFEST] = Inode(b"file appendonly.aof.1.incr.aof seq 1 type i\n")
    return disk
