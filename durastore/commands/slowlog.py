"""SLOWLOG: the commands that took long (https://redis.io/commands/slowlog/)."""

from __future__ import annotations

from itertools import islice

from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import CommandError, unknown_subcommand_or_arity
from durastore.commands.spec import ADMIN, LOADING, STALE, command

# How many entries GET shows unless told.
_SHOWN = 10


@command(
    "slowlog",
    "",
    0,
    summary="A container for slow log commands.",
    since="2.2.12",
    complexity="Depends on subcommand.",
    arity=-2,
)
def slowlog(client: Client, argv: list[bytes]) -> None:
    """SLOWLOG, whose subcommands do the work."""


@command(
    "slowlog|get",
    "[count]",
    ADMIN | LOADING | STALE,
    summary="Returns the slow log's entries.",
    since="2.2.12",
    complexity="O(N) where N is the number of entries returned",
    tips="request_policy:all_nodes nondeterministic_output",
    history=(("4.0.0", "Added client IP address, port and name to the reply."),),
)
def slowlog_get(client: Client, argv: list[bytes]) -> None:
    """SLOWLOG GET: the newest entries first."""
    if len(argv) > 3:
        raise CommandError(unknown_subcommand_or_arity(b"slowlog", argv[1]))
    entries = client.instance.slow_log.entries
    count = _SHOWN
    if len(argv) == 3:
        count = _count_argument(argv[2])
        if count == -1:
            count = len(entries)
    reply = client.reply
    shown = list(islice(entries, min(count, len(entries))))
    reply.array(len(shown))
    for entry in shown:
        reply.array(6)
        reply.integer(entry.number)
        reply.integer(entry.when)
        reply.integer(entry.microseconds)
        reply.bulks(entry.argv)
        reply.bulk(entry.address)
        reply.bulk(entry.name)


def _count_argument(text: bytes) -> int:
    try:
        count = int(integer_argument(text))
    except CommandError:
        count = -2
    if count < -1:
        raise CommandError(b"ERR count should be greater than or equal to -1")
    return count


@command(
    "slowlog|len",
    "",
    ADMIN | LOADING | STALE,
    summary="Returns the number of entries in the slow log.",
    since="2.2.12",
    tips="request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
)
def slowlog_len(client: Client, argv: list[bytes]) -> None:
    """SLOWLOG LEN."""
    client.reply.integer(len(client.instance.slow_log.entries))


@command(
    "slowlog|reset",
    "",
    ADMIN | LOADING | STALE,
    summary="Clears all entries from the slow log.",
    since="2.2.12",
    complexity="O(N) where N is the number of entries in the slowlog",
    tips="request_policy:all_nodes response_policy:all_succeeded",
)
def slowlog_reset(client: Client, argv: list[bytes]) -> None:
    """SLOWLOG RESET."""
    client.instance.slow_log.entries.clear()
    client.reply.ok()


@command(
    "slowlog|help", "", LOADING | STALE, summary="Show helpful text about the different subcommands", since="6.2.0"
)
def slowlog_help(client: Client, argv: list[bytes]) -> None:
    """SLOWLOG HELP."""
    client.reply.help(
        b"SLOWLOG",
        [
            b"GET [<count>]",
            b"    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
            b"    Entries are made of:",
            b"    id, timestamp, time in microseconds, arguments array, client IP and port,",
            b"    client name",
            b"LEN",
            b"    Return the length of the slowlog.",
            b"RESET",
            b"    Reset the slowlog.",
        ],
    )
