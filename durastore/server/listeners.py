"""Listening sockets, and who may connect to them."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import stat
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from durastore.commands.client import Client
from durastore.config import table as directives
from durastore.config.tls import TLS_PORT
from durastore.engine.session import Session
from durastore.server.connection import Connection
from durastore.server.hub import Gatekeeper, format_address

if TYPE_CHECKING:
    from durastore.config import Config
    from durastore.server.server import Server

log = logging.getLogger("durastore.server")

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
_WILDCARDS = {"*": "0.0.0.0", "::*": "::"}
_TOO_MANY = b"-ERR max number of clients reached\r\n"


class ListenError(Exception):
    """An address cannot be listened on; the text says which, and why."""


def open_listeners(config: Config, open_already: Mapping[object, socket.socket]) -> list[socket.socket]:
    """Binds all that ``bind``, ``port``, ``tls-port`` and ``unixsocket`` ask for.

    A socket of ``open_already`` (by its name) is taken again where its address is asked for.  An address with a leading
    ``-`` may be missing on this machine.  Raises ListenError.
    """
    opened: list[socket.socket] = []
    try:
        if config[directives.PORT]:
            opened += open_port(config, config[directives.BIND], config[directives.PORT], "TCP", open_already)
        if config[TLS_PORT]:
            opened += open_port(config, config[directives.BIND], config[TLS_PORT], "TLS", open_already)
        if config[directives.UNIX_SOCKET]:
            path = config.resolve(config[directives.UNIX_SOCKET])
            opened.append(open_already.get(path) or _open_unix(config, path))
    except ListenError:
        _close_new(opened, open_already)
        raise
    return opened


def open_port(
    config: Config, addresses: tuple[str, ...], port: int, kind: str, open_already: Mapping[object, socket.socket]
) -> list[socket.socket]:
    """The sockets of one port, on these addresses, of which ``open_already`` may have some.  Raises ListenError."""
    opened: list[socket.socket] = []
    try:
        for address in addresses:
            host = _WILDCARDS.get(address.removeprefix("-"), address.removeprefix("-"))
            there = open_already.get((host, port, *((0, 0) if ":" in host else ())))
            if there is None:
                there = open_tcp(host, port, config[directives.TCP_BACKLOG], address[0] == "-")
            if there is not None:
                opened.append(there)
        if not opened:
            raise ListenError(f"Failed listening on port {port} ({kind}), aborting.")
    except ListenError:
        _close_new(opened, open_already)
        raise
    return opened


def _close_new(opened: list[socket.socket], open_already: Mapping[object, socket.socket]) -> None:
    for sock in opened:
        if sock not in open_already.values():
            sock.close()


def open_tcp(host: str, port: int, backlog: int, optional: bool) -> socket.socket | None:
    """Listens on an address; None where it is optional and this machine does not have it.  Raises ListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(backlog)
    except OSError as error:
        if sock is not None:
            sock.close()
        reason = error.strerror or str(error)
        if optional and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
            return None
        raise ListenError(f"Could not create server TCP listening socket {host}:{port}: {reason}") from error
    return sock


def _open_unix(config: Config, path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        if config[directives.UNIX_SOCKET_PERM]:
            os.chmod(path, config[directives.UNIX_SOCKET_PERM])
        sock.listen(config[directives.TCP_BACKLOG])
    except OSError as error:
        sock.close()
        raise ListenError(f"Failed opening Unix socket {path}: {error.strerror or error}") from error
    return sock


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
