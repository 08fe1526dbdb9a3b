"""Commands that took long, for SLOWLOG."""

from __future__ import annotations

from collections import deque
from typing import Final, final

from mypy_extensions import i64

# How much of a request is kept.
_WORDS: Final = 32
_LENGTH: Final = 128


@final
class SlowCommand:
    """One entry: what ran, when (Unix seconds), for how long (microseconds), and for whom."""

    def __init__(
        self, number: int, when: i64, microseconds: i64, argv: list[bytes], address: bytes, name: bytes
    ) -> None:
        self.number = number
        self.when: i64 = when
        self.microseconds: i64 = microseconds
        self.argv = argv
        self.address = address
        self.name = name


@final
class SlowLog:
    """The newest of them, newest first."""

    def __init__(self) -> None:
        self.entries: deque[SlowCommand] = deque()
        # slowlog-max-len
        self.limit = 128
        self._numbers = 0

    def add(self, when: i64, microseconds: i64, argv: list[bytes], address: bytes, name: bytes) -> None:
        """Takes a command; the oldest have to make room."""
        if self.limit == 0:
            return
        self.entries.appendleft(SlowCommand(self._numbers, when, microseconds, shortened(argv), address, name))
        self._numbers += 1
        while len(self.entries) > self.limit:
            self.entries.pop()


def shortened(argv: list[bytes]) -> list[bytes]:
    """A request with few and short words, the last of which says how many more there were."""
    size = len(argv)
    words = argv if size <= _WORDS else argv[: _WORDS - 1]
    kept = [
        word if len(word) <= _LENGTH else word[:_LENGTH] + b"... (%d more bytes)" % (len(word) - _LENGTH)
        for word in words
    ]
    if size > _WORDS:
        kept.append(b"... (%d more arguments)" % (size - _WORDS + 1))
    return kept
