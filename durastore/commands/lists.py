"""Lists (https://redis.io/commands/?group=list)."""

from __future__ import annotations

from durastore.commands import events
from durastore.commands.arguments import timeout_argument
from durastore.commands.client import Client
from durastore.commands.errors import WRONG_TYPE, CommandError
from durastore.commands.spec import BLOCKING, DENYOOM, FAST, WRITE, command
from durastore.keyspace.lists import List


def _list(client: Client, key: bytes) -> List | None:
    """The list of a key, or None where there is no such key."""
    value = client.db.lookup(key, client.instance.now)
    if value is None or isinstance(value, List):
        return value
    raise CommandError(WRONG_TYPE)


def _writable(client: Client, key: bytes, value: List) -> List:
    changed = client.db.writable(key, value)
    assert isinstance(changed, List)
    return changed


def _push(client: Client, argv: list[bytes], head: bool) -> None:
    key = argv[1]
    value = _list(client, key)
    if value is None:
        value = List([])
        client.db.set(key, value)
    else:
        value = _writable(client, key, value)
    for item in argv[2:]:
        if head:
            value.push_head(item)
        else:
            value.push_tail(item)
    client.instance.dirty += len(argv) - 2
    client.reply.integer(value.size())
    client.notify(events.LIST, b"lpush" if head else b"rpush", key)


_PUSH_HISTORY = (("2.4.0", "Accepts multiple `element` arguments."),)


@command(
    "lpush",
    "key element [element ...]",
    WRITE | DENYOOM | FAST,
    summary="Prepends one or more elements to a list. Creates the key if it doesn't exist.",
    since="1.0.0",
    complexity="O(1) for each element added, so O(N) to add N elements when the command is called with multiple "
    "arguments.",
    keys="RW insert",
    history=_PUSH_HISTORY,
)
def lpush(client: Client, argv: list[bytes]) -> None:
    """LPUSH."""
    _push(client, argv, True)


@command(
    "rpush",
    "key element [element ...]",
    WRITE | DENYOOM | FAST,
    summary="Appends one or more elements to a list. Creates the key if it doesn't exist.",
    since="1.0.0",
    complexity="O(1) for each element added, so O(N) to add N elements when the command is called with multiple "
    "arguments.",
    keys="RW insert",
    history=_PUSH_HISTORY,
)
def rpush(client: Client, argv: list[bytes]) -> None:
    """RPUSH."""
    _push(client, argv, False)


def _pop(client: Client, key: bytes, value: List, head: bool) -> bytes:
    """Takes one element; a list that becomes empty is deleted."""
    value = _writable(client, key, value)
    item = value.pop_head() if head else value.pop_tail()
    client.notify(events.LIST, b"lpop" if head else b"rpop", key)
    if value.size() == 0:
        client.db.delete(key)
        client.notify(events.GENERIC, b"del", key)
    client.instance.dirty += 1
    return item


def _blocking_pop(client: Client, argv: list[bytes], head: bool) -> None:
    deadline = timeout_argument(client, argv[-1])
    keys = argv[1:-1]
    for key in keys:
        value = _list(client, key)
        if value is not None:
            item = _pop(client, key, value, head)
            client.instance.propagate([b"LPOP" if head else b"RPOP", key])
            client.reply.array(2)
            client.reply.bulk(key)
            client.reply.bulk(item)
            return
    client.block(b"list", keys, deadline)
    client.reply.null_array()


_BLOCKING_POP_HISTORY = (("6.0.0", "`timeout` is interpreted as a double instead of an integer."),)


@command(
    "blpop",
    "key [key ...] timeout:double",
    WRITE | BLOCKING,
    summary="Removes and returns the first element in a list. Blocks until an element is available otherwise. Deletes "
    "the list if the last element was popped.",
    since="2.0.0",
    complexity="O(N) where N is the number of provided keys.",
    keys="RW access delete",
    history=_BLOCKING_POP_HISTORY,
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
    history=_BLOCKING_POP_HISTORY,
)
def brpop(client: Client, argv: list[bytes]) -> None:
    """BRPOP."""
    _blocking_pop(client, argv, False)
