"""A connection as the hub knows it, and what all of them take.

What a connection takes is worked out after each wake that it had a part in, from a few counters; nobody ever looks at
all of them.  With ``maxmemory-clients`` they also stand in buckets by size, so that one of the largest is found at once
(https://redis.io/docs/latest/develop/reference/clients/).
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64

from durastore.commands.client import Client
from durastore.engine.memory import MemoryLimit
from durastore.engine.session import Session

# What the objects of a connection take, as measured.
OBJECTS: Final = 2400
# Buckets are by powers of two; the first has everything below 32 KB, the last all from 8 GB on.
_FIRST_BITS: Final = 15
_BUCKETS: Final = 19
_NOWHERE: Final = -1


@final
class OutputLimit:
    """client-output-buffer-limit of one class of clients: bytes, bytes and seconds; 0: none."""

    def __init__(self, hard: i64, soft: i64, seconds: i64) -> None:
        self.hard: i64 = hard
        self.soft: i64 = soft
        self.seconds: i64 = seconds


@final
class Connection:
    """A socket and its session."""

    def __init__(self, sock: socket.socket, session: Session) -> None:
        self.sock = sock
        self.receive = sock.recv
        self.send: Callable[[bytes], int] = sock.send
        self.fd = sock.fileno()
        self.session = session
        self.client: Client = session.client
        self.outgoing: deque[bytes] = deque()
        self.outgoing_bytes: i64 = 0
        # Replies that wait in the hub's gate for the disk.
        self.gated: i64 = 0
        self.interest: i64 = 0
        self.wrote = False
        self.touched = False
        # Whether the next wake goes on with its pipeline.
        self.resuming = False
        self.closed = False
        # Since when (Unix seconds) it owes more than the soft limit of its class; 0: it does not.
        self.over_soft_since: i64 = 0
        # Its place among the buckets, and whether CLIENT NO-EVICT has kept it out of them.
        self.bucket: i64 = _NOWHERE
        self.spared = False

    def memory(self) -> i64:
        """The bytes that it takes."""
        return OBJECTS + self.outgoing_bytes + self.session.memory()


@final
class ClientMemory:
    """What all connections take (bytes, in ``memory.clients``), and the largest of them."""

    def __init__(self, memory: MemoryLimit) -> None:
        self._memory = memory
        # maxmemory-clients in bytes; 0: none.
        self.limit: i64 = 0
        self._buckets: list[dict[Connection, None]] = []

    def choose(self, limit: i64, connections: list[Connection]) -> None:
        """From now on this is the limit for all together."""
        self.limit = limit
        self._buckets = []
        if limit:
            self._buckets = [{} for _ in range(_BUCKETS)]
        for connection in connections:
            connection.bucket = _NOWHERE
            self._place(connection)

    def weigh(self, connection: Connection) -> None:
        """To be called when something may have changed what a connection takes."""
        client = connection.client
        size: i64 = connection.memory()
        if size != client.memory:
            self._memory.clients += size - client.memory
            client.memory = size
        elif connection.spared == client.no_evict:
            return
        if self.limit:
            self._place(connection)

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self._memory.clients -= connection.client.memory
        connection.client.memory = 0
        if connection.bucket != _NOWHERE:
            del self._buckets[connection.bucket][connection]
            connection.bucket = _NOWHERE

    def exceeded(self) -> bool:
        """Whether they take too much."""
        return self.limit != 0 and self._memory.clients >= self.limit

    def largest(self) -> Connection | None:
        """One of those that take most, and may be evicted."""
        for bucket in reversed(self._buckets):
            for connection in bucket:
                return connection
        return None

    def _place(self, connection: Connection) -> None:
        """Puts a connection where it belongs."""
        connection.spared = connection.client.no_evict
        place = _NOWHERE if connection.spared or not self.limit else bucket_of(connection.client.memory)
        if place == connection.bucket:
            return
        if connection.bucket != _NOWHERE:
            del self._buckets[connection.bucket][connection]
        if place != _NOWHERE:
            self._buckets[place][connection] = None
        connection.bucket = place


def bucket_of(size: i64) -> int:
    """The number of the bucket for what takes so many bytes."""
    return max(0, min(int(size).bit_length() - _FIRST_BITS, _BUCKETS - 1))
