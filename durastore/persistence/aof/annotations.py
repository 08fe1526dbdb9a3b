"""The annotation lines that guard the stretches of a log.

A line that starts with ``#`` between two commands is skipped by Redis and Valkey.  durastore writes

- ``#DURASTORE-AOF:1`` where a chain of stretches starts: at the head of a file, and where it was opened again;
- ``#CRC64:<16 hexadecimal digits>:<length>:<Unix ms>`` before each stretch.

The checksum is CRC-64/ISO over the text ``<length>:<Unix ms>`` and the stretch, and continues the checksum of the
stretch before it in the chain.  It stands before the stretch, and tells its length, so that a reader verifies all of
it before it replays any of it, without having to understand it.
"""

from __future__ import annotations

import re

from durastore.persistence.checksum import crc64_iso

CHAIN_START = b"#DURASTORE-AOF:1\r\n"
STRETCH_START = b"#CRC64:"
# No annotation is longer; a longer line is no annotation of ours.
LINE_LIMIT = 80

_STRETCH = re.compile(rb"#CRC64:([0-9a-f]{16}):([1-9][0-9]{0,15}):([0-9]{1,15})\r\n\Z")


def stretch_checksum(before: int, length: int, now: int, payload: bytes) -> int:
    """The checksum of a stretch that follows one with the checksum ``before``."""
    return crc64_iso(payload, crc64_iso(b"%d:%d" % (length, now), before))


def stretch_header(checksum: int, length: int, now: int) -> bytes:
    """The line before a stretch."""
    return b"#CRC64:%016x:%d:%d\r\n" % (checksum, length, now)


def parse_header(line: bytes) -> tuple[int, int, int] | None:
    """Checksum, length and time of a stretch's line; None where it is none."""
    match = _STRETCH.match(line)
    if match is None:
        return None
    return int(match[1], 16), int(match[2]), int(match[3])
