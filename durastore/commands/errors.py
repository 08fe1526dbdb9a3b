"""The errors that commands answer with, in Redis's words."""

from __future__ import annotations

from typing import Final


class CommandError(Exception):
    """Ends a command with an error reply; ``text`` starts with the code word and has no leading minus."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


WRONG_TYPE: Final = b"WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX: Final = b"ERR syntax error"
NOT_AN_INTEGER: Final = b"ERR value is not an integer or out of range"
NOT_A_FLOAT: Final = b"ERR value is not a valid float"
NO_SUCH_KEY: Final = b"ERR no such key"
OUT_OF_RANGE: Final = b"ERR index out of range"


def wrong_arity(name: bytes) -> bytes:
    """The complaint about a number of arguments; ``name`` as in ``client|kill``."""
    return b"ERR wrong number of arguments for '" + name.lower() + b"' command"


def unknown_subcommand(container: bytes, name: bytes) -> bytes:
    """The complaint about a subcommand that does not exist."""
    shown = name[:128].replace(b"\r", b" ").replace(b"\n", b" ")
    return b"ERR unknown subcommand '" + shown + b"'. Try " + container.upper() + b" HELP."


def unknown_subcommand_or_arity(container: bytes, name: bytes) -> bytes:
    """The complaint about a form of a subcommand that does not exist."""
    shown = name[:128].replace(b"\r", b" ").replace(b"\n", b" ")
    return (
        b"ERR unknown subcommand or wrong number of arguments for '"
        + shown
        + b"'. Try "
        + container.upper()
        + b" HELP."
    )
