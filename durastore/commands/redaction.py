"""Requests as others may read them: without passwords and the like."""

from __future__ import annotations

from typing import Final

from durastore.commands.client import Host
from durastore.commands.tablerow import Command

_HIDDEN: Final = b"(redacted)"


def redacted(host: Host, command: Command, argv: list[bytes]) -> list[bytes]:
    """The words of a request, with what is secret in it replaced."""
    hidden = _secret_positions(host, command.name, argv)
    return [_HIDDEN if i in hidden else word for i, word in enumerate(argv)] if hidden else argv


def _secret_positions(host: Host, name: bytes, argv: list[bytes]) -> list[int]:
    size = len(argv)
    if name == b"auth":
        return list(range(1, size))
    if name == b"acl|setuser":
        return list(range(2, size))
    if name == b"config|set":
        return [i + 1 for i in range(2, size - 1, 2) if host.is_secret(argv[i])]
    if name == b"hello":
        return _behind(argv, 2, {b"AUTH": 2})
    if name == b"migrate":
        return _behind(argv, 6, {b"AUTH": 1, b"AUTH2": 2})
    return []


def _behind(argv: list[bytes], start: int, counts: dict[bytes, int]) -> list[int]:
    """Positions of so many words behind certain keywords."""
    for i in range(start, len(argv)):
        count = counts.get(argv[i].upper())
        if count is not None:
            return list(range(i + 1, min(i + 1 + count, len(argv))))
    return []
