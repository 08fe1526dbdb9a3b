"""The payloads of DUMP and RESTORE: one value, the RDB version in two bytes, the checksum of all that."""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, write_i64_le
from mypy_extensions import i64, u8

from durastore.keyspace.chunks import signed64
from durastore.keyspace.hashes import Hash
from durastore.keyspace.limits import Limits
from durastore.persistence.checksum import crc64_redis
from durastore.persistence.rdb import format as f
from durastore.persistence.rdb.cursor import Cursor
from durastore.persistence.rdb.decoding import load_value
from durastore.persistence.rdb.encoding import save_value, type_of
from durastore.persistence.rdb.primitives import write_string

_FOOTER: Final = 10

# What RESTORE answers (https://redis.io/docs/latest/commands/restore/).
ERROR_CHECKSUM: Final = "DUMP payload version or checksum are wrong"
ERROR_FORMAT: Final = "Bad data format"


def dump_value(value: object, compress: bool = True, limits: Limits | None = None) -> bytes:
    """The payload of DUMP: version 11, or 80 (Valkey 9) for a hash with fields that expire."""
    if limits is None:
        limits = Limits()
    version: i64 = f.RDB_VERSION
    if isinstance(value, Hash) and value.expiring():
        version = f.VALKEY_VERSION
    out = BytesWriter()
    kind = type_of(value, version)
    out.append(u8(kind))
    save_value(out, kind, value, limits, compress)
    return _signed(out, version)


def _signed(out: BytesWriter, version: i64) -> bytes:
    """Ends a payload."""
    out.append(u8(version & 255))
    out.append(u8(version >> 8))
    write_i64_le(out, signed64(crc64_redis(out.getvalue())))
    return out.getvalue()


def dump_functions(codes: list[bytes]) -> bytes:
    """The payload of FUNCTION DUMP: the codes of libraries."""
    out = BytesWriter()
    for code in codes:
        out.append(f.OPCODE_FUNCTION2)
        write_string(out, code, True)
    return _signed(out, f.RDB_VERSION)


def load_functions(payload: bytes) -> list[bytes]:
    """The codes in a payload of FUNCTION DUMP.  Raises RdbError, whose reason is what FUNCTION RESTORE answers."""
    end, _ = _verified(payload, 0)
    cursor = Cursor(None, 0, payload[:end], Limits())
    codes = []
    while cursor.pos < end:
        kind = cursor.byte()
        if kind == f.OPCODE_FUNCTION_PRE_GA:
            raise f.RdbError(int(cursor.pos), "Pre-GA function format not supported")
        if kind != f.OPCODE_FUNCTION2:
            raise f.RdbError(int(cursor.pos), "given type is not a function")
        try:
            codes.append(cursor.string())
        except f.RdbError as error:
            raise f.RdbError(error.offset, "failed loading the given functions payload") from error
    return codes


def _verified(payload: bytes, least: i64) -> tuple[i64, i64]:
    """Where the footer of a payload begins, and its version; raises RdbError for ERROR_CHECKSUM."""
    end: i64 = len(payload) - _FOOTER
    if end < least:
        raise f.RdbError(0, ERROR_CHECKSUM)
    version: i64 = payload[end] | payload[end + 1] << 8
    if version > f.REDIS_NEWEST and version != f.VALKEY_VERSION:
        raise f.RdbError(int(end), ERROR_CHECKSUM)
    stored = int.from_bytes(payload[end + 2 :], "little")
    if stored != crc64_redis(payload[: end + 2]):
        raise f.RdbError(int(end), ERROR_CHECKSUM)
    return end, version


def load_dump(payload: bytes, limits: Limits | None = None) -> object:
    """The value in a payload.

    Raises RdbError, whose reason is ERROR_CHECKSUM where the footer is wrong, and another one where the value is
    damaged or empty (to which Redis replies ERROR_FORMAT).
    """
    end, version = _verified(payload, 1)
    cursor = Cursor(None, 0, payload[:end], limits)
    kind = cursor.byte()
    value = load_value(cursor, kind, version)
    if value is None:
        cursor.fail("value without elements")
    if cursor.pos != end:
        cursor.fail("data behind the value")
    return value
