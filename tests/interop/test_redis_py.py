"""redis-py, as applications use it: blocking and asyncio, both protocols."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from support.servers import Server

Starter = Callable[..., Server]
# A failure is the caller's to see.
AT_ONCE = Retry(ConstantBackoff(0), 0)


@pytest.fixture(params=[2, 3])
def client(durastore: Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    with redis.Redis(port=durastore.port, protocol=request.param) as made:
        yield made


def test_what_an_application_does_first(client: Any) -> None:
    assert client.ping() is True
    assert client.set("a", 1) is True
    assert client.set("a", 2, nx=True) is None
    assert client.set("a", 3, get=True, ex=100) == b"1"
    assert 99 <= client.ttl("a") <= 100
    assert client.incrby("a", 4) == 7
    assert client.incrbyfloat("a", 0.5) == 7.5
    assert client.mset({"b": "x", "c": b"\x00\xff"}) is True
    assert client.mget("a", "b", "c", "none") == [b"7.5", b"x", b"\x00\xff", None]
    assert client.exists("a", "b", "none") == 2
    assert client.type("a") == b"string"
    assert client.getrange("b", 0, 10) == b"x"
    assert client.persist("a") is True
    assert client.expiretime("a") == -1
    assert client.rename("b", "d") is True
    assert client.renamenx("c", "d") is False
    assert client.copy("d", "e") is True
    assert client.object("encoding", "a") == b"embstr"
    assert client.memory_usage("a") > 0
    assert client.restore("f", 0, client.dump("d")) == b"OK"
    assert client.lcs("d", "f") == b"x"
    assert client.touch("a", "f") == 2
    assert client.getdel("f") == b"x"
    assert client.unlink("d", "e", "none") == 2
    assert sorted(client.keys()) == [b"a", b"c"]
    assert client.dbsize() == 2
    assert client.flushdb() is True
    with pytest.raises(redis.ResponseError, match="value is not an integer or out of range"):
        client.execute_command("SETEX", "a", "x", 1)


def test_every_type(client: Any) -> None:
    assert client.rpush("list", "a", "b", 3) == 3
    assert client.lrange("list", 0, -1) == [b"a", b"b", b"3"]
    assert client.lpos("list", "b") == 1
    assert client.lmove("list", "other", "LEFT", "RIGHT") == b"a"
    assert client.blpop(["none", "other"], timeout=1) in ((b"other", b"a"), [b"other", b"a"])
    assert client.blpop("none", timeout=0.05) is None
    assert client.hset("hash", mapping={"field": "value", "number": 1}) == 2
    assert client.hgetall("hash") == {b"field": b"value", b"number": b"1"}
    assert client.hincrbyfloat("hash", "number", 0.5) == 1.5
    assert dict(client.hscan_iter("hash")) == {b"field": b"value", b"number": b"1.5"}
    assert client.sadd("set", 1, 2, 3) == 3
    assert client.smembers("set") == {b"1", b"2", b"3"}
    assert client.smismember("set", ["1", "9"]) == [1, 0]
    assert client.zadd("zset", {"a": 1.5, "b": float("inf")}) == 2
    assert [tuple(pair) for pair in client.zrange("zset", 0, -1, withscores=True)] == [
        (b"a", 1.5),
        (b"b", float("inf")),
    ]
    assert client.zscore("zset", "a") == 1.5
    assert client.zincrby("zset", 2, "a") == 3.5
    assert client.pfadd("hyperloglog", "a", "b", "c") == 1
    assert client.pfcount("hyperloglog") == 3
    assert client.setbit("bits", 7, 1) == 0
    assert client.bitcount("bits") == 1
    assert client.geoadd("geo", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")) == 2
    assert client.geodist("geo", "Palermo", "Catania", unit="km") == pytest.approx(166.2742)


def test_streams_and_groups(client: Any) -> None:
    first = client.xadd("stream", {"field": "value"})
    assert client.xlen("stream") == 1
    assert client.xrange("stream") == [(first, {b"field": b"value"})]
    assert client.xgroup_create("stream", "group", id="0") is True
    read = client.xreadgroup("group", "me", {"stream": ">"}, count=10)
    entries = read[b"stream"][0] if isinstance(read, dict) else read[0][1]
    assert entries == [(first, {b"field": b"value"})]
    assert client.xpending("stream", "group")["pending"] == 1
    assert client.xack("stream", "group", first) == 1
    assert client.xinfo_stream("stream")["length"] == 1
    assert client.xinfo_groups("stream")[0]["name"] == b"group"
    assert client.xread({"stream": first}, block=20) in ([], {}, None)


def test_what_an_operator_asks(client: Any, durastore: Server) -> None:
    info = client.info()
    assert info["redis_version"].startswith("7.2.")
    assert info["loading"] == 0
    assert client.info("replication")["role"] == "master"
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_set("maxmemory-samples", 7) is True
    assert client.config_get("maxmemory-s*") == {"maxmemory-samples": "7"}
    assert client.config_set("maxmemory-samples", 5) is True
    assert client.config_resetstat() is True
    assert client.client_setname("application") is True
    assert client.command_count() > 50
    assert sorted(map(str, client.command_getkeys("MSET", "a", 1, "b", 2))) in (["a", "b"], ["b'a'", "b'b'"])
    assert abs(client.time()[0] - time.time()) < 60
    assert client.bgsave() in (True, b"Background saving started")
    durastore.until_info("persistence", "rdb_bgsave_in_progress", "0")
    assert client.lastsave() is not None


def test_a_library_introduces_itself(durastore: Server) -> None:
    with redis.Redis(port=durastore.port, client_name="orders", protocol=3, db=3) as client:
        client.ping()
        (mine,) = [each for each in client.client_list() if each["name"] == "orders"]
        assert mine["lib-name"] == "redis-py"
        assert mine["lib-ver"] == redis.__version__
        assert (mine["resp"], mine["db"]) == ("3", "3")
        assert client.client_info()["id"] == client.client_id() == int(mine["id"])
        assert client.client_setinfo("LIB-NAME", "mine") is True
        assert client.client_info()["lib-name"] == "mine"
        assert client.client_no_evict("ON") == b"OK"
        assert client.client_no_touch("ON") == b"OK"


def test_answers_as_text(durastore: Server) -> None:
    with redis.Redis.from_url(f"redis://127.0.0.1:{durastore.port}/2?protocol=3", decode_responses=True) as client:
        client.set("größe", "ß")
        assert client.get("größe") == "ß"
        assert client.keys() == ["größe"]
        assert client.client_info()["db"] in (2, "2")


def test_pipelines(client: Any) -> None:
    with client.pipeline(transaction=False) as pipe:
        for i in range(5000):
            pipe.set(f"k:{i}", i).get(f"k:{i}")
        assert pipe.execute() == [each for i in range(5000) for each in (True, b"%d" % i)]
    with client.pipeline(transaction=True) as pipe:
        pipe.incr("n").expire("n", 60).get("n")
        assert pipe.execute() == [1, True, b"1"]
    with client.pipeline(transaction=True) as pipe:
        pipe.set("s", "text").incr("s").set("after", 1)
        outcome = pipe.execute(raise_on_error=False)
    assert outcome[0] is True
    assert isinstance(outcome[1], redis.ResponseError)
    assert outcome[2] is True
    with client.pipeline(transaction=True) as pipe:
        pipe.set("never", 1).execute_command("NONSENSE")
        with pytest.raises(redis.ResponseError, match="unknown command"):
            pipe.execute()
    assert client.exists("never") == 0


def test_a_watched_key_makes_others_try_again(durastore: Server) -> None:
    """The classic: read, compute, write, by many at once; nothing is lost."""
    with redis.Redis(port=durastore.port) as client:
        client.set("balance", 0)

        def deposit(pipe: Any) -> None:
            balance = int(pipe.get("balance"))
            pipe.multi()
            pipe.set("balance", balance + 1)

        def work() -> None:
            for _ in range(20):
                client.transaction(deposit, "balance")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert client.get("balance") == b"160"
        with client.pipeline() as pipe:
            pipe.watch("balance")
            pipe.multi()
            pipe.set("balance", 1)
            client.set("balance", 2)
            with pytest.raises(redis.WatchError):
                pipe.execute()


def test_a_unix_socket(start_durastore: Starter) -> None:
    server = start_durastore(unixsocket="s.sock")
    with redis.Redis(unix_socket_path=str(server.folder / "s.sock")) as client:
        assert client.set("a", 1) is True
        assert client.client_info()["addr"].endswith("s.sock:0")


def test_every_key_is_found_by_scan_iter(client: Any) -> None:
    client.mset({f"user:{i}": i for i in range(2000)} | {f"order:{i}": i for i in range(2000)})
    assert sorted(client.scan_iter()) == sorted(client.keys())
    assert len(set(client.scan_iter(match="user:*", count=500))) == 2000
    assert list(client.scan_iter(_type="hash")) == []
    cursor, first = client.scan(count=10)
    assert cursor != 0
    assert first


def test_passwords(start_durastore: Starter) -> None:
    server = start_durastore(requirepass="secret")
    with redis.Redis(port=server.port, password="secret", protocol=3) as client:
        assert client.ping() is True
    with redis.Redis(port=server.port, username="default", password="secret") as client:
        assert client.ping() is True
    for wrong in ({}, {"password": "guess"}, {"password": "guess", "protocol": 3}):
        with redis.Redis(port=server.port, retry=AT_ONCE, **wrong) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_users(start_durastore: Starter, tmp_path: Path) -> None:
    (tmp_path / "users.acl").write_text("user default on >root ~* &* +@all\n")
    server = start_durastore(folder=tmp_path, aclfile="users.acl", enable_debug_command="local")
    with redis.Redis(port=server.port, password="root", decode_responses=True) as admin:
        assert admin.acl_users() == ["default"]
        assert admin.acl_setuser(
            "reader", enabled=True, passwords=["+secret"], commands=["+get", "-set", "+subscribe"],
            categories=["+@hash", "+@pubsub"], keys=["cache:*"], channels=["news"], selectors=[("+set", "%W~queue:*")],
        ) is True  # fmt: skip
        found = admin.acl_getuser("reader")
        assert found["flags"] == ["on", "sanitize-payload"]
        assert found["categories"] == ["-@all", "+@hash", "+@pubsub"]
        assert found["commands"] == ["+get", "-set", "+subscribe"]
        assert (found["keys"], found["channels"]) == (["~cache:*"], ["&news"])
        assert admin.acl_dryrun("reader", "get", "cache:1") == "OK"
        assert "no permissions to access the 'other' key" in admin.acl_dryrun("reader", "get", "other")
        assert "hset" in admin.acl_cat("hash")
        assert len(admin.acl_genpass()) == 64
        with redis.Redis(port=server.port, username="reader", password="secret") as reader:
            assert reader.get("cache:1") is None
            assert reader.set("queue:1", "x") is True
            for refused in (
                lambda: reader.get("queue:1"),
                lambda: reader.set("cache:1", "x"),
                lambda: reader.publish("other", "x"),
            ):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    refused()
        # The client library's own CLIENT SETINFO is refused as well.
        assert {entry["reason"] for entry in admin.acl_log()} == {"command", "key", "channel"}
        assert admin.info("stats")["acl_access_denied_key"] == 2
        assert admin.acl_save() is True
        assert admin.execute_command("DEBUG", "SLEEP", "0") == "OK"
    server.stop()
    server.start()
    with redis.Redis(port=server.port, username="reader", password="secret") as reader:
        assert reader.get("cache:1") is None
    with redis.Redis(port=server.port, password="root") as admin:
        assert admin.acl_deluser("reader") == 1


def test_an_idle_connection_is_checked_before_use(durastore: Server) -> None:
    with redis.Redis(port=durastore.port, health_check_interval=1, single_connection_client=True) as client:
        client.set("a", 1)
        client.config_resetstat()
        client.connection.next_health_check = 0
        assert client.get("a") == b"1"
        assert client.info("commandstats")["cmdstat_ping"]["calls"] == 1


def test_a_timeout_costs_one_request(durastore: Server) -> None:
    with redis.Redis(port=durastore.port, socket_timeout=0.2, retry=AT_ONCE) as client:
        client.set("a", 1)
        with pytest.raises(redis.TimeoutError):
            client.execute_command("DEBUG", "SLEEP", "0.6")
    with redis.Redis(port=durastore.port, socket_timeout=20) as client:
        assert client.get("a") == b"1"


def test_reset(durastore: Server) -> None:
    with redis.Redis(port=durastore.port, protocol=2, single_connection_client=True) as client:
        client.client_setname("named")
        client.select(5)
        client.execute_command("MULTI")
        assert client.reset() in (b"RESET", "RESET", True)
        assert client.client_getname() is None
        assert client.client_info()["db"] in (0, "0")


def test_a_server_that_comes_back_is_found_again(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always")
    with redis.Redis(port=server.port) as client:
        client.set("a", 1)
        port = server.port
        server.stop()
        with pytest.raises(redis.ConnectionError):
            redis.Redis(port=port, retry=AT_ONCE).ping()
        server.restart()
        assert client.get("a") == b"1"


@pytest.mark.parametrize("protocol", [2, 3])
def test_fifty_megabytes(durastore: Server, protocol: int) -> None:
    value = bytes(range(256)) * (50 * 4096)
    with redis.Redis(port=durastore.port, protocol=protocol, socket_timeout=60) as client:
        assert client.set("large", value) is True
        assert client.strlen("large") == len(value) == 50 * 2**20
        assert client.get("large") == value
        assert client.append("large", b"end") == len(value) + 3
        assert client.getrange("large", -5, -1) == b"\xfe\xffend"
        with client.pipeline(transaction=True) as pipe:
            pipe.set("second", value).get("large").delete("large", "second")
            stored, whole, removed = pipe.execute()
        assert (stored, whole, removed) == (True, value + b"end", 2)


def test_a_pool_of_connections_for_many_threads(durastore: Server) -> None:
    pool = redis.BlockingConnectionPool(port=durastore.port, max_connections=10, timeout=60)
    client = redis.Redis(connection_pool=pool)
    threads = [threading.Thread(target=lambda: [client.incr("n") for _ in range(50)]) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert client.get("n") == b"2000"
    pool.disconnect()


@asynccontextmanager
async def connected(server: Server, **options: Any) -> AsyncIterator[Any]:
    client = redis.asyncio.Redis(port=server.port, **options)
    try:
        yield client
    finally:
        await client.aclose()


@pytest.mark.parametrize("protocol", [2, 3])
def test_asyncio(durastore: Server, protocol: int) -> None:
    async def main() -> None:
        async with connected(durastore, protocol=protocol, decode_responses=True, max_connections=100) as client:
            assert await client.ping() is True
            assert await client.set("a", "1", ex=100) is True
            async with client.pipeline(transaction=True) as pipe:
                assert await pipe.incr("a").get("a").ttl("a").execute() == [2, "2", 100]
            counted = await asyncio.gather(*(client.incr("n") for _ in range(100)))
            assert sorted(counted) == list(range(1, 101))
            await client.mset({f"k:{i}": i for i in range(1000)})
            assert len([key async for key in client.scan_iter(match="k:*")]) == 1000
            with pytest.raises(redis.ResponseError, match="value is not an integer or out of range"):
                await client.incrby("k:1", 2**63)

    asyncio.run(main())


def test_asyncio_transactions_try_again(durastore: Server) -> None:
    async def main() -> None:
        async with connected(durastore, max_connections=50) as client:
            await client.set("n", 0)

            async def add(pipe: Any) -> None:
                value = int(await pipe.get("n"))
                pipe.multi()
                pipe.set("n", value + 1)

            await asyncio.gather(*(client.transaction(add, "n") for _ in range(20)))
            assert await client.get("n") == b"20"

    asyncio.run(main())


def test_asyncio_cancellation_leaves_the_connection_usable(durastore: Server) -> None:
    async def main() -> None:
        async with connected(durastore, socket_timeout=20) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.execute_command("DEBUG", "SLEEP", "0.3"), 0.05)
            assert await client.set("a", 1) is True
            assert await client.get("a") == b"1"

    asyncio.run(main())
