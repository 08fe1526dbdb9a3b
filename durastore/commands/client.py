"""What a command acts on: the client that sent it and the server instance that it talks to.

``Client`` is the state of one connection as commands see it; it does no I/O.  ``Instance`` is the state of one server:
the keyspace, the time of this wake, and the effects that the engine is to put into the journal.  ``Host`` is what only
the process around the engine can do (configuration, persistence, other connections).
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from durastore.commands.access import Access
from durastore.commands.channels import CHANNEL, PATTERN, SHARD, Channels, Subscriber
from durastore.commands.events import KeyspaceEvents
from durastore.commands.latency_events import LatencyMonitor
from durastore.commands.monitors import Monitors
from durastore.commands.programs import Programs
from durastore.commands.slow_log import SlowLog
from durastore.commands.tracking import Tracking
from durastore.commands.users import Catalogue, User
from durastore.keyspace.database import Database
from durastore.keyspace.keyspace import Keyspace
from durastore.protocol.parser import ARGUMENT

# What they take beside their words, as measured: a request in a queue, a watched key, a subscription.
_QUEUED: Final = 88
_WATCHED: Final = 210
_SUBSCRIBED: Final = 390


@mypyc_attr(allow_interpreted_subclasses=True)
class Host:
    """The services of the process; ``server/`` implements them.

    The texts of the CommandErrors that they raise go to the client as they are.
    """

    def config_get(self, patterns: list[bytes]) -> list[tuple[bytes, bytes]]:
        """Directives whose names match, with their values (CONFIG GET)."""
        raise NotImplementedError

    def config_set(self, pairs: list[tuple[bytes, bytes]], local: bool) -> None:
        """Sets directives, all or none (CONFIG SET); ``local`` says that the client is on this machine."""
        raise NotImplementedError

    def config_rewrite(self) -> None:
        """Writes the running configuration to the conf file."""
        raise NotImplementedError

    def is_secret(self, name: bytes) -> bool:
        """Whether the directive of this name holds what nobody is to read by the way."""
        raise NotImplementedError

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        raise NotImplementedError

    def save(self) -> None:
        """SAVE: returns when the snapshot is on disk; raises CommandError."""
        raise NotImplementedError

    def flushed(self) -> None:
        """All databases were emptied at a client's request, or by what is replayed."""

    def background_save(self, schedule: bool) -> bytes:
        """BGSAVE; returns the status line."""
        raise NotImplementedError

    def background_rewrite(self) -> bytes:
        """BGREWRITEAOF; returns the status line."""
        raise NotImplementedError

    def last_save(self) -> int:
        """Unix time in seconds of the last good snapshot."""
        raise NotImplementedError

    def shutdown(self, nosave: bool, save: bool, now: bool, force: bool) -> None:
        """SHUTDOWN; returns when the server is on its way down, raises CommandError when it cannot."""
        raise NotImplementedError

    def abort_shutdown(self) -> bool:
        """SHUTDOWN ABORT; whether there was one in progress."""
        raise NotImplementedError

    def info(self, sections: list[bytes]) -> bytes:
        """The text of INFO for the sections asked for."""
        raise NotImplementedError

    def memory_stats(self) -> list[tuple[bytes, object]]:
        """The figures of MEMORY STATS without those of the databases; ints and floats."""
        raise NotImplementedError

    def memory_report(self) -> bytes:
        """The text of MEMORY DOCTOR."""
        raise NotImplementedError

    def time(self) -> tuple[int, int]:
        """Unix time: seconds and microseconds."""
        raise NotImplementedError

    def sleep(self, seconds: float) -> None:
        """Stops the whole server for a time (DEBUG SLEEP)."""
        raise NotImplementedError

    def crash(self, kind: bytes) -> None:
        """DEBUG SEGFAULT, ASSERT, PANIC or OOM: the process ends here and now, as if by a bug of this kind."""
        raise NotImplementedError

    def reload(self, save: bool, flush: bool, merge: bool) -> None:
        """DEBUG RELOAD: saves, empties and loads the keyspace; raises CommandError."""
        raise NotImplementedError

    def load_aof(self) -> None:
        """DEBUG LOADAOF: flushes the log, empties the keyspace and loads the log; raises CommandError."""
        raise NotImplementedError

    def change_replication_id(self) -> None:
        """DEBUG CHANGE-REPL-ID: INFO tells another master_replid from now on."""
        raise NotImplementedError

    def load_users(self) -> None:
        """ACL LOAD: takes the users of the file in place of those there are; raises CommandError."""
        raise NotImplementedError

    def save_users(self) -> None:
        """ACL SAVE: writes the users to the file; raises CommandError."""
        raise NotImplementedError

    def clients(self) -> list[Client]:
        """All connections, in the order of their ids."""
        raise NotImplementedError

    def measure(self, client: Client) -> None:
        """Sees what is buffered for a connection."""
        raise NotImplementedError

    def close(self, client: Client) -> None:
        """Closes a connection once its replies are out."""
        raise NotImplementedError

    def pause(self, until: int, writes_only: bool) -> None:
        """CLIENT PAUSE until a Unix time in milliseconds; 0 ends it (CLIENT UNPAUSE)."""
        raise NotImplementedError

    def dump(self, value: object) -> bytes:
        """The DUMP payload of a value."""
        raise NotImplementedError

    def restore(self, payload: bytes) -> object:
        """The value of a DUMP payload; raises CommandError."""
        raise NotImplementedError

    def dump_functions(self, codes: list[bytes]) -> bytes:
        """The payload of FUNCTION DUMP for libraries."""
        raise NotImplementedError

    def load_functions(self, payload: bytes) -> list[bytes]:
        """The codes of the libraries in a payload; raises CommandError."""
        raise NotImplementedError

    def ask_server(
        self, host: bytes, port: bytes, timeout: int, requests: list[list[bytes]]
    ) -> tuple[list[bytes], bytes]:
        """Sends requests to another server; the first lines of the answers that came, and the error that ended it.

        Stops this server for at most ``timeout`` milliseconds for each step.  The error is empty where all went well.
        """
        raise NotImplementedError

    def log_enabled(self) -> bool:
        """Whether there is an append-only log."""
        raise NotImplementedError

    def log_durable(self) -> int:
        """The offset up to which the log is on disk (see ``Client.log_offset``)."""
        raise NotImplementedError

    def write_error(self) -> bytes | None:
        """Why writes are refused at present (-MISCONF), or None."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=False)
class Dispatcher:
    """What the engine does for commands."""

    def find_command(self, argv: list[bytes]) -> object:
        """The Command (or subcommand) that a request names, or None."""
        raise NotImplementedError

    def all_commands(self) -> list[object]:
        """All Commands, without subcommands."""
        raise NotImplementedError

    def run_queue(self, client: Client, queue: list[list[bytes]]) -> None:
        """Runs queued requests one after the other, as one unit for the journal."""
        raise NotImplementedError

    def show_caller(self, client: Client, argv: list[bytes]) -> None:
        """Shows a request to those who watch, before what it makes run."""
        raise NotImplementedError

    def monitors_changed(self) -> None:
        """To be called when somebody begins or ends to watch all commands."""
        raise NotImplementedError

    def unblock(self, client_id: int, error: bool) -> bool:
        """CLIENT UNBLOCK: ends a client's wait with an error, or as if its time were up; whether it was waiting."""
        raise NotImplementedError


@final
class Blocked(Exception):
    """A command found nothing to do: it is to run again when one of its keys is ready (see ``Client.block``)."""

    def __init__(
        self,
        kind: bytes,
        keys: list[bytes],
        deadline: i64,
        without_key: bool = False,
        for_log: bool = False,
        runs_at_deadline: bool = False,
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.keys = keys
        self.deadline: i64 = deadline
        self.without_key = without_key
        # It waits for the log (see ``Client.wait_for_log``), and runs again at the deadline instead of being answered.
        self.for_log = for_log
        self.runs_at_deadline = runs_at_deadline


@final
class Instance:
    """The state of one server.

    ``now`` is the time of this wake in Unix milliseconds.  ``dirty`` counts changes of the dataset since the last good
    snapshot; a command that changed something raises it.  ``effects`` replaces the request in the journal where the
    request itself would not have the same effect when it is replayed.
    """

    def __init__(self, databases: int, host: Host) -> None:
        self.keyspace = Keyspace(databases)
        self.host = host
        # The engine sets itself here as soon as it exists.
        self.dispatcher = Dispatcher()
        # The engine puts one in its place that knows the commands.
        self.access = Access(Catalogue({}, {}, 0))
        self.programs = Programs()
        self.now: i64 = 0
        self.dirty: i64 = 0
        self.effects: list[list[bytes]] | None = None
        self.max_bulk: i64 = 512 * 1024 * 1024
        self.active_expire = True
        # DEBUG PAUSE-CRON: nothing is done by the clock.
        self.cron_paused = False
        # DEBUG SET-DISABLE-DENY-SCRIPTS: scripts may run the commands that they otherwise may not.
        self.scripts_run_all = False
        # enable-debug-command: whether DEBUG is allowed, to everybody or only to clients on this machine.
        self.debug_allowed = False
        self.debug_allowed_here = False
        # enable-module-command: the same for MODULE LOAD and the like.
        self.modules_allowed = False
        self.modules_allowed_here = False
        self.slow_log = SlowLog()
        self.latency = LatencyMonitor()
        self.channels = Channels()
        self.monitors = Monitors(self.channels)
        self.events = KeyspaceEvents(self.keyspace, self.channels)
        self.tracking = Tracking(self.keyspace, self.channels)

    def propagate(self, effect: list[bytes]) -> None:
        """Has this written to the journal instead of the request; more than one effect of a command adds up."""
        if self.effects is None:
            self.effects = [effect]
        else:
            self.effects.append(effect)


@final
class Client(Subscriber):
    """One connection."""

    def __init__(self, client_id: int, instance: Instance) -> None:
        super().__init__()
        self.id = client_id
        self.instance = instance
        self.db: Database = instance.keyspace.databases[0]
        # The user that it acts for, and whether it has shown that it may.
        self.user: User = instance.access.default
        self.authenticated = True
        # Whether its requests are to be looked at before they run; kept by ``update_rights``.
        self.restricted = False
        self.name = b""
        self.lib_name = b""
        self.lib_version = b""
        self.address = ""
        self.local_address = ""
        self.descriptor = -1
        self.unix_socket = False
        # On this machine.
        self.local = False
        self.created: i64 = 0
        self.last_interaction: i64 = 0
        self.last_command = ""
        # What is buffered for it, as ``Host.measure`` found it last: bytes, and pieces of output; and what it takes in
        # all, which is counted after each wake.
        self.query_buffered: i64 = 0
        self.argument_bytes: i64 = 0
        self.output_buffered: i64 = 0
        self.output_pieces: i64 = 0
        self.memory: i64 = 0
        # It is sent every command that runs.
        self.monitoring = False
        self.no_evict = False
        self.no_touch = False
        # CLIENT REPLY: off, and whether (1) the next command is to be silent.
        self.reply_off = False
        self.reply_skip: i64 = 0
        self.closing = False
        # The transaction: queued requests after MULTI, and what WATCH watches.
        self.in_multi = False
        self.queue: list[list[bytes]] = []
        self.queued_bytes: i64 = 0
        self.multi_failed = False
        self.watching: list[tuple[Database, bytes]] = []
        self.watch_broken = False
        # Replays the journal: every check that protects a live dataset is off.
        self.replaying = False
        # Its command waits for keys, or for the end of CLIENT PAUSE.
        self.blocked = False
        # The offset of the log behind all that this client wrote in earlier wakes, and whether it has written in this.
        self.log_offset: i64 = 0
        self.unlogged = False
        # The command runs again because its time is up.
        self.time_is_up = False
        # Whoever runs commands here needs their replies at once (a log, a script).
        self.deny_blocking = False

    def enqueue(self, argv: list[bytes]) -> None:
        """Keeps a request for EXEC."""
        self.queue.append(argv)
        size: i64 = _QUEUED
        for word in argv:
            size += len(word) + ARGUMENT
        self.queued_bytes += size

    def transaction_memory(self) -> i64:
        """What its transaction takes: the queued requests, and what is watched."""
        return self.queued_bytes + _WATCHED * len(self.watching)

    def subscription_memory(self) -> i64:
        """What its subscriptions take."""
        if self.subscriptions is None:
            return 0
        return _SUBSCRIBED * (self.count(CHANNEL) + self.count(PATTERN) + self.count(SHARD))

    def must_authenticate(self) -> bool:
        """Whether it has to say first who it is."""
        return not self.authenticated and self.instance.access.default.asks_password()

    def become(self, user: User) -> None:
        """From now on it acts for this user."""
        self.user = user
        self.authenticated = True
        self.update_rights()

    def become_stranger(self) -> None:
        """It acts for the default user, as a new connection does: at once where that needs no password."""
        self.user = self.instance.access.default
        self.authenticated = not self.user.asks_password()
        self.update_rights()

    def update_rights(self) -> None:
        """To be called when users have changed."""
        self.restricted = self.must_authenticate() or not self.user.unrestricted()

    def notify(self, kind: i64, event: bytes, key: bytes) -> None:
        """Tells of an event of a key in the client's database; ``kind`` is one of ``durastore.commands.events``."""
        events = self.instance.events
        if events.kinds & kind:
            events.publish(kind, event, key, self.db.index)

    def block(self, kind: bytes, keys: list[bytes], deadline: i64, without_key: bool = False) -> None:
        """Ends the command without a reply: it runs again when one of the keys holds a value of this type.

        ``kind`` is what TYPE says.  With ``without_key`` the command runs again as well when a key is gone or has
        another type.  At the deadline (Unix milliseconds, 0: never) the client gets the null array.

        Returns where the client may not wait: inside a transaction, a script or a log.  The command must not have
        written a reply yet; what it did to the dataset so far counts.
        """
        if not self.in_multi and not self.deny_blocking:
            raise Blocked(kind, keys, deadline, without_key)

    def wait_for_log(self, deadline: i64) -> None:
        """Ends the command without a reply: it runs again when the log is durable up to ``log_offset``.

        At the deadline (as for ``block``) it runs again with ``time_is_up`` set.  Returns where ``block`` does, too.
        """
        if not self.in_multi and not self.deny_blocking:
            raise Blocked(b"", [], deadline, for_log=True, runs_at_deadline=True)

    def wait_for_replicas(self, deadline: i64) -> None:
        """As ``wait_for_log``, for what no replica will ever say, as there are none."""
        if not self.in_multi and not self.deny_blocking:
            raise Blocked(b"", [], deadline, runs_at_deadline=True)

    def key_changed(self) -> None:
        """A watched key was changed: the next EXEC fails."""
        self.watch_broken = True

    def unwatch(self) -> None:
        """Forgets all that is watched."""
        if self.watching:
            for db, key in self.watching:
                db.unwatch(key, self)
            self.watching = []
        self.watch_broken = False
