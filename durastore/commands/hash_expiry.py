"""Commands on hash fields that expire (https://redis.io/commands/?group=hash), as in Redis 7.4 and 8.0."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import CommandError, wrong_arity
from durastore.commands.hashes import (
    finish_removal,
    hash_to_read,
    hash_to_write,
    own_hash,
)
from durastore.commands.spec import DENYOOM, FAST, READONLY, WRITE, command
from durastore.keyspace.chunked import NEVER
from durastore.keyspace.hashes import Hash, build_hash
from durastore.protocol.numbers import NotANumber, parse_int

# The latest time that Redis gives a field (Unix milliseconds).
LATEST: Final = 0x3FFFFFFFFFFF
# What the commands reply for a field.
_NO_FIELD: Final = -2
_NO_EXPIRY: Final = -1
_CONDITION_NOT_MET: Final = 0
_DONE: Final = 1
_DELETED: Final = 2

_NO_FIELDS_WORD: Final = b"ERR Mandatory argument FIELDS is missing or not at the right position"
_NOT_POSITIVE: Final = b"ERR Number of fields must be a positive integer"
_MISMATCH: Final = b"ERR The `numfields` parameter must match the number of arguments"
_NOT_ONE_EXPIRY: Final = b"ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
_NOT_ONE_CONDITION: Final = b"ERR Only one of FXX or FNX arguments can be specified"
_COMPLEXITY: Final = "O(N) where N is the number of specified fields"


def _positive(text: bytes, complaint: bytes) -> i64:
    try:
        number = parse_int(text)
    except NotANumber:
        raise CommandError(complaint) from None
    if number < 1:
        raise CommandError(complaint)
    return number


def _fields_from(argv: list[bytes], at: i64, complaint: bytes = _NOT_POSITIVE) -> list[bytes]:
    """The fields of ``FIELDS numfields field [field ...]``, which stands at ``at`` and ends the request."""
    if argv[at].upper() != b"FIELDS":
        raise CommandError(_NO_FIELDS_WORD)
    count = _positive(argv[at + 1] if at + 1 < len(argv) else b"", complaint)
    if count != len(argv) - at - 2:
        raise CommandError(_MISMATCH)
    return argv[at + 2 :]


def _expire_time(client: Client, text: bytes, unit: i64, base: i64, name: bytes) -> i64:
    """An expiry argument as Unix milliseconds."""
    value = integer_argument(text)
    if value < 0:
        raise CommandError(b"ERR invalid expire time, must be >= 0")
    # What is in a log was accepted once, maybe by a server with other limits.
    latest: i64 = NEVER - 1 if client.replaying else LATEST
    if value > latest // unit or value * unit > latest - base:
        raise CommandError(b"ERR invalid expire time in '" + name + b"' command")
    return value * unit + base


# HEXPIRE and its relatives


def _condition_met(condition: bytes, current: i64, when: i64) -> bool:
    """Whether NX, XX, GT or LT lets the expiry be set; a field without one expires at the end of time."""
    if condition == b"NX":
        return current == NEVER
    if condition == b"XX":
        return current != NEVER
    if condition == b"GT":
        return current != NEVER and when > current
    return condition != b"LT" or when < current


def _expire(client: Client, argv: list[bytes], unit: i64, base: i64, name: bytes) -> None:
    instance = client.instance
    key = argv[1]
    # The type of the key comes before everything else.
    held = hash_to_write(client, key, [])
    when = _expire_time(client, argv[2], unit, base, name)
    condition = argv[3].upper()
    at: i64 = 4
    if condition not in (b"NX", b"XX", b"GT", b"LT"):
        condition = b""
        at = 3
    fields = _fields_from(argv, at, b"ERR Parameter `numFields` should be greater than 0")
    if held is not None:
        held = hash_to_write(client, key, fields)
    reply = client.reply
    reply.array(len(fields))
    if held is None:
        for _ in fields:
            reply.integer(_NO_FIELD)
        return
    over = when <= instance.now and not client.replaying
    changed: list[bytes] = []
    for field in fields:
        outcome = _CONDITION_NOT_MET
        if not held.contains(field):
            outcome = _NO_FIELD
        elif _condition_met(condition, held.expiry(field), when):
            if not changed:
                held = own_hash(client, key, held)
            outcome = _DELETED if over else _DONE
            changed.append(field)
            if over:
                held.remove(field)
            else:
                held.set_expiry(field, max(when, 1))
        reply.integer(outcome)
    if changed:
        _expiry_set(client, key, held, changed, when, over)


def _expiry_set(client: Client, key: bytes, held: Hash, fields: list[bytes], when: i64, over: bool) -> None:
    """Tells of fields that were given an expiry, or deleted because it was over already."""
    client.instance.dirty += len(fields)
    if over:
        client.instance.propagate([b"HDEL", key, *fields])
        client.notify(events.HASH, b"hdel", key)
        finish_removal(client, key, held)
    else:
        client.instance.propagate([b"HPEXPIREAT", key, b"%d" % when, b"FIELDS", b"%d" % len(fields), *fields])
        client.notify(events.HASH, b"hexpire", key)
        client.db.note_expiries(key, held)


_EXPIRE_SYNTAX: Final = "[condition: NX | XX | GT | LT] <fields: FIELDS numfields:integer field [field ...]>"


@command(
    "hexpire",
    "key seconds " + _EXPIRE_SYNTAX,
    WRITE | DENYOOM | FAST,
    summary="Set expiry for hash field using relative time to expire (seconds)",
    since="7.4.0",
    complexity=_COMPLEXITY,
    keys="RW update",
)
def hexpire(client: Client, argv: list[bytes]) -> None:
    """HEXPIRE."""
    _expire(client, argv, 1000, client.instance.now, b"hexpire")


@command(
    "hpexpire",
    "key milliseconds " + _EXPIRE_SYNTAX,
    WRITE | DENYOOM | FAST,
    summary="Set expiry for hash field using relative time to expire (milliseconds)",
    since="7.4.0",
    complexity=_COMPLEXITY,
    keys="RW update",
)
def hpexpire(client: Client, argv: list[bytes]) -> None:
    """HPEXPIRE."""
    _expire(client, argv, 1, client.instance.now, b"hpexpire")


@command(
    "hexpireat",
    "key unix-time-seconds " + _EXPIRE_SYNTAX,
    WRITE | DENYOOM | FAST,
    summary="Set expiry for hash field using an absolute Unix timestamp (seconds)",
    since="7.4.0",
    complexity=_COMPLEXITY,
    keys="RW update",
)
def hexpireat(client: Client, argv: list[bytes]) -> None:
    """HEXPIREAT."""
    _expire(client, argv, 1000, 0, b"hexpireat")


@command(
    "hpexpireat",
    "key unix-time-milliseconds " + _EXPIRE_SYNTAX,
    WRITE | DENYOOM | FAST,
    summary="Set expiry for hash field using an absolute Unix timestamp (milliseconds)",
    since="7.4.0",
    complexity=_COMPLEXITY,
    keys="RW update",
)
def hpexpireat(client: Client, argv: list[bytes]) -> None:
    """HPEXPIREAT."""
    _expire(client, argv, 1, 0, b"hpexpireat")


# HTTL and its relatives


def _time_left(client: Client, argv: list[bytes], unit: i64, base: i64) -> None:
    held = hash_to_read(client, argv[1], [])
    fields = _fields_from(argv, 2)
    if held is not None:
        held = hash_to_read(client, argv[1], fields)
    reply = client.reply
    reply.array(len(fields))
    for field in fields:
        if held is None or not held.contains(field):
            reply.integer(_NO_FIELD)
            continue
        when: i64 = held.expiry(field)
        reply.integer(_NO_EXPIRY if when == NEVER else max(when - base + unit - 1, 0) // unit)


_FIELDS_SYNTAX: Final = "key <fields: FIELDS numfields:integer field [field ...]>"


@command(
    "httl",
    _FIELDS_SYNTAX,
    READONLY | FAST,
    summary="Returns the TTL in seconds of a hash field.",
    since="7.4.0",
    complexity=_COMPLEXITY,
    keys="RO access",
    tips="nondeterministic_output",
)
def httl(client: Client, argv: list[bytes]) -> None:
    """HTTL, rounded up."""
    _time_left(client, argv, 1000, client.instance.now)


@command(
    "hpttl",
    _FIELDS_SYNTAX,
    READONLY | FAST,
    summary="Returns the TTL in milliseconds of a hash field.",
    since="7.4.0",
    complexity=_COMPLEXITY,
    keys="RO access",
    tips="nondeterministic_output",
)
def hpttl(client: Client, argv: list[bytes]) -> None:
    """HPTTL."""
    _time_left(client, argv, 1, client.instance.now)


@command(
    "hexpiretime",
    _FIELDS_SYNTAX,
    READONLY | FAST,
    summary="Returns the expiration time of a hash field as a Unix timestamp, in seconds.",
    since="7.4.0",
    complexity=_COMPLEXITY,
    keys="RO access",
)
def hexpiretime(client: Client, argv: list[bytes]) -> None:
    """HEXPIRETIME, rounded up."""
    _time_left(client, argv, 1000, 0)


@command(
    "hpexpiretime",
    _FIELDS_SYNTAX,
    READONLY | FAST,
    summary="Returns the expiration time of a hash field as a Unix timestamp, in msec.",
    since="7.4.0",
    complexity=_COMPLEXITY,
    keys="RO access",
)
def hpexpiretime(client: Client, argv: list[bytes]) -> None:
    """HPEXPIRETIME."""
    _time_left(client, argv, 1, 0)


@command(
    "hpersist",
    _FIELDS_SYNTAX,
    WRITE | FAST,
    summary="Removes the expiration time for each specified field",
    since="7.4.0",
    complexity=_COMPLEXITY,
    keys="RW update",
)
def hpersist(client: Client, argv: list[bytes]) -> None:
    """HPERSIST."""
    key = argv[1]
    held = hash_to_write(client, key, [])
    fields = _fields_from(argv, 2)
    if held is not None:
        held = hash_to_write(client, key, fields)
    reply = client.reply
    reply.array(len(fields))
    changed = False
    for field in fields:
        if held is None or not held.contains(field):
            reply.integer(_NO_FIELD)
        elif held.expiry(field) == NEVER:
            reply.integer(_NO_EXPIRY)
        else:
            if not changed:
                held = own_hash(client, key, held)
                changed = True
            held.set_expiry(field, NEVER)
            reply.integer(_DONE)
    if changed:
        client.instance.dirty += 1
        client.notify(events.HASH, b"hpersist", key)
        client.db.note_expiries(key, held)


# HGETDEL, HGETEX, HSETEX


@command(
    "hgetdel",
    _FIELDS_SYNTAX,
    WRITE | FAST,
    summary="Returns the value of a field and deletes it from the hash.",
    since="8.0.0",
    complexity=_COMPLEXITY,
    keys="RW access delete",
)
def hgetdel(client: Client, argv: list[bytes]) -> None:
    """HGETDEL."""
    key = argv[1]
    held = hash_to_write(client, key, [])
    fields = _fields_from(argv, 2)
    if held is not None:
        held = hash_to_write(client, key, fields)
    reply = client.reply
    reply.array(len(fields))
    removed: list[bytes] = []
    for field in fields:
        content = None if held is None else held.get(field)
        reply.bulk_or_null(content)
        if held is not None and content is not None:
            if not removed:
                held = own_hash(client, key, held)
            held.remove(field)
            removed.append(field)
    if removed and held is not None:
        client.instance.dirty += len(removed)
        client.instance.propagate([b"HDEL", key, *removed])
        client.notify(events.HASH, b"hdel", key)
        finish_removal(client, key, held)


def _expiry_word(client: Client, word: bytes, text: bytes, name: bytes) -> i64:
    """The time that EX, PX, EXAT or PXAT (``word``) with its argument says, in Unix milliseconds."""
    unit: i64 = 1000 if word[0] == 69 else 1
    return _expire_time(client, text, unit, 0 if len(word) == 4 else client.instance.now, name)


@command(
    "hgetex",
    "key [expiration: EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] "
    "<fields: FIELDS numfields:integer field [field ...]>",
    WRITE | FAST,
    summary="Get the value of one or more fields of a given hash key, and optionally set their expiration.",
    since="8.0.0",
    complexity=_COMPLEXITY,
    keys="RW access update",
)
def hgetex(client: Client, argv: list[bytes]) -> None:
    """HGETEX."""
    key = argv[1]
    held = hash_to_write(client, key, [])
    word = argv[2].upper()
    at: i64 = 2
    when: i64 = NEVER
    sets = word in (b"EX", b"PX", b"EXAT", b"PXAT")
    persists = word == b"PERSIST"
    if sets:
        when = _expiry_word(client, word, argv[3], b"hgetex")
        at = 4
    elif persists:
        at = 3
    fields = _fields_from(argv, at)
    if held is not None:
        held = hash_to_write(client, key, fields)
    reply = client.reply
    reply.array(len(fields))
    over = sets and when <= client.instance.now and not client.replaying
    changed: list[bytes] = []
    for field in fields:
        content = None if held is None else held.get(field)
        reply.bulk_or_null(content)
        if held is None or content is None or not (sets or (persists and held.expiry(field) != NEVER)):
            continue
        if not changed:
            held = own_hash(client, key, held)
        changed.append(field)
        if over:
            held.remove(field)
        else:
            held.set_expiry(field, max(when, 1))
    if not changed or held is None:
        return
    if sets:
        _expiry_set(client, key, held, changed, when, over)
        return
    client.instance.dirty += len(changed)
    client.instance.propagate([b"HPERSIST", key, b"FIELDS", b"%d" % len(changed), *changed])
    client.notify(events.HASH, b"hpersist", key)
    client.db.note_expiries(key, held)


class _SetOptions:
    """The options of HSETEX; ``when`` is NEVER where no expiry is given."""

    def __init__(self, client: Client, argv: list[bytes]) -> None:
        self.condition = b""
        self.keep_expiry = False
        self.when: i64 = NEVER
        self.pairs: list[bytes] = []
        i: i64 = 2
        size: i64 = len(argv)
        while i < size:
            word = argv[i].upper()
            if word == b"FIELDS":
                self._take_fields(argv, i)
                return
            if word in (b"EX", b"PX", b"EXAT", b"PXAT"):
                if self.keep_expiry or self.when != NEVER:
                    raise CommandError(_NOT_ONE_EXPIRY)
                if i + 1 >= size:
                    raise CommandError(b"ERR missing expire time")
                self.when = _expiry_word(client, word, argv[i + 1], b"hsetex")
                i += 1
            elif word == b"KEEPTTL":
                if self.keep_expiry or self.when != NEVER:
                    raise CommandError(_NOT_ONE_EXPIRY)
                self.keep_expiry = True
            elif word == b"FXX" or word == b"FNX":
                if self.condition:
                    raise CommandError(_NOT_ONE_CONDITION)
                self.condition = word
            else:
                raise CommandError(b"ERR unknown argument: " + argv[i])
            i += 1
        raise CommandError(wrong_arity(b"hsetex"))

    def _take_fields(self, argv: list[bytes], at: i64) -> None:
        rest: i64 = len(argv) - at - 2
        if rest < 2:
            raise CommandError(wrong_arity(b"hsetex"))
        count = _positive(argv[at + 1], b"ERR invalid number of fields")
        if count > 0x7FFFFFFF:
            raise CommandError(b"ERR invalid number of fields")
        if rest & 1 or count != rest // 2:
            raise CommandError(wrong_arity(b"hsetex"))
        self.pairs = argv[at + 2 :]


@command(
    "hsetex",
    "key [condition: FNX | FXX] "
    "[expiration: EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL] "
    "<fields: FIELDS numfields:integer <data: field value> [<data: field value> ...]>",
    WRITE | DENYOOM | FAST,
    summary="Set the value of one or more fields of a given hash key, and optionally set their expiration.",
    since="8.0.0",
    complexity="O(N) where N is the number of fields being set.",
    keys="RW update",
)
def hsetex(client: Client, argv: list[bytes]) -> None:
    """HSETEX."""
    options = _SetOptions(client, argv)
    instance = client.instance
    key = argv[1]
    pairs = options.pairs
    fields = pairs[::2]
    held = hash_to_write(client, key, fields)
    if options.condition:
        wanted = options.condition == b"FXX"
        for field in fields:
            if (held is not None and held.contains(field)) != wanted:
                client.reply.integer(0)
                return
    limits = instance.keyspace.limits
    instance.dirty += len(fields)
    client.notify(events.HASH, b"hset", key)
    client.reply.integer(1)
    if options.when <= instance.now and not client.replaying:
        # Set and deleted at once: all that is left to do is to delete what was there.
        client.notify(events.HASH, b"hdel", key)
        instance.propagate([b"HDEL", key, *fields])
        if held is None:
            client.notify(events.GENERIC, b"del", key)
            return
        held = own_hash(client, key, held)
        for field in fields:
            held.remove(field)
        finish_removal(client, key, held)
        return
    if held is None:
        held = build_hash({}, None, limits)
        client.db.set(key, held)
    else:
        held = own_hash(client, key, held)
    if held.table is None and len(fields) > limits.hash_entries:
        held.spread()
    timed = False
    for i in range(len(fields)):
        timed = timed or held.expiry(fields[i]) != NEVER
        held.set(fields[i], pairs[2 * i + 1], limits, options.keep_expiry)
        if options.when != NEVER:
            held.set_expiry(fields[i], max(options.when, 1))
    if options.keep_expiry and timed:
        instance.propagate([b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"%d" % len(fields), *pairs])
    else:
        instance.propagate([b"HSET", key, *pairs])
    if options.when != NEVER:
        client.notify(events.HASH, b"hexpire", key)
        count = b"%d" % len(fields)
        instance.propagate([b"HPEXPIREAT", key, b"%d" % options.when, b"FIELDS", count, *fields])
    client.db.note_expiries(key, held)
