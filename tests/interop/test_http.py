"""What those hear that watch the server over HTTP: Prometheus, and who decides where requests go."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.servers import Server, durastore_server, free_port

Starter = Callable[..., Server]


def port_of(server: Server) -> int:
    return int(server.directives["http-port"])


def get(server: Server, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=20)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def readiness(server: Server, until: int) -> tuple[int, str]:
    """What /readyz says when its status is this one at last."""
    while True:
        with contextlib.suppress(ConnectionError):
            answer = get(server, "/readyz")
            if answer[0] == until:
                return answer


def samples(server: Server) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample, by its name and the values of its labels."""
    status, text = get(server, "/metrics")
    assert status == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_named_as_dashboards_know_them(start_durastore: Starter) -> None:
    server = start_durastore(http_port=str(free_port()), appendonly="yes", maxclients="77")
    with server.connect() as connection:
        connection.call("SET", "a", "1", "EX", "1000")
        connection.call("SELECT", "3")
        for i in range(10):
            connection.call("SET", f"k:{i}", "1")
        connection.call("GET", "nosuch")
        connection.call("GET")
        connection.call("LPUSH", "k:1", "x")
        found = samples(server)
        assert found["redis_up", ()] == 1
        assert found["redis_connected_clients", ()] == 1
        assert found["redis_max_clients", ()] == found["redis_config_maxclients", ()] == 77
        assert found["redis_db_keys", ("db0",)] == found["redis_db_keys_expiring", ("db0",)] == 1
        assert found["redis_db_keys", ("db3",)] == 10
        assert found["redis_commands_total", ("set",)] == 11
        assert found["redis_commands_failed_calls_total", ("lpush",)] == 1
        assert found["redis_commands_rejected_calls_total", ("get",)] == 1
        assert found["redis_errors_total", ("WRONGTYPE",)] == 1
        assert found["redis_keyspace_misses_total", ()] == 1
        assert found["redis_latency_percentiles_usec_count", ("set",)] == 11
        assert found["redis_latency_percentiles_usec", ("set", "0.99")] > 0
        assert found["redis_aof_last_write_status", ()] == found["redis_rdb_last_bgsave_status", ()] == 1
        assert found["durastore_aof_fsync_overdue", ()] == 0
        assert found["redis_memory_used_bytes", ()] > 1 << 20
        before = found["redis_commands_processed_total", ()]
        connection.call("PING")
        assert samples(server)["redis_commands_processed_total", ()] == before + 1
    assert re.search(r'redis_instance_info\{.*role="master".*\} 1\.0', get(server, "/metrics")[1])


def test_a_server_that_serves_is_healthy_and_ready(start_durastore: Starter) -> None:
    server = start_durastore(http_port=str(free_port()))
    assert get(server, "/healthz") == get(server, "/readyz?verbose") == (200, "ok\n")
    assert get(server, "/healthz", "HEAD") == (200, "")
    assert get(server, "/nosuch")[0] == 404
    assert get(server, "/metrics", "POST", b"x" * 100_000)[0] == 405
    # One connection, several requests.
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=20)
    for _ in range(3):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
    connection.close()


def test_what_is_no_http_harms_nobody(start_durastore: Starter) -> None:
    server = start_durastore(http_port=str(free_port()))
    for data in (b"*1\r\n$4\r\nPING\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000, b"\x16\x03\x01\x00"):
        with socket.create_connection(("127.0.0.1", port_of(server)), timeout=20) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(100).startswith((b"HTTP/1.1 4", b""))
    # Silent ones take the places of others for a while only; clients' connections are not theirs.
    silent = [socket.create_connection(("127.0.0.1", port_of(server))) for _ in range(40)]
    assert server.call("PING") == "PONG"
    for sock in silent:
        sock.close()
    assert get(server, "/healthz") == (200, "ok\n")


def test_a_server_that_refuses_writes_is_not_ready(start_durastore: Starter, tmp_path: Path) -> None:
    server = start_durastore(http_port=str(free_port()), save="3600 100000", enable_protected_configs="yes")
    server.call("SET", "a", "1")
    gone = tmp_path / "gone"
    gone.mkdir()
    server.call("CONFIG", "SET", "dir", str(gone))
    shutil.rmtree(gone)
    server.call("BGSAVE")
    server.until_info("persistence", "rdb_last_bgsave_status", "err")
    status, text = get(server, "/readyz")
    assert status == 503
    assert text.startswith("writes are refused: MISCONF")
    assert get(server, "/healthz") == (200, "ok\n")
    assert samples(server)["redis_rdb_last_bgsave_status", ()] == 0


def test_a_server_that_loads_is_alive_and_not_ready(tmp_path: Path) -> None:
    server = durastore_server(tmp_path, {"http-port": str(free_port()), "appendonly": "yes"})
    server.start()
    with server.connect() as connection:
        for start in range(0, 200_000, 10_000):
            connection.call("MSET", *(word for i in range(start, start + 10_000) for word in (f"k:{i}", "v")))
    server.kill()
    # A key a second: it loads until it is told to hurry.
    server.directives["key-load-delay"] = "1000000"
    server._spawn()
    try:
        assert readiness(server, until=503) == (503, "the dataset is being loaded\n")
        assert get(server, "/healthz") == (200, "ok\n")
        server.call("CONFIG", "SET", "key-load-delay", "0")
        assert readiness(server, until=200) == (200, "ok\n")
        assert server.call("DBSIZE") == 200_000
    finally:
        server.kill()


def test_the_port_can_change(start_durastore: Starter) -> None:
    first, second = str(free_port()), str(free_port())
    server = start_durastore(http_port=first)
    assert get(server, "/healthz")[0] == 200
    assert server.call("CONFIG", "SET", "http-port", second) == "OK"
    server.directives["http-port"] = second
    assert get(server, "/healthz")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(first)))
    with server.connect() as connection:
        reply = connection.call("CONFIG", "SET", "http-port", server.port)
    assert reply.endswith(b"Unable to listen on this port. Check server logs.\r\n")
    assert get(server, "/healthz")[0] == 200
    assert server.call("CONFIG", "SET", "http-port", "0") == "OK"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(second)))
    assert server.stop() == 0
