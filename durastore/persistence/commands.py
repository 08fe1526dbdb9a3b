"""The keyspace as the commands that rebuild it: a base of the log with ``aof-use-rdb-preamble no``."""

from __future__ import annotations

from typing import final

from librt.strings import BytesWriter
from mypy_extensions import i64

from durastore.keyspace.values import RawString
from durastore.persistence.rdb import dump_value
from durastore.persistence.serializer import Serializer
from durastore.protocol.parser import encode_request


@final
class CommandSerializer(Serializer):
    """Strings become SET, with PXAT where they expire; every other type becomes RESTORE with an absolute expiry."""

    def __init__(self) -> None:
        super().__init__()
        self._out = BytesWriter()

    def begin(self, aux: list[tuple[bytes, bytes]]) -> None:
        """Nothing: a log of commands has no head."""

    def function(self, code: bytes) -> None:
        """A function library."""
        self._add([b"FUNCTION", b"LOAD", code])

    def select(self, db: int, keys: int, expires: int) -> None:
        """The entries that follow are of this database."""
        self._add([b"SELECT", b"%d" % db])

    def entry(self, key: bytes, value: object, expire_ms: i64) -> None:
        """A key, its value, and its expiry (Unix milliseconds, -1: none)."""
        if isinstance(value, RawString):
            value = bytes(value.data)
        if isinstance(value, bytes):
            request = [b"SET", key, value]
            if expire_ms != -1:
                request.append(b"PXAT")
                request.append(b"%d" % expire_ms)
            self._add(request)
        else:
            ttl = b"%d" % expire_ms if expire_ms != -1 else b"0"
            self._add([b"RESTORE", key, ttl, dump_value(value), b"ABSTTL"])

    def end(self) -> None:
        """Nothing: a log of commands has no foot."""

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
