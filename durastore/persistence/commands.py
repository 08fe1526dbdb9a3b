"""The keyspace as the commands that rebuild it: a base of the log with ``aof-use-rdb-preamble no``."""

from __future__ import annotations

from typing import final

from librt.strings import BytesWriter
from mypy_extensions import i64

from durastore.keyspace.chunked import Chunk
from durastore.keyspace.hashes import Hash
from durastore.keyspace.list_nodes import Node
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set
from durastore.keyspace.values import RawString
from durastore.persistence.rdb import dump_value
from durastore.persistence.rdb.chunks import table_of
from durastore.persistence.rdb.lists import is_long
from durastore.persistence.serializer import Serializer
from durastore.protocol.parser import encode_request


@final
class CommandSerializer(Serializer):
    """Strings become SET, with PXAT where they expire; small values become RESTORE with an absolute expiry.

    Large lists, hashes and sets become a command for each node or chunk of elements.  Hashes with fields that expire
    become commands as well: no payload of theirs is understood by both Redis and Valkey.
    """

    def __init__(self) -> None:
        super().__init__()
        self._out = BytesWriter()
        # What is unfinished: the key, its expiry and value, and the chunks or nodes that are not written yet.
        self._key = b""
        self._expire_ms: i64 = -1
        self._value: object = b""
        self._chunks: list[Chunk] = []
        self._nodes: list[Node] = []

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
        if isinstance(value, RawString):
            value = bytes(value.data)
        table = table_of(value)
        if isinstance(value, bytes):
            request = [b"SET", key, value]
            if expire_ms != -1:
                request.append(b"PXAT")
                request.append(b"%d" % expire_ms)
            self._add(request)
        elif table is not None:
            self._key = key
            self._expire_ms = expire_ms
            self._value = value
            self._chunks = table.chunks()
            self.unfinished = True
        elif isinstance(value, List) and is_long(value):
            self._key = key
            self._expire_ms = expire_ms
            self._nodes = value.packed_nodes()[::-1]
            self.unfinished = True
        elif isinstance(value, Hash) and value.expiring():
            self._add([b"HSET", key, *value.flat()])
            self._expire_fields(key, value.expiries())
            self._expire(key, expire_ms)
        else:
            ttl = b"%d" % expire_ms if expire_ms != -1 else b"0"
            self._add([b"RESTORE", key, ttl, dump_value(value), b"ABSTTL"])

    def more(self) -> None:
        """The next chunk, or node, of an unfinished entry."""
        if self._nodes:
            items: list[bytes] = []
            node = self._nodes.pop()
            node.collect(0, node.count, items)
            self._add([b"RPUSH", self._key, *items])
            return
        if not self._chunks:
            self._expire(self._key, self._expire_ms)
            self.unfinished = False
            return
        chunk = self._chunks.pop()
        if not chunk.items:
            return
        if isinstance(self._value, Set):
            self._add([b"SADD", self._key, *chunk.items])
            return
        request = [b"HSET", self._key]
        for field, value in chunk.items.items():
            assert isinstance(value, bytes)
            request.append(field)
            request.append(value)
        self._add(request)
        if chunk.expires:
            self._expire_fields(self._key, chunk.expires)

    def _complete(self) -> None:
        while self.unfinished:
            self.more()

    def _expire_fields(self, key: bytes, expiries: dict[bytes, int]) -> None:
        fields: dict[int, list[bytes]] = {}
        for field, when in expiries.items():
            fields.setdefault(when, []).append(field)
        for when, alike in fields.items():
            self._add([b"HPEXPIREAT", key, b"%d" % when, b"FIELDS", b"%d" % len(alike), *alike])

    def _expire(self, key: bytes, when: i64) -> None:
        if when != -1:
            self._add([b"PEXPIREAT", key, b"%d" % when])

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
