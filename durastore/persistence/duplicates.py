"""Is a key twice in an RDB file?  Told without all keys in memory, by a second look at the few that may be."""

from __future__ import annotations

from durastore.persistence.disk import Disk
from durastore.persistence.rdb import RdbError, RdbReader

# The filter takes between a quarter and a half of the size of the file, and from 4 KiB to 64 MiB.
_LEAST_BITS = 15
_MOST_BITS = 29


class SeenKeys:
    """A Bloom filter of four bits for each key; ``suspects`` are the keys of which all were set already."""

    def __init__(self, file_size: int) -> None:
        self.suspects: set[tuple[int, bytes]] = set()
        self._width = max(_LEAST_BITS, min(file_size.bit_length() + 1, _MOST_BITS))
        self._bits = bytearray()

    def add(self, db: int, key: bytes) -> None:
        """Notes a key."""
        bits = self._bits
        if not bits:
            bits = self._bits = bytearray(1 << self._width - 3)
        mask = (1 << self._width) - 1
        position = hash((db, key))
        # Two hashes make as many as are wanted (Kirsch and Mitzenmacher).
        step = position >> 31 | 1
        seen = True
        for _ in range(4):
            place = position & mask
            byte = bits[place >> 3]
            bit = 1 << (place & 7)
            if not byte & bit:
                bits[place >> 3] = byte | bit
                seen = False
            position += step
        if seen:
            self.suspects.add((db, key))


def find_duplicate(disk: Disk, path: str, suspects: set[tuple[int, bytes]], now: int) -> None:
    """Raises RdbError where one of these keys is twice in the RDB part of a file; expired keys do not count."""
    source = disk.open(path)
    met: set[tuple[int, bytes]] = set()
    try:
        reader = RdbReader(source, source.size)
        reader.read_header()
        while reader.next_entry():
            if now != -1 and reader.expire_ms != -1 and reader.expire_ms < now:
                continue
            entry = (int(reader.db), reader.key)
            if entry in met:
                raise RdbError(int(reader.entry_offset), f"duplicate key {reader.key!r} in database {reader.db}")
            if entry in suspects:
                met.add(entry)
    finally:
        source.close()
