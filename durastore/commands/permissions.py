"""Whether a request may run: what a user's rules say of a command, its keys and its channels."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands.access import CHANNEL, COMMAND, KEY
from durastore.commands.client import Client
from durastore.commands.client_line import describe
from durastore.commands.spec import NO_AUTH, PATTERNS, PUBLISHES, SUBSCRIBES
from durastore.commands.tablerow import Command
from durastore.commands.users import READ, WRITE, Selector, User

_NO_KEY: Final = "not_key"
_CHANGING: Final = ("insert", "update", "delete")
# What EXEC says of a command that was still allowed when it was queued, by reason.
_CHANGED: Final = (
    b"no permission to execute the command or subcommand",
    b"no permission to touch the specified keys",
    b"no permission to access one of the channels used as arguments",
)


@final
class Denial:
    """Why a request is not allowed, and the word of it that is at fault (0 where that is the command)."""

    def __init__(self, reason: int, position: int) -> None:
        self.reason = reason
        self.position = position


@final
class _Asked:
    """What a request asks for.  Its keys are looked for once, however many selectors there are."""

    def __init__(self, command: Command, argv: list[bytes]) -> None:
        self.command = command
        self.argv = argv
        behind = 2 if b"|" in command.name else 1
        self.argument = argv[behind] if len(argv) > behind else None
        self._keys: list[tuple[int, int]] | None = None

    def wanted_keys(self) -> list[tuple[int, int]]:
        """Positions of keys, and the permissions that the command needs on each."""
        if self._keys is None:
            self._keys = [
                (position, _needed(flags))
                for position, flags in self.command.keys_of(self.argv) or []
                if _NO_KEY not in flags
            ]
        return self._keys

    def channels(self) -> range:
        """Positions of channels, or of patterns of channels."""
        flags: i64 = self.command.flags
        if flags & PUBLISHES:
            return range(1, 2)
        return range(1, len(self.argv)) if flags & (SUBSCRIBES | PATTERNS) else range(0)


def _needed(flags: list[str]) -> int:
    needed = READ if "access" in flags else 0
    for flag in _CHANGING:
        if flag in flags:
            return needed | WRITE
    return needed


def _denied_by(selector: Selector, asked: _Asked) -> Denial | None:
    """Why one selector does not allow a request."""
    command = asked.command
    if not command.flags & NO_AUTH and not selector.allows_command(command.number, asked.argument):
        return Denial(COMMAND, 0)
    if not selector.all_keys and command.key_specs:
        for position, needed in asked.wanted_keys():
            if not selector.allows_key(asked.argv[position], needed):
                return Denial(KEY, position)
    if not selector.all_channels:
        for position in asked.channels():
            if not selector.allows_channel(asked.argv[position], bool(command.flags & PATTERNS)):
                return Denial(CHANNEL, position)
    return None


def denial(user: User, command: Command, argv: list[bytes]) -> Denial | None:
    """Why a user may not run a request, or None.

    Of the selectors' reasons it is the one that came nearest to allowing it: of those the last word at fault.
    """
    asked = _Asked(command, argv)
    nearest = Denial(COMMAND, 0)
    for selector in user.selectors:
        found = _denied_by(selector, asked)
        if found is None:
            return None
        if (found.reason, found.position) > (nearest.reason, nearest.position):
            nearest = found
    return nearest


def allows_every_key(client: Client, argv: list[bytes]) -> bool:
    """Whether the client may run the request even if it read any key whatever."""
    if not client.restricted:
        return True
    command = client.instance.dispatcher.find_command(argv)
    assert isinstance(command, Command)
    asked = _Asked(command, argv)
    return any(
        _denied_by(selector, asked) is None and selector.allows_every_key(READ) for selector in client.user.selectors
    )


def check(client: Client, command: Command, argv: list[bytes], context: bytes) -> Denial | None:
    """As ``denial`` for the client's user; what is not allowed is counted and logged.

    ``context`` is what ACL LOG says of where the request came from: toplevel, multi or lua.
    """
    found = denial(client.user, command, argv) if client.restricted else None
    if found is not None:
        subject = command.name if found.reason == COMMAND else argv[found.position]
        instance = client.instance
        instance.access.note(
            found.reason, context, subject, client.user.name, describe(client, int(instance.now)), instance.now
        )
    return found


def explain(found: Denial, user: User, command: Command) -> bytes:
    """What the client is told; it names no key and no channel."""
    if found.reason == COMMAND:
        return b"User " + user.name + b" has no permissions to run the '" + command.name + b"' command"
    return b"No permissions to access a " + (b"key" if found.reason == KEY else b"channel")


def explain_to_admin(found: Denial, user: User, command: Command, argv: list[bytes]) -> bytes:
    """What ACL DRYRUN says."""
    if found.reason == COMMAND:
        return explain(found, user, command)
    kind = b"key" if found.reason == KEY else b"channel"
    return b"User " + user.name + b" has no permissions to access the '" + argv[found.position] + b"' " + kind


def explain_at_exec(found: Denial) -> bytes:
    """The error for a command of a transaction that was allowed when it was queued."""
    return (
        b"NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command "
        b"is no longer allowed for the following reason: " + _CHANGED[found.reason]
    )
