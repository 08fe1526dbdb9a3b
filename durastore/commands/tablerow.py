"""One row of an engine's command table."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands.keyspecs import Key, KeySpec, derive_keys, find_keys, legacy_range
from durastore.commands.spec import (
    ADMIN,
    BLOCKING,
    DANGEROUS,
    FAST,
    MOVABLE_KEYS,
    PUBSUB,
    READONLY,
    WRITE,
    CommandSpec,
    Handler,
)
from durastore.commands.syntax import Argument, derive_arity, parse_syntax


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
        if not all(key_spec.plain() for key_spec in self.key_specs):
            self.flags |= MOVABLE_KEYS
        # Where keys surely stand, for those who want to look at them beforehand; 0: nowhere.
        self.first_key, self.last_key, self.key_step = [i64(number) for number in legacy_range(self.key_specs)]
        self.categories = _categories(spec.flags, category)
        self.subcommands: dict[bytes, Command] | None = None
        self.calls: i64 = 0
        self.rejected: i64 = 0
        self.failed: i64 = 0
        self.usec: i64 = 0

    def key_range(self) -> tuple[int, int, int]:
        """First key, last key and step, as COMMAND INFO tells them; zeros where there is no key."""
        return legacy_range(self.key_specs)

    def keys_of(self, argv: list[bytes]) -> list[Key] | None:
        """The keys of a request, each with the flags that say how it is used; None where the request makes no sense."""
        return find_keys(self.name, self.key_specs, argv)

    def reset_statistics(self) -> None:
        """Counts anew."""
        self.calls = self.rejected = self.failed = self.usec = 0


# The order in which COMMAND INFO names the categories.
_CATEGORIES: Final = [
    "@keyspace",
    "@read",
    "@write",
    "@set",
    "@sortedset",
    "@list",
    "@hash",
    "@string",
    "@bitmap",
    "@hyperloglog",
    "@geo",
    "@stream",
    "@pubsub",
    "@admin",
    "@fast",
    "@slow",
    "@blocking",
    "@dangerous",
    "@connection",
    "@transaction",
    "@scripting",
]


def _categories(flags: int, implied: str) -> list[str]:
    """The ACL categories, which follow from the flags and the group."""
    found = implied.split()
    for flag, names in (
        (WRITE, ("@write",)),
        (READONLY, ("@read",)),
        (ADMIN, ("@admin", "@dangerous")),
        (DANGEROUS, ("@dangerous",)),
        (PUBSUB, ("@pubsub",)),
        (BLOCKING, ("@blocking",)),
    ):
        if flags & flag:
            found.extend(names)
    found.append("@fast" if flags & FAST else "@slow")
    return [name for name in _CATEGORIES if name in found]
