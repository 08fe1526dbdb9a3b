"""Which keyspace events commands tell of; the names and their order are redis-server's."""

from __future__ import annotations

import pytest

from support import engines

# Requests, and the events of all of them: database:event:key.
CASES = [
    (["set a 1", "set a 2 nx", "set a 3 xx ex 100", "setnx b 1", "setnx b 1"], "set:a set:a expire:a set:b"),
    (["setex a 10 x", "psetex a 10 x", "getset a y"], "set:a expire:a set:a expire:a set:a"),
    (["set a 1", "getdel a", "getdel a"], "set:a del:a"),
    (["set a 1", "getex a", "getex a ex 10", "getex a persist", "getex a persist"], "set:a expire:a persist:a"),
    (["set a 1", "getex a exat 1"], "set:a del:a"),
    (["mset a 1 b 2", "msetnx c 1 d 2", "msetnx a 1 e 2"], "set:a set:b set:c set:d"),
    (["incr a", "decrby a 2", "incrbyfloat a 1.5", "incr a"], "incrby:a incrby:a incrbyfloat:a"),
    (["append a x", "append a y", "setrange a 1 z", "setrange b 1 ''"], "append:a append:a setrange:a"),
    (["mset a 1 b 2", "del a nosuch b", "set a 1", "unlink a"], "set:a set:b del:a del:b set:a del:a"),
    (["set a 1", "rename a b"], "set:a rename_from:a rename_to:b"),
    (["mset a 1 b 2", "renamenx a b", "renamenx a c"], "set:a set:b rename_from:a rename_to:c"),
    (["set a 1", "rename a a", "copy a b", "copy a b", "copy a c db 1"], "set:a copy_to:b 1:copy_to:c"),
    (["set a 1", "move a 1", "move a 1"], "set:a move_from:a 1:move_to:a"),
    (["set a 1", "expire a 10", "expire a 10 nx", "persist a", "persist a"], "set:a expire:a persist:a"),
    (["set a 1", "pexpireat a 1", "expire a 1"], "set:a del:a"),
    (["setbit a 1 1", "setbit a 1 1", "setbit a 1 0"], "setbit:a setbit:a"),
    (["bitfield a get u8 0", "bitfield a set u8 0 1", "bitfield a set u8 0 1"], "setbit:a"),
    (["set a 1", "bitop not b a", "bitop and b nosuch", "bitop and b nosuch"], "set:a set:b del:b"),
    (["zadd z 1 a 2 b", "zadd z 1 a", "zadd z xx 5 c", "zadd z incr 1 a", "zincrby z 1 b"], "zadd:z zincr:z zincr:z"),
    (["zadd z 1 a 2 b 3 c", "zrem z x", "zrem z a", "zrem z b c"], "zadd:z zrem:z zrem:z del:z"),
    (["zadd z 1 a 2 b 3 c", "zpopmin z", "zpopmax z", "zmpop 1 z min"], "zadd:z zpopmin:z zpopmax:z zpopmin:z del:z"),
    (["zadd z 1 a 2 b", "bzpopmin z 0", "bzmpop 0 1 z max"], "zadd:z zpopmin:z zpopmax:z del:z"),
    (["zadd z 1 a 2 b 3 c", "zremrangebyrank z 0 0", "zremrangebyscore z 2 2", "zremrangebylex z - +",
      "zremrangebyrank z 0 1"], "zadd:z zremrangebyrank:z zremrangebyscore:z zremrangebylex:z del:z"),
    (["zadd z 1 a", "zunionstore d 1 z", "zinterstore d 1 z", "zdiffstore d 1 z", "zrangestore d z 0 1",
      "zdiffstore d 2 z z", "zrangestore d z 5 6"],
     "zadd:z zunionstore:d zinterstore:d zdiffstore:d zrangestore:d del:d"),
    (["geoadd g 1 1 a", "geoadd g 1 1 a", "geosearchstore d g frommember a byradius 1 m",
      "georadius g 1 1 1 km store d", "georadiusbymember g a 1 m storedist d", "georadius g 5 5 1 m store d"],
     "zadd:g geosearchstore:d georadiusstore:d georadiusstore:d del:d"),
    (["pfadd a x", "pfadd a x", "pfcount a", "pfmerge b a"], "pfadd:a pfadd:b"),
]  # fmt: skip


@pytest.mark.parametrize(("requests", "expected"), CASES)
def test_events(requests: list[str], expected: str) -> None:
    engine = engines.engine()
    listener = engines.Listener(engine)
    engines.run(engines.session(engine), *(request.encode() for request in requests))
    assert listener.told() == expected


def test_nothing_is_kept_where_nobody_listens() -> None:
    engine = engines.engine()
    listener = engines.Listener(engine, letters="")
    engines.run(engines.session(engine), b"set a 1", b"del a", b"get a")
    assert listener.told() == ""
    assert engine.pushes == []
    assert engine.instance.keyspace.noted == []


def test_what_the_keyspace_does_by_itself_comes_before_what_follows_from_it() -> None:
    engine = engines.engine(now=1000)
    listener = engines.Listener(engine, letters="g$lshzxetmn")
    client = engines.session(engine)
    engines.run(client, b"set a 1 px 10", b"get nosuch")
    engine.begin_wake(2000)
    engines.run(client, b"set a 2 nx", b"select 3", b"incr b", b"incr b")
    assert listener.told() == "new:a set:a expire:a keymiss:nosuch expired:a new:a set:a 3:new:b 3:incrby:b 3:incrby:b"


# Requests that store something under e, which has expired; what they tell of it.
OVER_EXPIRED = [
    ("set e 2", "set:e"),
    ("set e 2 ex 100", "set:e expire:e"),
    ("setex e 100 1", "set:e expire:e"),
    ("mset e 1", "set:e"),
    ("bitop not e a", "set:e"),
    ("sunionstore e s", "sunionstore:e"),
    ("zunionstore e 1 z", "zunionstore:e"),
    ("zrangestore e z 0 -1", "zrangestore:e"),
    ("sort s alpha store e", "sortstore:e"),
    ("geosearchstore e z fromlonlat 0 0 byradius 30000 km", "geosearchstore:e"),
    ("rename a e", "rename_from:a rename_to:e"),
    ("copy a e", "copy_to:e"),
]


@pytest.mark.parametrize(("request_", "expected"), OVER_EXPIRED)
def test_a_key_that_has_expired_does_so_before_it_is_stored_anew(request_: str, expected: str) -> None:
    engine = engines.engine(now=1000)
    client = engines.session(engine)
    engines.run(client, b"set a 1", b"sadd s x", b"zadd z 1 x", b"set e 1 px 10")
    engine.begin_wake(2000)
    engine.journal.take()
    listener = engines.Listener(engine, letters="g$lshzxetmn")
    engines.run(client, request_.encode())
    assert listener.told() == f"expired:e new:e {expected}"
    # In the journal, too.
    effects = engine.journal.take()
    assert effects.index(b"DEL") < effects.rindex(b"*")


def test_a_key_that_is_renamed_or_copied_over_another_is_a_new_one() -> None:
    engine = engines.engine()
    listener = engines.Listener(engine, letters="gn")
    engines.run(engines.session(engine), b"mset a 1 b 2 c 3", b"rename a b", b"copy b c replace")
    assert listener.told() == "new:a new:b new:c new:b rename_from:a rename_to:b new:c copy_to:c"


@pytest.mark.parametrize("request_", ["exists a", "type a", "ttl a", "pttl a", "expiretime a", "touch a", "get a"])
def test_misses(request_: str) -> None:
    engine = engines.engine()
    listener = engines.Listener(engine, letters="m")
    engines.run(engines.session(engine), request_.encode(), b"object encoding a", b"scan 0 type string")
    assert listener.told() == "keymiss:a"
