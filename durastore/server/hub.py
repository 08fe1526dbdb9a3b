"""The hub: serves every ready socket of a wake, in one pass.

A wake is: receive and run what the ready sockets sent, append the wake's journal to the log once, then send the
replies.  Replies leave after the log has taken the effects, and with ``appendfsync always`` after these are on disk.
The hub waits on one epoll object, whose own descriptor a trio task waits for (``durastore.server.reactor``).
"""

from __future__ import annotations

import errno
import logging
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from durastore.commands.client import Client
from durastore.commands.client_line import describe
from durastore.engine.blocking import Blockable
from durastore.engine.engine import Engine
from durastore.engine.journal import JournalSink
from durastore.server.connection import ClientMemory, Connection, OutputLimit

logger = logging.getLogger("durastore.server")

_READ: Final = select.EPOLLIN
_WRITE: Final = select.EPOLLOUT
_BROKEN: Final = select.EPOLLERR | select.EPOLLHUP | select.EPOLLRDHUP
RECEIVE: Final = 16 * 1024
RECEIVE_LARGE: Final = 1 << 20
# A connection that owes its peer more than this is not read from until the peer has taken some.
OUTPUT_LIMIT: Final = 1 << 20
ACCEPTS_PER_TURN: Final = 64
EVENTS_PER_TURN: Final = 1024


@mypyc_attr(allow_interpreted_subclasses=True)
class Gatekeeper:
    """Decides on new connections."""

    def admit(self, sock: socket.socket, address: str, unix_socket: bool) -> Connection | None:
        """The connection to serve, or None where it was refused (and told so)."""
        raise NotImplementedError


@final
class Gated:
    """Replies that may leave once the log is durable up to ``offset``."""

    def __init__(self, offset: int, connection: Connection, data: bytes) -> None:
        self.offset = offset
        self.connection = connection
        self.data = data


@final
class Hub:
    """All plain sockets of a server."""

    def __init__(self, engine: Engine, log: JournalSink, gatekeeper: Gatekeeper) -> None:
        self.engine = engine
        self.log = log
        self.gatekeeper = gatekeeper
        self.epoll = select.epoll()
        self.poll = self.epoll.poll
        # Unix nanoseconds.
        self.clock: Callable[[], int] = time.time_ns
        self.connections: dict[int, Connection] = {}
        self.listeners: dict[int, socket.socket] = {}
        self.watched: dict[int, Callable[[], None]] = {}
        self.touched: list[Connection] = []
        self.gate: deque[Gated] = deque()
        # How many of those who were answered by the last fsync have not come back yet.
        self.awaited: i64 = 0
        self.resumable: list[Connection] = []
        # Whose requests CLIENT PAUSE holds back, in the order in which they came.
        self.held: dict[Connection, None] = {}
        self.normal_limit = OutputLimit(0, 0, 0)
        self.pubsub_limit = OutputLimit(0, 0, 0)
        self.memory = ClientMemory(engine.memory)
        # Whoever owes more than the soft limit of its class.
        self.over_soft: dict[Connection, None] = {}
        self.evicted: i64 = 0
        self._warned_of_clients = False
        self.bytes_in: i64 = 0
        self.bytes_out: i64 = 0
        self.wakes: i64 = 0
        # When the present wake began, and how much time was spent in wakes, in nanoseconds.
        self.woken: i64 = 0
        self.busy: i64 = 0
        self.reads: i64 = 0
        self.writes: i64 = 0

    def listen(self, sock: socket.socket) -> None:
        """Serves a listening socket from now on."""
        sock.setblocking(False)
        self.listeners[sock.fileno()] = sock
        self.epoll.register(sock.fileno(), _READ)

    def stop_listening(self) -> None:
        """Closes all listening sockets."""
        for fd, sock in self.listeners.items():
            self.epoll.unregister(fd)
            sock.close()
        self.listeners = {}

    def stop_listening_on(self, sock: socket.socket) -> None:
        """Closes one listening socket."""
        del self.listeners[sock.fileno()]
        self.epoll.unregister(sock.fileno())
        sock.close()

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        """Calls ``ready`` in each wake in which the descriptor is readable."""
        self.watched[fd] = ready
        self.epoll.register(fd, _READ)

    def unwatch(self, fd: int) -> None:
        """Takes ``watch`` back."""
        del self.watched[fd]
        self.epoll.unregister(fd)

    def has_own_work(self) -> bool:
        """Whether the next wake has something to do even if no socket is ready."""
        return len(self.resumable) > 0 or len(self.touched) > 0 or self.log.gathers()

    def serve(self, patience: float, limit: float) -> None:
        """Wakes until nothing comes within ``patience``, or ``limit`` has passed (both in seconds)."""
        start: i64 = self.clock()
        end: i64 = start + int(limit * 1e9)
        now: i64 = start
        # A clock that is set back ends the turn.
        while start <= now < end and self.turn(patience):
            now = self.clock()
            self.busy += now - self.woken

    def turn(self, patience: float) -> bool:
        """One wake; False where nothing was there to do, and nothing came within so many seconds."""
        events = self.poll(0.0 if self.resumable or self.touched else patience, EVENTS_PER_TURN)
        if not events and not self.resumable and not self.touched:
            if not self.log.gathers():
                return False
            self.log.gathered()
            return True
        # After the wait: nothing is dated before it was sent.
        self.woken = self.clock()
        now: i64 = self.woken // 1_000_000
        self.engine.begin_wake(now)
        self.wakes += 1
        if self.resumable:
            self._resume()
        connections = self.connections
        touched = self.touched
        journal = self.engine.journal
        ready: list[int] = []
        for fd, mask in events:
            connection = connections.get(fd)
            if connection is None:
                if fd in self.watched:
                    ready.append(fd)
                else:
                    self._accept(fd)
                continue
            bits: i64 = mask
            if bits & _READ:
                session = connection.session
                try:
                    data = connection.receive(RECEIVE if session.parser.pieces_missing == 0 else RECEIVE_LARGE)
                except BlockingIOError:
                    continue
                except OSError:
                    self.drop(connection)
                    continue
                size: i64 = len(data)
                if size == 0:
                    self.drop(connection)
                    continue
                self.reads += 1
                self.bytes_in += size
                before: i64 = len(journal.out)
                connection.client.last_interaction = now
                session.feed(data)
                if len(journal.out) != before:
                    connection.wrote = True
                if not connection.touched:
                    connection.touched = True
                    touched.append(connection)
            elif bits & _BROKEN:
                self.drop(connection)
                continue
            if bits & _WRITE and not connection.closed:
                self._drain(connection)
        self.finish(now)
        # After the wake's journal was appended, so that an fsync that has ended is followed by one for that as well.
        for fd in ready:
            self._call(fd)
        return True

    def serve_busy(self) -> None:
        """Serves what has arrived while a script runs in the present wake; others hear that the server is busy.

        Nothing is appended to the log, and the script's own connection waits.  Who has replies of this wake, or of
        earlier ones that wait for the disk, gets these first, and so hears nothing until the wake ends.
        """
        caller = self.engine.programs.runner.caller
        for fd, mask in self.poll(0.0, EVENTS_PER_TURN):
            connection = self.connections.get(fd)
            if connection is None:
                if fd in self.listeners:
                    self._accept(fd)
                continue
            if connection.client is caller:
                continue
            waits = connection.touched or connection.gated > 0
            bits: i64 = mask
            if bits & _READ:
                self._receive(connection)
            elif bits & _BROKEN:
                self.drop(connection)
            if connection.closed:
                continue
            if bits & _WRITE:
                self._drain(connection)
            if waits:
                self.touch(connection)
            else:
                self._flush(connection, False)

    def _receive(self, connection: Connection) -> None:
        """Reads once, and runs what is complete."""
        try:
            data = connection.receive(RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.drop(connection)
            return
        self.reads += 1
        self.bytes_in += len(data)
        connection.client.last_interaction = self.engine.instance.now
        connection.session.feed(data)

    def finish(self, now: i64) -> None:
        """Appends the wake's journal, then sends what it replied."""
        journal = self.engine.journal
        if self.engine.tracking.active:
            self.engine.tracking.after(0)
            self.engine.tracking.broadcast()
            self.engine.deliver()
        if self.engine.receivers:
            self._touch_receivers()
        touched = self.touched
        if len(journal.out) > 0 and not self.log.append(journal.take(), now):
            # Nobody may take a failed write for a done one: who wrote in this wake hears nothing, and is cut off.
            for connection in touched:
                if connection.wrote:
                    connection.client.reply.take()
                    self.drop(connection)
        if touched:
            self.touched = []
            self.awaited -= len(touched)
            gated = len(self.gate) > 0 or self.log.wait_for_disk()
            for connection in touched:
                connection.touched = False
                connection.client.unlogged = False
                if connection.wrote:
                    connection.wrote = False
                    connection.client.log_offset = self.log.appended()
                if not connection.closed:
                    self._flush(connection, gated)
            if self.engine.blocking.for_log:
                self._look_after_log()
        if self.awaited <= 0 and self.log.gathers():
            self.log.gathered()
        if self.memory.exceeded():
            self._evict_clients()

    def _touch_receivers(self) -> None:
        """Has the output of those seen to who got messages from others."""
        for receiver in self.engine.receivers:
            assert isinstance(receiver, Client)
            connection = self.connections.get(receiver.descriptor)
            if connection is not None and connection.client is receiver:
                self.touch(connection)
        self.engine.receivers.clear()

    def touch(self, connection: Connection) -> None:
        """Has a connection's output, or its end, seen to in the next wake."""
        if not connection.touched and not connection.closed:
            connection.touched = True
            self.touched.append(connection)

    def _flush(self, connection: Connection, gated: bool) -> None:
        session = connection.session
        data = session.take_output()
        if session.output_full and connection.outgoing_bytes + len(data) <= OUTPUT_LIMIT * 2:
            self._go_on(connection)
        if session.held:
            if session.waiting is None:
                self.held[connection] = None
            self._set_interest(connection)
        elif not connection.interest & _READ:
            self._set_interest(connection)
        if data:
            if self._too_much(connection, len(data)):
                self._cut_off(connection, len(data))
                return
            if gated:
                self.gate.append(Gated(self.log.appended(), connection, data))
                connection.gated += 1
                connection.outgoing_bytes += len(data)
            else:
                self._send(connection, data)
        if connection.client.closing and not connection.gated and not connection.outgoing:
            self.drop(connection)
        elif not connection.closed:
            self.memory.weigh(connection)

    def _too_much(self, connection: Connection, more: i64) -> bool:
        """Whether the peer is to be cut off, being owed so much more (client-output-buffer-limit)."""
        limit = self.normal_limit if connection.client.subscriptions is None else self.pubsub_limit
        owed: i64 = connection.outgoing_bytes + more
        if limit.hard and owed >= limit.hard:
            return True
        if not limit.soft or owed < limit.soft:
            if connection.over_soft_since:
                connection.over_soft_since = 0
                del self.over_soft[connection]
            return False
        now: i64 = self.engine.instance.now // 1000
        if connection.over_soft_since == 0:
            connection.over_soft_since = now
            self.over_soft[connection] = None
        return now - connection.over_soft_since > limit.seconds

    def look_after_owing(self) -> None:
        """Cuts off who has owed more than the soft limit for too long; to be called each second."""
        for connection in list(self.over_soft):
            if self._too_much(connection, 0):
                self._cut_off(connection, 0)

    def _cut_off(self, connection: Connection, more: i64) -> None:
        logger.warning(
            "Client %s closed for overcoming of output buffer limits: %d bytes are owed to it",
            connection.client.address,
            connection.outgoing_bytes + more,
        )
        self.drop(connection)

    def _evict_clients(self) -> None:
        """Cuts off the largest connections until all together take less than maxmemory-clients."""
        while self.memory.exceeded():
            connection = self.memory.largest()
            if connection is None:
                if not self._warned_of_clients:
                    logger.warning("Over client maxmemory after evicting all evictable clients")
                self._warned_of_clients = True
                return
            line = describe(connection.client, int(self.engine.instance.now))
            logger.info("Evicting client: %s", line.decode("latin-1"))
            self.evicted += 1
            self.drop(connection)
        self._warned_of_clients = False

    def _send(self, connection: Connection, data: bytes) -> None:
        size: i64 = len(data)
        if connection.outgoing:
            connection.outgoing.append(data)
            connection.outgoing_bytes += size
            return
        sent: i64 = 0
        try:
            sent = connection.send(data)
        except BlockingIOError:
            pass
        except OSError:
            self.drop(connection)
            return
        self.writes += 1
        self.bytes_out += sent
        if sent < size:
            connection.outgoing.append(data[sent:])
            connection.outgoing_bytes += size - sent
            self._set_interest(connection)
        elif connection.session.output_full and not connection.resuming:
            self._set_interest(connection)

    def _set_interest(self, connection: Connection) -> None:
        """Waits for room while output is owed, and reads on only while that is within bounds."""
        interest: i64 = 0
        waits_for_room = connection.session.output_full and not connection.resuming and connection.gated == 0
        if connection.outgoing or waits_for_room:
            interest = interest | _WRITE
        session = connection.session
        if session.held and session.parser.held() >= RECEIVE:
            # So much is read behind a request that waits, and no more; but the peer may leave.
            interest = interest | select.EPOLLRDHUP
        elif connection.outgoing_bytes <= OUTPUT_LIMIT and not connection.client.closing:
            interest = interest | _READ
        if interest != connection.interest:
            connection.interest = interest
            self.epoll.modify(connection.fd, interest)

    def _drain(self, connection: Connection) -> None:
        """The peer has room again."""
        outgoing = connection.outgoing
        while outgoing:
            data = outgoing[0]
            try:
                sent: i64 = connection.send(data)
            except BlockingIOError:
                break
            except OSError:
                self.drop(connection)
                return
            self.writes += 1
            self.bytes_out += sent
            connection.outgoing_bytes -= sent
            if sent < len(data):
                # Slicing a reply once for every half megabyte taken is cheap; a large reply stays one object.
                outgoing[0] = data[sent:]
                break
            outgoing.popleft()
        if not outgoing and connection.client.closing and not connection.gated:
            self.drop(connection)
            return
        if connection.session.output_full and connection.outgoing_bytes <= OUTPUT_LIMIT:
            self._go_on(connection)
        self._set_interest(connection)
        self.memory.weigh(connection)

    def _go_on(self, connection: Connection) -> None:
        """Has the next wake go on with a connection's pipeline."""
        if not connection.resuming:
            connection.resuming = True
            self.resumable.append(connection)

    def _resume(self) -> None:
        """Goes on with pipelines that had waited for room."""
        waiting = self.resumable
        self.resumable = []
        for connection in waiting:
            connection.resuming = False
            if not connection.closed and not connection.session.held:
                self._run_again(connection)

    def resume_held(self) -> None:
        """Runs what CLIENT PAUSE held back."""
        waiting = self.held
        self.held = {}
        for connection in waiting:
            # One of those before it may have killed it, or taken so long that its peer has left.
            if not connection.client.closing:
                self._run_again(connection)
                self._set_interest(connection)

    def _run_again(self, connection: Connection) -> None:
        before = len(self.engine.journal.out)
        connection.session.resume()
        if len(self.engine.journal.out) != before:
            connection.wrote = True
        self.touch(connection)

    def wake(self, session: Blockable) -> None:
        """A blocked session was served, or its time is up: sends its reply, and goes on with its requests."""
        connection = self.connections.get(session.client.descriptor)
        if connection is not None and connection.session is session:
            # What served it is in this wake's journal.
            connection.wrote = True
            self.touch(connection)
            if not connection.session.parser.at_boundary():
                self._go_on(connection)

    def time_out(self, now: i64) -> None:
        """Ends the waits of blocked clients whose time is up."""
        self.engine.begin_wake(now)
        blocking = self.engine.blocking
        blocking.time_out(now)
        if blocking.for_log:
            blocking.serve_log(self.log.durable_offset())
        self.finish(now)

    def _look_after_log(self) -> None:
        """Has ``time_out`` called soon where somebody waits for what the log has reached."""
        blocking = self.engine.blocking
        if blocking.log_reaches(self.log.durable_offset()):
            blocking.waker.wake_at(int(self.engine.instance.now))

    def release(self, durable: int) -> None:
        """Sends the replies that waited for the log to be durable up to this offset."""
        if self.engine.blocking.for_log:
            self._look_after_log()
        gate = self.gate
        self.awaited = 0
        while gate and gate[0].offset <= durable:
            gated = gate.popleft()
            connection = gated.connection
            connection.gated -= 1
            connection.outgoing_bytes -= len(gated.data)
            if connection.closed:
                continue
            if connection.gated == 0:
                self.awaited += 1
            self._send(connection, gated.data)
            if connection.client.closing and not connection.gated and not connection.outgoing:
                self.drop(connection)
            elif not connection.closed:
                self.memory.weigh(connection)

    def abandon(self) -> None:
        """Cuts off who waits for the disk: it failed, and their writes must not be taken for durable."""
        gate = self.gate
        while gate:
            gated = gate.popleft()
            gated.connection.gated -= 1
            self.drop(gated.connection)

    def _call(self, fd: int) -> None:
        ready = self.watched.get(fd)
        if ready is not None:
            ready()

    def _accept(self, fd: int) -> None:
        listener = self.listeners.get(fd)
        if listener is None:
            return
        for _ in range(ACCEPTS_PER_TURN):
            accepted = self.take(listener)
            if accepted is None:
                return
            sock, address = accepted
            unix_socket = sock.family == socket.AF_UNIX
            self.adopt(sock, "" if unix_socket else format_address(address), unix_socket)

    def take(self, listener: socket.socket) -> tuple[socket.socket, object] | None:
        """The next connection that has come, and its peer's address; None where there is none to be had."""
        while True:
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    logger.warning("cannot accept a connection: %s", error.strerror)
                    return None
                continue
            sock.setblocking(False)
            return sock, address

    def adopt(self, sock: socket.socket, address: str, unix_socket: bool) -> None:
        """Serves a connection from now on, unless it is not admitted."""
        connection = self.gatekeeper.admit(sock, address, unix_socket)
        if connection is None:
            sock.close()
            return
        self.connections[connection.fd] = connection
        connection.interest = _READ
        self.memory.weigh(connection)
        self.epoll.register(connection.fd, _READ)

    def drop(self, connection: Connection) -> None:
        """Closes a connection at once."""
        if connection.closed:
            return
        connection.closed = True
        connection.client.closing = True
        connection.session.disconnect()
        del self.connections[connection.fd]
        self.epoll.unregister(connection.fd)
        connection.sock.close()
        connection.outgoing.clear()
        self.memory.forget(connection)
        self.held.pop(connection, None)
        if connection.over_soft_since:
            del self.over_soft[connection]

    def close(self) -> None:
        """Closes everything."""
        for connection in list(self.connections.values()):
            self.drop(connection)
        self.stop_listening()
        self.epoll.close()


def format_address(address: object) -> str:
    """``host:port`` as CLIENT LIST shows it."""
    assert isinstance(address, tuple)
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
