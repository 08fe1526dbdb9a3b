"""Commands on whole databases."""

from __future__ import annotations

from durastore.commands.arguments import database_argument, int_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.spec import DANGEROUS, FAST, READONLY, WRITE, command


@command(
    "dbsize",
    "",
    READONLY | FAST,
    summary="Returns the number of keys in the database.",
    since="1.0.0",
    tips="request_policy:all_shards response_policy:agg_sum",
)
def dbsize(client: Client, argv: list[bytes]) -> None:
    """DBSIZE."""
    client.reply.integer(client.db.table.count)


def _flush_mode(argv: list[bytes]) -> None:
    """ASYNC and SYNC are the same here: what a table held is freed in slices."""
    if len(argv) > 2 or (len(argv) == 2 and argv[1].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError(SYNTAX)


@command(
    "flushdb",
    "[flush-type: ASYNC@4.0.0 | SYNC@6.2.0]",
    WRITE | DANGEROUS,
    summary="Remove all keys from the current database.",
    since="1.0.0",
    complexity="O(N) where N is the number of keys in the selected database",
    tips="request_policy:all_shards response_policy:all_succeeded",
    history=(
        ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
        ("6.2.0", "Added the `SYNC` flushing mode modifier."),
    ),
)
def flushdb(client: Client, argv: list[bytes]) -> None:
    """FLUSHDB.  The effect is journalled even where there was nothing to remove."""
    _flush_mode(argv)
    client.instance.dirty += client.db.flush() or 1
    client.reply.ok()


@command(
    "flushall",
    "[flush-type: ASYNC@4.0.0 | SYNC@6.2.0]",
    WRITE | DANGEROUS,
    summary="Removes all keys from all databases.",
    since="1.0.0",
    complexity="O(N) where N is the total number of keys in all databases",
    tips="request_policy:all_shards response_policy:all_succeeded",
    history=(
        ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
        ("6.2.0", "Added the `SYNC` flushing mode modifier."),
    ),
)
def flushall(client: Client, argv: list[bytes]) -> None:
    """FLUSHALL."""
    _flush_mode(argv)
    removed = 0
    for db in client.instance.keyspace.databases:
        removed += db.flush()
    client.instance.dirty += removed or 1
    client.instance.host.flushed()
    client.reply.ok()


@command(
    "swapdb",
    "index1 index2",
    WRITE | FAST | DANGEROUS,
    summary="Swaps two Redis databases.",
    since="4.0.0",
    complexity="O(N) where N is the count of clients watching or blocking on keys from both databases.",
)
def swapdb(client: Client, argv: list[bytes]) -> None:
    """SWAPDB."""
    for word, which in ((argv[1], b"first"), (argv[2], b"second")):
        try:
            int_argument(word)
        except CommandError:
            raise CommandError(b"ERR invalid " + which + b" DB index") from None
    first = database_argument(client, argv[1])
    second = database_argument(client, argv[2])
    client.instance.keyspace.swap(first, second)
    client.instance.dirty += 1
    client.reply.ok()
