"""String commands (https://redis.io/commands/?group=string)."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import expire_time, integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, WRONG_TYPE, CommandError, wrong_arity
from durastore.commands.spec import DENYOOM, FAST, READONLY, WRITE, command
from durastore.keyspace.values import RawString

TOO_LONG: Final = b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"


def string_of(value: object) -> bytes:
    """The content of a string value; raises CommandError for any other type."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, RawString):
        return bytes(value.data)
    raise CommandError(WRONG_TYPE)


def content_of(value: object) -> bytes | bytearray:
    """The bytes of a string value, not copied; raises CommandError for any other type."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, RawString):
        return value.data
    raise CommandError(WRONG_TYPE)


def string_length(value: object) -> i64:
    """The length of a string value; raises CommandError for any other type."""
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, RawString):
        return len(value.data)
    raise CommandError(WRONG_TYPE)


def raw_string(client: Client, key: bytes, value: object) -> RawString:
    """The stored string in the form that may be changed in place."""
    if isinstance(value, bytes):
        raw = RawString(bytearray(value))
        client.db.replace(key, raw)
        return raw
    assert isinstance(value, RawString)
    writable = client.db.writable(key, value)
    assert isinstance(writable, RawString)
    return writable


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
        # How the time is given: the word before it, which may be repeated.
        self.expire_word = b""
        self.unit: i64 = 1
        self.absolute = False

    def takes_time(self, word: bytes) -> bool:
        """Whether a time may follow this word, after what was read."""
        return self.expire_word in (b"", word) and not self.keep_ttl and not self.persist


def _set_options(argv: list[bytes], first: i64, getex: bool) -> _SetOptions:
    options = _SetOptions()
    i: i64 = first
    size: i64 = len(argv)
    while i < size:
        word = argv[i].upper()
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
        elif word in (b"EX", b"PX", b"EXAT", b"PXAT") and options.takes_time(word) and i + 1 < size:
            options.expire_word = word
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
    "key value [condition@2.6.12: NX | XX] [GET@6.2.0] [expiration: EX seconds@2.6.12 | PX "
    "milliseconds@2.6.12 | EXAT unix-time-seconds@6.2.0 | PXAT unix-time-milliseconds@6.2.0 | "
    "KEEPTTL@6.0.0]",
    WRITE | DENYOOM,
    summary="Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
    since="1.0.0",
    keys="RW access update variable_flags (RW and ACCESS due to the optional `GET` argument)",
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
        client.db.set(argv[1], argv[2], client.instance.now)
        client.instance.dirty += 1
        client.notify(events.STRING, b"set", argv[1])
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
        db.set_with_expiry(key, argv[2], when, now)
    instance.dirty += 1
    client.notify(events.STRING, b"set", key)
    if when != -1:
        client.notify(events.GENERIC, b"expire", key)
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
    client.notify(events.STRING, b"set", argv[1])
    client.reply.integer(1)


def _set_expiring(client: Client, argv: list[bytes], unit: i64, name: bytes) -> None:
    when = expire_time(argv[2], unit, client.instance.now, name)
    client.db.set_with_expiry(argv[1], argv[3], when, client.instance.now)
    client.instance.dirty += 1
    client.notify(events.STRING, b"set", argv[1])
    client.notify(events.GENERIC, b"expire", argv[1])
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
    client.notify(events.STRING, b"set", argv[1])
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
    client.notify(events.GENERIC, b"del", argv[1])
    client.instance.propagate([b"DEL", argv[1]])


@command(
    "getex",
    "key [expiration: EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    WRITE | FAST,
    summary="Returns the string value of a key after setting its expiration time.",
    since="6.2.0",
    keys="RW access update (RW and UPDATE because it changes the TTL)",
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
            client.notify(events.GENERIC, b"del", argv[1])
            instance.propagate([b"DEL", argv[1]])
        else:
            client.db.set_expiry(argv[1], when)
            client.notify(events.GENERIC, b"expire", argv[1])
            instance.propagate([b"PEXPIREAT", argv[1], b"%d" % when])
        instance.dirty += 1
    elif options.persist and client.db.clear_expiry(argv[1]):
        client.notify(events.GENERIC, b"persist", argv[1])
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
    now: i64 = client.instance.now
    i: i64 = 1
    while i < size:
        db.set(argv[i], argv[i + 1], now)
        client.notify(events.STRING, b"set", argv[i])
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
        client.notify(events.STRING, b"set", argv[i])
    client.instance.dirty += (len(argv) - 1) // 2
    client.reply.integer(1)


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
        size = string_length(value) + len(argv[2])
        if size > client.instance.max_bulk:
            raise CommandError(TOO_LONG)
        raw = raw_string(client, key, value)
        raw.data += argv[2]
    client.instance.dirty += 1
    client.notify(events.STRING, b"append", key)
    client.reply.integer(size)


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
    client.reply.integer(0 if value is None else string_length(value))


def _getrange(client: Client, argv: list[bytes]) -> None:
    start = integer_argument(argv[2])
    end = integer_argument(argv[3])
    value = client.db.lookup_read(argv[1], client.instance.now)
    size: i64 = 0 if value is None else string_length(value)
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
    size: i64 = 0 if value is None else string_length(value)
    if not patch:
        client.reply.integer(size)
        return
    if offset > client.instance.max_bulk - len(patch):
        raise CommandError(TOO_LONG)
    end: i64 = offset + len(patch)
    if value is None:
        raw = RawString(bytearray(end))
        db.set(key, raw)
    else:
        raw = raw_string(client, key, value)
        if len(raw.data) < end:
            raw.data.extend(bytes(end - len(raw.data)))
    raw.data[offset:end] = patch
    client.instance.dirty += 1
    client.notify(events.STRING, b"setrange", key)
    client.reply.integer(len(raw.data))
