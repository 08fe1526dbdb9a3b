"""MULTI and EXEC in a log: what has begun and has no end counts for nothing."""

from __future__ import annotations

from typing import Final, final

_ENDS: Final = (b"exec", b"discard", b"reset")


@final
class Transaction:
    """Follows the commands of a file, and knows whether a transaction is open after them."""

    def __init__(self) -> None:
        # Where the open one begins; -1: none is.
        self.begin = -1

    @property
    def is_open(self) -> bool:
        """Whether there is one."""
        return self.begin != -1

    def follow(self, command: bytes, offset: int) -> None:
        """The next command, by its name in lower case, begins at this offset."""
        if command == b"multi":
            self.begin = offset
        elif command in _ENDS:
            self.begin = -1
