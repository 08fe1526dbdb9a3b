"""Runs scripts and functions: what they call, when they are slow, and how they are ended.

A script's commands run on a client of its own.  Their effects reach the journal as one transaction; a script that fails
keeps what it has done so far, as in Redis.  While a slow script runs, Lua's count hook comes by here, and the process
around the engine may serve other clients (``while_busy``), who then hear that the server is busy.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, final

from mypy_extensions import i64

from durastore.commands import permissions, programs
from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.spec import DENYOOM, MAY_REPLICATE, NOSCRIPT, WRITE
from durastore.commands.tablerow import Command
from durastore.engine.memory import OOM
from durastore.engine.scripting.interpreter import Interpreter, memory_error
from durastore.protocol.identity import REDIS_VERSION
from durastore.protocol.numbers import format_digits, format_double

if TYPE_CHECKING:
    from durastore.engine.engine import Engine

log = logging.getLogger("durastore.engine")
script_log = logging.getLogger("durastore.script")

_ARGUMENT_TYPES: Final = b"Lua redis lib command arguments must be strings or integers"
_OUTSIDE: Final = b"!ERR redis.call/pcall can only be called inside a script invocation\r\n"
_UNKNOWN: Final = b"ERR Unknown Redis command called from script"
_ARITY: Final = b"ERR Wrong number of args calling Redis command from script"
_NOSCRIPT: Final = b"ERR This Redis command is not allowed from script"
_READ_ONLY: Final = b"ERR Write commands are not allowed from read-only scripts."
_NO_ALLOW_OOM: Final = b"OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
_KILLED: Final = b"ERR Script killed by user with SCRIPT KILL..."
_LOAD_TIMEOUT: Final = b"ERR FUNCTION LOAD timeout"
_UNKILLABLE: Final = (
    b"UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script "
    b"termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)
_INTERNAL: Final = b"!ERR internal error; see the server's log\r\n"
# How long a library may take to load, in milliseconds.
_LOAD_LIMIT: Final = 500
_SHOWN: Final = 100
# redis.set_repl: what goes to the log.
_TO_LOG: Final = 1
# Integers below this have no exponent in any form.
_PLAIN: Final = 10_000_000
_LEVELS: Final = (logging.DEBUG, logging.DEBUG, logging.INFO, logging.WARNING)


@final
class Runner:
    """At most one script at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client = Client(0, engine.instance)
        self._client.deny_blocking = True
        # Serves other clients once, while ``engine.busy`` is set; the process around the engine sets it.
        self.while_busy: Callable[[], None] = _nobody_waits
        # busy-reply-threshold, in milliseconds; 0: scripts are never interrupted.
        self.threshold: i64 = 5000
        self.caller: Client | None = None
        self.loading = False
        self._name = b""
        self._argv: list[bytes] = []
        self._is_function = False
        self._read_only = False
        self._started: i64 = 0
        self._slow = False
        self._killed = False
        self._abandoned = False
        self._wrote = False
        self._to_log = True
        self._transaction = False
        self._allow_oom = False
        self._unhurried = False

    def services(self) -> dict[bytes, object]:
        """What redis.lua asks for."""
        return {
            b"call": self.call,
            b"check_acl": self.check_acl,
            b"set_resp": self.set_resp,
            b"set_repl": self.set_repl,
            b"log": self.log,
            b"running": self.is_running,
            b"loading": self.is_loading,
            b"sha1hex": sha1hex,
            b"format_double": format_double_for_lua,
            b"version": REDIS_VERSION.encode(),
            b"version_number": _version_number(REDIS_VERSION),
        }

    # Running

    def run(
        self,
        interpreter: Interpreter,
        client: Client,
        script: object,
        name: bytes,
        argv: list[bytes],
        keys: i64,
        flags: i64,
        read_only: bool,
        is_function: bool,
    ) -> None:
        """Runs a script or function and replies; raises CommandError where it may not run, or has failed."""
        self._admit(client, flags, read_only)
        self._allow_oom = (flags & programs.ALLOW_OOM) != 0
        self._begin(client, name, argv, is_function)
        self._read_only = read_only or (flags & (programs.UNDECLARED | programs.NO_WRITES)) == programs.NO_WRITES
        out_of_memory = False
        try:
            result = interpreter.call(int(client.reply.resp), script, argv, int(keys))
        except Exception as error:
            out_of_memory = memory_error(error)
            if not out_of_memory:
                raise
            result = (None, b"not enough memory")
        finally:
            ended_by_force = self._killed or self._slow
            self._end()
        if ended_by_force or out_of_memory:
            interpreter.tidy(out_of_memory)
        self._reply(client, name, argv, result)

    def _admit(self, client: Client, flags: i64, read_only: bool) -> None:
        if flags & (programs.UNDECLARED | programs.NO_WRITES):
            return
        refusal = self._engine.write_refusal
        if refusal is not None and not client.replaying:
            raise CommandError(refusal)
        if read_only:
            raise CommandError(b"ERR Can not execute a script with write flag using *_ro command.")
        if self._short_of_memory(client) and not flags & programs.ALLOW_OOM:
            raise CommandError(_NO_ALLOW_OOM)

    def _short_of_memory(self, client: Client) -> bool:
        memory = self._engine.memory
        return memory.limit != 0 and memory.full and not client.replaying

    def _begin(self, client: Client, name: bytes, argv: list[bytes], is_function: bool) -> None:
        own = self._client
        own.id = client.id
        own.db = client.db
        own.user = client.user
        own.restricted = client.restricted
        own.no_touch = client.no_touch
        # Whom ACL LOG names.
        own.address = client.address
        own.name = client.name
        own.replaying = client.replaying
        own.reply.resp = 2
        # What CLIENT CACHING says holds for all that the script reads.
        own.in_multi = True
        self.caller = client
        self._name = name
        self._argv = argv
        self._is_function = is_function
        self._started = self._engine.stopwatch()
        self._slow = False
        self._killed = False
        self._abandoned = False
        self._wrote = False
        self._to_log = True
        self._transaction = False

    def _end(self) -> None:
        engine = self._engine
        self.caller = None
        self._argv = []
        if self._slow:
            engine.busy = None
            engine.update_guard()
        if self._transaction:
            if self._abandoned:
                engine.journal.abandon()
            else:
                engine.journal.end()
        if self._wrote:
            # All effects are in the journal by now.
            engine.instance.effects = []

    def _reply(self, client: Client, name: bytes, argv: list[bytes], result: object) -> None:
        if isinstance(result, bytes):
            client.reply.raw(result)
            return
        assert isinstance(result, tuple)
        first, second = result[0], result[1]
        if first is None:
            assert isinstance(second, bytes)
            raise CommandError(b"ERR Error running script " + name + b", " + second[:_SHOWN])
        assert isinstance(first, bytes)
        text = first[1:].rstrip(b"\r\n")
        if len(result) > 2 and result[2]:
            text += b" script: " + name + b", on " + result[2] + b"."
        if second is True:
            # The error of the script's command was counted already; that the script itself has failed was not.
            client.reply.error(text)
            command = self._engine.find(argv)
            if command is not None:
                command.failed += 1
        else:
            raise CommandError(text)

    # What scripts call

    def call(self, *words: object) -> bytes:
        """redis.call and redis.pcall: the reply in the protocol's form; ! marks errors that nobody has counted."""
        if self.caller is None:
            return _OUTSIDE
        argv = _arguments(words)
        if argv is None:
            return b"!ERR " + _ARGUMENT_TYPES + b"\r\n"
        try:
            return self._execute(argv)
        except Exception:
            log.exception("unexpected error in a script's command")
            return _INTERNAL

    def _execute(self, argv: list[bytes]) -> bytes:
        engine = self._engine
        own = self._client
        command = engine.find(argv)
        refusal = self._refusal(command, argv)
        if refusal is not None:
            engine.reject(own, command, refusal, True)
            return own.reply.take()
        assert command is not None
        if command.flags & WRITE:
            self._wrote = True
        index: i64 = own.db.index
        outcome: i64 = engine.run(own, command, argv)
        engine.show(own, command, argv, b"lua")
        if outcome:
            if self._to_log:
                if not engine.journal.in_transaction():
                    engine.journal.begin()
                    self._transaction = True
                engine.journal_effects(argv, index)
            else:
                engine.instance.effects = None
                engine.journal_expired()
            self._wrote = True
        own.closing = False
        return own.reply.take()

    def _refusal(self, command: Command | None, argv: list[bytes]) -> bytes | None:
        if command is None:
            return _UNKNOWN
        size: i64 = len(argv)
        arity: i64 = command.arity
        if (arity > 0 and size != arity) or size < -arity:
            return _ARITY
        if command.flags & NOSCRIPT and not self._engine.instance.scripts_run_all:
            return _NOSCRIPT
        caller = self.caller
        if caller is not None and caller.restricted:
            denied = permissions.check(caller, command, argv, b"lua")
            if denied is not None:
                return b"ERR ACL failure in script: " + permissions.explain(denied, caller.user, command)
        if command.flags & (WRITE | MAY_REPLICATE):
            if self._read_only:
                return _READ_ONLY
            if command.flags & WRITE and self._engine.write_refusal is not None and not self._client.replaying:
                return self._engine.write_refusal
        # A script that has written is not stopped half way.
        if command.flags & DENYOOM and not self._allow_oom and not self._wrote and self._short_of_memory(self._client):
            return OOM
        return None

    def check_acl(self, *words: object) -> tuple[bool, bytes | None]:
        """redis.acl_check_cmd: whether the user may run this, or a complaint."""
        caller = self.caller
        if caller is None:
            return False, b"redis.acl_check_cmd can only be called inside a script invocation"
        argv = _arguments(words)
        if argv is None:
            return False, _ARGUMENT_TYPES
        command = self._engine.find(argv)
        if command is None:
            return False, b"Invalid command passed to redis.acl_check_cmd()"
        return not caller.restricted or permissions.denial(caller.user, command, argv) is None, None

    def set_resp(self, resp: float) -> None:
        """redis.setresp."""
        self._client.reply.resp = int(resp)

    def set_repl(self, flags: float) -> None:
        """redis.set_repl: replicas are told what the log is told."""
        self._to_log = (int(flags) & _TO_LOG) != 0

    def log(self, level: float, text: bytes) -> None:
        """redis.log."""
        script_log.log(_LEVELS[int(level)], "%s", text.decode("utf-8", "backslashreplace"))

    def is_running(self) -> bool:
        """Whether a script runs."""
        return self.caller is not None

    def is_loading(self) -> bool:
        """Whether a library is being loaded."""
        return self.loading

    # Slow scripts

    def begin_loading(self, unhurried: bool) -> None:
        """What runs until ``end_loading`` is the code of a library."""
        self.loading = True
        self._unhurried = unhurried
        self._started = self._engine.stopwatch()

    def end_loading(self) -> None:
        """See ``begin_loading``."""
        self.loading = False

    def _milliseconds(self) -> i64:
        return (self._engine.stopwatch() - self._started) // 1_000_000

    def interrupt(self) -> bytes | None:
        """Lua's hook: the error with which the script is to end, or None."""
        if self.loading:
            return _LOAD_TIMEOUT if not self._unhurried and self._milliseconds() > _LOAD_LIMIT else None
        caller = self.caller
        if caller is None:
            return None
        if self.ends():
            return _KILLED
        if not self._slow:
            if self.threshold == 0 or caller.replaying or self._milliseconds() < self.threshold:
                return None
            self._slow = True
            engine = self._engine
            engine.busy = self.busy_text()
            engine.update_guard()
            log.warning(
                "Slow script detected: still in execution after %d milliseconds. You can try killing the script using "
                "the %s command.",
                self._milliseconds(),
                "FUNCTION KILL" if self._is_function else "SCRIPT KILL",
            )
        try:
            self.while_busy()
        except Exception:
            log.exception("unexpected error while a script runs")
        return _KILLED if self.ends() else None

    def ends(self) -> bool:
        """Whether the script is to end."""
        return self._killed

    def busy_text(self) -> bytes:
        """The error that tells others of what runs."""
        return programs.BUSY_FUNCTION if self._is_function else programs.BUSY_SCRIPT

    def kill(self, function: bool) -> None:
        """Ends the script, unless it has written; raises CommandError."""
        if self.caller is None:
            raise CommandError(b"NOTBUSY No scripts in execution right now.")
        if self._wrote:
            raise CommandError(_UNKILLABLE)
        if function != self._is_function:
            raise CommandError(self.busy_text())
        self._killed = True
        log.warning("Lua script killed by user with SCRIPT KILL.")

    def abandon(self) -> None:
        """The server ends: so does the script, and none of what it did is journalled."""
        if self.caller is not None:
            self._killed = True
            self._abandoned = True

    def running(self, functions_only: bool) -> programs.Running | None:
        """See Programs."""
        if self.caller is None:
            return None
        if functions_only and not self._is_function:
            raise CommandError(self.busy_text())
        return programs.Running(self._name, self._argv, int(self._milliseconds()))


def _nobody_waits() -> None:
    """There is no process around the engine."""


def _arguments(words: tuple[object, ...]) -> list[bytes] | None:
    """The words of a request, or None where one is neither a string nor a number."""
    argv: list[bytes] = []
    for word in words:
        if isinstance(word, bytes):
            argv.append(word)
        elif isinstance(word, bool) or not isinstance(word, int | float):
            return None
        else:
            argv.append(_number_text(word))
    return argv


def _number_text(number: float) -> bytes:
    if isinstance(number, int) and -_PLAIN < number < _PLAIN:
        return b"%d" % number
    return format_digits(float(number))


def format_double_for_lua(number: float) -> bytes:
    """A double as replies have it."""
    return format_double(float(number))


def sha1hex(text: bytes) -> bytes:
    """redis.sha1hex."""
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()


def _version_number(version: str) -> int:
    major, minor, patch = (int(part) for part in version.split("."))
    return major << 16 | minor << 8 | patch
