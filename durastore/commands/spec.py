"""How a command is declared.

A command is one function ``handler(client, argv)`` under one ``@command`` declaration; COMMAND's replies, arity and key
positions are derived from the declaration (``durastore.commands.syntax`` reads the syntax line).  A module of commands
is a Redis command group; ``durastore.commands.table`` lists the modules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from mypy_extensions import i64

from durastore.commands.client import Client

Handler = Callable[[Client, list[bytes]], None]

# Command flags, with the meaning and (see FLAG_NAMES) the names that COMMAND INFO gives them.
WRITE: Final = 1 << 0
READONLY: Final = 1 << 1
DENYOOM: Final = 1 << 2
ADMIN: Final = 1 << 3
PUBSUB: Final = 1 << 4
NOSCRIPT: Final = 1 << 5
BLOCKING: Final = 1 << 6
LOADING: Final = 1 << 7
STALE: Final = 1 << 8
SKIP_MONITOR: Final = 1 << 9
SKIP_SLOWLOG: Final = 1 << 10
FAST: Final = 1 << 11
NO_AUTH: Final = 1 << 12
NO_ASYNC_LOADING: Final = 1 << 14
NO_MULTI: Final = 1 << 15
MOVABLE_KEYS: Final = 1 << 16
ALLOW_BUSY: Final = 1 << 17
NO_MANDATORY_KEYS: Final = 1 << 18
PROTECTED: Final = 1 << 19
ASKING: Final = 1 << 28
# Not shown by COMMAND INFO: the category that the name of the flag says.
DANGEROUS: Final = 1 << 20
# Held by CLIENT PAUSE WRITE, and refused where writes are, although it changes nothing that clients can see.
MAY_REPLICATE: Final = 1 << 13
# Run at once inside MULTI instead of being queued.
NOT_QUEUED: Final = 1 << 21
# Allowed to a RESP2 connection that has subscriptions.
SUBSCRIBED: Final = 1 << 23
# What its arguments are, for rules on channels: a channel to publish to and a message, channels to listen to, or
# patterns of them.
PUBLISHES: Final = 1 << 24
SUBSCRIBES: Final = 1 << 25
PATTERNS: Final = 1 << 26
# Runs other commands, each of which tells the journal of its effects.
RUNS_OTHERS: Final = 1 << 27
# Still answered while CLIENT PAUSE holds everything else.
UNPAUSED: Final = 1 << 22


@final
class CommandSpec:
    """One declaration.  ``name`` is lower case; a subcommand's is ``container|subcommand``."""

    def __init__(
        self,
        name: str,
        syntax: str,
        flags: int,
        summary: str,
        since: str,
        complexity: str,
        keys: str,
        tips: str,
        history: tuple[tuple[str, str], ...],
        deprecated: tuple[str, str] | None,
        arity: int,
        group: str,
        categories: str | None,
        internal: bool,
        handler: Handler,
    ) -> None:
        self.name = name
        self.syntax = syntax
        self.flags: i64 = flags
        self.summary = summary
        self.since = since
        self.complexity = complexity
        self.keys = keys
        self.tips = tips
        self.history = history
        self.deprecated = deprecated
        self.arity: i64 = arity
        self.group = group
        self.categories = categories
        self.internal = internal
        self.handler = handler


@final
class Declaration:
    """``@command(...)`` before it meets its function."""

    def __init__(self, make: Callable[[Handler], CommandSpec]) -> None:
        self._make = make

    def __call__(self, handler: Handler) -> CommandSpec:
        return self._make(handler)


def command(
    name: str,
    syntax: str,
    flags: int,
    *,
    summary: str,
    since: str,
    complexity: str = "O(1)",
    keys: str = "",
    tips: str = "",
    history: tuple[tuple[str, str], ...] = (),
    deprecated: tuple[str, str] | None = None,
    arity: int = 0,
    group: str = "",
    categories: str | None = None,
    internal: bool = False,
) -> Declaration:
    """Declares the command that the decorated function carries out.

    ``syntax`` is the argument line as the command page shows it (see ``durastore.commands.syntax``), without the name.
    ``keys`` holds the flags of the key arguments (``RW access update``, one group for each key specification, separated
    by ``;``, with a note in parentheses); ``tips`` are separated by spaces.  ``deprecated`` is (since, replaced by).
    ``arity`` is derived from the syntax unless given; ``group`` (of COMMAND DOCS) and ``categories`` (of ACLs, without
    the ``@`` and without those that follow from the flags) are the module's unless given.  An ``internal`` command is
    no business of clients.
    """

    def make(handler: Handler) -> CommandSpec:
        return CommandSpec(
            name,
            syntax,
            flags,
            summary,
            since,
            complexity,
            keys,
            tips,
            history,
            deprecated,
            arity,
            group,
            categories,
            internal,
            handler,
        )

    return Declaration(make)
