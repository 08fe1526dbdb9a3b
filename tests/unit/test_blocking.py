"""Clients that wait for keys: who is served, when, in which order, and what the journal is told."""

from __future__ import annotations

import pytest

from durastore.commands.client import Client
from durastore.engine.blocking import Blockable, Waker
from durastore.engine.engine import Engine
from durastore.engine.session import Session
from durastore.protocol.parser import encode_request as request
from support.engines import engine, run, session

SELECT_0 = request([b"SELECT", b"0"])


class Notes(Waker):
    """Takes down what the engine asks of the process."""

    def __init__(self) -> None:
        super().__init__()
        self.woken: list[int] = []
        self.times: list[int] = []

    def wake(self, session: Blockable) -> None:
        self.woken.append(session.client.id)

    def wake_at(self, when: int) -> None:
        self.times.append(when)


def served(key: bytes, item: bytes) -> bytes:
    return b"*2\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(key), key, len(item), item)


def made(count: int, now: int = 5000) -> tuple[Engine, Notes, list[Session]]:
    one = engine(now)
    notes = Notes()
    one.blocking.waker = notes
    return one, notes, [session(one, number) for number in range(1, count + 1)]


def test_those_who_wait_are_served_in_the_order_in_which_they_came() -> None:
    _, notes, (first, second, third, pusher) = made(4)
    for waiting in (first, second, third):
        assert run(waiting, b"blpop k 0") == b""
        assert waiting.client.blocked
    assert run(pusher, b"rpush k a b") == b":2\r\n"
    assert notes.woken == [1, 2]
    assert first.take_output() == served(b"k", b"a")
    assert second.take_output() == served(b"k", b"b")
    assert third.client.blocked
    assert not first.client.blocked
    run(pusher, b"rpush k c d")
    assert third.take_output() == served(b"k", b"c")
    assert run(pusher, b"blpop k 1") == served(b"k", b"d")


def test_the_journal_holds_the_push_and_then_what_was_taken() -> None:
    one, _, (waiting, pusher) = made(2)
    run(waiting, b"blpop x k 0", b"set after 1")
    data = request([b"SET", b"a", b"1"]) + request([b"RPUSH", b"k", b"v"]) + request([b"SET", b"b", b"2"])
    pusher.feed(data)
    assert one.journal.take() == SELECT_0 + b"".join(
        request(argv) for argv in ([b"SET", b"a", b"1"], [b"RPUSH", b"k", b"v"], [b"LPOP", b"k"], [b"SET", b"b", b"2"])
    )
    # What stands behind the command that waited runs when the connection's turn has come.
    assert waiting.take_output() == served(b"k", b"v")
    waiting.resume()
    assert waiting.take_output() == b"+OK\r\n"


def test_a_transaction_serves_when_it_is_whole_and_keys_in_the_order_in_which_they_became_ready() -> None:
    one, notes, (first, second, pusher) = made(3)
    run(first, b"blpop a 0")
    run(second, b"blpop b 0")
    assert run(pusher, b"multi", b"rpush b 1 2", b"rpush a 3", b"blpop b 1", b"exec").endswith(
        b"*3\r\n:2\r\n:1\r\n" + served(b"b", b"1")
    )
    assert notes.woken == [2, 1]
    assert second.take_output() == served(b"b", b"2")
    journal = one.journal.take()
    assert journal.endswith(request([b"EXEC"]) + request([b"LPOP", b"b"]) + request([b"LPOP", b"a"]))


def test_a_transaction_that_takes_back_what_it_pushed_serves_nobody() -> None:
    _, notes, (first, pusher) = made(2)
    run(first, b"blpop k 0")
    run(pusher, b"multi", b"rpush k a", b"del k", b"exec")
    assert first.client.blocked
    assert notes.woken == []
    run(pusher, b"multi", b"rpush k a", b"del k", b"set k text", b"exec")
    assert first.client.blocked
    run(pusher, b"del k", b"rpush k b")
    assert first.take_output() == served(b"k", b"b")


def test_nothing_blocks_inside_a_transaction_or_a_log() -> None:
    _, _, (first,) = made(1)
    assert run(first, b"multi", b"blpop k 0", b"exec") == b"+OK\r\n+QUEUED\r\n*1\r\n*-1\r\n"
    first.client.deny_blocking = True
    assert run(first, b"blpop k 0") == b"*-1\r\n"


@pytest.mark.parametrize(
    "how",
    [
        [b"rpush other v", b"rename other k"],
        [b"rpush other v", b"copy other k"],
        [b"select 1", b"rpush k v", b"move k 0"],
        [b"select 1", b"rpush k v", b"swapdb 0 1"],
        [b"set k 1", b"multi", b"del k", b"rpush k v", b"exec"],
    ],
)
def test_a_list_that_comes_to_be_in_another_way_serves(how: list[bytes]) -> None:
    _, _, (first, pusher) = made(2)
    run(first, b"blpop k 0")
    run(pusher, *how)
    assert first.take_output() == served(b"k", b"v")


def test_time_outs_come_in_their_order_and_free_the_queues() -> None:
    one, notes, (first, second, third, pusher) = made(4, now=5000)
    run(first, b"blpop k 2")
    run(second, b"blpop k 0.5")
    run(third, b"blpop k 1")
    # Told of an earlier time whenever there is one.
    assert notes.times == [7000, 5500]
    one.begin_wake(5499)
    one.blocking.time_out(5499)
    assert notes.woken == []
    one.begin_wake(6000)
    one.blocking.time_out(6000)
    assert notes.woken == [2, 3]
    assert notes.times[-1] == 7000
    assert second.take_output() == b"*-1\r\n"
    run(pusher, b"rpush k v")
    assert first.take_output() == served(b"k", b"v")
    one.blocking.time_out(9000)
    assert first.take_output() == b""
    assert one.blocking.timeouts() == 0
    assert one.blocking.keys() == (0, 0)


def test_deadlines_of_those_who_were_served_do_not_pile_up() -> None:
    one, _, (first, pusher) = made(2)
    for _ in range(1000):
        run(first, b"blpop k 3600")
        run(pusher, b"rpush k v")
        assert first.take_output() == served(b"k", b"v")
    assert len(one.blocking._heap) < 200


def test_client_unblock() -> None:
    _, notes, (first, second, other) = made(3)
    run(first, b"blpop k 0", b"ping")
    run(second, b"blpop k 0")
    assert run(other, b"client unblock 1", b"client unblock 1", b"client unblock 2 error", b"client unblock 3") == (
        b":1\r\n:0\r\n:1\r\n:0\r\n"
    )
    assert first.take_output() == b"*-1\r\n"
    first.resume()
    assert first.take_output() == b"+PONG\r\n"
    assert second.take_output() == b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
    assert notes.woken == [1, 2]


def test_client_unblock_takes_one_reason() -> None:
    _, _, (other,) = made(1)
    assert run(other, b"client unblock 1 error error") == (
        b"-ERR unknown subcommand or wrong number of arguments for 'unblock'. Try CLIENT HELP.\r\n"
    )


def test_one_who_is_gone_takes_nothing() -> None:
    one, notes, (first, second, pusher) = made(3)
    run(first, b"blpop k j 0")
    run(second, b"blpop k 0")
    first.disconnect()
    run(pusher, b"rpush k v")
    assert notes.woken == [2]
    assert one.blocking.keys() == (0, 0)
    assert first.take_output() == b""


def test_a_pause_that_begins_meanwhile_holds_the_one_who_is_served() -> None:
    one, _, (first, pusher) = made(2, now=5000)
    run(first, b"blpop k 0")
    one.paused_until = 6000
    one.paused_writes_only = True
    pusher.client.replaying = True  # pushes all the same
    one.update_guard()
    run(pusher, b"rpush k v")
    assert first.held
    assert first.waiting is None
    assert first.take_output() == b""
    assert run(pusher, b"client unblock 1") == b":0\r\n"
    one.begin_wake(6000)
    first.resume()
    assert first.take_output() == served(b"k", b"v")


def test_silenced_replies_stay_silent() -> None:
    _, _, (first, pusher) = made(2)
    run(first, b"client reply skip", b"blpop k 0", b"ping")
    run(pusher, b"rpush k v")
    assert first.take_output() == b""
    first.resume()
    assert first.take_output() == b"+PONG\r\n"


def test_a_chain_of_waits_is_served_round_by_round() -> None:
    _, notes, sessions = made(5)
    *waiting, pusher = sessions
    for each, line in zip(waiting, (b"blpop a 0", b"blpop a b 0", b"blpop b 0", b"brpop a 0"), strict=True):
        run(each, line)
    run(pusher, b"multi", b"rpush a 1 2", b"rpush b 3", b"exec")
    assert notes.woken == [1, 2, 3]
    assert [each.take_output() for each in waiting] == [
        served(b"a", b"1"),
        served(b"a", b"2"),
        served(b"b", b"3"),
        b"",
    ]


def test_a_client_that_may_not_write_any_more_hears_so() -> None:
    one, _, (first, pusher) = made(2)
    run(first, b"blpop k 0")
    one.write_refusal = b"MISCONF disk"
    one.update_guard()
    pusher.client.replaying = True
    run(pusher, b"rpush k v")
    assert first.take_output() == b"-MISCONF disk\r\n"
    assert one.instance.keyspace.databases[0].exists(b"k")


def test_calls_count_when_they_are_done() -> None:
    one, _, (first, second, pusher) = made(3)
    run(first, b"blpop k 0")
    run(second, b"blpop k 0")
    before = one.commands_processed
    command = one.commands[b"blpop"]
    assert command.calls == 0
    run(pusher, b"rpush k v")
    assert command.calls == 1
    assert one.commands_processed == before + 2
    assert isinstance(first.client, Client)
