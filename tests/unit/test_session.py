"""Sessions: what reaches the journal, transactions, pauses, bounded output."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from durastore.engine.session import OUTPUT_PAUSE
from durastore.protocol.parser import encode_request as request
from support.engines import engine, run, session

SELECT_0 = request([b"SELECT", b"0"])
PIECES = [
    request([b"SET", b"a", b"1"]), request([b"INCR", b"a"]), b"get a\r\n", request([b"APPEND", b"a", b"x" * 300]),
    b"multi\r\n", b"exec\r\n", b"select 3\r\n", b"select 0\r\n", b"nosuch\r\n",
    request([b"MSET", b"a", b"1", b"b", b"2"]), request([b"SET", b"b", b"y" * 2000]), b"client reply skip\r\n",
    request([b"PEXPIRE", b"a", b"1000"]), b"del a\r\n",
    b"ping\r\n",
    b"client getname\r\n", b"client id\r\n", b"client\r\n", b"client nosuch\r\n", b"quit\r\n", b"\r\n",
    request([b"GETDEL", b"b"]),
]  # fmt: skip


def test_a_run_of_writes_is_journalled_as_it_was_sent() -> None:
    one = engine()
    data = request([b"set", b"a", b"1"]) + request([b"INCR", b"a"]) + request([b"GET", b"a"]) + request([b"DEL", b"a"])
    client = session(one)
    client.feed(data)
    assert client.take_output() == b"+OK\r\n:2\r\n$1\r\n2\r\n:1\r\n"
    assert one.journal.take() == SELECT_0 + data.replace(request([b"GET", b"a"]), b"")


def test_reset_and_quit_end_a_transaction_instead_of_waiting_for_exec() -> None:
    one = engine()
    client = session(one)
    replies = run(client, b"multi", b"set a 1", b"reset", b"get a", b"exec")
    assert replies == b"+OK\r\n+QUEUED\r\n+RESET\r\n$-1\r\n-ERR EXEC without MULTI\r\n"
    assert run(client, b"multi", b"set a 1", b"quit", b"get a") == b"+OK\r\n+QUEUED\r\n+OK\r\n"
    assert one.journal.take() == b""


def test_fragmented_and_inline_writes_are_journalled_in_canonical_form() -> None:
    one = engine()
    client = session(one)
    for byte in request([b"SET", b"a", b"1"]):
        client.feed(bytes([byte]))
    assert run(client, b"set b 2") == b"+OK\r\n+OK\r\n"
    assert one.journal.take() == SELECT_0 + request([b"SET", b"a", b"1"]) + request([b"set", b"b", b"2"])


def test_effects_that_depend_on_time_are_journalled_absolutely_and_in_order() -> None:
    one = engine(now=5000)
    client = session(one)
    run(client, b"set a 1", b"set b 2 ex 10", b"expire a 1", b"set c 3")
    assert one.journal.take() == SELECT_0 + b"".join(
        request(argv)
        for argv in (
            [b"set", b"a", b"1"],
            [b"SET", b"b", b"2", b"PXAT", b"15000"],
            [b"PEXPIREAT", b"a", b"6000"],
            [b"set", b"c", b"3"],
        )
    )


def test_an_expired_key_is_deleted_in_the_journal_before_what_follows() -> None:
    one = engine(now=5000)
    client = session(one)
    run(client, b"set a 1 px 10")
    one.journal.take()
    one.begin_wake(6000)
    assert run(client, b"setnx a 2") == b":1\r\n"
    assert one.journal.take() == request([b"DEL", b"a"]) + request([b"setnx", b"a", b"2"])


def test_reads_failures_and_no_ops_leave_no_trace() -> None:
    one = engine()
    client = session(one)
    run(client, b"get a", b"del a", b"incr", b"nosuch", b"set a b nx xx", b"persist a", b"exists a")
    assert one.journal.take() == b""
    assert one.instance.dirty == 0


def test_a_transaction_is_one_unit_of_the_journal() -> None:
    one = engine()
    client = session(one)
    assert run(client, b"multi", b"set a 1", b"incr a", b"get a", b"exec") == (
        b"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:2\r\n$1\r\n2\r\n"
    )
    journal = one.journal.take()
    assert journal == request([b"MULTI"]) + SELECT_0 + request([b"set", b"a", b"1"]) + request(
        [b"incr", b"a"]
    ) + request([b"EXEC"])
    run(client, b"multi", b"set a 1", b"exec")
    assert one.journal.take() == request([b"set", b"a", b"1"])


def test_exec_fails_when_a_watched_key_has_changed_or_expired() -> None:
    one = engine(now=5000)
    first, second = session(one), session(one, 2)
    run(first, b"set a 1", b"set b 1 px 10", b"watch a")
    run(second, b"set a 2")
    assert run(first, b"multi", b"set c 1", b"exec").endswith(b"*-1\r\n")
    run(first, b"watch b")
    one.begin_wake(6000)
    assert run(first, b"multi", b"set c 1", b"exec").endswith(b"*-1\r\n")
    assert run(first, b"exists c") == b":0\r\n"


def test_databases_are_selected_in_the_journal() -> None:
    one = engine()
    client = session(one)
    run(client, b"select 3", b"set a 1", b"select 0", b"set a 1")
    assert one.journal.take() == request([b"SELECT", b"3"]) + request([b"set", b"a", b"1"]) + SELECT_0 + request(
        [b"set", b"a", b"1"]
    )


def test_a_pipeline_waits_while_its_output_is_not_taken() -> None:
    one = engine()
    client = session(one)
    size = OUTPUT_PAUSE // 4
    client.feed(request([b"SET", b"a", b"x" * size]) + request([b"GET", b"a"]) * 100)
    taken = client.take_output()
    assert OUTPUT_PAUSE < len(taken) < OUTPUT_PAUSE + 2 * size
    while client.output_full:
        client.resume()
        taken += client.take_output()
    assert taken == b"+OK\r\n" + (b"$%d\r\n" % size + b"x" * size + b"\r\n") * 100


def test_a_pause_holds_writes_back_and_keeps_their_order() -> None:
    one = engine(now=5000)
    client = session(one)
    one.paused_until = 6000
    one.paused_writes_only = True
    one.update_guard()
    assert run(client, b"get a", b"set a 1", b"get a") == b"$-1\r\n"
    assert client.held
    one.begin_wake(6000)
    client.resume()
    assert client.take_output() == b"+OK\r\n$1\r\n1\r\n"


@given(st.lists(st.sampled_from(PIECES), max_size=100), st.lists(st.integers(1, 4000), max_size=5))
def test_a_pipeline_gives_what_its_requests_give_one_by_one(requests: list[bytes], cuts: list[int]) -> None:
    together, apart = engine(), engine()
    one, other = session(together), session(apart)
    rest = b"".join(requests)
    replies = b""
    for cut in [*cuts, len(rest)]:
        one.feed(rest[:cut])
        rest = rest[cut:]
        replies += one.take_output()
    wanted = b""
    for each in requests:
        if not other.client.closing:
            other.feed(each)
            wanted += other.take_output()
    assert replies == wanted
    assert together.journal.take() == apart.journal.take()


def test_what_stands_behind_a_held_request_waits_with_it() -> None:
    one = engine()
    client = session(one)
    one.paused_until = 2_000_000
    one.paused_writes_only = True
    one.update_guard()
    big = b"x" * 100_000
    pipeline = b"get a\r\n" + request([b"SET", b"a", b"1"]) + b"get a\r\n"
    pipeline += request([b"SET", b"a", big]) + b"strlen a\r\n"
    client.feed(pipeline[:60_000])
    assert client.take_output() == b"$-1\r\n"
    client.feed(pipeline[60_000:])
    one.begin_wake(2_000_001)
    client.resume()
    assert client.take_output() == b"+OK\r\n$1\r\n1\r\n+OK\r\n:100000\r\n"


def test_what_stands_behind_an_end_is_not_run() -> None:
    one = engine()
    client = session(one)
    assert run(client, b"set a 1", b"quit", b"set a 2") == b"+OK\r\n+OK\r\n"
    other = session(one, 2)
    other.feed(b"get a\r\n*1\r\n$x\r\n")
    assert other.take_output() == b"$1\r\n1\r\n-ERR Protocol error: invalid bulk length\r\n"
    assert client.client.closing
    assert other.client.closing


def test_client_reply_skip_silences_one_command() -> None:
    client = session(engine())
    assert run(client, b"client reply skip", b"ping a", b"ping b") == b"$1\r\nb\r\n"
    assert run(client, b"client reply skip", b"client reply skip", b"ping a", b"ping b") == b"$1\r\nb\r\n"
    assert run(client, b"client reply off", b"ping a", b"client reply on", b"ping b") == b"+OK\r\n$1\r\nb\r\n"


def test_refused_writes_change_nothing_and_reads_go_on() -> None:
    one = engine()
    client = session(one)
    run(client, b"set a 1")
    one.journal.take()
    one.write_refusal = b"MISCONF Errors writing to the AOF file: No space left on device"
    one.update_guard()
    assert run(client, b"set a 2", b"get a") == (
        b"-MISCONF Errors writing to the AOF file: No space left on device\r\n$1\r\n1\r\n"
    )
    assert one.journal.take() == b""


def test_a_bug_in_a_command_shows_the_peer_nothing_and_ends_the_connection() -> None:
    one = engine()
    client = session(one)
    # This host has no configuration: asking for it is such a bug.
    assert run(client, b"config get *") == b"-ERR internal error; see the server's log\r\n"
    assert client.client.closing


def test_two_engines_in_one_process_share_nothing() -> None:
    first, second = engine(), engine()
    run(session(first), b"set a 1")
    assert run(session(second), b"get a") == b"$-1\r\n"
    assert first.commands[b"set"].calls == 1
    assert second.commands[b"set"].calls == 0
