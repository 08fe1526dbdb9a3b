"""What the journal tells of bitmaps, HyperLogLogs, SORT and generic commands makes the same dataset when replayed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from durastore.commands.digest import dataset_digest
from durastore.engine.session import replay_session
from support.engines import engine, run, session

FAR = 4102444800000
keys = st.sampled_from("abcde")
offsets = st.integers(0, 70)
values = st.integers(-300, 300)
texts = st.sampled_from(["", "x", "hello", "12", "\\xff\\x00"])
requests = st.one_of(
    st.builds("set {} '{}'".format, keys, texts),
    st.builds("append {} '{}'".format, keys, texts),
    st.builds("setbit {} {} {}".format, keys, offsets, st.integers(0, 1)),
    st.builds(
        "bitfield {} overflow {} set {} {} {} incrby {} #{} {}".format,
        keys, st.sampled_from(["wrap", "sat", "fail"]), st.sampled_from(["u8", "i5", "u63"]), offsets, values,
        st.sampled_from(["u2", "i64"]), st.integers(0, 3), values,
    ),
    st.builds("bitop {} {} {} {}".format, st.sampled_from(["and", "or", "xor"]), keys, keys, keys),
    st.builds("bitop not {} {}".format, keys, keys),
    st.builds("pfadd {} {} {}".format, keys, values, values),
    st.builds("pfmerge {} {}".format, keys, keys),
    st.builds("pfcount {}".format, keys),
    st.builds("pfdebug todense {}".format, keys),
    st.builds("rpush {} {} {}".format, keys, values, values),
    st.builds("sadd {} {} {}".format, keys, values, values),
    st.builds(
        "sort {} by {} get # get {}* {} alpha store {}".format,
        keys, st.sampled_from(["nosort", "*", "nosuch*"]), keys, st.sampled_from(["asc", "desc"]), keys,
    ),
    st.builds("rename {} {}".format, keys, keys),
    st.builds("copy {} {} replace".format, keys, keys),
    st.builds("move {} 1".format, keys),
    st.builds("del {}".format, keys),
    st.builds("pexpireat {} {}".format, keys, st.sampled_from([1, FAR])),
    st.builds("persist {}".format, keys),
    st.builds("set {} x ex 100000".format, keys),
)  # fmt: skip


@given(st.lists(requests, max_size=40))
def test_the_journal_replays_to_the_same_dataset(script: list[str]) -> None:
    one, two = engine(2_000_000), engine(3_000_000)
    live = session(one)
    for line in script:
        run(live, line.encode())
    replica = replay_session(two)
    replica.feed(one.journal.take())
    assert one.unexpected_errors == 0
    assert not replica.failure
    assert dataset_digest(two.instance.keyspace) == dataset_digest(one.instance.keyspace)


def test_a_count_that_valkey_does_not_take_is_journalled_as_its_neighbour() -> None:
    one = engine()
    run(session(one), b"rpush l a b a", b"lrem l -9223372036854775808 nosuch", b"lrem l -9223372036854775808 a")
    assert one.journal.take().count(b"LREM\r\n$1\r\nl\r\n$20\r\n-9223372036854775807\r\n$1\r\na\r\n") == 1


def test_what_sort_stores_of_a_set_does_not_hang_on_the_form_that_the_set_has_in_the_replay() -> None:
    one, two = engine(2_000_000), engine(3_000_000)
    one.instance.keyspace.limits.set_entries = 2
    live = session(one)
    run(live, b"sadd s e d c b a")
    run(live, b"sort s by w* alpha store d")
    replica = replay_session(two)
    replica.feed(one.journal.take())
    assert run(session(two), b"lrange d 0 -1") == run(live, b"lrange d 0 -1")
    assert dataset_digest(two.instance.keyspace) == dataset_digest(one.instance.keyspace)
