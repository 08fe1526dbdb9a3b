"""Files move to and from a real server, both ways."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.resp import request
from support.servers import Server, valkey_binary

Starter = Callable[..., Server]

EVERY_TYPE = [
    ("SET", "string", "text"),
    ("SET", "number", "12345"),
    ("SET", "long", "ab" * 500),
    ("SET", "expiring", "x", "PXAT", "33177117420000"),
    ("RPUSH", "list", *(f"item {i}" for i in range(500))),
    ("SADD", "intset", *range(100)),
    ("SADD", "set", *(f"member {i}" for i in range(500))),
    ("HSET", "hash", "field", "value", "other", "1"),
    ("HSET", "big hash", *(f"f{i}" for i in range(600))),
    ("ZADD", "zset", "1.5", "a", "-inf", "b", "3", "c"),
    ("ZADD", "big zset", *(word for i in range(300) for word in (i / 3, f"m{i}"))),
    ("XADD", "stream", "1-1", "field", "value"),
    ("XADD", "stream", "2-1", "field", "value", "more", "x"),
    ("XGROUP", "CREATE", "stream", "group", "0"),
    ("XREADGROUP", "GROUP", "group", "consumer", "COUNT", "1", "STREAMS", "stream", ">"),
]


def fill(server: Server) -> None:
    with server.connect() as connection:
        for words in EVERY_TYPE:
            assert not connection.call(*words).startswith(b"-"), words
        connection.call("SELECT", 3)
        connection.call("SET", "elsewhere", "y")


def test_every_type_survives_the_way_there_and_back(start_durastore: Starter, start_valkey: Starter) -> None:
    theirs = start_valkey(enable_debug_command="yes")
    fill(theirs)
    theirs.call("SAVE")
    digest = theirs.call("DEBUG", "DIGEST")
    theirs.kill()
    ours = start_durastore(folder=theirs.folder, enable_debug_command="yes")
    assert ours.call("DEBUG", "DIGEST") == digest
    assert ours.call("DEBUG", "RELOAD") == "OK"
    assert ours.call("SAVE") == "OK"
    ours.kill()
    theirs.start()
    assert theirs.call("DEBUG", "DIGEST") == digest
    assert theirs.call("XPENDING", "stream", "group") == [1, b"1-1", b"1-1", [[b"consumer", b"1"]]]
    theirs.kill()
    # A log of ours that begins with this file, in both forms of a base.
    for preamble in ("yes", "no"):
        ours.directives |= {"appendonly": "yes", "aof-use-rdb-preamble": preamble}
        ours.start()
        ours.call("BGREWRITEAOF")
        ours.until_info("persistence", "aof_rewrite_in_progress", "0")
        ours.kill()
        ours.start()
        assert ours.call("DEBUG", "DIGEST") == digest
        ours.kill()


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_log_of_the_real_server_loads(start_durastore: Starter, start_valkey: Starter, preamble: str) -> None:
    theirs = start_valkey(appendonly="yes", aof_use_rdb_preamble=preamble, enable_debug_command="yes")
    with theirs.connect() as connection:
        for i in range(500):
            connection.call("SET", f"k:{i}", i)
        connection.call("BGREWRITEAOF")
    theirs.until_info("persistence", "aof_rewrite_in_progress", "0")
    with theirs.connect() as connection:
        for i in range(0, 500, 3):
            connection.call("INCR", f"k:{i}")
        connection.call("MULTI")
        connection.call("PEXPIREAT", "k:1", "33177117420000")
        connection.call("DEL", "k:2")
        connection.call("EXEC")
    digest = theirs.call("DEBUG", "DIGEST")
    theirs.stop()
    ours = start_durastore(folder=theirs.folder, appendonly="yes", enable_debug_command="yes")
    assert ours.call("DEBUG", "DIGEST") == digest
    ours.call("SET", "ours", "1")
    digest = ours.call("DEBUG", "DIGEST")
    assert ours.call("SAVE") == "OK"
    assert ours.call("DEBUG", "LOADAOF") == "OK"
    assert ours.call("DEBUG", "DIGEST") == digest
    ours.stop()
    # The real server goes on with a log that both have written, and so do we again.
    theirs.start()
    assert theirs.call("DEBUG", "DIGEST") == digest
    theirs.call("SET", "theirs", "2")
    digest = theirs.call("DEBUG", "DIGEST")
    theirs.stop()
    ours.start()
    assert ours.call("DEBUG", "DIGEST") == digest


def field_expiries(server: Server) -> list[object]:
    with server.connect() as connection:
        return [
            sorted(connection.value("HKEYS", key))
            + connection.value("HPEXPIRETIME", key, "FIELDS", 3, "f1", "f2", "f9999")
            for key in ("small", "large")
        ]


def test_fields_that_expire_survive_every_way_there_and_back(start_durastore: Starter, start_valkey: Starter) -> None:
    """A file with such fields is one of version 80, Valkey's; its hashes are whole in a base of either kind as well."""
    ours = start_durastore(appendonly="yes", enable_debug_command="yes")
    with ours.connect() as connection:
        connection.call("HSET", "small", "f1", "a", "f2", "b")
        connection.call("HSET", "large", *(word for i in range(5000) for word in (f"f{i}", "v")))
        assert connection.call("SAVE") == b"+OK\r\n"
        assert (ours.folder / "dump.rdb").read_bytes().startswith(b"REDIS0011")
        for key in ("small", "large"):
            connection.call("HPEXPIREAT", key, "33177117420001", "FIELDS", "2", "f1", "f9999")
            connection.call("HSETEX", key, "PXAT", "33177117420002", "FIELDS", "1", "f2", "c")
    wanted = field_expiries(ours)
    assert wanted[0][-3:] == [33177117420001, 33177117420002, -2]  # type: ignore[index]
    assert ours.call("SAVE") == "OK"
    assert (ours.folder / "dump.rdb").read_bytes().startswith(b"VALKEY080")
    payload = ours.call("DUMP", "small")
    assert ours.call("DEBUG", "RELOAD") == "OK"
    assert field_expiries(ours) == wanted
    assert ours.call("DEBUG", "LOADAOF") == "OK"
    assert field_expiries(ours) == wanted
    ours.stop()
    # The log as it was written, the snapshot, and bases in both forms, read by the real server.
    theirs = start_valkey(folder=ours.folder, appendonly="yes")
    assert field_expiries(theirs) == wanted
    assert theirs.call("RESTORE", "restored", 0, payload) == "OK"
    assert theirs.call("HPEXPIRETIME", "restored", "FIELDS", 1, "f2") == [33177117420002]
    assert theirs.call("DEL", "restored") == 1
    theirs.call("BGREWRITEAOF")
    theirs.until_info("persistence", "aof_rewrite_in_progress", "0")
    theirs.stop()
    for preamble in ("yes", "no"):
        ours.directives["aof-use-rdb-preamble"] = preamble
        ours.start()
        assert field_expiries(ours) == wanted
        ours.call("BGREWRITEAOF")
        ours.until_info("persistence", "aof_rewrite_in_progress", "0")
        ours.stop()
        theirs.start()
        assert field_expiries(theirs) == wanted
        theirs.stop()
    theirs.directives["appendonly"] = "no"
    theirs.start()
    assert field_expiries(theirs) == wanted


def test_the_real_checkers_accept_our_files(start_durastore: Starter) -> None:
    ours = start_durastore(appendonly="yes", aof_timestamp_enabled="yes")
    with ours.connect() as connection:
        connection.send(b"".join(request("SET", f"k:{i}", i) for i in range(1000)))
        for _ in range(1000):
            connection.read()
        connection.call("BGREWRITEAOF")
    ours.until_info("persistence", "aof_rewrite_in_progress", "0")
    for i in range(100):
        ours.call("APPEND", f"k:{i}", "x")
    assert ours.call("SAVE") == "OK"
    ours.stop()
    manifest = ours.folder / "appendonlydir" / "appendonly.aof.manifest"
    for argv in (
        [*valkey_binary("valkey-check-aof"), str(manifest)],
        [*valkey_binary("valkey-check-rdb"), str(ours.folder / "dump.rdb")],
    ):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_single_file_log_is_upgraded(start_durastore: Starter, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "appendonly.aof").write_bytes(
        request("SELECT", 0) + request("SET", "a", 1) + request("INCR", "a") + request("set", "b", "x")
    )
    ours = start_durastore(folder=folder, appendonly="yes", appendfsync="always")
    assert ours.call("MGET", "a", "b") == [b"2", b"x"]
    ours.call("SET", "c", 3)
    ours.kill()
    ours.start()
    assert ours.call("MGET", "a", "b", "c") == [b"2", b"x", b"3"]
    assert not (folder / "appendonly.aof").exists()


@pytest.mark.parametrize("moved", [False, True])
def test_an_upgrade_that_was_broken_off_is_brought_to_its_end(
    start_durastore: Starter, tmp_path: Path, moved: bool
) -> None:
    folder = tmp_path / "old"
    log = folder / "appendonlydir"
    log.mkdir(parents=True)
    place = log if moved else folder
    (place / "appendonly.aof").write_bytes(request("SELECT", 0) + request("SET", "a", 1) + request("INCR", "a"))
    (log / "appendonly.aof.manifest").write_bytes(b"file appendonly.aof seq 1 type b\n")
    ours = start_durastore(folder=folder, appendonly="yes")
    assert ours.call("GET", "a") == b"2"
    ours.kill()
    ours.start()
    assert ours.call("GET", "a") == b"2"
    assert not (folder / "appendonly.aof").exists()


@pytest.mark.parametrize("name", ["appendonly.aof.1.incr.aof", "appendonly.aof"])
def test_a_log_without_its_manifest_is_not_passed_over(start_durastore: Starter, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data"
    log = folder / "appendonlydir"
    log.mkdir(parents=True)
    data = request("SELECT", 0) + request("SET", "a", 1)
    (log / name).write_bytes(data)
    ours = start_durastore(folder=folder, appendonly="no")
    assert str(ours.call("CONFIG", "SET", "appendonly", "yes")).startswith("ERR")
    ours.kill()
    ours.directives["appendonly"] = "yes"
    ours.start(wait=False)
    assert ours.process is not None
    assert ours.process.wait(10) == 1
    assert f"{name}: it is part of a log whose manifest" in ours.log_tail()
    assert (log / name).read_bytes() == data


def obstruct_rewrites(log: Path) -> Callable[[], None]:
    """Lets no rewrite make a base; returns what lets them again."""
    obstacles = [log / f"temp-appendonly.aof.{seq}.base.rdb" for seq in range(1, 30)]
    for obstacle in obstacles:
        obstacle.mkdir(parents=True)

    def clear() -> None:
        for obstacle in obstacles:
            obstacle.rmdir()

    return clear


def test_a_part_that_was_cut_between_two_stretches_is_noticed(start_durastore: Starter) -> None:
    ours = start_durastore(appendonly="yes", appendfsync="always")
    log = ours.folder / "appendonlydir"
    for key in ("a", "b"):
        ours.call("SET", key, 1)
    clear = obstruct_rewrites(log)
    ours.call("BGREWRITEAOF")
    ours.until_info("persistence", "aof_last_bgrewrite_status", "err")
    ours.call("SET", "c", 1)
    ours.kill()
    clear()
    first = log / "appendonly.aof.1.incr.aof"
    data = first.read_bytes()
    first.write_bytes(data[: data.rindex(b"#CRC64:")])
    ours.start(wait=False)
    assert ours.process is not None
    assert ours.process.wait(10) == 1
    assert f"appendonly.aof.1.incr.aof, offset {data.rindex(b'#CRC64:')}: it has" in ours.log_tail()
    first.write_bytes(data)
    ours.start()
    assert ours.call("EXISTS", "a", "b", "c") == 3


def test_a_log_that_was_turned_on_and_gets_no_base_takes_no_writes(start_durastore: Starter) -> None:
    ours = start_durastore(appendonly="no", appendfsync="always")
    ours.call("SET", "a", 1)
    clear = obstruct_rewrites(ours.folder / "appendonlydir")
    assert ours.call("CONFIG", "SET", "appendonly", "yes") == "OK"
    ours.until_info("persistence", "aof_last_write_status", "err")
    assert str(ours.call("SET", "b", 1)).startswith("MISCONF")
    assert ours.call("GET", "a") == b"1"
    clear()
    ours.until_info("persistence", "aof_last_write_status", "ok")
    assert ours.call("SET", "b", 1) == "OK"
    ours.kill()
    ours.directives["appendonly"] = "yes"
    ours.start()
    assert ours.call("EXISTS", "a", "b") == 2


def test_a_base_that_a_first_start_has_left_is_not_in_the_way(start_durastore: Starter, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    log = folder / "appendonlydir"
    log.mkdir(parents=True)
    (log / "appendonly.aof.7.base.rdb").write_bytes(b"REDIS0011")
    (log / "appendonly.aof.1.incr.aof").touch()
    ours = start_durastore(folder=folder, appendonly="yes")
    ours.call("SET", "a", 1)
    ours.kill()
    ours.start()
    assert ours.call("GET", "a") == b"1"
    assert (log / "appendonly.aof.7.base.rdb").read_bytes() == b"REDIS0011"
    assert b"file appendonly.aof.8.base.rdb" in (log / "appendonly.aof.manifest").read_bytes()


def test_keys_that_expired_meanwhile_are_gone(start_durastore: Starter) -> None:
    ours = start_durastore(appendonly="no")
    ours.call("SET", "short", "x", "PX", 300)
    ours.call("SET", "long", "x", "EX", 1000)
    assert ours.call("SAVE") == "OK"
    ours.kill()
    assert ours.process is not None
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(["sleep", "5"], timeout=0.4)
    ours.start()
    assert ours.call("KEYS", "*") == [b"long"]


def test_a_damaged_snapshot_is_refused_with_its_place(start_durastore: Starter) -> None:
    ours = start_durastore(appendonly="no")
    ours.call("SET", "a", "some value")
    ours.call("SAVE")
    ours.kill()
    path = ours.folder / "dump.rdb"
    data = bytearray(path.read_bytes())
    data[data.index(b"some value")] ^= 4
    path.write_bytes(data)
    ours.start(wait=False)
    assert ours.process is not None
    assert ours.process.wait(10) == 1
    assert "dump.rdb" in ours.log_tail()
    assert "offset" in ours.log_tail()


def test_a_second_server_on_the_same_folder_is_refused(start_durastore: Starter) -> None:
    first = start_durastore()
    second = Server(first.command, first.folder, {}, first.environment)
    second.start(wait=False)
    assert second.process is not None
    assert second.process.wait(10) == 1
    assert f"pid {first.pid}" in second.log_tail()
    assert first.running()


def test_a_log_that_is_on_stays_in_its_folder(start_durastore: Starter, tmp_path: Path) -> None:
    """A rewrite would begin a log in the new one that names files of the old one."""
    ours = start_durastore(appendonly="yes", appendfsync="always", enable_protected_configs="yes")
    other = tmp_path / "other"
    other.mkdir()
    ours.call("SET", "a", 1)
    assert ours.call("CONFIG", "SET", "dir", other) == (
        "ERR CONFIG SET failed (possibly related to argument 'dir') - The append only file is in the present one. "
        "Turn it off first, with appendonly no."
    )
    assert ours.call("CONFIG", "GET", "dir") == [b"dir", str(ours.folder).encode()]
    assert ours.call("CONFIG", "SET", "dir", ours.folder) == "OK"
    assert ours.call("CONFIG", "SET", "appendonly", "no", "dir", other) == "OK"
    assert ours.call("CONFIG", "SET", "appendonly", "yes") == "OK"
    ours.until_info("persistence", "aof_rewrite_in_progress", "0")
    ours.call("SET", "b", 2)
    ours.kill()
    again = start_durastore(appendonly="yes", folder=other)
    assert again.call("MGET", "a", "b") == [b"1", b"2"]


def test_the_folder_of_another_server_is_not_taken_at_run_time(start_durastore: Starter, tmp_path: Path) -> None:
    first = start_durastore()
    second = start_durastore(enable_protected_configs="yes")
    left, free = second.folder, tmp_path / "free"
    free.mkdir()
    assert f"is in use by another server (pid {first.pid}" in str(second.call("CONFIG", "SET", "dir", first.folder))
    assert second.call("CONFIG", "GET", "dir") == [b"dir", str(left).encode()]
    assert second.call("CONFIG", "SET", "dir", free) == "OK"
    assert f"is in use by another server (pid {second.pid}" in str(
        start_durastore(enable_protected_configs="yes", folder=left).call("CONFIG", "SET", "dir", free)
    )


def test_the_log_is_turned_on_and_off_at_run_time(start_durastore: Starter) -> None:
    ours = start_durastore(appendonly="no", appendfsync="always")
    ours.call("SET", "a", 1)
    assert ours.call("CONFIG", "SET", "appendonly", "yes") == "OK"
    ours.until_info("persistence", "aof_rewrite_in_progress", "0")
    ours.call("INCR", "a")
    assert ours.info("persistence", "aof_enabled") == "1"
    ours.kill()
    ours.directives["appendonly"] = "yes"
    ours.start()
    assert ours.call("GET", "a") == b"2"
    assert ours.call("CONFIG", "SET", "appendonly", "no") == "OK"
    ours.call("INCR", "a")
    ours.kill()
    ours.start()
    assert ours.call("GET", "a") == b"2"


def test_the_log_is_as_it_was_last_asked_for(start_durastore: Starter) -> None:
    ours = start_durastore(appendonly="no", appendfsync="always")
    switch = [request("CONFIG", "SET", "appendonly", word) for word in ("yes", "no")]
    with ours.connect() as connection:
        connection.send(switch[0] + request("INFO", "persistence") + switch[1] + request("INFO", "persistence"))
        assert connection.read() == b"+OK\r\n"
        assert b"aof_enabled:1\r\n" in connection.read()
        assert connection.read() == b"+OK\r\n"
        assert b"aof_enabled:0\r\n" in connection.read()
    ours.until_info("persistence", "aof_rewrite_in_progress", "0")
    assert ours.info("persistence", "aof_enabled") == "0"
    assert ours.call("SHUTDOWN", "ABORT") == "ERR No shutdown in progress."
    ours.call("CONFIG", "SET", "appendonly", "yes")
    ours.until_info("persistence", "aof_rewrite_in_progress", "0")
    ours.call("SET", "a", 1)
    ours.kill()
    ours.directives["appendonly"] = "yes"
    ours.start()
    assert ours.call("GET", "a") == b"1"


def test_a_log_that_could_not_begin_is_tried_again(start_durastore: Starter) -> None:
    ours = start_durastore(appendonly="no", appendfsync="always")
    ours.call("SET", "a", 1)
    ours.call("CONFIG", "SET", "appendonly", "yes")
    ours.until_info("persistence", "aof_rewrite_in_progress", "0")
    ours.call("CONFIG", "SET", "appendonly", "no")
    folder = ours.folder / "appendonlydir"
    folder.rename(ours.folder / "away")
    (ours.folder / "appendonlydir").mkdir()
    # The next base cannot be put where a folder stands.
    (folder / "appendonly.aof.2.base.rdb").mkdir()
    assert ours.call("CONFIG", "SET", "appendonly", "yes") == "OK"
    ours.until_info("persistence", "aof_last_bgrewrite_status", "err")
    (folder / "appendonly.aof.2.base.rdb").rmdir()
    ours.until_info("persistence", "aof_last_bgrewrite_status", "ok")
    ours.call("SET", "b", 2)
    ours.kill()
    ours.directives["appendonly"] = "yes"
    ours.start()
    assert ours.call("MGET", "a", "b") == [b"1", b"2"]


def test_a_log_begins_with_the_snapshot_that_is_there(start_durastore: Starter) -> None:
    ours = start_durastore(appendonly="no", appendfsync="always")
    ours.call("SET", "a", 1)
    ours.call("SAVE")
    ours.kill()
    ours.directives["appendonly"] = "yes"
    ours.start()
    ours.call("INCR", "a")
    ours.kill()
    ours.start()
    assert ours.call("GET", "a") == b"2"
