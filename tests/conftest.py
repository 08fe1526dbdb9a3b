"""Fixtures: running servers.

``durastore`` and ``valkey`` run for the whole session and are emptied before each test; a test that changes their
configuration, or needs directives, starts its own with ``start_durastore`` or ``start_valkey``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import durastore
from support.servers import Server, durastore_server, valkey_server

Starter = Callable[..., Server]

# How long an example takes depends on what else the machine does.
# The interpreted build runs beside the compiled one, and takes two to three times as long.
settings.register_profile("durastore", deadline=None, max_examples=100 if durastore.compiled() else 40)
settings.load_profile("durastore")


@pytest.fixture(scope="session")
def _shared_durastore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = durastore_server(tmp_path_factory.mktemp("durastore"), {"enable-debug-command": "yes"})
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = valkey_server(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _the_log_as_it_was() -> Iterator[None]:
    """What a test does to the log is its own affair."""
    logger = logging.getLogger("durastore")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.level, logger.propagate = before


def _emptied(server: Server) -> Iterator[Server]:
    if not server.running():
        server.start()
    assert server.call("FLUSHALL") == "OK"
    yield server
    server.close_connections()
    assert server.running(), f"the server ended during the test:\n{server.log_tail()}"


@pytest.fixture
def durastore(_shared_durastore: Server) -> Iterator[Server]:
    """The durastore of the session, emptied."""
    yield from _emptied(_shared_durastore)


@pytest.fixture
def valkey(_shared_valkey: Server) -> Iterator[Server]:
    """The valkey-server of the session, emptied."""
    yield from _emptied(_shared_valkey)


def _starter(tmp_path: Path, make: Callable[[Path, dict[str, str]], Server]) -> Iterator[Starter]:
    servers: list[Server] = []

    def start(*, folder: Path | None = None, **directives: str) -> Server:
        where = folder or tmp_path / f"{make.__name__}-{len(servers)}"
        where.mkdir(exist_ok=True)
        server = make(where, {name.replace("_", "-"): value for name, value in directives.items()})
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def start_durastore(tmp_path: Path) -> Iterator[Starter]:
    """Starts a durastore for this test alone: ``start_durastore(appendonly="yes", folder=path)``."""
    yield from _starter(tmp_path, durastore_server)


@pytest.fixture
def start_valkey(tmp_path: Path) -> Iterator[Starter]:
    """Starts a valkey-server for this test alone."""
    yield from _starter(tmp_path, valkey_server)
