"""One row of an engine's command table."""

from __future__ import annotations

from typing import final

from mypy_extensions import i64

from durastore.commands.spec import (
    ADMIN,
    BLOCKING,
    DANGEROUS,
    FAST,
    PUBSUB,
    READONLY,
    WRITE,
    CommandSpec,
    Handler,
)
from durastore.commands.syntax import Argument, KeySpec, derive_arity, derive_keys, parse_syntax


@final
class Command:
    """One command of one engine: its declaration, what is derived from it, and how often it ran."""

    def __init__(self, spec: CommandSpec, group: str, category: str) -> None:
        self.spec = spec
        self.name = spec.name.encode()
        self.handler: Handler = spec.handler
        self.flags: i64 = spec.flags
        self.group = group
        words = spec.name.count("|") + 1
        self.arguments: list[Argument] = parse_syntax(spec.syntax)
        self.arity: i64 = spec.arity or derive_arity(self.arguments, words)
        self.key_specs: list[KeySpec] = derive_keys(self.arguments, words, spec.keys)
        self.categories = _categories(spec.flags, category)
        self.subcommands: dict[bytes, Command] | None = None
        self.calls: i64 = 0
        self.rejected: i64 = 0
        self.failed: i64 = 0
        self.usec: i64 = 0

    def key_range(self) -> tuple[int, int, int]:
        """First key, last key and step, as COMMAND INFO tells them; zeros where there is no key."""
        if not self.key_specs:
            return 0, 0, 0
        first = self.key_specs[0].first
        last = self.key_specs[-1].last
        step = self.key_specs[0].step
        return first, last, step

    def key_positions(self, size: int) -> list[tuple[int, list[str]]]:
        """Where the keys of a request of so many words stand, with the flags of their specification."""
        found: list[tuple[int, list[str]]] = []
        for spec in self.key_specs:
            last = size + spec.last if spec.last < 0 else spec.last
            for position in range(spec.first, min(last, size - 1) + 1, spec.step):
                found.append((position, spec.flags))
        return found

    def reset_statistics(self) -> None:
        """Counts anew."""
        self.calls = self.rejected = self.failed = self.usec = 0


def _categories(flags: int, category: str) -> list[str]:
    """The ACL categories, which follow from the flags and the group."""
    found = [category] if category else []
    for flag, names in (
        (WRITE, ("@write",)),
        (READONLY, ("@read",)),
        (ADMIN, ("@admin", "@dangerous")),
        (DANGEROUS, ("@dangerous",)),
        (PUBSUB, ("@pubsub",)),
        (BLOCKING, ("@blocking",)),
    ):
        if flags & flag:
            found.extend(name for name in names if name not in found)
    found.append("@fast" if flags & FAST else "@slow")
    return found
