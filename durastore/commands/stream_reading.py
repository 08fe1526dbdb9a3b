"""XREAD and XREADGROUP (https://redis.io/commands/?group=stream)."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands.arguments import integer_argument, timeout_milliseconds_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.spec import BLOCKING, READONLY, WRITE, command
from durastore.commands.stream_arguments import (
    id_argument,
    id_text,
    own_stream,
    read_stream,
    write_entry,
    write_range,
)
from durastore.commands.stream_effects import Claims, new_consumer, propagate_position
from durastore.keyspace.chunks import StreamID
from durastore.keyspace.consumer_groups import PendingCursor, StreamConsumer, StreamGroup
from durastore.keyspace.streams import LAST, ZERO, EntryCursor, EntryFinder, Stream, following, precedes, preceding

_NO_DOLLAR: Final = (
    b"ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
    b"specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
)
_NO_GREATER: Final = (
    b"ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
)


@final
class _Reading:
    """The arguments of XREAD, or of XREADGROUP where ``grouped``."""

    def __init__(self, grouped: bool) -> None:
        self.grouped = grouped
        self.blocking = False
        self.deadline: i64 = 0
        # 0: all.
        self.count: i64 = 0
        self.group = b""
        self.consumer = b""
        self.no_ack = False
        # The first key's word, and how many keys there are.
        self.first: i64 = 0
        self.keys: i64 = 0


def _arguments(client: Client, argv: list[bytes], grouped: bool) -> _Reading:
    reading = _Reading(grouped)
    named = False
    size: i64 = len(argv)
    i: i64 = 1
    while i < size and not reading.first:
        word = argv[i].upper()
        more: i64 = size - 1 - i
        if more and word == b"BLOCK":
            if client.deny_blocking and not client.replaying:
                raise CommandError(b"ERR " + argv[0] + b" command is not allowed with BLOCK option from scripts")
            i += 1
            reading.deadline = timeout_milliseconds_argument(client, argv[i])
            reading.blocking = True
        elif more and word == b"COUNT":
            i += 1
            reading.count = integer_argument(argv[i])
            if reading.count < 0:
                reading.count = 0
        elif more and word == b"STREAMS":
            reading.first = i + 1
            if more & 1:
                name, sign = (b"xreadgroup", b">") if grouped else (b"xread", b"$")
                raise CommandError(
                    b"ERR Unbalanced '" + name + b"' list of streams: for each stream key an ID or '" + sign
                    + b"' must be specified."
                )  # fmt: skip
            reading.keys = more >> 1
        elif more >= 2 and word == b"GROUP":
            if not grouped:
                raise CommandError(b"ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
            reading.group = argv[i + 1]
            reading.consumer = argv[i + 2]
            named = True
            i += 2
        elif word == b"NOACK":
            if not grouped:
                raise CommandError(b"ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
            reading.no_ack = True
        else:
            raise CommandError(SYNTAX)
        i += 1
    if not reading.first:
        raise CommandError(SYNTAX)
    if grouped and not named:
        raise CommandError(b"ERR Missing GROUP option for XREADGROUP")
    return reading


def _start_ids(client: Client, argv: list[bytes], reading: _Reading) -> list[StreamID | None]:
    """The ids behind which to read, None for ``>``."""
    ids: list[StreamID | None] = []
    i: i64 = reading.first
    while len(ids) < reading.keys:
        key = argv[i]
        at: i64 = i + reading.keys
        text = argv[at]
        stream = read_stream(client, key)
        if reading.grouped and (stream is None or reading.group not in stream.groups):
            raise CommandError(
                b"NOGROUP No such key '" + key + b"' or consumer group '" + reading.group
                + b"' in XREADGROUP with GROUP option"
            )  # fmt: skip
        if text == b"$" or (text == b"+" and not reading.grouped):
            if reading.grouped:
                raise CommandError(_NO_DOLLAR)
            start = ZERO if stream is None else stream.last_id
            if text == b"+" and stream is not None and stream.length:
                start = preceding(stream.top()) or ZERO
            ids.append(start)
        elif text == b">":
            if not reading.grouped:
                raise CommandError(_NO_GREATER)
            ids.append(None)
        else:
            entry_id = id_argument(text)
            # To Redis the greatest id is another way to say ``>``.
            ids.append(None if reading.grouped and entry_id == LAST else entry_id)
        i += 1
    return ids


def _begin_stream(client: Client, key: bytes) -> None:
    if client.reply.resp == 2:
        client.reply.array(2)
    client.reply.bulk(key)


@command(
    "xread",
    "[COUNT count] [BLOCK milliseconds] STREAMS <streams: key [key ...] id [id ...]>",
    READONLY | BLOCKING,
    summary="Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message "
    "is available otherwise.",
    since="5.0.0",
    complexity="",
    keys="RO access",
)
def xread(client: Client, argv: list[bytes]) -> None:
    """XREAD."""
    reading = _arguments(client, argv, False)
    ids = _start_ids(client, argv, reading)
    outer = None
    served: i64 = 0
    for i in range(reading.keys):
        key = argv[reading.first + i]
        stream = read_stream(client, key)
        after = ids[i]
        if stream is None or after is None or not precedes(after, stream.top()):
            continue
        start = following(after)
        assert start is not None
        if outer is None:
            outer = client.reply.defer()
        served += 1
        _begin_stream(client, key)
        write_range(client.reply, EntryCursor(stream, start, LAST, False), reading.count)
    if outer is not None:
        client.reply.end_map_or_array(outer, served)
        return
    if reading.blocking:
        # The request runs again: it is then to read behind what ``$`` and ``+`` stand for now.
        for i in range(reading.keys):
            argv[reading.first + reading.keys + i] = id_text(ids[i] or ZERO)
        client.block(b"stream", argv[reading.first : reading.first + reading.keys], reading.deadline)
    client.reply.null_array()


@command(
    "xreadgroup",
    "<group-block: GROUP group consumer> [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS <streams: "
    "key [key ...] id [id ...]>",
    WRITE | BLOCKING,
    summary="Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is "
    "available otherwise.",
    since="5.0.0",
    complexity="For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. "
    "always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP "
    "blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
    keys="RO access",
)
def xreadgroup(client: Client, argv: list[bytes]) -> None:
    """XREADGROUP.

    What the request did is journalled as the consumers, claims and positions that it made; and so is a delivery from
    the history, which Redis does not propagate.
    """
    reading = _arguments(client, argv, True)
    ids = _start_ids(client, argv, reading)
    instance = client.instance
    instance.effects = []
    outer = None
    served: i64 = 0
    for i in range(reading.keys):
        key = argv[reading.first + i]
        found = read_stream(client, key)
        if found is None:
            continue
        stream = own_stream(client, key, found)
        group = stream.group(reading.group)
        assert group is not None
        consumer = group.consumer(reading.consumer)
        if consumer is None:
            consumer = new_consumer(client, key, reading.group, group, reading.consumer)
        consumer.seen_time = instance.now
        after = ids[i]
        if after is None and not precedes(group.last_id, stream.top()):
            continue
        if outer is None:
            outer = client.reply.defer()
        served += 1
        _begin_stream(client, key)
        claims = Claims(client, key, reading.group, group)
        if after is None:
            _deliver(client, reading, key, stream, group, consumer, claims)
        else:
            _deliver_again(client, reading, stream, group, consumer, after, claims)
        instance.dirty += 1
    if outer is not None:
        client.reply.end_map_or_array(outer, served)
        return
    if reading.blocking:
        client.block(b"stream", argv[reading.first : reading.first + reading.keys], reading.deadline, True)
    client.reply.null_array()


def _deliver(
    client: Client,
    reading: _Reading,
    key: bytes,
    stream: Stream,
    group: StreamGroup,
    consumer: StreamConsumer,
    claims: Claims,
) -> None:
    """New entries."""
    now: i64 = client.instance.now
    reply = client.reply
    start = following(group.last_id)
    assert start is not None
    cursor = EntryCursor(stream, start, LAST, False)
    outer = reply.defer()
    ids: list[StreamID] = []
    written: i64 = 0
    while cursor.next():
        entry_id = cursor.id
        text = id_text(entry_id)
        stream.advance(group, entry_id)
        write_entry(reply, text, cursor.fields())
        if not reading.no_ack:
            ids.append(entry_id)
            claims.add(text, consumer.name, now, 1)
        written += 1
        if written == reading.count:
            break
    reply.end_array(outer, written)
    if ids:
        group.assign_all(ids, consumer, now, 1)
        consumer.active_time = now
    claims.finish()
    propagate_position(client, key, reading.group, group)


def _deliver_again(
    client: Client,
    reading: _Reading,
    stream: Stream,
    group: StreamGroup,
    consumer: StreamConsumer,
    after: StreamID,
    claims: Claims,
) -> None:
    """Entries that the consumer has not acknowledged."""
    now: i64 = client.instance.now
    reply = client.reply
    outer = reply.defer()
    written: i64 = 0
    start = following(after)
    assert start is not None
    pending = PendingCursor(group, consumer, start)
    finder = EntryFinder(stream)
    while True:
        entry = pending.next()
        if entry is None:
            break
        text = id_text(entry.id)
        if finder.find(entry.id):
            write_entry(reply, text, finder.fields())
            group.assign(entry.id, consumer, now, entry.delivery_count + 1)
            claims.add(text, consumer.name, now, entry.delivery_count + 1)
        else:
            reply.array(2)
            reply.bulk(text)
            reply.null_array()
        written += 1
        if written == reading.count:
            break
    reply.end_array(outer, written)
    claims.finish()
