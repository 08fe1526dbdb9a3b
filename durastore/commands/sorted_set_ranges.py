"""Sorted set commands on ranges: of ranks, of scores, of members (https://redis.io/commands/?group=sorted-set)."""

from __future__ import annotations

from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.packed_bulks import packed_members
from durastore.commands.sorted_sets import (
    finish_change,
    own_sorted_set,
    reply_entries,
    sorted_set_to_read,
    sorted_set_to_write,
)
from durastore.commands.spec import DENYOOM, FAST, READONLY, WRITE, command
from durastore.keyspace.packed_scores import nth
from durastore.keyspace.sorted_sets import Entries, LexBound, SortedSet, build_sorted_set
from durastore.protocol.numbers import NotANumber, parse_score_bound

_NOT_A_SCORE: Final = b"ERR min or max is not a float"
_NOT_A_LEX_ITEM: Final = b"ERR min or max not valid string range item"

# What a range is of.
_BY_RANK: Final = 1
_BY_SCORE: Final = 2
_BY_LEX: Final = 3


@final
class Range:
    """A range: two ranks (negative: from the end), scores, or members, both ends as they were given."""

    def __init__(self, kind: i64, low: bytes, high: bytes) -> None:
        self.kind: i64 = kind
        self.start: i64 = 0
        self.stop: i64 = 0
        self.low = 0.0
        self.high = 0.0
        self.low_exclusive = False
        self.high_exclusive = False
        self.low_lex = _EVERYTHING
        self.high_lex = _EVERYTHING
        if kind == _BY_RANK:
            self.start = integer_argument(low)
            self.stop = integer_argument(high)
        elif kind == _BY_SCORE:
            self.low_exclusive = len(low) > 0 and low[0] == 40
            self.high_exclusive = len(high) > 0 and high[0] == 40
            self.low = _score(low, self.low_exclusive)
            self.high = _score(high, self.high_exclusive)
        else:
            self.low_lex = _lex_item(low)
            self.high_lex = _lex_item(high)

    def ranks(self, held: SortedSet, reverse: bool) -> tuple[i64, i64]:
        """The ranks from the first up to, and without, the last; the first is not less where the range is empty."""
        if self.kind == _BY_SCORE:
            return (
                held.rank_of_score(self.low, self.low_exclusive),
                held.rank_of_score(self.high, not self.high_exclusive),
            )
        if self.kind == _BY_LEX:
            return held.lex_range(self.low_lex, self.high_lex, reverse)
        size: i64 = held.count
        start: i64 = self.start
        stop: i64 = self.stop
        if start < 0:
            start = max(start + size, 0)
        if stop < 0:
            # No further, so that the length of the range fits as well.
            stop = max(stop + size, -1)
        stop = min(stop, size - 1)
        if reverse:
            return size - 1 - stop, size - start
        return start, stop + 1


_EVERYTHING: Final = LexBound(-1, b"", False)


def _score(text: bytes, exclusive: bool) -> float:
    try:
        return parse_score_bound(text[1:] if exclusive else text)
    except NotANumber:
        raise CommandError(_NOT_A_SCORE) from None


def _lex_item(text: bytes) -> LexBound:
    first = text[:1]
    if first == b"[" or first == b"(":
        return LexBound(0, text[1:], first == b"(")
    if (first == b"-" or first == b"+") and text[1:2] in (b"", b"\0"):
        return LexBound(-1 if first == b"-" else 1, b"", False)
    raise CommandError(_NOT_A_LEX_ITEM)


@final
class _Query:
    """A request of the ZRANGE family, from the key (``argv[at]``) on.

    ``kind`` and ``reverse`` are given where the command's name says them; ZRANGE and ZRANGESTORE have options instead.
    """

    def __init__(self, argv: list[bytes], at: i64, kind: i64, reverse: bool, store: bool) -> None:
        named = kind != 0
        self.with_scores = False
        offset: i64 = 0
        limit: i64 = -1
        size: i64 = len(argv)
        i: i64 = at + 3
        while i < size:
            word = argv[i].upper()
            if word == b"WITHSCORES" and not store:
                self.with_scores = True
            elif word == b"LIMIT" and i + 2 < size:
                offset = integer_argument(argv[i + 1])
                limit = integer_argument(argv[i + 2])
                i += 2
            elif word == b"REV" and not named:
                # A second one is not known any more, as in Redis.
                if reverse:
                    raise CommandError(SYNTAX)
                reverse = True
            elif word == b"BYLEX" and kind == 0:
                kind = _BY_LEX
            elif word == b"BYSCORE" and kind == 0:
                kind = _BY_SCORE
            else:
                raise CommandError(SYNTAX)
            i += 1
        if kind == 0:
            kind = _BY_RANK
        if limit != -1 and kind == _BY_RANK:
            raise CommandError(b"ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
        if self.with_scores and kind == _BY_LEX:
            raise CommandError(b"ERR syntax error, WITHSCORES not supported in combination with BYLEX")
        swapped = reverse and kind != _BY_RANK
        self.range = Range(kind, argv[at + 2 if swapped else at + 1], argv[at + 1 if swapped else at + 2])
        self.reverse = reverse
        self.offset: i64 = offset if kind != _BY_RANK else 0
        self.limit: i64 = limit

    def ranks(self, held: SortedSet) -> tuple[i64, i64]:
        """The ranks that the query is about."""
        first, last = self.range.ranks(held, self.reverse)
        offset: i64 = self.offset
        if offset < 0 or first >= last or offset >= last - first:
            return 0, 0
        if self.reverse:
            last -= offset
            if 0 <= self.limit < last - first:
                first = last - self.limit
        else:
            first += offset
            if 0 <= self.limit < last - first:
                last = first + self.limit
        return first, last


def _reply_range(client: Client, argv: list[bytes], kind: i64, reverse: bool) -> None:
    query = _Query(argv, 1, kind, reverse, False)
    held = sorted_set_to_read(client, argv[1])
    if held is None:
        client.reply.array(0)
        return
    first, last = query.ranks(held)
    if held.order is None and not query.with_scores and not query.reverse:
        count = max(last - first, 0)
        client.reply.array(count)
        client.reply.raw(packed_members(held.packed, nth(held.packed, first), count))
        return
    reply_entries(client, Entries(held, first, last, query.reverse), last - first, query.with_scores)


@command(
    "zrange",
    "key start:string stop:string [sortby@6.2.0: BYSCORE | BYLEX] [REV@6.2.0] [limit@6.2.0: LIMIT offset count] "
    "[WITHSCORES]",
    READONLY,
    summary="Returns members in a sorted set within a range of indexes.",
    since="1.2.0",
    complexity="O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements "
    "returned.",
    keys="RO access",
    history=(("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options."),),
)
def zrange(client: Client, argv: list[bytes]) -> None:
    """ZRANGE."""
    _reply_range(client, argv, 0, False)


@command(
    "zrevrange",
    "key start stop [WITHSCORES]",
    READONLY,
    summary="Returns members in a sorted set within a range of indexes in reverse order.",
    since="1.2.0",
    complexity="O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements "
    "returned.",
    keys="RO access",
    deprecated=("6.2.0", "`ZRANGE` with the `REV` argument"),
)
def zrevrange(client: Client, argv: list[bytes]) -> None:
    """ZREVRANGE."""
    _reply_range(client, argv, _BY_RANK, True)


_RANGE_COMPLEXITY: Final = (
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If "
    "M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N))."
)


@command(
    "zrangebyscore",
    "key min:double max:double [WITHSCORES@2.0.0] [LIMIT offset count]",
    READONLY,
    summary="Returns members in a sorted set within a range of scores.",
    since="1.0.5",
    complexity=_RANGE_COMPLEXITY,
    keys="RO access",
    history=(("2.0.0", "Added the `WITHSCORES` modifier."),),
    deprecated=("6.2.0", "`ZRANGE` with the `BYSCORE` argument"),
)
def zrangebyscore(client: Client, argv: list[bytes]) -> None:
    """ZRANGEBYSCORE."""
    _reply_range(client, argv, _BY_SCORE, False)


@command(
    "zrevrangebyscore",
    "key max:double min:double [WITHSCORES] [LIMIT offset count]",
    READONLY,
    summary="Returns members in a sorted set within a range of scores in reverse order.",
    since="2.2.0",
    complexity=_RANGE_COMPLEXITY,
    keys="RO access",
    history=(("2.1.6", "`min` and `max` can be exclusive."),),
    deprecated=("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments"),
)
def zrevrangebyscore(client: Client, argv: list[bytes]) -> None:
    """ZREVRANGEBYSCORE."""
    _reply_range(client, argv, _BY_SCORE, True)


@command(
    "zrangebylex",
    "key min max [LIMIT offset count]",
    READONLY,
    summary="Returns members in a sorted set within a lexicographical range.",
    since="2.8.9",
    complexity=_RANGE_COMPLEXITY,
    keys="RO access",
    deprecated=("6.2.0", "`ZRANGE` with the `BYLEX` argument"),
)
def zrangebylex(client: Client, argv: list[bytes]) -> None:
    """ZRANGEBYLEX."""
    _reply_range(client, argv, _BY_LEX, False)


@command(
    "zrevrangebylex",
    "key max min [LIMIT offset count]",
    READONLY,
    summary="Returns members in a sorted set within a lexicographical range in reverse order.",
    since="2.8.9",
    complexity=_RANGE_COMPLEXITY,
    keys="RO access",
    deprecated=("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments"),
)
def zrevrangebylex(client: Client, argv: list[bytes]) -> None:
    """ZREVRANGEBYLEX."""
    _reply_range(client, argv, _BY_LEX, True)


def store_sorted_set(client: Client, key: bytes, members: list[bytes], scores: vec[float], event: bytes) -> None:
    """Puts a result in the place of whatever the key held; an empty one removes it.  Replies with its size."""
    if members:
        made = build_sorted_set(members, scores, client.instance.keyspace.limits)
        client.db.set(key, made, client.instance.now)
        client.notify(events.ZSET, event, key)
        client.instance.dirty += 1
    elif client.db.delete(key):
        client.notify(events.GENERIC, b"del", key)
        client.instance.dirty += 1
    client.reply.integer(len(members))


@command(
    "zrangestore",
    "dst src min max [sortby: BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    WRITE | DENYOOM,
    summary="Stores a range of members from sorted set in a key.",
    since="6.2.0",
    complexity="O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored "
    "into the destination key.",
    keys="OW update;RO access",
)
def zrangestore(client: Client, argv: list[bytes]) -> None:
    """ZRANGESTORE."""
    query = _Query(argv, 2, 0, False, True)
    held = sorted_set_to_read(client, argv[2])
    members: list[bytes] = []
    scores = vec[float]()
    if held is not None:
        first, last = query.ranks(held)
        entries = Entries(held, first, last, False)
        while entries.next():
            members.append(entries.member)
            scores = append(scores, entries.score)
    store_sorted_set(client, argv[1], members, scores, b"zrangestore")


# Counting and removing


def _reply_count(client: Client, argv: list[bytes], kind: i64) -> None:
    wanted = Range(kind, argv[2], argv[3])
    held = sorted_set_to_read(client, argv[1])
    count: i64 = 0
    if held is not None:
        first, last = wanted.ranks(held, False)
        count = max(last - first, 0)
    client.reply.integer(count)


@command(
    "zcount",
    "key min:double max:double",
    READONLY | FAST,
    summary="Returns the count of members in a sorted set that have scores within a range.",
    since="2.0.0",
    complexity="O(log(N)) with N being the number of elements in the sorted set.",
    keys="RO access",
)
def zcount(client: Client, argv: list[bytes]) -> None:
    """ZCOUNT."""
    _reply_count(client, argv, _BY_SCORE)


@command(
    "zlexcount",
    "key min max",
    READONLY | FAST,
    summary="Returns the number of members in a sorted set within a lexicographical range.",
    since="2.8.9",
    complexity="O(log(N)) with N being the number of elements in the sorted set.",
    keys="RO access",
)
def zlexcount(client: Client, argv: list[bytes]) -> None:
    """ZLEXCOUNT."""
    _reply_count(client, argv, _BY_LEX)


def _remove_range(client: Client, argv: list[bytes], kind: i64, event: bytes) -> None:
    wanted = Range(kind, argv[2], argv[3])
    key = argv[1]
    held = sorted_set_to_write(client, key)
    removed: i64 = 0
    if held is not None:
        first, last = wanted.ranks(held, False)
        removed = max(last - first, 0)
        if removed:
            owned = own_sorted_set(client, key, held)
            owned.remove_range(first, last)
            finish_change(client, key, owned, removed, event)
    client.reply.integer(removed)


_REMOVAL_COMPLEXITY: Final = (
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the "
    "operation."
)


@command(
    "zremrangebyrank",
    "key start stop",
    WRITE,
    summary="Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members were "
    "removed.",
    since="2.0.0",
    complexity=_REMOVAL_COMPLEXITY,
    keys="RW delete",
)
def zremrangebyrank(client: Client, argv: list[bytes]) -> None:
    """ZREMRANGEBYRANK."""
    _remove_range(client, argv, _BY_RANK, b"zremrangebyrank")


@command(
    "zremrangebyscore",
    "key min:double max:double",
    WRITE,
    summary="Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were "
    "removed.",
    since="1.2.0",
    complexity=_REMOVAL_COMPLEXITY,
    keys="RW delete",
)
def zremrangebyscore(client: Client, argv: list[bytes]) -> None:
    """ZREMRANGEBYSCORE."""
    _remove_range(client, argv, _BY_SCORE, b"zremrangebyscore")


@command(
    "zremrangebylex",
    "key min max",
    WRITE,
    summary="Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all members "
    "were removed.",
    since="2.8.9",
    complexity=_REMOVAL_COMPLEXITY,
    keys="RW delete",
)
def zremrangebylex(client: Client, argv: list[bytes]) -> None:
    """ZREMRANGEBYLEX."""
    _remove_range(client, argv, _BY_LEX, b"zremrangebylex")
