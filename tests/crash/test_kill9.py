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
FILLERS = 50_000
ROUNDS = int(os.environ.get("KILL_ROUNDS", "2"))
Starter = Callable[..., Server]
SCRIPT = "redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], ARGV[2]) return 'done'"


class Writer(threading.Thread):
    """Writes rising numbers to a counter key and to keys of their own, and notes when each was acknowledged.

    One writer in three makes a transaction of the two, and one in three a script.
    """

    def __init__(self, server: Server, number: int) -> None:
        super().__init__(daemon=True)
        self.connection = server.connect()
        self.number = number
        self.first = int(self.connection.value("GET", f"last:{number}") or 0) + 1
        self.acknowledged: list[float] = []

    def run(self) -> None:
        i = self.first
        answers = [b"+OK\r\n"] * 2
        before = after = b""
        kind = self.number % 3
        if kind == 1:
            before, after = request("MULTI"), request("EXEC")
            answers = [b"+OK\r\n", b"+QUEUED\r\n", b"+QUEUED\r\n", b"*2\r\n+OK\r\n+OK\r\n"]
        elif kind == 2:
            answers = [b"$4\r\ndone\r\n"]
        try:
            while True:
                writes = request("SET", f"key:{self.number}:{i}", f"value {i}") + request(
                    "SET", f"last:{self.number}", i
                )
                if kind == 2:
                    words = (2, f"key:{self.number}:{i}", f"last:{self.number}", f"value {i}", i)
                    writes = request("EVAL", SCRIPT, *words)
                self.connection.send(before + writes + after)
                if [self.connection.read() for _ in answers] != answers:
                    return
                self.acknowledged.append(time.monotonic())
                i += 1
        except (Closed, OSError):
            return

    def check(self, server: Server, sure_until: float) -> int:
        """Asserts that all acknowledged up to this moment is there, and that nothing is there in part.

        Returns how many of the acknowledged writes are not there.
        """
        with server.connect() as connection:
            last = int(connection.value("GET", f"last:{self.number}") or 0)
            sure = self.first - 1 + sum(1 for at in self.acknowledged if at <= sure_until)
            assert last >= sure, f"client {self.number}: {sure} was acknowledged, {last} is the last there is"
            # What stands in the log behind the last acknowledgement may be there as well, and one half of a pair only
            # where it is neither a transaction nor a script.
            keys = [f"key:{self.number}:{i}" for i in range(self.first, last + 2)]
            values = connection.value("MGET", *keys)
            assert values[:-1] == [b"value %d" % i for i in range(self.first, last + 1)]
            assert values[-1] is None or self.number % 3 == 0
        return max(self.first - 1 + len(self.acknowledged) - last, 0)


class Toll:
    """What a test did to the server, for its report."""

    def __init__(self) -> None:
        self.rounds = self.acknowledged = self.lost = 0

    def load_and_kill(
        self, server: Server, during: Callable[[Server], object], allowance: float = 0.0, least: int = 1
    ) -> None:
        """One round: load by all clients, a kill when ``during`` returns, a start, and a count.

        Nothing that was acknowledged ``allowance`` seconds before the kill may be missing; ``during`` may return
        another moment up to which nothing may.
        """
        writers = [Writer(server, i) for i in range(CLIENTS)]
        for writer in writers:
            writer.start()
        until = during(server)
        killed = time.monotonic()
        server.kill()
        for writer in writers:
            writer.join(10)
        server.start()
        sure = until if isinstance(until, float) else killed - allowance
        self.lost += sum(writer.check(server, sure) for writer in writers)
        self.acknowledged += sum(len(writer.acknowledged) for writer in writers)
        self.rounds += 1
        assert all(len(writer.acknowledged) >= least for writer in writers), "every client is under load"

    def report(self, what: str) -> None:
        print(f"{what}: {self.rounds} kills, {self.acknowledged} acknowledged by {CLIENTS} clients, {self.lost} lost")


def busy(least: float) -> Callable[[Server], None]:
    """Lets the load run for a random while."""
    return lambda server: time.sleep(least + random.random() * 0.5)


def filled(server: Server) -> None:
    with server.connect() as connection:
        connection.send(b"".join(request("SET", f"filler:{i}", "x" * 100) for i in range(FILLERS)))
        for _ in range(FILLERS):
            connection.read()


def test_always_loses_nothing_acknowledged(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always")
    toll = Toll()
    for _ in range(ROUNDS):
        toll.load_and_kill(server, busy(0.3))
    toll.report("appendfsync always")
    assert toll.lost == 0


def test_everysec_loses_at_most_the_last_second(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", appendfsync="everysec")
    toll = Toll()
    for _ in range(ROUNDS):
        toll.load_and_kill(server, busy(1.2), allowance=1.0)
    toll.report("appendfsync everysec")


@pytest.mark.parametrize("command", ["BGREWRITEAOF", "BGSAVE"])
def test_killed_in_the_middle_of_background_work(start_durastore: Starter, command: str) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always", snapshot_cpu_percent="2")
    filled(server)

    def during(server: Server) -> None:
        time.sleep(0.2)
        server.call(command)
        field = "aof_rewrite_in_progress" if command == "BGREWRITEAOF" else "rdb_bgsave_in_progress"
        assert server.info("persistence", field) == "1"
        time.sleep(random.random() * 0.4)

    toll = Toll()
    for _ in range(ROUNDS):
        toll.load_and_kill(server, during)
        assert server.call("EXISTS", *(f"filler:{i}" for i in range(0, FILLERS, 50))) == FILLERS // 50
    toll.report(f"in the middle of {command}")
    server.call("CONFIG", "SET", "snapshot-cpu-percent", "100")
    server.call("BGREWRITEAOF")
    server.until_info("persistence", "aof_rewrite_in_progress", "0")
    names = sorted(path.name for path in (server.folder / "appendonlydir").iterdir())
    assert len(names) == 3, f"a base, an incremental file and the manifest, and nothing left behind: {names}"


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_killed_at_any_moment_of_any_work(start_durastore: Starter, policy: str) -> None:
    """Snapshots and rewrites begin and end all the time, and the kill comes anywhere."""
    server = start_durastore(appendonly="yes", appendfsync=policy)
    filled(server)

    def during(server: Server) -> None:
        end = time.monotonic() + 0.3 + random.random() * 1.5
        with server.connect() as connection:
            while time.monotonic() < end:
                connection.call(random.choice(["BGREWRITEAOF", "BGSAVE"]))
                time.sleep(random.random() * 0.05)

    toll = Toll()
    for _ in range(ROUNDS):
        toll.load_and_kill(server, during, allowance=0.0 if policy == "always" else 1.0)
    toll.report(f"snapshots and rewrites, appendfsync {policy}")
    assert server.call("EXISTS", *(f"filler:{i}" for i in range(FILLERS))) == FILLERS


def test_killed_while_the_log_is_turned_off_and_on(start_durastore: Starter) -> None:
    """What was acknowledged before the log was turned off, and after it was whole again, is there."""
    server = start_durastore(appendonly="yes", appendfsync="always", save="")
    filled(server)

    def during(server: Server) -> float | None:
        end = time.monotonic() + 0.3 + random.random() * 1.5
        while True:
            time.sleep(random.random() * 0.1)
            if time.monotonic() >= end:
                return None
            off = time.monotonic()
            assert server.call("CONFIG", "SET", "appendonly", "no") == "OK"
            time.sleep(random.random() * 0.1)
            if time.monotonic() >= end:
                return off
            assert server.call("CONFIG", "SET", "appendonly", "yes") == "OK"
            while server.info("persistence", "aof_rewrite_in_progress") == "1":
                if time.monotonic() >= end:
                    return off

    toll = Toll()
    for _ in range(ROUNDS):
        toll.load_and_kill(server, during)
    toll.report("the log turned off and on")
    assert server.call("EXISTS", *(f"filler:{i}" for i in range(FILLERS))) == FILLERS


@pytest.mark.parametrize("save", ["", "3600 1"])
def test_killed_in_the_middle_of_shutdown(start_durastore: Starter, save: str) -> None:
    """It flushes the log, and writes a snapshot where save points are set."""
    server = start_durastore(appendonly="yes", appendfsync="always", save=save)
    filled(server)

    def during(server: Server) -> None:
        time.sleep(0.2 + random.random() * 0.3)
        with server.connect() as connection:
            connection.send(request("SHUTDOWN"))
            time.sleep(random.choice([0.0, 0.002, 0.01, 0.05, 0.2]))

    toll = Toll()
    for _ in range(ROUNDS):
        toll.load_and_kill(server, during)
    toll.report(f"in the middle of SHUTDOWN, save {save!r}")
    assert toll.lost == 0
    assert server.call("EXISTS", *(f"filler:{i}" for i in range(FILLERS))) == FILLERS


def test_killed_again_while_loading(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always")
    filled(server)

    def during(server: Server) -> float:
        time.sleep(0.3 + random.random() * 0.5)
        killed = time.monotonic()
        for _ in range(3):
            server.kill()
            server.start(wait=False)
            time.sleep(random.random())
        return killed

    Toll().load_and_kill(server, during)
    assert server.call("EXISTS", *(f"filler:{i}" for i in range(FILLERS))) == FILLERS


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
