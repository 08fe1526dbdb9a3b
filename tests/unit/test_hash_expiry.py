"""Fields that expire: what clients see, what the journal says, and what the clock removes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.engine.engine import Engine
from durastore.engine.session import replay_session
from durastore.keyspace.database import Database
from durastore.keyspace.hashes import Hash
from durastore.protocol.parser import encode_request
from support.engines import Listener, engine, run, session

NOW = 1_000_000


def journalled(of: Engine) -> list[bytes]:
    """The journal since the last call, a request a line, without its SELECTs."""
    words = of.journal.take().split(b"\r\n")[:-1]
    requests: list[list[bytes]] = []
    for word, is_length in zip(words, [word.startswith((b"*", b"$")) for word in words], strict=True):
        if word.startswith(b"*"):
            requests.append([])
        elif not is_length:
            requests[-1].append(word)
    return [b" ".join(request) for request in requests if request[0] != b"SELECT"]


def state(db: Database) -> dict[bytes, object]:
    found: dict[bytes, object] = {}
    for segment in {id(each): each for each in db.table.directory}.values():
        for key, value in segment.items.items():
            if isinstance(value, Hash):
                found[key] = (dict(zip(value.fields(), value.values(), strict=True)), value.expiries())
            else:
                found[key] = value
    return found


def check_notes(db: Database) -> None:
    """The database keeps in mind exactly the hashes that have fields with an expiry."""
    noted = {key for chunk in db.hash_expiries.chunks() for key in chunk.items}
    wanted = set()
    for segment in db.table.directory:
        for key, value in segment.items.items():
            if isinstance(value, Hash) and value.expiring():
                wanted.add(key)
                assert db.hash_expiries.expiry(key) <= min(value.expiries().values())
    assert noted == wanted


@pytest.mark.parametrize("large", [False, True])
def test_what_is_journalled(large: bool) -> None:
    one = engine(NOW)
    client = session(one)
    run(client, b"hset h a 1 b 2 c 3 d 4")
    if large:
        run(client, b"hset h long " + b"x" * 100)
    one.journal.take()
    for line, reply, wanted in (
        (b"hexpire h 10 fields 2 a nosuch", b"*2\r\n:1\r\n:-2\r\n", [b"HPEXPIREAT h 1010000 FIELDS 1 a"]),
        (b"hpexpire h 5 nx fields 2 a b", b"*2\r\n:0\r\n:1\r\n", [b"HPEXPIREAT h 1000005 FIELDS 1 b"]),
        (b"hexpire h 10 xx fields 1 c", b"*1\r\n:0\r\n", []),
        (b"hexpireat h 1 fields 1 c", b"*1\r\n:2\r\n", [b"HDEL h c"]),
        (b"hpersist h fields 2 b d", b"*2\r\n:1\r\n:-1\r\n", [b"hpersist h fields 2 b d"]),
        (b"hpersist h fields 1 d", b"*1\r\n:-1\r\n", []),
        (b"hgetex h px 7 fields 2 b nosuch", b"*2\r\n$1\r\n2\r\n", [b"HPEXPIREAT h 1000007 FIELDS 1 b"]),
        (b"hgetex h fields 1 b", b"*1\r\n$1\r\n2\r\n", []),
        (b"hgetex h persist fields 2 b d", b"*2\r\n$1\r\n2\r\n", [b"HPERSIST h FIELDS 1 b"]),
        (b"hgetex h exat 1 fields 1 d", b"*1\r\n$1\r\n4\r\n", [b"HDEL h d"]),
        (
            b"hsetex h ex 1 fields 2 a 5 e 6",
            b":1\r\n",
            [b"MULTI", b"HSET h a 5 e 6", b"HPEXPIREAT h 1001000 FIELDS 2 a e", b"EXEC"],
        ),
        (b"hsetex h keepttl fields 1 a 7", b":1\r\n", [b"HSETEX h KEEPTTL FIELDS 1 a 7"]),
        (b"hsetex h keepttl fnx fields 1 f 8", b":1\r\n", [b"HSET h f 8"]),
        (b"hsetex h fnx fields 1 f 8", b":0\r\n", []),
        (b"hsetex h px 0 fields 2 f 8 g 9", b":1\r\n", [b"HDEL h f g"]),
        (
            b"hincrbyfloat h a 0.5",
            b"$3\r\n7.5\r\n",
            [b"MULTI", b"HSET h a 7.5", b"HPEXPIREAT h 1001000 FIELDS 1 a", b"EXEC"],
        ),
        (b"hincrbyfloat h b 0.5", b"$3\r\n2.5\r\n", [b"HSET h b 2.5"]),
        (b"hgetdel h fields 2 a nosuch", b"*2\r\n$3\r\n7.5\r\n", [b"HDEL h a"]),
    ):
        assert run(client, line).startswith(reply), line
        assert journalled(one) == wanted, line
        check_notes(one.instance.keyspace.databases[0])


def test_an_expired_field_is_gone_for_every_reader_and_journalled_once() -> None:
    for line, reply in (
        (b"hget h a", b"$-1\r\n"),
        (b"hmget h a b", b"*2\r\n$-1\r\n$1\r\n2\r\n"),
        (b"hgetall h", b"*2\r\n$1\r\nb\r\n$1\r\n2\r\n"),
        (b"hkeys h", b"*1\r\n$1\r\nb\r\n"),
        (b"hvals h", b"*1\r\n$1\r\n2\r\n"),
        (b"hlen h", b":1\r\n"),
        (b"hexists h a", b":0\r\n"),
        (b"hstrlen h a", b":0\r\n"),
        (b"httl h fields 1 a", b"*1\r\n:-2\r\n"),
        (b"hrandfield h 5", b"*1\r\n$1\r\nb\r\n"),
        (b"hrandfield h", b"$1\r\nb\r\n"),
        (b"hgetdel h fields 1 a", b"*1\r\n$-1\r\n"),
        (b"hgetex h fields 1 a", b"*1\r\n$-1\r\n"),
        (b"hpersist h fields 1 a", b"*1\r\n:-2\r\n"),
        (b"hpexpire h 10 fields 1 a", b"*1\r\n:-2\r\n"),
        (b"hdel h a", b":0\r\n"),
    ):
        one = engine(NOW)
        client = session(one)
        run(client, b"hset h a 1 b 2", b"hpexpire h 5 fields 1 a")
        one.journal.take()
        one.begin_wake(NOW + 5)
        assert run(client, b"hget h a") == b"$1\r\n1\r\n"
        one.begin_wake(NOW + 6)
        assert run(client, line) == reply, line
        assert journalled(one) == [b"HDEL h a"], line
        assert run(client, line) == reply, line
        assert journalled(one) == [], line
        assert one.instance.keyspace.expired_fields == 1
        check_notes(one.instance.keyspace.databases[0])


def test_hscan_leaves_expired_fields_out() -> None:
    one = engine(NOW)
    client = session(one)
    run(client, b"hset h a 1 b 2", b"hpexpire h 5 fields 1 a")
    one.begin_wake(NOW + 6)
    assert run(client, b"hscan h 0") == b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n"


def test_writers_take_an_expired_field_for_missing() -> None:
    for line, reply, wanted in (
        (b"hset h a 9", b":1\r\n", [b"HDEL h a", b"hset h a 9"]),
        (b"hsetnx h a 9", b":1\r\n", [b"HDEL h a", b"hsetnx h a 9"]),
        (b"hincrby h a 9", b":9\r\n", [b"HDEL h a", b"hincrby h a 9"]),
        (b"hincrbyfloat h a 9", b"$1\r\n9\r\n", [b"HDEL h a", b"HSET h a 9"]),
        (b"hsetex h fnx fields 1 a 9", b":1\r\n", [b"HDEL h a", b"HSET h a 9"]),
        (b"hsetex h fxx fields 1 a 9", b":0\r\n", [b"HDEL h a"]),
    ):
        one = engine(NOW)
        client = session(one)
        run(client, b"hset h a 1", b"hpexpire h 5 fields 1 a")
        one.journal.take()
        one.begin_wake(NOW + 6)
        assert run(client, line) == reply, line
        assert journalled(one) == wanted, line
        assert run(client, b"hpttl h fields 1 a") == (b"*1\r\n:-2\r\n" if b"fxx" in line else b"*1\r\n:-1\r\n")


def test_the_last_field_takes_the_key_with_it() -> None:
    one = engine(NOW)
    client = session(one)
    listener = Listener(one)
    run(client, b"hset h a 1 b 2", b"hpexpire h 5 fields 2 a b")
    run(client, b"watch h")
    listener.told()
    one.begin_wake(NOW + 6)
    assert run(client, b"hlen h", b"exists h", b"type h") == b":0\r\n:0\r\n+none\r\n"
    assert client.client.watch_broken
    assert listener.told() == "hexpired:h del:h"
    check_notes(one.instance.keyspace.databases[0])


@pytest.mark.parametrize("size", [5, 5000])
def test_active_expiry_removes_what_is_due_in_bounded_steps(size: int) -> None:
    one = engine(NOW)
    client = session(one)
    db = one.instance.keyspace.databases[0]
    client.feed(encode_request([b"HSET", b"h", *(word for i in range(size) for word in (b"f%d" % i, b"v"))]))
    client.feed(
        encode_request([b"HPEXPIREAT", b"h", b"2000000", b"FIELDS", b"%d" % size, *(b"f%d" % i for i in range(size))])
    )
    client.feed(encode_request([b"HPERSIST", b"h", b"FIELDS", b"1", b"f0"]))
    run(client, b"hset other a 1 b 2", b"hpexpireat other 3000000 fields 1 a", b"hset gone a 1")
    run(client, b"hpexpireat gone 2000000 fields 1 a")
    one.journal.take()
    assert db.expire_fields_slice(2_000_000, 100) == 0
    one.begin_wake(2_000_001)
    steps = []
    while removed := db.expire_fields_slice(2_000_001, 100):
        steps.append(removed)
    one.journal_expired()
    assert sum(steps) == size
    assert max(steps) <= 100 + 682
    lines = journalled(one)
    assert all(line.startswith((b"HDEL h f", b"HDEL gone a")) for line in lines)
    assert sum(len(line.split()) - 2 for line in lines) == size
    assert run(client, b"hkeys h", b"hlen other", b"exists gone") == b"*1\r\n$2\r\nf0\r\n:2\r\n:0\r\n"
    check_notes(db)
    assert db.hash_expiries.next_expiry == 3_000_000 or db.expire_fields_slice(2_000_001, 1) == 0


def test_expiries_follow_a_hash_wherever_it_goes() -> None:
    one = engine(NOW)
    client = session(one)
    first, second = one.instance.keyspace.databases[:2]
    run(client, b"hset h a 1 b 2", b"hpexpireat h 2000000 fields 1 a", b"copy h c", b"rename h r", b"copy r m")
    run(client, b"move m 1", b"copy c d db 1")
    assert run(client, b"hpexpiretime r fields 1 a", b"hpexpiretime c fields 1 a") == b"*1\r\n:2000000\r\n" * 2
    check_notes(first)
    check_notes(second)
    assert set(state(second)) == {b"m", b"d"}
    run(client, b"swapdb 0 1")
    check_notes(first)
    assert set(state(first)) == {b"m", b"d"}
    run(client, b"set m x", b"del d", b"hset e a 1", b"hpexpire e 5 fields 1 a", b"expire e 0")
    check_notes(first)
    assert first.hash_expiries.count == 0
    run(client, b"select 1", b"hset r long " + b"x" * 100)
    run(client, b"hpersist c fields 1 a", b"hdel r a")
    check_notes(second)
    assert second.hash_expiries.count == 0
    run(client, b"hpexpire c 5 fields 1 a", b"flushdb")
    check_notes(second)


keys = st.sampled_from((b"h", b"g"))
fields = st.sampled_from((b"a", b"b", b"c", b"f1", b"f600"))
times = st.integers(-3, 40)


@st.composite
def requests(draw: st.DrawFn) -> list[bytes]:
    key, field, other = draw(keys), draw(fields), draw(fields)
    when = draw(times)
    condition = draw(st.sampled_from(([], [], [b"NX"], [b"XX"], [b"GT"], [b"LT"])))
    expiry = draw(
        st.sampled_from(
            ([], [b"PX", b"%d" % max(when, 0)], [b"PXAT", b"%d" % (NOW + when)], [b"KEEPTTL"], [b"EX", b"1"])
        )
    )
    found: list[list[bytes]] = [
        [b"HSET", key, field, b"1", other, b"2"],
        [b"HSET", key, field, b"x" * 70],
        [b"HSET", key, *(word for i in range(600) for word in (b"f%d" % i, b"v"))],
        [b"HDEL", key, field, other],
        [b"HINCRBY", key, field, b"1"],
        [b"HINCRBYFLOAT", key, field, b"1.5"],
        [b"HGET", key, field],
        [b"HLEN", key],
        [b"HGETALL", key],
        [b"HRANDFIELD", key, b"3"],
        [b"HPEXPIRE", key, b"%d" % max(when, 0), *condition, b"FIELDS", b"2", field, other],
        [b"HPEXPIREAT", key, b"%d" % (NOW + when), *condition, b"FIELDS", b"1", field],
        [b"HPERSIST", key, b"FIELDS", b"2", field, other],
        [b"HGETDEL", key, b"FIELDS", b"1", field],
        [b"HGETEX", key, *(expiry if expiry != [b"KEEPTTL"] else [b"PERSIST"]), b"FIELDS", b"2", field, other],
        [b"HSETEX", key, *expiry, b"FIELDS", b"2", field, b"5", other, b"6"],
        [b"HSETEX", key, b"FXX", *expiry, b"FIELDS", b"1", field, b"7"],
        [b"COPY", key, b"g", b"REPLACE"],
        [b"RENAME", key, b"h"],
        [b"DEL", key],
        [b"TICK", b"%d" % max(when, 1)],
        [b"CLEAN", b"%d" % max(when, 1)],
    ]
    return draw(st.sampled_from(found))


@settings(max_examples=120, deadline=None)
@given(st.lists(requests(), max_size=60))
def test_the_journal_replays_to_the_same_hashes(script: list[list[bytes]]) -> None:
    one = engine(NOW)
    client = session(one)
    now = NOW
    db = one.instance.keyspace.databases[0]
    for request in script:
        if request[0] == b"TICK":
            now += int(request[1])
            one.begin_wake(now)
        elif request[0] == b"CLEAN":
            db.expire_fields_slice(now, int(request[1]))
            one.journal_expired()
        else:
            client.feed(encode_request(request))
    assert one.unexpected_errors == 0
    check_notes(db)
    two = engine(now + 1000)
    two.instance.keyspace.expiring = False
    replica = replay_session(two)
    replica.feed(one.journal.take())
    assert not replica.failure
    assert state(two.instance.keyspace.databases[0]) == state(db)
    check_notes(two.instance.keyspace.databases[0])
