"""kill -9 at random moments of a write load: what was acknowledged is there afterwards."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.resp import Closed, request
from support.servers import Server

CLIENTS = 50
# More rounds for a long night: KILL_ROUNDS=20.
ROUNDS = int(os.environ.get("KILL_ROUNDS", "2"))
Starter = Callable[..., Server]


class Writer(threading.Thread):
    """Writes rising numbers to a counter key and to keys of their own, and notes when each was acknowledged."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__(daemon=True)
        self.connection = server.connect()
        self.number = number
        self.first = int(self.connection.value("GET", f"last:{number}") or 0) + 1
        self.acknowledged: list[float] = []

    def run(self) -> None:
        i = self.first
        try:
            while True:
                self.connection.send(
                    request("SET", f"key:{self.number}:{i}", f"value {i}") + request("SET", f"last:{self.number}", i)
                )
                if self.connection.read() != b"+OK\r\n" or self.connection.read() != b"+OK\r\n":
                    return
                self.acknowledged.append(time.monotonic())
                i += 1
        except (Closed, OSError):
            return

    def check(self, server: Server, killed: float, allowance: float) -> int:
        """Asserts that all acknowledged before ``killed - allowance`` is there, and that nothing was reordered."""
        with server.connect() as connection:
            last = int(connection.value("GET", f"last:{self.number}") or 0)
            sure = self.first - 1 + sum(1 for at in self.acknowledged if at <= killed - allowance)
            assert last >= sure, f"client {self.number}: {sure} was acknowledged, {last} is the last there is"
            keys = [f"key:{self.number}:{i}" for i in range(self.first, last + 1)]
            if keys:
                values = connection.value("MGET", *keys)
                assert values == [b"value %d" % i for i in range(self.first, last + 1)]
        return len(self.acknowledged)


def load_and_kill(server: Server, during: Callable[[Server], object]) -> tuple[list[Writer], float]:
    writers = [Writer(server, i) for i in range(CLIENTS)]
    for writer in writers:
        writer.start()
    during(server)
    killed = time.monotonic()
    server.kill()
    for writer in writers:
        writer.join(10)
    return writers, killed


def busy(least: float) -> Callable[[Server], object]:
    """Lets the load run for a random while."""
    return lambda server: time.sleep(least + random.random() * 0.5)


def test_always_loses_nothing_acknowledged(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always")
    total = 0
    for _ in range(ROUNDS):
        writers, killed = load_and_kill(server, busy(0.3))
        server.start()
        total += sum(writer.check(server, killed, 0.0) for writer in writers)
    assert total > 100


def test_everysec_loses_at_most_the_last_second(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", appendfsync="everysec")
    for _ in range(ROUNDS):
        writers, killed = load_and_kill(server, busy(1.2))
        server.start()
        for writer in writers:
            writer.check(server, killed, 1.0)


@pytest.mark.parametrize("command", ["BGREWRITEAOF", "BGSAVE"])
def test_killed_in_the_middle_of_background_work(start_durastore: Starter, command: str) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always", snapshot_cpu_percent="10")
    with server.connect() as connection:
        connection.send(b"".join(request("SET", f"filler:{i}", "x" * 100) for i in range(50_000)))
        for _ in range(50_000):
            connection.read()

    def during(server: Server) -> None:
        time.sleep(0.1)
        server.call(command)
        field = "aof_rewrite_in_progress" if command == "BGREWRITEAOF" else "rdb_bgsave_in_progress"
        assert server.info("persistence", field) == "1"
        time.sleep(random.random() * 0.2)

    for _ in range(ROUNDS):
        writers, killed = load_and_kill(server, during)
        server.start()
        for writer in writers:
            writer.check(server, killed, 0.0)
        assert server.call("EXISTS", *(f"filler:{i}" for i in range(0, 50_000, 50))) == 1000
    server.call("BGREWRITEAOF")
    server.until_info("persistence", "aof_rewrite_in_progress", "0")
    names = sorted(path.name for path in (server.folder / "appendonlydir").iterdir())
    assert len(names) == 3, f"a base, an incremental file and the manifest, and nothing left behind: {names}"


def test_killed_again_while_loading(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always")
    writers, killed = load_and_kill(server, busy(0.5))
    for _ in range(3):
        server.start(wait=False)
        time.sleep(random.random() * 0.3)
        server.kill()
    server.start()
    for writer in writers:
        writer.check(server, killed, 0.0)


def test_without_a_log_the_last_finished_snapshot_is_whole(start_durastore: Starter, tmp_path: Path) -> None:
    server = start_durastore(appendonly="no")
    with server.connect() as connection:
        for i in range(1000):
            connection.call("SET", f"k:{i}", i)
        assert connection.call("SAVE") == b"+OK\r\n"
        for i in range(1000):
            connection.call("SET", f"k:{i}", "lost")
        connection.call("BGSAVE")
    server.kill()
    server.start()
    values = server.call("MGET", *(f"k:{i}" for i in range(1000)))
    assert values in ([b"%d" % i for i in range(1000)], [b"lost"] * 1000)


def test_a_torn_end_is_cut_off_and_a_flipped_bit_is_refused(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always")
    for i in range(100):
        server.call("SET", f"k:{i}", f"value {i}")
    server.kill()
    path = server.folder / "appendonlydir" / "appendonly.aof.1.incr.aof"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    server.start()
    assert server.call("DBSIZE") == 99
    assert "are cut off" in server.log_tail()
    server.kill()

    place = whole.index(b"value 50") + 6
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    server.start(wait=False)
    assert server.process is not None
    assert server.process.wait(10) == 1
    assert "checksum error" in server.log_tail()
    assert str(path) in server.log_tail()

    path.write_bytes(whole[:-5])
    server.directives["aof-load-truncated"] = "no"
    server.start(wait=False)
    assert server.process.wait(10) == 1
    assert "Unexpected end of file" in server.log_tail()
