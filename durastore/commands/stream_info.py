"""XINFO (https://redis.io/commands/xinfo-stream/)."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import NO_SUCH_KEY, CommandError, unknown_subcommand_or_arity
from durastore.commands.spec import LOADING, READONLY, STALE, command
from durastore.commands.stream_arguments import id_text, read_stream, write_entry, write_range
from durastore.keyspace.chunks import signed64
from durastore.keyspace.consumer_groups import PendingCursor, StreamConsumer, StreamGroup
from durastore.keyspace.radix import radix_nodes
from durastore.keyspace.streams import LAST, ZERO, EntryCursor, Stream

_DEFAULT_COUNT: Final = 10


@command(
    "xinfo",
    "",
    0,
    summary="A container for stream introspection commands.",
    since="5.0.0",
    complexity="Depends on subcommand.",
    categories="",
    arity=-2,
)
def xinfo(client: Client, argv: list[bytes]) -> None:
    """XINFO, whose subcommands do the work."""


def _existing(client: Client, key: bytes) -> Stream:
    stream = read_stream(client, key)
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    return stream


@command(
    "xinfo|consumers",
    "key group",
    READONLY,
    summary="Returns a list of the consumers in a consumer group.",
    since="5.0.0",
    keys="RO access",
    tips="nondeterministic_output",
    history=(("7.2.0", "Added the `inactive` field."),),
)
def xinfo_consumers(client: Client, argv: list[bytes]) -> None:
    """XINFO CONSUMERS."""
    group = _existing(client, argv[2]).groups.get(argv[3])
    if group is None:
        raise CommandError(b"NOGROUP No such consumer group '" + argv[3] + b"' for key name '" + argv[2] + b"'")
    now: i64 = client.instance.now
    reply = client.reply
    reply.array(len(group.consumers))
    for name in sorted(group.consumers):
        consumer = group.consumers[name]
        idle = now - consumer.seen_time
        reply.map(4)
        reply.bulk(b"name")
        reply.bulk(name)
        reply.bulk(b"pending")
        reply.integer(consumer.pending.count)
        reply.bulk(b"idle")
        reply.integer(idle if idle > 0 else 0)
        reply.bulk(b"inactive")
        reply.integer(-1 if consumer.active_time == -1 else now - consumer.active_time)


@command(
    "xinfo|groups",
    "key",
    READONLY,
    summary="Returns a list of the consumer groups of a stream.",
    since="5.0.0",
    keys="RO access",
    history=(("7.0.0", "Added the `entries-read` and `lag` fields"),),
)
def xinfo_groups(client: Client, argv: list[bytes]) -> None:
    """XINFO GROUPS."""
    stream = _existing(client, argv[2])
    reply = client.reply
    reply.array(len(stream.groups))
    for name in sorted(stream.groups):
        group = stream.groups[name]
        reply.map(6)
        reply.bulk(b"name")
        reply.bulk(name)
        reply.bulk(b"consumers")
        reply.integer(len(group.consumers))
        reply.bulk(b"pending")
        reply.integer(group.pending.count)
        _write_position(client, stream, group)


def _write_position(client: Client, stream: Stream, group: StreamGroup) -> None:
    """How far a group has read."""
    reply = client.reply
    reply.bulk(b"last-delivered-id")
    reply.bulk(id_text(group.last_id))
    for label, number in ((b"entries-read", group.entries_read), (b"lag", stream.lag(group))):
        reply.bulk(label)
        if number is None or (number == -1 and label == b"entries-read"):
            reply.null()
        else:
            # XSETID may have brought it near 2**63, and it wraps as in Redis.
            reply.integer(signed64(number))


@command(
    "xinfo|stream",
    "key [full-block: FULL [COUNT count]]",
    READONLY,
    summary="Returns information about a stream.",
    since="5.0.0",
    keys="RO access",
    history=(
        ("6.0.0", "Added the `FULL` modifier."),
        (
            "7.0.0",
            "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` "
            "fields",
        ),
        ("7.2.0", "Added the `active-time` field, and changed the meaning of `seen-time`."),
    ),
)
def xinfo_stream(client: Client, argv: list[bytes]) -> None:
    """XINFO STREAM."""
    stream = _existing(client, argv[2])
    size = len(argv)
    full = size > 3
    count: i64 = _DEFAULT_COUNT
    if full:
        if size not in (4, 6) or argv[3].upper() != b"FULL" or (size == 6 and argv[4].upper() != b"COUNT"):
            raise CommandError(unknown_subcommand_or_arity(b"xinfo", argv[1]))
        if size == 6:
            count = integer_argument(argv[5])
            if count < 0:
                count = _DEFAULT_COUNT
    reply = client.reply
    nodes = stream.directory()
    reply.map(9 if full else 10)
    for label, number in (
        (b"length", int(stream.length)),
        (b"radix-tree-keys", int(nodes.count)),
        (b"radix-tree-nodes", int(radix_nodes(nodes))),
    ):
        reply.bulk(label)
        reply.integer(number)
    reply.bulk(b"last-generated-id")
    reply.bulk(id_text(stream.last_id))
    reply.bulk(b"max-deleted-entry-id")
    reply.bulk(id_text(stream.max_deleted_id))
    reply.bulk(b"entries-added")
    reply.integer(signed64(stream.added))
    reply.bulk(b"recorded-first-entry-id")
    reply.bulk(id_text(stream.first_id))
    if full:
        _write_full(client, stream, count)
        return
    reply.bulk(b"groups")
    reply.integer(len(stream.groups))
    reply.bulk(b"first-entry")
    _write_edge(client, stream, False)
    reply.bulk(b"last-entry")
    _write_edge(client, stream, True)


def _write_edge(client: Client, stream: Stream, last: bool) -> None:
    cursor = EntryCursor(stream, ZERO, LAST, last)
    if cursor.next():
        write_entry(client.reply, id_text(cursor.id), cursor.fields())
    else:
        client.reply.null()


def _write_full(client: Client, stream: Stream, count: i64) -> None:
    reply = client.reply
    reply.bulk(b"entries")
    write_range(reply, EntryCursor(stream, ZERO, LAST, False), count)
    reply.bulk(b"groups")
    reply.array(len(stream.groups))
    for name in sorted(stream.groups):
        group = stream.groups[name]
        reply.map(7)
        reply.bulk(b"name")
        reply.bulk(name)
        _write_position(client, stream, group)
        reply.bulk(b"pel-count")
        reply.integer(group.pending.count)
        reply.bulk(b"pending")
        _write_pending(client, group, None, count)
        reply.bulk(b"consumers")
        reply.array(len(group.consumers))
        for consumer_name in sorted(group.consumers):
            consumer = group.consumers[consumer_name]
            reply.map(5)
            reply.bulk(b"name")
            reply.bulk(consumer_name)
            reply.bulk(b"seen-time")
            reply.integer(consumer.seen_time)
            reply.bulk(b"active-time")
            reply.integer(consumer.active_time)
            reply.bulk(b"pel-count")
            reply.integer(consumer.pending.count)
            reply.bulk(b"pending")
            _write_pending(client, group, consumer, count)


def _write_pending(client: Client, group: StreamGroup, consumer: StreamConsumer | None, count: i64) -> None:
    """Pending entries of a group, with their owners, or of one consumer; ``count`` as in ``write_range``."""
    reply = client.reply
    outer = reply.defer()
    pending = PendingCursor(group, consumer, ZERO)
    written: i64 = 0
    while not count or written < count:
        entry = pending.next()
        if entry is None:
            break
        written += 1
        reply.array(4 if consumer is None else 3)
        reply.bulk(id_text(entry.id))
        if consumer is None:
            reply.bulk(entry.consumer)
        reply.integer(entry.delivery_time)
        reply.integer(entry.delivery_count)
    reply.end_array(outer, written)


@command(
    "xinfo|help",
    "",
    LOADING | STALE,
    summary="Returns helpful text about the different subcommands.",
    since="5.0.0",
)
def xinfo_help(client: Client, argv: list[bytes]) -> None:
    """XINFO HELP."""
    client.reply.help(
        b"XINFO",
        [
            b"CONSUMERS <key> <groupname>",
            b"    Show consumers of <groupname>.",
            b"GROUPS <key>",
            b"    Show the stream consumer groups.",
            b"STREAM <key> [FULL [COUNT <count>]",
            b"    Show information about the stream.",
        ],
    )
