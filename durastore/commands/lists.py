"""Lists (https://redis.io/commands/?group=list); those that may wait are in ``blocking_lists.py``."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import NO_SUCH_KEY, OUT_OF_RANGE, SYNTAX, WRONG_TYPE, CommandError, wrong_arity
from durastore.commands.packed_bulks import packed_bulks
from durastore.commands.spec import DENYOOM, FAST, READONLY, WRITE, command
from durastore.keyspace.list_nodes import NO_LIMIT
from durastore.keyspace.lists import List
from durastore.protocol.numbers import INT64_MIN, NotANumber, parse_int


def find_list(client: Client, key: bytes) -> List | None:
    """The list of a key that is to be changed, or None where there is no such key."""
    value = client.db.lookup(key, client.instance.now)
    if value is None or isinstance(value, List):
        return value
    raise CommandError(WRONG_TYPE)


def _read_list(client: Client, key: bytes) -> List | None:
    """The list of a key that is to be read, or None where there is no such key."""
    value = client.db.lookup_read(key, client.instance.now)
    if value is None or isinstance(value, List):
        return value
    raise CommandError(WRONG_TYPE)


def writable_list(client: Client, key: bytes, value: List) -> List:
    """A list that is there, in a form that may be changed."""
    changed = client.db.writable(key, value)
    assert isinstance(changed, List)
    return changed


def elements_removed(client: Client, key: bytes, value: List, event: bytes, count: i64) -> None:
    """What is left to do when a command has taken elements out of a list: an empty one goes."""
    instance = client.instance
    client.notify(events.LIST, event, key)
    if value.count == 0:
        client.db.delete(key)
        client.notify(events.GENERIC, b"del", key)
    else:
        value.settle(instance.keyspace.limits.list_size)
    instance.dirty += count


def pop(client: Client, key: bytes, value: List, head: bool) -> bytes:
    """Takes one element from an end of a list that is there."""
    value = writable_list(client, key, value)
    item = value.pop_head() if head else value.pop_tail()
    elements_removed(client, key, value, b"lpop" if head else b"rpop", 1)
    return item


def pop_range(client: Client, key: bytes, value: List, head: bool, count: i64) -> None:
    """Takes elements from an end of a list that is there, and replies with them."""
    value = writable_list(client, key, value)
    if count > value.count:
        count = value.count
    start: i64 = 0 if head else value.count - count
    write_range(client, value, start, count, not head)
    value.delete(start, count)
    elements_removed(client, key, value, b"lpop" if head else b"rpop", count)


def write_range(client: Client, value: List, start: i64, count: i64, reverse: bool) -> None:
    """Replies with elements."""
    reply = client.reply
    reply.array(count)
    if reverse:
        for run in reversed(list(value.runs(start, count))):
            items: list[bytes] = []
            run.collect(items)
            items.reverse()
            reply.bulk_elements(items)
        return
    for run in value.runs(start, count):
        if run.count:
            reply.raw(packed_bulks(run.packed, run.pos, run.count))
        else:
            reply.bulk_elements(run.items)


def positive_argument(text: bytes, least: i64, complaint: bytes) -> i64:
    """An integer argument of at least ``least``."""
    try:
        value = parse_int(text)
    except NotANumber:
        raise CommandError(complaint) from None
    if value < least:
        raise CommandError(complaint)
    return value


def end_argument(text: bytes) -> bool:
    """LEFT (True) or RIGHT."""
    word = text.upper()
    if word == b"LEFT":
        return True
    if word == b"RIGHT":
        return False
    raise CommandError(SYNTAX)


# Pushing


def _push(client: Client, argv: list[bytes], head: bool, must_exist: bool) -> None:
    key = argv[1]
    instance = client.instance
    fill: i64 = instance.keyspace.limits.list_size
    value = find_list(client, key)
    if value is None:
        if must_exist:
            client.reply.integer(0)
            return
        value = List([])
        client.db.set(key, value)
    else:
        value = writable_list(client, key, value)
    size: i64 = len(argv)
    count: i64 = size - 2
    if not value.quicklist:
        total: i64 = 0
        i: i64 = 2
        while i < size:
            total += len(argv[i])
            i += 1
        value.expect(total, count, fill)
    i = 2
    while i < size:
        if head:
            value.push_head(argv[i], fill)
        else:
            value.push_tail(argv[i], fill)
        i += 1
    client.reply.integer(value.count)
    client.notify(events.LIST, b"lpush" if head else b"rpush", key)
    instance.dirty += count


_PUSH_COMPLEXITY: Final = (
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments."
)
_PUSH_HISTORY: Final = (("2.4.0", "Accepts multiple `element` arguments."),)
_PUSHX_HISTORY: Final = (("4.0.0", "Accepts multiple `element` arguments."),)


@command(
    "lpush",
    "key element [element ...]",
    WRITE | DENYOOM | FAST,
    summary="Prepends one or more elements to a list. Creates the key if it doesn't exist.",
    since="1.0.0",
    complexity=_PUSH_COMPLEXITY,
    keys="RW insert",
    history=_PUSH_HISTORY,
)
def lpush(client: Client, argv: list[bytes]) -> None:
    """LPUSH."""
    _push(client, argv, True, False)


@command(
    "rpush",
    "key element [element ...]",
    WRITE | DENYOOM | FAST,
    summary="Appends one or more elements to a list. Creates the key if it doesn't exist.",
    since="1.0.0",
    complexity=_PUSH_COMPLEXITY,
    keys="RW insert",
    history=_PUSH_HISTORY,
)
def rpush(client: Client, argv: list[bytes]) -> None:
    """RPUSH."""
    _push(client, argv, False, False)


@command(
    "lpushx",
    "key element [element ...]",
    WRITE | DENYOOM | FAST,
    summary="Prepends one or more elements to a list only when the list exists.",
    since="2.2.0",
    complexity=_PUSH_COMPLEXITY,
    keys="RW insert",
    history=_PUSHX_HISTORY,
)
def lpushx(client: Client, argv: list[bytes]) -> None:
    """LPUSHX."""
    _push(client, argv, True, True)


@command(
    "rpushx",
    "key element [element ...]",
    WRITE | DENYOOM | FAST,
    summary="Appends an element to a list only when the list exists.",
    since="2.2.0",
    complexity=_PUSH_COMPLEXITY,
    keys="RW insert",
    history=_PUSHX_HISTORY,
)
def rpushx(client: Client, argv: list[bytes]) -> None:
    """RPUSHX."""
    _push(client, argv, False, True)


@command(
    "linsert",
    "key <where: BEFORE | AFTER> pivot element",
    WRITE | DENYOOM,
    summary="Inserts an element before or after another element in a list.",
    since="2.2.0",
    complexity="O(N) where N is the number of elements to traverse before seeing the value pivot. This means that "
    "inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the "
    "right end (tail) is O(N).",
    keys="RW insert",
)
def linsert(client: Client, argv: list[bytes]) -> None:
    """LINSERT."""
    where = argv[2].lower()
    if where not in (b"before", b"after"):
        raise CommandError(SYNTAX)
    key = argv[1]
    value = find_list(client, key)
    if value is None:
        client.reply.integer(0)
        return
    fill: i64 = client.instance.keyspace.limits.list_size
    found = value.find(argv[3], 1, 1, NO_LIMIT)
    # The element is reckoned with even where there is no such pivot, as Redis does.
    value.expect(len(argv[4]), 1, fill)
    if not found:
        client.reply.integer(-1)
        return
    value = writable_list(client, key, value)
    value.insert(found[0], argv[4], where == b"after", fill)
    client.reply.integer(value.count)
    client.notify(events.LIST, b"linsert", key)
    client.instance.dirty += 1


@command(
    "lset",
    "key index element",
    WRITE | DENYOOM,
    summary="Sets the value of an element in a list by its index.",
    since="1.0.0",
    complexity="O(N) where N is the length of the list. Setting either the first or the last element of the list is "
    "O(1).",
    keys="RW update",
)
def lset(client: Client, argv: list[bytes]) -> None:
    """LSET."""
    key = argv[1]
    value = find_list(client, key)
    if value is None:
        raise CommandError(NO_SUCH_KEY)
    index = integer_argument(argv[2])
    if index < 0:
        index += value.count
    fill: i64 = client.instance.keyspace.limits.list_size
    value.expect(len(argv[3]), 1, fill)
    if index < 0 or index >= value.count:
        raise CommandError(OUT_OF_RANGE)
    value = writable_list(client, key, value)
    value.set(index, argv[3])
    value.settle(fill)
    client.reply.ok()
    client.notify(events.LIST, b"lset", key)
    client.instance.dirty += 1


# Taking


def _pop_command(client: Client, argv: list[bytes], head: bool) -> None:
    size: i64 = len(argv)
    if size > 3:
        raise CommandError(wrong_arity(argv[0]))
    key = argv[1]
    if size == 2:
        value = find_list(client, key)
        if value is None:
            client.reply.null()
        else:
            client.reply.bulk(pop(client, key, value, head))
        return
    count = positive_argument(argv[2], 0, b"ERR value is out of range, must be positive")
    value = find_list(client, key)
    if value is None:
        client.reply.null_array()
    elif count == 0:
        client.reply.array(0)
    else:
        pop_range(client, key, value, head, count)


_POP_HISTORY: Final = (("6.2.0", "Added the `count` argument."),)


@command(
    "lpop",
    "key [count@6.2.0]",
    WRITE | FAST,
    summary="Returns the first elements in a list after removing it. Deletes the list if the last element was popped.",
    since="1.0.0",
    complexity="O(N) where N is the number of elements returned",
    keys="RW access delete",
    history=_POP_HISTORY,
)
def lpop(client: Client, argv: list[bytes]) -> None:
    """LPOP."""
    _pop_command(client, argv, True)


@command(
    "rpop",
    "key [count@6.2.0]",
    WRITE | FAST,
    summary="Returns and removes the last elements of a list. Deletes the list if the last element was popped.",
    since="1.0.0",
    complexity="O(N) where N is the number of elements returned",
    keys="RW access delete",
    history=_POP_HISTORY,
)
def rpop(client: Client, argv: list[bytes]) -> None:
    """RPOP."""
    _pop_command(client, argv, False)


@command(
    "lrem",
    "key count element",
    WRITE,
    summary="Removes elements from a list. Deletes the list if the last element was removed.",
    since="1.0.0",
    complexity="O(N+M) where N is the length of the list and M is the number of elements removed.",
    keys="RW delete",
)
def lrem(client: Client, argv: list[bytes]) -> None:
    """LREM."""
    most = integer_argument(argv[2])
    key = argv[1]
    value = find_list(client, key)
    reverse = most < 0
    if most == 0 or most == INT64_MIN:
        most = NO_LIMIT
    elif reverse:
        most = -most
    if value is None or not value.find(argv[3], 1, 1, NO_LIMIT):
        client.reply.integer(0)
        return
    value = writable_list(client, key, value)
    removed = value.remove(argv[3], most, reverse)
    elements_removed(client, key, value, b"lrem", removed)
    if reverse and most == NO_LIMIT:
        # A Valkey that loads the log does not take the number that was sent, of which there is no absolute value.
        client.instance.propagate([b"LREM", key, b"%d" % -NO_LIMIT, argv[3]])
    client.reply.integer(removed)


@command(
    "ltrim",
    "key start stop",
    WRITE,
    summary="Removes elements from both ends a list. Deletes the list if all elements were trimmed.",
    since="1.0.0",
    complexity="O(N) where N is the number of elements to be removed by the operation.",
    keys="RW delete",
)
def ltrim(client: Client, argv: list[bytes]) -> None:
    """LTRIM."""
    start = integer_argument(argv[2])
    stop = integer_argument(argv[3])
    key = argv[1]
    value = find_list(client, key)
    if value is not None:
        size: i64 = value.count
        start, count = range_within(start, stop, size)
        if count == 0:
            start = size
        value = writable_list(client, key, value)
        behind: i64 = size - start - count
        value.delete(start + count, behind)
        value.delete(0, start)
        elements_removed(client, key, value, b"ltrim", start + behind)
    client.reply.ok()


# Reading


@command(
    "llen",
    "key",
    READONLY | FAST,
    summary="Returns the length of a list.",
    since="1.0.0",
    keys="RO",
)
def llen(client: Client, argv: list[bytes]) -> None:
    """LLEN."""
    value = _read_list(client, argv[1])
    client.reply.integer(0 if value is None else value.count)


@command(
    "lindex",
    "key index",
    READONLY,
    summary="Returns an element from a list by its index.",
    since="1.0.0",
    complexity="O(N) where N is the number of elements to traverse to get to the element at index. This makes asking "
    "for the first or the last element of the list O(1).",
    keys="RO access",
)
def lindex(client: Client, argv: list[bytes]) -> None:
    """LINDEX."""
    value = _read_list(client, argv[1])
    if value is None:
        client.reply.null()
        return
    index = integer_argument(argv[2])
    if index < 0:
        index += value.count
    if index < 0 or index >= value.count:
        client.reply.null()
    else:
        client.reply.bulk(value.get(index))


def range_within(start: i64, stop: i64, size: i64) -> tuple[i64, i64]:
    """Where a range of indexes, which may count from the end, begins in a list, and how many elements it has."""
    if start < 0:
        start += size
        if start < 0:
            start = 0
    if stop < 0:
        stop += size
    elif stop >= size:
        stop = size - 1
    if start > stop or start >= size:
        return 0, 0
    return start, stop - start + 1


@command(
    "lrange",
    "key start stop",
    READONLY,
    summary="Returns a range of elements from a list.",
    since="1.0.0",
    complexity="O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or "
    "TAIL) for large lists; and N is the number of elements in the specified range.",
    keys="RO access",
)
def lrange(client: Client, argv: list[bytes]) -> None:
    """LRANGE."""
    start = integer_argument(argv[2])
    stop = integer_argument(argv[3])
    value = _read_list(client, argv[1])
    if value is None:
        client.reply.array(0)
        return
    start, count = range_within(start, stop, value.count)
    write_range(client, value, start, count, False)


@command(
    "lpos",
    "key element [RANK rank] [COUNT num-matches] [MAXLEN len:integer]",
    READONLY,
    summary="Returns the index of matching elements in a list.",
    since="6.0.6",
    complexity="O(N) where N is the number of elements in the list, for the average case. When searching for elements "
    "near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant "
    "time.",
    keys="RO access",
)
def lpos(client: Client, argv: list[bytes]) -> None:
    """LPOS."""
    rank: i64 = 1
    most: i64 = -1
    depth: i64 = 0
    size: i64 = len(argv)
    i: i64 = 3
    while i < size:
        word = argv[i].upper()
        if i + 1 >= size:
            raise CommandError(SYNTAX)
        text = argv[i + 1]
        if word == b"RANK":
            rank = integer_argument(text)
            if rank == INT64_MIN:
                raise CommandError(
                    b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
                )
            if rank == 0:
                raise CommandError(
                    b"ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "
                    b"negative to start from the end of the list"
                )
        elif word == b"COUNT":
            most = positive_argument(text, 0, b"ERR COUNT can't be negative")
        elif word == b"MAXLEN":
            depth = positive_argument(text, 0, b"ERR MAXLEN can't be negative")
        else:
            raise CommandError(SYNTAX)
        i += 2
    value = _read_list(client, argv[1])
    found: list[int] = []
    if value is not None:
        wanted: i64 = 1 if most == -1 else most
        found = value.find(argv[2], rank, wanted or NO_LIMIT, depth or NO_LIMIT)
    reply = client.reply
    if most == -1:
        if found:
            reply.integer(found[0])
        else:
            reply.null()
        return
    reply.array(len(found))
    for index in found:
        reply.integer(index)


# Moving


def move(client: Client, source: bytes, target: bytes, from_head: bool, to_head: bool) -> bytes | None:
    """Takes an element from one list and adds it to another, or to the same one; None where there is none."""
    taken_from = find_list(client, source)
    if taken_from is None:
        return None
    fill: i64 = client.instance.keyspace.limits.list_size
    added_to = find_list(client, target)
    taken_from = writable_list(client, source, taken_from)
    item = taken_from.pop_head() if from_head else taken_from.pop_tail()
    if added_to is None:
        added_to = List([])
        client.db.set(target, added_to)
    elif source == target:
        added_to = taken_from
    else:
        added_to = writable_list(client, target, added_to)
    added_to.expect(len(item), 1, fill)
    if to_head:
        added_to.push_head(item, fill)
    else:
        added_to.push_tail(item, fill)
    client.notify(events.LIST, b"lpush" if to_head else b"rpush", target)
    elements_removed(client, source, taken_from, b"lpop" if from_head else b"rpop", 1)
    return item


@command(
    "lmove",
    "source destination <wherefrom: LEFT | RIGHT> <whereto: LEFT | RIGHT>",
    WRITE | DENYOOM,
    summary="Returns an element after popping it from one list and pushing it to another. Deletes the list if the "
    "last element was moved.",
    since="6.2.0",
    keys="RW access delete;RW insert",
)
def lmove(client: Client, argv: list[bytes]) -> None:
    """LMOVE."""
    from_head = end_argument(argv[3])
    to_head = end_argument(argv[4])
    client.reply.bulk_or_null(move(client, argv[1], argv[2], from_head, to_head))


@command(
    "rpoplpush",
    "source destination",
    WRITE | DENYOOM,
    summary="Returns the last element of a list after removing and pushing it to another list. Deletes the list if "
    "the last element was popped.",
    since="1.2.0",
    keys="RW access delete;RW insert",
    deprecated=("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments"),
)
def rpoplpush(client: Client, argv: list[bytes]) -> None:
    """RPOPLPUSH."""
    client.reply.bulk_or_null(move(client, argv[1], argv[2], False, True))
