"""Functions: FCALL and FUNCTION (https://redis.io/docs/latest/develop/interact/programmability/functions-intro/)."""

from __future__ import annotations

from typing import Final

from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.programs import FLAG_NAMES, Library
from durastore.commands.spec import (
    ALLOW_BUSY,
    DENYOOM,
    LOADING,
    MAY_REPLICATE,
    NO_MANDATORY_KEYS,
    NOSCRIPT,
    READONLY,
    RUNS_OTHERS,
    SKIP_MONITOR,
    STALE,
    WRITE,
    command,
)
from durastore.keyspace.glob import glob_match

_RUNS: Final = NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | RUNS_OTHERS
_EVERYWHERE: Final = "request_policy:all_shards response_policy:all_succeeded"


@command(
    "fcall",
    "function numkeys [key [key ...]] [arg [arg ...]]",
    _RUNS | MAY_REPLICATE,
    summary="Invokes a function.",
    since="7.0.0",
    complexity="Depends on the function that is executed.",
    keys="RW access update (We cannot tell how the keys will be used so we assume the worst, RW and UPDATE)",
)
def fcall(client: Client, argv: list[bytes]) -> None:
    """FCALL."""
    client.instance.dispatcher.show_caller(client, argv)
    client.instance.programs.call_function(client, argv[1], argv, False)


@command(
    "fcall_ro",
    "function numkeys [key [key ...]] [arg [arg ...]]",
    _RUNS | READONLY,
    summary="Invokes a read-only function.",
    since="7.0.0",
    complexity="Depends on the function that is executed.",
    keys="RO access (We cannot tell how the keys will be used so we assume the worst, RO and ACCESS)",
)
def fcall_ro(client: Client, argv: list[bytes]) -> None:
    """FCALL_RO."""
    client.instance.dispatcher.show_caller(client, argv)
    client.instance.programs.call_function(client, argv[1], argv, True)


@command(
    "function",
    "",
    0,
    summary="A container for function commands.",
    since="7.0.0",
    complexity="Depends on subcommand.",
    arity=-2,
    categories="",
)
def function(client: Client, argv: list[bytes]) -> None:
    """FUNCTION, whose subcommands do the work."""


@command(
    "function|load",
    "[REPLACE] function-code",
    NOSCRIPT | WRITE | DENYOOM,
    summary="Creates a library.",
    since="7.0.0",
    complexity="O(1) (considering compilation time is redundant)",
    tips=_EVERYWHERE,
)
def function_load(client: Client, argv: list[bytes]) -> None:
    """FUNCTION LOAD."""
    for word in argv[2:-1]:
        if word.lower() != b"replace":
            raise CommandError(b"ERR Unknown option given: " + word)
    name = client.instance.programs.load_library(argv[-1], len(argv) > 3, client.replaying)
    client.instance.dirty += 1
    client.reply.bulk(name)


@command(
    "function|delete",
    "library-name",
    NOSCRIPT | WRITE,
    summary="Deletes a library and its functions.",
    since="7.0.0",
    tips=_EVERYWHERE,
)
def function_delete(client: Client, argv: list[bytes]) -> None:
    """FUNCTION DELETE."""
    client.instance.programs.delete_library(argv[2])
    client.instance.dirty += 1
    client.reply.ok()


def _no_more_than(argv: list[bytes], words: int) -> None:
    if len(argv) > words:
        raise CommandError(
            b"ERR unknown subcommand or wrong number of arguments for '" + argv[1][:128] + b"'. Try FUNCTION HELP."
        )


@command(
    "function|flush",
    "[flush-type: ASYNC | SYNC]",
    NOSCRIPT | WRITE,
    summary="Deletes all libraries and functions.",
    since="7.0.0",
    complexity="O(N) where N is the number of functions deleted",
    tips=_EVERYWHERE,
)
def function_flush(client: Client, argv: list[bytes]) -> None:
    """FUNCTION FLUSH."""
    _no_more_than(argv, 3)
    if len(argv) == 3 and argv[2].lower() not in (b"sync", b"async"):
        raise CommandError(b"ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    client.instance.programs.forget_libraries()
    client.instance.dirty += 1
    client.reply.ok()


@command(
    "function|list",
    "[LIBRARYNAME library-name-pattern] [WITHCODE]",
    NOSCRIPT,
    summary="Returns information about all libraries.",
    since="7.0.0",
    complexity="O(N) where N is the number of functions",
    tips="nondeterministic_output_order",
)
def function_list(client: Client, argv: list[bytes]) -> None:
    """FUNCTION LIST."""
    with_code = False
    pattern: bytes | None = None
    i = 2
    while i < len(argv):
        word = argv[i].lower()
        if word == b"withcode" and not with_code:
            with_code = True
        elif word == b"libraryname" and pattern is None:
            i += 1
            if i == len(argv):
                raise CommandError(b"ERR library name argument was not given")
            pattern = argv[i]
        else:
            raise CommandError(b"ERR Unknown argument " + argv[i])
        i += 1
    listed = client.instance.programs.libraries()
    if pattern is not None:
        listed = [library for library in listed if glob_match(pattern.lower(), library.name.lower())]
    client.reply.array(len(listed))
    for library in listed:
        _describe(client, library, with_code)


def _describe(client: Client, library: Library, with_code: bool) -> None:
    reply = client.reply
    reply.map(4 if with_code else 3)
    reply.bulk(b"library_name")
    reply.bulk(library.name)
    reply.bulk(b"engine")
    reply.bulk(b"LUA")
    reply.bulk(b"functions")
    reply.array(len(library.functions))
    for each in library.functions.values():
        reply.map(3)
        reply.bulk(b"name")
        reply.bulk(each.name)
        reply.bulk(b"description")
        reply.bulk_or_null(each.description)
        reply.bulk(b"flags")
        reply.simple_set([name for name, flag in FLAG_NAMES if each.flags & flag])
    if with_code:
        reply.bulk(b"library_code")
        reply.bulk(library.code)


@command(
    "function|dump",
    "",
    NOSCRIPT,
    summary="Dumps all libraries into a serialized binary payload.",
    since="7.0.0",
    complexity="O(N) where N is the number of functions",
)
def function_dump(client: Client, argv: list[bytes]) -> None:
    """FUNCTION DUMP."""
    codes = [library.code for library in client.instance.programs.libraries()]
    client.reply.bulk(client.instance.host.dump_functions(codes))


@command(
    "function|restore",
    "serialized-value [policy: FLUSH | APPEND | REPLACE]",
    NOSCRIPT | WRITE | DENYOOM,
    summary="Restores all libraries from a payload.",
    since="7.0.0",
    complexity="O(N) where N is the number of functions on the payload",
    tips=_EVERYWHERE,
)
def function_restore(client: Client, argv: list[bytes]) -> None:
    """FUNCTION RESTORE."""
    _no_more_than(argv, 4)
    policy = argv[3].lower() if len(argv) == 4 else b"append"
    if policy not in (b"append", b"replace", b"flush"):
        raise CommandError(b"ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    codes = client.instance.host.load_functions(argv[2])
    client.instance.programs.restore_libraries(codes, policy == b"flush", policy == b"replace")
    client.instance.dirty += 1
    client.reply.ok()


@command(
    "function|kill",
    "",
    NOSCRIPT | ALLOW_BUSY,
    summary="Terminates a function during execution.",
    since="7.0.0",
    tips="request_policy:all_shards response_policy:one_succeeded",
)
def function_kill(client: Client, argv: list[bytes]) -> None:
    """FUNCTION KILL."""
    client.instance.programs.kill(True)
    client.reply.ok()


@command(
    "function|stats",
    "",
    NOSCRIPT | ALLOW_BUSY,
    summary="Returns information about a function during execution.",
    since="7.0.0",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
)
def function_stats(client: Client, argv: list[bytes]) -> None:
    """FUNCTION STATS."""
    running = client.instance.programs.running(functions_only=True)
    reply = client.reply
    reply.map(2)
    reply.bulk(b"running_script")
    if running is None:
        reply.null()
    else:
        reply.map(3)
        reply.bulk(b"name")
        reply.bulk(running.name)
        reply.bulk(b"command")
        reply.bulks(running.argv)
        reply.bulk(b"duration_ms")
        reply.integer(running.milliseconds)
    libraries = client.instance.programs.libraries()
    reply.bulk(b"engines")
    reply.map(1)
    reply.bulk(b"LUA")
    reply.map(2)
    reply.bulk(b"libraries_count")
    reply.integer(len(libraries))
    reply.bulk(b"functions_count")
    reply.integer(sum(len(library.functions) for library in libraries))


@command(
    "function|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="7.0.0"
)
def function_help(client: Client, argv: list[bytes]) -> None:
    """FUNCTION HELP."""
    client.reply.help(
        b"FUNCTION",
        [
            b"LOAD [REPLACE] <FUNCTION CODE>",
            b"    Create a new library with the given library name and code.",
            b"DELETE <LIBRARY NAME>",
            b"    Delete the given library.",
            b"LIST [LIBRARYNAME PATTERN] [WITHCODE]",
            b"    Return general information on all the libraries:",
            b"    * Library name",
            b"    * The engine used to run the Library",
            b"    * Library description",
            b"    * Functions list",
            b"    * Library code (if WITHCODE is given)",
            b"    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
            b"STATS",
            b"    Return information about the current function running:",
            b"    * Function name",
            b"    * Command used to run the function",
            b"    * Duration in MS that the function is running",
            b"    If no function is running, return nil",
            b"    In addition, returns a list of available engines.",
            b"KILL",
            b"    Kill the current running function.",
            b"FLUSH [ASYNC|SYNC]",
            b"    Delete all the libraries.",
            b"    When called without the optional mode argument, the behavior is determined by the",
            b"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            b"    * ASYNC: Asynchronously flush the libraries.",
            b"    * SYNC: Synchronously flush the libraries.",
            b"DUMP",
            b"    Return a serialized payload representing the current libraries, can be restored using FUNCTION "
            b"RESTORE command",
            b"RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
            b"    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
            b"    control how to handle existing libraries (default APPEND):",
            b"    * FLUSH: delete all existing libraries.",
            b"    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
            b"    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
            b"      libraries with the new libraries (notice that even on this option there is a chance of failure",
            b"      in case of functions name collision with another library).",
        ],
    )
