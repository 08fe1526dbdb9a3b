"""Entries in forms that other programs read: a JSON object for each key, or the commands that make them.

Bytes are a JSON string where they are valid UTF-8, and otherwise an object ``{"base64": "..."}``, so that nothing is
lost.  Times are Unix milliseconds.  The values:

- string: the string; list and set: an array;
- hash: an array of ``[field, value]``, or ``[field, value, expiry]`` where the field expires;
- zset: an array of ``[member, score]`` in its order, with ``"inf"`` and ``"-inf"`` as strings;
- stream: an object of ``entries`` (arrays of an id and an array of fields and values in turn), ``last_id``,
  ``max_deleted_id``, ``entries_added`` and ``groups``; a group has ``pending`` (arrays of id, consumer, time and count
  of deliveries) and ``consumers`` (arrays of name, times of the last attempt and of the last success, -1: never).
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from typing import Any

from durastore.keyspace.consumer_groups import PendingCursor, StreamGroup
from durastore.keyspace.hashes import Hash
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import Entries, SortedSet
from durastore.keyspace.streams import LAST, ZERO, EntryCursor, Stream
from durastore.keyspace.values import RawString
from durastore.persistence.commands import CommandSerializer
from durastore.persistence.inspection import Entry

# So much is collected before it is given out.
_CHUNK = 256 * 1024


def text(data: bytes) -> str | dict[str, str]:
    """Bytes in JSON."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def json_line(entry: Entry, now: int) -> bytes:
    """The line of a key; ``now`` (Unix milliseconds) is what its time to live counts from."""
    line: dict[str, Any] = {"db": entry.db, "key": text(entry.key), "type": entry.type}
    if entry.expire_ms != -1:
        line["expireat"] = entry.expire_ms
        line["ttl"] = entry.expire_ms - now
    line["value"] = _value(entry.value)
    return json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _value(value: object) -> Any:
    if isinstance(value, bytes):
        return text(value)
    if isinstance(value, RawString):
        return text(bytes(value.data))
    if isinstance(value, List):
        return [text(item) for item in value.items()]
    if isinstance(value, Set):
        return [text(member) for member in value.members()]
    if isinstance(value, Hash):
        expiries = value.expiries()
        pairs = zip(value.fields(), value.values(), strict=True)
        return [[text(name), text(content), *([expiries[name]] if name in expiries else [])] for name, content in pairs]
    if isinstance(value, SortedSet):
        return _scores(value)
    assert isinstance(value, Stream)
    return _stream(value)


def _scores(value: SortedSet) -> list[list[Any]]:
    found = []
    entries = Entries(value, 0, value.count, False)
    while entries.next():
        score: float | str = entries.score
        if math.isinf(entries.score):
            score = "inf" if entries.score > 0 else "-inf"
        found.append([text(entries.member), score])
    return found


def _stream(stream: Stream) -> dict[str, Any]:
    cursor = EntryCursor(stream, ZERO, LAST, False)
    entries = []
    while cursor.next():
        entries.append([_id(cursor.id), [text(word) for word in cursor.fields()]])
    return {
        "entries": entries,
        "last_id": _id(stream.last_id),
        "max_deleted_id": _id(stream.max_deleted_id),
        "entries_added": int(stream.added),
        "groups": [_group(name, group) for name, group in stream.groups.items()],
    }


def _group(name: bytes, group: StreamGroup) -> dict[str, Any]:
    pending = []
    cursor = PendingCursor(group, None, ZERO)
    while (entry := cursor.next()) is not None:
        pending.append([_id(entry.id), text(entry.consumer), int(entry.delivery_time), int(entry.delivery_count)])
    return {
        "name": text(name),
        "last_id": _id(group.last_id),
        "entries_read": int(group.entries_read),
        "pending": pending,
        "consumers": [
            [text(consumer), int(times.seen_time), int(times.active_time)]
            for consumer, times in group.consumers.items()
        ],
    }


def _id(stream_id: tuple[int, int]) -> str:
    return f"{stream_id[0]}-{stream_id[1]}"


class CommandExport:
    """The commands that make entries on an empty server: what ``redis-cli --pipe`` takes.

    Large values take several commands.  Keys that have expired at ``now`` are left out, as a start leaves them out.
    """

    def __init__(self, now: int) -> None:
        self._now = now
        self._db = -1
        self._writer = CommandSerializer()

    def functions(self, libraries: list[bytes]) -> bytes:
        """Function libraries."""
        for code in libraries:
            self._writer.function(code)
        return self._writer.take()

    def entry(self, entry: Entry) -> Iterator[bytes]:
        """A key; what is given out may be that of keys before it."""
        if -1 < entry.expire_ms < self._now:
            return
        writer = self._writer
        if entry.db != self._db:
            self._db = entry.db
            writer.select(entry.db, 0, 0)
        writer.entry(entry.key, entry.value, entry.expire_ms)
        while writer.unfinished:
            writer.more()
            if writer.pending() >= _CHUNK:
                yield writer.take()
        if writer.pending() >= _CHUNK:
            yield writer.take()

    def rest(self) -> bytes:
        """What has not been given out yet."""
        return self._writer.take()
