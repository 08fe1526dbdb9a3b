"""Logs that Redis 7.0 wrote, in each of the forms that it and its predecessors have."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.resp import Connection, request
from support.servers import Server, redis_server, redis_tool

Starter = Callable[..., Server]
FOREVER = 33177117420000
DIRECTIVES = {"appendonly": "yes", "save": "", "enable-debug-command": "yes", "auto-aof-rewrite-percentage": "0"}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Server]:
    """A redis-server that is not there yet, and ends with the test."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = redis_server(folder, dict(DIRECTIVES))
    yield server
    server.kill()


def change(connection: Connection, n: int) -> None:
    """Something of every type, and what a log must translate: relative times, random members, floats.

    The scores are such that the digest of Redis 7.0, which is of all 17 digits, is that of 7.2.
    """
    for words in (
        ("SET", f"string:{n}", n),
        ("SET", f"seconds:{n}", "x", "EX", 100_000 + n),
        ("SETEX", f"setex:{n}", 100_000, "x"),
        ("APPEND", "appended", n),
        ("INCRBYFLOAT", "float", "0.1"),
        ("HINCRBYFLOAT", "hash", "float", "0.1"),
        ("RPUSH", "list", n, f"item {n}"),
        ("LPOP", "list"),
        ("SADD", "set", n, f"member {n}", f"other {n}"),
        ("SPOP", "set"),
        ("HSET", "hash", f"field {n}", n, "last", n),
        ("ZADD", "zset", n / 8, f"member {n}", "-inf", "low"),
        ("XADD", "stream", "*", "field", n),
        ("XADD", f"stream:{n}", f"{n + 1}-1", "field", n, "more", "x"),
        ("XGROUP", "CREATE", f"stream:{n}", "group", "0"),
        ("XREADGROUP", "GROUP", "group", "consumer", "STREAMS", f"stream:{n}", ">"),
        ("PFADD", "hyperloglog", n),
        ("SETBIT", "bits", n, 1),
        ("MULTI",),
        ("SET", "in a transaction", n),
        ("PEXPIRE", f"string:{n}", 10**9),
        ("EXEC",),
        ("RENAME", f"setex:{n}", f"renamed:{n}"),
        ("SELECT", 7),
        ("SET", f"elsewhere:{n}", "x", "PXAT", FOREVER),
        ("MOVE", f"elsewhere:{n}", 0),
        ("SELECT", 0),
    ):
        reply = connection.call(*words)
        assert not reply.startswith(b"-"), (words, reply)


def changes(server: Server, numbers: range) -> None:
    with server.connect() as connection:
        for n in numbers:
            change(connection, n)


def rewrite(server: Server) -> None:
    server.call("BGREWRITEAOF")
    server.until_info("persistence", "aof_rewrite_in_progress", "0")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "appendonlydir").iterdir())


def ended(server: Server) -> object:
    """The digest of a server's data; the server is stopped."""
    digest = server.call("DEBUG", "DIGEST")
    assert server.stop() == 0
    return digest


def same_data(start_durastore: Starter, folder: Path, digest: object, **directives: str) -> Server:
    """durastore over this folder; it has the data, and has it again after another start."""
    given = {name.replace("-", "_"): value for name, value in {**DIRECTIVES, **directives}.items()}
    ours = start_durastore(folder=folder, **given)
    assert ours.call("DEBUG", "DIGEST") == digest
    changes(ours, range(1000, 1003))
    digest = ended(ours)
    ours.start()
    assert ours.call("DEBUG", "DIGEST") == digest
    return ours


@pytest.mark.parametrize("timestamps", ["yes", "no"])
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_log_in_parts(start_durastore: Starter, redis: Server, preamble: str, timestamps: str) -> None:
    redis.directives |= {"aof-use-rdb-preamble": preamble, "aof-timestamp-enabled": timestamps}
    redis.start()
    changes(redis, range(50))
    rewrite(redis)
    changes(redis, range(50, 100))
    digest = ended(redis)
    assert files(redis.folder)[0] == f"appendonly.aof.2.base.{'rdb' if preamble == 'yes' else 'aof'}"
    same_data(start_durastore, redis.folder, digest)


def test_a_log_of_several_increments(start_durastore: Starter, redis: Server) -> None:
    """Every rewrite that fails leaves an incremental file behind."""
    redis.start()
    changes(redis, range(30))
    rewrite(redis)
    redis.call("CONFIG", "SET", "rdb-key-save-delay", 10_000_000)
    for round_ in range(3):
        changes(redis, range(30 * round_ + 30, 30 * round_ + 60))
        redis.call("BGREWRITEAOF")
        (child,) = Path(f"/proc/{redis.pid}/task/{redis.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        redis.until_info("persistence", "aof_rewrite_in_progress", "0")
    changes(redis, range(200, 210))
    digest = ended(redis)
    increments = [name for name in files(redis.folder) if ".incr." in name]
    assert len(increments) == 4
    ours = same_data(start_durastore, redis.folder, digest)
    rewrite(ours)
    assert [name for name in files(redis.folder) if ".incr." in name] == ["appendonly.aof.6.incr.aof"]


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_the_single_file_of_older_servers(
    start_durastore: Starter, redis: Server, tmp_path: Path, preamble: str
) -> None:
    """Up to Redis 6 the base and what followed it were one file."""
    redis.directives["aof-use-rdb-preamble"] = preamble
    redis.start()
    changes(redis, range(40))
    rewrite(redis)
    changes(redis, range(40, 60))
    digest = ended(redis)
    old = tmp_path / "old"
    old.mkdir()
    base, increment, _ = (redis.folder / "appendonlydir" / name for name in files(redis.folder))
    (old / "appendonly.aof").write_bytes(base.read_bytes() + increment.read_bytes())
    ours = same_data(start_durastore, old, digest)
    assert not (old / "appendonly.aof").exists()
    assert "was moved into" in ours.log_tail()
    assert files(old)[0] == "appendonly.aof"
    rewrite(ours)
    assert [name for name in files(old) if "base" in name] == ["appendonly.aof.2.base.rdb"]


def test_names_of_ones_own(start_durastore: Starter, redis: Server) -> None:
    names = {"appendfilename": '"our log.aof"', "appenddirname": '"the log"'}
    redis.directives |= names
    redis.start()
    changes(redis, range(10))
    digest = ended(redis)
    assert (redis.folder / "the log" / "our log.aof.manifest").exists()
    same_data(start_durastore, redis.folder, digest, **names)


def test_a_torn_end(start_durastore: Starter, redis: Server) -> None:
    redis.directives["aof-use-rdb-preamble"] = "no"
    redis.start()
    changes(redis, range(5))
    digest = redis.call("DEBUG", "DIGEST")
    redis.call("SET", "torn", "x" * 100)
    ended(redis)
    last = redis.folder / "appendonlydir" / "appendonly.aof.1.incr.aof"
    whole = last.read_bytes()
    for cut in (1, 60, 110):
        last.write_bytes(whole[:-cut])
        ours = start_durastore(folder=redis.folder, appendonly="yes", enable_debug_command="yes", save="")
        assert ours.call("DEBUG", "DIGEST") == digest
        assert "are cut off" in ours.log_tail()
        ours.stop()
    # A transaction without its end never happened.
    last.write_bytes(whole + request("MULTI") + request("SET", "half", 1))
    ours = start_durastore(folder=redis.folder, appendonly="yes")
    assert ours.call("EXISTS", "half", "torn") == 1


def test_redis_goes_on_with_our_log(start_durastore: Starter, redis: Server) -> None:
    """Redis 7.0 knows no RDB file of 7.2, so the base is one of commands."""
    ours = start_durastore(
        folder=redis.folder, **{name.replace("-", "_"): value for name, value in DIRECTIVES.items()},
        aof_use_rdb_preamble="no",
    )  # fmt: skip
    changes(ours, range(60))
    rewrite(ours)
    changes(ours, range(60, 90))
    digest = ended(ours)
    manifest = redis.folder / "appendonlydir" / "appendonly.aof.manifest"
    checked = subprocess.run([*redis_tool("redis-check-aof"), str(manifest)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    redis.directives["aof-use-rdb-preamble"] = "no"
    redis.start()
    assert redis.call("DEBUG", "DIGEST") == digest
    changes(redis, range(90, 120))
    rewrite(redis)
    changes(redis, range(120, 130))
    digest = ended(redis)
    ours.start()
    assert ours.call("DEBUG", "DIGEST") == digest
