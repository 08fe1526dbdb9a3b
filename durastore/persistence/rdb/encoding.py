"""Values into RDB: the types that Redis 7.2 would choose, and those of Redis 7.4 and Valkey 9 for expiring fields.

Redis 7.2 has no form for hash fields that expire.  In a file that was begun as version 80, Valkey 9's form is written
(type 22, magic VALKEY).  Where the header already says 11, Redis 7.4's is (types 24 and 25): it means the same to
every reader that knows it, while a type 22 under the magic REDIS would be misread by Redis 7.4.
"""

from __future__ import annotations

from typing import Final, NoReturn

from librt.strings import BytesWriter, write_f64_le, write_i64_le
from mypy_extensions import i64

from durastore.keyspace.hashes import Hash
from durastore.keyspace.limits import Limits
from durastore.keyspace.listpack import NOT_INTEGER, ListpackWriter, integer_of
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import SortedSet
from durastore.keyspace.streams import Stream
from durastore.keyspace.values import RawString
from durastore.persistence.rdb import format as f
from durastore.persistence.rdb.legacy import encode_intset
from durastore.persistence.rdb.primitives import write_count, write_string, write_unsigned
from durastore.persistence.rdb.streams import save_stream
from durastore.protocol.numbers import format_double

# What Redis reckons with for the frame of an element when it looks whether a list node is full.
_NODE_OVERHEAD: Final = 8
# The largest node where the limit is given in elements.
_NODE_BYTES: Final = 8192


def type_of(value: object, limits: Limits, version: i64) -> i64:
    """The RDB type that a value is written as."""
    if isinstance(value, (bytes, RawString)):
        return f.TYPE_STRING
    if isinstance(value, Hash):
        return _hash_type(value, limits, version)
    if isinstance(value, SortedSet):
        short = len(value.scores) <= limits.zset_entries and _short(list(value.scores), limits.zset_value)
        return f.TYPE_ZSET_LISTPACK if short else f.TYPE_ZSET_2
    if isinstance(value, Set):
        return _set_type(value, limits)
    if isinstance(value, List):
        return f.TYPE_LIST_QUICKLIST_2
    if isinstance(value, Stream):
        return f.TYPE_STREAM_3
    _not_a_value(value)


def _not_a_value(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} is not a value type")


def _short(texts: list[bytes], longest: i64) -> bool:
    return all(len(text) <= longest for text in texts)


def _set_type(value: Set, limits: Limits) -> i64:
    size: i64 = len(value.members)
    if size <= limits.set_intset:
        integers = True
        for member in value.members:
            if integer_of(member, 20) == NOT_INTEGER:
                integers = False
                break
        if integers:
            return f.TYPE_SET_INTSET
    if size <= limits.set_entries and _short(list(value.members), limits.set_value):
        return f.TYPE_SET_LISTPACK
    return f.TYPE_SET


def _hash_type(value: Hash, limits: Limits, version: i64) -> i64:
    size: i64 = len(value.fields)
    short = (
        size <= limits.hash_entries
        and _short(list(value.fields), limits.hash_value)
        and _short(list(value.fields.values()), limits.hash_value)
    )
    if not value.expires:
        return f.TYPE_HASH_LISTPACK if short else f.TYPE_HASH
    if version >= f.VALKEY_VERSION:
        return f.TYPE_VALKEY_HASH_2
    return f.TYPE_HASH_LISTPACK_EX if short else f.TYPE_HASH_METADATA


def save_value(out: BytesWriter, kind: i64, value: object, limits: Limits, compress: bool) -> None:
    """Writes the body of a value as this type."""
    if isinstance(value, bytes):
        write_string(out, value, compress)
    elif isinstance(value, RawString):
        write_string(out, bytes(value.data), compress)
    elif isinstance(value, Hash):
        _save_hash(out, kind, value, compress)
    elif isinstance(value, SortedSet):
        _save_zset(out, kind, value, compress)
    elif isinstance(value, Set):
        _save_set(out, kind, value, compress)
    elif isinstance(value, List):
        _save_list(out, value, limits, compress)
    elif isinstance(value, Stream):
        save_stream(out, value, compress)
    else:
        _not_a_value(value)


def _save_set(out: BytesWriter, kind: i64, value: Set, compress: bool) -> None:
    if kind == f.TYPE_SET_INTSET:
        write_string(out, encode_intset([int(member) for member in value.members]), compress)
        return
    if kind == f.TYPE_SET_LISTPACK:
        row = ListpackWriter()
        for member in value.members:
            row.string(member)
        write_string(out, row.finish(), compress)
        return
    write_count(out, len(value.members))
    for member in value.members:
        write_string(out, member, compress)


def _save_hash(out: BytesWriter, kind: i64, value: Hash, compress: bool) -> None:
    expires = value.expires
    if kind == f.TYPE_HASH_LISTPACK:
        row = ListpackWriter()
        for field, text in value.fields.items():
            row.string(field)
            row.string(text)
        write_string(out, row.finish(), compress)
    elif kind == f.TYPE_HASH:
        write_count(out, len(value.fields))
        for field, text in value.fields.items():
            write_string(out, field, compress)
            write_string(out, text, compress)
    elif kind == f.TYPE_VALKEY_HASH_2:
        write_count(out, len(value.fields))
        for field, text in value.fields.items():
            write_string(out, field, compress)
            write_string(out, text, compress)
            write_i64_le(out, expires.get(field, -1))
    elif kind == f.TYPE_HASH_LISTPACK_EX:
        write_i64_le(out, min(expires.values()))
        row = ListpackWriter()
        # Redis keeps these listpacks in the order of expiry, the fields without one last.
        for field in sorted(expires, key=expires.__getitem__):
            row.string(field)
            row.string(value.fields[field])
            row.integer(expires[field])
        for field, text in value.fields.items():
            if field not in expires:
                row.string(field)
                row.string(text)
                row.integer(0)
        write_string(out, row.finish(), compress)
    else:
        lowest = min(expires.values())
        write_i64_le(out, lowest)
        write_count(out, len(value.fields))
        for field, text in value.fields.items():
            when = expires.get(field)
            write_unsigned(out, 0 if when is None else when - lowest + 1)
            write_string(out, field, compress)
            write_string(out, text, compress)


def _save_zset(out: BytesWriter, kind: i64, value: SortedSet, compress: bool) -> None:
    scores = value.scores
    if kind == f.TYPE_ZSET_LISTPACK:
        row = ListpackWriter()
        for score, member in sorted([(score, member) for member, score in scores.items()]):
            row.string(member)
            row.string(format_double(score))
        write_string(out, row.finish(), compress)
        return
    write_count(out, len(scores))
    for member, score in scores.items():
        write_string(out, member, compress)
        write_f64_le(out, score)


def _save_list(out: BytesWriter, value: List, limits: Limits, compress: bool) -> None:
    most_bytes: i64 = _NODE_BYTES
    most_items: i64 = limits.list_size
    if most_items < 0:
        most_bytes = 2048 << (-most_items if most_items > -5 else 5)
        most_items = 65535
    nodes = BytesWriter()
    count: i64 = 0
    row = ListpackWriter()
    held: i64 = 0
    for item in value.items:
        size: i64 = len(item)
        large = size + _NODE_OVERHEAD > most_bytes
        if held and (large or held >= most_items or row.size() + size + _NODE_OVERHEAD > most_bytes):
            write_count(nodes, f.NODE_PACKED)
            write_string(nodes, row.finish(), compress)
            row = ListpackWriter()
            held = 0
            count += 1
        if large:
            write_count(nodes, f.NODE_PLAIN)
            write_string(nodes, item, compress)
            count += 1
        else:
            row.string(item)
            held += 1
    if held:
        write_count(nodes, f.NODE_PACKED)
        write_string(nodes, row.finish(), compress)
        count += 1
    write_count(out, count)
    out.write(nodes.getvalue())
