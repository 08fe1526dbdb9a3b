"""The sorted set value type.  Scores are IEEE doubles."""

from __future__ import annotations

from typing import final

from durastore.keyspace.values import Value


@final
class SortedSet(Value):
    """A sorted set: member to score."""

    def __init__(self, scores: dict[bytes, float]) -> None:
        super().__init__()
        self.scores = scores

    def type_name(self) -> bytes:
        return b"zset"

    def copy(self) -> Value:
        return SortedSet(self.scores.copy())

    def size(self) -> int:
        return len(self.scores)
