"""What users of Redis and of its kin have reported, done to a real server: each test names the report.

Further ones: ``tests/unit/test_snapshot_budget.py`` and ``test_overdue.py``.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.resp import request
from support.servers import Server, free_port, redis_server

Starter = Callable[..., Server]
LOG = Path("appendonlydir") / "appendonly.aof.1.incr.aof"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = redis_server(folder, {"appendonly": "yes", "appendfsync": "always"})
    yield server
    server.kill()


def balances(server: Server) -> Path:
    """Some keys, and a process that was killed; the file that holds them."""
    for i in range(50):
        assert server.call("SET", f"balance:{i}", 1_000_000 + i) == "OK"
    server.kill()
    return server.folder / LOG


def refused(server: Server) -> str:
    """What a server says that does not start."""
    server.start(wait=False)
    assert server.process is not None
    assert server.process.wait(30) == 1
    return server.log_tail()


def test_a_value_in_the_log_that_changed_is_not_loaded(start_durastore: Starter, redis: Server) -> None:
    """redis#3730: a digit of a value changes on disk; the log is a valid one still."""

    def change(path: Path) -> int:
        data = path.read_bytes()
        at = data.index(b"1000025")
        path.write_bytes(data[:at] + b"9" + data[at + 1 :])
        return at

    redis.start()
    change(balances(redis))
    redis.start()
    assert redis.call("GET", "balance:25") == b"9000025", "so it was with Redis"

    server = start_durastore(appendonly="yes", appendfsync="always")
    path = balances(server)
    change(path)
    said = refused(server)
    assert f"{path}, offset " in said
    assert "checksum error in a stretch" in said


def test_garbage_at_the_end_after_a_power_failure_is_set_aside(start_durastore: Starter) -> None:
    """redis#5177, and PR 14348: the file has grown, and the blocks behind what was written hold something else."""
    server = start_durastore(appendonly="yes", appendfsync="always")
    path = balances(server)
    whole = path.read_bytes()
    garbage = bytes(range(256)) * 16
    path.write_bytes(whole + garbage)
    assert f"{path}, offset {len(whole)}" in refused(server)
    assert path.read_bytes() == whole + garbage, "a start that was refused has changed nothing"

    server.directives["aof-load-corrupt-tail-max-size"] = str(len(garbage) - 1)
    assert f"{path}, offset {len(whole)}" in refused(server)
    server.directives["aof-load-corrupt-tail-max-size"] = str(len(garbage))
    server.start()
    assert server.call("MGET", *(f"balance:{i}" for i in range(50))) == [b"%d" % (1_000_000 + i) for i in range(50)]
    assert Path(f"{path}.damaged-{len(whole)}").read_bytes() == garbage
    assert server.call("SET", "balance:0", 1) == "OK"
    server.kill()
    server.start()
    assert server.call("GET", "balance:0") == b"1"


@pytest.mark.parametrize("command", ["BGSAVE", "BGREWRITEAOF"])
def test_nobody_waits_for_a_save(start_durastore: Starter, command: str) -> None:
    """redis#9030, #1154, #1823 and dragonfly#5625, #2389: others stand still for seconds, with large values above all.

    The bound is far above what is seen on a quiet machine (some milliseconds), and far below what was reported.
    """
    server = start_durastore(appendonly="yes", appendfsync="no", save="", aof_use_rdb_preamble="no")
    with server.connect() as connection:
        connection.send(request("SET", "long", "a few words, again and again; " * 1_000_000))
        connection.send(request("RPUSH", "list", *range(100_000)) + request("SADD", "set", *range(100_000)))
        connection.send(b"".join(request("SET", f"k:{i}", "x" * 50) for i in range(20_000)))
        for _ in range(20_003):
            connection.read()
    longest = 0.0
    over = threading.Event()

    def look() -> None:
        nonlocal longest
        with server.connect() as connection:
            number = 0
            while not over.is_set():
                begun = time.perf_counter()
                connection.call("SET", f"k:{number % 20_000}", number)
                longest = max(longest, time.perf_counter() - begun)
                number += 1

    thread = threading.Thread(target=look)
    thread.start()
    server.call(command)
    field = {"BGSAVE": "rdb_bgsave_in_progress", "BGREWRITEAOF": "aof_rewrite_in_progress"}[command]
    server.until_info("persistence", field, "0")
    over.set()
    thread.join()
    assert longest < 0.5, f"a write took {longest:.3f} s"


def memory(server: Server, field: str) -> int:
    """A figure of the process, in bytes."""
    assert server.pid is not None
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(field + ":")).split()[1]) * 1024


@pytest.mark.parametrize("command", ["BGSAVE", "BGREWRITEAOF"])
def test_a_save_takes_no_second_copy_of_the_data(start_durastore: Starter, command: str) -> None:
    """redis#9030, #1154, #1823: a fork, and as much memory again where everything is overwritten meanwhile.

    Here it is the keys that were overwritten and not yet saved: a third of the data or so (see the README).
    """
    server = start_durastore(appendonly="yes", appendfsync="no", save="", auto_aof_rewrite_percentage="0")
    empty = memory(server, "VmRSS")
    keys = [[f"key:{i}" for i in range(start, start + 1000)] for start in range(0, 50_000, 1000)]

    def fill(letter: str) -> None:
        for names in keys:
            server.call("MSET", *(word for name in names for word in (name, letter * 300)))

    fill("a")
    full = memory(server, "VmRSS")
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")
    server.call(command)
    field = {"BGSAVE": "rdb_bgsave_in_progress", "BGREWRITEAOF": "aof_rewrite_in_progress"}[command]
    assert server.info("persistence", field) == "1"
    assert Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text() == "", "a child was forked"
    fill("b")
    server.until_info("persistence", field, "0")
    cost = (memory(server, "VmHWM") - full) / (full - empty)
    assert cost < 0.8, f"{cost:.2f} of the data"


def test_a_save_that_silently_stops_is_told_of_everywhere(start_durastore: Starter) -> None:
    """dragonfly#4257: the last good snapshot was weeks old, and nothing had told of it."""
    server = start_durastore(http_port=str(free_port()), save="1 1000000", rdb_save_age_warning="1")
    assert get(server, "/readyz") == (200, "ok\n")
    server.call("SET", "a", "1")
    server.until_info("persistence", "rdb_save_overdue", "1")
    assert int(server.info("persistence", "rdb_last_save_age_sec")) >= 1
    status, text = get(server, "/readyz")
    assert status == 503
    assert text == "the last good snapshot is older than rdb-save-age-warning\n"
    assert get(server, "/healthz") == (200, "ok\n")
    metrics = get(server, "/metrics")[1]
    assert "\ndurastore_rdb_save_overdue 1.0\n" in metrics
    assert "\ndurastore_rdb_last_save_age_seconds " in metrics
    assert "and 1 changes have come since (rdb-save-age-warning 1)" in server.log_tail()
    server.call("SAVE")
    server.until_info("persistence", "rdb_save_overdue", "0")
    assert get(server, "/readyz") == (200, "ok\n")


def get(server: Server, path: str) -> tuple[int, str]:
    """What an HTTP probe hears."""
    connection = http.client.HTTPConnection("127.0.0.1", int(server.directives["http-port"]), timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
