"""HTTP for those who watch the server: /metrics, /healthz and /readyz.

It is apart from clients' connections: tasks of trio, few at a time, that h11 tells what was asked.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Final

import h11
import trio

from durastore.config import ConfigError
from durastore.config.operations import HTTP_BIND, HTTP_PORT
from durastore.server.listeners import ListenError, open_port

if TYPE_CHECKING:
    from types import ModuleType

    from durastore.server.server import Server

log = logging.getLogger("durastore.server")

# So many connections at a time; others wait to be accepted.
MOST_CONNECTIONS: Final = 16
# A request must have come, and its answer have been taken, within so many seconds.
PATIENCE: Final = 10
_LARGEST_HEAD: Final = 16 * 1024
_RECEIVE: Final = 16 * 1024
_PLAIN: Final = "text/plain; charset=utf-8"


class _Answer:
    def __init__(self, status: int, body: bytes, content_type: str = _PLAIN) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type


def unready(server: Server) -> list[str]:
    """Why the server is not to be relied upon at this moment; nothing where it is."""
    reasons: list[str] = []
    if server.engine.loading:
        reasons.append("the dataset is being loaded")
    refusal = server.engine.write_refusal
    if refusal is not None:
        reasons.append("writes are refused: " + refusal.decode("utf-8", "replace"))
    if server.debts.save.overdue:
        reasons.append("the last good snapshot is older than rdb-save-age-warning")
    if server.debts.fsync.overdue:
        reasons.append("the last good fsync is longer ago than aof-fsync-age-warning")
    return reasons


class Http:
    """The HTTP side of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sockets: list[socket.socket] = []
        self._changed = trio.Event()
        self._limit = trio.CapacityLimiter(MOST_CONNECTIONS)
        self._metrics: ModuleType | None = None
        server.config.on_change(HTTP_PORT, lambda value: self._reopen())
        server.config.on_change(HTTP_BIND, lambda value: self._reopen())

    def open(self) -> None:
        """Binds what the configuration asks for.  Raises ListenError."""
        config = self._server.config
        port = config[HTTP_PORT]
        old = {sock.getsockname(): sock for sock in self._sockets}
        wanted = open_port(config, config[HTTP_BIND], port, "HTTP", old) if port and config[HTTP_BIND] else []
        for sock in self._sockets:
            if sock not in wanted:
                _close(sock)
        self._sockets = wanted
        if wanted:
            # Prometheus's library takes longer to import than the rest of HTTP: only who asks for HTTP starts with it.
            from durastore.server import metrics

            self._metrics = metrics
        self._changed.set()

    def _reopen(self) -> None:
        try:
            self.open()
        except ListenError as error:
            log.error("%s", error)
            raise ConfigError("Unable to listen on this port. Check server logs.") from error

    def close(self) -> None:
        """Listens no more."""
        for sock in self._sockets:
            _close(sock)
        self._sockets = []

    async def run(self) -> None:
        """Serves until it is cancelled."""
        async with trio.open_nursery() as handlers:
            while True:
                self._changed = trio.Event()
                async with trio.open_nursery() as listening:
                    for sock in self._sockets:
                        listening.start_soon(self._accept, sock, handlers)
                    await self._changed.wait()
                    listening.cancel_scope.cancel()

    async def _accept(self, listener: socket.socket, handlers: trio.Nursery) -> None:
        listener.setblocking(False)
        while True:
            await self._limit.acquire_on_behalf_of(ticket := object())
            try:
                sock = await _next(listener)
            except trio.ClosedResourceError:
                self._limit.release_on_behalf_of(ticket)
                return
            except BaseException:
                self._limit.release_on_behalf_of(ticket)
                raise
            handlers.start_soon(self._serve, sock, ticket)

    async def _serve(self, sock: socket.socket, ticket: object) -> None:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
        try:
            while True:
                with trio.fail_after(PATIENCE):
                    if not await self._serve_request(stream, connection):
                        break
        except (trio.TooSlowError, trio.BrokenResourceError, h11.LocalProtocolError):
            # The peer is slow, or gone.
            pass
        except Exception:
            # Whoever watches must not end what is watched.
            log.exception("unexpected error in an HTTP request")
        finally:
            self._limit.release_on_behalf_of(ticket)
            await trio.aclose_forcefully(stream)

    async def _serve_request(self, stream: trio.SocketStream, connection: h11.Connection) -> bool:
        """Answers one request; whether there may be another."""
        try:
            request = await _next_request(stream, connection)
            if request is None:
                return False
            answer = await self._answer(request)
            head_only = request.method == b"HEAD"
        except h11.RemoteProtocolError as error:
            answer, head_only = _Answer(error.error_status_hint, f"{error}\n".encode()), False
        headers = [
            ("content-type", answer.content_type),
            ("content-length", str(len(answer.body))),
            ("cache-control", "no-store"),
        ]
        if answer.status == 405:
            headers.append(("allow", "GET, HEAD"))
        out = connection.send(h11.Response(status_code=answer.status, headers=headers)) or b""
        if not head_only:
            out += connection.send(h11.Data(data=answer.body)) or b""
        await stream.send_all(out + (connection.send(h11.EndOfMessage()) or b""))
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return False
        connection.start_next_cycle()
        return True

    async def _answer(self, request: h11.Request) -> _Answer:
        if request.method not in (b"GET", b"HEAD"):
            return _Answer(405, b"Only GET and HEAD are known here.\n")
        path = request.target.partition(b"?")[0]
        if path == b"/metrics" and (metrics := self._metrics) is not None:
            taken = metrics.take_metrics(self._server)
            # To write them down takes longer than a request of a client should wait.
            return _Answer(200, await trio.to_thread.run_sync(metrics.render, taken), metrics.CONTENT_TYPE)
        if path == b"/healthz":
            return _Answer(200, b"ok\n")
        if path == b"/readyz":
            reasons = unready(self._server)
            if not reasons:
                return _Answer(200, b"ok\n")
            return _Answer(503, "".join(f"{reason}\n" for reason in reasons).encode())
        return _Answer(404, b"There are /metrics, /healthz and /readyz.\n")


def _close(sock: socket.socket) -> None:
    trio.lowlevel.notify_closing(sock)
    sock.close()


async def _next(listener: socket.socket) -> socket.socket:
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            return listener.accept()[0]
        except BlockingIOError:
            continue
        except OSError as error:
            log.warning("cannot accept a connection: %s", error.strerror)
            await trio.sleep(0.1)


async def _next_request(stream: trio.SocketStream, connection: h11.Connection) -> h11.Request | None:
    """The next request with its body passed over, or None where the peer has left."""
    request: h11.Request | None = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                # Nothing that is asked for here takes a body.
                return request
            connection.receive_data(await stream.receive_some(_RECEIVE))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.EndOfMessage):
            return request
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            return None
