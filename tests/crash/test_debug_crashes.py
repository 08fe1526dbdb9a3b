"""DEBUG SEGFAULT and the like end the process as they end Redis's, and what was acknowledged is there again."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from support.resp import Closed, request
from support.servers import Server

Starter = Callable[..., Server]


@pytest.mark.parametrize(
    ("name", "number"),
    [("segfault", signal.SIGSEGV), ("assert", signal.SIGABRT), ("panic", signal.SIGABRT), ("oom", signal.SIGABRT)],
)
def test_the_process_ends_by_a_signal(start_durastore: Starter, name: str, number: signal.Signals) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always", enable_debug_command="yes")
    assert server.call("SET", "k", "v") == "OK"
    with server.connect() as client:
        client.send(request("DEBUG", name))
        with pytest.raises((Closed, ConnectionError)):
            client.read()
    assert server.process is not None
    assert server.process.wait(30) == -number
    assert f"DEBUG {name.upper()}" in server.log_tail()
    server.restart()
    assert server.call("GET", "k") == b"v"
