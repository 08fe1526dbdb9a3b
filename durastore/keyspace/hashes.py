"""The hash value type."""

from __future__ import annotations

from typing import final

from durastore.keyspace.values import Value


@final
class Hash(Value):
    """A hash.  ``expires`` holds the fields that have an expiry, in Unix milliseconds."""

    def __init__(self, fields: dict[bytes, bytes], expires: dict[bytes, int] | None = None) -> None:
        super().__init__()
        self.fields = fields
        self.expires: dict[bytes, int] = {} if expires is None else expires

    def type_name(self) -> bytes:
        return b"hash"

    def copy(self) -> Value:
        return Hash(self.fields.copy(), self.expires.copy())

    def size(self) -> int:
        return len(self.fields)
