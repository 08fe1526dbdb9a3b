"""Arguments that many commands take."""

from __future__ import annotations

import math
from typing import Final

from mypy_extensions import i64

from durastore.commands.client import Client
from durastore.commands.errors import NOT_AN_INTEGER, CommandError
from durastore.keyspace.database import Database
from durastore.protocol.numbers import INT64_MAX, INT64_MIN, NotANumber, parse_int, parse_long_double, round_long_double

INT32_MIN: Final = -(1 << 31)
INT32_MAX: Final = (1 << 31) - 1


def integer_argument(text: bytes) -> i64:
    """A 64-bit integer argument."""
    try:
        return parse_int(text)
    except NotANumber:
        raise CommandError(NOT_AN_INTEGER) from None


def int_argument(text: bytes) -> i64:
    """A 32-bit integer argument."""
    value = integer_argument(text)
    if value < INT32_MIN or value > INT32_MAX:
        raise CommandError(b"ERR value is out of range, value must between %d and %d" % (INT32_MIN, INT32_MAX))
    return value


def expire_time(text: bytes, unit: i64, base: i64, name: bytes) -> i64:
    """An expiry argument as Unix milliseconds.

    ``unit`` is how many milliseconds one stands for, ``base`` the time that it counts from.
    """
    value = integer_argument(text)
    if value <= 0:
        raise CommandError(b"ERR invalid expire time in '" + name + b"' command")
    return absolute_expiry(value, unit, base, name)


def absolute_expiry(value: i64, unit: i64, base: i64, name: bytes) -> i64:
    """``value * unit + base``, or an error where that is no 64-bit integer."""
    if value > INT64_MAX // unit or value < INT64_MIN // unit or value * unit > INT64_MAX - base:
        raise CommandError(b"ERR invalid expire time in '" + name + b"' command")
    return value * unit + base


def database_argument(client: Client, text: bytes) -> Database:
    """The database that a number names."""
    index = int_argument(text)
    databases = client.instance.keyspace.databases
    if index < 0 or index >= len(databases):
        raise CommandError(b"ERR DB index is out of range")
    return databases[index]


_TIMEOUT_OUT_OF_RANGE: Final = b"ERR timeout is out of range"


def timeout_argument(client: Client, text: bytes) -> i64:
    """A timeout in seconds, with fractions, as the Unix milliseconds at which it ends; 0 stays 0: never."""
    now: i64 = client.instance.now
    if len(text) < 10 and text.isdigit():
        seconds = int(text)
        return now + seconds * 1000 if seconds else 0
    try:
        exact = parse_long_double(text)
    except NotANumber:
        raise CommandError(b"ERR timeout is not a float or out of range") from None
    # In the precision in which Redis multiplies: 0.001 is one millisecond, not a bit more.
    product = exact if isinstance(exact, float) else round_long_double(exact * 1000)
    if product > INT64_MAX:
        raise CommandError(_TIMEOUT_OUT_OF_RANGE)
    milliseconds = -1 if product == -math.inf else math.ceil(product)
    if milliseconds < 0:
        raise CommandError(b"ERR timeout is negative")
    if milliseconds > INT64_MAX - now:
        raise CommandError(_TIMEOUT_OUT_OF_RANGE)
    return now + milliseconds if milliseconds > 0 else 0


def timeout_milliseconds_argument(client: Client, text: bytes) -> i64:
    """A timeout in milliseconds, as ``timeout_argument``."""
    try:
        milliseconds = parse_int(text)
    except NotANumber:
        raise CommandError(b"ERR timeout is not an integer or out of range") from None
    if milliseconds < 0:
        raise CommandError(b"ERR timeout is negative")
    now: i64 = client.instance.now
    if milliseconds > INT64_MAX - now:
        raise CommandError(_TIMEOUT_OUT_OF_RANGE)
    return now + milliseconds if milliseconds > 0 else 0
