"""The elements of containers in RDB files: so many of them at the cursor, whatever holds them."""

from __future__ import annotations

import math
import re
from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i64

from durastore.keyspace.list_nodes import NODE_BYTES, Node, nodes_of
from durastore.keyspace.listpack import HEADER, decode, is_canonical
from durastore.persistence.rdb import format as f
from durastore.persistence.rdb.cursor import Cursor
from durastore.persistence.rdb.legacy import decode_ziplist

_NUMBER: Final = re.compile(rb"[ \t]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_INFINITY: Final = re.compile(rb"[+-]?inf(?:inity)?\Z", re.IGNORECASE)


def read_strings(cursor: Cursor, count: i64) -> list[bytes]:
    """Members of a set, or elements of a list."""
    found: list[bytes] = []
    while count > 0:
        found.append(cursor.string())
        count -= 1
    return found


# Hashes


# Where the expiries of a hash's fields stand: nowhere, behind each value, before each field.
NO_EXPIRIES: Final = 0
EXPIRIES_BEHIND: Final = 1
EXPIRIES_BEFORE: Final = 2


def lowest_expiry(cursor: Cursor) -> int:
    """What the expiries of a hash count from, which stands before its size in TYPE_HASH_METADATA."""
    lowest = int(cursor.int64())
    if lowest < 0:
        cursor.fail("impossible expiry of a hash field")
    return lowest


def read_fields(cursor: Cursor, form: i64, lowest: int, count: i64, expires: dict[bytes, int]) -> dict[bytes, bytes]:
    """Fields with their values; adds the expiries (Unix milliseconds) of those that have one.

    Behind the value they have eight bytes (-1: none).  Before the field they are relative to the lowest plus one (0:
    none), or, with 1 for the lowest, times.
    """
    fields: dict[bytes, bytes] = {}
    remaining: i64 = count
    if form == NO_EXPIRIES:
        while remaining > 0:
            field = cursor.string()
            fields[field] = cursor.string()
            remaining -= 1
    elif form == EXPIRIES_BEHIND:
        while remaining > 0:
            remaining -= 1
            field = cursor.string()
            fields[field] = cursor.string()
            when = cursor.int64()
            if when < -1:
                cursor.fail("impossible expiry of a hash field")
            if when != -1:
                # Nothing can expire at 0, which stands for no expiry in memory.
                expires[field] = max(int(when), 1)
    else:
        while remaining > 0:
            remaining -= 1
            relative = cursor.unsigned()
            field = cursor.string()
            fields[field] = cursor.string()
            if relative:
                expires[field] = expiry(cursor, relative + lowest - 1)
    if len(fields) != count:
        cursor.fail("duplicate fields in a hash")
    return fields


def expiry(cursor: Cursor, when: int) -> int:
    """A time when a field expires, which has been checked."""
    if when >= 1 << 63:
        cursor.fail("impossible expiry of a hash field")
    return when


# Sorted sets


def read_scores(cursor: Cursor, kind: i64, count: i64, members: list[bytes]) -> vec[float]:
    """Appends members, and returns their scores."""
    scores = vec[float]()
    while count > 0:
        count -= 1
        members.append(cursor.string())
        score = cursor.double() if kind == f.TYPE_ZSET_2 else _text_score(cursor)
        if math.isnan(score):
            cursor.fail("score that is not a number")
        scores = append(scores, score)
    return scores


def _text_score(cursor: Cursor) -> float:
    """A double of RDB versions before 8: a length and that much text, or 253 (NaN), 254 (inf), 255 (-inf)."""
    size = cursor.byte()
    if size == 255:
        return -math.inf
    if size == 254:
        return math.inf
    if size == 253:
        return math.nan
    return parsed_score(cursor, cursor.take(size))


def parsed_score(cursor: Cursor, text: bytes) -> float:
    """A score that stands as text."""
    if _NUMBER.match(text) is None and _INFINITY.match(text) is None:
        cursor.fail("score that is not a number")
    return float(text)


# Lists


def read_nodes(cursor: Cursor, kind: i64, count: i64) -> list[Node]:
    """The nodes of a quicklist."""
    nodes: list[Node] = []
    while count > 0:
        count -= 1
        container: i64 = f.NODE_PACKED
        if kind == f.TYPE_LIST_QUICKLIST_2:
            container = cursor.count()
        if container == f.NODE_PLAIN:
            nodes.append(Node(cursor.string(), 1, True))
            continue
        if container != f.NODE_PACKED:
            cursor.fail(f"unknown kind of quicklist node {container}")
        if kind == f.TYPE_LIST_QUICKLIST:
            offset = cursor.offset()
            nodes.extend(nodes_of(decode_ziplist(cursor.string(), offset)))
        else:
            nodes.extend(_listpack_nodes(cursor))
    return nodes


def _listpack_nodes(cursor: Cursor) -> list[Node]:
    """The nodes that a listpack makes: one, unless it is far larger than any limit allows."""
    blob, count = cursor.listpack_blob()
    if len(blob) > NODE_BYTES or not is_canonical(blob):
        return nodes_of(decode(blob, 0))
    return [Node(blob[HEADER:-1], count, False)] if count else []
