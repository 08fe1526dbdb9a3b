"""The expiry of keys: EXPIRE, TTL and their relatives (https://redis.io/commands/?group=generic)."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import absolute_expiry, integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.spec import FAST, READONLY, WRITE, command


def _expire(client: Client, argv: list[bytes], unit: i64, base: i64, name: bytes) -> None:
    nx = xx = gt = lt = False
    for option in argv[3:]:
        word = option.upper()
        if word == b"NX":
            nx = True
        elif word == b"XX":
            xx = True
        elif word == b"GT":
            gt = True
        elif word == b"LT":
            lt = True
        else:
            raise CommandError(b"ERR Unsupported option " + option)
    if nx and (xx or gt or lt):
        raise CommandError(b"ERR NX and XX, GT or LT options at the same time are not compatible")
    if gt and lt:
        raise CommandError(b"ERR GT and LT options at the same time are not compatible")
    when = absolute_expiry(integer_argument(argv[2]), unit, base, name)
    when = max(when, 0)
    instance = client.instance
    db = client.db
    key = argv[1]
    if db.lookup(key, instance.now) is None:
        client.reply.integer(0)
        return
    current = db.get_expiry(key)
    # A key without an expiry counts as one that expires at the end of time.
    if (
        (nx and current != -1)
        or (xx and current == -1)
        or (gt and (current == -1 or when <= current))
        or (lt and current != -1 and when >= current)
    ):
        client.reply.integer(0)
        return
    if when <= instance.now and not client.replaying:
        db.delete(key)
        client.notify(events.GENERIC, b"del", key)
        instance.propagate([b"DEL", key])
    else:
        db.set_expiry(key, when)
        client.notify(events.GENERIC, b"expire", key)
        instance.propagate([b"PEXPIREAT", key, b"%d" % when])
    instance.dirty += 1
    client.reply.integer(1)


_OPTIONS_HISTORY: Final = (("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`."),)


@command(
    "expire",
    "key seconds [condition@7.0.0: NX | XX | GT | LT]",
    WRITE | FAST,
    summary="Sets the expiration time of a key in seconds.",
    since="1.0.0",
    keys="RW update",
    history=_OPTIONS_HISTORY,
)
def expire(client: Client, argv: list[bytes]) -> None:
    """EXPIRE."""
    _expire(client, argv, 1000, client.instance.now, b"expire")


@command(
    "pexpire",
    "key milliseconds [condition@7.0.0: NX | XX | GT | LT]",
    WRITE | FAST,
    summary="Sets the expiration time of a key in milliseconds.",
    since="2.6.0",
    keys="RW update",
    history=_OPTIONS_HISTORY,
)
def pexpire(client: Client, argv: list[bytes]) -> None:
    """PEXPIRE."""
    _expire(client, argv, 1, client.instance.now, b"pexpire")


@command(
    "expireat",
    "key unix-time-seconds [condition@7.0.0: NX | XX | GT | LT]",
    WRITE | FAST,
    summary="Sets the expiration time of a key to a Unix timestamp.",
    since="1.2.0",
    keys="RW update",
    history=_OPTIONS_HISTORY,
)
def expireat(client: Client, argv: list[bytes]) -> None:
    """EXPIREAT."""
    _expire(client, argv, 1000, 0, b"expireat")


@command(
    "pexpireat",
    "key unix-time-milliseconds [condition@7.0.0: NX | XX | GT | LT]",
    WRITE | FAST,
    summary="Sets the expiration time of a key to a Unix milliseconds timestamp.",
    since="2.6.0",
    keys="RW update",
    history=_OPTIONS_HISTORY,
)
def pexpireat(client: Client, argv: list[bytes]) -> None:
    """PEXPIREAT."""
    _expire(client, argv, 1, 0, b"pexpireat")


def _expiry(client: Client, key: bytes) -> i64:
    """When a key expires: -1 never, -2 there is no such key."""
    if client.db.inspect(key, client.instance.now) is None:
        return -2
    return client.db.get_expiry(key)


def _time_left(client: Client, key: bytes) -> i64:
    when = _expiry(client, key)
    return when if when < 0 else max(when - client.instance.now, 0)


@command(
    "ttl",
    "key",
    READONLY | FAST,
    summary="Returns the expiration time in seconds of a key.",
    since="1.0.0",
    keys="RO access",
    tips="nondeterministic_output",
    history=(("2.8.0", "Added the -2 reply."),),
)
def ttl(client: Client, argv: list[bytes]) -> None:
    """TTL, rounded to the nearest second."""
    left = _time_left(client, argv[1])
    client.reply.integer(left if left < 0 else (left + 500) // 1000)


@command(
    "pttl",
    "key",
    READONLY | FAST,
    summary="Returns the expiration time in milliseconds of a key.",
    since="2.6.0",
    keys="RO access",
    tips="nondeterministic_output",
    history=(("2.8.0", "Added the -2 reply."),),
)
def pttl(client: Client, argv: list[bytes]) -> None:
    """PTTL."""
    client.reply.integer(_time_left(client, argv[1]))


@command(
    "expiretime",
    "key",
    READONLY | FAST,
    summary="Returns the expiration time of a key as a Unix timestamp.",
    since="7.0.0",
    keys="RO access",
)
def expiretime(client: Client, argv: list[bytes]) -> None:
    """EXPIRETIME."""
    when = _expiry(client, argv[1])
    client.reply.integer(when if when < 0 else (when + 500) // 1000)


@command(
    "pexpiretime",
    "key",
    READONLY | FAST,
    summary="Returns the expiration time of a key as a Unix milliseconds timestamp.",
    since="7.0.0",
    keys="RO access",
)
def pexpiretime(client: Client, argv: list[bytes]) -> None:
    """PEXPIRETIME."""
    client.reply.integer(_expiry(client, argv[1]))


@command(
    "persist", "key", WRITE | FAST, summary="Removes the expiration time of a key.", since="2.2.0", keys="RW update"
)
def persist(client: Client, argv: list[bytes]) -> None:
    """PERSIST."""
    if client.db.lookup(argv[1], client.instance.now) is None or not client.db.clear_expiry(argv[1]):
        client.reply.integer(0)
        return
    client.instance.dirty += 1
    client.notify(events.GENERIC, b"persist", argv[1])
    client.reply.integer(1)
