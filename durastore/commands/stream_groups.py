"""Consumer groups of streams: XGROUP, XACK, XPENDING, XCLAIM, XAUTOCLAIM (https://redis.io/commands/?group=stream)."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError, unknown_subcommand_or_arity
from durastore.commands.spec import DENYOOM, FAST, LOADING, READONLY, STALE, WRITE, command
from durastore.commands.stream_arguments import (
    bound_argument,
    end_argument,
    find_stream,
    id_argument,
    id_text,
    no_key_or_group,
    own_stream,
    read_stream,
    start_argument,
)
from durastore.keyspace.chunks import StreamID
from durastore.keyspace.consumer_groups import PendingCursor, StreamGroup
from durastore.keyspace.streams import ZERO, Stream, precedes

_NO_KEY: Final = (
    b"ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
    b"option to create an empty stream automatically."
)


def _existing(client: Client, key: bytes) -> Stream:
    stream = find_stream(client, key)
    if stream is None:
        raise CommandError(_NO_KEY)
    return stream


def _no_group(key: bytes, group: bytes) -> CommandError:
    return CommandError(b"NOGROUP No such consumer group '" + group + b"' for key name '" + key + b"'")


def _existing_group(client: Client, argv: list[bytes]) -> StreamGroup:
    """The group that a subcommand of XGROUP names, to be changed."""
    stream = _existing(client, argv[2])
    if argv[3] not in stream.groups:
        raise _no_group(argv[2], argv[3])
    group = own_stream(client, argv[2], stream).group(argv[3])
    assert group is not None
    return group


@command(
    "xgroup",
    "",
    0,
    summary="A container for consumer groups commands.",
    since="5.0.0",
    complexity="Depends on subcommand.",
    categories="",
    arity=-2,
)
def xgroup(client: Client, argv: list[bytes]) -> None:
    """XGROUP, whose subcommands do the work."""


class _Options:
    """The options of XGROUP CREATE and SETID."""

    def __init__(self) -> None:
        self.make_stream = False
        self.entries_read: i64 = -1


def _group_options(argv: list[bytes], creating: bool) -> _Options:
    options = _Options()
    i = 5
    while i < len(argv):
        word = argv[i].upper()
        if creating and word == b"MKSTREAM":
            options.make_stream = True
        elif word == b"ENTRIESREAD" and i + 1 < len(argv):
            i += 1
            options.entries_read = integer_argument(argv[i])
            if options.entries_read < -1:
                raise CommandError(b"ERR value for ENTRIESREAD must be positive or -1")
        else:
            raise _bad_subcommand(argv)
        i += 1
    return options


def _bad_subcommand(argv: list[bytes]) -> CommandError:
    return CommandError(unknown_subcommand_or_arity(b"xgroup", argv[1]))


@command(
    "xgroup|create",
    "key group <id-selector: id | $(new-id)> [MKSTREAM] [ENTRIESREAD entries-read]",
    WRITE | DENYOOM,
    summary="Creates a consumer group.",
    since="5.0.0",
    keys="RW insert",
    history=(("7.0.0", "Added the `entries_read` named argument."),),
)
def xgroup_create(client: Client, argv: list[bytes]) -> None:
    """XGROUP CREATE."""
    options = _group_options(argv, True)
    key = argv[2]
    stream = find_stream(client, key)
    if stream is None and not options.make_stream:
        raise CommandError(_NO_KEY)
    if len(argv) > 8:
        raise _bad_subcommand(argv)
    if argv[4] != b"$":
        last_id = id_argument(argv[4])
    else:
        last_id = ZERO if stream is None else stream.last_id
    if stream is None:
        stream = Stream()
        client.db.set(key, stream)
    elif argv[3] in stream.groups:
        raise CommandError(b"BUSYGROUP Consumer Group name already exists")
    own_stream(client, key, stream).create_group(argv[3], last_id, int(options.entries_read))
    client.instance.dirty += 1
    client.notify(events.STREAM, b"xgroup-create", key)
    client.reply.ok()


@command(
    "xgroup|setid",
    "key group <id-selector: id | $(new-id)> [ENTRIESREAD entriesread:integer=entries-read]",
    WRITE,
    summary="Sets the last-delivered ID of a consumer group.",
    since="5.0.0",
    keys="RW update",
    history=(("7.0.0", "Added the optional `entries_read` argument."),),
)
def xgroup_setid(client: Client, argv: list[bytes]) -> None:
    """XGROUP SETID."""
    options = _group_options(argv, False)
    group = _existing_group(client, argv)
    if len(argv) > 7:
        raise _bad_subcommand(argv)
    if argv[4] == b"$":
        group.last_id = _existing(client, argv[2]).last_id
    else:
        group.last_id = bound_argument(argv[4], 0)
    group.entries_read = int(options.entries_read)
    client.instance.dirty += 1
    client.notify(events.STREAM, b"xgroup-setid", argv[2])
    client.reply.ok()


@command(
    "xgroup|destroy",
    "key group",
    WRITE,
    summary="Destroys a consumer group.",
    since="5.0.0",
    complexity="O(N) where N is the number of entries in the group's pending entries list (PEL).",
    keys="RW delete",
)
def xgroup_destroy(client: Client, argv: list[bytes]) -> None:
    """XGROUP DESTROY."""
    key = argv[2]
    stream = _existing(client, key)
    if argv[3] not in stream.groups:
        client.reply.integer(0)
        return
    del own_stream(client, key, stream).groups[argv[3]]
    client.instance.dirty += 1
    client.notify(events.STREAM, b"xgroup-destroy", key)
    # Who waits for the group is to hear that it is gone.
    if client.db.waited:
        client.db.signal(key)
    client.reply.integer(1)


@command(
    "xgroup|createconsumer",
    "key group consumer",
    WRITE | DENYOOM,
    summary="Creates a consumer in a consumer group.",
    since="6.2.0",
    keys="RW insert",
)
def xgroup_createconsumer(client: Client, argv: list[bytes]) -> None:
    """XGROUP CREATECONSUMER."""
    group = _existing_group(client, argv)
    if argv[4] in group.consumers:
        client.reply.integer(0)
        return
    group.create_consumer(argv[4], client.instance.now)
    client.instance.dirty += 1
    client.notify(events.STREAM, b"xgroup-createconsumer", argv[2])
    client.reply.integer(1)


@command(
    "xgroup|delconsumer",
    "key group consumer",
    WRITE,
    summary="Deletes a consumer from a consumer group.",
    since="5.0.0",
    keys="RW delete",
)
def xgroup_delconsumer(client: Client, argv: list[bytes]) -> None:
    """XGROUP DELCONSUMER."""
    group = _existing_group(client, argv)
    consumer = group.consumers.get(argv[4])
    if consumer is None:
        client.reply.integer(0)
        return
    pending: i64 = consumer.pending.count
    group.delete_consumer(consumer)
    client.instance.dirty += 1
    client.notify(events.STREAM, b"xgroup-delconsumer", argv[2])
    client.reply.integer(pending)


@command(
    "xgroup|help",
    "",
    LOADING | STALE,
    summary="Returns helpful text about the different subcommands.",
    since="5.0.0",
)
def xgroup_help(client: Client, argv: list[bytes]) -> None:
    """XGROUP HELP."""
    client.reply.help(
        b"XGROUP",
        [
            b"CREATE <key> <groupname> <id|$> [option]",
            b"    Create a new consumer group. Options are:",
            b"    * MKSTREAM",
            b"      Create the empty stream if it does not exist.",
            b"    * ENTRIESREAD entries_read",
            b"      Set the group's entries_read counter (internal use).",
            b"CREATECONSUMER <key> <groupname> <consumer>",
            b"    Create a new consumer in the specified group.",
            b"DELCONSUMER <key> <groupname> <consumer>",
            b"    Remove the specified consumer.",
            b"DESTROY <key> <groupname>",
            b"    Remove the specified group.",
            b"SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            b"    Set the current group ID and entries_read counter.",
        ],
    )


@command(
    "xack",
    "key group id [id ...]",
    WRITE | FAST,
    summary="Returns the number of messages that were successfully acknowledged by the consumer group member of a "
    "stream.",
    since="5.0.0",
    complexity="O(1) for each message ID processed.",
    keys="RW update",
)
def xack(client: Client, argv: list[bytes]) -> None:
    """XACK."""
    stream = read_stream(client, argv[1])
    if stream is None or argv[2] not in stream.groups:
        client.reply.integer(0)
        return
    ids = [id_argument(text) for text in argv[3:]]
    group = own_stream(client, argv[1], stream).group(argv[2])
    assert group is not None
    acknowledged: i64 = 0
    for entry_id in ids:
        if group.acknowledge(entry_id):
            acknowledged += 1
    client.instance.dirty += acknowledged
    client.reply.integer(acknowledged)


@command(
    "xpending",
    "key group [filters: [IDLE min-idle-time:integer@6.2.0] start:string end:string count [consumer]]",
    READONLY,
    summary="Returns the information and entries from a stream consumer group's pending entries list.",
    since="5.0.0",
    complexity="O(N) with N being the number of elements returned, so asking for a small fixed number of entries per "
    "call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the "
    "command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an "
    "additional O(N) time for iterating every consumer.",
    keys="RO access",
    tips="nondeterministic_output",
    history=(("6.2.0", "Added the `IDLE` option and exclusive range intervals."),),
)
def xpending(client: Client, argv: list[bytes]) -> None:
    """XPENDING."""
    size = len(argv)
    if size != 3 and (size < 6 or size > 9):
        raise CommandError(SYNTAX)
    least_idle: i64 = 0
    count: i64 = 0
    start = end = ZERO
    consumer_name: bytes | None = None
    if size > 3:
        at = 3
        if argv[3].upper() == b"IDLE":
            least_idle = integer_argument(argv[4])
            if size < 8:
                raise CommandError(SYNTAX)
            at = 5
        count = integer_argument(argv[at + 2])
        start = start_argument(argv[at])
        end = end_argument(argv[at + 1])
        if at + 3 < size:
            consumer_name = argv[at + 3]
    stream = read_stream(client, argv[1])
    group = None if stream is None else stream.groups.get(argv[2])
    if group is None:
        raise no_key_or_group(argv[1], argv[2])
    if size == 3:
        _pending_summary(client, group)
        return
    consumer = None
    if consumer_name is not None:
        consumer = group.consumers.get(consumer_name)
        if consumer is None:
            client.reply.array(0)
            return
    _pending_range(client, PendingCursor(group, consumer, start), end, count, least_idle)


def _pending_summary(client: Client, group: StreamGroup) -> None:
    reply = client.reply
    reply.array(4)
    reply.integer(group.pending.count)
    first = PendingCursor(group, None, ZERO).next()
    last = group.pending.last()
    if first is None or last is None:
        reply.null()
        reply.null()
        reply.null_array()
        return
    reply.bulk(id_text(first.id))
    reply.bulk(id_text(last))
    owners = [name for name, consumer in group.consumers.items() if consumer.pending.count]
    owners.sort()
    reply.array(len(owners))
    for name in owners:
        reply.array(2)
        reply.bulk(name)
        reply.bulk(b"%d" % group.consumers[name].pending.count)


def _pending_range(client: Client, pending: PendingCursor, end: StreamID, count: i64, least_idle: i64) -> None:
    now: i64 = client.instance.now
    reply = client.reply
    outer = reply.defer()
    written: i64 = 0
    while written < count:
        entry = pending.next()
        if entry is None or precedes(end, entry.id):
            break
        idle = now - entry.delivery_time
        if least_idle and idle < least_idle:
            continue
        written += 1
        reply.array(4)
        reply.bulk(id_text(entry.id))
        reply.bulk(entry.consumer)
        reply.integer(idle if idle > 0 else 0)
        reply.integer(entry.delivery_count)
    reply.end_array(outer, written)
