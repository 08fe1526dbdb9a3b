"""Strings as numbers: INCR and its relatives (https://redis.io/commands/?group=string)."""

from __future__ import annotations

import math
from fractions import Fraction

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import NOT_A_FLOAT, CommandError
from durastore.commands.spec import DENYOOM, FAST, WRITE, command
from durastore.commands.strings import string_of
from durastore.protocol.numbers import (
    INT64_MAX,
    INT64_MIN,
    NotANumber,
    format_long_double,
    parse_long_double,
    round_long_double,
)


def _increment(client: Client, key: bytes, by: i64) -> None:
    db = client.db
    value = db.lookup(key, client.instance.now)
    number: i64 = 0
    if value is not None:
        number = integer_argument(value if isinstance(value, bytes) else string_of(value))
        if (by < 0 and number < INT64_MIN - by) or (by > 0 and number > INT64_MAX - by):
            raise CommandError(b"ERR increment or decrement would overflow")
    digits = str(number + by).encode()
    db.replace(key, digits)
    client.instance.dirty += 1
    client.notify(events.STRING, b"incrby", key)
    out = client.reply.out
    out.append(58)
    out.write(digits)
    out.write(b"\r\n")


@command(
    "incr",
    "key",
    WRITE | DENYOOM | FAST,
    summary="Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
    since="1.0.0",
    keys="RW access update",
)
def incr(client: Client, argv: list[bytes]) -> None:
    """INCR."""
    _increment(client, argv[1], 1)


@command(
    "decr",
    "key",
    WRITE | DENYOOM | FAST,
    summary="Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
    since="1.0.0",
    keys="RW access update",
)
def decr(client: Client, argv: list[bytes]) -> None:
    """DECR."""
    _increment(client, argv[1], -1)


@command(
    "incrby",
    "key increment",
    WRITE | DENYOOM | FAST,
    summary="Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
    since="1.0.0",
    keys="RW access update",
)
def incrby(client: Client, argv: list[bytes]) -> None:
    """INCRBY."""
    _increment(client, argv[1], integer_argument(argv[2]))


@command(
    "decrby",
    "key decrement",
    WRITE | DENYOOM | FAST,
    summary="Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist.",
    since="1.0.0",
    keys="RW access update",
)
def decrby(client: Client, argv: list[bytes]) -> None:
    """DECRBY."""
    by = integer_argument(argv[2])
    if by == INT64_MIN:
        raise CommandError(b"ERR decrement would overflow")
    _increment(client, argv[1], -by)


@command(
    "incrbyfloat",
    "key increment:double",
    WRITE | DENYOOM | FAST,
    summary="Increment the floating point value of a key by a number. Uses 0 as initial value if the key doesn't "
    "exist.",
    since="2.6.0",
    keys="RW access update",
)
def incrbyfloat(client: Client, argv: list[bytes]) -> None:
    """INCRBYFLOAT, in 80-bit precision as Redis computes it."""
    value = client.db.lookup(argv[1], client.instance.now)
    content = b"0" if value is None else string_of(value)
    try:
        number = parse_long_double(content)
        by = parse_long_double(argv[2])
    except NotANumber:
        raise CommandError(NOT_A_FLOAT) from None
    total: Fraction | float = math.inf
    if isinstance(number, Fraction) and isinstance(by, Fraction):
        total = round_long_double(number + by)
    if not isinstance(total, Fraction):
        raise CommandError(b"ERR increment would produce NaN or Infinity")
    digits = format_long_double(total)
    client.db.replace(argv[1], digits)
    client.instance.dirty += 1
    client.notify(events.STRING, b"incrbyfloat", argv[1])
    client.instance.propagate([b"SET", argv[1], digits, b"KEEPTTL"])
    client.reply.bulk(digits)
