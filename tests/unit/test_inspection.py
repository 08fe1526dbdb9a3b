"""What data files hold: figures, and exports that lose nothing."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from durastore.cli.main import main
from durastore.cli.offline import offline_engine
from durastore.commands.digest import dataset_digest
from durastore.engine.session import replay_session
from durastore.persistence import commands as serializing
from durastore.persistence import export, inspection
from durastore.persistence.commands import PART
from durastore.persistence.inspection import Choice, Entry, LoadedKeyspace, Statistics, Unusable, log_paths, replay_log
from durastore.persistence.rdb import RdbWriter, dump_functions
from support.disks import Inode, MemoryDisk
from support.logs import FOLDER, LAST, PREFIX, small_log
from support.rdb import read_all, text
from support.resp import request

FIXTURES = sorted(Path(__file__).parents[2].glob("fixtures/rdb/*.rdb"))
NOW = 1_000_000


def original(word: str | dict[str, str]) -> str:
    """A word of a JSON export, as Latin-1 text."""
    return text(word.encode() if isinstance(word, str) else base64.b64decode(word["base64"]))


def restored(line: dict[str, Any]) -> dict[str, Any]:
    """What ``support.rdb`` says of the entry that a line of a JSON export stands for."""
    value = line["value"]
    kind = line["type"]
    if kind == "string":
        value = original(value)
    elif kind == "list":
        value = [original(item) for item in value]
    elif kind == "set":
        value = sorted(original(member) for member in value)
    elif kind == "hash":
        value = sorted([original(f), original(v), *(when or [-1])] for f, v, *when in value)
    elif kind == "zset":
        value = sorted([original(member), repr(float(score))] for member, score in value)
    else:
        value = restored_stream(value)
    entry = {"db": line["db"], "key": original(line["key"]), "type": kind, "value": value}
    if "expireat" in line:
        entry["expire_ms"] = line["expireat"]
        assert line["ttl"] < line["expireat"]
    return entry


def restored_stream(value: dict[str, Any]) -> dict[str, Any]:
    groups = [
        {
            **group,
            "name": original(group["name"]),
            "pending": [[entry, original(consumer), *rest] for entry, consumer, *rest in group["pending"]],
            "consumers": sorted([original(name), *times] for name, *times in group["consumers"]),
        }
        for group in value["groups"]
    ]
    entries = [[entry, [original(word) for word in words]] for entry, words in value["entries"]]
    return {**value, "entries": entries, "groups": sorted(groups, key=lambda group: str(group["name"]))}


def exported(capsysbinary: pytest.CaptureFixture[bytes], *arguments: str | Path) -> bytes:
    assert main(["inspect", *map(str, arguments)]) == 0
    return capsysbinary.readouterr().out


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_json_lines_lose_nothing(path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    lines = [json.loads(line) for line in exported(capsysbinary, path, "--export", "jsonl").splitlines()]
    found = sorted((restored(line) for line in lines), key=lambda entry: (entry["db"], entry["key"]))
    _, wanted = read_all(path.read_bytes())
    for entry in wanted:
        # How often a key was used is told by no form but the file itself.
        entry.pop("idle", None)
        entry.pop("freq", None)
    assert found == wanted


def replayed(commands: bytes) -> Any:
    engine = offline_engine()
    engine.begin_wake(NOW)
    engine.instance.keyspace.expiring = False
    session = replay_session(engine)
    session.feed(commands)
    assert not session.failure
    assert b"-ERR" not in session.take_output()
    return engine


@pytest.mark.parametrize(
    "path", [path for path in FIXTURES if "functions" not in path.stem], ids=lambda path: path.stem
)
def test_commands_make_the_same_keys(path: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    commands = exported(capsysbinary, path, "--export", "resp")
    # The state that comes of a log is the same as that of the file.
    log = tmp_path / "single.aof"
    log.write_bytes(path.read_bytes())
    assert main(["inspect", str(log), "--export", "resp"]) == 0
    again = capsysbinary.readouterr().out
    engine = offline_engine()
    disk = MemoryDisk()
    disk.names["/x.aof"] = Inode(path.read_bytes())
    assert not replay_log(disk, ["/x.aof"], engine, lambda size: None)
    wanted = dataset_digest(engine.instance.keyspace)
    assert dataset_digest(replayed(commands).instance.keyspace) == wanted
    assert dataset_digest(replayed(again).instance.keyspace) == wanted


def test_large_values_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serializing, "PART", 1000)
    engine = replayed(
        request("SELECT", 3)
        + request("SET", "long", "ab" * 2500, "PX", NOW)
        + b"".join(request("RPUSH", "list", "v" * 500, i) for i in range(1000))
        + request("SET", "over", "x", "PXAT", NOW - 1)
    )
    exporter = export.CommandExport(NOW)
    pieces = [piece for entry in LoadedKeyspace(engine.instance.keyspace).entries() for piece in exporter.entry(entry)]
    pieces.append(exporter.rest())
    commands = b"".join(pieces)
    assert max(map(len, pieces)) < 300_000 + PART
    assert commands.count(b"APPEND") == 4
    assert b"over" not in commands
    engine.instance.keyspace.databases[3].delete(b"over")
    assert dataset_digest(replayed(commands).instance.keyspace) == dataset_digest(engine.instance.keyspace)


def test_functions_are_exported_with_everything(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    path = next(path for path in FIXTURES if path.stem == "valkey9-functions")
    commands = exported(capsysbinary, path, "--export", "resp")
    assert commands.startswith(b"*3\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n")
    assert commands.count(b"FUNCTION") == 2
    assert b"FUNCTION" not in exported(capsysbinary, path, "--export", "resp", "--db", "0")


# Figures


def measure(entry: Entry) -> tuple[str, int]:
    return "some", 100 if entry.type == "list" else 10


def statistics(engine: Any, **options: Any) -> Statistics:
    made = Statistics(measure, NOW, **{"top": 2, "separator": b":", "depth": 1, **options})
    for entry in LoadedKeyspace(engine.instance.keyspace).entries():
        made.add(entry)
    return made


def some_keys() -> Any:
    return replayed(
        request("MSET", "user:1:name", "abc", "user:2:name", "x", "plain", "")
        + request("RPUSH", "queue:a", *range(11))
        + request("SET", "t:1", 1, "PXAT", NOW + 60_000)
        + request("SET", "t:2", 1, "PXAT", NOW + 60_001)
        + request("SET", "t:3", 1, "PXAT", NOW + (1 << 40))
        + request("SET", "t:4", 1, "PXAT", NOW)
        + request("SELECT", 5)
        + request("HSET", "h", "a", 1, "b", 2)
        + request("HPEXPIREAT", "h", NOW + 5, "FIELDS", 1, "a")
    )


def test_figures() -> None:
    found = statistics(some_keys())
    assert (found.all.keys, found.all.memory, found.expiring_fields) == (9, 180, 1)
    assert {db: figures.keys for db, figures in found.databases.items()} == {0: 8, 5: 1}
    assert found.encodings["list", "some"].as_dict() == {
        "keys": 1, "memory": 100, "stored": 0, "elements": 11, "most_elements": 11,
    }  # fmt: skip
    assert [(big.key, big.type, big.elements) for big in found.biggest()][:1] == [(b"queue:a", "list", 11)]
    assert {name: figures.keys for name, figures in found.ttls.items()} == {
        "none": 5, "over": 1, "1 minute": 1, "1 hour": 1, "longer": 1,
    }  # fmt: skip
    assert found.sizes["list"] == [0, 0, 1, 0, 0, 0, 0, 0]
    assert found.sizes["string"] == [6, 1, 0, 0, 0, 0, 0, 0]
    told = found.as_dict(lambda data: data.decode())
    json.dumps(told)
    assert told["prefixes"][0]["prefix"] == "queue:"
    assert told["ttl"]["over"]["keys"] == 1


def test_prefixes_end_after_so_many_separators(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = some_keys()
    assert {prefix: each.keys for prefix, each in statistics(engine).prefixes.items()} == {
        b"user:": 2, b"queue:": 1, b"t:": 4, b"": 2,
    }  # fmt: skip
    deeper = statistics(engine, depth=2).prefixes
    assert set(deeper) == {b"user:1:", b"user:2:", b"queue:", b"t:", b""}
    assert set(statistics(engine, separator=b"er:").prefixes) == {b"user:", b""}
    monkeypatch.setattr(inspection, "MOST_PREFIXES", 3)
    few = statistics(engine, depth=2)
    assert b"queue:" in few.prefixes
    assert sum(each.keys for each in few.prefixes.values()) + few.other_prefixes.keys == 9


def test_the_biggest_are_kept_whatever_the_order() -> None:
    engine = replayed(b"".join(request("SET", f"k{i * 7 % 100}", i) for i in range(100)))
    made = Statistics(lambda entry: ("x", int(entry.key[1:])), NOW, 3, b":", 1)
    for entry in LoadedKeyspace(engine.instance.keyspace).entries():
        made.add(entry)
    assert [big.key for big in made.biggest()] == [b"k99", b"k98", b"k97"]


@pytest.mark.parametrize(
    ("choice", "keys"),
    [
        (Choice(db=5), {b"h"}),
        (Choice(type="list"), {b"queue:a"}),
        (Choice(match=b"t:[12]"), {b"t:1", b"t:2"}),
        (Choice(db=0, type="string", match=b"*:name"), {b"user:1:name", b"user:2:name"}),
    ],
)
def test_a_choice_of_keys(choice: Choice, keys: set[bytes]) -> None:
    entries = LoadedKeyspace(some_keys().instance.keyspace).entries()
    assert {entry.key for entry in entries if choice.has(entry)} == keys


# Files


def test_a_log_is_replayed_and_left_alone() -> None:
    disk = small_log()
    disk.names[LAST].data += b"*2\r\n$3\r\nGE"
    before = {path: bytes(inode.data) for path, inode in disk.names.items()}
    engine = offline_engine()
    torn = replay_log(disk, log_paths(disk, FOLDER, PREFIX), engine, lambda size: None)
    assert torn.startswith(f"{LAST}, offset {len(before[LAST]) - 10}")
    assert {entry.key for entry in LoadedKeyspace(engine.instance.keyspace).entries()} == {b"a", b"b", b"c", b"d"}
    assert {path: bytes(inode.data) for path, inode in disk.names.items()} == before
    disk.names[LAST].data[30] ^= 1
    with pytest.raises(Unusable, match=LAST):
        replay_log(disk, log_paths(disk, FOLDER, PREFIX), offline_engine(), lambda size: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a log and a snapshot of something else."""
    (tmp_path / "appendonlydir").mkdir()
    for path, inode in small_log().names.items():
        (tmp_path / path[1:]).write_bytes(inode.data)
    writer = RdbWriter(True, True)
    writer.begin([])
    writer.select(0, 1, 0)
    writer.entry(b"other\xff", b"value", -1)
    writer.end()
    (tmp_path / "dump.rdb").write_bytes(writer.take())
    return tmp_path


def test_what_a_start_would_load_is_inspected(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--json", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out)["total"]["keys"] == 4
    conf = folder / "my.conf"
    conf.write_text(f"dir {folder}\nappendonly no\n")
    assert main(["inspect", "--json", "--conf", str(conf)]) == 0
    assert json.loads(capsys.readouterr().out)["biggest"][0]["key"] == {"base64": "b3RoZXL/"}
    assert main(["inspect", str(folder / "dump.rdb")]) == 0
    assert r"other\xff" in capsys.readouterr().out
    (folder / "second.rdb").write_bytes((folder / "dump.rdb").read_bytes())
    assert main(["inspect", str(folder)]) == 0, "the log is what counts"
    capsys.readouterr()
    (folder / "appendonlydir").rename(folder.parent / "away")
    assert main(["inspect", str(folder)]) == 3
    assert "Which of these?" in capsys.readouterr().err


def test_damage_and_torn_ends_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    last = folder / LAST[1:]
    data = last.read_bytes()
    last.write_bytes(data[:-1])
    assert main(["inspect", "--json", str(folder)]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["total"]["keys"] == 3
    assert "torn" in told.err
    last.write_bytes(data.replace(b"last", b"lost"))
    assert main(["inspect", "--json", str(folder)]) == 2
    assert "checksum" in capsys.readouterr().err
    rdb = folder / "dump.rdb"
    whole = rdb.read_bytes()
    rdb.write_bytes(whole + b"more")
    for tool in ("inspect", "check"):
        assert main([tool, str(rdb)]) == 2
        told = capsys.readouterr()
        assert f"offset {len(whole)}" in told.out + told.err, "where it begins"
    rdb.write_bytes(whole.replace(b"value", b"volue"))
    assert main(["inspect", "--export", "jsonl", str(rdb)]) == 2
    assert "wrong checksum" in capsys.readouterr().err


def test_an_export_whose_reader_leaves_ends_quietly(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main(["inspect", "--export", "jsonl", str(folder)]) == 3


LIBRARY = "#!lua name=mine\nredis.register_function('mine', function() return 1 end)"


def test_what_needs_a_server_is_no_damage_of_a_log(
    folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    last = folder / LAST[1:]
    data = last.read_bytes()
    commands = [
        request("CONFIG", "SET", "hz", 20), request("SAVE"), request("INFO"), request("CLIENT", "LIST"),
        request("FUNCTION", "RESTORE", dump_functions([LIBRARY.encode()])), request("FLUSHALL"),
        request("EVAL", "redis.call('SET', 'e', redis.call('TIME')[1])", 0),
        request("EVAL", "redis.call('RESTORE', 'f', 0, redis.call('DUMP', 'e'))", 0),
    ]  # fmt: skip
    last.write_bytes(data + b"".join(commands))
    assert main(["check", str(folder)]) == 0
    assert main(["restore", str(folder), "--to", str(folder / "new")]) == 0
    capsys.readouterr()
    assert main(["inspect", "--export", "resp", str(folder)]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert LIBRARY in told.out
    assert told.out.count("SET") == 2, "two keys"
    last.write_bytes(data + request("SHUTDOWN"))
    assert main(["check", str(folder)]) == 2
    assert main(["inspect", str(folder)]) == 2
    assert "'shutdown' ended the replay" in capsys.readouterr().err
    assert caplog.text == ""


@pytest.mark.parametrize("words", [["inspect"], ["inspect", "--export", "jsonl"], ["check"], ["restore", "--list"]])
def test_an_output_that_cannot_be_written_is_told_and_not_taken_for_damage(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main([*words, str(folder)]) == 3
    assert capsys.readouterr().err == "Error: standard output cannot be written: No space left on device\n"
    monkeypatch.setattr(sys, "stdout", None)
    assert main([*words, str(folder)]) == 3
    assert capsys.readouterr().err == "Error: standard output is closed\n"


def test_words_of_any_bytes() -> None:
    assert export.text("ä\0\n".encode()) == "ä\0\n"
    assert original(export.text(b"\xff\xfe")) == "\xff\xfe"
