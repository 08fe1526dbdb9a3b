"""Backups and restores of a real server: under load, over kill -9, and on a machine that has only the backup."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from durastore.cli.main import main
from durastore.persistence.disk import RealDisk
from support.histories import Reader
from support.servers import Server

Starter = Callable[..., Server]


def tool(capsys: pytest.CaptureFixture[str], *words: object, status: int = 0) -> str:
    """Runs a tool; what it says."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == status, capsys.readouterr()
    said = capsys.readouterr()
    return said.out if status == 0 else said.err


def moment() -> int:
    """A moment that no write shares its millisecond with."""
    begun = time.time_ns() // 1_000_000
    while (now := time.time_ns() // 1_000_000) < begun + 2:
        pass
    return now


def burst(server: Server, chance: random.Random) -> None:
    with server.connect() as connection:
        for _ in range(chance.randrange(1, 30)):
            key = f"key:{chance.randrange(50)}"
            words = chance.choice([
                ("SET", key, chance.random()), ("DEL", key), ("INCR", "count"), ("LPUSH", "list", key),
                ("HSET", "hash", key, chance.random()), ("ZADD", "zset", chance.randrange(9), key),
                ("XADD", "stream", "*", "field", key), ("SET", key, "x" * chance.randrange(20_000)),
                ("SPOP", "set"), ("SADD", "set", key), ("EXPIRE", key, 100_000), ("SELECT", chance.randrange(3)),
            ])  # fmt: skip
            if chance.random() < 0.2:
                for each in (("MULTI",), words, ("INCR", "count"), ("EXEC",)):
                    connection.call(*each)
            else:
                connection.call(*words)


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_every_moment_that_was_noted_is_restored_and_backed_up(
    start_durastore: Starter, tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: str
) -> None:
    chance = random.Random(policy)
    server = start_durastore(
        appendonly="yes", appendfsync=policy, enable_debug_command="yes", aof_history_max_age="3600"
    )
    notes: list[tuple[int, bytes]] = []
    for number in range(20):
        burst(server, chance)
        at = moment()
        digest = server.call("DEBUG", "DIGEST")
        notes.append((at, str(digest).encode()))
        moment()
        if number % 6 == 3:
            server.call("BGREWRITEAOF")
            server.until_info("persistence", "aof_rewrite_in_progress", "0")
        if number == 11:
            tool(capsys, "backup", server.folder, tmp_path / "backups")
            server.kill()
            server.start()
    server.kill()
    tool(capsys, "backup", server.folder, tmp_path / "backups", "--verify", "--keep", 1)
    reader = Reader(RealDisk())
    for source in (server.folder, tmp_path / "backups"):
        for number, (at, digest) in enumerate(notes):
            target = tmp_path / f"{source.name}-{number}"
            said = json.loads(tool(capsys, "restore", source, "--at", at, "--to", target, "--json"))
            assert said["moment"] <= at
            loaded = reader.load(f"{target}/appendonlydir")
            assert reader.digest == digest, (number, said)
            assert said["keys"] == loaded.keys
    again = start_durastore(appendonly="yes", folder=tmp_path / "backups-7", enable_debug_command="yes")
    assert str(again.call("DEBUG", "DIGEST")).encode() == notes[7][1]
    assert "is not recorded" in tool(capsys, "restore", server.folder, "--at", "1000", "--to", tmp_path / "x", status=1)


class Writer(threading.Thread):
    """Sets key after key, and counts them in the same transaction; ``acknowledged`` of them."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.acknowledged = 0
        self._connection = server.connect()
        self._ending = threading.Event()

    def run(self) -> None:
        number = 0
        while not self._ending.is_set():
            number += 1
            self._connection.call("MULTI")
            self._connection.call("SET", f"key:{number}", number)
            self._connection.call("SET", "last", number)
            self._connection.call("EXEC")
            self.acknowledged = number

    def end(self) -> None:
        self._ending.set()
        self.join()


def test_a_backup_under_load_is_a_state_that_the_server_had(
    start_durastore: Starter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always")
    writer = Writer(server)
    writer.start()
    try:
        least = []
        for _ in range(5):
            server.call("BGREWRITEAOF")
            least.append(writer.acknowledged)
            tool(capsys, "backup", server.folder, tmp_path / "backups")
            server.until_info("persistence", "aof_rewrite_in_progress", "0")
    finally:
        writer.end()
    server.kill()
    # All that is left is the backup.
    server.folder.rename(tmp_path / "gone")
    tool(capsys, "backup", "--verify", tmp_path / "backups")
    backups = json.loads(tool(capsys, "backup", "--list", tmp_path / "backups", "--json"))
    assert len(backups) == 5
    for number, (backup, sure) in enumerate(zip(backups, least, strict=True)):
        target = tmp_path / f"restored-{number}"
        tool(capsys, "restore", tmp_path / "backups", "--backup", backup["id"], "--to", target)
        again = start_durastore(appendonly="yes", folder=target)
        last = int(again.call("GET", "last") or b"0")  # type: ignore[call-overload]
        assert sure <= last <= writer.acknowledged + 1
        assert again.call("DBSIZE") == (last + 1 if last else 0)
        assert not last or again.call("EXISTS", *(f"key:{i}" for i in range(1, last + 1))) == last
        again.kill()
