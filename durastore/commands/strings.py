"""String commands (https://redis.io/commands/?group=string)."""

from __future__ import annotations

import math
from array import array
from fractions import Fraction
from typing import Final

from mypy_extensions import i64

from durastore.commands.client import Client
from durastore.commands.errors import NOT_A_FLOAT, NOT_AN_INTEGER, SYNTAX, WRONG_TYPE, CommandError, wrong_arity
from durastore.commands.spec import DENYOOM, FAST, READONLY, WRITE, command
from durastore.keyspace.values import RawString
from durastore.protocol.numbers import (
    INT64_MAX,
    INT64_MIN,
    NotANumber,
    format_long_double,
    parse_int,
    parse_long_double,
    round_long_double,
)

_TOO_LONG: Final = b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"


def string_of(value: object) -> bytes:
    """The content of a string value; raises CommandError for any other type."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, RawString):
        return bytes(value.data)
    raise CommandError(WRONG_TYPE)


def integer_argument(text: bytes) -> i64:
    """A 64-bit integer argument."""
    try:
        return parse_int(text)
    except NotANumber:
        raise CommandError(NOT_AN_INTEGER) from None


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


@command("get", "key", READONLY | FAST, summary="Returns the string value of a key.", since="1.0.0", keys="RO access")
def get(client: Client, argv: list[bytes]) -> None:
    """GET: the value, or the null."""
    value = client.db.lookup_read(argv[1], client.instance.now)
    if value is None:
        client.reply.null()
    elif isinstance(value, bytes):
        client.reply.bulk(value)
    else:
        client.reply.bulk(string_of(value))


class _SetOptions:
    """The options of SET and GETEX."""

    def __init__(self) -> None:
        self.nx = False
        self.xx = False
        self.get = False
        self.keep_ttl = False
        self.persist = False
        self.expire: bytes | None = None
        self.unit: i64 = 1
        self.absolute = False


def _set_options(argv: list[bytes], first: i64, getex: bool) -> _SetOptions:
    options = _SetOptions()
    i: i64 = first
    size: i64 = len(argv)
    while i < size:
        word = argv[i].upper()
        has_expiry = options.expire is not None or options.keep_ttl or options.persist
        if word == b"NX" and not getex and not options.xx:
            options.nx = True
        elif word == b"XX" and not getex and not options.nx:
            options.xx = True
        elif word == b"GET" and not getex:
            options.get = True
        elif word == b"KEEPTTL" and not getex and options.expire is None:
            options.keep_ttl = True
        elif word == b"PERSIST" and getex and options.expire is None:
            options.persist = True
        elif word in (b"EX", b"PX", b"EXAT", b"PXAT") and not has_expiry and i + 1 < size:
            options.unit = 1000 if word[0] == 69 else 1
            options.absolute = len(word) == 4
            options.expire = argv[i + 1]
            i += 1
        else:
            raise CommandError(SYNTAX)
        i += 1
    return options


@command(
    "set",
    "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | "
    "PXAT unix-time-milliseconds | KEEPTTL]",
    WRITE | DENYOOM,
    summary="Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
    since="1.0.0",
    keys="RW access update variable_flags",
    history=(
        ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
        ("6.0.0", "Added the `KEEPTTL` option."),
        ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
        ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
    ),
)
def set_(client: Client, argv: list[bytes]) -> None:
    """SET."""
    if len(argv) == 3:
        client.db.set(argv[1], argv[2])
        client.instance.dirty += 1
        client.reply.ok()
        return
    options = _set_options(argv, 3, False)
    instance = client.instance
    now: i64 = instance.now
    db = client.db
    key = argv[1]
    when: i64 = -1
    if options.expire is not None:
        when = expire_time(options.expire, options.unit, 0 if options.absolute else now, b"set")
    old: object | None = None
    if options.get:
        old = db.lookup_read(key, now)
        if old is not None:
            old = string_of(old)
    if options.nx or options.xx:
        exists = db.lookup(key, now) is not None
        if exists == options.nx:
            if options.get:
                client.reply.bulk_or_null(None if old is None else string_of(old))
            else:
                client.reply.null()
            return
    if options.keep_ttl:
        db.lookup(key, now)
        db.replace(key, argv[2])
    else:
        db.set_with_expiry(key, argv[2], when)
    instance.dirty += 1
    if when != -1:
        instance.propagate([b"SET", key, argv[2], b"PXAT", b"%d" % when])
    elif options.get:
        instance.propagate([argv[0], key, argv[2], *[word for word in argv[3:] if word.upper() != b"GET"]])
    if options.get:
        client.reply.bulk_or_null(None if old is None else string_of(old))
    else:
        client.reply.ok()


@command(
    "setnx",
    "key value",
    WRITE | DENYOOM | FAST,
    summary="Set the string value of a key only when the key doesn't exist.",
    since="1.0.0",
    keys="OW insert",
    deprecated=("2.6.12", "`SET` with the `NX` argument"),
)
def setnx(client: Client, argv: list[bytes]) -> None:
    """SETNX."""
    if client.db.lookup(argv[1], client.instance.now) is not None:
        client.reply.integer(0)
        return
    client.db.set(argv[1], argv[2])
    client.instance.dirty += 1
    client.reply.integer(1)


def _set_expiring(client: Client, argv: list[bytes], unit: i64, name: bytes) -> None:
    when = expire_time(argv[2], unit, client.instance.now, name)
    client.db.set_with_expiry(argv[1], argv[3], when)
    client.instance.dirty += 1
    client.instance.propagate([b"SET", argv[1], argv[3], b"PXAT", b"%d" % when])
    client.reply.ok()


@command(
    "setex",
    "key seconds value",
    WRITE | DENYOOM,
    summary="Sets the string value and expiration time of a key. Creates the key if it doesn't exist.",
    since="2.0.0",
    keys="OW update",
    deprecated=("2.6.12", "`SET` with the `EX` argument"),
)
def setex(client: Client, argv: list[bytes]) -> None:
    """SETEX."""
    _set_expiring(client, argv, 1000, b"setex")


@command(
    "psetex",
    "key milliseconds value",
    WRITE | DENYOOM,
    summary="Sets both string value and expiration time in milliseconds of a key. The key is created if it doesn't "
    "exist.",
    since="2.6.0",
    keys="OW update",
    deprecated=("2.6.12", "`SET` with the `PX` argument"),
)
def psetex(client: Client, argv: list[bytes]) -> None:
    """PSETEX."""
    _set_expiring(client, argv, 1, b"psetex")


@command(
    "getset",
    "key value",
    WRITE | DENYOOM | FAST,
    summary="Returns the previous string value of a key after setting it to a new value.",
    since="1.0.0",
    keys="RW access update",
    deprecated=("6.2.0", "`SET` with the `!GET` argument"),
)
def getset(client: Client, argv: list[bytes]) -> None:
    """GETSET."""
    old = client.db.lookup_read(argv[1], client.instance.now)
    previous = None if old is None else string_of(old)
    client.db.set(argv[1], argv[2])
    client.instance.dirty += 1
    client.instance.propagate([b"SET", argv[1], argv[2]])
    client.reply.bulk_or_null(previous)


@command(
    "getdel",
    "key",
    WRITE | FAST,
    summary="Returns the string value of a key after deleting the key.",
    since="6.2.0",
    keys="RW access delete",
)
def getdel(client: Client, argv: list[bytes]) -> None:
    """GETDEL."""
    value = client.db.lookup_read(argv[1], client.instance.now)
    if value is None:
        client.reply.null()
        return
    client.reply.bulk(string_of(value))
    client.db.delete(argv[1])
    client.instance.dirty += 1
    client.instance.propagate([b"DEL", argv[1]])


@command(
    "getex",
    "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    WRITE | FAST,
    summary="Returns the string value of a key after setting its expiration time.",
    since="6.2.0",
    keys="RW access update",
)
def getex(client: Client, argv: list[bytes]) -> None:
    """GETEX."""
    options = _set_options(argv, 2, True)
    instance = client.instance
    now: i64 = instance.now
    value = client.db.lookup_read(argv[1], now)
    if value is None:
        client.reply.null()
        return
    content = string_of(value)
    if options.expire is not None:
        when = expire_time(options.expire, options.unit, 0 if options.absolute else now, b"getex")
        if when <= now and options.absolute and not client.replaying:
            client.db.delete(argv[1])
            instance.propagate([b"DEL", argv[1]])
        else:
            client.db.set_expiry(argv[1], when)
            instance.propagate([b"PEXPIREAT", argv[1], b"%d" % when])
        instance.dirty += 1
    elif options.persist and client.db.clear_expiry(argv[1]):
        instance.propagate([b"PERSIST", argv[1]])
        instance.dirty += 1
    client.reply.bulk(content)


@command(
    "mget",
    "key [key ...]",
    READONLY | FAST,
    summary="Atomically returns the string values of one or more keys.",
    since="1.0.0",
    complexity="O(N) where N is the number of keys to retrieve.",
    keys="RO access",
    tips="request_policy:multi_shard",
)
def mget(client: Client, argv: list[bytes]) -> None:
    """MGET: the null for keys that are missing or hold another type."""
    now: i64 = client.instance.now
    db = client.db
    reply = client.reply
    size: i64 = len(argv)
    reply.array(size - 1)
    i: i64 = 1
    while i < size:
        value = db.lookup_read(argv[i], now)
        if isinstance(value, bytes):
            reply.bulk(value)
        elif isinstance(value, RawString):
            reply.bulk(bytes(value.data))
        else:
            reply.null()
        i += 1


@command(
    "mset",
    "key value [key value ...]",
    WRITE | DENYOOM,
    summary="Atomically creates or modifies the string values of one or more keys.",
    since="1.0.1",
    complexity="O(N) where N is the number of keys to set.",
    keys="OW update",
    tips="request_policy:multi_shard response_policy:all_succeeded",
)
def mset(client: Client, argv: list[bytes]) -> None:
    """MSET."""
    size: i64 = len(argv)
    if size % 2 == 0:
        raise CommandError(wrong_arity(b"mset"))
    db = client.db
    i: i64 = 1
    while i < size:
        db.set(argv[i], argv[i + 1])
        i += 2
    client.instance.dirty += (size - 1) // 2
    client.reply.ok()


@command(
    "msetnx",
    "key value [key value ...]",
    WRITE | DENYOOM,
    summary="Atomically modifies the string values of one or more keys only when all keys don't exist.",
    since="1.0.1",
    complexity="O(N) where N is the number of keys to set.",
    keys="OW insert",
)
def msetnx(client: Client, argv: list[bytes]) -> None:
    """MSETNX."""
    if len(argv) % 2 == 0:
        raise CommandError(wrong_arity(b"msetnx"))
    now = client.instance.now
    db = client.db
    for i in range(1, len(argv), 2):
        if db.lookup(argv[i], now) is not None:
            client.reply.integer(0)
            return
    for i in range(1, len(argv), 2):
        db.set(argv[i], argv[i + 1])
    client.instance.dirty += (len(argv) - 1) // 2
    client.reply.integer(1)


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
    client.instance.propagate([b"SET", argv[1], digits, b"KEEPTTL"])
    client.reply.bulk(digits)


@command(
    "append",
    "key value",
    WRITE | DENYOOM | FAST,
    summary="Appends a string to the value of a key. Creates the key if it doesn't exist.",
    since="2.0.0",
    complexity="O(1). The amortized time complexity is O(1) assuming the appended value is small and the already "
    "present value is of any size, since the dynamic string library used by Redis will double the free space "
    "available on every reallocation.",
    keys="RW insert",
)
def append(client: Client, argv: list[bytes]) -> None:
    """APPEND: the value becomes one that grows in place."""
    db = client.db
    key = argv[1]
    value = db.lookup(key, client.instance.now)
    if value is None:
        db.set(key, argv[2])
        size: i64 = len(argv[2])
    else:
        size = _length(value) + len(argv[2])
        if size > client.instance.max_bulk:
            raise CommandError(_TOO_LONG)
        raw = _raw(client, key, value)
        raw.data += argv[2]
    client.instance.dirty += 1
    client.reply.integer(size)


def _length(value: object) -> i64:
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, RawString):
        return len(value.data)
    raise CommandError(WRONG_TYPE)


def _raw(client: Client, key: bytes, value: object) -> RawString:
    """The stored string in the form that may be changed in place."""
    if isinstance(value, bytes):
        raw = RawString(bytearray(value))
        client.db.replace(key, raw)
        return raw
    assert isinstance(value, RawString)
    writable = client.db.writable(key, value)
    assert isinstance(writable, RawString)
    return writable


@command(
    "strlen",
    "key",
    READONLY | FAST,
    summary="Returns the length of a string value.",
    since="2.2.0",
    keys="RO",
)
def strlen(client: Client, argv: list[bytes]) -> None:
    """STRLEN."""
    value = client.db.lookup_read(argv[1], client.instance.now)
    client.reply.integer(0 if value is None else _length(value))


def _getrange(client: Client, argv: list[bytes]) -> None:
    start = integer_argument(argv[2])
    end = integer_argument(argv[3])
    value = client.db.lookup_read(argv[1], client.instance.now)
    size: i64 = 0 if value is None else _length(value)
    if start < 0 and end < 0 and start > end:
        client.reply.bulk(b"")
        return
    if start < 0:
        start = max(size + start, 0)
    if end < 0:
        end = max(size + end, 0)
    if end >= size:
        end = size - 1
    if start > end or size == 0:
        client.reply.bulk(b"")
    elif isinstance(value, bytes):
        client.reply.bulk(value[start : end + 1])
    else:
        assert isinstance(value, RawString)
        client.reply.bulk(bytes(value.data[start : end + 1]))


@command(
    "getrange",
    "key start end",
    READONLY,
    summary="Returns a substring of the string stored at a key.",
    since="2.4.0",
    complexity="O(N) where N is the length of the returned string. The complexity is ultimately determined by the "
    "returned length, but because creating a substring from an existing string is very cheap, it can be considered "
    "O(1) for small strings.",
    keys="RO access",
)
def getrange(client: Client, argv: list[bytes]) -> None:
    """GETRANGE."""
    _getrange(client, argv)


@command(
    "substr",
    "key start end",
    READONLY,
    summary="Returns a substring from a string value.",
    since="1.0.0",
    complexity="O(N) where N is the length of the returned string. The complexity is ultimately determined by the "
    "returned length, but because creating a substring from an existing string is very cheap, it can be considered "
    "O(1) for small strings.",
    keys="RO access",
    deprecated=("2.0.0", "`GETRANGE`"),
)
def substr(client: Client, argv: list[bytes]) -> None:
    """SUBSTR."""
    _getrange(client, argv)


@command(
    "setrange",
    "key offset value",
    WRITE | DENYOOM,
    summary="Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist.",
    since="2.2.0",
    complexity="O(1), not counting the time taken to copy the new string in place. Usually, this string is very "
    "small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value "
    "argument.",
    keys="RW update",
)
def setrange(client: Client, argv: list[bytes]) -> None:
    """SETRANGE."""
    offset = integer_argument(argv[2])
    if offset < 0:
        raise CommandError(b"ERR offset is out of range")
    db = client.db
    key = argv[1]
    patch = argv[3]
    value = db.lookup(key, client.instance.now)
    size: i64 = 0 if value is None else _length(value)
    if not patch:
        client.reply.integer(size)
        return
    if offset > client.instance.max_bulk - len(patch):
        raise CommandError(_TOO_LONG)
    end: i64 = offset + len(patch)
    if value is None:
        raw = RawString(bytearray(end))
        db.set(key, raw)
    else:
        raw = _raw(client, key, value)
        if len(raw.data) < end:
            raw.data.extend(bytes(end - len(raw.data)))
    raw.data[offset:end] = patch
    client.instance.dirty += 1
    client.reply.integer(len(raw.data))


@command(
    "lcs",
    "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    READONLY,
    summary="Finds the longest common substring.",
    since="7.0.0",
    complexity="O(N*M) where N and M are the lengths of s1 and s2, respectively",
    keys="RO access",
)
def lcs(client: Client, argv: list[bytes]) -> None:
    """LCS: the longest common subsequence of two strings, its length, or where its pieces stand."""
    now = client.instance.now
    values = [client.db.lookup_read(key, now) for key in argv[1:3]]
    for value in values:
        if value is not None and not isinstance(value, (bytes, RawString)):
            raise CommandError(b"ERR The specified keys must contain string values")
    a, b = (b"" if value is None else string_of(value) for value in values)
    want_length = want_positions = with_length = False
    least: i64 = 0
    i = 3
    while i < len(argv):
        word = argv[i].upper()
        if word == b"IDX":
            want_positions = True
        elif word == b"LEN":
            want_length = True
        elif word == b"WITHMATCHLEN":
            with_length = True
        elif word == b"MINMATCHLEN" and i + 1 < len(argv):
            least = max(integer_argument(argv[i + 1]), 0)
            i += 1
        else:
            raise CommandError(SYNTAX)
        i += 1
    if want_positions and want_length:
        raise CommandError(b"ERR If you want both the length and indexes, please just use IDX.")
    width: i64 = len(b) + 1
    cells: i64 = (len(a) + 1) * width
    if cells > client.instance.max_bulk // 4:
        raise CommandError(b"ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
    table = _lcs_table(a, b)
    length: i64 = table[cells - 1]
    if want_length:
        client.reply.integer(length)
        return
    pieces, text = _lcs_walk(table, a, b, length)
    if not want_positions:
        client.reply.bulk(text)
        return
    pieces = [piece for piece in pieces if piece[1] - piece[0] + 1 >= least]
    reply = client.reply
    reply.map(2)
    reply.bulk(b"matches")
    reply.array(len(pieces))
    for a_first, a_last, b_first, b_last in pieces:
        reply.array(3 if with_length else 2)
        reply.array(2)
        reply.integer(a_first)
        reply.integer(a_last)
        reply.array(2)
        reply.integer(b_first)
        reply.integer(b_last)
        if with_length:
            reply.integer(a_last - a_first + 1)
    reply.bulk(b"len")
    reply.integer(length)


def _lcs_table(a: bytes, b: bytes) -> array[int]:
    """The dynamic programming table, row by row, of ``(len(a) + 1) * (len(b) + 1)`` lengths."""
    width: i64 = len(b) + 1
    table = array("I", bytes(4 * (len(a) + 1) * width))
    row: list[int] = [0] * width
    i: i64 = 1
    while i <= len(a):
        c: i64 = a[i - 1]
        fresh: list[int] = [0] * width
        left: i64 = 0
        j: i64 = 1
        while j < width:
            if b[j - 1] == c:
                left = row[j - 1] + 1
            else:
                up: i64 = row[j]
                if up > left:
                    left = up
            fresh[j] = left
            j += 1
        table[i * width : (i + 1) * width] = array("I", fresh)
        row = fresh
        i += 1
    return table


def _lcs_walk(table: array[int], a: bytes, b: bytes, length: i64) -> tuple[list[tuple[int, int, int, int]], bytes]:
    """The pieces that both strings share, last first, and the common subsequence itself."""
    width: i64 = len(b) + 1
    text = bytearray(length)
    left: i64 = length
    pieces: list[tuple[int, int, int, int]] = []
    # The piece that is being read backwards: its last and its first positions; a_first is len(a) while there is none.
    none: i64 = len(a)
    a_first: i64 = none
    a_last: i64 = 0
    b_first: i64 = 0
    b_last: i64 = 0
    i: i64 = len(a)
    j: i64 = len(b)
    while i > 0 and j > 0:
        emit = False
        if a[i - 1] == b[j - 1]:
            text[left - 1] = a[i - 1]
            left -= 1
            if a_first == none:
                a_first = a_last = i - 1
                b_first = b_last = j - 1
            elif a_first == i and b_first == j:
                a_first -= 1
                b_first -= 1
            else:
                emit = True
            if a_first == 0 or b_first == 0:
                emit = True
            i -= 1
            j -= 1
        else:
            up: i64 = table[(i - 1) * width + j]
            before: i64 = table[i * width + j - 1]
            if up > before:
                i -= 1
            else:
                j -= 1
            if a_first != none:
                emit = True
        if emit:
            pieces.append((a_first, a_last, b_first, b_last))
            a_first = none
    return pieces, bytes(text)
