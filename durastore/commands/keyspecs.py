"""Key specifications: where the keys of a request stand, found from the argument tree of its command.

Source: https://redis.io/docs/latest/develop/reference/key-specs/. A specification begins at a word of fixed position or
behind a keyword, and finds the keys as a range of words or behind a count of keys; where neither can tell, it is
``unknown``, and a finder of the command's own takes its place (``special_keys``).
"""

from __future__ import annotations

import re
from typing import Final, final

from durastore.commands.syntax import Argument
from durastore.protocol.numbers import INT64_MAX, INT64_MIN, NotANumber, digits_value, parse_int

UNKNOWN: Final = "unknown"
_COUNT_OF_KEYS: Final = "numkeys"
# No key, but where flags are declared it has a specification, by which a cluster finds its slot.
_CHANNEL: Final = "shardchannel"
# A key of a request: its position and how it is used, by the names of the flags.
Key = tuple[int, list[str]]


@final
class KeySpec:
    """One specification.

    ``first`` is the word that the search begins with; where ``keyword`` is set, the word behind that one, looked for
    from ``first`` on (negative: from the end backwards).  Then either ``counted`` (the word holds the number of keys,
    which follow it), or a range up to ``last`` (counted from ``first``; negative: from the end, of which 1/``limit`` is
    keys where ``limit`` is not 0), in steps of ``step``.
    """

    def __init__(self, first: int, last: int, step: int) -> None:
        self.first = first
        self.last = last
        self.step = step
        self.keyword = ""
        self.counted = False
        self.limit = 0
        self.unknown = False
        self.flags: list[str] = []
        self.note = ""

    def declare(self, group: str) -> None:
        """Takes a declared group: ``RO access``, ``unknown RW update (a note)``, ``RW incomplete from:-2``."""
        words, _, note = group.partition("(")
        self.note = note.strip().removesuffix(")")
        for word in words.split():
            if word == UNKNOWN:
                self.unknown = True
            elif word.startswith("from:"):
                self.first = int(word[5:])
            else:
                self.flags.append(word)

    def plain(self) -> bool:
        """Whether the positions do not depend on what the request says."""
        return not self.unknown and not self.counted and not self.keyword

    def find(self, argv: list[bytes]) -> list[Key] | None:
        """The keys of a request, or None where it does not fit."""
        if self.unknown or "incomplete" in self.flags:
            return None
        size = len(argv)
        first = self.first
        if self.keyword:
            first = self._behind_keyword(argv)
            if first == 0:
                return []
        if self.counted:
            try:
                count = parse_int(argv[first]) if first < size else -1
            except NotANumber:
                return None
            first += 1
            last = first + count - 1
        elif self.last >= 0:
            last = first + self.last
        else:
            last = (size if self.limit == 0 else first + (size - first) // self.limit) + self.last
        if last >= size or last < first:
            return None
        return [(position, self.flags) for position in range(first, last + 1, self.step)]

    def _behind_keyword(self, argv: list[bytes]) -> int:
        size = len(argv)
        wanted = self.keyword.encode()
        places = range(self.first, size - 1) if self.first > 0 else range(size + self.first, 1, -1)
        for position in places:
            if argv[position].upper() == wanted:
                return position + 1
        return 0


@final
class _Finder:
    """Walks an argument tree and collects the specifications."""

    def __init__(self, words: int, channels: bool) -> None:
        self.channels = channels
        self.specs: list[KeySpec] = []
        # The least number of words so far, and whether it is the only one possible.
        self.position = words
        self.certain = True
        self.count_at = -1

    def sequence(self, arguments: list[Argument]) -> None:
        """Members that follow one another."""
        for i, argument in enumerate(arguments):
            behind = arguments[i + 1 :]
            start = self.position
            self._argument(argument, behind)
            if argument.name == _COUNT_OF_KEYS and self.certain:
                self.count_at = start
            if not argument.fixed():
                self.certain = False
            self.position = start + argument.least()

    def _argument(self, argument: Argument, behind: list[Argument]) -> None:
        certain = self.certain
        token = argument.token or "" if argument.kind != "pure-token" else ""
        if argument.spec_mark >= 0 or argument.kind == "key" or (self.channels and argument.name == _CHANNEL):
            self._key(argument, behind, token)
        elif argument.kind == "oneof":
            start = self.position
            for member in argument.members:
                self.position = start + (1 if token else 0)
                self.certain = certain and not argument.optional
                self._argument(member, [])
            self.position = start
        elif argument.kind == "block" and argument.members:
            first = argument.members[0]
            if first.kind == "key" and (argument.multiple or token):
                step = len(argument.members) if argument.multiple else 1
                self._key(first, argument.members[1:] if step == 1 else behind, token, step)
            elif not token:
                start = self.position
                self.certain = certain and not argument.optional
                self.sequence(argument.members)
                self.position = start
        self.certain = certain

    def _key(self, argument: Argument, behind: list[Argument], token: str, step: int = 0) -> None:
        if 0 <= argument.spec_mark < len(self.specs):
            # One more key of a specification that has begun.
            argument.key_spec = argument.spec_mark
            self.specs[argument.spec_mark].last += 1
            return
        if argument.name != _CHANNEL:
            argument.key_spec = len(self.specs)
        many = argument.multiple or step > 1
        spec = KeySpec(self.position, 0, max(step, 1))
        if many:
            spec.last = -1
            if all(other.fixed() for other in behind):
                spec.last -= sum(other.least() for other in behind)
        if self.count_at >= 0 and many and not token:
            spec = KeySpec(self.count_at, 0, 1)
            spec.counted = True
        elif token and (argument.optional or not self.certain or many):
            spec.keyword = token
            if argument.multiple and behind and behind[0].multiple:
                spec.limit = 2
        elif token:
            spec.first += 1
        self.specs.append(spec)


def derive_keys(arguments: list[Argument], words: int, flags: str) -> list[KeySpec]:
    """The specifications of a command; ``flags`` has one group for each, separated by semicolons (the last serves on).

    ``words`` is how many words the command's name has.
    """
    finder = _Finder(words, bool(flags))
    finder.sequence(arguments)
    groups = flags.split(";") if flags else [""]
    for i, spec in enumerate(finder.specs):
        spec.declare(groups[min(i, len(groups) - 1)])
    return finder.specs


def legacy_range(specs: list[KeySpec]) -> tuple[int, int, int]:
    """First key, last key and step as COMMAND INFO tells them: of the specifications that are plain and adjoin."""
    if len(specs) == 1 and specs[0].plain():
        return specs[0].first, _absolute_last(specs[0]), specs[0].step
    first = last = 0
    for spec in specs:
        if spec.plain() and (last == 0 or spec.first == last + 1):
            first = first or spec.first
            last = _absolute_last(spec)
    return first, last, 1 if first else 0


def _absolute_last(spec: KeySpec) -> int:
    return spec.last if spec.last < 0 else spec.first + spec.last


def find_keys(name: bytes, specs: list[KeySpec], argv: list[bytes]) -> list[Key] | None:
    """The keys of a request of the command ``name``, or None where it is no request that the command would take."""
    special = _special_keys(name, argv)
    if special is not None:
        return special
    found: list[Key] = []
    for spec in specs:
        some = spec.find(argv)
        if some is None:
            return _loosely_counted(specs, argv) if spec.counted else None
        found += some
    return found


_HALF: Final = 0x80000000
_SIGNED: Final = re.compile(rb"\s*([+-]?)(\d+)")


def _atoi(text: bytes) -> int:
    """The number that a text begins with, as C's atoi reads it: a long of which 32 bits are kept."""
    match = _SIGNED.match(text)
    if match is None:
        return 0
    value = digits_value(match[2])
    value = max(-value, INT64_MIN) if match[1] == b"-" else min(value, INT64_MAX)
    return (value + _HALF) % (2 * _HALF) - _HALF


def _loosely_counted(specs: list[KeySpec], argv: list[bytes]) -> list[Key] | None:
    """The keys behind a count that is no proper number, as C's atoi reads it; Redis then has the target at the end.

    Nothing is known of their use.
    """
    found: list[Key] = []
    for spec in sorted(specs, key=lambda spec: not spec.counted):
        if not spec.counted:
            found.append((spec.first, []))
            continue
        count = _atoi(argv[spec.first])
        first = spec.first + 1
        if count < 1 or count > len(argv) - first:
            return None
        found += [(position, []) for position in range(first, first + count)]
    return found


def _special_keys(name: bytes, argv: list[bytes]) -> list[Key] | None:
    """The keys of the commands whose specifications cannot tell all, or not how they are used; None for the others."""
    if name == b"set":
        reads = any(word.upper() == b"GET" for word in argv[3:])
        return [(1, ["RW", "access", "update"] if reads else ["OW", "update"])]
    if name == b"bitfield":
        return [(1, ["RO", "access"] if _only_reads(argv) else ["RW", "access", "update"])]
    if name == b"sort" or name == b"sort_ro":
        return _sort_keys(name, argv)
    if name == b"migrate":
        return _migrate_keys(argv)
    return None


def _only_reads(argv: list[bytes]) -> bool:
    """Whether a BITFIELD consists of GET alone."""
    i = 2
    while i < len(argv):
        word = argv[i].upper()
        if word == b"GET" and i + 2 < len(argv):
            i += 3
        elif word == b"OVERFLOW" and i + 1 < len(argv):
            i += 2
        else:
            return False
    return True


def _sort_keys(name: bytes, argv: list[bytes]) -> list[Key]:
    found: list[Key] = [(1, ["RO", "access"])]
    if name == b"sort":
        target = 0
        i = 2
        while i < len(argv):
            word = argv[i].upper()
            if word == b"STORE" and i + 1 < len(argv):
                target = i + 1
                i += 1
            elif word == b"LIMIT":
                i += 2
            elif word in (b"GET", b"BY"):
                i += 1
            i += 1
        if target:
            found.append((target, ["OW", "update"]))
    return found


def _migrate_keys(argv: list[bytes]) -> list[Key]:
    flags = ["RW", "access", "delete"]
    i = 6
    while i < len(argv):
        word = argv[i].upper()
        if word == b"KEYS" and argv[3] == b"":
            return [(position, flags) for position in range(i + 1, len(argv))]
        i += {b"AUTH": 2, b"AUTH2": 3}.get(word, 1)
    return [(3, flags)]
