"""The offline tools beside those of Redis and Valkey: the same verdicts, and exports that they take."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import Starter
from support.logs import FIRST, FOLDER, LAST, MANIFEST, foreign, small_log
from support.mixed import Dataset, compare, send
from support.resp import request
from support.servers import Server, durastore_command, durastore_environment, redis_server, redis_tool, valkey_binary

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rdb"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """``durastore`` in a process of its own."""
    command = [*durastore_command(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=120, env=durastore_environment())


def judged(tool: list[str], *arguments: str | Path) -> bool:
    """Whether a tool of another server finds a file good."""
    done = subprocess.run([*tool, *map(str, arguments)], capture_output=True, timeout=60, input=b"n\n")
    return done.returncode == 0


# Neither server knows the types of Redis 7.4.
KNOWN = [path for path in sorted(FIXTURES.glob("*.rdb")) if not path.stem.startswith("assembled-rdb12")]


@pytest.mark.parametrize("path", KNOWN, ids=lambda path: path.stem)
def test_verdicts_on_rdb_files_are_those_of_the_real_checkers(path: Path, tmp_path: Path) -> None:
    tool = valkey_binary("valkey-check-rdb")
    if path.stem.startswith("redis7"):
        tool = redis_tool("redis-check-rdb")
    data = path.read_bytes()
    copies = {"whole": data, "short": data[:-9], "head": b"R" + data[:1] + data[2:]}
    if "unchecked" not in path.stem and "rdb2" not in path.stem:
        copies["flipped"] = data[:-1] + bytes([data[-1] ^ 1])
    for name, content in copies.items():
        copy = tmp_path / f"{name}.rdb"
        copy.write_bytes(content)
    wanted = [judged(tool, tmp_path / f"{name}.rdb") for name in copies]
    assert wanted == [True] + [False] * (len(copies) - 1)
    # All in one process.
    told = run("check", "--json", tmp_path).stdout
    verdicts = {Path(each["path"]).stem: each["verdict"] for each in json.loads(told)["files"]}
    assert [verdicts[name] == "whole" for name in copies] == wanted


def on_disk(folder: Path, disk: object) -> Path:
    """The files of a log in memory, in a real folder; the manifest."""
    (folder / FOLDER[1:]).mkdir(parents=True)
    for path, inode in disk.names.items():
        (folder / path[1:]).write_bytes(inode.data)
    return folder / MANIFEST[1:]


@pytest.mark.parametrize("tail", [b"", b"*2\r\n$3\r\nGE", b"*1\r\n$5\r\nMULTI\r\n", b"*x\r\n"])
def test_verdicts_on_logs_are_those_of_the_real_checker(tail: bytes, tmp_path: Path) -> None:
    for name, disk, last in (("ours", small_log(), LAST), ("theirs", foreign(request("SET", "a", 1)), FIRST)):
        manifest = on_disk(tmp_path / name, disk)
        path = tmp_path / name / last[1:]
        path.write_bytes(path.read_bytes() + tail)
        status = run("check", "--quiet", manifest).returncode
        assert (status == 0) == judged(valkey_binary("valkey-check-aof"), manifest)
        assert status == {b"": 0, b"*x\r\n": 2}.get(tail, 1)
        if status == 1:
            # Our repair leaves what their repair leaves.
            shutil.copytree(tmp_path / name, tmp_path / f"{name} again")
            assert run("check", "--fix", manifest).returncode == 0
            again = tmp_path / f"{name} again" / MANIFEST[1:]
            subprocess.run(
                [*valkey_binary("valkey-check-aof"), "--fix", again], input=b"y\n", capture_output=True, timeout=60
            )
            assert path.read_bytes() == (tmp_path / f"{name} again" / last[1:]).read_bytes()
            assert judged(valkey_binary("valkey-check-aof"), manifest)


def test_no_repair_while_a_server_runs(start_durastore: Starter) -> None:
    ours = start_durastore(appendonly="yes")
    ours.call("SET", "a", 1)
    done = run("check", "--fix", ours.folder)
    assert done.returncode == 3
    assert f"pid {ours.pid}".encode() in done.stderr
    assert run("check", ours.folder).returncode in (0, 1), "to look is allowed"
    ours.kill()
    path = next((ours.folder / "appendonlydir").glob("*.incr.aof"))
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert run("check", ours.folder).returncode == 1
    assert run("check", "--fix", ours.folder).returncode == 0
    ours.start()
    assert ours.call("GET", "a") == b"1"


def piped(commands: bytes, server: Server) -> None:
    """What ``redis-cli --pipe`` makes of an export."""
    done = subprocess.run(
        [*redis_tool("redis-cli"), "-p", str(server.port), "--pipe"], input=commands, capture_output=True, timeout=120
    )
    assert b"errors: 0," in done.stdout, done.stdout[-500:]


@pytest.mark.parametrize("log", ["no", "yes"])
def test_an_export_makes_the_same_dataset_everywhere(
    log: str, start_durastore: Starter, start_valkey: Starter, tmp_path: Path
) -> None:
    ours = start_durastore(appendonly=log, enable_debug_command="yes")
    with ours.connect() as connection:
        send(connection, Dataset(1500, seed=9).commands())
        if log == "yes":
            send(connection, Dataset(1500, seed=9).changes(500), errors=True)
    ours.call("SET", b"\xff\x00 any", bytes(range(256)) * 100)
    if log == "no":
        assert ours.call("SAVE") == "OK"
    done = run("inspect", ours.folder, "--export", "resp")
    assert done.returncode == 0, done.stderr
    wanted = ours.call("DEBUG", "DIGEST")
    for name, other in (
        ("durastore", start_durastore(folder=made(tmp_path / "ours"), enable_debug_command="yes")),
        ("valkey", start_valkey(folder=made(tmp_path / "theirs"))),
    ):
        piped(done.stdout, other)
        assert other.call("DEBUG", "DIGEST") == wanted, name
        compared, differences = compare(other, ours, times=False, encodings=False)
        assert compared > 1000
        assert not differences, name


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_an_export_makes_the_same_dataset_on_redis_7_0(tmp_path: Path) -> None:
    redis = redis_server(tmp_path, {"enable-debug-command": "yes"})
    redis.start()
    try:
        with redis.connect() as connection:
            send(connection, Dataset(800, seed=4).commands())
        wanted = redis.call("DEBUG", "DIGEST")
        assert redis.call("SAVE") == "OK"
        commands = run("inspect", tmp_path / "dump.rdb", "--export", "resp").stdout
        redis.call("FLUSHALL")
        piped(commands, redis)
        assert redis.call("DEBUG", "DIGEST") == wanted
    finally:
        redis.stop()


def test_an_export_keeps_the_expiries_of_hash_fields(start_valkey: Starter) -> None:
    theirs = start_valkey()
    piped(run("inspect", FIXTURES / "valkey9-field-expiry.rdb", "--export", "resp").stdout, theirs)
    digest = theirs.call("DEBUG", "DIGEST")
    theirs.kill()
    shutil.copy(FIXTURES / "valkey9-field-expiry.rdb", theirs.folder / "dump.rdb")
    theirs.start()
    assert theirs.call("DEBUG", "DIGEST") == digest
