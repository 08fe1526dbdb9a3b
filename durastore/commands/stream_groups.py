"""Consumer groups of streams: XGROUP, XACK, XPENDING, XCLAIM, XAUTOCLAIM (https://redis.io/commands/?group=stream)."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.spec import DENYOOM, FAST, LOADING, READONLY, STALE, WRITE, command
from durastore.commands.stream_arguments import (
    bound_argument,
    end_argument,
    find_stream,
    id_argument,
    id_text,
    own_stream,
    read_stream,
    start_argument,
    stream_id,
    write_entry,
)
from durastore.commands.stream_effects import Claims, new_consumer, propagate_position
from durastore.keyspace.chunks import StreamID
from durastore.keyspace.consumer_groups import PendingCursor, StreamConsumer, StreamGroup
from durastore.keyspace.streams import ZERO, EntryFinder, Stream, precedes
from durastore.protocol.numbers import NotANumber, parse_int

_NO_KEY: Final = (
    b"ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
    b"option to create an empty stream automatically."
)
# XAUTOCLAIM looks at so many entries for each that it may claim.
_ATTEMPTS: Final = 10
_MOST_CLAIMED: Final = 0x7FFFFFFFFFFFFFFF // 16


def _integer_or(text: bytes, error: bytes) -> i64:
    try:
        return parse_int(text)
    except NotANumber:
        raise CommandError(error) from None


def _existing(client: Client, key: bytes) -> Stream:
    stream = find_stream(client, key)
    if stream is None:
        raise CommandError(_NO_KEY)
    return stream


def _no_group(key: bytes, group: bytes) -> CommandError:
    return CommandError(b"NOGROUP No such consumer group '" + group + b"' for key name '" + key + b"'")


def _no_key_or_group(key: bytes, group: bytes) -> CommandError:
    return CommandError(b"NOGROUP No such key '" + key + b"' or consumer group '" + group + b"'")


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
    return CommandError(
        b"ERR unknown subcommand or wrong number of arguments for '" + argv[1][:128] + b"'. Try XGROUP HELP."
    )


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
        raise _no_key_or_group(argv[1], argv[2])
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


class _Claim:
    """The options of XCLAIM behind the ids."""

    def __init__(self) -> None:
        self.force = False
        self.just_id = False
        self.time: i64 = -1
        self.retries: i64 = -1
        self.last_id: StreamID = ZERO


def _claim_options(client: Client, argv: list[bytes], i: i64) -> _Claim:
    now: i64 = client.instance.now
    claim = _Claim()
    while i < len(argv):
        word = argv[i].upper()
        more = i + 1 < len(argv)
        if word == b"FORCE":
            claim.force = True
        elif word == b"JUSTID":
            claim.just_id = True
        elif more and word == b"IDLE":
            i += 1
            idle = int(_integer_or(argv[i], b"ERR Invalid IDLE option argument for XCLAIM"))
            # An idle time before the beginning of time, or in the future, stands for none.
            claim.time = now - i64(idle) if 0 <= idle <= now else now
        elif more and word == b"TIME":
            i += 1
            claim.time = _integer_or(argv[i], b"ERR Invalid TIME option argument for XCLAIM")
        elif more and word == b"RETRYCOUNT":
            i += 1
            claim.retries = _integer_or(argv[i], b"ERR Invalid RETRYCOUNT option argument for XCLAIM")
        elif more and word == b"LASTID":
            i += 1
            claim.last_id = id_argument(argv[i])
        else:
            raise CommandError(b"ERR Unrecognized XCLAIM option '" + argv[i] + b"'")
        i += 1
    # What a log holds was checked by the clock of its time.
    if claim.time < 0 or (claim.time > now and not client.replaying):
        claim.time = now
    return claim


@command(
    "xclaim",
    "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT "
    "count] [FORCE] [JUSTID] [LASTID lastid]",
    WRITE | FAST,
    summary="Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a "
    "consumer group member.",
    since="5.0.0",
    complexity="O(log N) with N being the number of messages in the PEL of the consumer group.",
    keys="RW update",
    tips="nondeterministic_output",
)
def xclaim(client: Client, argv: list[bytes]) -> None:
    """XCLAIM."""
    key = argv[1]
    found = read_stream(client, key)
    if found is None or argv[2] not in found.groups:
        raise _no_key_or_group(key, argv[2])
    least_idle = _integer_or(argv[4], b"ERR Invalid min-idle-time argument for XCLAIM")
    ids: list[StreamID] = []
    while 5 + len(ids) < len(argv):
        entry_id = stream_id(argv[5 + len(ids)])
        if entry_id is None:
            break
        ids.append(entry_id)
    claim = _claim_options(client, argv, 5 + len(ids))
    instance = client.instance
    now: i64 = instance.now
    stream = own_stream(client, key, found)
    group = stream.group(argv[2])
    assert group is not None
    instance.effects = []
    moved = precedes(group.last_id, claim.last_id)
    if moved:
        group.last_id = claim.last_id
    consumer = _claimer(client, argv, group)
    claims = Claims(client, key, argv[2], group)
    outer = client.reply.defer()
    written: i64 = 0
    finder = EntryFinder(stream)
    for entry_id in ids:
        entry = group.find(entry_id)
        if not finder.find(entry_id):
            if entry is not None:
                _forget(client, key, argv[2], group, entry_id)
            continue
        count: i64 = 1
        if entry is not None:
            count = entry.delivery_count
            if least_idle > 0 and now - entry.delivery_time < least_idle:
                continue
        elif not claim.force:
            continue
        if claim.retries >= 0:
            count = claim.retries
        elif not claim.just_id:
            count += 1
        group.assign(entry_id, consumer, claim.time, count)
        text = id_text(entry_id)
        _claimed(client, consumer, text, None if claim.just_id else finder.fields())
        claims.add(text, consumer.name, claim.time, count)
        written += 1
    client.reply.end_array(outer, written)
    claims.finish()
    if moved and not claims.written:
        propagate_position(client, key, argv[2], group)
        instance.dirty += 1


def _claimer(client: Client, argv: list[bytes], group: StreamGroup) -> StreamConsumer:
    """The consumer that XCLAIM or XAUTOCLAIM names."""
    consumer = group.consumer(argv[3])
    if consumer is None:
        consumer = new_consumer(client, argv[1], argv[2], group, argv[3])
    consumer.seen_time = client.instance.now
    return consumer


def _claimed(client: Client, consumer: StreamConsumer, text: bytes, fields: list[bytes] | None) -> None:
    if fields is None:
        client.reply.bulk(text)
    else:
        write_entry(client.reply, text, fields)
    consumer.active_time = client.instance.now
    client.instance.dirty += 1


def _forget(client: Client, key: bytes, group_name: bytes, group: StreamGroup, entry_id: StreamID) -> None:
    """Takes an entry out of the pending list that is not in the stream any more."""
    group.acknowledge(entry_id)
    client.instance.propagate([b"XACK", key, group_name, id_text(entry_id)])
    client.instance.dirty += 1


@command(
    "xautoclaim",
    "key group consumer min-idle-time start:string [COUNT count] [JUSTID]",
    WRITE | FAST,
    summary="Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as "
    "consumer group member.",
    since="6.2.0",
    complexity="O(1) if COUNT is small.",
    keys="RW delete",
    tips="nondeterministic_output",
    history=(
        ("7.0.0", "Added an element to the reply array, containing deleted entries the command cleared from the PEL"),
    ),
)
def xautoclaim(client: Client, argv: list[bytes]) -> None:
    """XAUTOCLAIM."""
    key = argv[1]
    least_idle = _integer_or(argv[4], b"ERR Invalid min-idle-time argument for XAUTOCLAIM")
    start = start_argument(argv[5])
    count: i64 = 100
    just_id = False
    i = 6
    while i < len(argv):
        word = argv[i].upper()
        if word == b"COUNT" and i + 1 < len(argv):
            i += 1
            count = _integer_or(argv[i], b"ERR COUNT must be > 0")
            if count < 1 or count > _MOST_CLAIMED:
                raise CommandError(b"ERR COUNT must be > 0")
        elif word == b"JUSTID":
            just_id = True
        else:
            raise CommandError(SYNTAX)
        i += 1
    found = read_stream(client, key)
    if found is None or argv[2] not in found.groups:
        raise _no_key_or_group(key, argv[2])
    instance = client.instance
    now: i64 = instance.now
    stream = own_stream(client, key, found)
    group = stream.group(argv[2])
    assert group is not None
    instance.effects = []
    consumer = _claimer(client, argv, group)
    reply = client.reply
    claims = Claims(client, key, argv[2], group)
    gone: list[StreamID] = []
    attempts: i64 = count * _ATTEMPTS
    written: i64 = 0
    pending = PendingCursor(group, None, start)
    outer = reply.defer()
    finder = EntryFinder(stream)
    entry = pending.next()
    while entry is not None and attempts > 0 and count > 0:
        attempts -= 1
        if not finder.find(entry.id):
            _forget(client, key, argv[2], group, entry.id)
            gone.append(entry.id)
            count -= 1
        elif least_idle <= 0 or now - entry.delivery_time >= least_idle:
            deliveries = entry.delivery_count if just_id else entry.delivery_count + 1
            group.assign(entry.id, consumer, now, deliveries)
            text = id_text(entry.id)
            _claimed(client, consumer, text, None if just_id else finder.fields())
            claims.add(text, consumer.name, now, deliveries)
            written += 1
            count -= 1
        entry = pending.next()
    inner = reply.out
    reply.out = outer
    reply.array(3)
    reply.bulk(b"0-0" if entry is None else id_text(entry.id))
    reply.array(written)
    reply.raw(inner.getvalue())
    reply.array(len(gone))
    for entry_id in gone:
        reply.bulk(id_text(entry_id))
    claims.finish()
