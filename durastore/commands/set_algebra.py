"""Set commands on several sets: intersections, unions, differences (https://redis.io/commands/?group=set)."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.sets import reply_set, set_to_read
from durastore.commands.spec import DENYOOM, READONLY, WRITE, command
from durastore.keyspace import intset
from durastore.keyspace.sets import Set, empty_intset
from durastore.protocol.numbers import NotANumber, parse_int

_SMALLEST_FIRST: Final = "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets."
_ALL: Final = "O(N) where N is the total number of elements in all given sets."
# To unpack so many members costs about as much as to look for one among them.
_WORTH_UNPACKING: Final = 4


def _operands(client: Client, keys: list[bytes]) -> list[Set | None]:
    """The sets of the keys, None where there is none."""
    return [set_to_read(client, key) for key in keys]


@final
class _Searched:
    """A set in which ``count`` members are looked for; a small one, searched from its start each time, is unpacked."""

    def __init__(self, held: Set, count: i64) -> None:
        self._held = held
        self._unpacked: set[bytes] | None = None
        if held.table is None and count * _WORTH_UNPACKING >= held.size():
            self._unpacked = set(held.members())

    def contains(self, member: bytes) -> bool:
        """Whether it is a member."""
        unpacked = self._unpacked
        return self._held.contains(member) if unpacked is None else member in unpacked


def _store(client: Client, key: bytes, made: Set, event: bytes) -> None:
    """Puts a result in the place of whatever the key held; an empty one removes it."""
    size: i64 = made.size()
    if size:
        client.db.set(key, made, client.instance.now)
        client.notify(events.SET, event, key)
        client.instance.dirty += 1
    elif client.db.delete(key):
        client.notify(events.GENERIC, b"del", key)
        client.instance.dirty += 1
    client.reply.integer(size)


# Intersections


def _intersection(client: Client, keys: list[bytes], limit: i64) -> tuple[Set | None, list[bytes]]:
    """The smallest of the sets, and those of its members that are in all of them (``limit``: up to so many, 0: all)."""
    sets: list[Set] = []
    empty = False
    for each in _operands(client, keys):
        if each is None:
            empty = True
        else:
            sets.append(each)
    if empty:
        return None, []
    sets.sort(key=_size)
    smallest = sets[0]
    members = smallest.members()
    others = [_Searched(each, len(members)) for each in sets[1:] if each is not smallest]
    if not others:
        return smallest, members if limit == 0 else members[:limit]
    found: list[bytes] = []
    for member in members:
        everywhere = True
        for other in others:
            if not other.contains(member):
                everywhere = False
                break
        if everywhere:
            found.append(member)
            if limit != 0 and len(found) >= limit:
                break
    return smallest, found


def _size(held: Set) -> int:
    return held.size()


@command(
    "sinter",
    "key [key ...]",
    READONLY,
    summary="Returns the intersect of multiple sets.",
    since="1.0.0",
    complexity=_SMALLEST_FIRST,
    keys="RO access",
    tips="nondeterministic_output_order",
)
def sinter(client: Client, argv: list[bytes]) -> None:
    """SINTER."""
    reply_set(client, _intersection(client, argv[1:], 0)[1])


@command(
    "sintercard",
    "numkeys key [key ...] [LIMIT limit]",
    READONLY,
    summary="Returns the number of members of the intersect of multiple sets.",
    since="7.0.0",
    complexity=_SMALLEST_FIRST,
    keys="RO access",
)
def sintercard(client: Client, argv: list[bytes]) -> None:
    """SINTERCARD."""
    try:
        count = parse_int(argv[1])
    except NotANumber:
        count = 0
    if count < 1:
        raise CommandError(b"ERR numkeys should be greater than 0")
    size: i64 = len(argv)
    if count > size - 2:
        raise CommandError(b"ERR Number of keys can't be greater than number of args")
    limit: i64 = 0
    i: i64 = 2 + count
    while i < size:
        if argv[i].upper() != b"LIMIT" or i + 1 >= size:
            raise CommandError(SYNTAX)
        try:
            limit = parse_int(argv[i + 1])
        except NotANumber:
            limit = -1
        if limit < 0:
            raise CommandError(b"ERR LIMIT can't be negative")
        i += 2
    client.reply.integer(len(_intersection(client, argv[2 : 2 + count], limit)[1]))


@command(
    "sinterstore",
    "destination key [key ...]",
    WRITE | DENYOOM,
    summary="Stores the intersect of multiple sets in a key.",
    since="1.0.0",
    complexity=_SMALLEST_FIRST,
    keys="RW update;RO access",
)
def sinterstore(client: Client, argv: list[bytes]) -> None:
    """SINTERSTORE."""
    limits = client.instance.keyspace.limits
    smallest, members = _intersection(client, argv[2:], 0)
    made = empty_intset() if smallest is not None and smallest.integers else Set()
    integers = True
    for member in members:
        integers = integers and intset.is_number(member, intset.number_of(member))
        made.add(member, limits)
    if members and integers:
        made.gather(limits)
    _store(client, argv[1], made, b"sinterstore")


# Unions


def _union(client: Client, keys: list[bytes]) -> Set:
    limits = client.instance.keyspace.limits
    made = empty_intset()
    for each in _operands(client, keys):
        if each is not None:
            for member in each.members():
                made.add(member, limits)
    return made


@command(
    "sunion",
    "key [key ...]",
    READONLY,
    summary="Returns the union of multiple sets.",
    since="1.0.0",
    complexity=_ALL,
    keys="RO access",
    tips="nondeterministic_output_order",
)
def sunion(client: Client, argv: list[bytes]) -> None:
    """SUNION."""
    reply_set(client, _union(client, argv[1:]).members())


@command(
    "sunionstore",
    "destination key [key ...]",
    WRITE | DENYOOM,
    summary="Stores the union of multiple sets in a key.",
    since="1.0.0",
    complexity=_ALL,
    keys="OW update;RO access",
)
def sunionstore(client: Client, argv: list[bytes]) -> None:
    """SUNIONSTORE."""
    _store(client, argv[1], _union(client, argv[2:]), b"sunionstore")


# Differences


def _difference(client: Client, keys: list[bytes]) -> Set:
    """The first set without the members of the others.

    As in Redis, either each member is looked for in the others, or a copy of the first loses theirs: which of the two
    it is shows in the encoding of the result.
    """
    sets = _operands(client, keys)
    first = sets[0]
    others = [each for each in sets[1:] if each is not None]
    if first is None or first in others:
        return empty_intset()
    total: i64 = first.size()
    for each in others:
        total += each.size()
    if first.size() * (len(others) + 1) // 2 <= total:
        others.sort(key=_size, reverse=True)
        return _without(client, first.members(), [_Searched(each, first.size()) for each in others])
    limits = client.instance.keyspace.limits
    made = empty_intset()
    for member in first.members():
        made.add(member, limits)
    for each in others:
        for member in each.members():
            made.remove(member)
        if made.size() == 0:
            break
    return made


def _without(client: Client, members: list[bytes], others: list[_Searched]) -> Set:
    limits = client.instance.keyspace.limits
    made = empty_intset()
    for member in members:
        alone = True
        for other in others:
            if other.contains(member):
                alone = False
                break
        if alone:
            made.add(member, limits)
    return made


@command(
    "sdiff",
    "key [key ...]",
    READONLY,
    summary="Returns the difference of multiple sets.",
    since="1.0.0",
    complexity=_ALL,
    keys="RO access",
    tips="nondeterministic_output_order",
)
def sdiff(client: Client, argv: list[bytes]) -> None:
    """SDIFF."""
    reply_set(client, _difference(client, argv[1:]).members())


@command(
    "sdiffstore",
    "destination key [key ...]",
    WRITE | DENYOOM,
    summary="Stores the difference of multiple sets in a key.",
    since="1.0.0",
    complexity=_ALL,
    keys="OW update;RO access",
)
def sdiffstore(client: Client, argv: list[bytes]) -> None:
    """SDIFFSTORE."""
    _store(client, argv[1], _difference(client, argv[2:]), b"sdiffstore")
