"""Listening sockets: where the configuration wants them, at the start and when it changes."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from durastore.config import Config, ConfigError
from durastore.config import table as directives
from durastore.config.tls import TLS_PORT

if TYPE_CHECKING:
    from durastore.server.server import Server

log = logging.getLogger("durastore.server")

_NO_LISTENER: Final = "Unable to listen on this port. Check server logs."
_NOT_BOUND: Final = "Failed to bind to specified addresses."
_WILDCARDS = {"*": "0.0.0.0", "::*": "::"}


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


class Listeners:
    """The listening sockets of one server; the hub and ``TlsListeners`` accept on them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        config = server.config
        config.on_change(directives.PORT, lambda value: self._listen_again(_NO_LISTENER))
        config.on_change(TLS_PORT, lambda value: self._tls_port_changed())
        config.on_change(directives.BIND, lambda value: self._listen_again(_NOT_BOUND))

    def open(self) -> None:
        """Listens where the configuration says; raises ListenError."""
        for sock in open_listeners(self._server.config, {}):
            self._listen_on(sock)

    def remove_unix_socket(self) -> None:
        """Removes the file of the Unix socket."""
        config = self._server.config
        if config[directives.UNIX_SOCKET]:
            try:
                os.unlink(config.resolve(config[directives.UNIX_SOCKET]))
            except OSError as error:
                log.warning("cannot remove the Unix socket: %s", error)

    def _tls_port_changed(self) -> None:
        self._server.tls.settings_changed()
        self._listen_again(_NO_LISTENER)

    def _listen_on(self, sock: socket.socket) -> None:
        server = self._server
        if sock.family != socket.AF_UNIX and sock.getsockname()[1] == server.config[TLS_PORT]:
            server.tls.listen(sock)
        else:
            server.hub.listen(sock)

    def _stop_listening_on(self, sock: socket.socket) -> None:
        server = self._server
        if sock in server.tls.listening:
            server.tls.stop_listening_on(sock)
        else:
            server.hub.stop_listening_on(sock)

    def _listen_again(self, complaint: str) -> None:
        """Listens where the configuration says by now, and nowhere else; raises ConfigError with the complaint."""
        server = self._server
        old = {sock.getsockname(): sock for sock in [*server.hub.listeners.values(), *server.tls.listening]}
        try:
            wanted = self._reopened(old)
        except ListenError as error:
            log.error("%s", error)
            raise ConfigError(complaint) from error
        for sock in old.values():
            if sock.fileno() != -1 and sock not in wanted:
                self._stop_listening_on(sock)
        for sock in wanted:
            if sock not in old.values():
                self._listen_on(sock)

    def _reopened(self, old: dict[object, socket.socket]) -> list[socket.socket]:
        """The sockets that are wanted by now, open; some of them may be old ones.  Raises ListenError."""
        server = self._server
        config = server.config
        try:
            return open_listeners(config, old)
        except ListenError:
            # A socket on all interfaces is in the way of one on a certain interface, and the other way round.
            names = [name for name in old if isinstance(name, tuple)]
            encrypted = [name for name in names if old[name] in server.tls.listening]
            for name in names:
                self._stop_listening_on(old[name])
            try:
                return open_listeners(config, {name: sock for name, sock in old.items() if name not in names})
            except ListenError:
                for name in names:
                    again = open_tcp(name[0], name[1], config[directives.TCP_BACKLOG], False)
                    if again is not None:
                        (server.tls if name in encrypted else server.hub).listen(again)
                raise
