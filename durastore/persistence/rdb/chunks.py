"""Large hashes and sets into RDB, a chunk at a time."""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter, write_i64_le
from mypy_extensions import i64

from durastore.keyspace.chunked import Chunk, Chunked
from durastore.persistence.rdb import format as f
from durastore.persistence.rdb.parts import Parts
from durastore.persistence.rdb.primitives import write_count, write_string, write_unsigned

# Tables with more elements than this are written in parts.
PARTS_FROM: Final = 4096


@final
class TableParts(Parts):
    """A table on its way out."""

    def __init__(self, out: BytesWriter, kind: i64, table: Chunked, compress: bool) -> None:
        """Writes what stands before the elements."""
        super().__init__()
        self._kind: i64 = kind
        self._compress = compress
        self._chunks: list[Chunk] = table.chunks()
        self._next: i64 = 0
        # In Redis 7.4's form the expiries count from a time before which there is none.
        self._first_expiry: i64 = table.next_expiry
        if kind == f.TYPE_HASH_METADATA:
            write_i64_le(out, self._first_expiry)
        write_count(out, table.count)

    def step(self, out: BytesWriter) -> bool:
        """Writes the next chunk; False where there is none."""
        if self._next >= len(self._chunks):
            return False
        chunk = self._chunks[self._next]
        self._next += 1
        kind = self._kind
        compress = self._compress
        if kind == f.TYPE_SET:
            for member in chunk.items:
                write_string(out, member, compress)
            return True
        expires = chunk.expires
        for field, value in chunk.items.items():
            when = expires[field] if expires is not None else None
            if kind == f.TYPE_HASH_METADATA:
                write_unsigned(out, 0 if when is None else when - self._first_expiry + 1)
            write_string(out, field, compress)
            assert isinstance(value, bytes)
            write_string(out, value, compress)
            if kind == f.TYPE_VALKEY_HASH_2:
                write_i64_le(out, -1 if when is None else when)
        return True


def save_table(out: BytesWriter, kind: i64, table: Chunked, compress: bool) -> None:
    """Writes a table in one go."""
    parts = TableParts(out, kind, table, compress)
    while parts.step(out):
        pass
