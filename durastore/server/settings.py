"""The configuration in a server's parts: what each is told at the start, and when CONFIG SET changes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from durastore.commands.events import kinds_of
from durastore.config import Config, ConfigError
from durastore.config import table as directives
from durastore.config.kinds import INT64_MAX, Directive
from durastore.persistence.aof.log import LogSettings
from durastore.persistence.aof.manifest import AofError
from durastore.server import logs
from durastore.server.connection import OutputLimit

if TYPE_CHECKING:
    from durastore.server.server import Server

_NO_END: Final = 1 << 62


def log_settings(config: Config) -> LogSettings:
    """What the configuration says about the log by now."""
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


class Settings:
    """Brings a server's configuration to its parts, now and whenever it changes."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._watch()
        self._apply_limits()
        self._choose_events()
        self._watch_durations()

    def _watch(self) -> None:
        server = self._server
        self._when_set(
            self._limits_changed,
            directives.PROTO_MAX_BULK_LEN,
            directives.CLIENT_QUERY_BUFFER_LIMIT,
        )
        self._when_set(
            self._apply_limits,
            directives.CLIENT_OUTPUT_BUFFER_LIMIT,
            directives.TRACKING_TABLE_MAX_KEYS,
            directives.BUSY_REPLY_THRESHOLD,
        )
        self._when_set(
            self._apply_memory,
            directives.MAX_MEMORY,
            directives.MAX_MEMORY_CLIENTS,
            directives.MAX_MEMORY_POLICY,
            directives.MAX_MEMORY_SAMPLES,
            directives.MAX_MEMORY_EVICTION_TENACITY,
            directives.LAZYFREE_LAZY_EVICTION,
            directives.LFU_LOG_FACTOR,
            directives.LFU_DECAY_TIME,
        )
        self._when_set(
            self._apply_packing,
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
        )
        self._when_set(
            self._log_changed,
            directives.APPEND_FSYNC,
            directives.NO_APPEND_FSYNC_ON_REWRITE,
            directives.AUTO_AOF_REWRITE_PERCENTAGE,
            directives.AUTO_AOF_REWRITE_MIN_SIZE,
            directives.AOF_LOAD_TRUNCATED,
            directives.AOF_TIMESTAMP_ENABLED,
            directives.AOF_USE_RDB_PREAMBLE,
            directives.AOF_REWRITE_INCREMENTAL_FSYNC,
            directives.AOF_HISTORY_MAX_AGE,
            directives.AOF_HISTORY_MAX_SIZE,
        )
        self._when_set(
            self._watch_durations,
            directives.SLOWLOG_LOG_SLOWER_THAN,
            directives.SLOWLOG_MAX_LEN,
            directives.LATENCY_MONITOR_THRESHOLD,
        )
        self._when_set(server.update_refusal, directives.SAVE, directives.STOP_WRITES_ON_BGSAVE_ERROR)
        self._when_set(server.users.apply_settings, directives.ACL_PUBSUB_DEFAULT, directives.ACL_LOG_MAX_LEN)
        self._when_set(self._choose_events, directives.NOTIFY_KEYSPACE_EVENTS)
        server.config.on_change(directives.REQUIRE_PASS, self._password_changed)
        server.config.on_change(directives.LOG_LEVEL, logs.set_level)
        server.config.on_change(directives.APPEND_ONLY, self._switch_log)
        server.config.on_change(directives.DIR, self._move)
        server.config.on_change(directives.MAX_CLIENTS, self._make_room)

    def _when_set(self, apply: Callable[[], None], *which: Directive[Any]) -> None:
        for directive in which:
            self._server.config.on_change(directive, lambda value: apply())

    def _apply_limits(self) -> None:
        server = self._server
        config = server.config
        instance = server.engine.instance
        limits = config[directives.CLIENT_OUTPUT_BUFFER_LIMIT]
        server.hub.normal_limit = OutputLimit(*limits.normal)
        server.hub.pubsub_limit = OutputLimit(*limits.pubsub)
        self._apply_memory()
        instance.tracking.most_keys = config[directives.TRACKING_TABLE_MAX_KEYS]
        instance.max_bulk = config[directives.PROTO_MAX_BULK_LEN]
        instance.debug_allowed = config[directives.ENABLE_DEBUG_COMMAND] == "yes"
        instance.debug_allowed_here = config[directives.ENABLE_DEBUG_COMMAND] == "local"
        instance.modules_allowed = config[directives.ENABLE_MODULE_COMMAND] == "yes"
        instance.modules_allowed_here = config[directives.ENABLE_MODULE_COMMAND] == "local"
        server.engine.programs.runner.threshold = config[directives.BUSY_REPLY_THRESHOLD]
        self._apply_packing()

    def _apply_memory(self) -> None:
        server = self._server
        config = server.config
        memory = server.engine.memory
        memory.limit = min(config[directives.MAX_MEMORY], INT64_MAX)
        limit = client_memory_limit(config[directives.MAX_MEMORY_CLIENTS], int(memory.limit))
        server.hub.memory.choose(limit, list(server.hub.connections.values()))
        memory.fixed = server.startup_memory
        memory.patience = eviction_patience(config[directives.MAX_MEMORY_EVICTION_TENACITY])
        memory.lazily = config[directives.LAZYFREE_LAZY_EVICTION]
        memory.eviction.choose(config[directives.MAX_MEMORY_POLICY], config[directives.MAX_MEMORY_SAMPLES])
        meter = server.engine.instance.keyspace.meter
        meter.log_factor = config[directives.LFU_LOG_FACTOR]
        meter.decay_time = config[directives.LFU_DECAY_TIME]

    def _apply_packing(self) -> None:
        server = self._server
        config = server.config
        limits = server.engine.instance.keyspace.limits
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

    def _watch_durations(self) -> None:
        server = self._server
        config = server.config
        server.engine.instance.slow_log.limit = config[directives.SLOWLOG_MAX_LEN]
        server.engine.watch_for(
            config[directives.SLOWLOG_LOG_SLOWER_THAN], config[directives.LATENCY_MONITOR_THRESHOLD]
        )

    def _password_changed(self, password: bytes) -> None:
        server = self._server
        server.engine.instance.access.set_password(password)
        for connection in server.hub.connections.values():
            connection.client.update_rights()

    def _log_changed(self) -> None:
        server = self._server
        server.log.settings = log_settings(server.config)
        server.log.policy_changed()

    def _make_room(self, clients: int) -> None:
        """CONFIG SET maxclients."""
        reachable = self._server.make_room_for(clients)
        if reachable < clients:
            raise ConfigError(
                f"The operating system is not able to handle the specified number of clients, try with {reachable}"
            )

    def _move(self, folder: str) -> None:
        """CONFIG SET dir, which is not to part a log, nor to touch the files of another server."""
        server = self._server
        if folder == server.claimed:
            return
        if server.rewriter.on or server.log.rewriting:
            raise ConfigError("The append only file is in the present one. Turn it off first, with appendonly no.")
        try:
            server.claim_folder()
        except OSError as error:
            raise ConfigError(str(error)) from error
        self._log_changed()

    def _choose_events(self) -> None:
        server = self._server
        server.engine.instance.events.choose(kinds_of(server.config[directives.NOTIFY_KEYSPACE_EVENTS]))
        server.engine.update_guard()

    def _limits_changed(self) -> None:
        server = self._server
        config = server.config
        self._apply_limits()
        for connection in server.hub.connections.values():
            connection.session.parser.max_bulk = config[directives.PROTO_MAX_BULK_LEN]
            connection.session.parser.max_buffer = config[directives.CLIENT_QUERY_BUFFER_LIMIT]

    def _switch_log(self, enable: bool) -> None:
        server = self._server
        if enable == server.rewriter.on or server.engine.loading:
            return
        if not enable:
            server.rewriter.turn_off()
            return
        if server.log.rewriting or server.saver.in_progress:
            raise ConfigError("Unable to turn on AOF while a background save is in progress. Try again later.")
        try:
            server.rewriter.turn_on()
        except (OSError, AofError) as error:
            server.logger.error("%s", error)
            raise ConfigError("Unable to turn on AOF. Check server logs.") from error


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
