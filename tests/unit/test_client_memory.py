"""What clients may take: client-output-buffer-limit, maxmemory-clients, and what is counted for them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durastore.engine.blocking import Blockable, Waker
from durastore.engine.journal import JournalSink
from durastore.server.connection import OBJECTS, Connection, OutputLimit, bucket_of
from durastore.server.hub import Gatekeeper, Hub
from durastore.server.settings import client_memory_limit
from support.engines import engine, session
from support.resp import request

SECOND = 1000
START = 1_000_000 * SECOND
TURNS = 10


class Log(JournalSink):
    """A log that is always durable."""

    def append(self, data: bytes, now: int) -> bool:
        return True

    def appended(self) -> int:
        return 1

    def durable_offset(self) -> int:
        return 1

    def wait_for_disk(self) -> bool:
        return False


class Bell(Waker):
    """Has the hub see to who was served, as the server's alarm does."""

    def __init__(self) -> None:
        super().__init__()
        self.hub: Hub | None = None

    def wake(self, session: Blockable) -> None:
        assert self.hub is not None
        self.hub.wake(session)

    def wake_at(self, when: int) -> None:
        pass


def takes_nothing(data: bytes) -> int:
    raise BlockingIOError


class Hall(Gatekeeper):
    """A hub, and peers that read nothing of what they are sent where ``deaf`` is set as they come."""

    def __init__(self) -> None:
        self.engine = engine()
        self.hub = Hub(self.engine, Log(), self)
        bell = Bell()
        bell.hub = self.hub
        self.engine.blocking.waker = bell
        self.now = START
        self.hub.clock = lambda: self.now * 1_000_000
        self.deaf = False
        self.peers: list[socket.socket] = []

    def admit(self, sock: socket.socket, address: str, unix_socket: bool) -> Connection:
        connection = Connection(sock, session(self.engine, sock.fileno()))
        connection.client.descriptor = connection.fd
        if self.deaf:
            connection.send = takes_nothing
        return connection

    def enter(self) -> tuple[socket.socket, Connection]:
        peer, ours = socket.socketpair()
        peer.setblocking(False)
        ours.setblocking(False)
        self.peers.append(peer)
        self.hub.adopt(ours, "", True)
        return peer, self.hub.connections[ours.fileno()]

    def serve(self) -> None:
        """Wakes the hub until it has nothing to do; the sockets of the deaf are always ready for more."""
        for _ in range(TURNS):
            if not self.hub.turn(0.0):
                return
            for peer in self.peers:
                try:
                    while peer.recv(1 << 20):
                        pass
                except (BlockingIOError, ConnectionResetError):
                    pass

    def pass_time(self, seconds: int) -> None:
        """What the clock does once a second."""
        for _ in range(seconds):
            self.now += SECOND
            self.engine.begin_wake(self.now)
            self.hub.look_after_owing()

    def say(self, peer: socket.socket, data: bytes) -> None:
        """Sends all of it, however little a socket takes at once."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[peer.send(rest) :]
            except BlockingIOError:
                self.serve()
        self.serve()

    def set(self, key: bytes, size: int) -> None:
        self.engine.instance.keyspace.databases[0].set(key, b"x" * size)

    def close(self) -> None:
        self.hub.close()
        for peer in self.peers:
            peer.close()


@pytest.fixture
def hall() -> Iterator[Hall]:
    made = Hall()
    yield made
    made.close()


def test_a_reply_of_the_hard_limit_is_not_sent(hall: Hall) -> None:
    hall.hub.normal_limit = OutputLimit(1000, 0, 0)
    hall.set(b"less", 900)
    hall.set(b"more", 1000)
    peer, connection = hall.enter()
    hall.say(peer, request("GET", "less"))
    assert not connection.closed
    hall.say(peer, request("GET", "more"))
    assert connection.closed
    assert hall.hub.bytes_out == 900 + len("$900\r\n\r\n")


def test_what_is_owed_adds_up_to_the_hard_limit(hall: Hall) -> None:
    hall.hub.normal_limit = OutputLimit(1000, 0, 0)
    hall.set(b"k", 400)
    hall.deaf = True
    peer, connection = hall.enter()
    for _ in range(2):
        hall.say(peer, request("GET", "k"))
        assert not connection.closed
    hall.say(peer, request("GET", "k"))
    assert connection.closed


def test_the_soft_limit_may_be_exceeded_for_so_many_seconds(hall: Hall) -> None:
    hall.hub.normal_limit = OutputLimit(0, 100, 3)
    hall.set(b"k", 200)
    hall.deaf = True
    peer, connection = hall.enter()
    hall.say(peer, request("GET", "k"))
    hall.pass_time(3)
    assert not connection.closed
    hall.pass_time(1)
    assert connection.closed


def test_who_takes_what_it_is_owed_in_time_is_spared(hall: Hall) -> None:
    hall.hub.normal_limit = OutputLimit(0, 100, 3)
    hall.set(b"k", 200)
    hall.deaf = True
    peer, connection = hall.enter()
    hall.say(peer, request("GET", "k"))
    hall.pass_time(3)
    connection.send = connection.sock.send
    hall.serve()
    hall.pass_time(1)
    assert not hall.hub.over_soft
    # The seconds begin anew.
    connection.send = takes_nothing
    hall.say(peer, request("GET", "k"))
    hall.pass_time(3)
    assert not connection.closed
    hall.pass_time(1)
    assert connection.closed
    assert not hall.hub.over_soft


def test_subscribers_have_a_limit_of_their_own(hall: Hall) -> None:
    hall.hub.pubsub_limit = OutputLimit(1000, 0, 0)
    hall.deaf = True
    peer, listener = hall.enter()
    hall.say(peer, request("SUBSCRIBE", "c"))
    other, plain = hall.enter()
    hall.say(other, request("ECHO", "x" * 2000))
    for _ in range(2):
        hall.say(other, request("PUBLISH", "c", "x" * 500))
    assert listener.closed
    assert not plain.closed


def total(hall: Hall) -> int:
    return sum(int(connection.memory()) for connection in hall.hub.connections.values())


REQUESTS = [
    request("PING"), request("SET", "k", "x" * 5000), request("GET", "k"), request("MULTI"), request("EXEC"),
    request("WATCH", "a", "b"), request("UNWATCH"), request("SUBSCRIBE", "x", "y"), request("UNSUBSCRIBE"),
    request("PSUBSCRIBE", "*"), request("HELLO", 3), request("PUBLISH", "x", "x" * 3000), request("BLPOP", "l", 0),
    request("RPUSH", "l", "x" * 100), request("RESET"), request("SET", "big", "x" * 100_000), request("NOSUCH"),
    request("CLIENT", "SETNAME", "me"), request("QUIT"), request("ECHO", "x" * 70_000),
]  # fmt: skip
# Whose turn it is, what it says, and where that is cut off; -1: it leaves.
STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, len(REQUESTS) - 1), st.integers(1, 120_000)), max_size=40)


@given(STEPS, st.integers(0, 1), st.integers(0, 300_000))
@settings(max_examples=60, deadline=None)
def test_the_total_is_that_of_all_connections(steps: list[tuple[int, int, int]], deaf: int, limit: int) -> None:
    hall = Hall()
    hall.hub.memory.choose(limit, [])
    try:
        for number in range(4):
            hall.deaf = number == deaf
            hall.enter()
        connections = list(hall.hub.connections.values())
        for who, what, cut in steps:
            connection = connections[who]
            if connection.closed:
                continue
            if what < 0:
                hall.peers[who].shutdown(socket.SHUT_RDWR)
                hall.serve()
            else:
                hall.say(hall.peers[who], REQUESTS[what][:cut])
            assert hall.engine.memory.clients == total(hall)
            assert limit == 0 or hall.engine.memory.clients < limit or not hall.hub.connections
        for connection in list(hall.hub.connections.values()):
            hall.hub.drop(connection)
        assert hall.engine.memory.clients == 0
        assert hall.hub.memory.largest() is None
    finally:
        hall.close()


def test_a_connection_with_nothing_to_do_takes_its_objects_only(hall: Hall) -> None:
    peer, connection = hall.enter()
    fresh = int(hall.engine.memory.clients)
    assert OBJECTS <= fresh < OBJECTS + 1000
    hall.say(peer, request("SET", "k", "x" * 500_000)[:400_000])
    assert hall.engine.memory.clients > 400_000
    hall.say(peer, request("SET", "k", "x" * 500_000)[400_000:])
    assert hall.engine.memory.clients == fresh
    hall.say(peer, request("GET", "k"))
    assert hall.engine.memory.clients == fresh
    assert connection.session.parser.argv == []


def hold(hall: Hall, size: int) -> tuple[socket.socket, Connection]:
    """A client with a request begun."""
    peer, connection = hall.enter()
    hall.say(peer, request("SET", "k", "x" * size)[:-10])
    return peer, connection


def test_the_largest_clients_go_first(hall: Hall) -> None:
    hall.hub.memory.choose(1_000_000, [])
    small = [hold(hall, 20_000)[1] for _ in range(5)]
    large = hold(hall, 400_000)[1]
    medium = hold(hall, 200_000)[1]
    assert not large.closed
    last = hold(hall, 310_000)[1]
    # One of the largest bucket is enough.
    assert [last.closed, large.closed].count(True) == 1
    assert not medium.closed
    assert not any(connection.closed for connection in small)
    assert hall.hub.evicted == 1
    # A lower limit holds with the next wake.
    hall.hub.memory.choose(200_000, list(hall.hub.connections.values()))
    peer, asking = hall.enter()
    hall.say(peer, request("PING"))
    assert [connection.closed for connection in (last, large, medium)] == [True] * 3
    assert not asking.closed
    assert not any(connection.closed for connection in small)


def test_who_is_not_to_be_evicted_is_passed_over(hall: Hall, caplog: pytest.LogCaptureFixture) -> None:
    hall.hub.memory.choose(500_000, [])
    peer, spared = hall.enter()
    hall.say(peer, request("CLIENT", "NO-EVICT", "ON"))
    hall.say(peer, request("SET", "k", "x" * 600_000)[:-10])
    assert not spared.closed
    other, plain = hall.enter()
    with caplog.at_level(logging.WARNING, "durastore.server"):
        hall.say(other, request("PING"))
        hall.pass_time(1)
        hall.hub.finish(hall.now)
    assert plain.closed
    assert not spared.closed
    # Once, not with each wake.
    assert [record.message for record in caplog.records] == [
        "Over client maxmemory after evicting all evictable clients"
    ]
    hall.say(peer, b"x" * 8 + b"\r\n" + request("CLIENT", "NO-EVICT", "OFF"))
    assert not spared.closed
    hall.say(peer, request("SET", "k", "x" * 600_000)[:-10])
    assert spared.closed


def test_what_a_transaction_keeps_counts(hall: Hall) -> None:
    hall.hub.memory.choose(300_000, [])
    peer, connection = hall.enter()
    hall.say(peer, request("MULTI"))
    for _ in range(20):
        hall.say(peer, request("SET", "k", "x" * 10_000))
    assert not connection.closed
    assert hall.engine.memory.clients > 200_000
    hall.say(peer, request("DISCARD"))
    assert hall.engine.memory.clients < 20_000
    hall.say(peer, request("MULTI"))
    for _ in range(40):
        if not connection.closed:
            hall.say(peer, request("SET", "k", "x" * 10_000))
    assert connection.closed


def test_buckets_are_powers_of_two() -> None:
    assert [bucket_of(size) for size in (0, 2500, 32767, 32768, 65535, 65536, 1 << 33, 1 << 40)] == [
        0, 0, 0, 1, 1, 2, 18, 18,
    ]  # fmt: skip


def test_the_limit_may_be_a_share_of_maxmemory() -> None:
    assert client_memory_limit(0, 0) == 0
    assert client_memory_limit(1 << 20, 0) == 1 << 20
    assert client_memory_limit(-5, 0) == 0
    assert client_memory_limit(-5, 1 << 30) == (1 << 30) * 5 // 100
    # Redis's floor.
    assert client_memory_limit(1, 0) == 128 * 1024
    assert client_memory_limit(-5, 1000) == 128 * 1024
