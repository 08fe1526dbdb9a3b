"""Values into RDB: the types that Redis 7.2 would choose, and those of Redis 7.4 and Valkey 9 for expiring fields.

Redis 7.2 has no form for hash fields that expire.  In a file that was begun as version 80, Valkey 9's form is written
(type 22, magic VALKEY).  Where the header already says 11, Redis 7.4's is (types 24 and 25): it means the same to
every reader that knows it, while a type 22 under the magic REDIS would be misread by Redis 7.4.
"""

from __future__ import annotations

from typing import NoReturn

from librt.strings import BytesWriter, write_i64_le
from mypy_extensions import i64

from durastore.keyspace.hashes import Hash
from durastore.keyspace.limits import Limits
from durastore.keyspace.lists import List
from durastore.keyspace.packed import pack
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import SortedSet
from durastore.keyspace.streams import Stream
from durastore.keyspace.values import RawString
from durastore.persistence.rdb import format as f
from durastore.persistence.rdb.chunks import save_table
from durastore.persistence.rdb.lists import save_list
from durastore.persistence.rdb.primitives import write_count, write_string
from durastore.persistence.rdb.sorted_sets import save_sorted_set
from durastore.persistence.rdb.streams import save_stream


def type_of(value: object, version: i64) -> i64:
    """The RDB type that a value is written as."""
    if isinstance(value, (bytes, RawString)):
        return f.TYPE_STRING
    if isinstance(value, Hash):
        return _hash_type(value, version)
    if isinstance(value, SortedSet):
        return f.TYPE_ZSET_LISTPACK if value.is_packed() else f.TYPE_ZSET_2
    if isinstance(value, Set):
        return _set_type(value)
    if isinstance(value, List):
        return f.TYPE_LIST_QUICKLIST_2
    if isinstance(value, Stream):
        return f.TYPE_STREAM_3
    _not_a_value(value)


def _not_a_value(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} is not a value type")


def _set_type(value: Set) -> i64:
    if value.table is not None:
        return f.TYPE_SET
    return f.TYPE_SET_INTSET if value.integers else f.TYPE_SET_LISTPACK


def _hash_type(value: Hash, version: i64) -> i64:
    small = value.table is None
    if not value.expiring():
        return f.TYPE_HASH_LISTPACK if small else f.TYPE_HASH
    if version >= f.VALKEY_VERSION:
        return f.TYPE_VALKEY_HASH_2
    return f.TYPE_HASH_LISTPACK_EX if small else f.TYPE_HASH_METADATA


def save_value(out: BytesWriter, kind: i64, value: object, limits: Limits, compress: bool) -> None:
    """Writes the body of a value as this type."""
    if isinstance(value, bytes):
        write_string(out, value, compress)
    elif isinstance(value, RawString):
        write_string(out, bytes(value.data), compress)
    elif isinstance(value, Hash):
        if value.table is not None:
            save_table(out, kind, value.table, compress)
        else:
            _save_hash(out, kind, value, compress)
    elif isinstance(value, SortedSet):
        save_sorted_set(out, value, compress)
    elif isinstance(value, Set):
        if value.table is not None:
            save_table(out, kind, value.table, compress)
        else:
            write_string(out, value.packed, compress)
    elif isinstance(value, List):
        save_list(out, value, limits, compress)
    elif isinstance(value, Stream):
        save_stream(out, value, compress)
    else:
        _not_a_value(value)


def _save_hash(out: BytesWriter, kind: i64, value: Hash, compress: bool) -> None:
    """A small hash."""
    if kind == f.TYPE_HASH_LISTPACK:
        # Where no expiry is left, they are left out.
        write_string(out, pack(value.flat()) if value.timed else value.packed, compress)
        return
    if kind == f.TYPE_HASH_LISTPACK_EX:
        write_i64_le(out, value.next_expiry())
        write_string(out, value.packed, compress)
        return
    expires = value.expiries()
    write_count(out, value.size())
    for field, text in zip(value.fields(), value.values(), strict=True):
        write_string(out, field, compress)
        write_string(out, text, compress)
        write_i64_le(out, expires.get(field, -1))
