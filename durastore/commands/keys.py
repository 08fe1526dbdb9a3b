"""Commands on keys of any type (https://redis.io/commands/?group=generic)."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands.client import Client
from durastore.commands.encoding import encoding_of
from durastore.commands.errors import NO_SUCH_KEY, OUT_OF_RANGE, SYNTAX, CommandError
from durastore.commands.spec import DANGEROUS, DENYOOM, FAST, LOADING, READONLY, STALE, WRITE, command
from durastore.commands.strings import absolute_expiry, integer_argument
from durastore.keyspace.database import Database
from durastore.keyspace.glob import glob_match
from durastore.keyspace.table import CURSOR_SHIFT, HASH_MASK
from durastore.keyspace.values import Value, type_name
from durastore.protocol.numbers import INT64_MAX, NotANumber, parse_int

_DB_OUT_OF_RANGE: Final = b"ERR DB index is out of range"


def database_argument(client: Client, text: bytes) -> Database:
    """The database that a number names."""
    index = integer_argument(text)
    databases = client.instance.keyspace.databases
    if index < 0 or index >= len(databases):
        raise CommandError(_DB_OUT_OF_RANGE)
    return databases[index]


def _delete(client: Client, argv: list[bytes]) -> None:
    db = client.db
    now: i64 = client.instance.now
    expirable = db.table.expires_count != 0
    removed: i64 = 0
    size: i64 = len(argv)
    i: i64 = 1
    while i < size:
        key = argv[i]
        if expirable and db.lookup(key, now) is None:
            i += 1
            continue
        if db.delete(key):
            removed += 1
        i += 1
    client.instance.dirty += removed
    client.reply.integer(removed)


@command(
    "del",
    "key [key ...]",
    WRITE,
    summary="Deletes one or more keys.",
    since="1.0.0",
    complexity="O(N) where N is the number of keys that will be removed. When a key to remove holds a value other "
    "than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, "
    "set, sorted set or hash. Removing a single key that holds a string value is O(1).",
    keys="RM delete",
    tips="request_policy:multi_shard response_policy:agg_sum",
)
def del_(client: Client, argv: list[bytes]) -> None:
    """DEL."""
    _delete(client, argv)


@command(
    "unlink",
    "key [key ...]",
    WRITE | FAST,
    summary="Asynchronously deletes one or more keys.",
    since="4.0.0",
    complexity="O(1) for each key removed regardless of its size. Then the command does O(N) work in a different "
    "thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.",
    keys="RM delete",
    tips="request_policy:multi_shard response_policy:agg_sum",
)
def unlink(client: Client, argv: list[bytes]) -> None:
    """UNLINK."""
    _delete(client, argv)


def _count_existing(client: Client, argv: list[bytes]) -> None:
    now = client.instance.now
    found: i64 = 0
    for key in argv[1:]:
        if client.db.lookup_read(key, now) is not None:
            found += 1
    client.reply.integer(found)


@command(
    "exists",
    "key [key ...]",
    READONLY | FAST,
    summary="Determines whether one or more keys exist.",
    since="1.0.0",
    complexity="O(N) where N is the number of keys to check.",
    keys="RO",
    tips="request_policy:multi_shard response_policy:agg_sum",
    history=(("3.0.3", "Accepts multiple `key` arguments."),),
)
def exists(client: Client, argv: list[bytes]) -> None:
    """EXISTS."""
    _count_existing(client, argv)


@command(
    "touch",
    "key [key ...]",
    READONLY | FAST,
    summary="Returns the number of existing keys out of those specified after updating the time they were last "
    "accessed.",
    since="3.2.1",
    complexity="O(N) where N is the number of keys that will be touched.",
    keys="RO",
    tips="request_policy:multi_shard response_policy:agg_sum",
)
def touch(client: Client, argv: list[bytes]) -> None:
    """TOUCH."""
    _count_existing(client, argv)


@command(
    "type", "key", READONLY | FAST, summary="Determines the type of value stored at a key.", since="1.0.0", keys="RO"
)
def type_(client: Client, argv: list[bytes]) -> None:
    """TYPE."""
    value = client.db.lookup_read(argv[1], client.instance.now)
    client.reply.simple(b"none" if value is None else type_name(value))


def _rename(client: Client, argv: list[bytes], only_new: bool) -> bool:
    """Moves a key, with its expiry; False where the new name is taken and must not be."""
    db = client.db
    now = client.instance.now
    source, target = argv[1], argv[2]
    value = db.lookup(source, now)
    if value is None:
        raise CommandError(NO_SUCH_KEY)
    if source == target:
        return not only_new
    if db.lookup(target, now) is not None and only_new:
        return False
    when = db.get_expiry(source)
    db.set_with_expiry(target, value, when)
    db.delete(source)
    client.instance.dirty += 1
    return True


@command(
    "rename",
    "key newkey",
    WRITE,
    summary="Renames a key and overwrites the destination.",
    since="1.0.0",
    keys="RW access delete;OW update",
    history=(("3.2.0", "The command no longer returns an error when source and destination names are the same."),),
)
def rename(client: Client, argv: list[bytes]) -> None:
    """RENAME."""
    _rename(client, argv, False)
    client.reply.ok()


@command(
    "renamenx",
    "key newkey",
    WRITE | FAST,
    summary="Renames a key only when the target key name doesn't exist.",
    since="1.0.0",
    keys="RW access delete;OW insert",
    history=(("3.2.0", "The command no longer returns an error when source and destination names are the same."),),
)
def renamenx(client: Client, argv: list[bytes]) -> None:
    """RENAMENX."""
    client.reply.integer(1 if _rename(client, argv, True) else 0)


def _own_copy(value: object) -> object:
    return value.copy() if isinstance(value, Value) else value


@command(
    "copy",
    "source destination [DB destination-db] [REPLACE]",
    WRITE | DENYOOM,
    summary="Copies the value of a key to a new key.",
    since="6.2.0",
    complexity="O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
    keys="RO access;OW update",
)
def copy(client: Client, argv: list[bytes]) -> None:
    """COPY."""
    target_db = client.db
    replace = False
    i = 3
    while i < len(argv):
        word = argv[i].upper()
        if word == b"REPLACE":
            replace = True
        elif word == b"DB" and i + 1 < len(argv):
            target_db = database_argument(client, argv[i + 1])
            i += 1
        else:
            raise CommandError(SYNTAX)
        i += 1
    source, target = argv[1], argv[2]
    if target_db is client.db and source == target:
        raise CommandError(b"ERR source and destination objects are the same")
    now = client.instance.now
    value = client.db.lookup_read(source, now)
    if value is None:
        client.reply.integer(0)
        return
    if target_db.lookup(target, now) is not None and not replace:
        client.reply.integer(0)
        return
    target_db.set_with_expiry(target, _own_copy(value), client.db.get_expiry(source))
    client.instance.dirty += 1
    client.reply.integer(1)


@command(
    "move", "key db", WRITE | FAST, summary="Moves a key to another database.", since="1.0.0", keys="RW access update"
)
def move(client: Client, argv: list[bytes]) -> None:
    """MOVE."""
    try:
        index = parse_int(argv[2])
    except NotANumber:
        raise CommandError(b"ERR value is not an integer or out of range") from None
    databases = client.instance.keyspace.databases
    if index < 0 or index >= len(databases):
        raise CommandError(_DB_OUT_OF_RANGE)
    target = databases[index]
    if target is client.db:
        raise CommandError(b"ERR source and destination objects are the same")
    now = client.instance.now
    key = argv[1]
    value = client.db.lookup(key, now)
    if value is None or target.lookup(key, now) is not None:
        client.reply.integer(0)
        return
    target.set_with_expiry(key, value, client.db.get_expiry(key))
    client.db.delete(key)
    client.instance.dirty += 1
    client.reply.integer(1)


@command(
    "keys",
    "pattern",
    READONLY | DANGEROUS,
    summary="Returns all key names that match a pattern.",
    since="1.0.0",
    complexity="O(N) with N being the number of keys in the database, under the assumption that the key names in the "
    "database and the given pattern have limited length.",
    tips="request_policy:all_shards nondeterministic_output_order",
)
def keys(client: Client, argv: list[bytes]) -> None:
    """KEYS."""
    pattern = argv[1]
    everything = pattern == b"*"
    found: list[bytes] = []
    cursor: i64 = 0
    while True:
        following, some = client.db.scan(cursor, 1024, client.instance.now)
        found.extend(some if everything else [key for key in some if glob_match(pattern, key)])
        cursor = following
        if cursor == 0:
            break
    client.reply.bulks(found)


@command(
    "scan",
    "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    READONLY,
    summary="Iterates over the key names in the database.",
    since="2.8.0",
    complexity="O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to "
    "return back to 0. N is the number of elements inside the collection.",
    tips="nondeterministic_output request_policy:special response_policy:special",
    history=(("6.0.0", "Added the `TYPE` subcommand."),),
)
def scan(client: Client, argv: list[bytes]) -> None:
    """SCAN."""
    cursor = _cursor_argument(argv[1])
    pattern: bytes | None = None
    wanted_type: bytes | None = None
    count: i64 = 10
    i = 2
    while i < len(argv):
        if i + 1 >= len(argv):
            raise CommandError(SYNTAX)
        word = argv[i].upper()
        if word == b"COUNT":
            count = integer_argument(argv[i + 1])
            if count < 1:
                raise CommandError(SYNTAX)
        elif word == b"MATCH":
            pattern = None if argv[i + 1] == b"*" else argv[i + 1]
        elif word == b"TYPE":
            wanted_type = argv[i + 1].lower()
        else:
            raise CommandError(SYNTAX)
        i += 2
    following, found = client.db.scan(cursor, count, client.instance.now)
    if pattern is not None:
        found = [key for key in found if glob_match(pattern, key)]
    if wanted_type is not None:
        now = client.instance.now
        chosen: list[bytes] = []
        for key in found:
            value = client.db.lookup(key, now)
            if value is not None and type_name(value) == wanted_type:
                chosen.append(key)
        found = chosen
    client.reply.array(2)
    client.reply.bulk(b"%d" % following)
    client.reply.bulks(found)


def _cursor_argument(text: bytes) -> i64:
    """A cursor; a number that no SCAN ever returned starts at the end, as any stale cursor may."""
    if not text.isdigit() or len(text) > 20 or int(text) > 0xFFFFFFFFFFFFFFFF:
        raise CommandError(b"ERR invalid cursor")
    cursor = int(text)
    limit = HASH_MASK >> CURSOR_SHIFT
    return cursor if cursor <= limit else limit


@command(
    "randomkey",
    "",
    READONLY,
    summary="Returns a random key name from the database.",
    since="1.0.0",
    tips="request_policy:all_shards nondeterministic_output",
)
def randomkey(client: Client, argv: list[bytes]) -> None:
    """RANDOMKEY."""
    client.reply.bulk_or_null(client.db.random_key(client.instance.now))


# Expiry


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
        instance.propagate([b"DEL", key])
    else:
        db.set_expiry(key, when)
        instance.propagate([b"PEXPIREAT", key, b"%d" % when])
    instance.dirty += 1
    client.reply.integer(1)


_OPTIONS_HISTORY: Final = (("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`."),)


@command(
    "expire",
    "key seconds [NX | XX | GT | LT]",
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
    "key milliseconds [NX | XX | GT | LT]",
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
    "key unix-time-seconds [NX | XX | GT | LT]",
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
    "key unix-time-milliseconds [NX | XX | GT | LT]",
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
    if client.db.lookup(key, client.instance.now) is None:
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
    client.reply.integer(1)


# OBJECT


@command("object", "", 0, summary="A container for object introspection commands.", since="2.2.3", arity=-2)
def object_(client: Client, argv: list[bytes]) -> None:
    """OBJECT, whose subcommands do the work."""


def _object(client: Client, key: bytes) -> object | None:
    value = client.db.lookup(key, client.instance.now)
    if value is None:
        client.reply.null()
    return value


@command(
    "object|encoding",
    "key",
    READONLY,
    summary="Returns the internal encoding of a Redis object.",
    since="2.2.3",
    keys="RO",
    tips="nondeterministic_output",
)
def object_encoding(client: Client, argv: list[bytes]) -> None:
    """OBJECT ENCODING: the encoding that Redis would use for the value."""
    value = _object(client, argv[2])
    if value is not None:
        client.reply.bulk(encoding_of(value))


@command(
    "object|refcount",
    "key",
    READONLY,
    summary="Returns the reference count of a value of a key.",
    since="2.2.3",
    keys="RO",
    tips="nondeterministic_output",
)
def object_refcount(client: Client, argv: list[bytes]) -> None:
    """OBJECT REFCOUNT: values are never shared between keys."""
    if _object(client, argv[2]) is not None:
        client.reply.integer(1)


@command(
    "object|idletime",
    "key",
    READONLY,
    summary="Returns the time since the last access to a Redis object.",
    since="2.2.3",
    keys="RO",
    tips="nondeterministic_output",
)
def object_idletime(client: Client, argv: list[bytes]) -> None:
    """OBJECT IDLETIME: seconds since the key's segment was last used, which is at most the key's own idle time."""
    if _object(client, argv[2]) is not None:
        client.reply.integer(client.db.idle_seconds(argv[2], client.instance.now))


@command(
    "object|freq",
    "key",
    READONLY,
    summary="Returns the logarithmic access frequency counter of a Redis object.",
    since="4.0.0",
    keys="RO",
    tips="nondeterministic_output",
)
def object_freq(client: Client, argv: list[bytes]) -> None:
    """OBJECT FREQ: no policy that counts accesses can be chosen yet."""
    if _object(client, argv[2]) is not None:
        raise CommandError(
            b"ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when "
            b"switching between policies at runtime LRU and LFU data will take some time to adjust."
        )


@command(
    "object|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="6.2.0"
)
def object_help(client: Client, argv: list[bytes]) -> None:
    """OBJECT HELP."""
    client.reply.help(
        b"OBJECT",
        [
            b"ENCODING <key>",
            b"    Return the kind of internal representation used in order to store the value",
            b"    associated with a <key>.",
            b"FREQ <key>",
            b"    Return the access frequency index of the <key>. The returned integer is",
            b"    proportional to the logarithm of the recent access frequency of the key.",
            b"IDLETIME <key>",
            b"    Return the idle time of the <key>, that is the approximated number of",
            b"    seconds elapsed since the last access to the key.",
            b"REFCOUNT <key>",
            b"    Return the number of references of the value associated with the specified",
            b"    <key>.",
        ],
    )


# DUMP and RESTORE


@command(
    "dump",
    "key",
    READONLY,
    summary="Returns a serialized representation of the value stored at a key.",
    since="2.6.0",
    complexity="O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects "
    "composing the value and M their average size. For small string values the time complexity is thus "
    "O(1)+O(1*M) where M is small, so simply O(1).",
    keys="RO access",
    tips="nondeterministic_output",
)
def dump(client: Client, argv: list[bytes]) -> None:
    """DUMP."""
    value = client.db.lookup_read(argv[1], client.instance.now)
    if value is None:
        client.reply.null()
    else:
        client.reply.bulk(client.instance.host.dump(value))


@command(
    "restore",
    "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    WRITE | DENYOOM | DANGEROUS,
    summary="Creates a key from the serialized representation of a value.",
    since="2.6.0",
    complexity="O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the "
    "number of Redis objects composing the value and M their average size. For small string values the time "
    "complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity "
    "is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
    keys="OW update",
    history=(
        ("3.0.0", "Added the `REPLACE` modifier."),
        ("5.0.0", "Added the `ABSTTL` modifier."),
        ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
    ),
)
def restore(client: Client, argv: list[bytes]) -> None:
    """RESTORE."""
    replace = absolute = False
    i = 4
    while i < len(argv):
        word = argv[i].upper()
        if word == b"REPLACE":
            replace = True
        elif word == b"ABSTTL":
            absolute = True
        elif word == b"IDLETIME" and i + 1 < len(argv):
            if integer_argument(argv[i + 1]) < 0:
                raise CommandError(b"ERR Invalid IDLETIME value, must be >= 0")
            i += 1
        elif word == b"FREQ" and i + 1 < len(argv):
            if not 0 <= integer_argument(argv[i + 1]) <= 255:
                raise CommandError(b"ERR Invalid FREQ value, must be >= 0 and <= 255")
            i += 1
        else:
            raise CommandError(SYNTAX)
        i += 1
    instance = client.instance
    now = instance.now
    key = argv[1]
    taken = client.db.lookup(key, now) is not None
    if taken and not replace:
        raise CommandError(b"BUSYKEY Target key name already exists.")
    when = integer_argument(argv[2])
    if when < 0:
        raise CommandError(b"ERR Invalid TTL value, must be >= 0")
    value = instance.host.restore(argv[3])
    if when == 0:
        when = -1
    elif not absolute:
        if when > INT64_MAX - now:
            raise CommandError(OUT_OF_RANGE)
        when += now
    if when != -1 and when <= now and not client.replaying:
        # It has expired before it arrived.
        if taken:
            client.db.delete(key)
            instance.propagate([b"DEL", key])
            instance.dirty += 1
        client.reply.ok()
        return
    client.db.set_with_expiry(key, value, when)
    instance.dirty += 1
    ttl_word = b"0" if when == -1 else b"%d" % when
    instance.propagate([b"RESTORE", key, ttl_word, argv[3], b"REPLACE", b"ABSTTL"])
    client.reply.ok()
