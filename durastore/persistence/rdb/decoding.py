"""Values out of RDB: every type of RDB versions 1 to 12, and Valkey's of version 80.

A value without elements is no value: ``load_value`` returns None for it, as Redis skips such keys in files and refuses
them in RESTORE.
"""

from __future__ import annotations

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i64

from durastore.keyspace.hashes import Hash, build_hash
from durastore.keyspace.list_nodes import nodes_of
from durastore.keyspace.lists import list_of_nodes
from durastore.keyspace.packed import pack
from durastore.keyspace.sets import Set, build_set
from durastore.keyspace.sorted_sets import DuplicateMember, SortedSet, build_sorted_set
from durastore.persistence.rdb import format as f
from durastore.persistence.rdb.arriving import (
    LARGE,
    NODES,
    Arriving,
    arriving_hash,
    arriving_list,
    arriving_quicklist,
    arriving_set,
    arriving_zset,
    begun,
)
from durastore.persistence.rdb.cursor import Cursor
from durastore.persistence.rdb.elements import (
    EXPIRIES_BEFORE,
    EXPIRIES_BEHIND,
    NO_EXPIRIES,
    expiry,
    lowest_expiry,
    parsed_score,
    read_fields,
    read_nodes,
    read_scores,
    read_strings,
)
from durastore.persistence.rdb.legacy import check_intset, decode_ziplist, decode_zipmap
from durastore.persistence.rdb.streams import arriving_stream

# A moment in milliseconds has no more digits than this.
_DIGITS: Final = 19
_MODULE_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def load_value(cursor: Cursor, kind: i64, version: i64) -> object | None:
    """The value of this type at the cursor; None where it has no elements.  Raises RdbError; see ``begin_value``."""
    value = begin_value(cursor, kind, version)
    return value.complete() if isinstance(value, Arriving) else value


def begin_value(cursor: Cursor, kind: i64, version: i64) -> object | None:
    """As ``load_value``, but a large value may be ``Arriving``: until it is here, the cursor is for nothing else.

    Raises RdbError for damage, and for types that the version (of the file or the payload) does not have.
    """
    if kind == f.TYPE_STRING:
        return cursor.string()
    if kind == f.TYPE_LIST_QUICKLIST_2 or kind == f.TYPE_LIST_QUICKLIST:
        return _quicklist(cursor, kind)
    if kind == f.TYPE_HASH_LISTPACK or kind == f.TYPE_HASH_ZIPLIST or kind == f.TYPE_HASH_ZIPMAP:
        return _compact_hash(cursor, kind)
    if kind == f.TYPE_HASH:
        return _hash(cursor, NO_EXPIRIES, 1)
    if kind == f.TYPE_SET:
        return _set(cursor)
    if kind == f.TYPE_SET_LISTPACK or kind == f.TYPE_SET_INTSET:
        return _compact_set(cursor, kind)
    if kind == f.TYPE_ZSET_2 or kind == f.TYPE_ZSET:
        return _zset(cursor, kind)
    if kind == f.TYPE_ZSET_LISTPACK or kind == f.TYPE_ZSET_ZIPLIST:
        return _compact_zset(cursor, kind)
    if kind == f.TYPE_LIST:
        count = cursor.count()
        return begun(arriving_list(cursor, count)) if count else None
    if kind == f.TYPE_LIST_ZIPLIST:
        offset = cursor.offset()
        items = decode_ziplist(cursor.string(), offset)
        return list_of_nodes(nodes_of(items), cursor.limits.list_size) if items else None
    if kind == f.TYPE_STREAM or kind == f.TYPE_STREAM_2 or kind == f.TYPE_STREAM_3:
        return begun(arriving_stream(cursor, kind))
    if version >= f.VALKEY_VERSION:
        if kind == f.TYPE_VALKEY_HASH_2:
            return _hash(cursor, EXPIRIES_BEHIND, 1)
    elif kind == f.TYPE_HASH_METADATA:
        return _hash(cursor, EXPIRIES_BEFORE, lowest_expiry(cursor))
    elif kind == f.TYPE_HASH_METADATA_PRE_GA and version > f.RDB_VERSION:
        return _hash(cursor, EXPIRIES_BEFORE, 1)
    elif kind == f.TYPE_HASH_LISTPACK_EX or (kind == f.TYPE_HASH_LISTPACK_EX_PRE_GA and version > f.RDB_VERSION):
        return _listpack_ex(cursor, kind)
    if kind == f.TYPE_MODULE_2:
        cursor.fail(f"value of the module type '{module_name(cursor.unsigned())}', which is not supported")
    if kind == f.TYPE_MODULE_PRE_GA:
        cursor.fail("value of a module type of a Redis 4 release candidate, which is not supported")
    cursor.fail(f"unknown value type {kind} in RDB version {version}")


def module_name(identity: int) -> str:
    """The name of a module type: nine letters of six bits above ten bits of version."""
    return "".join(_MODULE_LETTERS[(identity >> shift) & 63] for shift in range(58, 4, -6))


def _blob(cursor: Cursor, kind: i64) -> list[bytes]:
    """The elements of a compact encoding."""
    if kind not in (f.TYPE_HASH_ZIPLIST, f.TYPE_ZSET_ZIPLIST, f.TYPE_HASH_ZIPMAP):
        return cursor.listpack()
    offset = cursor.offset()
    blob = cursor.string()
    if kind == f.TYPE_HASH_ZIPMAP:
        return decode_zipmap(blob, offset)
    return decode_ziplist(blob, offset)


def _quicklist(cursor: Cursor, kind: i64) -> object | None:
    count = cursor.count()
    if count > NODES:
        return begun(arriving_quicklist(cursor, kind, count))
    nodes = read_nodes(cursor, kind, count)
    return list_of_nodes(nodes, cursor.limits.list_size) if nodes else None


def _set(cursor: Cursor) -> object | None:
    count = cursor.count()
    if count > LARGE and count > cursor.limits.set_intset:
        return begun(arriving_set(cursor, count))
    return _distinct(cursor, read_strings(cursor, count))


def _distinct(cursor: Cursor, members: list[bytes]) -> Set | None:
    made = build_set(members, cursor.limits)
    if made.size() != len(members):
        cursor.fail("duplicate members in a set")
    return made if members else None


def _compact_set(cursor: Cursor, kind: i64) -> Set | None:
    if kind == f.TYPE_SET_INTSET:
        offset = cursor.offset()
        blob = cursor.string()
        check_intset(blob, offset)
        made = Set()
        made.packed = blob
        made.integers = True
        if made.size() > cursor.limits.set_intset:
            made.spread()
        return made if made.size() else None
    members = _blob(cursor, kind)
    if len(members) > cursor.limits.set_entries:
        return _distinct(cursor, members)
    if len(dict.fromkeys(members)) != len(members):
        cursor.fail("duplicate members in a set")
    made = Set()
    made.packed = pack(members)
    return made if members else None


def _hash(cursor: Cursor, form: i64, lowest: int) -> object | None:
    count = cursor.count()
    if count > LARGE and count > cursor.limits.hash_entries:
        return begun(arriving_hash(cursor, form, lowest, count))
    expires: dict[bytes, int] = {}
    fields = read_fields(cursor, form, lowest, count, expires)
    return build_hash(fields, expires, cursor.limits) if fields else None


def _compact_hash(cursor: Cursor, kind: i64) -> Hash | None:
    items = _blob(cursor, kind)
    size: i64 = len(items)
    if size & 1:
        cursor.fail("hash with a field that has no value")
    fields: dict[bytes, bytes] = {}
    i: i64 = 0
    while i < size:
        fields[items[i]] = items[i + 1]
        i += 2
    if len(fields) * 2 != size:
        cursor.fail("duplicate fields in a hash")
    return build_hash(fields, None, cursor.limits) if fields else None


def _listpack_ex(cursor: Cursor, kind: i64) -> Hash | None:
    """A listpack of field, value and expiry (a time; 0: none), with the smallest expiry before it from 7.4.0 on."""
    if kind == f.TYPE_HASH_LISTPACK_EX:
        cursor.int64()
    items = _blob(cursor, kind)
    if len(items) % 3:
        cursor.fail("hash with a field that has no value or expiry")
    fields: dict[bytes, bytes] = {}
    expires: dict[bytes, int] = {}
    for i in range(0, len(items), 3):
        field = items[i]
        fields[field] = items[i + 1]
        digits = items[i + 2]
        if not digits.isdigit() or len(digits) > _DIGITS:
            cursor.fail("impossible expiry of a hash field")
        when = int(digits)
        if when:
            expires[field] = expiry(cursor, when)
    if len(fields) * 3 != len(items):
        cursor.fail("duplicate fields in a hash")
    return build_hash(fields, expires, cursor.limits) if fields else None


def _zset(cursor: Cursor, kind: i64) -> object | None:
    count = cursor.count()
    if count > LARGE and count > cursor.limits.zset_entries:
        return begun(arriving_zset(cursor, kind, count))
    members: list[bytes] = []
    scores = read_scores(cursor, kind, count, members)
    return _sorted_set(cursor, members, scores, False)


def _sorted_set(cursor: Cursor, members: list[bytes], scores: vec[float], any_length: bool) -> SortedSet | None:
    if not members:
        return None
    try:
        return build_sorted_set(members, scores, cursor.limits, any_length)
    except DuplicateMember:
        cursor.fail("duplicate members in a sorted set")


def _compact_zset(cursor: Cursor, kind: i64) -> SortedSet | None:
    items = _blob(cursor, kind)
    size: i64 = len(items)
    if size & 1:
        cursor.fail("sorted set with a member that has no score")
    members: list[bytes] = []
    scores = vec[float]()
    i: i64 = 0
    while i < size:
        members.append(items[i])
        scores = append(scores, parsed_score(cursor, items[i + 1]))
        i += 2
    return _sorted_set(cursor, members, scores, True)
