"""The services that commands ask of the process; see ``durastore.commands.client.Host``."""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import TYPE_CHECKING

from durastore.commands.client import Client, Host
from durastore.commands.errors import CommandError
from durastore.config import ConfigError
from durastore.config import table as directives
from durastore.persistence.loader import LoadError
from durastore.persistence.rdb import RdbError, dump_functions, dump_value, load_dump, load_functions
from durastore.persistence.rdb.dump import ERROR_CHECKSUM, ERROR_FORMAT
from durastore.persistence.saver import SaveError
from durastore.server.doctor import report
from durastore.server.info import condition, memory_figures, render_info
from durastore.server.peer import ask_server

if TYPE_CHECKING:
    from durastore.server.server import Server

log = logging.getLogger("durastore.server")

_SAVE_RUNNING = b"ERR Background save already in progress"


class ServerHost(Host):
    """Host over a Server."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    def config_get(self, patterns: list[bytes]) -> list[tuple[bytes, bytes]]:
        """CONFIG GET."""
        return self._server.config.get(patterns)

    def config_set(self, pairs: list[tuple[bytes, bytes]], local: bool) -> None:
        """CONFIG SET."""
        try:
            self._server.config.set(pairs, local=local, loading=self._server.engine.loading)
        except ConfigError as error:
            raise CommandError(str(error).encode("utf-8", "surrogateescape")) from error

    def config_rewrite(self) -> None:
        """CONFIG REWRITE."""
        try:
            self._server.config.rewrite(self._server.users.conf_lines())
        except ConfigError as error:
            raise CommandError(str(error).encode("utf-8", "surrogateescape")) from error

    def is_secret(self, name: bytes) -> bool:
        """Whether a directive is sensitive."""
        return self._server.config.is_sensitive(name)

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        server = self._server
        server.engine.reset_statistics()
        server.admission.received = 0
        server.admission.rejected = 0
        server.hub.bytes_in = 0
        server.hub.bytes_out = 0
        server.cron.forget_expiries()

    def save(self) -> None:
        """SAVE."""
        if self._server.saver.in_progress:
            raise CommandError(_SAVE_RUNNING)
        self._server.supervision.alive()
        try:
            self._server.saver.save()
        except SaveError as error:
            raise CommandError(b"ERR") from error
        finally:
            self._server.supervision.alive()

    def flushed(self) -> None:
        """After FLUSHALL the snapshot is to be an empty one soon, not what was there or is just being written."""
        server = self._server
        if server.engine.loading:
            return
        server.saver.cancel()
        if server.config[directives.SAVE]:
            server.saver.scheduled = True

    def background_save(self, schedule: bool) -> bytes:
        """BGSAVE [SCHEDULE]."""
        server = self._server
        if server.saver.in_progress:
            raise CommandError(_SAVE_RUNNING)
        if server.log.rewriting:
            if not schedule:
                raise CommandError(
                    b"ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order "
                    b"to schedule a BGSAVE whenever possible."
                )
            server.saver.scheduled = True
            return b"Background saving scheduled"
        server.saver.start()
        return b"Background saving started"

    def background_rewrite(self) -> bytes:
        """BGREWRITEAOF."""
        server = self._server
        if server.log.rewriting:
            raise CommandError(b"ERR Background append only file rewriting already in progress")
        if server.saver.in_progress:
            server.rewriter.scheduled = True
            return b"Background append only file rewriting scheduled"
        server.rewriter.start()
        return b"Background append only file rewriting started"

    def last_save(self) -> int:
        """LASTSAVE."""
        return self._server.saver.last_save

    def shutdown(self, nosave: bool, save: bool, now: bool, force: bool) -> None:
        """SHUTDOWN."""
        if not self._server.prepare_shutdown(nosave=nosave, save=save, force=force):
            raise CommandError(b"ERR Errors trying to SHUTDOWN. Check logs.")
        # Where this happens while a script runs, that ends as well; none of its effects have been journalled.
        self._server.engine.programs.runner.abandon()

    def abort_shutdown(self) -> bool:
        """SHUTDOWN ABORT: a shutdown here is never delayed, so there is none to abort."""
        return False

    def info(self, sections: list[bytes]) -> bytes:
        """INFO."""
        return render_info(self._server, sections)

    def memory_stats(self) -> list[tuple[bytes, object]]:
        """MEMORY STATS."""
        return memory_figures(self._server)

    def memory_report(self) -> bytes:
        """MEMORY DOCTOR."""
        return report(condition(self._server)).encode()

    def time(self) -> tuple[int, int]:
        """TIME."""
        return divmod(time.time_ns() // 1000, 1_000_000)

    def sleep(self, seconds: float) -> None:
        """DEBUG SLEEP."""
        time.sleep(seconds)

    def crash(self, kind: bytes) -> None:
        """DEBUG SEGFAULT and the like, each with the signal by which it ends a redis-server."""
        log.critical("DEBUG %s: the process ends", kind.decode())
        os.kill(os.getpid(), signal.SIGSEGV if kind == b"SEGFAULT" else signal.SIGABRT)

    def reload(self, save: bool, flush: bool, merge: bool) -> None:
        """DEBUG RELOAD: the keyspace goes to disk and comes back."""
        server = self._server
        if save:
            try:
                server.saver.save()
            except SaveError as error:
                raise CommandError(b"ERR Error trying to save the DB") from error
        try:
            server.loader.reload_rdb(flush=flush, merge=merge)
        except LoadError as error:
            server.logger.error("%s", error)
            raise CommandError(b"ERR Error trying to load the RDB dump, check server logs") from error

    def load_aof(self) -> None:
        """DEBUG LOADAOF."""
        server = self._server
        if not server.log.flush_now():
            raise CommandError(b"ERR Error trying to flush the AOF buffer, check server logs")
        try:
            server.loader.reload_log()
        except LoadError as error:
            server.logger.error("%s", error)
            raise CommandError(b"ERR Error trying to load the AOF files, check server logs") from error

    def change_replication_id(self) -> None:
        """DEBUG CHANGE-REPL-ID."""
        self._server.replication_id = os.urandom(20).hex()

    def load_users(self) -> None:
        """ACL LOAD."""
        self._server.users.load()

    def save_users(self) -> None:
        """ACL SAVE."""
        self._server.users.save()

    def clients(self) -> list[Client]:
        """All connections, by id."""
        return sorted(
            (connection.client for connection in self._server.hub.connections.values()), key=lambda client: client.id
        )

    def measure(self, client: Client) -> None:
        """Sees what is buffered for a connection."""
        connection = self._server.hub.connections.get(client.descriptor)
        if connection is not None:
            session = connection.session
            client.query_buffered = session.parser.buffered()
            client.argument_bytes = session.argument_bytes()
            client.output_buffered = connection.outgoing_bytes
            client.output_pieces = len(connection.outgoing)

    def close(self, client: Client) -> None:
        """Closes a connection when its replies are out."""
        server = self._server
        client.closing = True
        for connection in server.hub.connections.values():
            if connection.client is client:
                # It must not take anything any more.
                server.engine.blocking.leave(connection.session)
                server.hub.touch(connection)
                return

    def pause(self, until: int, writes_only: bool) -> None:
        """CLIENT PAUSE and UNPAUSE."""
        if until == 0:
            self._server.end_pause()
        else:
            self._server.begin_pause(until, writes_only)

    def dump(self, value: object) -> bytes:
        """DUMP."""
        return dump_value(value, limits=self._server.engine.instance.keyspace.limits)

    def restore(self, payload: bytes) -> object:
        """RESTORE."""
        try:
            return load_dump(payload, self._server.engine.instance.keyspace.limits)
        except RdbError as error:
            text = ERROR_CHECKSUM if error.reason == ERROR_CHECKSUM else ERROR_FORMAT
            raise CommandError(b"ERR " + text.encode()) from error

    def dump_functions(self, codes: list[bytes]) -> bytes:
        """FUNCTION DUMP."""
        return dump_functions(codes)

    def load_functions(self, payload: bytes) -> list[bytes]:
        """FUNCTION RESTORE."""
        try:
            return load_functions(payload)
        except RdbError as error:
            raise CommandError(b"ERR " + error.reason.encode()) from error

    def ask_server(
        self, host: bytes, port: bytes, timeout: int, requests: list[list[bytes]]
    ) -> tuple[list[bytes], bytes]:
        """MIGRATE's conversation with another server."""
        return ask_server(host, port, timeout / 1000, requests)

    def log_enabled(self) -> bool:
        """Whether there is an append-only log."""
        return self._server.log.writer is not None

    def log_durable(self) -> int:
        """How much of it is on disk."""
        return self._server.log.durable

    def write_error(self) -> bytes | None:
        """Why writes are refused."""
        return self._server.engine.write_refusal
