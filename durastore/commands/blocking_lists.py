"""The list commands that look at several lists or wait for one: LMPOP, BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands.arguments import timeout_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.lists import end_argument, find_list, move, pop, pop_range, positive_argument
from durastore.commands.spec import BLOCKING, DENYOOM, WRITE, command

_KIND: Final = b"list"


def _pop_any(client: Client, keys: list[bytes], head: bool) -> bool:
    """Takes an element from the first list that is there, and replies with its key and it."""
    for key in keys:
        value = find_list(client, key)
        if value is not None:
            reply = client.reply
            reply.array(2)
            reply.bulk(key)
            reply.bulk(pop(client, key, value, head))
            client.instance.propagate([b"LPOP" if head else b"RPOP", key])
            return True
    return False


def _pop_range_any(client: Client, keys: list[bytes], head: bool, count: i64) -> bool:
    """Takes elements from the first list that is there, and replies with its key and them."""
    for key in keys:
        value = find_list(client, key)
        if value is not None:
            taken: i64 = count if count < value.count else value.count
            reply = client.reply
            reply.array(2)
            reply.bulk(key)
            pop_range(client, key, value, head, taken)
            client.instance.propagate([b"LPOP" if head else b"RPOP", key, b"%d" % taken])
            return True
    return False


def _several(argv: list[bytes], first: i64) -> tuple[list[bytes], bool, i64]:
    """``numkeys key [key ...] LEFT|RIGHT [COUNT count]`` from word ``first`` on: keys, whether LEFT, count."""
    size: i64 = len(argv)
    number = positive_argument(argv[first], 1, b"ERR numkeys should be greater than 0")
    if number >= size - first - 1:
        raise CommandError(SYNTAX)
    where: i64 = first + number + 1
    head = end_argument(argv[where])
    count: i64 = -1
    i: i64 = where + 1
    while i < size:
        if count != -1 or argv[i].upper() != b"COUNT" or i + 1 >= size:
            raise CommandError(SYNTAX)
        count = positive_argument(argv[i + 1], 1, b"ERR count should be greater than 0")
        i += 2
    return argv[first + 1 : where], head, 1 if count == -1 else count


@command(
    "lmpop",
    "numkeys key [key ...] <where: LEFT | RIGHT> [COUNT count]",
    WRITE,
    summary="Returns multiple elements from a list after removing them. Deletes the list if the last element was "
    "popped.",
    since="7.0.0",
    complexity="O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    keys="RW access delete",
)
def lmpop(client: Client, argv: list[bytes]) -> None:
    """LMPOP."""
    keys, head, count = _several(argv, 1)
    if not _pop_range_any(client, keys, head, count):
        client.reply.null_array()


def _blocking_pop(client: Client, argv: list[bytes], head: bool) -> None:
    deadline = timeout_argument(client, argv[-1])
    keys = argv[1:-1]
    if not _pop_any(client, keys, head):
        client.block(_KIND, keys, deadline)
        client.reply.null_array()


_DOUBLE_HISTORY: Final = (("6.0.0", "`timeout` is interpreted as a double instead of an integer."),)


@command(
    "blpop",
    "key [key ...] timeout:double",
    WRITE | BLOCKING,
    summary="Removes and returns the first element in a list. Blocks until an element is available otherwise. Deletes "
    "the list if the last element was popped.",
    since="2.0.0",
    complexity="O(N) where N is the number of provided keys.",
    keys="RW access delete",
    history=_DOUBLE_HISTORY,
)
def blpop(client: Client, argv: list[bytes]) -> None:
    """BLPOP."""
    _blocking_pop(client, argv, True)


@command(
    "brpop",
    "key [key ...] timeout:double",
    WRITE | BLOCKING,
    summary="Removes and returns the last element in a list. Blocks until an element is available otherwise. Deletes "
    "the list if the last element was popped.",
    since="2.0.0",
    complexity="O(N) where N is the number of provided keys.",
    keys="RW access delete",
    history=_DOUBLE_HISTORY,
)
def brpop(client: Client, argv: list[bytes]) -> None:
    """BRPOP."""
    _blocking_pop(client, argv, False)


@command(
    "blmpop",
    "timeout:double numkeys key [key ...] <where: LEFT | RIGHT> [COUNT count]",
    WRITE | BLOCKING,
    summary="Pops the first element from one of multiple lists. Blocks until an element is available otherwise. "
    "Deletes the list if the last element was popped.",
    since="7.0.0",
    complexity="O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    keys="RW access delete",
)
def blmpop(client: Client, argv: list[bytes]) -> None:
    """BLMPOP."""
    keys, head, count = _several(argv, 2)
    deadline = timeout_argument(client, argv[1])
    if not _pop_range_any(client, keys, head, count):
        client.block(_KIND, keys, deadline)
        client.reply.null_array()


def _blocking_move(client: Client, argv: list[bytes], from_head: bool, to_head: bool, effect: list[bytes]) -> None:
    deadline = timeout_argument(client, argv[-1])
    item = move(client, argv[1], argv[2], from_head, to_head)
    if item is None:
        client.block(_KIND, [argv[1]], deadline)
        client.reply.null()
        return
    client.instance.propagate(effect)
    client.reply.bulk(item)


@command(
    "blmove",
    "source destination <wherefrom: LEFT | RIGHT> <whereto: LEFT | RIGHT> timeout:double",
    WRITE | DENYOOM | BLOCKING,
    summary="Pops an element from a list, pushes it to another list and returns it. Blocks until an element is "
    "available otherwise. Deletes the list if the last element was moved.",
    since="6.2.0",
    keys="RW access delete;RW insert",
)
def blmove(client: Client, argv: list[bytes]) -> None:
    """BLMOVE."""
    from_head = end_argument(argv[3])
    to_head = end_argument(argv[4])
    _blocking_move(client, argv, from_head, to_head, [b"LMOVE", argv[1], argv[2], argv[3], argv[4]])


@command(
    "brpoplpush",
    "source destination timeout:double",
    WRITE | DENYOOM | BLOCKING,
    summary="Pops an element from a list, pushes it to another list and returns it. Block until an element is "
    "available otherwise. Deletes the list if the last element was popped.",
    since="2.2.0",
    keys="RW access delete;RW insert",
    history=_DOUBLE_HISTORY,
    deprecated=("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments"),
)
def brpoplpush(client: Client, argv: list[bytes]) -> None:
    """BRPOPLPUSH."""
    _blocking_move(client, argv, False, True, [b"RPOPLPUSH", argv[1], argv[2]])
