"""One row of an engine's command table."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands.durations import Durations
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
        self.group = spec.group or group
        words = spec.name.count("|") + 1
        # Whether the request's first word alone does not tell the command.
        self.needs_second_word = words > 1
        self.arguments: list[Argument] = parse_syntax(spec.syntax)
        self.arity: i64 = spec.arity or derive_arity(self.arguments, words)
        self.key_specs: list[KeySpec] = derive_keys(self.arguments, words, spec.keys)
        if not all(key_spec.plain() for key_spec in self.key_specs):
            self.flags |= MOVABLE_KEYS
        # Where keys surely stand, for those who want to look at them beforehand; 0: nowhere.
        self.first_key, self.last_key, self.key_step = [i64(number) for number in legacy_range(self.key_specs)]
        self.first_element, self.element_step = _elements(self.arguments)
        self.categories = _categories(
            spec.flags,
            category.split() if spec.categories is None else [f"@{word}" for word in spec.categories.split()],
        )
        self.subcommands: dict[bytes, Command] | None = None
        # For the rules of users; no two commands of a table have the same.
        self.number = 0
        self.calls: i64 = 0
        self.rejected: i64 = 0
        self.failed: i64 = 0
        self.durations = Durations()
        # Whether every run is measured, so that slow ones are noticed.
        self.timed = False

    def key_range(self) -> tuple[int, int, int]:
        """First key, last key and step, as COMMAND INFO tells them; zeros where there is no key."""
        return legacy_range(self.key_specs)

    def keys_of(self, argv: list[bytes]) -> list[Key] | None:
        """The keys of a request, each with the flags that say how it is used; None where the request makes no sense."""
        return find_keys(self.name, self.key_specs, argv)

    def reset_statistics(self) -> None:
        """Counts anew."""
        self.calls = self.rejected = self.failed = 0
        self.durations = Durations()


def _elements(arguments: list[Argument]) -> tuple[i64, i64]:
    """Where the elements of a container stand behind its key, and in what steps; zeros where they do not."""
    if len(arguments) > 1 and arguments[0].kind == "key":
        second = arguments[1]
        words = second.members or [second]
        if words[0].name in ("field", "member") and second.kind != "oneof":
            return 2, len(words) if second.multiple else 0
    return 0, 0


def category_names() -> list[bytes]:
    """The ACL categories, without the @."""
    return [name[1:].encode() for name, _ in _CATEGORIES]


# The ACL categories in the order in which they are told, and the flags from which they follow.
_CATEGORIES: Final = (
    ("@keyspace", 0),
    ("@read", READONLY),
    ("@write", WRITE),
    ("@set", 0),
    ("@sortedset", 0),
    ("@list", 0),
    ("@hash", 0),
    ("@string", 0),
    ("@bitmap", 0),
    ("@hyperloglog", 0),
    ("@geo", 0),
    ("@stream", 0),
    ("@pubsub", PUBSUB),
    ("@admin", ADMIN),
    ("@fast", FAST),
    ("@slow", 0),
    ("@blocking", BLOCKING),
    ("@dangerous", ADMIN | DANGEROUS),
    ("@connection", 0),
    ("@transaction", 0),
    ("@scripting", 0),
)


def _categories(flags: int, declared: list[str]) -> list[str]:
    """The ACL categories: those declared, and those that follow from the flags."""
    wanted = set(declared)
    if not flags & FAST:
        wanted.add("@slow")
    # A script that only reads is in none of the categories of reading commands.
    reading = 0 if "@scripting" in wanted else READONLY
    implied = flags & ~READONLY | flags & reading
    return [name for name, flag in _CATEGORIES if name in wanted or implied & flag]
