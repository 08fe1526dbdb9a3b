"""Sorted set commands that take members out at an end (https://redis.io/commands/?group=sorted-set)."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands.arguments import timeout_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.sorted_sets import (
    finish_change,
    own_sorted_set,
    reply_entries,
    reply_pairs,
    sorted_set_to_write,
)
from durastore.commands.spec import BLOCKING, FAST, WRITE, command
from durastore.keyspace.sorted_sets import Entries, SortedSet
from durastore.protocol.numbers import NotANumber, parse_int


def _ends(held: SortedSet, count: i64, greatest: bool) -> tuple[i64, i64]:
    """The ranks of so many members at an end."""
    if greatest:
        return held.count - count, held.count
    return 0, count


def _remove(client: Client, key: bytes, held: SortedSet, count: i64, greatest: bool) -> None:
    """Takes out so many members at an end, after they were replied."""
    first, last = _ends(held, count, greatest)
    owned = own_sorted_set(client, key, held)
    owned.remove_range(first, last)
    finish_change(client, key, owned, count, b"zpopmax" if greatest else b"zpopmin")


def _effect(key: bytes, count: i64, greatest: bool) -> list[bytes]:
    return [b"ZPOPMAX" if greatest else b"ZPOPMIN", key, b"%d" % count]


def _pop(client: Client, argv: list[bytes], greatest: bool) -> None:
    size: i64 = len(argv)
    if size > 3:
        raise CommandError(SYNTAX)
    count: i64 = 1
    if size == 3:
        try:
            count = parse_int(argv[2])
        except NotANumber:
            count = -1
        if count < 0:
            raise CommandError(b"ERR value is out of range, must be positive")
    held = sorted_set_to_write(client, argv[1])
    if held is None or count == 0:
        client.reply.array(0)
        return
    count = min(count, held.count)
    first, last = _ends(held, count, greatest)
    entries = Entries(held, first, last, greatest)
    if size == 3:
        reply_entries(client, entries, count, True)
    else:
        entries.next()
        client.reply.array(2)
        client.reply.bulk(entries.member)
        client.reply.double(entries.score)
    _remove(client, argv[1], held, count, greatest)


@command(
    "zpopmin",
    "key [count]",
    WRITE | FAST,
    summary="Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the "
    "last member was popped.",
    since="5.0.0",
    complexity="O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements "
    "popped.",
    keys="RW access delete",
)
def zpopmin(client: Client, argv: list[bytes]) -> None:
    """ZPOPMIN."""
    _pop(client, argv, False)


@command(
    "zpopmax",
    "key [count]",
    WRITE | FAST,
    summary="Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the "
    "last member was popped.",
    since="5.0.0",
    complexity="O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements "
    "popped.",
    keys="RW access delete",
)
def zpopmax(client: Client, argv: list[bytes]) -> None:
    """ZPOPMAX."""
    _pop(client, argv, True)


def _blocking_pop(client: Client, argv: list[bytes], greatest: bool) -> None:
    deadline = timeout_argument(client, argv[-1])
    keys = argv[1:-1]
    for key in keys:
        held = sorted_set_to_write(client, key)
        if held is not None:
            entries = held.at(held.count - 1 if greatest else 0)
            client.reply.array(3)
            client.reply.bulk(key)
            client.reply.bulk(entries.member)
            client.reply.double(entries.score)
            _remove(client, key, held, 1, greatest)
            client.instance.propagate([b"ZPOPMAX" if greatest else b"ZPOPMIN", key])
            return
    client.block(b"zset", keys, deadline)
    client.reply.null_array()


_TIMEOUT_HISTORY: Final = (("6.0.0", "`timeout` is interpreted as a double instead of an integer."),)


@command(
    "bzpopmin",
    "key [key ...] timeout:double",
    WRITE | BLOCKING | FAST,
    summary="Removes and returns the member with the lowest score from one or more sorted sets. Blocks until a member "
    "is available otherwise. Deletes the sorted set if the last element was popped.",
    since="5.0.0",
    complexity="O(log(N)) with N being the number of elements in the sorted set.",
    keys="RW access delete",
    history=_TIMEOUT_HISTORY,
)
def bzpopmin(client: Client, argv: list[bytes]) -> None:
    """BZPOPMIN."""
    _blocking_pop(client, argv, False)


@command(
    "bzpopmax",
    "key [key ...] timeout:double",
    WRITE | BLOCKING | FAST,
    summary="Removes and returns the member with the highest score from one or more sorted sets. Blocks until a "
    "member available otherwise.  Deletes the sorted set if the last element was popped.",
    since="5.0.0",
    complexity="O(log(N)) with N being the number of elements in the sorted set.",
    keys="RW access delete",
    history=_TIMEOUT_HISTORY,
)
def bzpopmax(client: Client, argv: list[bytes]) -> None:
    """BZPOPMAX."""
    _blocking_pop(client, argv, True)


def _positive(text: bytes, complaint: bytes) -> i64:
    try:
        value = parse_int(text)
    except NotANumber:
        value = 0
    if value < 1:
        raise CommandError(complaint)
    return value


def _multiple_pop(client: Client, argv: list[bytes], at: i64, blocking: bool) -> None:
    """ZMPOP and BZMPOP; the number of keys is the word at ``at``."""
    size: i64 = len(argv)
    keys = _positive(argv[at], b"ERR numkeys should be greater than 0")
    if keys >= size - at - 1:
        raise CommandError(SYNTAX)
    i: i64 = at + keys + 1
    where = argv[i].upper()
    if where != b"MIN" and where != b"MAX":
        raise CommandError(SYNTAX)
    greatest = where == b"MAX"
    count: i64 = -1
    i += 1
    while i < size:
        if count != -1 or argv[i].upper() != b"COUNT" or i + 1 >= size:
            raise CommandError(SYNTAX)
        count = _positive(argv[i + 1], b"ERR count should be greater than 0")
        i += 2
    deadline: i64 = timeout_argument(client, argv[1]) if blocking else 0
    names = argv[at + 1 : at + 1 + keys]
    for key in names:
        held = sorted_set_to_write(client, key)
        if held is not None:
            count = min(max(count, 1), held.count)
            first, last = _ends(held, count, greatest)
            client.reply.array(2)
            client.reply.bulk(key)
            client.reply.array(count)
            reply_pairs(client, Entries(held, first, last, greatest))
            _remove(client, key, held, count, greatest)
            client.instance.propagate(_effect(key, count, greatest))
            return
    if blocking:
        client.block(b"zset", names, deadline)
    client.reply.null_array()


@command(
    "zmpop",
    "numkeys key [key ...] <where: MIN | MAX> [COUNT count]",
    WRITE,
    summary="Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. Deletes "
    "the sorted set if the last member was popped.",
    since="7.0.0",
    complexity="O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the "
    "sorted set, and M being the number of elements popped.",
    keys="RW access delete",
)
def zmpop(client: Client, argv: list[bytes]) -> None:
    """ZMPOP."""
    _multiple_pop(client, argv, 1, False)


@command(
    "bzmpop",
    "timeout:double numkeys key [key ...] <where: MIN | MAX> [COUNT count]",
    WRITE | BLOCKING,
    summary="Removes and returns a member by score from one or more sorted sets. Blocks until a member is available "
    "otherwise. Deletes the sorted set if the last element was popped.",
    since="7.0.0",
    complexity="O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the "
    "sorted set, and M being the number of elements popped.",
    keys="RW access delete",
)
def bzmpop(client: Client, argv: list[bytes]) -> None:
    """BZMPOP."""
    _multiple_pop(client, argv, 2, True)
