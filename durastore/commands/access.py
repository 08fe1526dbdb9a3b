"""All users of one server, and what was refused to them: the state behind ACL."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands.users import Catalogue, RuleError, User, join_selectors

DEFAULT: Final = b"default"
# Why something was refused.
COMMAND: Final = 0
KEY: Final = 1
CHANNEL: Final = 2
AUTH: Final = 3
# Entries of the log that are alike become one where this many milliseconds at most lie between them ...
_ALIKE_FOR: Final = 60_000
# ... and the older one is among so many of the newest.
_LOOKED_AT: Final = 10


@final
class Refusal:
    """An entry of ACL LOG.  Times are Unix milliseconds."""

    def __init__(
        self, reason: int, context: bytes, subject: bytes, user: bytes, client: bytes, number: int, now: i64
    ) -> None:
        self.reason = reason
        # toplevel, multi or lua
        self.context = context
        self.subject = subject
        self.user = user
        # The line of CLIENT LIST, of the last time.
        self.client = client
        self.number = number
        self.created: i64 = now
        self.updated: i64 = now
        self.count = 1

    def like(self, other: Refusal) -> bool:
        """Whether two entries tell the same, at about the same time."""
        return (
            self.reason == other.reason
            and self.context == other.context
            and self.subject == other.subject
            and self.user == other.user
            and -_ALIKE_FOR <= self.updated - other.updated <= _ALIKE_FOR
        )


@final
class Access:
    """The users by their names, among them always the default one, and the log of what was refused."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        # acl-pubsub-default
        self.channels_by_default = False
        self.default = self._first_user()
        self.users: dict[bytes, User] = {DEFAULT: self.default}
        # How often something was refused, by reason.
        self.refused = [0, 0, 0, 0]
        # Newest first; acllog-max-len is the limit.
        self.log: list[Refusal] = []
        self.log_limit = 128
        self._numbers = 0

    def _first_user(self) -> User:
        """The default user as it is where nobody said anything: everybody, without a password, may do everything."""
        user = self.new_user(DEFAULT)
        for rule in (b"on", b"nopass", b"+@all", b"~*", b"&*"):
            self.apply(user, rule)
        return user

    def new_user(self, name: bytes) -> User:
        """A user who may do nothing, and is not one of the server's yet."""
        return User(name, self.catalogue.size, self.channels_by_default)

    def apply(self, user: User, rule: bytes) -> None:
        """Takes one rule; raises RuleError."""
        user.apply(rule, self.catalogue, self.channels_by_default)

    def changed(self, name: bytes, rules: list[bytes]) -> User:
        """The user of this name as the rules would make it; raises RuleError with the whole text."""
        joined, opened = join_selectors(rules)
        if opened is not None:
            raise RuleError(b"Unmatched parenthesis in acl selector starting at '" + opened + b"'.")
        old = self.users.get(name)
        user = old.copy() if old is not None else self.new_user(name)
        for rule in joined:
            try:
                self.apply(user, rule)
            except RuleError as error:
                raise RuleError(b"Error in ACL SETUSER modifier '" + rule + b"': " + error.text) from None
        return user

    def put(self, user: User) -> None:
        """Makes a user one of the server's: whoever is connected under its name has its rights from now on."""
        old = self.users.get(user.name)
        if old is None:
            self.users[user.name] = user
        else:
            old.take(user)

    def replace_all(self, users: dict[bytes, User]) -> None:
        """Makes these the users; the default one is as it was made where it is not among them."""
        self.default.take(users.get(DEFAULT) or self._first_user())
        self.users = {**users, DEFAULT: self.default}

    def set_password(self, password: bytes) -> None:
        """requirepass: the one password of the default user; empty: none is needed."""
        self.apply(self.default, b"resetpass")
        self.apply(self.default, b">" + password if password else b"nopass")

    def describe(self) -> list[bytes]:
        """A line for each user that makes it anew, ordered by name."""
        return [b"user " + name + b" " + self.users[name].describe() for name in sorted(self.users)]

    def note(self, reason: int, context: bytes, subject: bytes, user: bytes, client: bytes, now: i64) -> None:
        """Counts and logs that something was refused."""
        self.refused[reason] += 1
        if self.log_limit == 0:
            self.log = []
            return
        entry = Refusal(reason, context, subject, user, client, self._numbers, now)
        for i, old in enumerate(self.log[:_LOOKED_AT]):
            if old.like(entry):
                old.client = client
                old.updated = now
                old.count += 1
                del self.log[i]
                self.log.insert(0, old)
                return
        self._numbers += 1
        self.log.insert(0, entry)
        del self.log[self.log_limit :]


def lost_channels(old: User, new: User) -> dict[bytes, None] | None:
    """The patterns of channels that a user keeps where the new rules take some away, otherwise None."""
    kept: dict[bytes, None] = {}
    for selector in new.selectors:
        if selector.all_channels:
            return None
        kept.update(selector.channels)
    for selector in old.selectors:
        if selector.all_channels or not all(pattern in kept for pattern in selector.channels):
            return kept
    return None
