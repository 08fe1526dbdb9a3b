"""HyperLogLog commands, played to durastore and to a real server; the strings must be the same as well."""

from __future__ import annotations

import random

import pytest

from support.scripts import assert_same_replies
from support.servers import Server

SCRIPTS = {
    "pfadd": """
        pfadd a
        get a
        pfadd a
        object encoding a
        pfcount a
        get a
        pfadd a x y z
        get a
        pfadd a x
        pfadd a x y w
        get a
        pfcount a
        get a
        pfcount a
        pfadd a "" "\\x00" 12345678 123456789012345678901234567890
        get a
        pfcount a nosuch
        pfcount nosuch
        pfcount nosuch nosuch2
        pfadd
        pfcount
        pexpireat a 33177117420000
        pfadd a q
        pexpiretime a
        copy a b
        pfadd b r
        get a
        get b
        strlen b
    """,
    "pfmerge": """
        pfadd a x y z
        pfadd b z u v w
        pfmerge c a b
        get c
        pfcount c
        pfcount a b c
        pfmerge d
        get d
        pfmerge d nosuch
        get d
        pfmerge a b
        get a
        pfcount a
        pfdebug todense b
        pfmerge e a b
        pfdebug encoding e
        get e
        pfmerge a b
        pfdebug encoding a
        pfcount a b e
        pfmerge
    """,
    "pfdebug": """
        pfadd a x y z
        pfdebug encoding a
        pfdebug decode a
        pfdebug todense a
        pfdebug todense a
        pfdebug encoding a
        pfdebug decode a
        get a
        pfcount a
        get a
        pfadd b x y z
        pfdebug getreg b
        pfdebug encoding b
        pfdebug getreg b
        pfdebug encoding nosuch
        pfdebug foo b
        pfdebug foo nosuch
        pfdebug getreg
        pfdebug getreg b c
        pfselftest foo
    """,
    "no such thing": """
        set s hello
        set h "HYLL\\x00"
        rpush l x
        pfadd s x
        pfcount s
        pfmerge d s
        pfmerge s
        pfdebug encoding s
        pfadd h x
        pfcount h h
        pfadd l x
        pfcount l
        pfmerge d l
        pfdebug encoding l
        set i 12345
        pfcount i
        pfadd a x y z
        pfcount a s
        pfmerge a s
        setrange a 4 "\\x00"
        pfcount a
        setrange a 4 "\\x02"
        pfcount a
        setrange a 4 "\\x01"
        pfcount a
        setrange a 0 h
        pfcount a
    """,
    "corrupt": """
        set a "HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xfe"
        pfcount a
        pfcount a a
        pfadd a x y z q
        pfmerge b a
        exists b
        pfmerge a
        pfdebug todense a
        pfdebug getreg a
        pfdebug decode a
        set c "HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80"
        pfcount c
        pfadd c x
        pfmerge c
        set d "HYLL\\x01\\x00\\x00\\x00\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
        pfcount d
        pfcount d d
    """,
    "declarations": """
        command getkeys pfmerge a b c
    """,
}

# Where Valkey 9.1 does not answer as Redis 7.2 does: script, line, Valkey's answer, and Redis's.
REDIS_ANSWERS: dict[tuple[str, str, bytes], bytes] = {}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_the_same(durastore: Server, valkey: Server, name: str, protocol: int) -> None:
    assert_same_replies(durastore, valkey, name, SCRIPTS[name], protocol, REDIS_ANSWERS)


def test_strings_and_estimates_are_the_same(durastore: Server, valkey: Server) -> None:
    """Through the sparse encoding, over the border and in the dense one; elements of every length."""
    rng = random.Random(20240229)
    ours, theirs = durastore.connect(), valkey.connect()
    for turn in range(60):
        key = rng.choice(["a", "b", "c"])
        count = rng.choice([1, 3, 30, 300]) * (1 if turn < 40 else 10)
        words = [rng.randbytes(rng.randrange(24)) for _ in range(count)]
        for request in (
            ("PFADD", key, *words),
            ("GET", key),
            ("PFCOUNT", rng.choice(["a", "b", "c"])),
            ("PFCOUNT", "a", "b"),
            ("PFMERGE", rng.choice(["c", "d", "e"]), rng.choice(["a", "c"]), rng.choice(["b", "d"])),
            *(("GET", name) for name in "abcde"),
        ):
            assert ours.call(*request) == theirs.call(*request), request[:2]
    assert ours.call("PFDEBUG", "ENCODING", "c") == b"+dense\r\n"


def test_the_limit_of_the_sparse_encoding_is_the_directive(durastore: Server, valkey: Server) -> None:
    for limit in ("0", "40", "20000"):
        for server in (durastore, valkey):
            assert server.call("CONFIG", "SET", "hll-sparse-max-bytes", limit) == "OK"
        ours, theirs = durastore.connect(), valkey.connect()
        for i in range(3000 if limit == "20000" else 40):
            assert ours.call("PFADD", limit, str(i)) == theirs.call("PFADD", limit, str(i))
        for request in (("GET", limit), ("PFDEBUG", "ENCODING", limit), ("PFCOUNT", limit)):
            assert ours.call(*request) == theirs.call(*request)
    for server in (durastore, valkey):
        assert server.call("CONFIG", "SET", "hll-sparse-max-bytes", "3000") == "OK"


def test_the_self_test_passes(durastore: Server) -> None:
    assert durastore.call("PFSELFTEST") == "OK"
