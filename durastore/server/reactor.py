"""The trio tasks that wait for sockets and for the time-outs of blocked clients.

See ``durastore.server.hub`` for what happens then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import trio

from durastore.engine.blocking import Blockable, Waker
from durastore.server.hub import Hub

# While requests keep coming the hub goes on without a trip through trio's scheduler, but only for so long (seconds), so
# that every other task gets its turn: soon where one has more to do than to look at the clock.
TURN = 0.005
SHORT_TURN = 0.001
# So long (seconds) it waits for the next request itself: a trip through the scheduler costs as much as serving ten.
PATIENCE = 0.001


async def run_reactor(hub: Hub, others_busy: Callable[[], bool]) -> None:
    """Serves the hub's sockets until it is cancelled; while ``others_busy`` it gives way sooner."""
    fd = hub.epoll.fileno()
    while True:
        if hub.has_own_work():
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_readable(fd)
        if others_busy():
            hub.serve(0.0, SHORT_TURN)
        else:
            hub.serve(PATIENCE, TURN)


class Alarm(Waker):
    """Sees to it that blocked clients hear in time that they were served, or that their wait is over."""

    def __init__(self, hub: Hub, time_up: Callable[[int], None]) -> None:
        super().__init__()
        self._hub = hub
        self._time_up = time_up
        # Unix milliseconds.
        self._at = math.inf
        self._moved = trio.Event()

    def wake(self, session: Blockable) -> None:
        """See Waker."""
        self._hub.wake(session)

    def wake_at(self, when: int) -> None:
        """See Waker.  A time that is later than the one set already is set when that has come."""
        if when < self._at:
            self._at = when
            self._moved.set()

    async def run(self) -> None:
        """Waits for the times that are set, until it is cancelled."""
        while True:
            milliseconds = max(self._at - time.time_ns() / 1_000_000, 0)
            with trio.move_on_after(milliseconds / 1000):
                await self._moved.wait()
            self._moved = trio.Event()
            now = time.time_ns() // 1_000_000
            if now >= self._at:
                self._at = math.inf
                self._time_up(now)
