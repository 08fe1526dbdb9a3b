"""The claims of consumers: XCLAIM and XAUTOCLAIM (https://redis.io/commands/?group=stream)."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.spec import FAST, WRITE, command
from durastore.commands.stream_arguments import (
    id_argument,
    id_text,
    no_key_or_group,
    own_stream,
    read_stream,
    start_argument,
    stream_id,
    write_entry,
)
from durastore.commands.stream_effects import Claims, new_consumer, propagate_position
from durastore.keyspace.chunks import StreamID
from durastore.keyspace.consumer_groups import PendingCursor, StreamConsumer, StreamGroup
from durastore.keyspace.streams import ZERO, EntryFinder, precedes
from durastore.protocol.numbers import NotANumber, parse_int

# XAUTOCLAIM looks at so many entries for each that it may claim.
_ATTEMPTS: Final = 10
_MOST_CLAIMED: Final = 0x7FFFFFFFFFFFFFFF // 16


def _integer_or(text: bytes, error: bytes) -> i64:
    try:
        return parse_int(text)
    except NotANumber:
        raise CommandError(error) from None


@final
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
        raise no_key_or_group(key, argv[2])
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
        raise no_key_or_group(key, argv[2])
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
