"""A disk that is really full: a small file system, or where none can be mounted a limit of the size of files."""

from __future__ import annotations

import resource
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.resp import Closed, parse
from support.servers import Server

Starter = Callable[..., Server]
VALUE = "x" * 5000


class Room(ABC):
    """Where a server keeps its files, and how much it may."""

    folder: Path

    @abstractmethod
    def shrink(self, server: Server) -> None:
        """Almost no room is left."""

    @abstractmethod
    def grow(self, server: Server) -> None:
        """There is room again."""


class SmallFileSystem(Room):
    """A tmpfs of four megabytes, most of which a file of somebody else takes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("no file system can be mounted here")

    def shrink(self, server: Server) -> None:
        self._ballast.write_bytes(bytes(3_700_000))

    def grow(self, server: Server) -> None:
        self._ballast.unlink()

    def end(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


class SizeLimit(Room):
    """No file may become larger than so much (RLIMIT_FSIZE)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def shrink(self, server: Server) -> None:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))

    def grow(self, server: Server) -> None:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.fixture(params=["file system", "size limit"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    folder = tmp_path / "small"
    folder.mkdir()
    if request.param == "size limit":
        yield SizeLimit(folder)
        return
    small = SmallFileSystem(folder)
    yield small
    small.end()


def outcome(server: Server, *words: str) -> str:
    """What became of a request: OK, refused, or cut."""
    try:
        with server.connect() as connection:
            reply = parse(connection.call(*words))
    except (Closed, OSError):
        return "cut"
    if str(reply).startswith("MISCONF"):
        return "refused"
    assert reply == "OK" or (isinstance(reply, list) and reply), reply
    return "OK"


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_a_full_disk_refuses_writes_and_recovers(start_durastore: Starter, room: Room, policy: str) -> None:
    server = start_durastore(folder=room.folder, appendonly="yes", appendfsync=policy, save="")
    outcomes: dict[int, str] = {}

    def write_until(wanted: Callable[[str], bool]) -> None:
        for _ in range(2000):
            number = len(outcomes)
            outcomes[number] = outcome(server, "SET", f"k:{number}", f"{VALUE} {number}")
            if wanted(outcomes[number]):
                return
        raise AssertionError(f"after 2000 writes: {outcomes[number]}")

    outcomes[0] = outcome(server, "SET", "k:0", f"{VALUE} 0")
    room.shrink(server)
    write_until(lambda outcome: outcome != "OK")
    write_until(lambda outcome: outcome == "refused")
    assert "MISCONF Errors writing to the AOF file" in str(server.call("SET", "k", "x"))
    assert server.call("GET", "k:0") == f"{VALUE} 0".encode()
    assert server.info("persistence", "aof_last_write_status") == "err"
    assert "Error writing to the AOF file" in server.log_tail()
    assert "No space left on device" in server.log_tail() or "File too large" in server.log_tail()

    pid = server.pid
    room.grow(server)
    server.until_info("persistence", "aof_last_write_status", "ok")
    write_until(lambda outcome: outcome == "OK")
    assert "writes are accepted again" in server.log_tail()
    assert server.pid == pid
    if policy == "everysec":
        assert server.call("CONFIG", "SET", "appendfsync", "always") == "OK"
        write_until(lambda outcome: outcome == "OK")

    server.kill()
    server.start()
    for number, what in outcomes.items():
        value = server.call("GET", f"k:{number}")
        assert value in (None, f"{VALUE} {number}".encode()), "never half of it"
        assert what != "OK" or value is not None, f"k:{number} was acknowledged"
        assert what != "refused" or value is None, f"k:{number} was refused"


def test_a_snapshot_that_finds_no_room_says_so_and_leaves_the_old_one(start_durastore: Starter, room: Room) -> None:
    server = start_durastore(folder=room.folder, save="3600 1000000", rdbcompression="no")
    assert server.call("SET", "a", "1") == "OK"
    assert server.call("SAVE") == "OK"
    before = (room.folder / "dump.rdb").read_bytes()
    for i in range(120):
        assert server.call("SET", f"k:{i}", VALUE) == "OK"
    room.shrink(server)
    server.call("BGSAVE")
    server.until_info("persistence", "rdb_bgsave_in_progress", "0")
    assert server.info("persistence", "rdb_last_bgsave_status") == "err"
    assert outcome(server, "SET", "b", "1") == "refused"
    assert server.call("GET", "a") == b"1"
    assert (room.folder / "dump.rdb").read_bytes() == before
    assert not list(room.folder.glob("temp-*")), "what was half written is gone"
    room.grow(server)
    server.call("BGSAVE")
    server.until_info("persistence", "rdb_last_bgsave_status", "ok")
    assert outcome(server, "SET", "b", "1") == "OK"
    server.kill()
