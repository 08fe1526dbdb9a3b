"""The list value type."""

from __future__ import annotations

from typing import final

from durastore.keyspace.values import Value


@final
class List(Value):
    """A list, head first."""

    def __init__(self, items: list[bytes]) -> None:
        super().__init__()
        self.items = items

    def type_name(self) -> bytes:
        return b"list"

    def copy(self) -> Value:
        return List(self.items.copy())

    def size(self) -> int:
        return len(self.items)
