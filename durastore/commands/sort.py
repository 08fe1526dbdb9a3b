"""SORT and SORT_RO (https://redis.io/commands/sort)."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client, Instance
from durastore.commands.errors import SYNTAX, WRONG_TYPE, CommandError
from durastore.commands.partial_sort import Ranked, sort_partly
from durastore.commands.permissions import allows_every_key
from durastore.commands.spec import DANGEROUS, DENYOOM, READONLY, WRITE, command
from durastore.commands.strings import content_of
from durastore.keyspace.hashes import Hash
from durastore.keyspace.lists import List
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import Entries, SortedSet
from durastore.keyspace.values import RawString, Value
from durastore.protocol.numbers import NotANumber, parse_double

_SPACES: Final = b" \t\n\v\f\r"
# Elements that the journal gets in one request.
_AT_ONCE: Final = 512
_DENIED: Final = b" option of SORT denied due to insufficient ACL permissions."


@final
class _Pattern:
    """What BY and GET take: the name of a key with the element in the place of ``*``, and perhaps ``->field``."""

    def __init__(self, text: bytes) -> None:
        self.itself = text == b"#"
        self.prefix, star, suffix = text.partition(b"*")
        # Without a place for the element it means no key.
        self.constant = not star
        self.suffix, _, field = suffix.partition(b"->")
        self.field = field
        if not field:
            self.suffix = suffix

    def value_for(self, client: Client, element: bytes) -> bytes | None:
        """The value that the pattern means for an element; None where there is none."""
        if self.itself:
            return element
        if self.constant:
            return None
        value = client.db.lookup_read(self.prefix + element + self.suffix, client.instance.now)
        if self.field:
            return value.get(self.field) if isinstance(value, Hash) else None
        return bytes(content_of(value)) if isinstance(value, (bytes, RawString)) else None


@final
class _Options:
    """The options of SORT; ``every_key`` says that the client may read whatever keys BY and GET lead to."""

    def __init__(self, argv: list[bytes], readonly: bool, every_key: bool) -> None:
        self.descending = False
        self.alpha = False
        self.offset: i64 = 0
        self.count: i64 = -1
        self.by: _Pattern | None = None
        # A constant BY was given, which a later one does not take back.
        self.unsorted = False
        self.gets: list[_Pattern] = []
        self.store: bytes | None = None
        size: i64 = len(argv)
        i: i64 = 2
        while i < size:
            word = argv[i].upper()
            rest: i64 = size - i - 1
            if word == b"ASC":
                self.descending = False
            elif word == b"DESC":
                self.descending = True
            elif word == b"ALPHA":
                self.alpha = True
            elif word == b"LIMIT" and rest >= 2:
                self.offset = integer_argument(argv[i + 1])
                self.count = integer_argument(argv[i + 2])
                i += 2
            elif word == b"STORE" and rest >= 1 and not readonly:
                self.store = argv[i + 1]
                i += 1
            elif word == b"BY" and rest >= 1:
                self.by = _Pattern(argv[i + 1])
                self.unsorted = self.unsorted or self.by.constant
                if not every_key and not self.by.constant:
                    raise CommandError(b"ERR BY" + _DENIED)
                i += 1
            elif word == b"GET" and rest >= 1:
                if not every_key:
                    raise CommandError(b"ERR GET" + _DENIED)
                self.gets.append(_Pattern(argv[i + 1]))
                i += 1
            else:
                raise CommandError(SYNTAX)
            i += 1


def _ranked(value: SortedSet, first: i64, count: i64, reverse: bool) -> list[bytes]:
    """Members of the ranks from ``first`` on."""
    found: list[bytes] = []
    entries = Entries(value, first, first + count, reverse)
    while members := entries.stretch():
        found += members
    return found


def _elements(value: Value) -> list[bytes]:
    """All elements, in the order in which Redis has them.

    It has none for those of a hash table; they come in one that depends on nothing but the content.
    """
    if isinstance(value, List):
        return value.items()
    if isinstance(value, SortedSet):
        return _ranked(value, 0, value.size(), False)
    assert isinstance(value, Set)
    found = value.members()
    if value.table is not None:
        found.sort()
    return found


def _unsorted(value: Value, start: i64, count: i64, descending: bool) -> list[bytes]:
    """Some elements in the order in which the value has them."""
    if isinstance(value, Set):
        return value.members()[start : start + count]
    first: i64 = value.size() - start - count if descending else start
    if isinstance(value, SortedSet):
        return _ranked(value, first, count, descending)
    assert isinstance(value, List)
    found = value.slice(first, count)
    if descending:
        found.reverse()
    return found


def _score(text: bytes) -> float:
    """An element as a number, read as strtod does: spaces before it do not count, and nothing is zero."""
    text = text.partition(b"\0")[0]
    if not text:
        return 0.0
    try:
        return parse_double(text.lstrip(_SPACES))
    except NotANumber:
        raise CommandError(b"ERR One or more scores can't be converted into double") from None


def _up_to_zero(text: bytes) -> bytes:
    """What C sees of a text."""
    return text.partition(b"\0")[0]


def _sort_elements(client: Client, elements: list[bytes], options: _Options, start: i64, end: i64) -> list[bytes]:
    """The elements from ``start`` up to ``end`` of the sorted ones."""
    if not options.alpha:
        return _by_number(client, elements, options)[start:end]
    if options.by is not None:
        return _by_text(client, elements, options, options.by, start, end)
    # What is only replied is compared by strcoll.
    elements.sort(key=_up_to_zero if options.store is None else None, reverse=options.descending)
    return elements[start:end]


def _by_number(client: Client, elements: list[bytes], options: _Options) -> list[bytes]:
    by = options.by
    scored: list[tuple[float, bytes]] = []
    for element in elements:
        weight = element if by is None else by.value_for(client, element)
        scored.append((0.0 if weight is None else _score(weight), element))
    scored.sort(reverse=options.descending)
    return [element for _, element in scored]


def _by_text(
    client: Client, elements: list[bytes], options: _Options, by: _Pattern, start: i64, end: i64
) -> list[bytes]:
    """Elements without a weight come first; those of one weight stay in their order where all are sorted."""
    weights: list[tuple[bool, bytes]] = []
    for element in elements:
        weight = by.value_for(client, element)
        if weight is None:
            weights.append((False, b""))
        else:
            weights.append((True, weight if options.store is not None else _up_to_zero(weight)))
    ranks = {weight: rank for rank, weight in enumerate(sorted(set(weights), reverse=options.descending))}
    ranked = [(ranks[weight], element) for weight, element in zip(weights, elements, strict=True)]
    if start > 0 or end < len(elements):
        sort_partly(ranked, start, end)
    else:
        ranked.sort(key=_rank)
    return [element for _, element in ranked[start:end]]


def _rank(ranked: Ranked) -> int:
    return ranked[0]


def _sort(client: Client, argv: list[bytes], readonly: bool) -> None:
    options = _Options(argv, readonly, allows_every_key(client, argv))
    value = client.db.lookup_read(argv[1], client.instance.now)
    if value is not None and not isinstance(value, (List, Set, SortedSet)):
        raise CommandError(WRONG_TYPE)
    elements: list[bytes] = []
    if value is not None:
        size: i64 = value.size()
        start = min(max(options.offset, 0), size)
        count = size - start if options.count < 0 else min(options.count, size - start)
        if options.unsorted and isinstance(value, Set) and (options.store is not None or client.deny_blocking):
            # What is stored, and what a script sees, must not depend on the order that a set happens to have.
            options.unsorted = False
            options.by = None
            options.alpha = True
        if options.unsorted:
            elements = _unsorted(value, start, count, options.descending)
        else:
            elements = _sort_elements(client, _elements(value), options, start, start + count)
    found: list[bytes | None] = []
    if options.gets:
        for element in elements:
            for pattern in options.gets:
                found.append(pattern.value_for(client, element))
    else:
        found.extend(elements)
    if options.store is not None:
        # Weights that are the same leave a set's members in an order that another form of the set may not have.
        as_sent = not (options.alpha and options.by is not None and isinstance(value, Set))
        _store(client, options.store, [item if item is not None else b"" for item in found], as_sent)
        client.reply.integer(len(found))
        return
    client.reply.array(len(found))
    for item in found:
        client.reply.bulk_or_null(item)


def _store(client: Client, target: bytes, items: list[bytes], as_sent: bool) -> None:
    """Makes a list of the result; an empty one removes the key.  The journal gets the request or the elements."""
    if items:
        if not as_sent:
            _propagate(client.instance, target, items)
        client.db.set(target, List(items, client.instance.keyspace.limits.list_size), client.instance.now)
        client.notify(events.LIST, b"sortstore", target)
        client.instance.dirty += len(items)
    elif client.db.lookup(target, client.instance.now) is not None:
        client.db.delete(target)
        client.notify(events.GENERIC, b"del", target)
        client.instance.dirty += 1


def _propagate(instance: Instance, target: bytes, items: list[bytes]) -> None:
    instance.propagate([b"DEL", target])
    first: i64 = 0
    while first < len(items):
        instance.propagate([b"RPUSH", target, *items[first : first + _AT_ONCE]])
        first += _AT_ONCE


@command(
    "sort",
    "key#0 [BY by-pattern=pattern#1] [LIMIT offset count] [GET get-pattern=pattern#1 [GET get-pattern "
    "...]] [order: ASC | DESC] [ALPHA(sorting)] [STORE destination#2]",
    WRITE | DENYOOM | DANGEROUS,
    summary="Sorts the elements in a list, a set, or a sorted set, optionally storing the result.",
    since="1.0.0",
    complexity="O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of "
    "returned elements. When the elements are not sorted, complexity is O(N).",
    keys="RO access;unknown RO access (For the optional BY/GET keyword. It is marked 'unknown' because the key names "
    "derive from the content of the key we sort);unknown OW update (For the optional STORE keyword. It is marked "
    "'unknown' because the keyword can appear anywhere in the argument array)",
    categories="set sortedset list",
)
def sort(client: Client, argv: list[bytes]) -> None:
    """SORT."""
    _sort(client, argv, False)


@command(
    "sort_ro",
    "key#0 [BY by-pattern=pattern#1] [LIMIT offset count] [GET get-pattern=pattern#1 [GET get-pattern "
    "...]] [order: ASC | DESC] [ALPHA(sorting)]",
    READONLY | DANGEROUS,
    summary="Returns the sorted elements of a list, a set, or a sorted set.",
    since="7.0.0",
    complexity="O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of "
    "returned elements. When the elements are not sorted, complexity is O(N).",
    keys="RO access;unknown RO access (For the optional BY/GET keyword. It is marked 'unknown' because the key names "
    "derive from the content of the key we sort)",
    categories="set sortedset list",
)
def sort_ro(client: Client, argv: list[bytes]) -> None:
    """SORT_RO."""
    _sort(client, argv, True)
