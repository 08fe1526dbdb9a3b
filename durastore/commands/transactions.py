"""Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH (https://redis.io/docs/latest/develop/interact/transactions/)."""

from __future__ import annotations

from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.spec import ALLOW_BUSY, FAST, LOADING, NOSCRIPT, NOT_QUEUED, SKIP_SLOWLOG, STALE, command

_FLAGS = NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY


@command(
    "multi",
    "",
    NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY | NOT_QUEUED,
    summary="Starts a transaction.",
    since="1.2.0",
)
def multi(client: Client, argv: list[bytes]) -> None:
    """MULTI: what follows is queued."""
    client.in_multi = True
    client.reply.ok()


def leave_transaction(client: Client) -> None:
    """Back to the ordinary state: nothing queued, nothing watched."""
    client.in_multi = False
    client.multi_failed = False
    client.queue = []
    client.queued_bytes = 0
    client.unwatch()


@command(
    "discard",
    "",
    _FLAGS | NOT_QUEUED,
    summary="Discards a transaction.",
    since="2.0.0",
    complexity="O(N), when N is the number of queued commands",
)
def discard(client: Client, argv: list[bytes]) -> None:
    """DISCARD: forgets the queue and the watched keys."""
    if not client.in_multi:
        raise CommandError(b"ERR DISCARD without MULTI")
    leave_transaction(client)
    client.reply.ok()


@command(
    "exec",
    "",
    NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG | NOT_QUEUED,
    summary="Executes all commands in a transaction.",
    since="1.2.0",
    complexity="Depends on commands in the transaction",
)
def exec_(client: Client, argv: list[bytes]) -> None:
    """EXEC: runs the queue as one unit, unless queueing failed or a watched key was changed."""
    if not client.in_multi:
        raise CommandError(b"ERR EXEC without MULTI")
    if client.multi_failed:
        leave_transaction(client)
        raise CommandError(b"EXECABORT Transaction discarded because of previous errors.")
    now = client.instance.now
    for db, key in client.watching:
        # Looking a key up removes it when its time has come, which is a change.
        if db.exists(key):
            db.lookup_no_touch(key, now)
    if client.watch_broken:
        leave_transaction(client)
        client.reply.null_array()
        return
    client.unwatch()
    client.reply.array(len(client.queue))
    client.instance.dispatcher.run_queue(client, client.queue)
    leave_transaction(client)


@command(
    "watch",
    "key [key ...]",
    NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY | NOT_QUEUED,
    summary="Monitors changes to keys to determine the execution of a transaction.",
    since="2.2.0",
    complexity="O(1) for every key.",
    keys="RO",
)
def watch(client: Client, argv: list[bytes]) -> None:
    """WATCH: the next EXEC fails if one of the keys changes."""
    if not client.watch_broken:
        db = client.db
        for key in argv[1:]:
            if (db, key) not in client.watching:
                # A key that has expired already counts as missing from the start.
                if db.exists(key):
                    db.lookup_no_touch(key, client.instance.now)
                db.watch(key, client)
                client.watching.append((db, key))
    client.reply.ok()


@command(
    "unwatch",
    "",
    _FLAGS,
    summary="Forgets about watched keys of a transaction.",
    since="2.2.0",
)
def unwatch(client: Client, argv: list[bytes]) -> None:
    """UNWATCH: forgets all that is watched."""
    client.unwatch()
    client.reply.ok()
