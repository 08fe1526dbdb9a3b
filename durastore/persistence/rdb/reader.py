"""Reads RDB files, entry by entry."""

from __future__ import annotations

from typing import Final, NoReturn, final

from mypy_extensions import i64

from durastore.keyspace.limits import Limits
from durastore.persistence.rdb import format as f
from durastore.persistence.rdb.arriving import Arriving
from durastore.persistence.rdb.cursor import Cursor, Source
from durastore.persistence.rdb.decoding import begin_value, module_name

_HEADER: Final = 9
# Files of versions before 5 have no checksum.
_CHECKSUM_FROM: Final = 5
_CHECKSUM_SIZE: Final = 8
# A type, and the lengths of a key and a value.
_LEAST_ENTRY: Final = 3
# Numbers among the auxiliary fields have no more digits.
_AUX_DIGITS: Final = 19
# What ``advance`` has come to: the end of the file, an entry, or the middle of a large one.
END: Final = 0
ENTRY: Final = 1
MORE: Final = 2


@final
class RdbReader:
    """Reads from ``source``: ``read_header`` once, then ``next_entry`` until it returns False.

    Whoever must not be kept by a large value calls ``advance`` instead, until it returns END.

    ``size_hint`` is the size of the file in bytes, -1 where it is not known.  The checksum is verified at the end, so
    nothing that was read may be trusted before ``next_entry`` has returned False; ``verified`` then tells whether
    there was a checksum.  All methods raise ``RdbError`` for damage of any kind.

    ``limits`` says up to which size values get a compact encoding.

    Keys may come twice in a damaged file: whoever collects them notices.
    """

    def __init__(self, source: Source, size_hint: int, limits: Limits | None = None) -> None:
        self._cursor = Cursor(source, size_hint, b"", limits)
        self.version: i64 = 0
        self.aux: dict[bytes, bytes] = {}
        self.functions: list[bytes] = []
        # Of each database: how many keys and how many expiries the writer announced.
        self.resizedb: dict[int, tuple[int, int]] = {}
        # Keys of containers without elements, which are left out as Redis does.
        self.empty_keys: i64 = 0
        self.verified = False
        self.db: i64 = 0
        self.key = b""
        self.value: object = b""
        # Unix milliseconds; -1: none.
        self.expire_ms: i64 = -1
        # Seconds since the last use, and the counter of uses; -1: not said.
        self.idle: i64 = -1
        self.freq: i64 = -1
        # Where the entry begins.
        self.entry_offset: i64 = 0
        # The RDB type of the value (format.TYPE_...).
        self.kind: i64 = 0
        # The value, while there is more of it to read.
        self._arriving: Arriving | None = None

    @property
    def offset(self) -> int:
        """The position in the file, in bytes."""
        return int(self._cursor.offset())

    def announced_keys(self) -> i64:
        """How many keys the present database is to have, as far as the file can hold them; 0 where it does not say."""
        announced = self.resizedb.get(int(self.db))
        if announced is None:
            return 0
        most: i64 = self._cursor.bytes_left() // _LEAST_ENTRY
        keys: i64 = announced[0]
        return min(keys, most)

    def rest(self) -> bytes:
        """What was read from the source but does not belong to the RDB part; to be called at the end."""
        return self._cursor.rest()

    def aux_number(self, name: bytes) -> int:
        """An auxiliary field that is a number; 0 where it is not there, or is none."""
        text = self.aux.get(name, b"")
        return int(text) if text.isdigit() and len(text) <= _AUX_DIGITS else 0

    def read_header(self) -> None:
        """Reads the magic and the version: REDIS0001 to REDIS0012, VALKEY080."""
        cursor = self._cursor
        magic = cursor.take(_HEADER)
        if magic.startswith(b"REDIS"):
            digits = magic[5:]
            newest = f.REDIS_NEWEST
            oldest = 1
        elif magic.startswith(b"VALKEY"):
            digits = magic[6:]
            oldest = newest = f.VALKEY_VERSION
        else:
            raise f.RdbError(0, "not an RDB file: wrong magic")
        if not digits.isdigit():
            raise f.RdbError(0, "not an RDB file: wrong version")
        version = int(digits)
        if version < oldest or version > newest:
            raise f.RdbError(0, f"RDB version {magic.decode()} is not supported")
        self.version = version

    def next_entry(self) -> bool:
        """Goes on to the next entry; False at the end of the file."""
        come_to = self.advance()
        while come_to == MORE:
            come_to = self.advance()
        return come_to == ENTRY

    def advance(self) -> i64:
        """Goes on to the next entry, or by a part of a large one: END, ENTRY or MORE.

        Only at an ENTRY do ``key``, ``value`` and the rest belong together.
        """
        arriving = self._arriving
        if arriving is not None:
            if arriving.step():
                return MORE
            self._arriving = None
            if arriving.value is not None:
                self.value = arriving.value
                return ENTRY
            self.empty_keys += 1
        cursor = self._cursor
        self.expire_ms = -1
        self.idle = -1
        self.freq = -1
        self.entry_offset = cursor.base + cursor.pos
        while True:
            kind = cursor.byte()
            self.kind = kind
            if kind == f.TYPE_STRING:
                buf = cursor.buf
                size: i64 = len(buf)
                pos: i64 = cursor.pos
                # A short key and a short plain value that are buffered whole; all else takes the general path.
                if pos < size:
                    end: i64 = pos + 1 + buf[pos]
                    if buf[pos] < 64 and end < size and buf[end] < 64 and end + 1 + buf[end] <= size:
                        self.key = buf[pos + 1 : end]
                        pos = end + 1 + buf[end]
                        self.value = buf[end + 1 : pos]
                        cursor.pos = pos
                        return ENTRY
                self.key = cursor.string()
                self.value = cursor.string()
                return ENTRY
            if kind < f.OPCODE_SLOT_IMPORT:
                if self.version < _CHECKSUM_FROM and (kind > f.TYPE_HASH_ZIPLIST or kind == f.TYPE_ZSET_2):
                    self._unknown(kind)
                self.key = cursor.string()
                value = begin_value(cursor, kind, self.version)
                if isinstance(value, Arriving):
                    self._arriving = value
                    return MORE
                if value is not None:
                    self.value = value
                    return ENTRY
                self.empty_keys += 1
                self.expire_ms = -1
                self.idle = -1
                self.freq = -1
                self.entry_offset = cursor.base + cursor.pos
            elif kind == f.OPCODE_EXPIRETIME_MS:
                self.expire_ms = cursor.int64()
            elif kind == f.OPCODE_EOF:
                self._finish()
                return END
            elif kind == f.OPCODE_SELECTDB:
                self.db = cursor.number()
            elif kind == f.OPCODE_EXPIRETIME:
                self.expire_ms = cursor.int32() * 1000
            elif self.version < _CHECKSUM_FROM:
                self._unknown(kind)
            else:
                self._opcode(kind)

    def _unknown(self, kind: i64) -> NoReturn:
        """Without a checksum only this tells a damaged version number: what the version did not have is damage."""
        self._cursor.fail(f"RDB version {self.version} has no type {kind}")

    def _opcode(self, kind: i64) -> None:
        """The opcodes of RDB versions 7 and above."""
        cursor = self._cursor
        if kind == f.OPCODE_IDLE:
            self.idle = cursor.number()
        elif kind == f.OPCODE_FREQ:
            self.freq = cursor.byte()
        elif kind == f.OPCODE_AUX:
            name = cursor.string()
            self.aux[name] = cursor.string()
        elif kind == f.OPCODE_RESIZEDB:
            keys = int(cursor.number())
            self.resizedb[int(self.db)] = (keys, int(cursor.number()))
        elif kind == f.OPCODE_FUNCTION2:
            self.functions.append(cursor.string())
        elif kind == f.OPCODE_FUNCTION_PRE_GA:
            cursor.fail("function of a Redis 7 release candidate, which is not supported")
        elif kind == f.OPCODE_MODULE_AUX:
            name_of_module = module_name(cursor.unsigned())
            cursor.fail(f"data of the module type '{name_of_module}', which is not supported")
        elif kind == f.OPCODE_SLOT_INFO:
            # The slot, its keys, its expiries: hints for a cluster.
            cursor.unsigned()
            cursor.unsigned()
            cursor.unsigned()
        elif self.version >= f.VALKEY_VERSION:
            cursor.fail("slots that were being imported into a Valkey cluster, which is not supported")
        else:
            self._unknown(kind)

    def _finish(self) -> None:
        """Verifies what stands behind the end mark."""
        cursor = self._cursor
        if self.version < _CHECKSUM_FROM:
            if not cursor.at_end():
                cursor.fail("data behind the end")
            return
        expected = cursor.checksum()
        at = cursor.offset()
        stored = int.from_bytes(cursor.take(_CHECKSUM_SIZE), "little")
        if stored == 0:
            return
        if stored != expected:
            raise f.RdbError(int(at), f"wrong checksum: {stored:016x} in the file, {expected:016x} of what was read")
        self.verified = True
