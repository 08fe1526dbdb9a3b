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

    def push_head(self, item: bytes) -> None:
        """Adds an element in front."""
        self.items.insert(0, item)

    def push_tail(self, item: bytes) -> None:
        """Adds an element at the end."""
        self.items.append(item)

    def pop_head(self) -> bytes:
        """Takes the first element of a list that is not empty."""
        return self.items.pop(0)

    def pop_tail(self) -> bytes:
        """Takes the last element of a list that is not empty."""
        return self.items.pop()
