"""Sorted set commands on several sets: unions, intersections, differences, with weights and aggregates.

Sets are taken as sorted sets whose scores are 1.  See https://redis.io/commands/?group=sorted-set.
"""

from __future__ import annotations

import math
from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64

from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, WRONG_TYPE, CommandError
from durastore.commands.sorted_set_ranges import store_sorted_set
from durastore.commands.sorted_sets import float_argument
from durastore.commands.spec import DENYOOM, READONLY, WRITE, command
from durastore.keyspace.scores import ABSENT
from durastore.keyspace.sets import Set
from durastore.keyspace.sorted_sets import Entries, SortedSet, in_order
from durastore.protocol.numbers import NotANumber, parse_int

_UNION: Final = 0
_INTER: Final = 1
_DIFF: Final = 2
_CARD: Final = 3

_SUM: Final = 0
_MIN: Final = 1
_MAX: Final = 2


@final
class _Source:
    """One of the sets, which may be missing."""

    def __init__(self, value: object | None) -> None:
        self.sorted_set = value if isinstance(value, SortedSet) else None
        self.set = value if isinstance(value, Set) else None
        self.value = value
        if value is not None and self.sorted_set is None and self.set is None:
            raise CommandError(WRONG_TYPE)
        self.weight = 1.0

    def size(self) -> int:
        """The number of members."""
        if self.sorted_set is not None:
            return self.sorted_set.size()
        return 0 if self.set is None else self.set.size()

    def find(self, member: bytes) -> float:
        """The score of a member, or ABSENT."""
        if self.sorted_set is not None:
            return self.sorted_set.find(member)
        return 1.0 if self.set is not None and self.set.contains(member) else ABSENT


@final
class _Members:
    """A walk over the members of a source."""

    def __init__(self, source: _Source) -> None:
        self.member = b""
        self.score = 1.0
        held = source.sorted_set
        self._entries: Entries | None = None if held is None else Entries(held, 0, held.count, False)
        self._list: list[bytes] = [] if source.set is None else source.set.members()
        self._place: i64 = 0

    def next(self) -> bool:
        """Goes on to the next member; False behind the last."""
        entries = self._entries
        if entries is not None:
            if not entries.next():
                return False
            self.member = entries.member
            self.score = entries.score
            return True
        if self._place >= len(self._list):
            return False
        self.member = self._list[self._place]
        self._place += 1
        return True


@final
class _Result:
    """Members and scores, in no particular order."""

    def __init__(self) -> None:
        self.members: list[bytes] = []
        self.scores = vec[float]()

    def add(self, member: bytes, score: float) -> None:
        """Adds a member."""
        self.members.append(member)
        self.scores = append(self.scores, score)


@final
class _Request:
    """A request of this family; the number of keys is the word at ``at``."""

    def __init__(self, client: Client, argv: list[bytes], at: i64, kind: i64, name: bytes, store: bool) -> None:
        size: i64 = len(argv)
        keys = integer_argument(argv[at])
        if keys < 1:
            raise CommandError(b"ERR at least 1 input key is needed for '" + name + b"' command")
        if keys > size - at - 1:
            raise CommandError(SYNTAX)
        self.sources: list[_Source] = []
        i: i64 = at + 1
        while i <= at + keys:
            self.sources.append(_Source(client.db.lookup_read(argv[i], client.instance.now)))
            i += 1
        self.with_scores = False
        self.aggregate: i64 = _SUM
        self.limit: i64 = 0
        combines = kind in (_UNION, _INTER)
        while i < size:
            word = argv[i].upper()
            if word == b"WEIGHTS" and combines and size - i > keys:
                for source in self.sources:
                    i += 1
                    source.weight = float_argument(argv[i], b"ERR weight value is not a float")
            elif word == b"AGGREGATE" and combines and i + 1 < size:
                i += 1
                self.aggregate = _aggregate(argv[i])
            elif word == b"WITHSCORES" and not store and kind != _CARD:
                self.with_scores = True
            elif word == b"LIMIT" and kind == _CARD and i + 1 < size:
                i += 1
                self.limit = _limit(argv[i])
            else:
                raise CommandError(SYNTAX)
            i += 1


def _aggregate(text: bytes) -> i64:
    word = text.upper()
    if word == b"SUM":
        return _SUM
    if word == b"MIN":
        return _MIN
    if word == b"MAX":
        return _MAX
    raise CommandError(SYNTAX)


def _limit(text: bytes) -> i64:
    try:
        limit = parse_int(text)
    except NotANumber:
        limit = -1
    if limit < 0:
        raise CommandError(b"ERR LIMIT can't be negative")
    return limit


def _combined(first: float, second: float, aggregate: i64) -> float:
    """Two scores of a member as one.  Infinities that cancel each other out make 0."""
    if aggregate == _SUM:
        total = first + second
        return 0.0 if math.isnan(total) else total
    if aggregate == _MIN:
        return second if second < first else first
    return second if second > first else first


def _weighted(score: float, weight: float) -> float:
    """0 times an infinity is 0."""
    product = score * weight
    return 0.0 if math.isnan(product) else product


def _size_of(source: _Source) -> int:
    return source.size()


def _union(request: _Request) -> _Result:
    # The order in which scores are added up counts, and is Redis's.
    request.sources.sort(key=_size_of)
    found: dict[bytes, float] = {}
    for source in request.sources:
        members = _Members(source)
        while members.next():
            score = _weighted(members.score, source.weight)
            before = found.get(members.member)
            found[members.member] = score if before is None else _combined(before, score, request.aggregate)
    result = _Result()
    for member, score in found.items():
        result.add(member, score)
    return result


def _intersection(request: _Request) -> _Result:
    request.sources.sort(key=_size_of)
    result = _Result()
    first = request.sources[0]
    others = request.sources[1:]
    members = _Members(first)
    while members.next():
        score = _weighted(members.score, first.weight)
        everywhere = True
        for other in others:
            # The set that is walked over may come again.
            value = members.score if other.value is first.value else other.find(members.member)
            if math.isnan(value):
                everywhere = False
                break
            score = _combined(score, value * other.weight, request.aggregate)
        if everywhere:
            result.add(members.member, score)
            if request.limit and len(result.members) >= request.limit:
                break
    return result


def _difference(request: _Request) -> _Result:
    result = _Result()
    first = request.sources[0]
    others = request.sources[1:]
    for other in others:
        if other.value is first.value:
            return result
    members = _Members(first)
    while members.next():
        anywhere = False
        for other in others:
            if not math.isnan(other.find(members.member)):
                anywhere = True
                break
        if not anywhere:
            result.add(members.member, members.score)
    return result


def _result(request: _Request, kind: i64) -> _Result:
    if kind == _UNION:
        return _union(request)
    if kind == _DIFF:
        return _difference(request)
    return _intersection(request)


def _reply(client: Client, argv: list[bytes], kind: i64, name: bytes) -> None:
    request = _Request(client, argv, 1, kind, name, False)
    result = _result(request, kind)
    members, scores = in_order(result.members, result.scores)
    reply = client.reply
    size: i64 = len(members)
    flat = reply.resp == 2
    with_scores = request.with_scores
    reply.array(size * 2 if with_scores and flat else size)
    i: i64 = 0
    while i < size:
        if with_scores and not flat:
            reply.array(2)
        reply.bulk(members[i])
        if with_scores:
            reply.double(scores[i])
        i += 1


def _store(client: Client, argv: list[bytes], kind: i64, name: bytes) -> None:
    result = _result(_Request(client, argv, 2, kind, name, True), kind)
    store_sorted_set(client, argv[1], result.members, result.scores, name)


_UNION_COMPLEXITY: Final = (
    "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements "
    "in the resulting sorted set."
)
_INTER_COMPLEXITY: Final = (
    "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets "
    "and M being the number of elements in the resulting sorted set."
)
_DIFF_COMPLEXITY: Final = (
    "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first "
    "set, and K is the size of the result set."
)


@command(
    "zunion",
    "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <aggregate: SUM | MIN | MAX>] [WITHSCORES]",
    READONLY,
    summary="Returns the union of multiple sorted sets.",
    since="6.2.0",
    complexity=_UNION_COMPLEXITY,
    keys="RO access",
)
def zunion(client: Client, argv: list[bytes]) -> None:
    """ZUNION."""
    _reply(client, argv, _UNION, b"zunion")


@command(
    "zinter",
    "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <aggregate: SUM | MIN | MAX>] [WITHSCORES]",
    READONLY,
    summary="Returns the intersect of multiple sorted sets.",
    since="6.2.0",
    complexity=_INTER_COMPLEXITY,
    keys="RO access",
)
def zinter(client: Client, argv: list[bytes]) -> None:
    """ZINTER."""
    _reply(client, argv, _INTER, b"zinter")


@command(
    "zdiff",
    "numkeys key [key ...] [WITHSCORES]",
    READONLY,
    summary="Returns the difference between multiple sorted sets.",
    since="6.2.0",
    complexity=_DIFF_COMPLEXITY,
    keys="RO access",
)
def zdiff(client: Client, argv: list[bytes]) -> None:
    """ZDIFF."""
    _reply(client, argv, _DIFF, b"zdiff")


@command(
    "zintercard",
    "numkeys key [key ...] [LIMIT limit]",
    READONLY,
    summary="Returns the number of members of the intersect of multiple sorted sets.",
    since="7.0.0",
    complexity="O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
    keys="RO access",
)
def zintercard(client: Client, argv: list[bytes]) -> None:
    """ZINTERCARD."""
    request = _Request(client, argv, 1, _CARD, b"zintercard", False)
    client.reply.integer(len(_intersection(request).members))


@command(
    "zunionstore",
    "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <aggregate: SUM | MIN | MAX>]",
    WRITE | DENYOOM,
    summary="Stores the union of multiple sorted sets in a key.",
    since="2.0.0",
    complexity="O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of "
    "elements in the resulting sorted set.",
    keys="OW update;RO access",
)
def zunionstore(client: Client, argv: list[bytes]) -> None:
    """ZUNIONSTORE."""
    _store(client, argv, _UNION, b"zunionstore")


@command(
    "zinterstore",
    "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <aggregate: SUM | MIN | MAX>]",
    WRITE | DENYOOM,
    summary="Stores the intersect of multiple sorted sets in a key.",
    since="2.0.0",
    complexity=_INTER_COMPLEXITY,
    keys="OW update;RO access",
)
def zinterstore(client: Client, argv: list[bytes]) -> None:
    """ZINTERSTORE."""
    _store(client, argv, _INTER, b"zinterstore")


@command(
    "zdiffstore",
    "destination numkeys key [key ...]",
    WRITE | DENYOOM,
    summary="Stores the difference of multiple sorted sets in a key.",
    since="6.2.0",
    complexity=_DIFF_COMPLEXITY,
    keys="OW update;RO access",
)
def zdiffstore(client: Client, argv: list[bytes]) -> None:
    """ZDIFFSTORE."""
    _store(client, argv, _DIFF, b"zdiffstore")
