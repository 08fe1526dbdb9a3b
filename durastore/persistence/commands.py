"""The keyspace as the commands that rebuild it: a base of the log with ``aof-use-rdb-preamble no``.

They are the commands that Redis would write, so that every server that has the types can read them; but a long string
is appended in parts.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Final, NoReturn, final

from librt.strings import BytesWriter
from mypy_extensions import i64

from durastore.keyspace.chunks import StreamID
from durastore.keyspace.consumer_groups import PendingCursor, StreamGroup
from durastore.keyspace.hashes import Hash
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import Entries, SortedSet
from durastore.keyspace.streams import LAST, ZERO, EntryCursor, Stream
from durastore.keyspace.values import RawString
from durastore.persistence.aof.annotations import CHAIN_START, stretch_checksum, stretch_header
from durastore.persistence.serializer import Serializer
from durastore.protocol.numbers import INT64_MAX, format_double
from durastore.protocol.parser import encode_request

# A command takes at most so many elements, so that none of them keeps a server for long.
ELEMENTS: Final = 64
# A large value is written in parts of so many bytes.
PART: Final = 64 * 1024


class CommandSerializer(Serializer):
    """Strings become SET, with PXAT where they expire; other types what adds their elements, and then PEXPIREAT."""

    def __init__(self) -> None:
        super().__init__()
        self._out = BytesWriter()
        # What is left of an unfinished value.
        self._pieces: Iterator[bytes] = iter(())

    def begin(self, aux: list[tuple[bytes, bytes]]) -> None:
        """Nothing: a log of commands has no head."""

    def function(self, code: bytes) -> None:
        """A function library."""
        self._add([b"FUNCTION", b"LOAD", code])

    def select(self, db: int, keys: int, expires: int) -> None:
        """The entries that follow are of this database."""
        self._complete()
        self._add([b"SELECT", b"%d" % db])

    def entry(self, key: bytes, value: object, expire_ms: i64) -> None:
        """A key, its value, and its expiry (Unix milliseconds, -1: none)."""
        self._complete()
        text = value.data if isinstance(value, RawString) else value
        if isinstance(text, (bytes, bytearray)) and len(text) > PART:
            self._go_on_with(_long_string(key, text, int(expire_ms)))
        elif isinstance(text, (bytes, bytearray)):
            self._add(_set_string(key, bytes(text), int(expire_ms)))
        else:
            self._go_on_with(map(encode_request, _requests(key, value, int(expire_ms))))

    def _go_on_with(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.unfinished = True
        self.more()

    def more(self) -> None:
        """The next part of an unfinished value."""
        enough = len(self._out) + PART
        for piece in self._pieces:
            self._out.write(piece)
            if len(self._out) >= enough:
                return
        self.unfinished = False

    def _complete(self) -> None:
        while self.unfinished:
            self.more()

    def end(self) -> None:
        """A log of commands has no foot."""
        self._complete()

    def pending(self) -> i64:
        """How many bytes ``take`` would return."""
        return len(self._out)

    def take(self) -> bytes:
        """What was serialised since the last call."""
        data = self._out.getvalue()
        self._out.truncate(0)
        return data

    def _add(self, argv: list[bytes]) -> None:
        self._out.write(encode_request(argv))


@final
class StretchedCommands(CommandSerializer):
    """The same in stretches with checksums (``aof.annotations``), as of a moment (Unix milliseconds)."""

    def __init__(self, moment: int) -> None:
        super().__init__()
        self._moment = moment
        self._checksum = 0
        self._prefix = CHAIN_START

    def take(self) -> bytes:
        """What was serialised since the last call: whole commands."""
        data = super().take()
        header = b""
        if data:
            self._checksum = stretch_checksum(self._checksum, len(data), self._moment, data)
            header = stretch_header(self._checksum, len(data), self._moment)
        prefix, self._prefix = self._prefix, b""
        return b"%b%b%b" % (prefix, header, data)


def _long_string(key: bytes, text: bytes | bytearray, expire_ms: int) -> Iterator[bytes]:
    """What makes a long string, part by part."""
    yield encode_request(_set_string(key, bytes(text[:PART]), expire_ms))
    for start in range(PART, len(text), PART):
        yield encode_request([b"APPEND", key, bytes(text[start : start + PART])])


def _set_string(key: bytes, text: bytes, expire_ms: int) -> list[bytes]:
    return [b"SET", key, text] if expire_ms == -1 else [b"SET", key, text, b"PXAT", b"%d" % expire_ms]


def _requests(key: bytes, value: object, expire_ms: int) -> Iterator[list[bytes]]:
    """What rebuilds a value that is no string, and its expiry.  A captured value does not change meanwhile."""
    if isinstance(value, List):
        for node in value.packed_nodes():
            items: list[bytes] = []
            node.collect(0, node.count, items)
            yield from _elements([b"RPUSH", key], items, ELEMENTS)
    elif isinstance(value, Set):
        yield from _set(key, value)
    elif isinstance(value, Hash):
        yield from _hash(key, value)
    elif isinstance(value, SortedSet):
        yield from _sorted_set(key, value)
    elif isinstance(value, Stream):
        yield from _stream(key, value)
    else:
        _not_a_value(value)
    if expire_ms != -1:
        yield [b"PEXPIREAT", key, b"%d" % expire_ms]


def _not_a_value(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} is not a value type")


def _elements(command: list[bytes], words: list[bytes], most: int) -> Iterator[list[bytes]]:
    """The command with all the words, at most so many at a time."""
    for start in range(0, len(words), most):
        yield command + words[start : start + most]


def _set(key: bytes, value: Set) -> Iterator[list[bytes]]:
    if value.table is None:
        yield from _elements([b"SADD", key], value.members(), ELEMENTS)
        return
    for chunk in value.table.chunks():
        yield from _elements([b"SADD", key], list(chunk.items), ELEMENTS)


def _hash(key: bytes, value: Hash) -> Iterator[list[bytes]]:
    if value.table is None:
        yield from _elements([b"HMSET", key], value.flat(), 2 * ELEMENTS)
        yield from _field_expiries(key, value.expiries().items())
        return
    for chunk in value.table.chunks():
        flat: list[bytes] = []
        for field, content in chunk.items.items():
            assert isinstance(content, bytes)
            flat += (field, content)
        yield from _elements([b"HMSET", key], flat, 2 * ELEMENTS)
        yield from _field_expiries(key, chunk.expires.items() if chunk.expires is not None else [])


def _field_expiries(key: bytes, expiries: Iterable[tuple[bytes, int]]) -> Iterator[list[bytes]]:
    fields: dict[int, list[bytes]] = {}
    for field, when in expiries:
        fields.setdefault(when, []).append(field)
    for when, alike in fields.items():
        yield [b"HPEXPIREAT", key, b"%d" % when, b"FIELDS", b"%d" % len(alike), *alike]


def _sorted_set(key: bytes, value: SortedSet) -> Iterator[list[bytes]]:
    words: list[bytes] = []
    entries = Entries(value, 0, value.count, False)
    while entries.next():
        words += (format_double(entries.score), entries.member)
        if len(words) >= 2 * ELEMENTS:
            yield [b"ZADD", key, *words]
            words = []
    if words:
        yield [b"ZADD", key, *words]


def _stream(key: bytes, value: Stream) -> Iterator[list[bytes]]:
    """A stream.

    Pending entries that are no longer in the stream are added, and removed again after the groups have claimed them:
    XCLAIM takes only what is there.
    """
    first: bytes | None = None
    before_first = False
    deleted: list[bytes] = []
    for entry_id, words in _with_lost_entries(value):
        yield [b"XADD", key, _id(entry_id), *(words or (b"x", b"y"))]
        if words is not None:
            first = first or _id(entry_id)
        elif first is None:
            before_first = True
        else:
            deleted.append(_id(entry_id))
    if first is None and not before_first:
        # An entry that is trimmed at once makes a stream that has none.
        yield [b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]
    # XSETID takes no more.
    history = [b"ENTRIESADDED", b"%d" % min(value.added, INT64_MAX), b"MAXDELETEDID", _id(value.max_deleted_id)]
    position = [b"XSETID", key, _id(value.last_id), *history]
    yield position
    for name, group in value.groups.items():
        yield from _group(key, name, group)
    if before_first:
        # Not XDEL, which counts for the id of the last one deleted.
        yield [b"XTRIM", key, *((b"MAXLEN", b"0") if first is None else (b"MINID", first))]
    yield from _elements([b"XDEL", key], deleted, ELEMENTS)
    if before_first or deleted:
        yield position


def _with_lost_entries(value: Stream) -> Iterator[tuple[StreamID, list[bytes] | None]]:
    """The entries of a stream, and in their order the ids of pending ones that it has no more, with None."""
    pending = heapq.merge(*(_pending_ids(group) for group in value.groups.values()))
    lost = next(pending, None)
    cursor = EntryCursor(value, ZERO, LAST, False)
    last = ZERO
    more = True
    while more:
        more = cursor.next()
        # XADD takes no id beyond the stream's last one, which XSETID may have set back.
        while lost is not None and lost <= value.last_id and (not more or lost < cursor.id):
            if lost != last:
                yield lost, None
            last = lost
            lost = next(pending, None)
        if more:
            last = cursor.id
            while lost == last:
                lost = next(pending, None)
            yield last, cursor.fields()


def _pending_ids(group: StreamGroup) -> Iterator[StreamID]:
    cursor = PendingCursor(group, None, ZERO)
    while (entry := cursor.next()) is not None:
        yield entry.id


def _id(stream_id: StreamID) -> bytes:
    return b"%d-%d" % stream_id


def _group(key: bytes, name: bytes, group: StreamGroup) -> Iterator[list[bytes]]:
    position = [b"%d-%d" % group.last_id, b"ENTRIESREAD", b"%d" % group.entries_read]
    yield [b"XGROUP", b"CREATE", key, name, *position]
    for consumer in group.consumers:
        yield [b"XGROUP", b"CREATECONSUMER", key, name, consumer]
    cursor = PendingCursor(group, None, ZERO)
    while (entry := cursor.next()) is not None:
        delivery = [b"TIME", b"%d" % entry.delivery_time, b"RETRYCOUNT", b"%d" % entry.delivery_count]
        claim = [b"XCLAIM", key, name, entry.consumer, b"0", b"%d-%d" % entry.id]
        yield [*claim, *delivery, b"JUSTID", b"FORCE"]
