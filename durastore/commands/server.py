"""Server commands: configuration, persistence, INFO (https://redis.io/commands/?group=server)."""

from __future__ import annotations

from typing import Final

from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.spec import (
    ADMIN,
    ALLOW_BUSY,
    DANGEROUS,
    FAST,
    LOADING,
    NO_ASYNC_LOADING,
    NO_MULTI,
    NOSCRIPT,
    READONLY,
    STALE,
    command,
)
from durastore.protocol.identity import REDIS_VERSION

_ADMINISTRATIVE: Final = ADMIN | NOSCRIPT | LOADING | STALE


@command(
    "config",
    "",
    0,
    summary="A container for server configuration commands.",
    since="2.0.0",
    complexity="Depends on subcommand.",
    arity=-2,
)
def config(client: Client, argv: list[bytes]) -> None:
    """CONFIG, whose subcommands do the work."""


@command(
    "config|get",
    "parameter [parameter ...]",
    _ADMINISTRATIVE,
    summary="Returns the effective values of configuration parameters.",
    since="2.0.0",
    complexity="O(N) when N is the number of configuration parameters provided",
    history=(("7.0.0", "Added the ability to pass multiple pattern parameters in one call"),),
)
def config_get(client: Client, argv: list[bytes]) -> None:
    """CONFIG GET."""
    pairs = client.instance.host.config_get(argv[2:])
    client.reply.map(len(pairs))
    for name, value in pairs:
        client.reply.bulk(name)
        client.reply.bulk(value)


@command(
    "config|set",
    "parameter value [parameter value ...]",
    _ADMINISTRATIVE,
    summary="Sets configuration parameters in-flight.",
    since="2.0.0",
    complexity="O(N) when N is the number of configuration parameters provided",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    history=(("7.0.0", "Added the ability to set multiple parameters in one call."),),
)
def config_set(client: Client, argv: list[bytes]) -> None:
    """CONFIG SET."""
    if len(argv) % 2:
        raise CommandError(SYNTAX)
    client.instance.host.config_set([(argv[i], argv[i + 1]) for i in range(2, len(argv), 2)], client.local)
    client.reply.ok()


@command(
    "config|rewrite",
    "",
    _ADMINISTRATIVE,
    summary="Persists the effective configuration to file.",
    since="2.8.0",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def config_rewrite(client: Client, argv: list[bytes]) -> None:
    """CONFIG REWRITE."""
    client.instance.host.config_rewrite()
    client.reply.ok()


@command(
    "config|resetstat",
    "",
    _ADMINISTRATIVE,
    summary="Resets the server's statistics.",
    since="2.0.0",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def config_resetstat(client: Client, argv: list[bytes]) -> None:
    """CONFIG RESETSTAT."""
    client.instance.host.reset_statistics()
    client.reply.ok()


@command(
    "config|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="5.0.0"
)
def config_help(client: Client, argv: list[bytes]) -> None:
    """CONFIG HELP."""
    client.reply.help(
        b"CONFIG",
        [
            b"GET <pattern>",
            b"    Return parameters matching the glob-like <pattern> and their values.",
            b"SET <directive> <value>",
            b"    Set the configuration <directive> to <value>.",
            b"RESETSTAT",
            b"    Reset statistics reported by the INFO command.",
            b"REWRITE",
            b"    Rewrite the configuration file.",
        ],
    )


@command(
    "info",
    "[section [section ...]]",
    LOADING | STALE | DANGEROUS,
    summary="Returns information and statistics about the server.",
    since="1.0.0",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
    history=(("7.0.0", "Added support for taking multiple section arguments."),),
)
def info(client: Client, argv: list[bytes]) -> None:
    """INFO."""
    client.reply.verbatim(client.instance.host.info(argv[1:]))


@command(
    "time",
    "",
    LOADING | STALE | FAST,
    summary="Returns the server time.",
    since="2.6.0",
    tips="nondeterministic_output",
)
def time(client: Client, argv: list[bytes]) -> None:
    """TIME."""
    seconds, microseconds = client.instance.host.time()
    client.reply.bulks([b"%d" % seconds, b"%d" % microseconds])


@command(
    "lastsave",
    "",
    LOADING | STALE | FAST | DANGEROUS,
    summary="Returns the Unix timestamp of the last successful save to disk.",
    since="1.0.0",
    tips="nondeterministic_output",
    categories="admin",
)
def lastsave(client: Client, argv: list[bytes]) -> None:
    """LASTSAVE."""
    client.reply.integer(client.instance.host.last_save())


@command(
    "save",
    "",
    ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI,
    summary="Synchronously saves the database(s) to disk.",
    since="1.0.0",
    complexity="O(N) where N is the total number of keys in all databases",
)
def save(client: Client, argv: list[bytes]) -> None:
    """SAVE."""
    client.instance.host.save()
    client.reply.ok()


@command(
    "bgsave",
    "[SCHEDULE@3.2.2]",
    ADMIN | NOSCRIPT | NO_ASYNC_LOADING,
    summary="Asynchronously saves the database(s) to disk.",
    since="1.0.0",
    history=(("3.2.2", "Added the `SCHEDULE` option."),),
)
def bgsave(client: Client, argv: list[bytes]) -> None:
    """BGSAVE."""
    if len(argv) > 2 or (len(argv) == 2 and argv[1].upper() != b"SCHEDULE"):
        raise CommandError(SYNTAX)
    client.reply.simple(client.instance.host.background_save(len(argv) == 2))


@command(
    "bgrewriteaof",
    "",
    ADMIN | NOSCRIPT | NO_ASYNC_LOADING,
    summary="Asynchronously rewrites the append-only file to disk.",
    since="1.0.0",
)
def bgrewriteaof(client: Client, argv: list[bytes]) -> None:
    """BGREWRITEAOF."""
    client.reply.simple(client.instance.host.background_rewrite())


@command(
    "shutdown",
    "[save-selector: NOSAVE | SAVE] [NOW@7.0.0] [FORCE@7.0.0] [ABORT@7.0.0]",
    ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY,
    summary="Synchronously saves the database(s) to disk and shuts down the Redis server.",
    since="1.0.0",
    complexity="O(N) when saving, where N is the total number of keys in all databases when saving data, "
    "otherwise O(1)",
    history=(("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers."),),
)
def shutdown(client: Client, argv: list[bytes]) -> None:
    """SHUTDOWN: there is no reply where it succeeds."""
    words = [word.upper() for word in argv[1:]]
    if any(word not in (b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT") for word in words):
        raise CommandError(SYNTAX)
    abort = b"ABORT" in words
    if (b"SAVE" in words and b"NOSAVE" in words) or (abort and set(words) != {b"ABORT"}):
        raise CommandError(SYNTAX)
    host = client.instance.host
    if abort:
        if not host.abort_shutdown():
            raise CommandError(b"ERR No shutdown in progress.")
        client.reply.ok()
        return
    busy = client.instance.programs.busy()
    if busy is not None and b"NOSAVE" not in words:
        raise CommandError(busy)
    host.shutdown(b"NOSAVE" in words, b"SAVE" in words, b"NOW" in words, b"FORCE" in words)
    client.closing = True


@command(
    "role",
    "",
    NOSCRIPT | LOADING | STALE | FAST | DANGEROUS,
    summary="Returns the replication role.",
    since="2.8.12",
    categories="admin",
)
def role(client: Client, argv: list[bytes]) -> None:
    """ROLE."""
    client.reply.array(3)
    client.reply.bulk(b"master")
    client.reply.integer(0)
    client.reply.array(0)


# How many numbers say what LOLWUT is to draw, by Redis's version.
_MEASURES: Final = {5: 3, 6: 2}


@command(
    "lolwut",
    "[VERSION version]",
    READONLY | FAST,
    summary="Displays computer art and the Redis version",
    since="5.0.0",
    complexity="",
)
def lolwut(client: Client, argv: list[bytes]) -> None:
    """LOLWUT: the version, and no art; of that of earlier versions, whose measures follow, no more."""
    if len(argv) > 2 and argv[1].upper() == b"VERSION":
        version = integer_argument(argv[2])
        for measure in argv[3 : 3 + _MEASURES.get(int(version), 0)]:
            integer_argument(measure)
    client.reply.verbatim(b"Redis ver. " + REDIS_VERSION.encode() + b"\n")
