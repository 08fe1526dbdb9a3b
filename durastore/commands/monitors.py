"""Connections that watch all commands (MONITOR), and the lines that they are sent."""

from __future__ import annotations

from typing import Final, final

from durastore.commands.channels import Channels, Push, Subscriber

_ESCAPES: Final = {0x22: b'\\"', 0x5C: b"\\\\", 0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t", 0x07: b"\\a", 0x08: b"\\b"}


@final
class Monitors:
    """Who watches."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self.watching: dict[Subscriber, None] = {}

    def show(self, seconds: int, microseconds: int, source: bytes, argv: list[bytes]) -> None:
        """Sends a command that ran to everybody who watches; ``source`` is a database and where the command came from.

        The time is Unix time.
        """
        words = b" ".join([quoted(word) for word in argv])
        line = b"+%d.%06d [%s] %s\r\n" % (seconds, microseconds, source, words)
        for who in self.watching:
            self._channels.pushes.append(Push(who, line))


def quoted(word: bytes) -> bytes:
    """A word between quotes, all of it printable."""
    shown = bytearray(b'"')
    for byte in word:
        escape = _ESCAPES.get(byte)
        if escape is not None:
            shown += escape
        elif 0x20 <= byte < 0x7F:
            shown.append(byte)
        else:
            shown += b"\\x%02x" % byte
    shown += b'"'
    return bytes(shown)
