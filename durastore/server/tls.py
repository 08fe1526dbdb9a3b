"""Encrypted connections (TLS).

A task for each new connection sees the handshake through; then the hub serves its socket as it serves any other, and so
everything is the same for its client.  A record of TLS holds at most as much as the hub receives at once, so nothing
that has arrived ever waits within OpenSSL, where no epoll would tell of it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
from typing import TYPE_CHECKING, Final, final

import trio

from durastore.config import Config, ConfigError, tls
from durastore.config import table as directives
from durastore.server.hub import ACCEPTS_PER_TURN, RECEIVE, format_address
from durastore.server.logs import VERBOSE

if TYPE_CHECKING:
    from durastore.server.server import Server

log = logging.getLogger("durastore.server")

# A peer that has not ended its handshake after so many seconds is cut off.
HANDSHAKE_SECONDS: Final = 10
# The most that a record holds.
_RECORD: Final = 16 * 1024
# So many records are taken at a time while a large value arrives.
_RECORDS: Final = 16
_VERSIONS: Final = {
    "tlsv1": ssl.OP_NO_TLSv1,
    "tlsv1.1": ssl.OP_NO_TLSv1_1,
    "tlsv1.2": ssl.OP_NO_TLSv1_2,
    "tlsv1.3": ssl.OP_NO_TLSv1_3,
}
_VERIFY: Final = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "yes": ssl.CERT_REQUIRED}
_UNUSABLE: Final = "Unable to update TLS configuration. Check server logs."

assert RECEIVE >= _RECORD


class TlsError(Exception):
    """The configuration of TLS cannot be used; the text says why."""


@final
class TlsSocket(ssl.SSLSocket):
    """A socket behind a handshake, which tells as a plain one does that it has nothing, or takes nothing, for now."""

    def recv(self, size: int = RECEIVE, flags: int = 0) -> bytes:
        """At least one record where one is there; several where so much is asked for."""
        data = self._record()
        if size <= _RECORD or len(data) < _RECORD:
            return data
        records = [data]
        while len(data) == _RECORD and len(records) < _RECORDS:
            try:
                data = self._record()
            except OSError:
                # The next call meets it again.
                break
            records.append(data)
        return b"".join(records)

    def _record(self) -> bytes:
        try:
            return super().recv(_RECORD)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError(errno.EAGAIN, "no whole record") from None

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        """The number of bytes that were taken."""
        try:
            return super().send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError(errno.EAGAIN, "no room") from None

    def close(self) -> None:
        """Tells the peer that this is the end, and not an attacker's cut; does not wait for its answer."""
        with contextlib.suppress(OSError, ValueError):
            self.unwrap()
        super().close()


def make_context(config: Config) -> ssl.SSLContext:
    """What new connections are to be like.  Raises TlsError."""
    certificate, key = config[tls.TLS_CERT_FILE], config[tls.TLS_KEY_FILE]
    authorities, folder = config[tls.TLS_CA_CERT_FILE], config[tls.TLS_CA_CERT_DIR]
    wanted = config[tls.TLS_AUTH_CLIENTS]
    if not certificate:
        raise TlsError("No tls-cert-file configured!")
    if not key:
        raise TlsError("No tls-key-file configured!")
    if wanted != "no" and not authorities and not folder:
        raise TlsError(
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or "
            "tls-auth-clients are enabled!"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = TlsSocket
    context.verify_mode = _VERIFY[wanted]
    _choose_versions(context, config[tls.TLS_PROTOCOLS])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_SINGLE_DH_USE
    if config[tls.TLS_PREFER_SERVER_CIPHERS]:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if not config[tls.TLS_SESSION_CACHING]:
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    _load_files(context, config)
    _choose_ciphers(context, config)
    return context


def _load_files(context: ssl.SSLContext, config: Config) -> None:
    certificate, key = config.resolve(config[tls.TLS_CERT_FILE]), config.resolve(config[tls.TLS_KEY_FILE])
    authorities, folder = config[tls.TLS_CA_CERT_FILE], config[tls.TLS_CA_CERT_DIR]
    try:
        # The password is given in any case: without one Python would ask the terminal.
        context.load_cert_chain(certificate, key, lambda: config[tls.TLS_KEY_FILE_PASS])
    except (OSError, ValueError) as error:
        raise TlsError(f"Failed to load certificate {certificate} with private key {key}: {error}") from error
    if authorities or folder:
        try:
            context.load_verify_locations(
                config.resolve(authorities) if authorities else None, config.resolve(folder) if folder else None
            )
        except (OSError, ValueError) as error:
            raise TlsError(f"Failed to configure CA certificate(s) file/directory: {error}") from error
    parameters = config[tls.TLS_DH_PARAMS_FILE]
    if parameters:
        try:
            context.load_dh_params(config.resolve(parameters))
        except (OSError, ValueError) as error:
            raise TlsError(f"Failed to load DH params file: {parameters}: {error}") from error


def _choose_versions(context: ssl.SSLContext, words: str) -> None:
    chosen = set(words.lower().split()) or {"tlsv1.2", "tlsv1.3"}
    if not chosen <= _VERSIONS.keys():
        raise TlsError(
            "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'."
        )
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    for name, excluded in _VERSIONS.items():
        if name not in chosen:
            context.options |= excluded


def _choose_ciphers(context: ssl.SSLContext, config: Config) -> None:
    ciphers, suites = config[tls.TLS_CIPHERS], config[tls.TLS_CIPHERSUITES]
    try:
        if ciphers:
            context.set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise TlsError(f"Failed to configure ciphers: {ciphers}") from error
    if suites:
        choose = getattr(context, "set_ciphersuites", None)
        if choose is None:
            raise TlsError(f"Failed to configure ciphersuites: {suites}: this version of Python cannot choose them")
        try:
            choose(suites)
        except ssl.SSLError as error:
            raise TlsError(f"Failed to configure ciphersuites: {suites}") from error


class TlsListeners:
    """The encrypted listening sockets of one server, and handshakes under way."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._context: ssl.SSLContext | None = None
        self._nursery: trio.Nursery | None = None
        self.listening: list[socket.socket] = []
        self.handshakes = 0
        for directive in tls.CONTEXT:
            server.config.on_change(directive, lambda value: self.settings_changed())

    def open(self, nursery: trio.Nursery) -> None:
        """Handshakes are tasks of this nursery from now on."""
        self._nursery = nursery

    def configure(self) -> None:
        """Makes the context for new connections, where TLS is wanted.  Raises TlsError."""
        if self._server.config[tls.TLS_PORT]:
            self._context = make_context(self._server.config)

    def settings_changed(self) -> None:
        """New connections are to be as the configuration says by now.  Raises ConfigError."""
        try:
            self.configure()
        except TlsError as error:
            log.warning("%s", error)
            raise ConfigError(_UNUSABLE) from error

    def listen(self, sock: socket.socket) -> None:
        """Serves a listening socket from now on."""
        sock.setblocking(False)
        self.listening.append(sock)
        self._server.hub.watch(sock.fileno(), lambda: self._accept(sock))

    def stop_listening_on(self, sock: socket.socket) -> None:
        """Closes one listening socket."""
        self.listening.remove(sock)
        self._server.hub.unwatch(sock.fileno())
        sock.close()

    def stop_listening(self) -> None:
        """Closes all of them."""
        for sock in list(self.listening):
            self.stop_listening_on(sock)

    def _accept(self, listener: socket.socket) -> None:
        hub = self._server.hub
        for _ in range(ACCEPTS_PER_TURN):
            accepted = hub.take(listener)
            if accepted is None:
                return
            sock, address = accepted
            if len(hub.connections) + self.handshakes >= self._server.config[directives.MAX_CLIENTS]:
                # Without a handshake there is no way to tell it anything.
                self._server.admission.rejected += 1
                sock.close()
                continue
            assert self._nursery is not None
            self.handshakes += 1
            self._nursery.start_soon(self._shake_hands, sock, format_address(address))

    async def _shake_hands(self, plain: socket.socket, address: str) -> None:
        sock: socket.socket | None = plain
        try:
            assert self._context is not None
            wrapped = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            sock = wrapped
            with trio.fail_after(HANDSHAKE_SECONDS):
                await _handshake(wrapped)
            sock = None
            self._server.hub.adopt(wrapped, address, False)
        except (OSError, ValueError, trio.TooSlowError) as error:
            reason = "the handshake took too long" if isinstance(error, trio.TooSlowError) else error
            log.log(VERBOSE, "Error accepting a client connection: %s (addr=%s)", reason, address)
        finally:
            self.handshakes -= 1
            if sock is not None:
                sock.close()


async def _handshake(sock: ssl.SSLSocket) -> None:
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            await trio.lowlevel.wait_readable(sock)
        except ssl.SSLWantWriteError:
            await trio.lowlevel.wait_writable(sock)
        else:
            return
