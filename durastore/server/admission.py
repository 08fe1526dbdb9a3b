"""Who may connect: maxclients, protected mode, and what an accepted connection is like."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

from durastore.commands.client import Client
from durastore.config import table as directives
from durastore.engine.session import Session
from durastore.server.connection import Connection
from durastore.server.hub import Gatekeeper, format_address

if TYPE_CHECKING:
    from durastore.server.server import Server

_PROTECTED = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    b"default user. In this mode connections are only accepted from the loopback interface. If you want to connect "
    b"from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode "
    b"sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the "
    b"same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. "
    b"Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by "
    b"editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the "
    b"server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' "
    b"option. 4) Set up an authentication password for the default user. NOTE: You only need to do one of the above "
    b"things in order for the server to start accepting connections from the outside.\r\n"
)
_TOO_MANY = b"-ERR max number of clients reached\r\n"


class Admission(Gatekeeper):
    """Makes connections out of accepted sockets: maxclients, protected mode, keep-alive."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._next_id = 1
        self.received = 0
        self.rejected = 0

    def admit(self, sock: socket.socket, address: str, unix_socket: bool) -> Connection | None:
        """See Gatekeeper."""
        server = self._server
        config = server.config
        if len(server.hub.connections) >= config[directives.MAX_CLIENTS]:
            self._refuse(sock, _TOO_MANY)
            return None
        if (
            not unix_socket
            and config[directives.PROTECTED_MODE]
            and server.engine.instance.access.default.needs_no_password
            and not _is_loopback(sock.getpeername()[0])
        ):
            self._refuse(sock, _PROTECTED)
            return None
        if not unix_socket:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            seconds = config[directives.TCP_KEEPALIVE]
            if seconds:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(seconds // 3, 1))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        client = self.new_client()
        client.descriptor = sock.fileno()
        client.unix_socket = unix_socket
        client.local = unix_socket or _is_loopback(sock.getpeername()[0])
        if unix_socket:
            client.address = f"{config.resolve(config[directives.UNIX_SOCKET])}:0"
            client.local_address = client.address
        else:
            client.address = address
            client.local_address = format_address(sock.getsockname())
        self.received += 1
        session = Session(
            server.engine, client, config[directives.PROTO_MAX_BULK_LEN], config[directives.CLIENT_QUERY_BUFFER_LIMIT]
        )
        return Connection(sock, session)

    def new_client(self) -> Client:
        """A client without a socket yet."""
        server = self._server
        client = Client(self._next_id, server.engine.instance)
        self._next_id += 1
        client.become_stranger()
        client.created = client.last_interaction = int(time.time() * 1000)
        return client

    def _refuse(self, sock: socket.socket, message: bytes) -> None:
        self.rejected += 1
        with contextlib.suppress(OSError):
            sock.send(message)


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host in ("::1", "::ffff:127.0.0.1")
