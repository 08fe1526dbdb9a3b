"""CONFIG, beside Redis 7.0's: names, defaults, and what is done about each value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.servers import Server, redis_server

Starter = Callable[..., Server]
# Those that depend on how a server is started.
STARTED = {"port", "dir", "bind", "save", "logfile", "enable-debug-command", "databases"}
# What this server does not have, and so takes at its default only; and what no server of Debian's has.
ABSENT = {
    "min-replicas-to-write", "min-slaves-to-write", "cluster-enabled", "tls-replication", "tls-cluster",
    "activedefrag",
}  # fmt: skip
# Debian's server is a 7.0, which does not know the word "nothing" among the levels.
LATER = {"loglevel"}
# Redis takes -1 for what does not fit, and that for 1%.
OVERFLOWS = ("maxmemory-clients", "99999999999999999999")
VALUES = ("0", "1", "-1", "-2", "5", "100", "1001", "99999999999999999999", "1mb", "yes", "no", "", "a b", "always")


def settings(server: Server) -> dict[bytes, bytes]:
    flat = server.call("CONFIG", "GET", "*")
    assert isinstance(flat, list)
    return dict(zip(flat[::2], flat[1::2], strict=True))


@pytest.fixture
def servers(start_durastore: Starter, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    folder = tmp_path / "redis"
    folder.mkdir()
    redis = redis_server(folder)
    yield start_durastore(), redis.start()
    redis.kill()


def test_defaults(servers: tuple[Server, Server]) -> None:
    ours, theirs = map(settings, servers)
    common = ours.keys() & theirs.keys() - {name.encode() for name in STARTED}
    assert len(common) > 130
    different = {name: (ours[name], theirs[name]) for name in common if ours[name] != theirs[name]}
    assert different == {}


def test_values(servers: tuple[Server, Server]) -> None:
    ours, theirs = map(settings, servers)
    different = []
    for name in sorted(ours.keys() & theirs.keys() - {name.encode() for name in STARTED | ABSENT | LATER}):
        for value in VALUES:
            if (name.decode(), value) == OVERFLOWS:
                continue
            found = []
            for server in servers:
                with server.connect() as connection:
                    found.append(
                        (connection.call("CONFIG", "SET", name, value), connection.call("CONFIG", "GET", name))
                    )
            if found[0] != found[1]:
                different.append((name, value, *found))
        for server, before in zip(servers, (ours, theirs), strict=True):
            server.call("CONFIG", "SET", name, before[name])
    assert different == [], "\n".join(map(str, different))
