"""Writes RDB files."""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter, write_i64_le
from mypy_extensions import i64, u8

from durastore.keyspace.chunks import signed64
from durastore.keyspace.limits import Limits
from durastore.keyspace.lists import List
from durastore.keyspace.sorted_sets import SortedSet
from durastore.keyspace.streams import Stream
from durastore.keyspace.values import RawString, Value
from durastore.persistence.checksum import crc64_redis
from durastore.persistence.rdb import format as f
from durastore.persistence.rdb.chunks import PARTS_FROM, TableParts
from durastore.persistence.rdb.encoding import save_value, type_of
from durastore.persistence.rdb.lists import ListParts, is_long
from durastore.persistence.rdb.parts import Parts
from durastore.persistence.rdb.primitives import write_count, write_string, write_unsigned
from durastore.persistence.rdb.sorted_sets import SORTED_SET_PARTS_FROM, SortedSetParts
from durastore.persistence.rdb.streams import STREAM_PARTS_FROM, StreamParts
from durastore.persistence.rdb.strings import STRING_PART, StringParts
from durastore.persistence.serializer import Serializer

# Keys of these lengths are stored as they are: too long for an integer, too short for LZF.
_PLAIN_FROM: Final = 12
_PLAIN_TO: Final = 20


@final
class RdbWriter(Serializer):
    """Serialises a keyspace; what has accumulated is handed over by ``take``.

    ``compress``: strings of more than 20 bytes may be stored as LZF.  ``checksum``: the file ends in its CRC64,
    otherwise in zero, which readers do not check.  ``version`` is 11, or 80 for data with hash fields that expire.
    """

    def __init__(
        self, compress: bool, checksum: bool, version: int = f.RDB_VERSION, limits: Limits | None = None
    ) -> None:
        super().__init__()
        self._compress = compress
        self._checksum = checksum
        self._version: i64 = version
        self._limits = Limits() if limits is None else limits
        self._out = BytesWriter()
        self._crc = 0
        self._ended = False
        self._parts: Parts | None = None
        # See ``access``.
        self._idle: i64 = -1
        self._frequency: i64 = -1

    def begin(self, aux: list[tuple[bytes, bytes]]) -> None:
        """The magic with the version, and auxiliary fields."""
        out = self._out
        if self._version >= f.VALKEY_VERSION:
            out.write(b"VALKEY%03d" % self._version)
        else:
            out.write(b"REDIS%04d" % self._version)
        for name, text in aux:
            out.append(f.OPCODE_AUX)
            write_string(out, name, self._compress)
            write_string(out, text, self._compress)

    def function(self, code: bytes) -> None:
        """A function library, by its source code."""
        self._out.append(f.OPCODE_FUNCTION2)
        write_string(self._out, code, self._compress)

    def select(self, db: int, keys: int, expires: int) -> None:
        """The entries that follow are of this database, which has so many keys, so many of them with an expiry."""
        self._complete()
        out = self._out
        out.append(f.OPCODE_SELECTDB)
        write_count(out, db)
        out.append(f.OPCODE_RESIZEDB)
        write_count(out, keys)
        write_count(out, expires)

    def entry(self, key: bytes, value: object, expire_ms: i64) -> None:
        """A key, its value, and its expiry (Unix milliseconds, -1: none)."""
        self._complete()
        out = self._out
        if expire_ms != -1:
            out.append(f.OPCODE_EXPIRETIME_MS)
            write_i64_le(out, expire_ms)
        if self._idle >= 0 or self._frequency >= 0:
            self._write_access()
        if isinstance(value, RawString) and len(value.data) > STRING_PART:
            self._begin_string(key, value.data)
            return
        if isinstance(value, bytes):
            if len(value) > STRING_PART:
                self._begin_string(key, value)
                return
            out.append(f.TYPE_STRING)
            size: i64 = len(key)
            if _PLAIN_FROM <= size <= _PLAIN_TO:
                out.append(u8(size))
                out.write(key)
            else:
                write_string(out, key, self._compress)
            size = len(value)
            if _PLAIN_FROM <= size <= _PLAIN_TO:
                out.append(u8(size))
                out.write(value)
            else:
                write_string(out, value, self._compress)
            return
        kind = type_of(value, self._version)
        out.append(u8(kind))
        write_string(out, key, self._compress)
        table = value.elements() if isinstance(value, Value) else None
        if table is not None and table.count > PARTS_FROM:
            self._parts = TableParts(out, kind, table, self._compress)
            self.unfinished = True
        elif isinstance(value, List) and is_long(value):
            self._parts = ListParts(out, value, self._limits, self._compress)
            self.unfinished = True
        elif isinstance(value, SortedSet) and value.count > SORTED_SET_PARTS_FROM and not value.is_packed():
            self._parts = SortedSetParts(out, value, self._compress)
            self.unfinished = True
        elif isinstance(value, Stream) and value.chunks() > STREAM_PARTS_FROM:
            self._parts = StreamParts(out, value, self._compress)
            self.unfinished = True
        else:
            save_value(out, kind, value, self._limits, self._compress)

    def _begin_string(self, key: bytes, text: bytes | bytearray) -> None:
        self._out.append(f.TYPE_STRING)
        write_string(self._out, key, self._compress)
        self._parts = StringParts(text, self._compress)
        self.unfinished = True

    def more(self) -> None:
        """Goes on with the last entry, while it is ``unfinished``."""
        parts = self._parts
        assert parts is not None
        if not parts.step(self._out):
            self._parts = None
            self.unfinished = False

    def _complete(self) -> None:
        while self.unfinished:
            self.more()

    def access(self, idle_seconds: int, frequency: int) -> None:
        """See Serializer."""
        self._idle = idle_seconds
        self._frequency = frequency

    def _write_access(self) -> None:
        out = self._out
        if self._idle >= 0:
            out.append(f.OPCODE_IDLE)
            write_unsigned(out, int(self._idle))
        if self._frequency >= 0:
            out.append(f.OPCODE_FREQ)
            out.append(u8(self._frequency & 255))
        self._idle = -1
        self._frequency = -1

    def end(self) -> None:
        """The end mark and the checksum."""
        self._complete()
        self._out.append(f.OPCODE_EOF)
        if self._checksum:
            self._crc = crc64_redis(self._out.getvalue(), self._crc)
        self._ended = True
        write_i64_le(self._out, signed64(self._crc))

    def pending(self) -> i64:
        """How many bytes ``take`` would return."""
        return len(self._out)

    def take(self) -> bytes:
        """What was serialised since the last call."""
        data = self._out.getvalue()
        self._out.truncate(0)
        if self._checksum and not self._ended:
            self._crc = crc64_redis(data, self._crc)
        return data
