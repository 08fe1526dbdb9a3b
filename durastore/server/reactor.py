"""The one trio task that waits for sockets; see ``durastore.server.hub`` for what happens then."""

from __future__ import annotations

import time

import trio

from durastore.server.hub import Hub

# While work keeps coming the hub goes on without a trip through trio's scheduler, but only so many times,
# so that every other task gets its turn.
TURNS = 8


async def run_reactor(hub: Hub) -> None:
    """Serves the hub's sockets until it is cancelled."""
    fd = hub.epoll.fileno()
    while True:
        if hub.has_own_work():
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_readable(fd)
        for _ in range(TURNS):
            if not hub.turn(time.time_ns() // 1_000_000):
                break
