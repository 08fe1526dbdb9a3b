"""The set value type."""

from __future__ import annotations

from typing import final

from durastore.keyspace.values import Value


@final
class Set(Value):
    """A set.  ``members`` is a dict without values, which keeps the order of insertion."""

    def __init__(self, members: dict[bytes, None]) -> None:
        super().__init__()
        self.members = members

    def type_name(self) -> bytes:
        return b"set"

    def copy(self) -> Value:
        return Set(self.members.copy())

    def size(self) -> int:
        return len(self.members)
