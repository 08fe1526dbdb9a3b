"""What the commands of streams share: ids in requests and replies, ranges, entries, and the options of trimming."""

from __future__ import annotations

import re
from typing import Final, final

from mypy_extensions import i64

from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, WRONG_TYPE, CommandError
from durastore.keyspace.chunks import ID_MAX, StreamID
from durastore.keyspace.streams import LAST, ZERO, EntryCursor, Stream, following, preceding
from durastore.protocol.reply import Reply

_INVALID_ID: Final = b"ERR Invalid stream ID specified as stream command argument"
_LONGEST_ID: Final = 127
# What strtoull takes, which Redis falls back on.
_UNSIGNED: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)\Z")

# How much is trimmed: nothing, by length, by id.
NO_TRIM: Final = 0
BY_LENGTH: Final = 1
BY_ID: Final = 2
# The most that an approximate trim deletes where LIMIT does not say.
_NODES: Final = 100
_LIMIT: Final = 10000
_HIGHEST_LIMIT: Final = 1000000


def _unsigned(text: bytes) -> int:
    """One part of an id; -1 where it is none."""
    size: i64 = len(text)
    if 0 < size < 19:
        value: i64 = 0
        i: i64 = 0
        while i < size:
            c: i64 = text[i]
            if c < 48 or c > 57:
                break
            value = value * 10 + c - 48
            i += 1
        if i == size:
            return int(value)
    match = _UNSIGNED.match(text)
    if match is None:
        return -1
    number = int(match[2])
    if number > ID_MAX:
        return -1
    if match[1] != b"-":
        return number
    # A number that string2ll understands as a negative one is refused; any other wraps around.
    if text[0] == 45 and match[2][:1] != b"0" and number <= 1 << 63:
        return -1
    return -number % (ID_MAX + 1)


def stream_id(text: bytes, missing: int = 0) -> StreamID | None:
    """The id of the form ``ms`` or ``ms-seq``, with ``missing`` for a sequence that is not there; None for others."""
    if len(text) > _LONGEST_ID:
        return None
    if b"\0" in text:
        text = text.partition(b"\0")[0]
    dash: i64 = text.find(b"-")
    if dash < 0:
        ms = _unsigned(text)
        return None if ms < 0 else (ms, missing)
    ms = _unsigned(text[:dash])
    if ms < 0:
        return None
    seq = _unsigned(text[dash + 1 :])
    return None if seq < 0 else (ms, seq)


def id_argument(text: bytes, missing: int = 0) -> StreamID:
    """As ``stream_id``, with the error for others."""
    found = stream_id(text, missing)
    if found is None:
        raise CommandError(_INVALID_ID)
    return found


def bound_argument(text: bytes, missing: int) -> StreamID:
    """As ``id_argument``, and ``-`` and ``+`` for the least and greatest ids."""
    if text == b"-":
        return ZERO
    if text == b"+":
        return LAST
    return id_argument(text, missing)


def start_argument(text: bytes) -> StreamID:
    """The first id of a range, which ``(`` excludes."""
    if len(text) > 1 and text[0] == 40:
        after = following(id_argument(text[1:]))
        if after is None:
            raise CommandError(b"ERR invalid start ID for the interval")
        return after
    return bound_argument(text, 0)


def end_argument(text: bytes) -> StreamID:
    """The last id of a range, which ``(`` excludes."""
    if len(text) > 1 and text[0] == 40:
        before = preceding(id_argument(text[1:], ID_MAX))
        if before is None:
            raise CommandError(b"ERR invalid end ID for the interval")
        return before
    return bound_argument(text, ID_MAX)


def id_text(entry_id: StreamID) -> bytes:
    """An id as replies show it."""
    return b"%d-%d" % (entry_id[0], entry_id[1])


def read_stream(client: Client, key: bytes) -> Stream | None:
    """The stream of a key, to be read; None where there is no such key."""
    value = client.db.lookup_read(key, client.instance.now)
    if value is None or isinstance(value, Stream):
        return value
    raise CommandError(WRONG_TYPE)


def find_stream(client: Client, key: bytes) -> Stream | None:
    """The stream of a key that may be changed; None where there is no such key."""
    value = client.db.lookup(key, client.instance.now)
    if value is None or isinstance(value, Stream):
        return value
    raise CommandError(WRONG_TYPE)


def writable_stream(client: Client, key: bytes, stream: Stream) -> Stream:
    """The stream in a form that may be changed."""
    changed = client.db.writable(key, stream)
    assert isinstance(changed, Stream)
    return changed


def own_stream(client: Client, key: bytes, stream: Stream) -> Stream:
    """The stream in a form whose groups may be changed, which is no change to those who watch the key."""
    own = client.db.own(key, stream)
    assert isinstance(own, Stream)
    return own


def no_key_or_group(key: bytes, group: bytes) -> CommandError:
    """The complaint about a key or a group that does not exist."""
    return CommandError(b"NOGROUP No such key '" + key + b"' or consumer group '" + group + b"'")


def write_entry(reply: Reply, text: bytes, fields: list[bytes]) -> None:
    """An entry: id, then names and values."""
    reply.array(2)
    reply.bulk(text)
    reply.bulks(fields)


def write_range(reply: Reply, cursor: EntryCursor, count: i64) -> i64:
    """All entries of a cursor's range, up to ``count`` (0: all) of them; returns how many there were."""
    outer = reply.defer()
    written: i64 = 0
    while cursor.next():
        write_entry(reply, id_text(cursor.id), cursor.fields())
        written += 1
        if written == count:
            break
    reply.end_array(outer, written)
    return written


@final
class Trim:
    """The options of XADD and XTRIM up to the id of the new entry, which is word ``position``."""

    def __init__(self) -> None:
        self.position: i64 = 0
        # The id as far as it is given: not where it is ``*``, and without a sequence where it is ``ms-*``.
        self.id_given = False
        self.sequence_given = False
        self.id: StreamID = ZERO
        self.no_create = False
        self.strategy: i64 = NO_TRIM
        # The word with the threshold.
        self.threshold: i64 = 0
        self.approximate = False
        self.most: i64 = 0
        self.least: StreamID = ZERO
        # 0: none.
        self.limit: i64 = 0

    def run(self, stream: Stream) -> i64:
        """Trims; returns how many entries it deleted."""
        if self.strategy == BY_LENGTH:
            return stream.trim_length(int(self.most), self.approximate, self.limit)
        if self.strategy == BY_ID:
            return stream.trim_before(self.least, self.approximate, self.limit)
        return 0

    def exact(self, effect: list[bytes], stream: Stream) -> None:
        """Makes the request one that leaves exactly what an approximate trim has left."""
        if self.approximate:
            effect[self.threshold - 1] = b"="
            if self.strategy == BY_LENGTH:
                effect[self.threshold] = b"%d" % stream.length
            else:
                effect[self.threshold] = id_text(stream.first_id if stream.length else LAST)


def trim_arguments(client: Client, argv: list[bytes], adding: bool) -> Trim:
    """The options of XADD (``adding``) or XTRIM."""
    trim = Trim()
    size: i64 = len(argv)
    limited = False
    i: i64 = 2
    while i < size:
        text = argv[i]
        more: i64 = size - 1 - i
        if adding and text == b"*":
            break
        word = text.upper()
        if more and (word == b"MAXLEN" or word == b"MINID"):
            if trim.strategy != NO_TRIM:
                raise CommandError(b"ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
            sign = argv[i + 1]
            if more >= 2 and (sign == b"~" or sign == b"="):
                trim.approximate = sign == b"~"
                i += 1
            i += 1
            if word == b"MAXLEN":
                trim.most = integer_argument(argv[i])
                if trim.most < 0:
                    raise CommandError(b"ERR The MAXLEN argument must be >= 0.")
                trim.strategy = BY_LENGTH
            else:
                trim.least = id_argument(argv[i])
                trim.strategy = BY_ID
            trim.threshold = i
        elif more and word == b"LIMIT":
            trim.limit = integer_argument(argv[i + 1])
            if trim.limit < 0:
                raise CommandError(b"ERR The LIMIT argument must be >= 0.")
            limited = True
            i += 1
        elif adding and word == b"NOMKSTREAM":
            trim.no_create = True
        elif adding:
            trim.id_given = True
            trim.sequence_given = not text.endswith(b"-*") or text.find(b"-") != len(text) - 2
            trim.id = id_argument(text if trim.sequence_given else text[:-2])
            break
        else:
            raise CommandError(SYNTAX)
        i += 1
    trim.position = i
    return _checked(client, trim, adding, limited)


def _checked(client: Client, trim: Trim, adding: bool, limited: bool) -> Trim:
    if trim.limit and trim.strategy == NO_TRIM:
        raise CommandError(b"ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
    if not adding and trim.strategy == NO_TRIM:
        raise CommandError(b"ERR syntax error, XTRIM must be called with a trimming strategy")
    if client.replaying:
        # What was trimmed is in the request by now.
        trim.limit = 0
    elif limited:
        if not trim.approximate:
            raise CommandError(b"ERR syntax error, LIMIT cannot be used without the special ~ option")
    elif trim.approximate:
        entries: i64 = client.instance.keyspace.limits.stream_node_entries
        if entries <= 0:
            trim.limit = _LIMIT
        else:
            trim.limit = _HIGHEST_LIMIT if entries > _HIGHEST_LIMIT // _NODES else _NODES * entries
    return trim
