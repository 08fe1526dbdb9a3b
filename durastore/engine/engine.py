"""The engine: finds a request's command, decides whether it may run, runs it, and journals its effect once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64

from durastore.commands import errors, permissions
from durastore.commands.access import Access
from durastore.commands.channels import Subscriber
from durastore.commands.client import Blocked, Client, Dispatcher, Host, Instance
from durastore.commands.errors import CommandError
from durastore.commands.programs import ALLOW_OOM, NO_WRITES, UNDECLARED
from durastore.commands.redaction import redacted
from durastore.commands.spec import (
    ADMIN,
    ALLOW_BUSY,
    DENYOOM,
    FAST,
    LOADING,
    MAY_REPLICATE,
    NO_AUTH,
    NO_MULTI,
    NOT_QUEUED,
    PROTECTED,
    READONLY,
    RUNS_OTHERS,
    SKIP_MONITOR,
    SKIP_SLOWLOG,
    SUBSCRIBED,
    UNPAUSED,
    WRITE,
)
from durastore.commands.table import build_table, catalogue_of
from durastore.commands.tablerow import Command
from durastore.engine.batch import Batch
from durastore.engine.blocking import Blocking
from durastore.engine.journal import Journal
from durastore.engine.memory import FULL, OOM, MemoryLimit
from durastore.engine.scripting.programs import LuaPrograms
from durastore.protocol.numbers import INT64_MAX

log = logging.getLogger("durastore.engine")

# An error whose first space comes later is counted as ERR, for INFO errorstats.
_LONGEST_CODE: Final = 31
_NOAUTH: Final = b"NOAUTH Authentication required."
# What is never refused inside MULTI for want of memory.
_OUT_OF_QUEUE: Final = (b"discard", b"multi", b"watch", b"quit", b"reset")
_LOADING: Final = b"LOADING Redis is loading the dataset in memory"
_INTERNAL: Final = b"ERR internal error; see the server's log"
# What ``run`` returns.
UNCHANGED: Final = 0
AS_SENT: Final = 1
EFFECTS: Final = 2
BLOCKED: Final = 3
# More nanoseconds than a command can take, and what quick ones take at most.
_NEVER: Final = INT64_MAX
_QUICK: Final = 1_000_000
# How much of a request an error message repeats.
_SHOWN: Final = 128


@final
class Engine(Dispatcher):
    """One command engine over one keyspace.  It does no I/O and knows no clock."""

    def __init__(self, databases: int, host: Host) -> None:
        super().__init__()
        self.instance = Instance(databases, host)
        self.instance.dispatcher = self
        # Messages on their way: whoever ran a command calls ``deliver`` once its reply is complete.
        self.pushes = self.instance.channels.pushes
        # Who has got some, and is to be sent its output.
        self.receivers: list[Subscriber] = []
        self.tracking = self.instance.tracking
        self.journal = Journal()
        self.blocking = Blocking(self.instance.keyspace)
        # Waited keys that something has happened to: whoever ran a command calls ``blocking.serve``.
        self.ready = self.instance.keyspace.ready
        # What the last ``run`` waits for, where it returned BLOCKED.
        self.wait: Blocked | None = None
        # One for all sessions: they run one at a time.
        self.batch = Batch()
        self.commands: dict[bytes, Command] = build_table()
        # Rules name commands as they are called here, whatever ``rename`` says.
        self.instance.access = Access(catalogue_of(self.commands))
        # The same commands, also by their names in capitals, which is how most clients send them.
        self._by_name: dict[bytes, Command] = {}
        self._name_all()
        self.memory = MemoryLimit(self.instance, self.journal, _no_time)
        # Whether requests take the careful path; kept by ``update_guard``.
        self.guarded = False
        # Why writes are refused at present, as an error text.
        self.write_refusal: bytes | None = None
        # A slow script runs, and others are told this.
        self.busy: bytes | None = None
        self.loading = False
        # CLIENT PAUSE: until when (Unix milliseconds, 0: not paused), and whether only writes wait.
        self.paused_until: i64 = 0
        self.paused_writes_only = False
        self.commands_processed: i64 = 0
        # Nanoseconds that only differences are taken of; whoever wants times measured sets it.
        self.stopwatch: Callable[[], int] = _no_time
        # From how many nanoseconds on a command is slow; kept by ``watch_for``.
        self._slow: i64 = _NEVER
        # From how many on SLOWLOG has it.
        self._slow_entry: i64 = _NEVER
        self.error_replies: i64 = 0
        # When the log was last told of a peer that speaks HTTP.
        self.warned_of_browser: i64 = 0
        self._changed = False
        self.error_counts: dict[bytes, int] = {}
        self.programs = LuaPrograms(self)
        self.instance.programs = self.programs
        self.unexpected_errors: i64 = 0

    def _name_all(self) -> None:
        self._by_name = dict(self.commands)
        for name, command in self.commands.items():
            self._by_name[name.upper()] = command

    def rename(self, old: bytes, new: bytes) -> bytes | None:
        """rename-command: calls a command by another name, or by none; returns what is wrong with that, or None."""
        if old.lower() not in self.commands:
            return b"No such command in rename-command"
        if new.lower() in self.commands:
            return b"Target command name already exists"
        command = self.commands.pop(old.lower())
        if new:
            self.commands[new.lower()] = command
        self._name_all()
        return None

    def begin_wake(self, now: i64) -> None:
        """Sets the time (Unix milliseconds) for all that runs until the next call."""
        self.instance.now = now
        self.instance.keyspace.set_clock(now)

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT, as far as it is the engine's."""
        self.commands_processed = 0
        self.error_replies = 0
        self.unexpected_errors = 0
        self.error_counts = {}
        self.instance.access.refused = [0, 0, 0, 0]
        keyspace = self.instance.keyspace
        keyspace.expired_keys = 0
        keyspace.expired_fields = 0
        self.memory.evicted = 0
        self.memory.exceeded_time = 0
        keyspace.hits = 0
        keyspace.misses = 0
        for command in self.commands.values():
            command.reset_statistics()
            if command.subcommands is not None:
                for subcommand in command.subcommands.values():
                    subcommand.reset_statistics()

    def update_guard(self) -> None:
        """To be called when ``loading``, ``write_refusal``, ``busy``, the pause, the events or who watches changed."""
        self.guarded = (
            self.loading
            or self.write_refusal is not None
            or self.busy is not None
            or self.paused_until != 0
            or self.instance.events.noting()
            or bool(self.instance.monitors.watching)
        )
        self.instance.keyspace.keeping = self.paused_until != 0

    def monitors_changed(self) -> None:
        """See Dispatcher."""
        self.update_guard()

    def show(self, client: Client, command: Command, argv: list[bytes], origin: bytes = b"") -> None:
        """Shows a command that has run to those who watch; ``origin`` is where it came from unless from the client."""
        if not command.flags & (ADMIN | SKIP_MONITOR):
            self._show(client, command, argv, origin)

    def show_caller(self, client: Client, argv: list[bytes]) -> None:
        """See Dispatcher."""
        command = self.find(argv)
        assert command is not None
        self._show(client, command, argv, b"")

    def _show(self, client: Client, command: Command, argv: list[bytes], origin: bytes) -> None:
        monitors = self.instance.monitors
        if not monitors.watching or client.replaying:
            return
        if not origin:
            origin = client.address.encode("utf-8", "surrogateescape")
            if client.unix_socket:
                origin = b"unix:" + origin.rpartition(b":")[0]
        seconds, microseconds = self.instance.host.time()
        source = b"%d %s" % (client.db.index, origin)
        monitors.show(seconds, microseconds, source, redacted(self.instance.host, command, argv))

    def find_command(self, argv: list[bytes]) -> object:
        """See Dispatcher."""
        return self.find(argv)

    def all_commands(self) -> list[object]:
        """See Dispatcher."""
        return list(self.commands.values())

    def find(self, argv: list[bytes]) -> Command | None:
        """The command, or subcommand, that a request names."""
        command = self._by_name.get(argv[0])
        if command is None:
            command = self._by_name.get(argv[0].lower())
            if command is None:
                return None
        if command.subcommands is not None and len(argv) > 1:
            return command.subcommands.get(argv[1].lower())
        return command

    def run(self, client: Client, command: Command, argv: list[bytes]) -> i64:
        """Runs a command that may run; says what the journal is to be told.

        UNCHANGED: nothing.  AS_SENT: the request itself.  EFFECTS: the caller is to call ``journal_effects``.
        BLOCKED: the same, and the command is to run again as ``wait`` says.
        """
        instance = self.instance
        before: i64 = instance.dirty
        number: i64 = command.calls + 1
        measured = command.timed or number >= command.durations.next
        start: i64 = self.stopwatch() if measured else 0
        try:
            command.handler(client, argv)
        except CommandError as error:
            self.reject(client, command, error.text, False)
        except Blocked as blocked:
            # It counts when it is done.
            self._changed = False
            self.wait = blocked
            return BLOCKED
        except Exception:
            # A bug of ours: the peer learns no more than that, the log has it all, and the connection ends, as the
            # reply may be half written.
            log.exception("unexpected error in %s", command.spec.name)
            self.unexpected_errors += 1
            self.reject(client, command, _INTERNAL, False)
            client.closing = True
        # Counted when done, and so not by what it tells itself; RESETSTAT begins anew meanwhile.
        command.calls += 1
        self.commands_processed += 1
        if measured:
            elapsed: i64 = self.stopwatch() - start
            if number >= command.durations.next:
                command.durations.add(min(number, command.calls), elapsed)
            if elapsed >= self._slow:
                self._note_slow(client, command, argv, elapsed)
        if self.tracking.active:
            self._track(client, command, argv)
        # A snapshot lowers the count, which is no change of the dataset.
        self._changed = instance.dirty > before
        if instance.effects is not None or instance.keyspace.expired:
            return EFFECTS
        return AS_SENT if self._changed else UNCHANGED

    def watch_for(self, slower_than: i64, held_up: i64) -> None:
        """Has commands noted that take long.

        ``slower_than`` (slowlog-log-slower-than) is microseconds, negative: never; ``held_up``
        (latency-monitor-threshold) is milliseconds, 0: never.

        Reading the clock costs a tenth of a cheap command: where nothing shorter than a millisecond counts, commands
        that cannot take so long are measured only now and then.
        """
        self._slow = slower_than * 1000 if 0 <= slower_than < _NEVER // 1000 else _NEVER
        self._slow_entry = self._slow
        threshold: i64 = held_up * 1_000_000 if held_up < _NEVER // 1_000_000 else 0
        self.instance.latency.threshold = threshold
        if threshold:
            self._slow = min(self._slow, threshold)
        for command in self.commands.values():
            self._time(command)
            if command.subcommands is not None:
                for subcommand in command.subcommands.values():
                    self._time(subcommand)

    def _time(self, command: Command) -> None:
        # SET is as quick as the fast ones, though not of their category.
        quick = (command.flags & FAST) != 0 or command.name == b"set"
        command.timed = self._slow < (_QUICK if quick else _NEVER)

    def _note_slow(self, client: Client, command: Command, argv: list[bytes], nanoseconds: i64) -> None:
        instance = self.instance
        instance.latency.note(b"fast-command" if command.flags & FAST else b"command", instance.now, nanoseconds)
        if command.flags & SKIP_SLOWLOG or nanoseconds < self._slow_entry:
            return
        words = redacted(instance.host, command, argv)
        # As in Redis, what a script has run is nobody's.
        address = b"" if client.deny_blocking else client.address.encode("utf-8", "surrogateescape")
        name = b"" if client.deny_blocking else client.name
        instance.slow_log.add(instance.now // 1000, nanoseconds // 1000, words, address, name)

    def count_unanswered(self, client: Client, command: Command, argv: list[bytes]) -> None:
        """A command has waited in vain, which took no time of ours."""
        command.calls += 1
        if self._slow_entry == 0:
            self._note_slow(client, command, argv, 0)

    def journal_effects(self, argv: list[bytes], db: i64) -> None:
        """Journals what the last ``run`` did: first the keys that it found expired, then its own effect."""
        instance = self.instance
        effects = instance.effects
        instance.effects = None
        if instance.keyspace.expired:
            self.journal_expired()
        if effects is None:
            if self._changed:
                self.journal.add(argv, db)
        elif len(effects) > 1 and not self.journal.in_transaction():
            self.journal.begin()
            for effect in effects:
                self.journal.add(effect, db)
            self.journal.end()
        else:
            for effect in effects:
                self.journal.add(effect, db)

    def journal_expired(self) -> None:
        """Writes the DELs of keys that were found expired, and the HDELs of fields.  They count as no changes."""
        instance = self.instance
        keyspace = instance.keyspace
        if instance.events.kinds:
            instance.events.publish_noted()
        for each in keyspace.expired:
            if each.fields is None:
                self.journal.add([b"DEL", each.key], each.db)
            else:
                self.journal.add([b"HDEL", each.key, *each.fields], each.db)
        keyspace.expired = []

    def run_queue(self, client: Client, queue: list[list[bytes]]) -> None:
        """Runs a transaction's queue; one MULTI/EXEC in the journal holds its effects."""
        self.journal.begin()
        try:
            for argv in queue:
                command = self.find(argv)
                assert command is not None
                # Rights may have been lost since it was queued.
                denied = permissions.check(client, command, argv, b"multi")
                if denied is not None:
                    self.reject(client, command, permissions.explain_at_exec(denied), True)
                    continue
                refusal = self.refusal(client, command)
                if refusal is not None and command.flags & WRITE:
                    self.reject(client, command, refusal, True)
                    continue
                index: i64 = client.db.index
                if self.run(client, command, argv) != UNCHANGED:
                    self.journal_effects(argv, index)
                self.show(client, command, argv)
        finally:
            self.journal.end()
            # EXEC itself has no effect beyond what is in the journal by now.
            self.instance.effects = []

    def _track(self, client: Client, command: Command, argv: list[bytes]) -> None:
        """Client-side caching: tells of what a command has changed, and remembers what it has read."""
        self.tracking.after(client.id)
        tracked = self.tracking.clients.get(client.id)
        if tracked is None:
            return
        # What a script was given is not what it has read.
        if command.flags & READONLY and not command.flags & RUNS_OTHERS:
            keys = command.keys_of(argv)
            if keys:
                self.tracking.remember(client.id, [argv[position] for position, _ in keys])
                self.tracking.limit()
        # CLIENT CACHING speaks of the next command, or of the whole transaction that begins with it.
        if not client.in_multi and command.name != b"multi" and not command.name.startswith(b"client|"):
            tracked.caching = 0

    def deliver(self) -> None:
        """Hands messages to their receivers."""
        for push in self.pushes:
            push.receiver.reply.raw(push.data)
            self.receivers.append(push.receiver)
        self.pushes.clear()

    def unblock(self, client_id: int, error: bool) -> bool:
        """See Dispatcher."""
        return self.blocking.unblock(client_id, error)

    def reject(self, client: Client, command: Command | None, text: bytes, rejected: bool) -> None:
        """Replies with an error and counts it; ``rejected`` says that the command did not run at all."""
        client.reply.error(text)
        if command is not None:
            if rejected:
                command.rejected += 1
            else:
                command.failed += 1
        self.error_replies += 1
        code, space, _ = text[:_LONGEST_CODE].partition(b" ")
        if not space:
            code = b"ERR"
        if len(self.error_counts) < 128 or code in self.error_counts:
            self.error_counts[code] = self.error_counts.get(code, 0) + 1

    def complaint(self, client: Client, command: Command | None, argv: list[bytes]) -> bytes | None:
        """What is wrong with a request before anything is run, or None."""
        if command is None:
            container = self._by_name.get(argv[0].lower())
            if container is not None:
                return errors.unknown_subcommand(container.name, argv[1])
            return unknown_command(argv)
        size: i64 = len(argv)
        arity: i64 = command.arity
        if (arity > 0 and size != arity) or size < -arity:
            return errors.wrong_arity(command.name)
        if command.flags & PROTECTED and not self.unprotected(client, command):
            name = command.name.partition(b"|")[0]
            return (
                b"ERR " + name.upper() + b" command not allowed. If the enable-" + name + b"-command "
                b'option is set to "local", you can run it from a local connection, otherwise you need to set this '
                b"option in the configuration file, and then restart the server."
            )
        if client.restricted and client.must_authenticate() and not command.flags & NO_AUTH:
            return _NOAUTH
        if client.in_multi and command.flags & NO_MULTI:
            return b"ERR Command not allowed inside a transaction"
        if client.restricted:
            denied = permissions.check(client, command, argv, b"multi" if client.in_multi else b"toplevel")
            if denied is not None:
                return b"NOPERM " + permissions.explain(denied, client.user, command)
        if self.memory.limit != 0 and self.refused_for_memory(client, command, argv):
            return OOM
        if client.monitoring and command.flags & (READONLY | WRITE | MAY_REPLICATE):
            return b"ERR Replica can't interact with the keyspace"
        return self.refusal(client, command)

    def refused_for_memory(self, client: Client, command: Command, argv: list[bytes]) -> bool:
        """Makes room where ``maxmemory`` asks for it; whether there is none, and the command might need some."""
        self.memory.full = False
        if client.replaying or self.loading or self.paused_until != 0:
            return False
        outcome: i64 = self.memory.make_room()
        if self.tracking.active:
            self.tracking.after(0)
        if outcome != FULL:
            return False
        self.memory.full = True
        if command.name == b"exec":
            return any(self._denies_oom(self.find(queued), queued) for queued in client.queue)
        if self._denies_oom(command, argv):
            return True
        # What is queued takes memory, too.
        return client.in_multi and command.name not in _OUT_OF_QUEUE

    def _denies_oom(self, command: Command | None, argv: list[bytes]) -> bool:
        assert command is not None
        if command.flags & RUNS_OTHERS:
            flags = self.programs.declared(command.name, argv)
            if not flags & UNDECLARED:
                return not flags & (ALLOW_OOM | NO_WRITES)
        return (command.flags & DENYOOM) != 0

    def refusal(self, client: Client, command: Command) -> bytes | None:
        """Why the server's present state forbids the command, or None."""
        if client.replaying:
            return None
        if self.write_refusal is not None and command.flags & WRITE:
            return self.write_refusal
        if self.loading and not command.flags & LOADING:
            return _LOADING
        if self.busy is not None and not command.flags & ALLOW_BUSY:
            return self.busy
        if client.subscriptions is not None and client.reply.resp == 2 and not command.flags & SUBSCRIBED:
            return (
                b"ERR Can't execute '"
                + command.name.lower()
                + b"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
            )
        return None

    def unprotected(self, client: Client, command: Command) -> bool:
        """enable-debug-command and enable-module-command."""
        instance = self.instance
        if command.name == b"debug":
            return instance.debug_allowed or (instance.debug_allowed_here and client.local)
        return instance.modules_allowed or (instance.modules_allowed_here and client.local)

    def holds(self, command: Command, client: Client, argv: list[bytes]) -> bool:
        """Whether CLIENT PAUSE makes this request wait."""
        if self.paused_until == 0 or command.flags & UNPAUSED or client.replaying:
            return False
        if self.instance.now >= self.paused_until:
            self.paused_until = 0
            self.update_guard()
            return False
        if not self.paused_writes_only:
            return True
        if command.name == b"exec":
            return any(self._may_write(self.find(queued), queued) for queued in client.queue)
        return self._may_write(command, argv)

    def _may_write(self, command: Command | None, argv: list[bytes]) -> bool:
        """Whether a request may have effects; a program that declares its flags says so itself."""
        assert command is not None
        if command.flags & RUNS_OTHERS:
            flags = self.programs.declared(command.name, argv)
            if not flags & UNDECLARED:
                return not flags & NO_WRITES
        return (command.flags & (WRITE | MAY_REPLICATE)) != 0

    def queue(self, client: Client, command: Command, argv: list[bytes]) -> bool:
        """Inside MULTI: queues what is to wait for EXEC; False where the command is to run now."""
        if command.flags & NOT_QUEUED:
            if command.name == b"multi":
                self.reject(client, command, b"ERR MULTI calls can not be nested", False)
                return True
            if command.name == b"watch":
                self.reject(client, command, b"ERR WATCH inside MULTI is not allowed", False)
                return True
            return False
        client.enqueue(argv)
        client.reply.raw(b"+QUEUED\r\n")
        return True


def _no_time() -> int:
    return 0


def unknown_command(argv: list[bytes]) -> bytes:
    """The complaint about a command that does not exist; it repeats the first of its arguments."""
    shown = bytearray()
    for argument in argv[1:]:
        if len(shown) >= _SHOWN:
            break
        shown += b"'" + argument[: _SHOWN - len(shown)] + b"' "
    name = argv[0][:_SHOWN]
    return b"ERR unknown command '" + name + b"', with args beginning with: " + bytes(shown)
