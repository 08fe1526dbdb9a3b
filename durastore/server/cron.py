"""What happens by the clock: expiry, save points, time-outs, automatic rewrites, rates for INFO."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import trio

from durastore.config import table as directives
from durastore.engine.memory import RUNNING

if TYPE_CHECKING:
    from durastore.server.server import Server

# Active expiry looks at so many segments of a database before it looks at the clock again.
SEGMENTS_PER_LOOK = 32
# And removes so many fields of hashes.
FIELDS_PER_LOOK = 128
# The share of the time between two ticks that expiry may take at most.
EXPIRY_SHARE = 0.25
# The same for the freeing of large containers.
FREEING_SHARE = 0.25
# And for evictions that no command waits for.
EVICTION_SHARE = 0.25
# No slice of periodic work keeps the event loop longer than this many seconds.
SLICE = 0.001
MERGE_SEGMENTS = 64
RATE_SAMPLES = 16


class Rate:
    """A per-second rate over the last samples, as INFO's instantaneous figures."""

    def __init__(self) -> None:
        self._samples: list[float] = []
        self._last = 0
        self._time = time.monotonic()

    def sample(self, total: int) -> None:
        """Takes the running total of what is counted."""
        now = time.monotonic()
        if now > self._time:
            self._samples.append((total - self._last) / (now - self._time))
            del self._samples[:-RATE_SAMPLES]
        self._last = total
        self._time = now

    def per_second(self) -> float:
        """The mean of the samples."""
        return sum(self._samples) / len(self._samples) if self._samples else 0.0


class Cron:
    """The periodic work of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.operations = Rate()
        self.input = Rate()
        self.output = Rate()
        self.wakes = Rate()
        self.busy = Rate()
        self._last_second = 0.0
        # Whether slices are under way, between which the hub is not to serve for long.
        self.slicing = False
        self.forget_expiries()

    def forget_expiries(self) -> None:
        """CONFIG RESETSTAT, as far as it is the cron's: what active expiry takes, leaves behind, and did not get to."""
        self.expiry_seconds = 0.0
        self.expiries_cut_short = 0
        self.stale_share = 0.0

    async def run(self) -> None:
        """Ticks ``hz`` times a second until cancelled."""
        server = self._server
        while True:
            period = 1.0 / server.config[directives.HZ]
            await trio.sleep(period)
            if server.engine.instance.cron_paused:
                continue
            now = int(time.time() * 1000)
            server.engine.begin_wake(now)
            self.slicing = True
            await self._expire(now, period * EXPIRY_SHARE)
            await self._free(period * FREEING_SHARE)
            await self._evict(now, period * EVICTION_SHARE)
            self.slicing = False
            stale = []
            for db in server.engine.instance.keyspace.databases:
                if db.table.directory.depth:
                    db.merge_slice(MERGE_SEGMENTS)
                if db.table.expires_count or db.average_ttl:
                    stale.append(db.estimate_ttl(now))
            # As in Redis, what a tick finds weighs a twentieth.
            self.stale_share += (sum(stale) / max(len(stale), 1) - self.stale_share) / 20
            monotonic = time.monotonic()
            if monotonic - self._last_second >= 1:
                self._last_second = monotonic
                self._each_second(now)
            self.operations.sample(int(server.engine.commands_processed))
            self.input.sample(int(server.hub.bytes_in))
            self.output.sample(int(server.hub.bytes_out))
            self.wakes.sample(int(server.hub.wakes))
            self.busy.sample(int(server.hub.busy))
            server.engine.blocking.serve()
            if server.hub.has_own_work():
                # Expiry has woken blocked clients; no socket would end the hub's sleep.
                server.hub.turn(0.0)
            server.log.look_after(now)
            self._save_points(now, monotonic)

    async def _free(self, budget: float) -> None:
        """Frees what is left of large values in slices, within the budget (seconds) of this tick."""
        keyspace = self._server.engine.instance.keyspace
        end = time.perf_counter() + budget
        while keyspace.freeing.waiting() and time.perf_counter() < end:
            keyspace.free(time.perf_counter() + SLICE, time.perf_counter)
            await trio.lowlevel.checkpoint()

    async def _expire(self, now: int, budget: float) -> None:
        """Removes expired keys in slices, within the budget (seconds) of this tick."""
        engine = self._server.engine
        instance = engine.instance
        if not instance.active_expire or engine.loading or engine.paused_until:
            return
        end = time.perf_counter() + budget
        for db in instance.keyspace.databases:
            while db.table.expires_count:
                slice_end = time.perf_counter() + SLICE
                while True:
                    db.expire_slice(now, SEGMENTS_PER_LOOK)
                    if not db.expiry_cursor or time.perf_counter() > slice_end:
                        break
                self.expiry_seconds += time.perf_counter() - slice_end + SLICE
                if instance.keyspace.expired:
                    engine.journal_expired()
                    self._server.commit(now)
                if not db.expiry_cursor:
                    break
                if time.perf_counter() > end:
                    self.expiries_cut_short += 1
                    return
                await trio.lowlevel.checkpoint()
                if engine.loading:
                    return
            while db.hash_expiries.next_expiry < now:
                slice_end = time.perf_counter() + SLICE
                while db.expire_fields_slice(now, FIELDS_PER_LOOK) and time.perf_counter() < slice_end:
                    pass
                self.expiry_seconds += time.perf_counter() - slice_end + SLICE
                if instance.keyspace.expired:
                    engine.journal_expired()
                    self._server.commit(now)
                if time.perf_counter() > end:
                    self.expiries_cut_short += 1
                    return
                await trio.lowlevel.checkpoint()
                if engine.loading:
                    return

    async def _evict(self, now: int, budget: float) -> None:
        """Weighs what has changed, and goes on with evictions for so many seconds at most."""
        server = self._server
        engine = server.engine
        engine.instance.keyspace.weigh()
        if engine.memory.limit == 0:
            return
        end = time.perf_counter() + budget
        while engine.memory.exceeded() and not engine.loading and not engine.paused_until:
            outcome = engine.memory.make_room()
            server.commit(now)
            if outcome != RUNNING or time.perf_counter() > end:
                return
            await trio.lowlevel.checkpoint()

    def _each_second(self, now: int) -> None:
        server = self._server
        server.sample_memory()
        timeout = server.config[directives.TIMEOUT]
        if timeout:
            for connection in list(server.hub.connections.values()):
                client = connection.client
                spared = client.blocked or client.subscriptions is not None
                if not spared and now - client.last_interaction > timeout * 1000:
                    server.hub.drop(connection)
        server.hub.look_after_owing()
        server.rewriter.consider()

    def _save_points(self, now: int, monotonic: float) -> None:
        server = self._server
        saver = server.saver
        if saver.in_progress or server.log.rewriting or server.engine.loading:
            return
        if saver.scheduled:
            saver.start()
            return
        dirty = server.engine.instance.dirty
        for point in server.config[directives.SAVE]:
            if dirty >= point.changes and now // 1000 - saver.last_save > point.seconds and saver.may_retry(monotonic):
                server.logger.info("%d changes in %d seconds. Saving...", point.changes, point.seconds)
                saver.start()
                return
