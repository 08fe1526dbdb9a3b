"""Hash commands (https://redis.io/commands/?group=hash); expiring fields have ``hash_expiry``."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import NOT_A_FLOAT, SYNTAX, WRONG_TYPE, CommandError, wrong_arity
from durastore.commands.packed_bulks import packed_bulks
from durastore.commands.scanning import ScanOptions, cursor_argument, reply_scan
from durastore.commands.spec import DENYOOM, FAST, READONLY, WRITE, command
from durastore.keyspace.chunked import NEVER
from durastore.keyspace.hashes import Hash, build_hash
from durastore.keyspace.listpack import HEADER, next_element
from durastore.protocol.numbers import (
    INT64_MAX,
    INT64_MIN,
    NotANumber,
    format_long_double,
    parse_int,
    parse_long_double,
    round_long_double,
)

# The most random fields that one reply may hold: Redis would write on until its memory ends.
MOST_RANDOM: Final = 1 << 28
# How many expired fields a command that looks at the whole hash removes first.
_DUE_AT_ONCE: Final = 1000


def hash_of(value: object) -> Hash:
    """A value that must be a hash; raises CommandError for any other type."""
    if not isinstance(value, Hash):
        raise CommandError(WRONG_TYPE)
    return value


def hash_to_read(client: Client, key: bytes, fields: list[bytes]) -> Hash | None:
    """The hash of a key, without those of the fields whose time is over; None where there is none."""
    value = client.db.lookup_read(key, client.instance.now)
    if value is None:
        return None
    held = hash_of(value)
    return drop_due(client, key, held, fields) if held.may_expire() else held


def hash_to_write(client: Client, key: bytes, fields: list[bytes]) -> Hash | None:
    """As ``hash_to_read``, for a command that may change the hash; ``own_hash`` must come before the change."""
    value = client.db.lookup(key, client.instance.now)
    if value is None:
        return None
    held = hash_of(value)
    return drop_due(client, key, held, fields) if held.may_expire() else held


def own_hash(client: Client, key: bytes, held: Hash) -> Hash:
    """The hash of a key in a form that may be changed in place."""
    value = client.db.writable(key, held)
    assert isinstance(value, Hash)
    return value


def drop_due(client: Client, key: bytes, held: Hash, fields: list[bytes]) -> Hash | None:
    """Removes those of the fields whose time is over."""
    now: i64 = client.instance.now
    if held.next_expiry() >= now or not client.instance.keyspace.expiring:
        return held
    due = [field for field in dict.fromkeys(fields) if held.expiry(field) < now]
    return client.db.drop_expired(key, held, due) if due else held


def whole_hash(client: Client, key: bytes) -> Hash | None:
    """The hash of a key for a command that looks at all of it; expired fields may be left where there are many."""
    value = client.db.lookup_read(key, client.instance.now)
    if value is None:
        return None
    held = hash_of(value)
    if not held.may_expire() or not client.instance.keyspace.expiring:
        return held
    now: i64 = client.instance.now
    if held.next_expiry() >= now:
        return held
    due = held.due(now, _DUE_AT_ONCE)
    if due:
        return client.db.drop_expired(key, held, due)
    client.db.note_expiries(key, held)
    return held


def _some_over(client: Client, held: Hash) -> bool:
    """Whether there are fields whose time is over, and which do not count any more."""
    return held.next_expiry() < client.instance.now and client.instance.keyspace.expiring


def live_fields(client: Client, held: Hash) -> list[bytes]:
    """All fields whose time is not over."""
    fields = held.fields()
    if not _some_over(client, held):
        return fields
    now: i64 = client.instance.now
    return [field for field in fields if held.expiry(field) >= now]


def finish_removal(client: Client, key: bytes, held: Hash) -> None:
    """To be called when fields were taken out of a hash: removes the key of an empty one."""
    if held.size() == 0:
        client.db.delete(key)
        client.notify(events.GENERIC, b"del", key)
    elif client.db.hash_expiries.count:
        client.db.note_expiries(key, held)


# Setting


def _set_fields(client: Client, argv: list[bytes]) -> i64:
    """Sets the fields of HSET and HMSET; returns how many are new."""
    size: i64 = len(argv)
    instance = client.instance
    limits = instance.keyspace.limits
    db = client.db
    key = argv[1]
    created: i64 = 0
    value = db.lookup_owned(key, instance.now)
    if value is None:
        fields: dict[bytes, bytes] = {}
        i: i64 = 2
        while i < size:
            fields[argv[i]] = argv[i + 1]
            i += 2
        created = len(fields)
        made = build_hash(fields, None, limits)
        if made.table is None and (
            size - 2 > 2 * limits.hash_entries
            or (created < (size - 2) // 2 and max(len(word) for word in argv[2:]) > limits.hash_value)
        ):
            # Redis looks at all that it is sent, even at what replaces other of it.
            made.spread()
        db.set(key, made)
    else:
        held = hash_of(value)
        timed = held.may_expire()
        if timed:
            left = drop_due(client, key, held, argv[2::2])
            if left is None:
                return _set_fields(client, argv)
            held = left
        if db.watched:
            db.changed(key)
        if held.table is None and size - 2 > 2 * limits.hash_entries:
            # Redis takes the pairs for different fields.
            held.spread()
        i = 2
        while i < size:
            if held.set(argv[i], argv[i + 1], limits):
                created += 1
            i += 2
        if timed:
            db.note_expiries(key, held)
    instance.dirty += (size - 2) // 2
    client.notify(events.HASH, b"hset", key)
    return created


@command(
    "hset",
    "key field value [field value ...]",
    WRITE | DENYOOM | FAST,
    summary="Creates or modifies the value of a field in a hash.",
    since="2.0.0",
    complexity="O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called "
    "with multiple field/value pairs.",
    keys="RW update",
    history=(("4.0.0", "Accepts multiple `field` and `value` arguments."),),
)
def hset(client: Client, argv: list[bytes]) -> None:
    """HSET."""
    if len(argv) & 1:
        raise CommandError(wrong_arity(b"hset"))
    client.reply.integer(_set_fields(client, argv))


@command(
    "hmset",
    "key field value [field value ...]",
    WRITE | DENYOOM | FAST,
    summary="Sets the values of multiple fields.",
    since="2.0.0",
    complexity="O(N) where N is the number of fields being set.",
    keys="RW update",
    deprecated=("4.0.0", "`HSET` with multiple field-value pairs"),
)
def hmset(client: Client, argv: list[bytes]) -> None:
    """HMSET."""
    if len(argv) & 1:
        raise CommandError(wrong_arity(b"hmset"))
    _set_fields(client, argv)
    client.reply.ok()


def store_field(client: Client, key: bytes, held: Hash | None, field: bytes, value: bytes, event: bytes) -> None:
    """Sets one field, which keeps its expiry; ``held`` is the hash that is there."""
    limits = client.instance.keyspace.limits
    if held is None:
        client.db.set(key, build_hash({field: value}, None, limits))
    else:
        held = own_hash(client, key, held)
        held.set(field, value, limits, True)
    client.instance.dirty += 1
    client.notify(events.HASH, event, key)


@command(
    "hsetnx",
    "key field value",
    WRITE | DENYOOM | FAST,
    summary="Sets the value of a field in a hash only when the field doesn't exist.",
    since="2.0.0",
    keys="RW insert",
)
def hsetnx(client: Client, argv: list[bytes]) -> None:
    """HSETNX."""
    held = hash_to_write(client, argv[1], [argv[2]])
    if held is not None and held.contains(argv[2]):
        client.reply.integer(0)
        return
    store_field(client, argv[1], held, argv[2], argv[3], b"hset")
    client.reply.integer(1)


@command(
    "hincrby",
    "key field increment",
    WRITE | DENYOOM | FAST,
    summary="Increments the integer value of a field in a hash by a number. Uses 0 as initial value if the field "
    "doesn't exist.",
    since="2.0.0",
    keys="RW access update",
)
def hincrby(client: Client, argv: list[bytes]) -> None:
    """HINCRBY."""
    by = integer_argument(argv[3])
    held = hash_to_write(client, argv[1], [argv[2]])
    content = None if held is None else held.get(argv[2])
    number: i64 = 0
    if content is not None:
        try:
            number = parse_int(content)
        except NotANumber:
            raise CommandError(b"ERR hash value is not an integer") from None
    if (by < 0 and number < INT64_MIN - by) or (by > 0 and number > INT64_MAX - by):
        raise CommandError(b"ERR increment or decrement would overflow")
    number += by
    store_field(client, argv[1], held, argv[2], str(number).encode(), b"hincrby")
    client.reply.integer(number)


@command(
    "hincrbyfloat",
    "key field increment:double",
    WRITE | DENYOOM | FAST,
    summary="Increments the floating point value of a field by a number. Uses 0 as initial value if the field doesn't "
    "exist.",
    since="2.6.0",
    keys="RW access update",
)
def hincrbyfloat(client: Client, argv: list[bytes]) -> None:
    """HINCRBYFLOAT, in 80-bit precision as Redis computes it."""
    key, field = argv[1], argv[2]
    try:
        by = parse_long_double(argv[3])
    except NotANumber:
        raise CommandError(NOT_A_FLOAT) from None
    if not isinstance(by, Fraction):
        raise CommandError(b"ERR value is NaN or Infinity")
    held = hash_to_write(client, key, [field])
    content = None if held is None else held.get(field)
    total: Fraction | float = by
    if content is not None:
        try:
            number = parse_long_double(content)
        except NotANumber:
            raise CommandError(b"ERR hash value is not a float") from None
        total = round_long_double(number + by) if isinstance(number, Fraction) else math.inf
    if not isinstance(total, Fraction):
        raise CommandError(b"ERR increment would produce NaN or Infinity")
    digits = format_long_double(total)
    when: i64 = NEVER if held is None else held.expiry(field)
    store_field(client, key, held, field, digits, b"hincrbyfloat")
    client.instance.propagate([b"HSET", key, field, digits])
    if when != NEVER:
        client.instance.propagate([b"HPEXPIREAT", key, b"%d" % when, b"FIELDS", b"1", field])
    client.reply.bulk(digits)


# Reading


@command(
    "hget",
    "key field",
    READONLY | FAST,
    summary="Returns the value of a field in a hash.",
    since="2.0.0",
    keys="RO access",
)
def hget(client: Client, argv: list[bytes]) -> None:
    """HGET."""
    value = client.db.lookup_read(argv[1], client.instance.now)
    held: Hash | None = None
    if value is not None:
        held = hash_of(value)
        if held.may_expire():
            held = drop_due(client, argv[1], held, [argv[2]])
    client.reply.bulk_or_null(None if held is None else held.get(argv[2]))


@command(
    "hmget",
    "key field [field ...]",
    READONLY | FAST,
    summary="Returns the values of all fields in a hash.",
    since="2.0.0",
    complexity="O(N) where N is the number of fields being requested.",
    keys="RO access",
)
def hmget(client: Client, argv: list[bytes]) -> None:
    """HMGET."""
    fields = argv[2:]
    held = hash_to_read(client, argv[1], fields)
    reply = client.reply
    reply.array(len(fields))
    for field in fields:
        reply.bulk_or_null(None if held is None else held.get(field))


@command(
    "hgetall",
    "key",
    READONLY,
    summary="Returns all fields and values in a hash.",
    since="2.0.0",
    complexity="O(N) where N is the size of the hash.",
    keys="RO access",
    tips="nondeterministic_output_order",
)
def hgetall(client: Client, argv: list[bytes]) -> None:
    """HGETALL: a map."""
    reply = client.reply
    held = whole_hash(client, argv[1])
    if held is None:
        reply.map(0)
        return
    if _some_over(client, held):
        fields = live_fields(client, held)
        reply.map(len(fields))
        for field in fields:
            reply.bulk(field)
            reply.bulk_or_null(held.get(field))
        return
    size = held.size()
    reply.map(size)
    listpack = held.listpack()
    if listpack is not None:
        reply.raw(packed_bulks(listpack, HEADER, 2 * size))
    else:
        reply.bulk_elements(held.flat())


@command(
    "hkeys",
    "key",
    READONLY,
    summary="Returns all fields in a hash.",
    since="2.0.0",
    complexity="O(N) where N is the size of the hash.",
    keys="RO access",
    tips="nondeterministic_output_order",
)
def hkeys(client: Client, argv: list[bytes]) -> None:
    """HKEYS."""
    held = whole_hash(client, argv[1])
    if held is None:
        client.reply.array(0)
        return
    listpack = None if _some_over(client, held) else held.listpack()
    if listpack is None:
        client.reply.bulks(live_fields(client, held))
        return
    size = held.size()
    client.reply.array(size)
    client.reply.raw(packed_bulks(listpack, HEADER, size, 2))


@command(
    "hvals",
    "key",
    READONLY,
    summary="Returns all values in a hash.",
    since="2.0.0",
    complexity="O(N) where N is the size of the hash.",
    keys="RO access",
    tips="nondeterministic_output_order",
)
def hvals(client: Client, argv: list[bytes]) -> None:
    """HVALS."""
    held = whole_hash(client, argv[1])
    if held is None:
        client.reply.array(0)
    elif _some_over(client, held):
        fields = live_fields(client, held)
        client.reply.array(len(fields))
        for field in fields:
            client.reply.bulk_or_null(held.get(field))
    else:
        listpack = held.listpack()
        if listpack is None:
            client.reply.bulks(held.values())
            return
        size = held.size()
        client.reply.array(size)
        client.reply.raw(packed_bulks(listpack, next_element(listpack, HEADER), size, 2))


@command(
    "hlen",
    "key",
    READONLY | FAST,
    summary="Returns the number of fields in a hash.",
    since="2.0.0",
    keys="RO",
)
def hlen(client: Client, argv: list[bytes]) -> None:
    """HLEN: as in Redis 7.4, expired fields count until they are removed."""
    held = whole_hash(client, argv[1])
    client.reply.integer(0 if held is None else held.size())


@command(
    "hstrlen",
    "key field",
    READONLY | FAST,
    summary="Returns the length of the value of a field.",
    since="3.2.0",
    keys="RO",
)
def hstrlen(client: Client, argv: list[bytes]) -> None:
    """HSTRLEN."""
    held = hash_to_read(client, argv[1], [argv[2]])
    content = None if held is None else held.get(argv[2])
    client.reply.integer(0 if content is None else len(content))


@command(
    "hexists",
    "key field",
    READONLY | FAST,
    summary="Determines whether a field exists in a hash.",
    since="2.0.0",
    keys="RO",
)
def hexists(client: Client, argv: list[bytes]) -> None:
    """HEXISTS."""
    held = hash_to_read(client, argv[1], [argv[2]])
    client.reply.integer(1 if held is not None and held.contains(argv[2]) else 0)


@command(
    "hdel",
    "key field [field ...]",
    WRITE | FAST,
    summary="Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.",
    since="2.0.0",
    complexity="O(N) where N is the number of fields to be removed.",
    keys="RW delete",
    history=(("2.4.0", "Accepts multiple `field` arguments."),),
)
def hdel(client: Client, argv: list[bytes]) -> None:
    """HDEL."""
    key = argv[1]
    held = hash_to_write(client, key, argv[2:])
    removed: i64 = 0
    if held is not None:
        value = client.db.own(key, held)
        assert isinstance(value, Hash)
        for field in argv[2:]:
            if value.remove(field):
                removed += 1
        if removed:
            if client.db.watched:
                client.db.changed(key)
            client.notify(events.HASH, b"hdel", key)
            finish_removal(client, key, value)
    client.instance.dirty += removed
    client.reply.integer(removed)


# Chance


@command(
    "hrandfield",
    "key [options: count [WITHVALUES]]",
    READONLY,
    summary="Returns one or more random fields from a hash.",
    since="6.2.0",
    complexity="O(N) where N is the number of fields returned",
    keys="RO access",
    tips="nondeterministic_output",
)
def hrandfield(client: Client, argv: list[bytes]) -> None:
    """HRANDFIELD."""
    size: i64 = len(argv)
    reply = client.reply
    if size == 2:
        held = whole_hash(client, argv[1])
        fields = [] if held is None else _random_fields(client, held, -1)
        reply.bulk_or_null(fields[0] if fields else None)
        return
    count = random_count(argv[2], INT64_MAX)
    if size > 4 or (size == 4 and argv[3].upper() != b"WITHVALUES"):
        raise CommandError(SYNTAX)
    with_values = size == 4
    if with_values and (count < -(INT64_MAX // 2) or count > INT64_MAX // 2):
        raise CommandError(b"ERR value is out of range")
    held = whole_hash(client, argv[1])
    if held is None:
        reply.array(0)
        return
    fields = _random_fields(client, held, count)
    if not with_values:
        reply.bulks(fields)
        return
    reply.array(len(fields) * (1 if reply.resp > 2 else 2))
    for field in fields:
        if reply.resp > 2:
            reply.array(2)
        reply.bulk(field)
        reply.bulk_or_null(held.get(field))


def random_count(text: bytes, limit: i64) -> i64:
    """The count of HRANDFIELD and its relatives, which may be negative."""
    count = integer_argument(text)
    if count < -limit or count > limit:
        raise CommandError(b"ERR value is out of range, value must between %d and %d" % (-limit, limit))
    return count


def _random_fields(client: Client, held: Hash, count: i64) -> list[bytes]:
    """``count`` different random fields, or -``count`` that may be the same."""
    if count < -MOST_RANDOM:
        raise CommandError(b"ERR value is out of range")
    if _some_over(client, held):
        # More fields have expired than could be removed at once; they must not come up.
        alive = Hash()
        for field in live_fields(client, held):
            alive.set(field, b"", client.instance.keyspace.limits)
        held = alive
    size: i64 = held.size()
    if count == 0 or size == 0:
        return []
    if count == -1:
        return [held.random_field()]
    if count < 0:
        return held.random_fields(-count)
    return held.fields() if count >= size else held.sample(count)


# Iterating


@command(
    "hscan",
    "key cursor [MATCH pattern] [COUNT count]",
    READONLY,
    summary="Iterates over fields and values of a hash.",
    since="2.8.0",
    complexity="O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to "
    "return back to 0. N is the number of elements inside the collection.",
    keys="RO access",
    tips="nondeterministic_output",
)
def hscan(client: Client, argv: list[bytes]) -> None:
    """HSCAN."""
    cursor = cursor_argument(argv[2])
    value = client.db.lookup_read(argv[1], client.instance.now)
    if value is None:
        reply_scan(client.reply, 0, [])
        return
    held = hash_of(value)
    options = ScanOptions(argv, 3, novalues=True)
    fields: list[bytes] = []
    following: i64 = held.scan(cursor, options.count, fields)
    fields = options.matching(fields)
    now: i64 = client.instance.now
    if held.next_expiry() < now and client.instance.keyspace.expiring:
        fields = [field for field in fields if held.expiry(field) >= now]
    if options.novalues:
        reply_scan(client.reply, following, fields)
        return
    found: list[bytes] = []
    for field in fields:
        content = held.get(field)
        assert content is not None
        found.append(field)
        found.append(content)
    reply_scan(client.reply, following, found)
