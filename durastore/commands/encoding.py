"""The names that Redis gives the internal forms of values (OBJECT ENCODING)."""

from __future__ import annotations

from typing import Final

from durastore.keyspace.hashes import Hash
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import SortedSet
from durastore.keyspace.streams import Stream
from durastore.keyspace.values import RawString
from durastore.protocol.numbers import is_int

_EMBSTR_LIMIT: Final = 44


def encoding_of(value: object) -> bytes:
    """The encoding that Redis would use for a value."""
    if isinstance(value, bytes):
        if is_int(value):
            return b"int"
        return b"embstr" if len(value) <= _EMBSTR_LIMIT else b"raw"
    if isinstance(value, RawString):
        return b"raw"
    if isinstance(value, List):
        return b"quicklist" if value.quicklist else b"listpack"
    if isinstance(value, Set):
        if value.table is not None:
            return b"hashtable"
        return b"intset" if value.integers else b"listpack"
    if isinstance(value, Hash):
        if value.table is not None:
            return b"hashtable"
        return b"listpackex" if value.timed else b"listpack"
    if isinstance(value, SortedSet):
        return b"listpack" if value.is_packed() else b"skiplist"
    assert isinstance(value, Stream)
    return b"stream"
