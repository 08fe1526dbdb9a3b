"""One server: the engine, its sockets, its files and its clock, and the order in which they start and stop."""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import time
from typing import Any, Final

import trio

import durastore
from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.events import kinds_of
from durastore.config import Config, ConfigError
from durastore.config import table as directives
from durastore.config.directives import INT64_MAX, Directive
from durastore.config.tls import TLS_PORT
from durastore.engine.engine import Engine
from durastore.persistence.aof.log import AppendLog, LogSettings
from durastore.persistence.aof.manifest import AofError
from durastore.persistence.aof.rewrite import Rewriter
from durastore.persistence.disk import LOCK_NAME, Disk, Lock, RealDisk
from durastore.persistence.loader import Loader, LoadError
from durastore.persistence.rdb import RdbWriter
from durastore.persistence.rdb.format import RDB_VERSION, VALKEY_VERSION
from durastore.persistence.saver import SaveError, Saver
from durastore.persistence.serializer import Serializer
from durastore.server import logs
from durastore.server.access import UserFiles
from durastore.server.connection import OutputLimit
from durastore.server.cron import Cron
from durastore.server.host import ServerHost
from durastore.server.http import Http
from durastore.server.hub import Hub
from durastore.server.info import resident_memory
from durastore.server.listeners import Admission, ListenError, open_listeners, open_tcp
from durastore.server.overdue import Debts
from durastore.server.reactor import Alarm, run_reactor
from durastore.server.supervision import Supervision
from durastore.server.tls import TlsError, TlsListeners

_MISCONF_RDB = (
    b"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    b"may modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    b"snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    b"error."
)

# Whose changes ``_apply_memory`` looks after.
MEMORY_DIRECTIVES: Final[tuple[Directive[Any], ...]] = (
    directives.MAX_MEMORY,
    directives.MAX_MEMORY_CLIENTS,
    directives.MAX_MEMORY_POLICY,
    directives.MAX_MEMORY_SAMPLES,
    directives.MAX_MEMORY_EVICTION_TENACITY,
    directives.LAZYFREE_LAZY_EVICTION,
    directives.LFU_LOG_FACTOR,
    directives.LFU_DECAY_TIME,
)
_NO_END: Final = 1 << 62

_SHUTDOWN_WORDS: Final[dict[int, Directive[tuple[str, ...]]]] = {
    signal.SIGINT: directives.SHUTDOWN_ON_SIGINT,
    signal.SIGTERM: directives.SHUTDOWN_ON_SIGTERM,
}

_NO_LISTENER: Final = "Unable to listen on this port. Check server logs."
_NOT_BOUND: Final = "Failed to bind to specified addresses."


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
            self._log_settings(),
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
        self.http = Http(self)
        self.hub.watch(self.log.thread.watched, self.log.sync_ended)
        self.alarm = Alarm(self.hub, self._time_up)
        self.engine.blocking.waker = self.alarm
        self.engine.programs.runner.while_busy = self.hub.serve_busy
        self.loader = Loader(
            self.engine,
            self.disk,
            self._log_settings,
            self._rdb_path,
            key_delay=lambda: config[directives.KEY_LOAD_DELAY],
        )
        self.debts = Debts(self)
        self.cron = Cron(self)
        self._stop = trio.Event()
        self._watch_config()
        self._apply_limits()
        self._choose_events()
        self._watch_durations()
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

    def _log_settings(self) -> LogSettings:
        config = self.config
        return LogSettings(
            folder=config.resolve(config[directives.APPEND_DIRNAME]),
            filename=config[directives.APPEND_FILENAME],
            fsync=config[directives.APPEND_FSYNC],
            timestamps=config[directives.AOF_TIMESTAMP_ENABLED],
            rdb_preamble=config[directives.AOF_USE_RDB_PREAMBLE],
            no_fsync_on_rewrite=config[directives.NO_APPEND_FSYNC_ON_REWRITE],
            rewrite_percentage=config[directives.AUTO_AOF_REWRITE_PERCENTAGE],
            rewrite_min_size=config[directives.AUTO_AOF_REWRITE_MIN_SIZE],
            load_truncated=config[directives.AOF_LOAD_TRUNCATED],
            corrupt_tail=config[directives.AOF_LOAD_CORRUPT_TAIL_MAX_SIZE],
            incremental_fsync=config[directives.AOF_REWRITE_INCREMENTAL_FSYNC],
            history_max_age=config[directives.AOF_HISTORY_MAX_AGE],
            history_max_size=config[directives.AOF_HISTORY_MAX_SIZE],
        )

    # Starting and stopping

    async def run(self) -> int:
        """Serves until SHUTDOWN or a signal; returns the exit status."""
        self._raise_descriptor_limit()
        lock = self._lock()
        if lock is None:
            return 1
        try:
            self.tls.configure()
        except TlsError as error:
            self.logger.error("%s", error)
            self.logger.error("Failed to configure TLS. Check logs for more info.")
            return 1
        try:
            listeners = open_listeners(self.config, {})
            self.http.open()
        except ListenError as error:
            self.logger.error("%s", error)
            return 1
        for sock in listeners:
            self._listen_on(sock)
        self.supervision.listening()
        self.engine.loading = True
        self.engine.instance.loading = True
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
                nursery.start_soon(self._serve, nursery)
                await self._stop.wait()
                nursery.cancel_scope.cancel()
        finally:
            self.http.close()
            self.tls.stop_listening()
            self.hub.close()
            self._remove_sockets()
            lock.close()
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
        self.engine.instance.loading = False
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
                    signal.signal(signal.SIGINT, self._insisted)
                if self.engine.loading:
                    self.logger.warning("Received shutdown signal during loading, exiting now.")
                    self._stop.set()
                    return
                words = self.config[_SHUTDOWN_WORDS[number]]
                if not self.prepare_shutdown(nosave="nosave" in words, save="save" in words, force="force" in words):
                    self.logger.warning("%s received but errors trying to shut down the server, check the logs", name)

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

    def _lock(self) -> Lock | None:
        try:
            return self.disk.lock(self.config.resolve(LOCK_NAME))
        except OSError as error:
            self.logger.critical("%s", error)
            return None

    def _remove_sockets(self) -> None:
        if self.config[directives.UNIX_SOCKET]:
            try:
                os.unlink(self.config.resolve(self.config[directives.UNIX_SOCKET]))
            except OSError as error:
                self.logger.warning("cannot remove the Unix socket: %s", error)

    def _raise_descriptor_limit(self) -> None:
        wanted = self.config[directives.MAX_CLIENTS] + 32
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft >= wanted or soft == resource.RLIM_INFINITY:
            return
        reachable = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
        except (OSError, ValueError) as error:
            self.logger.warning("cannot raise the limit of open files: %s", error)
        if reachable < wanted:
            self.logger.warning("open files are limited to %d: fewer than maxclients can connect", reachable)

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

    def close_client(self, client: Client) -> None:
        """Closes a connection after its pending replies."""
        client.closing = True
        for connection in self.hub.connections.values():
            if connection.client is client:
                # It must not take anything any more.
                self.engine.blocking.leave(connection.session)
                self.hub.touch(connection)
                return

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        engine = self.engine
        engine.reset_statistics()
        self.admission.received = 0
        self.admission.rejected = 0
        self.hub.bytes_in = 0
        self.hub.bytes_out = 0

    def sample_memory(self) -> None:
        """Adds up what is used."""
        memory = self.engine.memory
        self.memory = memory.counted() + self.log.unwritten()
        self.peak_memory = max(self.peak_memory, self.memory)

    # DEBUG

    def reload(self, *, save: bool, flush: bool, merge: bool) -> None:
        """DEBUG RELOAD: the keyspace goes to disk and comes back."""
        if save:
            try:
                self.saver.save()
            except SaveError as error:
                raise CommandError(b"ERR Error trying to save the DB") from error
        try:
            self.loader.reload_rdb(flush=flush, merge=merge)
        except LoadError as error:
            self.logger.error("%s", error)
            raise CommandError(b"ERR Error trying to load the RDB dump, check server logs") from error

    def reload_log(self) -> None:
        """DEBUG LOADAOF."""
        if not self.log.flush_now():
            raise CommandError(b"ERR Error trying to flush the AOF buffer, check server logs")
        try:
            self.loader.reload_log()
        except LoadError as error:
            self.logger.error("%s", error)
            raise CommandError(b"ERR Error trying to load the AOF files, check server logs") from error

    # Configuration at run time

    def _apply_limits(self) -> None:
        instance = self.engine.instance
        limits = self.config[directives.CLIENT_OUTPUT_BUFFER_LIMIT]
        self.hub.normal_limit = OutputLimit(*limits.normal)
        self.hub.pubsub_limit = OutputLimit(*limits.pubsub)
        self._apply_memory()
        instance.tracking.most_keys = self.config[directives.TRACKING_TABLE_MAX_KEYS]
        instance.max_bulk = self.config[directives.PROTO_MAX_BULK_LEN]
        instance.debug_allowed = self.config[directives.ENABLE_DEBUG_COMMAND] == "yes"
        instance.debug_allowed_here = self.config[directives.ENABLE_DEBUG_COMMAND] == "local"
        instance.modules_allowed = self.config[directives.ENABLE_MODULE_COMMAND] == "yes"
        instance.modules_allowed_here = self.config[directives.ENABLE_MODULE_COMMAND] == "local"
        self.engine.programs.runner.threshold = self.config[directives.BUSY_REPLY_THRESHOLD]
        self._apply_packing()

    def _apply_memory(self) -> None:
        config = self.config
        memory = self.engine.memory
        memory.limit = min(config[directives.MAX_MEMORY], INT64_MAX)
        limit = client_memory_limit(config[directives.MAX_MEMORY_CLIENTS], int(memory.limit))
        self.hub.memory.choose(limit, list(self.hub.connections.values()))
        memory.fixed = self.startup_memory
        memory.patience = eviction_patience(config[directives.MAX_MEMORY_EVICTION_TENACITY])
        memory.lazily = config[directives.LAZYFREE_LAZY_EVICTION]
        memory.eviction.choose(config[directives.MAX_MEMORY_POLICY], config[directives.MAX_MEMORY_SAMPLES])
        meter = self.engine.instance.keyspace.meter
        meter.log_factor = config[directives.LFU_LOG_FACTOR]
        meter.decay_time = config[directives.LFU_DECAY_TIME]

    def _apply_packing(self) -> None:
        limits = self.engine.instance.keyspace.limits
        config = self.config
        limits.hash_entries = config[directives.HASH_MAX_LISTPACK_ENTRIES]
        limits.hash_value = config[directives.HASH_MAX_LISTPACK_VALUE]
        limits.set_entries = config[directives.SET_MAX_LISTPACK_ENTRIES]
        limits.set_value = config[directives.SET_MAX_LISTPACK_VALUE]
        limits.set_intset = config[directives.SET_MAX_INTSET_ENTRIES]
        limits.zset_entries = config[directives.ZSET_MAX_LISTPACK_ENTRIES]
        limits.zset_value = config[directives.ZSET_MAX_LISTPACK_VALUE]
        limits.list_size = config[directives.LIST_MAX_LISTPACK_SIZE]
        limits.stream_node_bytes = config[directives.STREAM_NODE_MAX_BYTES]
        limits.stream_node_entries = config[directives.STREAM_NODE_MAX_ENTRIES]
        limits.hll_sparse_bytes = config[directives.HLL_SPARSE_MAX_BYTES]

    def _watch_config(self) -> None:
        config = self.config
        config.on_change(directives.PROTO_MAX_BULK_LEN, lambda value: self._limits_changed())
        config.on_change(directives.CLIENT_QUERY_BUFFER_LIMIT, lambda value: self._limits_changed())
        config.on_change(directives.SAVE, lambda value: self.update_refusal())
        config.on_change(directives.STOP_WRITES_ON_BGSAVE_ERROR, lambda value: self.update_refusal())
        config.on_change(directives.NOTIFY_KEYSPACE_EVENTS, lambda value: self._choose_events())
        config.on_change(directives.CLIENT_OUTPUT_BUFFER_LIMIT, lambda value: self._apply_limits())
        config.on_change(directives.TRACKING_TABLE_MAX_KEYS, lambda value: self._apply_limits())
        for directive in MEMORY_DIRECTIVES:
            config.on_change(directive, lambda value: self._apply_memory())
        config.on_change(directives.REQUIRE_PASS, self._password_changed)
        config.on_change(directives.ACL_PUBSUB_DEFAULT, lambda value: self.users.apply_settings())
        config.on_change(directives.ACL_LOG_MAX_LEN, lambda value: self.users.apply_settings())
        config.on_change(directives.SLOWLOG_LOG_SLOWER_THAN, lambda value: self._watch_durations())
        config.on_change(directives.LATENCY_MONITOR_THRESHOLD, lambda value: self._watch_durations())
        config.on_change(directives.SLOWLOG_MAX_LEN, lambda value: self._watch_durations())
        config.on_change(directives.BUSY_REPLY_THRESHOLD, lambda value: self._apply_limits())
        config.on_change(directives.LOG_LEVEL, logs.set_level)
        config.on_change(directives.APPEND_ONLY, self._switch_log)
        config.on_change(directives.APPEND_FSYNC, lambda value: self._log_changed())
        config.on_change(directives.AUTO_AOF_REWRITE_PERCENTAGE, lambda value: self._log_changed())
        config.on_change(directives.AUTO_AOF_REWRITE_MIN_SIZE, lambda value: self._log_changed())
        config.on_change(directives.NO_APPEND_FSYNC_ON_REWRITE, lambda value: self._log_changed())
        config.on_change(directives.AOF_LOAD_TRUNCATED, lambda value: self._log_changed())
        config.on_change(directives.AOF_TIMESTAMP_ENABLED, lambda value: self._log_changed())
        config.on_change(directives.AOF_USE_RDB_PREAMBLE, lambda value: self._log_changed())
        config.on_change(directives.AOF_REWRITE_INCREMENTAL_FSYNC, lambda value: self._log_changed())
        config.on_change(directives.AOF_HISTORY_MAX_AGE, lambda value: self._log_changed())
        config.on_change(directives.AOF_HISTORY_MAX_SIZE, lambda value: self._log_changed())
        config.on_change(directives.DIR, lambda value: self._log_changed())
        for directive in (
            directives.HASH_MAX_LISTPACK_ENTRIES,
            directives.HASH_MAX_LISTPACK_VALUE,
            directives.SET_MAX_LISTPACK_ENTRIES,
            directives.SET_MAX_LISTPACK_VALUE,
            directives.SET_MAX_INTSET_ENTRIES,
            directives.ZSET_MAX_LISTPACK_ENTRIES,
            directives.ZSET_MAX_LISTPACK_VALUE,
            directives.LIST_MAX_LISTPACK_SIZE,
            directives.STREAM_NODE_MAX_BYTES,
            directives.STREAM_NODE_MAX_ENTRIES,
            directives.HLL_SPARSE_MAX_BYTES,
        ):
            config.on_change(directive, lambda value: self._apply_packing())
        config.on_change(directives.PORT, lambda value: self._listen_again())
        config.on_change(TLS_PORT, lambda value: self._tls_port_changed())
        config.on_change(directives.BIND, lambda value: self._listen_again(_NOT_BOUND))

    def _watch_durations(self) -> None:
        self.engine.instance.slow_log.limit = self.config[directives.SLOWLOG_MAX_LEN]
        self.engine.watch_for(
            self.config[directives.SLOWLOG_LOG_SLOWER_THAN], self.config[directives.LATENCY_MONITOR_THRESHOLD]
        )

    def _password_changed(self, password: bytes) -> None:
        self.engine.instance.access.set_password(password)
        for connection in self.hub.connections.values():
            connection.client.update_rights()

    def _log_changed(self) -> None:
        self.log.settings = self._log_settings()
        self.log.policy_changed()

    def _choose_events(self) -> None:
        self.engine.instance.events.choose(kinds_of(self.config[directives.NOTIFY_KEYSPACE_EVENTS]))
        self.engine.update_guard()

    def _limits_changed(self) -> None:
        self._apply_limits()
        for connection in self.hub.connections.values():
            connection.session.parser.max_bulk = self.config[directives.PROTO_MAX_BULK_LEN]
            connection.session.parser.max_buffer = self.config[directives.CLIENT_QUERY_BUFFER_LIMIT]

    def _switch_log(self, enable: bool) -> None:
        if enable == self.rewriter.on or self.engine.loading:
            return
        if not enable:
            self.rewriter.turn_off()
            return
        if self.log.rewriting or self.saver.in_progress:
            raise ConfigError("Unable to turn on AOF while a background save is in progress. Try again later.")
        try:
            self.rewriter.turn_on()
        except (OSError, AofError) as error:
            self.logger.error("%s", error)
            raise ConfigError("Unable to turn on AOF. Check server logs.") from error

    def _tls_port_changed(self) -> None:
        self.tls.settings_changed()
        self._listen_again()

    def _listen_on(self, sock: socket.socket) -> None:
        if sock.family != socket.AF_UNIX and sock.getsockname()[1] == self.config[TLS_PORT]:
            self.tls.listen(sock)
        else:
            self.hub.listen(sock)

    def _stop_listening_on(self, sock: socket.socket) -> None:
        if sock in self.tls.listening:
            self.tls.stop_listening_on(sock)
        else:
            self.hub.stop_listening_on(sock)

    def _listen_again(self, complaint: str = _NO_LISTENER) -> None:
        """Listens where the configuration says by now, and nowhere else; raises ConfigError with the complaint."""
        old = {_identity(sock): sock for sock in [*self.hub.listeners.values(), *self.tls.listening]}
        try:
            wanted = self._reopened(old)
        except ListenError as error:
            self.logger.error("%s", error)
            raise ConfigError(complaint) from error
        for sock in old.values():
            if sock.fileno() != -1 and sock not in wanted:
                self._stop_listening_on(sock)
        for sock in wanted:
            if sock not in old.values():
                self._listen_on(sock)

    def _reopened(self, old: dict[object, socket.socket]) -> list[socket.socket]:
        """The sockets that are wanted by now, open; some of them may be old ones.  Raises ListenError."""
        try:
            return open_listeners(self.config, old)
        except ListenError:
            # A socket on all interfaces is in the way of one on a certain interface, and the other way round.
            names = [name for name in old if isinstance(name, tuple)]
            encrypted = [name for name in names if old[name] in self.tls.listening]
            for name in names:
                self._stop_listening_on(old[name])
            try:
                return open_listeners(self.config, {name: sock for name, sock in old.items() if name not in names})
            except ListenError:
                for name in names:
                    again = open_tcp(name[0], name[1], self.config[directives.TCP_BACKLOG], False)
                    if again is not None:
                        (self.tls if name in encrypted else self.hub).listen(again)
                raise


def eviction_patience(tenacity: int) -> int:
    """For how many nanoseconds evictions may hold a command up (maxmemory-eviction-tenacity), as Redis reckons."""
    if tenacity >= 100:
        return _NO_END
    if tenacity <= 10:
        return 50_000 * tenacity
    return int(500_000 * 1.15 ** (tenacity - 10))


def client_memory_limit(share: int, maxmemory: int) -> int:
    """maxmemory-clients in bytes, 0 for none; a negative number is a share of maxmemory in percent.

    Less than 128 KB, in which nobody could say anything, is not to be had.
    """
    wanted = -share * maxmemory // 100 if share < 0 else share
    return max(wanted, 128 * 1024) if wanted else 0


def _identity(sock: socket.socket) -> object:
    """Where a socket listens."""
    return sock.getsockname()


def banner(config: Config) -> str:
    """The first line of the log."""
    build = "compiled" if durastore.compiled() else "interpreted"
    return f"durastore {durastore.__version__} ({build}), pid {os.getpid()}, port {config[directives.PORT]}"
