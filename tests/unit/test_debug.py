"""DEBUG: what client test suites ask for beyond what real servers of another kind answer alike."""

from __future__ import annotations

from pathlib import Path

import trio
from trio.testing import MockClock

from durastore.engine.session import Session
from support.disks import MemoryDisk
from support.engines import engine, run, session
from support.inprocess import make_server, without_socket
from support.resp import request

# As a redis-server 7.2.4 tells them.
HEAD = b"Hash table 0 stats (main hash table):\n"
EMPTY = HEAD + b"No stats available for empty dictionaries\n"


def bulk(text: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text)


def allowed() -> Session:
    server = engine()
    server.instance.debug_allowed = True
    return session(server)


def test_how_full_the_tables_are() -> None:
    client = allowed()
    three = HEAD + b" table size: 4\n number of elements: 3\n"
    run(client, b"mset a 1 b 2 c 3")
    assert run(client, b"debug htstats 0") == bulk(b"[Dictionary HT]\n" + three + b"[Expires HT]\n" + EMPTY)
    assert run(client, b"debug htstats 9") == bulk(b"[Dictionary HT]\n" + EMPTY + b"[Expires HT]\n" + EMPTY)
    assert run(client, b"debug htstats 99") == b"-ERR Out of range database\r\n"
    assert run(client, b"debug htstats x") == b"-ERR value is not an integer or out of range\r\n"


def test_how_full_the_table_of_a_value_is() -> None:
    client = allowed()
    run(client, b"sadd s " + b" ".join(b"%d" % i for i in range(1000)) + b" x", b"hset h a 1")
    assert run(client, b"debug htstats-key s") == bulk(HEAD + b" table size: 1024\n number of elements: 1001\n")
    assert run(client, b"debug htstats-key none") == b"-ERR no such key\r\n"
    refused = b"-ERR The value stored at the specified key is not represented using an hash table\r\n"
    assert run(client, b"debug htstats-key h") == refused


def test_scripts_run_what_they_may_not_where_that_is_asked_for() -> None:
    server = make_server(Path("/"), MemoryDisk())
    server.engine.instance.debug_allowed = True
    client = without_socket(server)

    def call(*words: bytes | str | int) -> bytes:
        client.feed(request(*words))
        return client.take_output()

    script = ("EVAL", "return redis.call('config','get','port')", 0)
    assert call(*script).startswith(b"-ERR This Redis command is not allowed from script")
    assert call("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 1) == b"+OK\r\n"
    assert call(*script) == b"*2\r\n$4\r\nport\r\n$1\r\n0\r\n"
    assert call("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 0) == b"+OK\r\n"
    assert call(*script).startswith(b"-ERR This Redis command is not allowed from script")


def test_how_long_a_string_and_its_key_are() -> None:
    client = allowed()
    run(client, b"set text hello", b"append grown abc", b"append grown defg")
    assert run(client, b"debug sdslen text").startswith(b"+key_sds_len:4, key_sds_avail:0, key_zmalloc: ")
    assert b", val_sds_len:5, val_sds_avail:0, val_zmalloc: " in run(client, b"debug sdslen text")
    assert b", val_sds_len:7, val_sds_avail:" in run(client, b"debug sdslen grown")


def test_to_look_at_a_value_is_no_use_of_it() -> None:
    """The length is that of the value alone, without its type, as a redis-server 7.2.4 tells it."""
    server = make_server(Path("/"), MemoryDisk())
    server.engine.instance.debug_allowed = True
    client = without_socket(server)
    server.engine.begin_wake(1_000_000)
    run(client, b"set k hello")
    server.engine.begin_wake(1_007_000)
    for _ in range(2):
        told = run(client, b"debug object k")
        assert told.endswith(b" serializedlength:6 lru:1000 lru_seconds_idle:7\r\n"), told


def test_the_help_tells_of_the_subcommands() -> None:
    told = run(allowed(), b"debug help")
    for name in (
        b"ASSERT", b"CHANGE-REPL-ID", b"CLUSTERLINK KILL", b"DIGEST", b"DIGEST-VALUE", b"DROP-CLUSTER-PACKET-FILTER",
        b"ERROR", b"HTSTATS", b"HTSTATS-KEY", b"LEAK", b"LISTPACK", b"LOADAOF", b"LOG", b"OBJECT", b"OOM", b"PANIC",
        b"PAUSE-CRON", b"POPULATE", b"PROTOCOL", b"QUICKLIST", b"QUICKLIST-PACKED-THRESHOLD", b"RELOAD", b"REPLICATE",
        b"REPLYBUFFER PEAK-RESET-TIME", b"REPLYBUFFER RESIZING", b"SDSLEN", b"SEGFAULT", b"SET-ACTIVE-EXPIRE",
        b"SET-DISABLE-DENY-SCRIPTS", b"SLEEP", b"HELP",
    ):  # fmt: skip
        assert b"\r\n+" + name + b"\r\n" in told or b"\r\n+" + name + b" " in told, name


async def test_periodic_work_pauses(autojump_clock: MockClock) -> None:
    server = make_server(Path("/"), MemoryDisk())
    server.engine.instance.debug_allowed = True
    client = without_socket(server)
    client.feed(request("DEBUG", "PAUSE-CRON", 1) + request("SET", "k", "v"))
    assert client.take_output() == b"+OK\r\n+OK\r\n"
    db = server.engine.instance.keyspace.databases[0]
    db.set_expiry(b"k", 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.cron.run)
        await trio.sleep(1)
        assert db.table.count == 1
        client.feed(request("DEBUG", "PAUSE-CRON", 0))
        await trio.sleep(1)
        assert db.table.count == 0
        nursery.cancel_scope.cancel()


def test_another_replication_id() -> None:
    server = make_server(Path("/"), MemoryDisk())
    server.engine.instance.debug_allowed = True
    before = server.replication_id
    client = without_socket(server)
    client.feed(request("DEBUG", "CHANGE-REPL-ID") + request("INFO", "replication"))
    assert client.take_output().startswith(b"+OK\r\n")
    assert server.replication_id != before
    client.feed(request("INFO", "replication"))
    assert b"master_replid:" + server.replication_id.encode() in client.take_output()
