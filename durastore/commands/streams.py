"""Streams without their groups: XADD, XRANGE, XTRIM and so on (https://redis.io/commands/?group=stream)."""

from __future__ import annotations

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import NO_SUCH_KEY, SYNTAX, CommandError, wrong_arity
from durastore.commands.spec import DENYOOM, FAST, READONLY, WRITE, command
from durastore.commands.stream_arguments import (
    NO_TRIM,
    Trim,
    end_argument,
    find_stream,
    id_argument,
    id_text,
    own_stream,
    read_stream,
    start_argument,
    trim_arguments,
    writable_stream,
    write_range,
)
from durastore.keyspace.chunks import ID_MAX, SMALL, StreamID
from durastore.keyspace.stream_nodes import NODE_BYTES
from durastore.keyspace.streams import LAST, ZERO, EntryCursor, Stream, following, precedes, words_size

_TOO_SMALL = b"ERR The ID specified in XADD is equal or smaller than the target stream top item"


def _next_id(last_id: StreamID, now: int) -> StreamID:
    """The id that ``*`` stands for."""
    if now > last_id[0]:
        return now, 0
    after = following(last_id)
    assert after is not None
    return after


def _new_id(trim: Trim, last_id: StreamID, now: int) -> StreamID:
    """The id of the entry to be added."""
    if not trim.id_given:
        return _next_id(last_id, now)
    entry_id = trim.id
    if not trim.sequence_given and entry_id[0] == last_id[0] and last_id[1] < ID_MAX:
        return last_id[0], last_id[1] + 1
    if not precedes(last_id, entry_id):
        raise CommandError(_TOO_SMALL)
    return entry_id


@command(
    "xadd",
    "key [NOMKSTREAM@6.2.0] [trim: <strategy: MAXLEN | MINID@6.2.0> [operator: =(equal) | ~(approximately)] threshold "
    "[LIMIT count@6.2.0]] <id-selector: *(auto-id) | id> field value [field value ...]",
    WRITE | DENYOOM | FAST,
    summary="Appends a new message to a stream. Creates the key if it doesn't exist.",
    since="5.0.0",
    complexity="O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
    keys="RW update (UPDATE instead of INSERT because of the optional trimming feature)",
    tips="nondeterministic_output",
    history=(
        ("6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."),
        ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
    ),
)
def xadd(client: Client, argv: list[bytes]) -> None:
    """XADD."""
    position: i64 = 2
    trim: Trim | None = None
    if argv[2] != b"*":
        trim = trim_arguments(client, argv, True)
        position = trim.position
    words: i64 = len(argv) - position - 1
    if words < 2 or words & 1:
        raise CommandError(wrong_arity(b"xadd"))
    if trim is not None and trim.sequence_given and trim.id == ZERO:
        raise CommandError(b"ERR The ID specified in XADD must be greater than 0-0")
    key = argv[1]
    stream = find_stream(client, key)
    if stream is None and trim is not None and trim.no_create:
        client.reply.null()
        return
    last_id = ZERO if stream is None else stream.last_id
    if last_id[0] > SMALL and last_id == LAST:
        raise CommandError(b"ERR The stream has exhausted the last possible ID, unable to add more items")
    instance = client.instance
    entry_id = _next_id(last_id, int(instance.now)) if trim is None else _new_id(trim, last_id, int(instance.now))
    if words_size(argv, position + 1) > NODE_BYTES:
        raise CommandError(b"ERR Elements are too large to be stored")
    if stream is None:
        stream = Stream()
        client.db.set(key, stream)
    else:
        stream = writable_stream(client, key, stream)
    stream.append(entry_id, argv, position + 1, instance.keyspace.limits)
    text = id_text(entry_id)
    client.reply.bulk(text)
    client.notify(events.STREAM, b"xadd", key)
    instance.dirty += 1
    if trim is None:
        effect = argv[:]
        effect[2] = text
        instance.propagate(effect)
    else:
        if trim.strategy != NO_TRIM and trim.run(stream):
            client.notify(events.STREAM, b"xtrim", key)
        if not trim.sequence_given or trim.approximate:
            effect = argv[:]
            effect[position] = text
            trim.exact(effect, stream)
            instance.propagate(effect)
    if client.db.waited:
        client.db.signal(key)


@command(
    "xlen",
    "key",
    READONLY | FAST,
    summary="Return the number of messages in a stream.",
    since="5.0.0",
    keys="RO",
)
def xlen(client: Client, argv: list[bytes]) -> None:
    """XLEN."""
    stream = read_stream(client, argv[1])
    client.reply.integer(0 if stream is None else stream.length)


def _range(client: Client, argv: list[bytes], reverse: bool) -> None:
    start = start_argument(argv[3] if reverse else argv[2])
    end = end_argument(argv[2] if reverse else argv[3])
    count: i64 = -1
    i = 4
    while i < len(argv):
        if argv[i].upper() != b"COUNT" or i + 1 == len(argv):
            raise CommandError(SYNTAX)
        count = max(integer_argument(argv[i + 1]), 0)
        i += 2
    stream = read_stream(client, argv[1])
    if stream is None:
        client.reply.array(0)
    elif count == 0:
        client.reply.null_array()
    else:
        write_range(client.reply, EntryCursor(stream, start, end, reverse), max(count, 0))


@command(
    "xrange",
    "key start:string end:string [COUNT count]",
    READONLY,
    summary="Returns the messages from a stream within a range of IDs.",
    since="5.0.0",
    complexity="O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the "
    "first 10 elements with COUNT), you can consider it O(1).",
    keys="RO access",
    history=(("6.2.0", "Added exclusive ranges."),),
)
def xrange(client: Client, argv: list[bytes]) -> None:
    """XRANGE."""
    _range(client, argv, False)


@command(
    "xrevrange",
    "key end:string start:string [COUNT count]",
    READONLY,
    summary="Returns the messages from a stream within a range of IDs in reverse order.",
    since="5.0.0",
    complexity="O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first "
    "10 elements with COUNT), you can consider it O(1).",
    keys="RO access",
    history=(("6.2.0", "Added exclusive ranges."),),
)
def xrevrange(client: Client, argv: list[bytes]) -> None:
    """XREVRANGE."""
    _range(client, argv, True)


@command(
    "xdel",
    "key id [id ...]",
    WRITE | FAST,
    summary="Returns the number of messages after removing them from a stream.",
    since="5.0.0",
    complexity="O(1) for each single item to delete in the stream, regardless of the stream size.",
    keys="RW delete",
)
def xdel(client: Client, argv: list[bytes]) -> None:
    """XDEL."""
    key = argv[1]
    stream = find_stream(client, key)
    if stream is None:
        client.reply.integer(0)
        return
    ids = [id_argument(text) for text in argv[2:]]
    deleted: i64 = 0
    stream = own_stream(client, key, stream)
    for entry_id in ids:
        if stream.delete(entry_id):
            deleted += 1
    if deleted:
        stream = writable_stream(client, key, stream)
        client.notify(events.STREAM, b"xdel", key)
        client.instance.dirty += deleted
    client.reply.integer(deleted)


@command(
    "xtrim",
    "key <trim: <strategy: MAXLEN | MINID@6.2.0> [operator: =(equal) | ~(approximately)] threshold "
    "[LIMIT count@6.2.0]>",
    WRITE,
    summary="Deletes messages from the beginning of a stream.",
    since="5.0.0",
    complexity="O(N), with N being the number of evicted entries. Constant times are very small however, since entries "
    "are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
    keys="RW delete",
    tips="nondeterministic_output",
    history=(("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option."),),
)
def xtrim(client: Client, argv: list[bytes]) -> None:
    """XTRIM."""
    trim = trim_arguments(client, argv, False)
    key = argv[1]
    stream = find_stream(client, key)
    if stream is None:
        client.reply.integer(0)
        return
    stream = own_stream(client, key, stream)
    deleted = trim.run(stream)
    if deleted:
        stream = writable_stream(client, key, stream)
        client.notify(events.STREAM, b"xtrim", key)
        client.instance.dirty += deleted
        if trim.approximate:
            effect = argv.copy()
            trim.exact(effect, stream)
            client.instance.propagate(effect)
    client.reply.integer(deleted)


@command(
    "xsetid",
    "key last-id [ENTRIESADDED entries-added@7.0.0] [MAXDELETEDID max-deleted-id@7.0.0]",
    WRITE | DENYOOM | FAST,
    summary="An internal command for replicating stream values.",
    since="5.0.0",
    keys="RW update",
    history=(("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments."),),
)
def xsetid(client: Client, argv: list[bytes]) -> None:
    """XSETID."""
    last_id = id_argument(argv[2])
    added: i64 = -1
    max_deleted = ZERO
    i = 3
    while i < len(argv):
        word = argv[i].upper()
        if word == b"ENTRIESADDED" and i + 1 < len(argv):
            added = integer_argument(argv[i + 1])
            if added < 0:
                raise CommandError(b"ERR entries_added must be positive")
        elif word == b"MAXDELETEDID" and i + 1 < len(argv):
            max_deleted = id_argument(argv[i + 1])
            if precedes(last_id, max_deleted):
                raise CommandError(b"ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
        else:
            raise CommandError(SYNTAX)
        i += 2
    key = argv[1]
    stream = find_stream(client, key)
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    if precedes(last_id, stream.max_deleted_id):
        raise CommandError(b"ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
    if stream.length:
        if precedes(last_id, stream.top()):
            raise CommandError(b"ERR The ID specified in XSETID is smaller than the target stream top item")
        if added != -1 and added < stream.length:
            raise CommandError(b"ERR The entries_added specified in XSETID is smaller than the target stream length")
    stream = own_stream(client, key, stream)
    stream.last_id = last_id
    if added != -1:
        stream.added = int(added)
    if max_deleted != ZERO:
        stream.max_deleted_id = max_deleted
    client.instance.dirty += 1
    client.notify(events.STREAM, b"xsetid", key)
    client.reply.ok()
