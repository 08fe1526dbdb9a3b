"""Commands of the generic group on values of every type, played to durastore and to a real server."""

from __future__ import annotations

import pytest

from support.resp import parse
from support.scripts import assert_same_replies
from support.servers import Server

# Makes values of every type, small and large, under the keys that KEYS names.
MAKE = """
        set string hello
        set number 12345
        append raw some
        append raw "thing else"
        setbit bits 100000 1
        pfadd hll a b c
        rpush list a b 3 ""
        rpush longlist {many}
        sadd intset 3 1 2
        sadd set x y "" z
        sadd largeset {many}
        hset hash f 1 g ""
        hset largehash {pairs}
        zadd zset 1 a 2.5 b -inf c
        zadd largezset {scores}
        xadd stream 1-1 f v g w
        xadd stream 2-1 f v
        xgroup create stream group 0
        xreadgroup group group alice count 1 streams stream >
""".format(
    many=" ".join(f"member:{i}:{'x' * (i % 70)}" for i in range(700)),
    pairs=" ".join(f"field:{i} {i}" for i in range(700)),
    scores=" ".join(f"{i / 7} member:{i}" for i in range(700)),
)
KEYS = [
    *("string", "number", "raw", "bits", "hll", "list", "longlist", "intset", "set", "largeset"),
    *("hash", "largehash", "zset", "largezset", "stream"),
]


def for_each_key(*lines: str) -> str:
    return "\n".join(line.format(key=key) for key in KEYS for line in lines)


SCRIPTS = {
    "types": for_each_key(
        "type {key}", "object encoding {key}", "object refcount {key}", "object idletime {key}", "exists {key} {key}",
        "touch {key} nosuch",
    ),
    "copy": for_each_key(
        "copy {key} copied", "copy {key} copied", "type copied", "object encoding copied", "copy {key} copied replace",
        "copy {key} {key} db 3", "copy {key} {key} db 3", "copy {key} {key} db 3 replace", "del copied",
    ),
    "a copy is a value of its own": """
        copy raw copied
        append copied x
        get raw
        copy bits copied replace
        setbit copied 100001 1
        bitcount bits
        bitcount copied
        copy list copied replace
        rpush copied x
        llen list
        lpop list
        llen copied
        copy longlist copied replace
        lpop copied
        llen longlist
        rpush longlist y
        llen copied
        copy largeset copied replace
        srem copied member:0: member:70:
        scard largeset
        sadd largeset new
        scard copied
        copy largehash copied replace
        hset copied field:1 changed
        hget largehash field:1
        hset largehash field:2 changed
        hget copied field:2
        copy largezset copied replace
        zadd copied 1000 member:1
        zscore largezset member:1
        zadd largezset 1000 member:2
        zscore copied member:2
        copy stream copied replace
        xadd copied 3-1 f v
        xlen stream
        xack copied group 1-1
        xpending stream group
    """,
    "rename and move": for_each_key(
        "pexpireat {key} 33177117420000", "rename {key} renamed", "exists {key}", "type renamed",
        "object encoding renamed", "pexpiretime renamed", "renamenx renamed {key}", "renamenx {key} nosuch",
        "set taken 1", "renamenx nosuch taken", "rename nosuch {key}", "pexpiretime {key}", "move {key} 4",
        "move {key} 4", "exists {key}", "select 4", "type {key}", "object encoding {key}", "pexpiretime {key}",
        "set new 1", "move {key} 0", "select 0", "ttl taken", "type {key}", "persist {key}", "pexpiretime {key}",
        "flushdb sync",
    ),
    "wrong types": for_each_key(
        "get {key}", "getrange {key} 0 3", "incr {key}x", "setbit {key}x 1 1", "bitpos {key} 1 0 2", "pfcount {key}",
        "sort {key} limit 0 1 alpha by nosort get x", "lcs {key} string len",
    ),
}  # fmt: skip

# Where Valkey 9.1 does not answer as Redis 7.2 does: script, line, Valkey's answer, and Redis's.
REDIS_ANSWERS: dict[tuple[str, str, bytes], bytes] = {}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    script = MAKE.strip() + "\n" + SCRIPTS[name].strip()
    assert_same_replies(durastore, valkey, name, script, protocol, REDIS_ANSWERS)


def test_what_one_server_dumps_the_other_restores(durastore: Server, valkey: Server) -> None:
    for server in (durastore, valkey):
        with server.connect() as connection:
            for line in MAKE.strip().splitlines():
                connection.send(line.strip().encode() + b"\r\n")
                connection.read()
    ours, theirs = durastore.connect(), valkey.connect()
    for key in KEYS:
        digest = ours.call("DEBUG", "DIGEST-VALUE", key)
        assert digest == theirs.call("DEBUG", "DIGEST-VALUE", key), key
        for source in (ours, theirs):
            payload = parse(source.call("DUMP", key))
            assert isinstance(payload, bytes)
            for target in (ours, theirs):
                assert target.call("RESTORE", key, 0, payload, "REPLACE") == b"+OK\r\n", key
                assert target.call("DEBUG", "DIGEST-VALUE", key) == digest, key
            assert ours.call("OBJECT", "ENCODING", key) == theirs.call("OBJECT", "ENCODING", key), key


def test_lolwut_tells_the_version(durastore: Server) -> None:
    assert durastore.call("LOLWUT") == durastore.call("LOLWUT", "VERSION", "5") == b"Redis ver. 7.2.4\n"
    with durastore.connect(3) as connection:
        assert connection.call("LOLWUT") == b"=21\r\ntxt:Redis ver. 7.2.4\n\r\n"
    assert str(durastore.call("LOLWUT", "VERSION", "x")) == "ERR value is not an integer or out of range"
