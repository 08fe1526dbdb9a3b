"""Set commands (https://redis.io/commands/?group=set); those on several sets have ``set_algebra``."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, WRONG_TYPE, CommandError
from durastore.commands.hashes import MOST_RANDOM, random_count
from durastore.commands.packed_bulks import packed_bulks
from durastore.commands.scanning import ScanOptions, cursor_argument, reply_scan
from durastore.commands.spec import DENYOOM, FAST, READONLY, WRITE, command
from durastore.keyspace.listpack import HEADER
from durastore.keyspace.sets import Set, empty_intset, new_set
from durastore.protocol.numbers import INT64_MAX, NotANumber, parse_int

# How many members one SREM in the journal takes out.
_BATCH: Final = 1024
# SPOP builds a new set of what stays where it takes more than so many times as much.
_MOVE_FROM: Final = 5


def set_of(value: object) -> Set:
    """A value that must be a set; raises CommandError for any other type."""
    if not isinstance(value, Set):
        raise CommandError(WRONG_TYPE)
    return value


def set_to_read(client: Client, key: bytes) -> Set | None:
    """The set of a key, or None."""
    value = client.db.lookup_read(key, client.instance.now)
    return None if value is None else set_of(value)


def set_to_write(client: Client, key: bytes) -> Set | None:
    """The set of a key, or None, for a command that may change it once it owns it."""
    value = client.db.lookup(key, client.instance.now)
    return None if value is None else set_of(value)


def _changed(client: Client, key: bytes, held: Set) -> None:
    """To be called when members were taken out of a set: tells those who watch, and removes the key of an empty one."""
    if held.size() == 0:
        client.db.delete(key)
        client.notify(events.GENERIC, b"del", key)
    elif client.db.watched:
        client.db.changed(key)


@command(
    "sadd",
    "key member [member ...]",
    WRITE | DENYOOM | FAST,
    summary="Adds one or more members to a set. Creates the key if it doesn't exist.",
    since="1.0.0",
    complexity="O(1) for each element added, so O(N) to add N elements when the command is called with multiple "
    "arguments.",
    keys="RW insert",
    history=(("2.4.0", "Accepts multiple `member` arguments."),),
)
def sadd(client: Client, argv: list[bytes]) -> None:
    """SADD."""
    db = client.db
    key = argv[1]
    limits = client.instance.keyspace.limits
    size: i64 = len(argv)
    value = db.lookup_owned(key, client.instance.now)
    added: i64 = 0
    i: i64 = 2
    if value is None:
        made = new_set(argv[2], size - 2, limits)
        while i < size:
            if made.add(argv[i], limits):
                added += 1
            i += 1
        db.set(key, made)
    else:
        owned = set_of(value)
        if owned.table is None and size - 2 > (limits.set_intset if owned.integers else limits.set_entries):
            owned.spread()
        while i < size:
            if owned.add(argv[i], limits):
                added += 1
            i += 1
        if added and db.watched:
            db.changed(key)
    if added:
        client.instance.dirty += added
        client.notify(events.SET, b"sadd", key)
    client.reply.integer(added)


@command(
    "srem",
    "key member [member ...]",
    WRITE | FAST,
    summary="Removes one or more members from a set. Deletes the set if the last member was removed.",
    since="1.0.0",
    complexity="O(N) where N is the number of members to be removed.",
    keys="RW delete",
    history=(("2.4.0", "Accepts multiple `member` arguments."),),
)
def srem(client: Client, argv: list[bytes]) -> None:
    """SREM."""
    key = argv[1]
    held = set_to_write(client, key)
    removed: i64 = 0
    if held is not None:
        owned = client.db.own(key, held)
        assert isinstance(owned, Set)
        for member in argv[2:]:
            if owned.remove(member):
                removed += 1
        if removed:
            client.instance.dirty += removed
            client.notify(events.SET, b"srem", key)
            _changed(client, key, owned)
    client.reply.integer(removed)


@command(
    "smove",
    "source destination member",
    WRITE | FAST,
    summary="Moves a member from one set to another.",
    since="1.0.0",
    keys="RW access delete;RW insert",
)
def smove(client: Client, argv: list[bytes]) -> None:
    """SMOVE."""
    source, destination, member = argv[1], argv[2], argv[3]
    db = client.db
    now: i64 = client.instance.now
    limits = client.instance.keyspace.limits
    value = db.lookup(source, now)
    target = db.lookup(destination, now)
    if value is None:
        client.reply.integer(0)
        return
    held = set_of(value)
    other = None if target is None else set_of(target)
    if not held.contains(member):
        client.reply.integer(0)
        return
    if held is other:
        client.reply.integer(1)
        return
    owned = db.own(source, held)
    assert isinstance(owned, Set)
    owned.remove(member)
    client.notify(events.SET, b"srem", source)
    _changed(client, source, owned)
    client.instance.dirty += 1
    if other is None:
        made = new_set(member, 1, limits)
        made.add(member, limits)
        db.set(destination, made)
    else:
        grown = db.own(destination, other)
        assert isinstance(grown, Set)
        if not grown.add(member, limits):
            client.reply.integer(1)
            return
        if db.watched:
            db.changed(destination)
    client.instance.dirty += 1
    client.notify(events.SET, b"sadd", destination)
    client.reply.integer(1)


@command(
    "sismember",
    "key member",
    READONLY | FAST,
    summary="Determines whether a member belongs to a set.",
    since="1.0.0",
    keys="RO",
)
def sismember(client: Client, argv: list[bytes]) -> None:
    """SISMEMBER."""
    held = set_to_read(client, argv[1])
    client.reply.integer(1 if held is not None and held.contains(argv[2]) else 0)


@command(
    "smismember",
    "key member [member ...]",
    READONLY | FAST,
    summary="Determines whether multiple members belong to a set.",
    since="6.2.0",
    complexity="O(N) where N is the number of elements being checked for membership",
    keys="RO access",
)
def smismember(client: Client, argv: list[bytes]) -> None:
    """SMISMEMBER."""
    held = set_to_read(client, argv[1])
    client.reply.array(len(argv) - 2)
    for member in argv[2:]:
        client.reply.integer(1 if held is not None and held.contains(member) else 0)


@command("scard", "key", READONLY | FAST, summary="Returns the number of members in a set.", since="1.0.0", keys="RO")
def scard(client: Client, argv: list[bytes]) -> None:
    """SCARD."""
    held = set_to_read(client, argv[1])
    client.reply.integer(0 if held is None else held.size())


def reply_set(client: Client, members: list[bytes]) -> None:
    """A set of bulk strings (RESP2: an array)."""
    client.reply.set(len(members))
    client.reply.bulk_elements(members)


@command(
    "smembers",
    "key",
    READONLY,
    summary="Returns all members of a set.",
    since="1.0.0",
    complexity="O(N) where N is the set cardinality.",
    keys="RO access",
    tips="nondeterministic_output_order",
)
def smembers(client: Client, argv: list[bytes]) -> None:
    """SMEMBERS."""
    held = set_to_read(client, argv[1])
    listpack = None if held is None else held.listpack()
    if held is None or listpack is None:
        reply_set(client, [] if held is None else held.members())
    else:
        size = held.size()
        client.reply.set(size)
        client.reply.raw(packed_bulks(listpack, HEADER, size))


# Chance


def _pop_one(client: Client, key: bytes) -> None:
    held = set_to_write(client, key)
    if held is None:
        client.reply.null()
        return
    owned = client.db.own(key, held)
    assert isinstance(owned, Set)
    member = owned.pop_random()
    client.instance.dirty += 1
    client.instance.propagate([b"SREM", key, member])
    client.notify(events.SET, b"spop", key)
    client.reply.bulk(member)
    _changed(client, key, owned)


@command(
    "spop",
    "key [count@3.2.0]",
    WRITE | FAST,
    summary="Returns one or more random members from a set after removing them. Deletes the set if the last member was "
    "popped.",
    since="1.0.0",
    complexity="Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
    keys="RW access delete",
    tips="nondeterministic_output",
    history=(("3.2.0", "Added the `count` argument."),),
)
def spop(client: Client, argv: list[bytes]) -> None:
    """SPOP."""
    if len(argv) == 2:
        _pop_one(client, argv[1])
        return
    if len(argv) > 3:
        raise CommandError(SYNTAX)
    try:
        count = parse_int(argv[2])
    except NotANumber:
        count = -1
    if count < 0:
        raise CommandError(b"ERR value is out of range, must be positive")
    key = argv[1]
    held = set_to_write(client, key)
    if held is None or count == 0:
        client.reply.set(0)
        return
    size: i64 = held.size()
    client.notify(events.SET, b"spop", key)
    if count >= size:
        reply_set(client, held.members())
        client.db.delete(key)
        client.instance.dirty += size
        client.instance.propagate([b"DEL", key])
        client.notify(events.GENERIC, b"del", key)
        return
    if (size - count) * _MOVE_FROM > count:
        chosen = _take_few(client, key, held, count)
    else:
        chosen = _take_most(client, key, held, count)
    client.instance.dirty += count
    for i in range(0, len(chosen), _BATCH):
        client.instance.propagate([b"SREM", key, *chosen[i : i + _BATCH]])
    reply_set(client, chosen)


def _take_few(client: Client, key: bytes, held: Set, count: i64) -> list[bytes]:
    owned = client.db.writable(key, held)
    assert isinstance(owned, Set)
    return [owned.pop_random() for _ in range(count)]


def _take_most(client: Client, key: bytes, held: Set, count: i64) -> list[bytes]:
    """A new set of what stays, which may have a smaller form, takes the place of the old one."""
    limits = client.instance.keyspace.limits
    stays = dict.fromkeys(held.sample(held.size() - count))
    made = empty_intset() if held.integers else Set()
    chosen: list[bytes] = []
    for member in held.members():
        if member in stays:
            made.add(member, limits)
        else:
            chosen.append(member)
    client.db.replace(key, made)
    return chosen


@command(
    "srandmember",
    "key [count@2.6.0]",
    READONLY,
    summary="Get one or multiple random members from a set",
    since="1.0.0",
    complexity="Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
    keys="RO access",
    tips="nondeterministic_output",
    history=(("2.6.0", "Added the optional `count` argument."),),
)
def srandmember(client: Client, argv: list[bytes]) -> None:
    """SRANDMEMBER."""
    if len(argv) == 2:
        held = set_to_read(client, argv[1])
        client.reply.bulk_or_null(None if held is None else held.random_member())
        return
    if len(argv) > 3:
        raise CommandError(SYNTAX)
    count = random_count(argv[2], INT64_MAX)
    held = set_to_read(client, argv[1])
    if held is None or count == 0:
        client.reply.array(0)
    elif count < -MOST_RANDOM:
        raise CommandError(b"ERR value is out of range")
    elif count == 1 or count == -1:
        client.reply.bulks([held.random_member()])
    elif count < 0:
        client.reply.bulks(held.random_members(-count))
    else:
        client.reply.bulks(held.members() if count >= held.size() else held.sample(count))


@command(
    "sscan",
    "key cursor [MATCH pattern] [COUNT count]",
    READONLY,
    summary="Iterates over members of a set.",
    since="2.8.0",
    complexity="O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to "
    "return back to 0. N is the number of elements inside the collection.",
    keys="RO access",
    tips="nondeterministic_output",
)
def sscan(client: Client, argv: list[bytes]) -> None:
    """SSCAN."""
    cursor = cursor_argument(argv[2])
    held = set_to_read(client, argv[1])
    if held is None:
        reply_scan(client.reply, 0, [])
        return
    options = ScanOptions(argv, 3)
    members: list[bytes] = []
    following: i64 = held.scan(cursor, options.count, members)
    reply_scan(client.reply, following, options.matching(members))
