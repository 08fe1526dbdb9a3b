"""A world in which everything follows from a seed: virtual time, and threads that run one at a time.

What the server has done in a worker thread runs in a real thread here as well, but only ever up to its next disk call,
while the event loop stands still; then the event loop goes on, until the disk's virtual answer is there.  So other
tasks run between any two disk calls, in an order that the seed decides.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio._core._run
import trio.testing

# The clock on the wall when a world begins, in seconds.
EPOCH = 1_700_000_000

_here = threading.local()


class Fiber:
    """Work in a thread of its own, done step by step."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        # How long it waits for the disk now, in virtual seconds.
        self.wait = 0.0
        self.done = False
        self._result: Any = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self._go.acquire()
        _here.fiber = self
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error
        self.done = True
        self._stopped.release()

    def step(self) -> bool:
        """Runs up to the next disk call, or to the end; whether it is at its end."""
        if not self.done:
            self._go.release()
            self._stopped.acquire()
        return self.done

    def pause(self, seconds: float) -> None:
        """Lets the event loop go on, from within the work."""
        self.wait = seconds
        self._stopped.release()
        self._go.acquire()

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._result


def pause(seconds: float) -> None:
    """What waits for the disk in a thread lets others run; on the event loop nobody else can."""
    fiber: Fiber | None = getattr(_here, "fiber", None)
    if fiber is not None:
        fiber.pause(seconds)


async def in_a_thread(work: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
    """Stands in for ``trio.to_thread.run_sync``, which is not to be cancelled either."""
    await trio.lowlevel.checkpoint_if_cancelled()
    fiber = Fiber(lambda: work(*arguments))
    with trio.CancelScope(shield=True):
        while not fiber.step():
            await trio.sleep(fiber.wait)
        await trio.lowlevel.checkpoint()
    return fiber.result()


class World:
    """The time, which goes on when everybody waits; a look at a counter takes a while as well."""

    def __init__(self, seed: int) -> None:
        self.clock = trio.testing.MockClock(rate=0, autojump_threshold=0)
        self._chance = random.Random(seed ^ 0x5EED)
        self._looks = 0.0

    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self.clock.current_time()

    def wall(self) -> float:
        return EPOCH + self.now()

    def wall_ns(self) -> int:
        return int(self.wall() * 1e9)

    def counter(self) -> float:
        self._looks += self._chance.random() * 0.0006
        return self.now() + self._looks


def run(seed: int, life: Callable[[World, pytest.MonkeyPatch], Awaitable[Any]]) -> Any:
    """Runs a life in a world of its own.  Lives of one seed are alike where PYTHONHASHSEED is."""
    world = World(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        patch.setattr(trio._core._run, "_r", random.Random(seed))
        patch.setattr(trio.to_thread, "run_sync", in_a_thread)
        patch.setattr(time, "time", world.wall)
        patch.setattr(time, "time_ns", world.wall_ns)
        patch.setattr(time, "monotonic", world.now)
        patch.setattr(time, "perf_counter", world.counter)
        random.seed(seed)
        return trio.run(life, world, patch, clock=world.clock)
