"""The hub's connections, over sockets that take as much at once as a test wants."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from durastore.engine.journal import JournalSink
from durastore.server.connection import Connection
from durastore.server.hub import OUTPUT_LIMIT, Gatekeeper, Hub
from support.engines import engine, session
from support.resp import request


class Log(JournalSink):
    """A log whose disk is behind while ``waits``."""

    def __init__(self) -> None:
        self.waits = False
        self.gathering = False

    def append(self, data: bytes, now: int) -> bool:
        return True

    def appended(self) -> int:
        return 1

    def durable_offset(self) -> int:
        return 0 if self.waits else 1

    def wait_for_disk(self) -> bool:
        return self.waits

    def gathers(self) -> bool:
        return self.gathering

    def gathered(self) -> None:
        self.gathering = False


class Door(Gatekeeper):
    """Lets one peer in, whose socket takes everything at once."""

    def __init__(self) -> None:
        self.engine = engine()
        self.taken = bytearray()

    def admit(self, sock: socket.socket, address: str, unix_socket: bool) -> Connection:
        connection = Connection(sock, session(self.engine))
        connection.client.descriptor = connection.fd
        connection.send = self._take
        return connection

    def _take(self, data: bytes) -> int:
        self.taken += data
        return len(data)


class Scene:
    """A hub, the socket of its only peer, and what was sent there."""

    def __init__(self) -> None:
        self.log = Log()
        self.door = Door()
        self.hub = Hub(self.door.engine, self.log, self.door)
        self.peer, ours = socket.socketpair()
        ours.setblocking(False)
        self.hub.adopt(ours, "", True)

    def serve(self) -> bytes:
        """Wakes the hub until it has nothing to do; what the peer got."""
        while self.hub.turn(0.0):
            pass
        return bytes(self.door.taken)

    def close(self) -> None:
        self.hub.close()
        self.peer.close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.close()


HUGE = b"x" * (OUTPUT_LIMIT * 2 + 1)
HUGE_REPLY = b"$%d\r\n%s\r\n" % (len(HUGE), HUGE)


def pipeline(scene: Scene) -> None:
    """A reply beyond all bounds, and a request behind it."""
    scene.door.engine.instance.keyspace.databases[0].set(b"huge", HUGE)
    scene.peer.sendall(request(b"GET", b"huge") + request(b"PING"))


def test_a_pipeline_goes_on_when_a_huge_reply_was_taken_at_once(scene: Scene) -> None:
    pipeline(scene)
    assert scene.serve() == HUGE_REPLY + b"+PONG\r\n"


def test_a_pipeline_goes_on_when_a_huge_reply_had_to_wait_for_the_disk(scene: Scene) -> None:
    pipeline(scene)
    scene.log.waits = True
    assert scene.serve() == b""
    scene.log.waits = False
    scene.hub.release(1)
    assert scene.serve() == HUGE_REPLY + b"+PONG\r\n"


def test_the_log_waits_for_those_who_were_answered_until_they_have_come_back(scene: Scene) -> None:
    scene.log.waits = True
    scene.peer.sendall(request(b"PING"))
    assert scene.serve() == b""
    scene.log.gathering = True
    scene.hub.release(1)
    assert scene.hub.has_own_work()
    assert scene.hub.awaited == 1
    scene.hub.awaited = 2
    scene.peer.sendall(request(b"PING"))
    assert scene.hub.turn(0.0)
    assert scene.log.gathering, "another one is not back yet"
    scene.peer.sendall(request(b"PING"))
    assert scene.hub.turn(0.0)
    assert not scene.log.gathering


def test_the_log_waits_no_longer_when_nobody_comes(scene: Scene) -> None:
    scene.log.gathering = True
    scene.hub.awaited = 1
    assert scene.hub.turn(0.0)
    assert not scene.log.gathering
    assert not scene.hub.turn(0.0)
