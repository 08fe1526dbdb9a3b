"""What a snapshot is written through."""

from __future__ import annotations

from mypy_extensions import i64, mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=False)
class Serializer:
    """What a snapshot is written through: the RDB format, or the commands that rebuild the keyspace."""

    def __init__(self) -> None:
        # The last entry is a large value of which there is more to write.
        self.unfinished = False

    def begin(self, aux: list[tuple[bytes, bytes]]) -> None:
        """The head of the file, with auxiliary fields."""
        raise NotImplementedError

    def function(self, code: bytes) -> None:
        """A function library."""
        raise NotImplementedError

    def select(self, db: int, keys: int, expires: int) -> None:
        """The entries that follow are of this database, and so many."""
        raise NotImplementedError

    def access(self, idle_seconds: int, frequency: int) -> None:
        """How long the next entry was idle, or how often it was used (-1 each: not said), for formats that tell it."""

    def entry(self, key: bytes, value: object, expire_ms: i64) -> None:
        """A key, its value, and its expiry (Unix milliseconds, -1: none).

        Of a large value this may be only the beginning: ``more`` goes on with it while ``unfinished`` is set, and so
        does whatever is called next.
        """
        raise NotImplementedError

    def more(self) -> None:
        """Writes the next part of an unfinished entry."""
        raise NotImplementedError

    def end(self) -> None:
        """The foot of the file."""
        raise NotImplementedError

    def pending(self) -> i64:
        """How many bytes ``take`` would return."""
        raise NotImplementedError

    def take(self) -> bytes:
        """What was serialised since the last call."""
        raise NotImplementedError
