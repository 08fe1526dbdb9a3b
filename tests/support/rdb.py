"""Keyspaces as plain data, from a running server or from what the reader gives, so that the two can be compared.

A keyspace is a list of entries sorted by database and key.  Bytes are written as Latin-1 text, scores as ``repr``.
"""

from __future__ import annotations

import io
from typing import Any

from durastore.keyspace.consumer_groups import PendingCursor, PendingEntry, StreamGroup
from durastore.keyspace.hashes import Hash
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import Entries, SortedSet
from durastore.keyspace.streams import LAST, ZERO, EntryCursor, Stream
from durastore.keyspace.values import RawString
from durastore.persistence.rdb import RdbReader
from support.resp import Connection

Entry = dict[str, Any]


def text(data: bytes | bytearray) -> str:
    return bytes(data).decode("latin-1")


def scores_of(value: SortedSet) -> dict[bytes, float]:
    """What a sorted set holds, in its order."""
    found = {}
    entries = Entries(value, 0, value.count, False)
    while entries.next():
        found[entries.member] = entries.score
    return found


def describe_value(value: object) -> tuple[str, Any]:
    """The type and content of a value of ours."""
    if isinstance(value, (bytes, RawString)):
        return "string", text(value if isinstance(value, bytes) else value.data)
    if isinstance(value, List):
        return "list", [text(item) for item in value.items()]
    if isinstance(value, Set):
        return "set", sorted(text(member) for member in value.members())
    if isinstance(value, Hash):
        expiries = value.expiries()
        pairs = zip(value.fields(), value.values(), strict=True)
        return "hash", sorted([text(f), text(v), expiries.get(f, -1)] for f, v in pairs)
    if isinstance(value, SortedSet):
        return "zset", sorted([text(member), repr(score)] for member, score in scores_of(value).items())
    assert isinstance(value, Stream)
    return "stream", describe_stream(value)


def describe_stream(stream: Stream) -> Entry:
    cursor = EntryCursor(stream, ZERO, LAST, False)
    entries = []
    while cursor.next():
        entries.append([_id(cursor.id), [text(field) for field in cursor.fields()]])
    return {
        "entries": entries,
        "last_id": _id(stream.last_id),
        "max_deleted_id": _id(stream.max_deleted_id),
        "entries_added": stream.added,
        "groups": [
            {
                "name": text(name),
                "last_id": _id(group.last_id),
                "entries_read": group.entries_read,
                "pending": [
                    [_id(entry.id), text(entry.consumer), entry.delivery_time, entry.delivery_count]
                    for entry in pending_entries(group)
                ],
                "consumers": [
                    [text(consumer), times.seen_time, times.active_time]
                    for consumer, times in sorted(group.consumers.items())
                ],
            }
            for name, group in sorted(stream.groups.items())
        ],
    }


def pending_entries(group: StreamGroup) -> list[PendingEntry]:
    """All pending entries of a group."""
    found = []
    cursor = PendingCursor(group, None, ZERO)
    while (entry := cursor.next()) is not None:
        found.append(entry)
    return found


def _id(stream_id: tuple[int, int]) -> str:
    return f"{stream_id[0]}-{stream_id[1]}"


def read_all(data: bytes) -> tuple[RdbReader, list[Entry]]:
    """A whole file, by our reader."""
    reader = RdbReader(io.BytesIO(data), len(data))
    reader.read_header()
    entries = []
    while reader.next_entry():
        kind, content = describe_value(reader.value)
        entry = {"db": int(reader.db), "key": text(reader.key), "type": kind, "value": content}
        if reader.expire_ms != -1:
            entry["expire_ms"] = int(reader.expire_ms)
        if reader.idle != -1:
            entry["idle"] = int(reader.idle)
        if reader.freq != -1:
            entry["freq"] = int(reader.freq)
        entries.append(entry)
    return reader, sorted(entries, key=_order)


def strings_file(count: int) -> bytes:
    """An RDB file of so many strings, ``key:0`` and on, without a checksum, of a dataset of 12,345 bytes."""
    keys = [b"key:%d" % i for i in range(count)]
    entries = b"".join(b"\x00%c%s\x05value" % (len(key), key) for key in keys)
    return b"REDIS0011\xfa\x08used-mem\x0512345\xfe\x00" + entries + b"\xff" + bytes(8)


def _order(entry: Entry) -> tuple[int, str]:
    return entry["db"], entry["key"]


def describe_server(connection: Connection, databases: int = 16, access: str = "") -> list[Entry]:
    """The keyspace of a server, by its commands; ``access`` is "idle" or "freq" where that is to be noted."""
    entries = []
    for db in range(databases):
        assert connection.call("SELECT", db) == b"+OK\r\n"
        for key in connection.value("KEYS", "*"):
            entry: Entry = {"db": db, "key": text(key)}
            if access:
                entry[access] = connection.value("OBJECT", "IDLETIME" if access == "idle" else "FREQ", key)
            kind = connection.value("TYPE", key)
            entry["type"] = kind if isinstance(kind, str) else kind.decode()
            entry["value"] = _content(connection, key, entry["type"])
            expiry = connection.value("PEXPIRETIME", key)
            if expiry != -1:
                entry["expire_ms"] = expiry
            entries.append(entry)
    return sorted(entries, key=_order)


def _content(connection: Connection, key: bytes, kind: str) -> Any:
    if kind == "string":
        return text(connection.value("GET", key))
    if kind == "list":
        return [text(item) for item in connection.value("LRANGE", key, 0, -1)]
    if kind == "set":
        return sorted(text(member) for member in connection.value("SMEMBERS", key))
    if kind == "hash":
        flat = connection.value("HGETALL", key)
        fields = flat[::2]
        expires = connection.value("HPEXPIRETIME", key, "FIELDS", len(fields), *fields)
        if not isinstance(expires, list):
            # A server without hash field expiry.
            expires = [-1] * len(fields)
        return sorted([text(f), text(v), when] for f, v, when in zip(fields, flat[1::2], expires, strict=True))
    if kind == "zset":
        flat = connection.value("ZRANGE", key, 0, -1, "WITHSCORES")
        return sorted([text(m), repr(float(s))] for m, s in zip(flat[::2], flat[1::2], strict=True))
    assert kind == "stream"
    return _server_stream(connection, key)


def _pairs(flat: list[Any]) -> dict[str, Any]:
    return {text(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _server_stream(connection: Connection, key: bytes) -> Entry:
    info = _pairs(connection.value("XINFO", "STREAM", key, "FULL", "COUNT", 0))
    groups = []
    for flat in info["groups"]:
        group = _pairs(flat)
        consumers = [_pairs(consumer) for consumer in group["consumers"]]
        groups.append(
            {
                "name": text(group["name"]),
                "last_id": text(group["last-delivered-id"]),
                "entries_read": -1 if group["entries-read"] is None else group["entries-read"],
                "pending": [
                    [text(i), text(owner), when, count]
                    for i, owner, when, count in (group["pel"] if "pel" in group else group["pending"])
                ],
                "consumers": sorted(
                    [text(c["name"]), c["seen-time"], c.get("active-time", c["seen-time"])] for c in consumers
                ),
            }
        )
    return {
        "entries": [[text(i), [text(field) for field in fields]] for i, fields in info["entries"]],
        "last_id": text(info["last-generated-id"]),
        "max_deleted_id": text(info["max-deleted-entry-id"]),
        "entries_added": info["entries-added"],
        "groups": sorted(groups, key=lambda group: str(group["name"])),
    }
