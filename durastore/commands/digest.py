"""DEBUG DIGEST: a fingerprint of the dataset that equals Redis's for the same data."""

from __future__ import annotations

import hashlib
from typing import Final

from durastore.keyspace.database import Database
from durastore.keyspace.hashes import Hash
from durastore.keyspace.keyspace import Keyspace
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import Entries, SortedSet
from durastore.keyspace.streams import LAST, ZERO, EntryCursor, Stream
from durastore.keyspace.values import RawString
from durastore.protocol.numbers import format_digits

_ZERO: Final = bytes(20)


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _xor(digest: bytes, data: bytes) -> bytes:
    """Adds data regardless of the order in which such additions come."""
    mixed = int.from_bytes(digest, "big") ^ int.from_bytes(_sha1(data), "big")
    return mixed.to_bytes(20, "big")


def _mix(digest: bytes, data: bytes) -> bytes:
    """Adds data so that the order of additions counts."""
    return _sha1(_xor(digest, data))


def value_digest(digest: bytes, value: object, expires: bool) -> bytes:
    """Adds a value, and whether it expires, to a digest."""
    if isinstance(value, (bytes, RawString)):
        digest = _mix(digest, (0).to_bytes(4, "big"))
        digest = _mix(digest, value if isinstance(value, bytes) else bytes(value.data))
    elif isinstance(value, List):
        digest = _mix(digest, (1).to_bytes(4, "big"))
        for item in value.items():
            digest = _mix(digest, item)
    elif isinstance(value, Set):
        digest = _mix(digest, (2).to_bytes(4, "big"))
        for member in value.members():
            digest = _xor(digest, member)
    elif isinstance(value, SortedSet):
        digest = _mix(digest, (3).to_bytes(4, "big"))
        entries = Entries(value, 0, value.count, False)
        while entries.next():
            digest = _xor(digest, _mix(_mix(_ZERO, entries.member), format_digits(entries.score)))
    elif isinstance(value, Hash):
        digest = _mix(digest, (4).to_bytes(4, "big"))
        expiries = value.expiries()
        for field, content in zip(value.fields(), value.values(), strict=True):
            pair = _mix(_mix(_ZERO, field), content)
            digest = _xor(digest, _xor(pair, b"!!hexpire!!") if field in expiries else pair)
    else:
        assert isinstance(value, Stream)
        digest = _mix(digest, (6).to_bytes(4, "big"))
        cursor = EntryCursor(value, ZERO, LAST, False)
        while cursor.next():
            digest = _mix(digest, b"%d.%d" % cursor.id)
            for word in cursor.fields():
                digest = _mix(digest, word)
    return _xor(digest, b"!!expire!!") if expires else digest


def _database_digest(digest: bytes, db: Database) -> bytes:
    digest = _mix(digest, int(db.index).to_bytes(4, "big"))
    for segment in db.table.directory.distinct():
        for key, value in segment.items.items():
            digest = _xor(digest, value_digest(_mix(_ZERO, key), value, key in segment.expires))
    return digest


def dataset_digest(keyspace: Keyspace) -> bytes:
    """The digest of everything, in hexadecimal; zeros for an empty dataset."""
    digest = _ZERO
    for db in keyspace.databases:
        if db.table.count:
            digest = _database_digest(digest, db)
    return digest.hex().encode()
