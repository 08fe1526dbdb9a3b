"""The tools that restore and back up, as a person or a script uses them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from durastore.cli.main import main
from durastore.cli.moment import parse_moment
from durastore.persistence.disk import RealDisk
from support.histories import START, History

NOW = 1_800_000_000_000
# Moments that no calendar has.
FAR = ["9" * 30, "9" * 400, "-99999999999999w", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("-10m", NOW - 600_000),
        ("-1h30m", NOW - 5_400_000),
        ("-1.5s", NOW - 1500),
        ("-2d", NOW - 172_800_000),
        ("-250ms", NOW - 250),
        ("1700000000", START),
        ("1700000000.25", START + 250),
        ("1700000000250", START + 250),
        ("2023-11-14T22:13:20.250Z", START + 250),
        ("2023-11-14T23:13:20+01:00", START),
        ("20231114T221320Z", START),
        ("20231114", round(datetime(2023, 11, 14).timestamp() * 1000)),
        ("2023-11-14 22:13", round(datetime(2023, 11, 14, 22, 13).timestamp() * 1000)),
    ],
)
def test_moments_as_people_give_them(text: str, expected: int) -> None:
    assert parse_moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "-10", "10m", "-m", "yesterday", "2023-13-01", "-1h 30m", "1e9", "--5s"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_moment(text, NOW)


@pytest.fixture
def data(tmp_path: Path) -> History:
    folder = tmp_path / "data"
    history = History(RealDisk(), str(folder))
    history.write(["SET", "a", 1], ["SET", "b", 2, "PXAT", START + 10**6])
    history.wait(1000)
    history.rewrite()
    history.wait(1000)
    history.write(["SET", "c", 1])
    return history


def spelled(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).astimezone().isoformat(timespec="milliseconds")


def test_a_restore_tells_what_it_did(data: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new"
    assert main(["restore", data.data, "--at", str(START + 1999), "--to", str(target)]) == 0
    said = capsys.readouterr().out
    assert f"Restored {data.data} as of {spelled(START + 1000)}\n" in said
    assert "verified: it loads, 2 keys, 1 of them expired by now\n" in said
    assert f"from {spelled(START + 2000)} on\n" in said
    assert f"durastore --dir {target} --appendonly yes" in said
    again = ["restore", data.data, "--to", str(target), "--json"]
    assert main(again) == 3
    assert f"{target}: It is not empty: it holds appendonlydir" in capsys.readouterr().err
    again[3] = str(tmp_path / "other")
    assert main([*again, "--no-verify"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["moment"] == START + 2000
    assert facts["left_out_bytes"] == 0
    assert facts["keys"] is None
    assert not facts["verified"]


def test_a_list_tells_every_range(data: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", data.data, "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{spelled(START)} to {spelled(START + 1000)}  (last write {spelled(START)}, ")
    assert main(["restore", data.data, "--list", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [(each["since"], each["last"]) for each in facts] == [(START, START), (START + 1000, START + 2000)]
    assert main(["backup", data.data, str(tmp_path / "backups")]) == 0
    capsys.readouterr()
    assert main(["restore", str(tmp_path / "backups"), "--list", "--json"]) == 0
    assert [each["since"] for each in json.loads(capsys.readouterr().out)] == [START, START + 1000]


def test_damage_has_a_status_of_its_own(data: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(data.writer.path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert main(["restore", data.data, "--to", str(tmp_path / "outer" / "new")]) == 2
    assert f"{path.name}, offset 18: checksum error" in capsys.readouterr().err
    assert not (tmp_path / "outer").exists()
    assert main(["backup", data.data, str(tmp_path / "backups")]) == 2
    assert main(["restore", data.data, "--at", str(START), "--to", str(tmp_path / "new")]) == 0


@pytest.mark.parametrize(
    "words",
    [
        ["restore"],
        ["restore", "DATA"],
        ["restore", "DATA", "--list", "--to", "x"],
        ["restore", "DATA", "--to", "NEW", "--at", "yesterday"],
        *(["restore", "DATA", "--to", "NEW", f"--at={far}"] for far in FAR),
        ["restore", "DATA", "--to", "NEW", "--backup", "x"],
        ["restore", "memory://nothing", "--to", "NEW", "--databases", "many"],
        ["restore", "DATA", "--to", "NEW", "--databases", "0"],
        ["restore", "DATA", "--to", "NEW", "--databases", "-1"],
        ["backup", "DATA"],
        ["backup", "DATA", "NEW", "--list"],
        ["backup", "DATA", "NEW", "x"],
        ["backup", "DATA", "NEW", "--keep", "0"],
        ["backup", "DATA", "NEW", "--keep-days", "nan"],
        ["backup", "DATA", "nosuchprotocol://x"],
        ["backup", "DATA", ""],
        ["backup", "", "NEW"],
        ["backup", "DATA", "DATA"],
        ["backup", "DATA", "INSIDE"],
        ["backup", "DATA", "file://INSIDE"],
        ["restore", "DATA", "--to", ""],
        ["restore", "", "--to", "NEW"],
    ],
)
def test_a_wrong_command_line(
    words: list[str], data: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = tmp_path / "link" / "inside"
    inside.parent.symlink_to(data.data)
    places = {"DATA": data.data, "NEW": str(tmp_path / "new"), "INSIDE": str(inside), "file://INSIDE": inside.as_uri()}
    before = sorted(Path(data.data).rglob("*"))
    assert main([places.get(word, word) for word in words]) == 3
    assert sorted(Path(data.data).rglob("*")) == before
    assert "Error: " in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_where_there_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", str(tmp_path), "--to", str(tmp_path / "new")]) == 1
    assert "neither a log nor a dump.rdb" in capsys.readouterr().err
    assert main(["backup", str(tmp_path), str(tmp_path / "backups")]) == 1
    assert main(["restore", "memory://nowhere", "--to", str(tmp_path / "new")]) == 1
    assert "There is no backup in memory://nowhere" in capsys.readouterr().err
    assert main(["restore", str(tmp_path / "gone"), "--list"]) == 3


def test_backups_are_listed_verified_and_removed(
    data: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    destination = tmp_path / "backups"
    for _ in range(3):
        assert main(["backup", data.data, destination.as_uri()]) == 0
        assert "holds every state from" in capsys.readouterr().out
    assert main(["backup", "--list", str(destination)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert main(["backup", "--verify", str(destination), "--keep", "1", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["verified"]["whole"]) == 3
    assert facts["removed"]["backups"] == [line.split()[0] for line in lines[:2]]
    damaged = next((destination / "objects").iterdir())
    damaged.write_bytes(damaged.read_bytes()[::-1])
    assert main(["backup", data.data, str(destination), "--verify", "--keep", "1"]) == 2
    said = capsys.readouterr()
    assert f"{damaged.name} is damaged" in said.err
    assert "remove it and back up again" in said.err
    assert "Removed" not in said.out
    damaged.unlink()
    assert main(["backup", data.data, str(destination), "--verify", "--keep", "1"]) == 0
    capsys.readouterr()
    next((destination / "catalogues").iterdir()).write_text("{}")
    assert main(["backup", "--list", str(destination)]) == 2


def test_what_is_no_object_is_left_alone_or_named(
    data: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    destination = tmp_path / "backups"
    assert main(["backup", data.data, str(destination)]) == 0
    for folder in ("catalogues", "objects"):
        (destination / folder / "20260101T000000.000Z-abcdef.json").mkdir()
    assert main(["backup", data.data, str(destination), "--verify", "--keep", "1"]) == 0
    assert main(["restore", str(destination), "--to", str(tmp_path / "new")]) == 0
    pipe = destination / "catalogues" / "pipe.json"
    os.mkfifo(pipe)
    capsys.readouterr()
    assert main(["backup", "--list", str(destination)]) == 3
    assert capsys.readouterr().err == f"Error: {pipe}: It is no regular file\n"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["check", "GONE"], 3),
        (["check", "DATA", "--colour"], 3),
        (["inspect", "GONE"], 3),
        (["inspect", "DATA"], 2),
        (["restore", "EMPTY", "--list"], 1),
        (["restore", "GONE", "--list"], 3),
        (["restore", "DATA", "--to", "NEW"], 2),
        (["backup", "EMPTY", "NEW"], 1),
    ],
)
def test_errors_are_told_as_json_where_that_is_asked_for(
    words: list[str], status: int, data: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    path = Path(data.writer.path)
    path.write_bytes(path.read_bytes().replace(b"SET", b"GET"))
    places = {"DATA": data.data, **{name: str(tmp_path / name.lower()) for name in ("GONE", "EMPTY", "NEW")}}
    assert main([*(places.get(word, word) for word in words), "--json"]) == status
    told = capsys.readouterr()
    error = json.loads(told.out)["error"]
    assert f"Error: {error}\n" in told.err


def test_nothing_is_not_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", "--verify", str(tmp_path / "nothing")]) == 1
    assert "There is no backup in" in capsys.readouterr().err


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "dump.rdb")
    os.mkfifo(tmp_path / "pipe")
    for words in (["check", str(tmp_path)], ["inspect", str(tmp_path / "dump.rdb")], ["check", str(tmp_path / "pipe")]):
        assert main(words) == 3
        told = capsys.readouterr()
        assert "no regular file" in told.out + told.err
    assert main(["restore", str(tmp_path), "--to", str(tmp_path / "new")]) == 3
    assert "no regular file" in capsys.readouterr().err
