"""``durastore check``: what it prints, and its exit status."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from durastore.cli.main import main
from durastore.persistence.disk import LOCK_NAME, RealDisk
from support.logs import LAST, small_log
from support.resp import request

RDB = Path(__file__).parents[2] / "fixtures/rdb/redis7-strings.rdb"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a whole log and a whole snapshot."""
    (tmp_path / "appendonlydir").mkdir()
    for path, inode in small_log().names.items():
        (tmp_path / path[1:]).write_bytes(inode.data)
    (tmp_path / "dump.rdb").write_bytes(RDB.read_bytes())
    return tmp_path


@pytest.fixture
def torn(folder: Path) -> Path:
    """The last file of a log, with a torn end."""
    path = folder / LAST[1:]
    path.write_bytes(path.read_bytes()[:-3])
    return path


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    status = main(["check", "--json", *map(str, arguments)])
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == status
    return status, told


def test_a_whole_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert shown.count(" whole ") == 5
    assert "23 keys (string 23)" in shown
    assert "3 stretches" in shown
    assert main(["check", "--quiet", str(folder)]) == 0
    assert capsys.readouterr().out == ""
    status, told = as_json(capsys, folder / "appendonlydir", folder / "dump.rdb")
    assert status == 0
    names = [Path(each["path"]).name.removeprefix("appendonly.aof.") for each in told["files"]]
    assert names == ["manifest", "1.base.rdb", "1.incr.aof", "2.incr.aof", "dump.rdb"]
    assert told["files"][4]["contents"]["types"] == {"string": 23}


def test_a_torn_end_is_told_and_repaired(torn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = torn.stat().st_size
    data = torn.read_bytes()
    torn.chmod(0o600)
    assert main(["check", "-q", str(torn)]) == 1
    shown = capsys.readouterr().out
    assert f"{torn}: torn end at offset " in shown
    assert "before: command 5, EXEC, at offset" in shown
    assert "a start cuts them off" in shown
    assert main(["check", "--fix", str(torn)]) == 3
    assert "is a part of the log of" in capsys.readouterr().err
    status, told = as_json(capsys, "--fix", torn.parent)
    assert status == 0
    (repair,) = told["repairs"]
    assert repair["path"] == str(torn)
    assert repair["bytes"] == size - torn.stat().st_size
    kept = Path(repair["original"])
    assert kept.read_bytes() == data
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [each["verdict"] for each in told["files"]] == ["whole"] * 4 + ["not of the manifest"]


def test_damage_is_told_and_not_repaired(torn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = torn.parent / "appendonly.aof.1.base.rdb"
    data = bytearray(base.read_bytes())
    data[-20] ^= 1
    base.write_bytes(data)
    before = {path: path.read_bytes() for path in torn.parent.iterdir()}
    assert main(["check", "--fix", str(torn.parent)]) == 2
    assert f"Not repaired: {base} is damaged" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in torn.parent.iterdir()} == before


def test_no_repair_beside_a_server(torn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = torn.read_bytes()
    lock = RealDisk().lock(str(torn.parents[1] / LOCK_NAME))
    try:
        assert main(["check", "--fix", str(torn.parent)]) == 3
        assert f"pid {os.getpid()}" in capsys.readouterr().err
        assert main(["check", str(torn.parent)]) == 1
    finally:
        lock.close()
    assert torn.read_bytes() == data


def test_the_files_of_a_conf_file(torn: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    conf = tmp_path / "my.conf"
    conf.write_text(f"dir {torn.parents[1]}\ndbfilename other.rdb\n")
    (torn.parents[1] / "temp-77.rdb").touch()
    status, told = as_json(capsys, "--conf", conf)
    assert status == 1
    assert [each["kind"] for each in told["files"]] == ["manifest", "aof", "aof", "aof", ""]
    assert told["files"][-1]["verdict"] == "left over"
    conf.write_text(f"dir {torn.parents[1]}\naof-load-truncated no\ndatabases 1\n")
    status, told = as_json(capsys, "--conf", conf)
    assert status == 2, "such a server would not start"
    assert "uses database" in next(each for each in told["files"] if each["kind"] == "rdb")["reason"]
    (torn.parents[1] / "appendonly.aof").write_bytes(request("SET", "a", 1))
    conf.write_text(f"dir {torn.parents[1]}\nappenddirname none\ndbfilename none\n")
    status, told = as_json(capsys, "--conf", conf)
    assert [(each["path"], each["contents"]["commands"]) for each in told["files"][:1]] == [
        (str(torn.parents[1] / "appendonly.aof"), 1)
    ]
    conf.write_text(f"dir {torn.parents[1]}\nappenddirname none\nappendfilename none\ndbfilename none\n")
    assert as_json(capsys, "--conf", conf)[0] == 0


@pytest.mark.parametrize(
    "arguments", [[], ["/nosuch"], ["/nosuch", "--conf", "/nosuch"], ["--conf", "/nosuch"], [__file__]]
)
def test_what_cannot_be_read(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *arguments]) == 3
    assert capsys.readouterr().err


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 3
    assert "no data files" in capsys.readouterr().err
