"""Commands on keys of any type (https://redis.io/commands/?group=generic)."""

from __future__ import annotations

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import database_argument
from durastore.commands.client import Client
from durastore.commands.errors import NO_SUCH_KEY, SYNTAX, CommandError
from durastore.commands.scanning import ScanOptions, cursor_argument, reply_scan
from durastore.commands.spec import DANGEROUS, DENYOOM, FAST, READONLY, WRITE, command
from durastore.keyspace.glob import glob_match
from durastore.keyspace.values import Value, type_name


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
            client.notify(events.GENERIC, b"del", key)
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
    """EXISTS: a key that is named twice counts twice."""
    now = client.instance.now
    found: i64 = 0
    for key in argv[1:]:
        if client.db.inspect(key, now) is not None:
            found += 1
    client.reply.integer(found)


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
    now = client.instance.now
    found: i64 = 0
    for key in argv[1:]:
        if client.db.lookup_read(key, now) is not None:
            found += 1
    client.reply.integer(found)


@command(
    "type", "key", READONLY | FAST, summary="Determines the type of value stored at a key.", since="1.0.0", keys="RO"
)
def type_(client: Client, argv: list[bytes]) -> None:
    """TYPE."""
    value = client.db.inspect(argv[1], client.instance.now)
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
    db.overwrite(target, value, when)
    db.detach(source)
    client.notify(events.GENERIC, b"rename_from", source)
    client.notify(events.GENERIC, b"rename_to", target)
    client.instance.dirty += 1
    return True


@command(
    "rename",
    "key newkey",
    WRITE,
    summary="Renames a key and overwrites the destination.",
    since="1.0.0",
    keys="RW access delete;OW update",
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
    target_db.overwrite(target, _own_copy(value), client.db.get_expiry(source))
    client.instance.events.publish(events.GENERIC, b"copy_to", target, target_db.index)
    client.instance.dirty += 1
    client.reply.integer(1)


@command(
    "move", "key db", WRITE | FAST, summary="Moves a key to another database.", since="1.0.0", keys="RW access update"
)
def move(client: Client, argv: list[bytes]) -> None:
    """MOVE."""
    target = database_argument(client, argv[2])
    if target is client.db:
        raise CommandError(b"ERR source and destination objects are the same")
    now = client.instance.now
    key = argv[1]
    value = client.db.lookup(key, now)
    if value is None or target.lookup(key, now) is not None:
        client.reply.integer(0)
        return
    target.set_with_expiry(key, value, client.db.get_expiry(key))
    client.db.detach(key)
    client.notify(events.GENERIC, b"move_from", key)
    client.instance.events.publish(events.GENERIC, b"move_to", key, target.index)
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
        following, some = client.db.scan(cursor, 1024)
        if not everything:
            some = [key for key in some if glob_match(pattern, key)]
        found.extend(client.db.live(some, client.instance.now))
        cursor = following
        if cursor == 0:
            break
    client.reply.bulks(found)


@command(
    "scan",
    "cursor [MATCH pattern] [COUNT count] [TYPE type@6.0.0]",
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
    cursor = cursor_argument(argv[1])
    options = ScanOptions(argv, 2, types=True)
    now = client.instance.now
    following, found = client.db.scan(cursor, options.count)
    found = options.matching(found)
    wanted_type = options.type_name
    if wanted_type is None:
        found = client.db.without_expired(found, now)
    else:
        chosen: list[bytes] = []
        for key in found:
            value = client.db.peek(key, now)
            if value is not None and type_name(value) == wanted_type:
                chosen.append(key)
        found = chosen
    reply_scan(client.reply, following, found)


@command(
    "randomkey",
    "",
    READONLY,
    summary="Returns a random key name from the database.",
    since="1.0.0",
    tips="request_policy:all_shards response_policy:special nondeterministic_output",
)
def randomkey(client: Client, argv: list[bytes]) -> None:
    """RANDOMKEY."""
    client.reply.bulk_or_null(client.db.random_key(client.instance.now))
