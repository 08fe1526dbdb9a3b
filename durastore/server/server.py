"""One server: the engine, its sockets, its files and its clock, and the order in which they start and stop."""

from __future__ import annotations

import logging
import os
import resource
import signal
import time
from typing import Final

import trio

import durastore
from durastore.config import Config
from durastore.config import table as directives
from durastore.config.kinds import Directive
from durastore.engine.engine import Engine
from durastore.persistence.aof.log import AppendLog
from durastore.persistence.aof.rewrite import Rewriter
from durastore.persistence.disk import LOCK_NAME, Disk, Lock, RealDisk
from durastore.persistence.loader import Loader, LoadError
from durastore.persistence.rdb import RdbWriter
from durastore.persistence.rdb.format import RDB_VERSION, VALKEY_VERSION
from durastore.persistence.saver import SaveError, Saver
from durastore.persistence.serializer import Serializer
from durastore.server import logs
from durastore.server.access import UserFiles
from durastore.server.admission import Admission
from durastore.server.cron import Cron
from durastore.server.host import ServerHost
from durastore.server.http import Http
from durastore.server.hub import Hub
from durastore.server.info import resident_memory
from durastore.server.listeners import ListenError, Listeners
from durastore.server.overdue import Debts
from durastore.server.reactor import Alarm, run_reactor
from durastore.server.settings import Settings, log_settings
from durastore.server.supervision import Supervision
from durastore.server.tls import TlsError, TlsListeners

_MISCONF_RDB = (
    b"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    b"may modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    b"snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    b"error."
)

# What the server itself needs beside its clients: listeners, files, pipes.
_OWN_DESCRIPTORS: Final = 32
_SHUTDOWN_WORDS: Final[dict[int, Directive[tuple[str, ...]]]] = {
    signal.SIGINT: directives.SHUTDOWN_ON_SIGINT,
    signal.SIGTERM: directives.SHUTDOWN_ON_SIGTERM,
}


class Server:
    """A server that has its configuration, and nothing else yet; ``run`` does the rest.

    Raises ConfigFileError where users or names of commands that the configuration asks for cannot be had.
    """

    def __init__(self, config: Config, supervision: Supervision, disk: Disk | None = None) -> None:
        self.config = config
        self.supervision = supervision
        self.logger = logging.getLogger("durastore.server")
        self.disk = disk if disk is not None else RealDisk()
        self.run_id = os.urandom(20).hex()
        self.replication_id = os.urandom(20).hex()
        self.started = time.time()
        # Bytes: what is counted (used_memory), the most of it so far, and what the process had before any data.
        self.memory = 0
        self.peak_memory = 0
        self.startup_memory = 0
        self.exit_status = 0
        self.engine = Engine(config[directives.DATABASES], ServerHost(self))
        self.engine.stopwatch = time.perf_counter_ns
        self.users = UserFiles(config, self.engine, self.disk)
        self.users.start()
        self.saver = Saver(
            self.engine,
            self.disk,
            self._rdb_path,
            self.rdb_serializer,
            lambda: config[directives.SNAPSHOT_CPU_PERCENT],
            lambda: config[directives.RDB_SAVE_INCREMENTAL_FSYNC],
            on_outcome=self.update_refusal,
        )
        self.log = AppendLog(
            self.engine.journal,
            self.disk,
            log_settings(config),
            on_durable=lambda offset: self.hub.release(offset),
            on_failure=lambda: self.hub.abandon(),
            on_state=self.update_refusal,
            saving=lambda: self.saver.in_progress,
        )
        self.rewriter = Rewriter(
            self.engine.instance.keyspace,
            self.log,
            self.disk,
            self.rdb_serializer,
            lambda: config[directives.SNAPSHOT_CPU_PERCENT],
            may_start=lambda: not self.saver.in_progress,
        )
        self.admission = Admission(self)
        self.hub = Hub(self.engine, self.log, self.admission)
        self.tls = TlsListeners(self)
        self.listeners = Listeners(self)
        self.http = Http(self)
        self.hub.watch(self.log.thread.watched, lambda: self.log.sync_ended(len(self.hub.gate)))
        self.alarm = Alarm(self.hub, self._time_up)
        self.engine.blocking.waker = self.alarm
        self.engine.programs.runner.while_busy = self.hub.serve_busy
        self.loader = Loader(
            self.engine,
            self.disk,
            lambda: log_settings(config),
            self._rdb_path,
            key_delay=lambda: config[directives.KEY_LOAD_DELAY],
        )
        self.debts = Debts(self)
        self.cron = Cron(self)
        self._stop = trio.Event()
        # The claim on the data folder, and which one that is.
        self._claim: Lock | None = None
        self.claimed = ""
        self.settings = Settings(self)
        self.startup_memory = resident_memory()
        self.engine.memory.fixed = self.startup_memory
        self.engine.memory.stopwatch = time.perf_counter_ns
        self.sample_memory()

    def rdb_serializer(self) -> Serializer:
        """A writer for the next RDB file, as the configuration asks for it."""
        config = self.config
        keyspace = self.engine.instance.keyspace
        # A file's version is its first word, and only Valkey's 80 has a form for hash fields that expire which Valkey
        # reads; without such fields, version 11 is read by everyone.
        version = VALKEY_VERSION if keyspace.has_expiring_fields() else RDB_VERSION
        return RdbWriter(
            config[directives.RDB_COMPRESSION], config[directives.RDB_CHECKSUM], version, limits=keyspace.limits
        )

    def _rdb_path(self) -> str:
        return self.config.resolve(self.config[directives.DB_FILENAME])

    # Starting and stopping

    async def run(self) -> int:
        """Serves until SHUTDOWN or a signal; returns the exit status."""
        self._reduce_clients()
        try:
            self.claim_folder()
        except OSError as error:
            self.logger.critical("%s", error)
            return 1
        try:
            self.tls.configure()
        except TlsError as error:
            self.logger.error("%s", error)
            self.logger.error("Failed to configure TLS. Check logs for more info.")
            return 1
        try:
            self.listeners.open()
            self.http.open()
        except ListenError as error:
            self.logger.error("%s", error)
            return 1
        self.supervision.listening()
        self.engine.loading = True
        self.engine.update_guard()
        try:
            async with trio.open_nursery() as nursery:
                self.saver.open(nursery)
                self.tls.open(nursery)
                nursery.start_soon(self._watch_signals)
                nursery.start_soon(run_reactor, self.hub, self._others_busy)
                nursery.start_soon(self.alarm.run)
                nursery.start_soon(self._tell_progress)
                nursery.start_soon(self.http.run)
                nursery.start_soon(self.supervision.keep_watchdog_calm)
                nursery.start_soon(self.debts.watch)
                nursery.start_soon(self._serve, nursery)
                await self._stop.wait()
                nursery.cancel_scope.cancel()
        finally:
            self.http.close()
            self.tls.stop_listening()
            self.hub.close()
            self.listeners.remove_unix_socket()
            self._give_up_folder()
        self.logger.warning("durastore is now ready to exit, bye bye...")
        return self.exit_status

    async def _serve(self, nursery: trio.Nursery) -> None:
        try:
            await self.loader.load(self.config[directives.APPEND_ONLY])
            self.rewriter.open(nursery)
            nursery.start_soon(self.log.run_sync)
            if self.config[directives.APPEND_ONLY]:
                self.rewriter.begin(self.loader.manifest)
        except (LoadError, OSError) as error:
            self.logger.critical("%s", error)
            self.exit_status = 1
            self._stop.set()
            return
        self.engine.loading = False
        self.engine.update_guard()
        self.logger.info("Ready to accept connections")
        self.supervision.ready()
        nursery.start_soon(self.cron.run)

    async def _tell_progress(self) -> None:
        """Tells who supervises the process how far loading is, each second."""
        while self.engine.loading:
            self.supervision.loading(self.loader.bytes_loaded / max(self.loader.bytes_total, 1))
            await trio.sleep(1)

    async def _watch_signals(self) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for number in signals:
                if number == signal.SIGHUP:
                    logs.reopen()
                    continue
                name = signal.Signals(number).name
                self.logger.warning("Received %s scheduling shutdown...", name)
                if number == signal.SIGINT:
                    # The final snapshot may keep the event loop for long; whoever cannot wait need not.
                    patient = signal.signal(signal.SIGINT, self._insisted)
                if self.engine.loading:
                    self.logger.warning("Received shutdown signal during loading, exiting now.")
                    self._stop.set()
                    return
                words = self.config[_SHUTDOWN_WORDS[number]]
                if not self.prepare_shutdown(nosave="nosave" in words, save="save" in words, force="force" in words):
                    self.logger.warning("%s received but errors trying to shut down the server, check the logs", name)
                    if number == signal.SIGINT:
                        signal.signal(signal.SIGINT, patient)

    def _insisted(self, number: int, frame: object) -> None:
        """A second SIGINT: ends at once, wherever the server is."""
        self.logger.warning("You insist... exiting now.")
        self.saver.abandon()
        self.supervision.close()
        os._exit(1)

    def prepare_shutdown(self, *, nosave: bool, save: bool, force: bool) -> bool:
        """Makes everything durable and stops the server; False where that failed and ``force`` was not given."""
        self.logger.warning("User requested shutdown...")
        self.supervision.stopping()
        if self.rewriter.on and not self.rewriter.complete:
            # The files on disk are those of an earlier log, which the next start must not take for this one.
            self.logger.warning("Writing initial AOF%s", ". Exit anyway." if force else ", can't exit.")
            if not force:
                self.supervision.carries_on()
                return False
        self.saver.cancel()
        self.rewriter.cancel()
        healthy = self.log.flush_now() or force
        if healthy and not nosave and (save or self.config[directives.SAVE]) and not self.engine.loading:
            self.logger.info("Saving the final RDB snapshot before exiting.")
            try:
                self.saver.save()
            except SaveError as error:
                self.logger.error(
                    "Error trying to save the DB, %s: %s", "exit anyway" if force else "can't exit", error
                )
                healthy = force
        if not healthy:
            self.supervision.carries_on()
            return False
        self.supervision.leaving()
        # Nothing is served any more: a write that were acknowledged now would be in no file.
        self.tls.stop_listening()
        self.hub.stop_listening()
        for connection in self.hub.connections.values():
            connection.client.closing = True
        self._stop.set()
        return True

    def claim_folder(self) -> None:
        """Claims the data folder, and gives up the one that was claimed before.  Raises OSError."""
        claim = self.disk.lock(self.config.resolve(LOCK_NAME))
        self._give_up_folder()
        self._claim = claim
        self.claimed = self.config[directives.DIR]

    def _give_up_folder(self) -> None:
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def _reduce_clients(self) -> None:
        """Brings maxclients down to what the system has descriptors for."""
        wanted = self.config[directives.MAX_CLIENTS]
        reachable = self.make_room_for(wanted)
        if reachable < wanted:
            self.logger.warning("maxclients is %d, not %d, as open files are limited (ulimit -n)", reachable, wanted)
            self.config.set([(b"maxclients", b"%d" % reachable)])

    def make_room_for(self, clients: int) -> int:
        """Raises the limit of open files for so many clients; returns for how many of them there is room then."""
        wanted = clients + _OWN_DESCRIPTORS
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft >= wanted or soft == resource.RLIM_INFINITY:
            return clients
        reachable = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
        except (OSError, ValueError) as error:
            self.logger.warning("cannot raise the limit of open files: %s", error)
            reachable = soft
        return max(reachable - _OWN_DESCRIPTORS, 1)

    # Between the parts

    def _others_busy(self) -> bool:
        """Whether work beside the clients' is under way."""
        return self.engine.loading or self.log.rewriting or self.saver.in_progress or self.cron.slicing

    def commit(self, now: int) -> None:
        """Appends to the log what periodic work put into the journal, and sends the messages that tell of it."""
        self.engine.deliver()
        self.hub.finish(now)

    def update_refusal(self) -> None:
        """Works out whether writes are to be refused, and why."""
        refusal = self.log.refusal()
        if (
            refusal is None
            and self.config[directives.STOP_WRITES_ON_BGSAVE_ERROR]
            and self.config[directives.SAVE]
            and not self.saver.last_ok
        ):
            refusal = _MISCONF_RDB
        self.engine.write_refusal = refusal
        self.engine.update_guard()

    def begin_pause(self, until: int, writes_only: bool) -> None:
        """CLIENT PAUSE: a longer or stricter pause that is already there stays."""
        engine = self.engine
        active = engine.paused_until > engine.instance.now
        engine.paused_writes_only = writes_only and (not active or engine.paused_writes_only)
        engine.paused_until = max(until, int(engine.paused_until) if active else 0)
        engine.update_guard()
        self.alarm.wake_at(int(engine.paused_until))

    def _time_up(self, now: int) -> None:
        """A pause, or the wait of a blocked client, has come to its end."""
        until = int(self.engine.paused_until)
        if until and now >= until:
            self.end_pause()
        elif until:
            # The pause became longer.
            self.alarm.wake_at(until)
        self.hub.time_out(now)

    def end_pause(self) -> None:
        """Runs what was held back."""
        self.engine.paused_until = 0
        self.engine.update_guard()
        self.hub.resume_held()

    def sample_memory(self) -> None:
        """Adds up what is used."""
        memory = self.engine.memory
        self.memory = memory.counted() + self.log.unwritten()
        self.peak_memory = max(self.peak_memory, self.memory)


def banner(config: Config) -> str:
    """The first line of the log."""
    build = "compiled" if durastore.compiled() else "interpreted"
    return f"durastore {durastore.__version__} ({build}), pid {os.getpid()}, port {config[directives.PORT]}"
