"""Scripts: EVAL and its like, and SCRIPT (https://redis.io/docs/latest/develop/interact/programmability/eval-intro/)."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.spec import (
    ALLOW_BUSY,
    LOADING,
    MAY_REPLICATE,
    NO_MANDATORY_KEYS,
    NOSCRIPT,
    READONLY,
    RUNS_OTHERS,
    SKIP_MONITOR,
    STALE,
    command,
)

_RUNS: Final = NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | RUNS_OTHERS
_WORST: Final = "(We cannot tell how the keys will be used so we assume the worst, RW and UPDATE)"
_WORST_READ: Final = "(We cannot tell how the keys will be used so we assume the worst, RO and ACCESS)"
_COMPLEXITY: Final = "Depends on the script that is executed."


def _key_count(argv: list[bytes]) -> i64:
    count = integer_argument(argv[2])
    if count > len(argv) - 3:
        raise CommandError(b"ERR Number of keys can't be greater than number of args")
    if count < 0:
        raise CommandError(b"ERR Number of keys can't be negative")
    return count


@command(
    "eval",
    "script numkeys [key [key ...]] [arg [arg ...]]",
    _RUNS | MAY_REPLICATE,
    summary="Executes a server-side Lua script.",
    since="2.6.0",
    complexity=_COMPLEXITY,
    keys=f"RW access update {_WORST}",
)
def eval_(client: Client, argv: list[bytes]) -> None:
    """EVAL."""
    client.instance.dispatcher.show_caller(client, argv)
    client.instance.programs.run_script(client, argv[1], argv, _key_count(argv), False)


@command(
    "eval_ro",
    "script numkeys [key [key ...]] [arg [arg ...]]",
    _RUNS | READONLY,
    summary="Executes a read-only server-side Lua script.",
    since="7.0.0",
    complexity=_COMPLEXITY,
    keys=f"RO access {_WORST_READ}",
)
def eval_ro(client: Client, argv: list[bytes]) -> None:
    """EVAL_RO."""
    client.instance.dispatcher.show_caller(client, argv)
    client.instance.programs.run_script(client, argv[1], argv, _key_count(argv), True)


@command(
    "evalsha",
    "sha1 numkeys [key [key ...]] [arg [arg ...]]",
    _RUNS | MAY_REPLICATE,
    summary="Executes a server-side Lua script by SHA1 digest.",
    since="2.6.0",
    complexity=_COMPLEXITY,
    keys="RW access update",
)
def evalsha(client: Client, argv: list[bytes]) -> None:
    """EVALSHA."""
    client.instance.dispatcher.show_caller(client, argv)
    client.instance.programs.run_digest(client, argv[1], argv, _digest_key_count(argv), False)


@command(
    "evalsha_ro",
    "sha1 numkeys [key [key ...]] [arg [arg ...]]",
    _RUNS | READONLY,
    summary="Executes a read-only server-side Lua script by SHA1 digest.",
    since="7.0.0",
    complexity=_COMPLEXITY,
    keys="RO access",
)
def evalsha_ro(client: Client, argv: list[bytes]) -> None:
    """EVALSHA_RO."""
    client.instance.dispatcher.show_caller(client, argv)
    client.instance.programs.run_digest(client, argv[1], argv, _digest_key_count(argv), True)


def _digest_key_count(argv: list[bytes]) -> i64:
    """The number of keys, which is looked at only where the digest may be one."""
    return _key_count(argv) if len(argv[1]) == 40 else 0


@command(
    "script",
    "",
    0,
    summary="A container for Lua scripts management commands.",
    since="2.6.0",
    complexity="Depends on subcommand.",
    arity=-2,
    categories="",
)
def script(client: Client, argv: list[bytes]) -> None:
    """SCRIPT, whose subcommands do the work."""


@command(
    "script|load",
    "script",
    NOSCRIPT | STALE,
    summary="Loads a server-side Lua script to the script cache.",
    since="2.6.0",
    complexity="O(N) with N being the length in bytes of the script body.",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def script_load(client: Client, argv: list[bytes]) -> None:
    """SCRIPT LOAD."""
    client.reply.bulk(client.instance.programs.load_script(argv[2]))


@command(
    "script|exists",
    "sha1 [sha1 ...]",
    NOSCRIPT,
    summary="Determines whether server-side Lua scripts exist in the script cache.",
    since="2.6.0",
    complexity="O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
    tips="request_policy:all_shards response_policy:agg_logical_and",
)
def script_exists(client: Client, argv: list[bytes]) -> None:
    """SCRIPT EXISTS."""
    client.reply.array(len(argv) - 2)
    for digest in argv[2:]:
        client.reply.integer(1 if client.instance.programs.has_script(digest) else 0)


@command(
    "script|flush",
    "[flush-type@6.2.0: ASYNC | SYNC]",
    NOSCRIPT,
    summary="Removes all server-side Lua scripts from the script cache.",
    since="2.6.0",
    complexity="O(N) with N being the number of scripts in cache",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    history=(("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers."),),
)
def script_flush(client: Client, argv: list[bytes]) -> None:
    """SCRIPT FLUSH."""
    if len(argv) > 3 or (len(argv) == 3 and argv[2].lower() not in (b"sync", b"async")):
        raise CommandError(b"ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    client.instance.programs.forget_scripts()
    client.reply.ok()


@command(
    "script|kill",
    "",
    NOSCRIPT | ALLOW_BUSY,
    summary="Terminates a server-side Lua script during execution.",
    since="2.6.0",
    tips="request_policy:all_shards response_policy:one_succeeded",
)
def script_kill(client: Client, argv: list[bytes]) -> None:
    """SCRIPT KILL."""
    client.instance.programs.kill(False)
    client.reply.ok()


@command(
    "script|debug",
    "<mode: YES | SYNC | NO>",
    NOSCRIPT,
    summary="Sets the debug mode of server-side Lua scripts.",
    since="3.2.0",
)
def script_debug(client: Client, argv: list[bytes]) -> None:
    """SCRIPT DEBUG: there is no debugger, which is always off."""
    mode = argv[2].lower()
    if mode in (b"yes", b"sync"):
        raise CommandError(b"ERR the script debugger is not supported")
    if mode != b"no":
        raise CommandError(b"ERR Use SCRIPT DEBUG YES/SYNC/NO")
    client.reply.ok()


@command(
    "script|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="5.0.0"
)
def script_help(client: Client, argv: list[bytes]) -> None:
    """SCRIPT HELP."""
    client.reply.help(
        b"SCRIPT",
        [
            b"DEBUG (YES|SYNC|NO)",
            b"    Set the debug mode for subsequent scripts executed.",
            b"EXISTS <sha1> [<sha1> ...]",
            b"    Return information about the existence of the scripts in the script cache.",
            b"FLUSH [ASYNC|SYNC]",
            b"    Flush the Lua scripts cache. Very dangerous on replicas.",
            b"    When called without the optional mode argument, the behavior is determined by the",
            b"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            b"    * ASYNC: Asynchronously flush the scripts cache.",
            b"    * SYNC: Synchronously flush the scripts cache.",
            b"KILL",
            b"    Kill the currently executing Lua script.",
            b"LOAD <script>",
            b"    Load a script into the scripts cache without executing it.",
        ],
    )
