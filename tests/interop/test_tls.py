"""Encrypted connections: everything is as on plain ones, and certificates are what they must be."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import trustme

from support.resp import Closed, Connection, parse, request
from support.servers import Server, durastore_server, free_port, redis_tool

Starter = Callable[..., Server]
UNUSABLE = b"Unable to update TLS configuration. Check server logs.\r\n"


class Certificates:
    """An authority, and files with what it has issued."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.ca)
        self.server, self.server_key = self.issue("server", "localhost", "127.0.0.1")
        self.client, self.client_key = self.issue("client", "someone")

    def issue(self, name: str, *identities: str) -> tuple[Path, Path]:
        """A certificate and its key, in files of this name."""
        issued = self.authority.issue_cert(*identities)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)
        return certificate, key

    def directives(self, **others: str) -> dict[str, str]:
        return {
            "tls_port": str(free_port()),
            "tls_cert_file": str(self.server),
            "tls_key_file": str(self.server_key),
            "tls_ca_cert_file": str(self.ca),
            **others,
        }

    def context(self, certificate: bool = True) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if certificate:
            context.load_cert_chain(self.client, self.client_key)
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def tls_port(server: Server) -> int:
    return int(server.directives.get("tls-port") or server.call("CONFIG", "GET", "tls-port")[1])  # type: ignore[index]


def connect(server: Server, context: ssl.SSLContext, protocol: int = 2) -> Connection:
    sock = socket.create_connection(("127.0.0.1", tls_port(server)), timeout=10)
    connection = Connection(context.wrap_socket(sock, server_hostname="localhost"))
    if protocol == 3:
        assert connection.call("HELLO", 3).startswith(b"%")
    return connection


def refused(server: Server, context: ssl.SSLContext) -> bool:
    """Whether the server does not serve this peer; with TLSv1.3 a client hears of it when it reads."""
    try:
        with connect(server, context) as connection:
            return connection.call("PING") != b"+PONG\r\n"
    except (ssl.SSLError, ConnectionError, Closed):
        return True


@pytest.fixture
def encrypted(start_durastore: Starter, certificates: Certificates) -> Server:
    return start_durastore(appendonly="yes", appendfsync="always", **certificates.directives())


def test_requests_of_all_sizes(encrypted: Server, certificates: Certificates) -> None:
    with connect(encrypted, certificates.context()) as connection:
        for size in (0, 1, 16383, 16384, 16385, 1 << 20, 20 << 20):
            value = b"ab" * (size // 2) + b"x" * (size % 2)
            assert connection.call("SET", "k", value) == b"+OK\r\n"
            assert connection.call("GET", "k") == b"$%d\r\n%b\r\n" % (size, value)
        pipeline = b"".join(request("INCR", "n") for _ in range(20_000))
        # From one thread: to read and write at once is more than a client's SSLSocket stands. The server keeps reading,
        # as all replies together are below the limit for what it may owe.
        connection.send(pipeline)
        assert [connection.read() for _ in range(20_000)] == [b":%d\r\n" % (i + 1) for i in range(20_000)]
    encrypted.kill()
    encrypted.restart()
    assert encrypted.call("GET", "n") == b"20000"


def test_redis_py(encrypted: Server, certificates: Certificates) -> None:
    client = redis.Redis(
        port=tls_port(encrypted), ssl=True, ssl_ca_certs=str(certificates.ca), protocol=3,
        ssl_certfile=str(certificates.client), ssl_keyfile=str(certificates.client_key),
    )  # fmt: skip
    with client.pipeline(transaction=True) as pipeline:
        assert pipeline.set("a", 1).incr("a").execute() == [True, 2]
    heard = client.pubsub()
    heard.subscribe("news")
    assert heard.get_message(timeout=10)["type"] == "subscribe"
    assert client.publish("news", "x") == 1
    assert heard.get_message(timeout=10)["data"] == b"x"
    heard.close()
    client.close()


def test_redis_cli(encrypted: Server, certificates: Certificates) -> None:
    command = [
        *redis_tool("redis-cli"), "--tls", "-h", "localhost", "-p", str(tls_port(encrypted)), "--cacert",
        str(certificates.ca), "--cert", str(certificates.client), "--key", str(certificates.client_key),
    ]  # fmt: skip
    done = subprocess.run([*command, "set", "k", "v"], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("OK\n", "")
    many = b"".join(request("SET", f"k:{i}", i) for i in range(5000))
    done_pipe = subprocess.run([*command, "--pipe"], input=many, capture_output=True, timeout=60)
    assert b"errors: 0, replies: 5000" in done_pipe.stdout


def test_everything_works_as_on_plain_connections(encrypted: Server, certificates: Certificates) -> None:
    context = certificates.context()
    with (
        connect(encrypted, context, 3) as first,
        connect(encrypted, context) as second,
        encrypted.connect() as plain,
        connect(encrypted, context) as monitor,
    ):
        # Blocking, both ways.
        first.send(request("BLPOP", "q", 0))
        encrypted.until_info("clients", "blocked_clients", "1")
        plain.call("RPUSH", "q", "x")
        assert first.read() == b"*2\r\n$1\r\nq\r\n$1\r\nx\r\n"
        plain.send(request("BLPOP", "q", 0))
        encrypted.until_info("clients", "blocked_clients", "1")
        second.call("RPUSH", "q", "y")
        assert plain.read() == b"*2\r\n$1\r\nq\r\n$1\r\ny\r\n"
        assert second.call("BLPOP", "q", "0.01") == b"*-1\r\n"
        # Client-side caching.
        first.call("CLIENT", "TRACKING", "ON")
        first.call("GET", "seen")
        plain.call("SET", "seen", "1")
        assert first.read() == b">2\r\n$10\r\ninvalidate\r\n*1\r\n$4\r\nseen\r\n"
        # MONITOR.
        assert monitor.call("MONITOR") == b"+OK\r\n"
        second.call("ECHO", "hello")
        assert b'"ECHO" "hello"' in monitor.read()
        # CLIENT REPLY, PAUSE, LIST and KILL.
        second.send(request("CLIENT", "REPLY", "SKIP") + request("PING") + request("ECHO", "on"))
        assert second.read() == b"$2\r\non\r\n"
        plain.call("CLIENT", "PAUSE", "50", "WRITE")
        assert second.call("SET", "later", "1") == b"+OK\r\n"
        address = "{}:{}".format(*second.sock.getsockname())
        line = next(line for line in plain.value("CLIENT", "LIST").decode().splitlines() if f" addr={address} " in line)
        assert f" laddr=127.0.0.1:{tls_port(encrypted)} " in line
        assert encrypted.info("clients", "connected_clients") == "5"
        assert plain.call("CLIENT", "KILL", "ADDR", address) == b":1\r\n"
        with pytest.raises(Closed):
            second.read()
        assert first.call("QUIT") == b"+OK\r\n"
        with pytest.raises(Closed):
            first.read()
    listeners = parse(encrypted.connect().call("INFO", "server"))
    assert isinstance(listeners, bytes)
    assert b"name=tls,bind=127.0.0.1,port=%d" % tls_port(encrypted) in listeners


def test_limits_and_time_outs(start_durastore: Starter, certificates: Certificates) -> None:
    server = start_durastore(maxclients="3", timeout="1", **certificates.directives())
    context = certificates.context()
    with connect(server, context) as idle, server.connect() as one:
        one.call("PING")
        with connect(server, context) as two:
            assert two.call("PING") == b"+PONG\r\n"
            assert refused(server, context)
        with pytest.raises(Closed):
            idle.read()
    server = start_durastore(
        client_output_buffer_limit="pubsub 100000 0 0", **certificates.directives(), enable_debug_command="yes"
    )
    with connect(server, context) as slow, server.connect() as plain:
        slow.call("SUBSCRIBE", "c")
        deadline = time.monotonic() + 30
        while plain.call("PUBLISH", "c", b"x" * 500_000) == b":1\r\n":
            assert time.monotonic() < deadline
        assert server.info("clients", "connected_clients") == "2"


def test_a_peer_that_leaves_is_noticed(encrypted: Server, certificates: Certificates) -> None:
    context = certificates.context()
    waiting, cut = connect(encrypted, context), connect(encrypted, context)
    waiting.send(request("BLPOP", "q", 0))
    encrypted.until_info("clients", "blocked_clients", "1")
    # One with a last word, and one without.
    with contextlib.suppress(OSError):
        waiting.sock.unwrap()  # type: ignore[attr-defined]
    waiting.close()
    cut.close()
    encrypted.until_info("clients", "connected_clients", "1")
    assert encrypted.info("clients", "blocked_clients") == "0"


def test_who_is_let_in(encrypted: Server, certificates: Certificates, tmp_path: Path) -> None:
    stranger = Certificates(tmp_path)
    with_one, without, foreign = certificates.context(), certificates.context(False), certificates.context(False)
    foreign.load_cert_chain(stranger.client, stranger.client_key)
    for mode, let_in in (("yes", (True, False, False)), ("optional", (True, True, False)), ("no", (True, True, True))):
        assert encrypted.call("CONFIG", "SET", "tls-auth-clients", mode) == "OK"
        assert tuple(not refused(encrypted, each) for each in (with_one, without, foreign)) == let_in
    old = certificates.context()
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert not refused(encrypted, old)
    encrypted.call("CONFIG", "SET", "tls-protocols", "TLSv1.3")
    assert refused(encrypted, old)
    assert not refused(encrypted, with_one)
    encrypted.call("CONFIG", "SET", "tls-protocols", "tlsv1.2", "tls-ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384")
    with connect(encrypted, with_one) as connection:
        assert connection.sock.cipher()[:2] == ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2")  # type: ignore[attr-defined]


def test_sessions_are_taken_up_unless_caching_is_off(encrypted: Server, certificates: Certificates) -> None:
    context = certificates.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def resumed() -> bool:
        session = None
        for _ in range(2):
            sock = socket.create_connection(("127.0.0.1", tls_port(encrypted)), timeout=10)
            with context.wrap_socket(sock, server_hostname="localhost", session=session) as wrapped:
                session = wrapped.session
                again = wrapped.session_reused
        return bool(again)

    assert resumed()
    encrypted.call("CONFIG", "SET", "tls-session-caching", "no")
    assert not resumed()


def test_plain_talk_is_cut_off(encrypted: Server, certificates: Certificates) -> None:
    with socket.create_connection(("127.0.0.1", tls_port(encrypted)), timeout=20) as sock:
        sock.sendall(b"PING\r\n")
        with contextlib.suppress(ConnectionError):
            while sock.recv(100):
                pass
    assert not refused(encrypted, certificates.context())


def serial(server: Server, context: ssl.SSLContext) -> object:
    with connect(server, context) as connection:
        return connection.sock.getpeercert()["serialNumber"]  # type: ignore[attr-defined]


def test_certificates_are_renewed(encrypted: Server, certificates: Certificates) -> None:
    context = certificates.context()
    before = serial(encrypted, context)
    with connect(encrypted, context) as staying:
        issued = certificates.authority.issue_cert("localhost", "127.0.0.1")
        certificates.server.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        # The key does not fit: nothing changes.
        with encrypted.connect() as plain:
            reply = plain.call("CONFIG", "SET", "tls-cert-file", str(certificates.server))
        assert reply.endswith(UNUSABLE)
        assert serial(encrypted, context) == before
        issued.private_key_pem.write_to_path(certificates.server_key)
        assert encrypted.call("CONFIG", "SET", "tls-cert-file", str(certificates.server)) == "OK"
        assert serial(encrypted, context) != before
        assert staying.call("PING") == b"+PONG\r\n"


def test_keys_with_passwords_and_what_cannot_be_used(
    start_durastore: Starter, certificates: Certificates, tmp_path: Path
) -> None:
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "pkey", "-in", certificates.server_key, "-aes256", "-passout", "pass:secret", "-out", locked],
        check=True, capture_output=True,
    )  # fmt: skip
    server = start_durastore()
    with server.connect() as plain:

        def set_(*words: str) -> bytes:
            return plain.call("CONFIG", "SET", *words)

        port = str(free_port())
        assert set_("tls-port", port).endswith(UNUSABLE)
        files = ("tls-cert-file", str(certificates.server), "tls-ca-cert-file", str(certificates.ca))
        assert set_(*files, "tls-key-file", str(locked), "tls-port", port).endswith(UNUSABLE)
        assert set_(*files, "tls-key-file", str(locked), "tls-key-file-pass", "secret", "tls-port", port) == b"+OK\r\n"
        assert not refused(server, certificates.context())
        for words in (
            ("tls-cert-file", "/nosuch"), ("tls-key-file", str(certificates.client_key)), ("tls-ca-cert-file", ""),
            ("tls-ca-cert-file", "/nosuch"), ("tls-protocols", "SSLv3"), ("tls-ciphers", "nosuch"),
            ("tls-key-file-pass", "other"), ("tls-dh-params-file", "/nosuch"),
        ):  # fmt: skip
            assert set_(*words).endswith(UNUSABLE), words
            assert not refused(server, certificates.context())
        other = str(free_port())
        assert set_("tls-port", other) == b"+OK\r\n"
        assert not refused(server, certificates.context())
        assert set_("tls-port", "0") == b"+OK\r\n"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(other)))
    log = server.log.read_text()
    assert "No tls-cert-file configured!" in log
    assert "Either tls-ca-cert-file or tls-ca-cert-dir must be specified" in log
    assert "secret" not in log


def test_a_start_without_certificates_is_refused(tmp_path: Path) -> None:
    server = durastore_server(tmp_path, {"tls-port": str(free_port())})
    server.start(wait=False)
    assert server.process is not None
    assert server.process.wait(30) == 1
    assert "Failed to configure TLS" in server.log.read_text()
