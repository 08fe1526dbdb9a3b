"""Backups and restores of a real server: under load, over kill -9, and on a machine that has only the backup."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durastore.cli.main import main
from durastore.persistence.disk import RealDisk
from support.histories import Reader
from support.servers import Server, durastore_command, durastore_environment

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


def test_every_moment_under_load_is_restored_as_the_writes_were(
    start_durastore: Starter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was acknowledged before a moment is there, and nothing that was sent after it."""
    server = start_durastore(appendonly="yes", appendfsync="always", aof_history_max_age="3600")
    sent: list[int] = []
    answered: list[int] = []
    with server.connect() as connection:
        for number in range(600):
            sent.append(time.time_ns() // 1_000_000)
            assert connection.call("RPUSH", "list", number) == b":%d\r\n" % (number + 1)
            answered.append(time.time_ns() // 1_000_000)
            if number % 150 == 100:
                server.call("BGREWRITEAOF")
    server.kill()
    reader = Reader(RealDisk())
    chance = random.Random()
    for attempt in range(12):
        at = chance.randrange(answered[0] + 1, answered[-1] + 2)
        target = tmp_path / f"restored-{attempt}"
        tool(capsys, "restore", server.folder, "--at", at, "--to", target)
        reader.load(f"{target}/appendonlydir")
        found = reader.items(b"list")
        assert found == [b"%d" % number for number in range(len(found))]
        assert sum(each < at for each in answered) <= len(found) <= sum(each <= at for each in sent), at


def test_backups_that_are_killed_leave_the_others_whole(
    start_durastore: Starter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start_durastore(appendonly="yes", appendfsync="no")
    place = tmp_path / "backups"
    tool(capsys, "backup", server.folder, place)
    done = 1
    killed = 0
    command = [*durastore_command(), "backup", str(server.folder), str(place)]
    longest = 1.0
    chance = random.Random()
    for number in range(8):
        with server.connect() as connection:
            assert connection.call("SET", f"key:{number}", os.urandom(1 << 20).hex()) == b"+OK\r\n"
        begun = time.monotonic()
        process = subprocess.Popen(command, env=durastore_environment(), stdout=subprocess.DEVNULL)
        if number:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.random() * longest)
            process.kill()
        status = process.wait()
        if not number:
            longest = time.monotonic() - begun
        done += status == 0
        killed += status != 0
        backups = json.loads(tool(capsys, "backup", "--list", place, "--json"))
        assert done <= len(backups) <= done + killed
        tool(capsys, "backup", "--verify", place)
    last = json.loads(tool(capsys, "backup", server.folder, place, "--verify", "--json"))
    assert last["verified"]["wrong"] == []
    server.kill()
    tool(capsys, "restore", place, "--to", tmp_path / "restored")
    again = start_durastore(appendonly="yes", folder=tmp_path / "restored")
    assert again.call("DBSIZE") == 8


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of an S3-compatible object store, which runs in this process."""
    pytest.importorskip("s3fs", reason="pip install -e '.[test-s3]' brings what this test needs")
    pytest.importorskip("flask", reason="pip install -e '.[test-s3]' brings what this test needs")
    boto3 = pytest.importorskip("boto3")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3").create_bucket(Bucket="bucket")
    yield "s3://bucket/cache-1"
    server.stop()


def test_an_object_store_is_enough(
    start_durastore: Starter, tmp_path: Path, capsys: pytest.CaptureFixture[str], bucket: str
) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always", aof_history_max_age="3600")
    notes = []
    sent = []
    for number in range(3):
        server.call("SET", f"key:{number}", os.urandom(100_000).hex())
        if number == 1:
            server.call("BGREWRITEAOF")
            server.until_info("persistence", "aof_rewrite_in_progress", "0")
        notes.append(moment())
        made = json.loads(tool(capsys, "backup", server.folder, bucket, "--verify", "--json"))
        assert made["verified"]["wrong"] == []
        sent.append(made["backup"]["sent_bytes"])
    assert sent[2] < 300_000, f"of a log that has grown only the new part is sent: {sent}"
    backups = json.loads(tool(capsys, "backup", "--list", bucket, "--json"))
    assert len(backups) == 3
    server.kill()
    server.folder.rename(tmp_path / "gone")
    for number, at in enumerate(notes):
        tool(capsys, "restore", bucket, "--at", at, "--to", tmp_path / f"restored-{number}")
        again = start_durastore(appendonly="yes", folder=tmp_path / f"restored-{number}")
        assert again.call("DBSIZE") == number + 1
        again.kill()
    tool(capsys, "backup", bucket, "--keep", 1)
    assert len(json.loads(tool(capsys, "backup", "--list", bucket, "--json"))) == 1
    tool(capsys, "backup", "--verify", bucket)
    tool(capsys, "restore", bucket, "--to", tmp_path / "last")
    assert Reader(RealDisk()).load(f"{tmp_path}/last/appendonlydir").keys == 3
