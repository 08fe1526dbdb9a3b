"""The two 64-bit checksums of the files: CRC-64 with Redis's polynomial (RDB), and CRC-64/ISO 3309 (AOF stretches).

Both are incremental: pass the previous result to go on.  ``anycrc`` computes them at gigabytes per second; where it
has no wheel, slower pure-Python code gives the same numbers.
"""

from __future__ import annotations

from typing import Final

from crc64iso.crc64iso import crc64_pair

try:
    import anycrc
except ImportError:
    anycrc = None

_redis: Final = anycrc and anycrc.Model("CRC64-REDIS")
_iso: Final = anycrc and anycrc.CRC(width=64, poly=0x1B, init=0, refin=True, refout=True, xorout=0)

# x^64 + x^63 + x^61 + ... ("Jones"), in reflected order, as in the file format: no initial value, no final XOR.
_JONES: Final = 0x95AC9329AC4BC9B5


def _table(polynomial: int) -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ polynomial if crc & 1 else crc >> 1
        table.append(crc)
    return table


_REDIS_TABLE: Final = _table(_JONES)


def crc64_redis_python(data: bytes | memoryview, crc: int = 0) -> int:
    """``crc64_redis`` in pure Python."""
    table = _REDIS_TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc


def crc64_iso_python(data: bytes | memoryview, crc: int = 0) -> int:
    """``crc64_iso`` in pure Python, by the reference package."""
    high, low = crc64_pair(bytes(data), (crc >> 32, crc & 0xFFFFFFFF))
    return int(high << 32 | low)


def crc64_redis(data: bytes | memoryview, crc: int = 0) -> int:
    """The checksum of RDB files and DUMP payloads, going on from ``crc``."""
    if _redis is None:
        return crc64_redis_python(data, crc)
    return int(_redis.calc(data, crc))


def crc64_iso(data: bytes | memoryview, crc: int = 0) -> int:
    """The checksum of the annotations in durastore's append-only files, going on from ``crc``."""
    if _iso is None:
        return crc64_iso_python(data, crc)
    return int(_iso.calc(data, crc))
