"""Users, and the rules that say what they may do (https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/).

A user has passwords and selectors.  A selector allows commands on keys and channels; a request may run where one
selector allows all of it.  The first selector, the root, is what rules outside parentheses change.

Commands are allowed one by one, by their numbers; beside them the selector keeps the rules that led there, from which
it is described.  Only what commands there are, and in which categories, comes from outside (``Catalogue``).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, final

from durastore.keyspace.glob import glob_match
from durastore.protocol.parser import split_line

# What a key pattern permits.
READ: Final = 1
WRITE: Final = 2

_SYNTAX: Final = b"Syntax error"
_UNKNOWN: Final = b"Unknown command or category name in ACL"
_AFTER_ALL_KEYS: Final = (
    b"Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try "
    b"'resetkeys' to start with an empty list of patterns"
)
_AFTER_ALL_CHANNELS: Final = (
    b"Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try "
    b"'resetchannels' to start with an empty list of channels"
)
_NO_SUCH_PASSWORD: Final = b"The password you are trying to remove from the user does not exist"
_BAD_HASH: Final = b"The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
_FIRST_ARGUMENT_OF_SUBCOMMAND: Final = b"Allowing first-arg of a subcommand is not supported"
_HASH_LENGTH: Final = 64
_HEXADECIMAL: Final = frozenset(b"0123456789abcdef")
# What C's isspace takes for a space, and the byte that ends C's strings.
_SPACES: Final = frozenset(b" \t\n\v\f\r\x00")


@final
class RuleError(Exception):
    """A rule that cannot be taken; ``unknown`` says that it names no command and no category."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text
        self.unknown = text == _UNKNOWN


def has_spaces(text: bytes) -> bool:
    """Whether this could not stand in a line of rules, as spaces separate them."""
    return any(c in _SPACES for c in text)


@final
class Entry:
    """A command as rules see it; ``parent`` is the container that it is a subcommand of."""

    def __init__(self, number: int, name: bytes, parent: Entry | None) -> None:
        self.number = number
        self.name = name
        self.parent = parent
        self.subcommands: dict[bytes, Entry] = {}


@final
class Catalogue:
    """All commands by their names, and the members of each category by its name without the @."""

    def __init__(self, commands: dict[bytes, Entry], categories: dict[bytes, list[Entry]], size: int) -> None:
        self.commands = commands
        self.categories = categories
        # Above all numbers of commands.
        self.size = size

    def find(self, name: bytes) -> Entry | None:
        """The command, or subcommand (``container|subcommand``), of this name."""
        words = name.lower().split(b"|")
        entry = self.commands.get(words[0])
        if entry is None or len(words) == 1:
            return entry
        return entry.subcommands.get(words[1]) if len(words) == 2 else None


@final
class Selector:
    """Commands, and the keys and channels that they may name."""

    def __init__(self, size: int, all_channels: bool) -> None:
        self.all_commands = False
        self.all_keys = False
        self.all_channels = all_channels
        # Began with +@all: what is not known yet is allowed.
        self.future = False
        self.allowed = bytearray(size)
        # Commands that are allowed with certain first arguments only, by number.
        self.first_arguments: dict[int, list[bytes]] = {}
        # The rules since the last +@all or -@all, without those that a later one made void.
        self.rules: list[bytes] = []
        self.patterns: dict[bytes, int] = {}
        self.channels: dict[bytes, None] = {}

    def copy(self) -> Selector:
        """The same rights, to be changed apart from these."""
        new = Selector(0, self.all_channels)
        new.all_commands = self.all_commands
        new.all_keys = self.all_keys
        new.future = self.future
        new.allowed = bytearray(self.allowed)
        new.first_arguments = {number: list(words) for number, words in self.first_arguments.items()}
        new.rules = list(self.rules)
        new.patterns = dict(self.patterns)
        new.channels = dict(self.channels)
        return new

    def unrestricted(self) -> bool:
        """Whether it allows everything."""
        return self.all_commands and self.all_keys and self.all_channels

    # What requests ask

    def allows_command(self, number: int, argument: bytes | None) -> bool:
        """Whether a command may run; ``argument`` is its first, behind the name, if it has one."""
        if self.all_commands or (number < len(self.allowed) and self.allowed[number] != 0):
            return True
        words = self.first_arguments.get(number)
        return words is not None and argument is not None and argument.lower() in words

    def allows_key(self, key: bytes, needed: int) -> bool:
        """Whether a key may be named by a command that needs these permissions (READ, WRITE)."""
        if self.all_keys:
            return True
        for pattern, permitted in self.patterns.items():
            if permitted & needed == needed and glob_match(pattern, key):
                return True
        return False

    def allows_every_key(self, needed: int) -> bool:
        """Whether it allows all keys there can be."""
        return self.all_keys or (self.patterns.get(b"*", 0) & needed == needed and b"*" in self.patterns)

    def allows_channel(self, channel: bytes, is_pattern: bool) -> bool:
        """Whether a channel, or as it stands a pattern of channels, may be named."""
        return self.all_channels or channel_allowed(self.channels, channel, is_pattern)

    # Rules

    def apply(self, rule: bytes, catalogue: Catalogue) -> None:
        """Takes one rule; raises RuleError."""
        word = rule.lower()
        if word in (b"allkeys", b"~*", b"resetkeys"):
            self.all_keys = word != b"resetkeys"
            self.patterns = {}
        elif word in (b"allchannels", b"&*", b"resetchannels"):
            self.all_channels = word != b"resetchannels"
            self.channels = {}
        elif word in (b"allcommands", b"+@all", b"nocommands", b"-@all"):
            self._every_command(word in (b"allcommands", b"+@all"), catalogue.size)
        elif word[:1] in (b"~", b"%"):
            self._add_pattern(rule)
        elif word[:1] == b"&":
            self._add_channel(rule[1:])
        elif word[:1] in (b"+", b"-") and word[1:2] == b"@":
            self._category(word, catalogue)
        elif word[:1] == b"+" and b"|" in word:
            self._allow_part(word[1:], catalogue)
        elif word[:1] in (b"+", b"-"):
            self._command(word[:1], _found(catalogue, word[1:]))
        else:
            raise RuleError(_SYNTAX)

    def _every_command(self, allow: bool, size: int) -> None:
        self.all_commands = self.future = allow
        self.allowed = bytearray(b"\x01" * size) if allow else bytearray(size)
        self.first_arguments = {}
        self.rules = []

    def _add_pattern(self, rule: bytes) -> None:
        if self.all_keys:
            raise RuleError(_AFTER_ALL_KEYS)
        permitted, pattern = READ | WRITE, rule[1:]
        if rule[:1] == b"%":
            letters, _, pattern = pattern.partition(b"~")
            permitted = _PERMISSIONS.get(letters.upper(), 0)
            if not permitted:
                raise RuleError(_SYNTAX)
        if has_spaces(pattern):
            raise RuleError(_SYNTAX)
        self.patterns[pattern] = self.patterns.get(pattern, 0) | permitted

    def _add_channel(self, pattern: bytes) -> None:
        if self.all_channels:
            raise RuleError(_AFTER_ALL_CHANNELS)
        if has_spaces(pattern):
            raise RuleError(_SYNTAX)
        self.channels[pattern] = None

    def _category(self, rule: bytes, catalogue: Catalogue) -> None:
        members = catalogue.categories.get(rule[2:])
        if members is None:
            raise RuleError(_UNKNOWN)
        self._note(rule)
        for entry in members:
            self._permit(entry, rule[:1] == b"+")

    def _command(self, sign: bytes, entry: Entry) -> None:
        self._permit(entry, sign == b"+")
        self._note(sign + entry.name)

    def _allow_part(self, name: bytes, catalogue: Catalogue) -> None:
        """``+command|subcommand``, or ``+command|first-argument`` of a command without subcommands."""
        first, _, rest = name.rpartition(b"|")
        entry = _found(catalogue, first)
        if entry.parent is not None:
            raise RuleError(_FIRST_ARGUMENT_OF_SUBCOMMAND)
        if not rest:
            raise RuleError(_SYNTAX)
        if entry.subcommands:
            self._permit(_found(catalogue, name), True)
        else:
            words = self.first_arguments.setdefault(entry.number, [])
            if rest not in words:
                words.append(rest)
        self._note(b"+" + name)

    def _permit(self, entry: Entry, allow: bool) -> None:
        """Allows or forbids a command with all its subcommands."""
        self.allowed[entry.number] = allow
        self.first_arguments.pop(entry.number, None)
        for subcommand in entry.subcommands.values():
            self.allowed[subcommand.number] = allow
        if not allow:
            self.all_commands = False

    def _note(self, rule: bytes) -> None:
        """Keeps a rule for the description, in place of those on the same name and on its subcommands."""
        name = rule[1:]
        self.rules = [old for old in self.rules if old[1:] != name and not old[1:].startswith(name + b"|")]
        self.rules.append(rule)

    # Descriptions

    def describe_commands(self) -> bytes:
        """The rules on commands that give these rights, whatever was allowed before."""
        return b" ".join([b"+@all" if self.future else b"-@all", *self.rules])

    def describe_keys(self) -> bytes:
        """The same for keys."""
        if self.allows_every_key(READ | WRITE):
            # Whatever came beside it: after it a further pattern would not be taken back.
            return b"~*"
        return b" ".join([_PREFIXES[permitted] + pattern for pattern, permitted in self.patterns.items()])

    def describe_channels(self) -> bytes:
        """The same for channels, without the rule that resets them."""
        return b"&*" if self.all_channels else b" ".join([b"&" + pattern for pattern in self.channels])

    def describe(self) -> bytes:
        """All its rules in one line."""
        words = [
            self.describe_keys(),
            b"" if self.all_channels else b"resetchannels",
            self.describe_channels(),
            self.describe_commands(),
        ]
        return b" ".join([word for word in words if word])


_PERMISSIONS: Final = {b"R": READ, b"W": WRITE, b"RW": READ | WRITE, b"WR": READ | WRITE}
_PREFIXES: Final = {READ: b"%R~", WRITE: b"%W~", READ | WRITE: b"~"}


def _found(catalogue: Catalogue, name: bytes) -> Entry:
    entry = catalogue.find(name)
    if entry is None:
        raise RuleError(_UNKNOWN)
    return entry


def channel_allowed(allowed: dict[bytes, None], channel: bytes, is_pattern: bool) -> bool:
    """Whether a channel matches one of the allowed patterns; a pattern has to be one of them."""
    if is_pattern:
        return channel in allowed
    return any(glob_match(pattern, channel) for pattern in allowed)


def hash_password(password: bytes) -> bytes:
    """A password as it is kept: its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(password).hexdigest().encode()


@final
class User:
    """One user.  ``channels_by_default`` (acl-pubsub-default) says whether new selectors allow all channels."""

    def __init__(self, name: bytes, size: int, channels_by_default: bool) -> None:
        self.name = name
        self.enabled = False
        self.needs_no_password = False
        self.sanitizes = True
        self.passwords: list[bytes] = []
        self.selectors: list[Selector] = [Selector(size, channels_by_default)]

    def copy(self) -> User:
        """The same user, to be changed apart from this one."""
        new = User(self.name, 0, False)
        new.take(self)
        return new

    def take(self, other: User) -> None:
        """Becomes the same as another, but for the name."""
        self.enabled = other.enabled
        self.needs_no_password = other.needs_no_password
        self.sanitizes = other.sanitizes
        self.passwords = list(other.passwords)
        self.selectors = [selector.copy() for selector in other.selectors]

    def asks_password(self) -> bool:
        """Whether nobody is this user without having said so."""
        return not self.needs_no_password or not self.enabled

    def accepts(self, password: bytes) -> bool:
        """Whether one may become this user with the password; how long that takes tells nothing of the right ones."""
        if not self.enabled:
            return False
        if self.needs_no_password:
            return True
        offered = hash_password(password)
        good = False
        for known in self.passwords:
            # No stop at the first.
            good = hmac.compare_digest(offered, known) or good
        return good

    def unrestricted(self) -> bool:
        """Whether it may do everything, so that its requests need not be looked at."""
        return any(selector.unrestricted() for selector in self.selectors)

    def allows_channel(self, channel: bytes, is_pattern: bool) -> bool:
        """Whether one of the selectors allows a channel."""
        return any(selector.allows_channel(channel, is_pattern) for selector in self.selectors)

    def apply(self, rule: bytes, catalogue: Catalogue, channels_by_default: bool) -> None:
        """Takes one rule; raises RuleError."""
        word = rule.lower()
        if word in (b"on", b"off"):
            self.enabled = word == b"on"
        elif word in (b"sanitize-payload", b"skip-sanitize-payload"):
            self.sanitizes = word == b"sanitize-payload"
        elif word in (b"nopass", b"resetpass"):
            self.needs_no_password = word == b"nopass"
            self.passwords = []
        elif word[:1] in (b">", b"#", b"<", b"!"):
            self._password(rule)
        elif word[:1] == b"(" and word[-1:] == b")":
            selector = Selector(catalogue.size, channels_by_default)
            for part in split_line(rule[1:-1]) or []:
                selector.apply(part, catalogue)
            self.selectors.append(selector)
        elif word == b"clearselectors":
            del self.selectors[1:]
        elif word == b"reset":
            self.take(User(self.name, catalogue.size, channels_by_default))
        elif word:
            self.selectors[0].apply(rule, catalogue)

    def _password(self, rule: bytes) -> None:
        if rule[:1] in (b">", b"<"):
            digest = hash_password(rule[1:])
        else:
            digest = rule[1:]
            if len(digest) != _HASH_LENGTH or not _HEXADECIMAL.issuperset(digest):
                raise RuleError(_BAD_HASH)
        if rule[:1] in (b">", b"#"):
            if digest not in self.passwords:
                self.passwords.append(digest)
            self.needs_no_password = False
        elif digest in self.passwords:
            self.passwords.remove(digest)
        else:
            raise RuleError(_NO_SUCH_PASSWORD)

    def flags(self) -> list[bytes]:
        """The rules that are one word for the user as a whole."""
        return [
            b"on" if self.enabled else b"off",
            *([b"nopass"] if self.needs_no_password else []),
            b"sanitize-payload" if self.sanitizes else b"skip-sanitize-payload",
        ]

    def describe(self) -> bytes:
        """The rules that make this user out of a new one, in one line."""
        root, *others = [selector.describe() for selector in self.selectors]
        return b" ".join(
            [
                *self.flags(),
                *[b"#" + password for password in self.passwords],
                root,
                *[b"(" + other + b")" for other in others],
            ]
        )


def join_selectors(words: list[bytes]) -> tuple[list[bytes], bytes | None]:
    """Rules with selectors that are spread over several words made one; the word that opens one without an end."""
    joined: list[bytes] = []
    opened = b""
    parts: list[bytes] = []
    for word in words:
        if parts:
            parts.append(word)
            if word[-1:] == b")":
                joined.append(b" ".join(parts))
                parts = []
        elif word[:1] == b"(" and word[-1:] != b")":
            opened = word
            parts = [word]
        else:
            joined.append(word)
    return joined, opened if parts else None
