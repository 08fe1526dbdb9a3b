"""Sorted set commands on members (https://redis.io/commands/?group=sorted-set).

Ranges have ``sorted_set_ranges``, what takes members out at an end ``sorted_set_pops``, and what combines several sets
``sorted_set_algebra``.
"""

from __future__ import annotations

import math
import random
from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.client import Client
from durastore.commands.errors import NOT_A_FLOAT, SYNTAX, WRONG_TYPE, CommandError, wrong_arity
from durastore.commands.hashes import MOST_RANDOM, random_count
from durastore.commands.scanning import ScanOptions, cursor_argument, reply_scan
from durastore.commands.spec import DENYOOM, FAST, READONLY, WRITE, command
from durastore.keyspace.glob import glob_match
from durastore.keyspace.sorted_sets import Entries, SortedSet
from durastore.protocol.numbers import INT64_MAX, NotANumber, format_double, parse_double

_NOT_A_NUMBER: Final = b"ERR resulting score is not a number (NaN)"

# The options of ZADD.
_NX: Final = 1
_XX: Final = 2
_GT: Final = 4
_LT: Final = 8
_CH: Final = 16
_INCR: Final = 32


def sorted_set_of(value: object) -> SortedSet:
    """A value that must be a sorted set; raises CommandError for any other type."""
    if isinstance(value, SortedSet):
        return value
    raise CommandError(WRONG_TYPE)


def sorted_set_to_read(client: Client, key: bytes) -> SortedSet | None:
    """The sorted set of a key, or None."""
    value = client.db.lookup_read(key, client.instance.now)
    return None if value is None else sorted_set_of(value)


def sorted_set_to_write(client: Client, key: bytes) -> SortedSet | None:
    """The sorted set of a key, or None, for a command that may change it once it owns it."""
    value = client.db.lookup(key, client.instance.now)
    return None if value is None else sorted_set_of(value)


def own_sorted_set(client: Client, key: bytes, held: SortedSet) -> SortedSet:
    """The sorted set of a key in a form that may be changed in place; ``finish_change`` is to follow."""
    owned = client.db.own(key, held)
    assert isinstance(owned, SortedSet)
    return owned


def finish_change(client: Client, key: bytes, held: SortedSet, changes: i64, event: bytes) -> None:
    """To be called when a sorted set was changed in place: tells of it, and removes the key of an empty one."""
    client.instance.dirty += changes
    client.notify(events.ZSET, event, key)
    if held.count == 0:
        client.db.delete(key)
        client.notify(events.GENERIC, b"del", key)
    elif client.db.watched:
        client.db.changed(key)


def float_argument(text: bytes, complaint: bytes = NOT_A_FLOAT) -> float:
    """A double."""
    try:
        return parse_double(text)
    except NotANumber:
        raise CommandError(complaint) from None


def reply_entries(client: Client, entries: Entries, count: i64, with_scores: bool) -> None:
    """So many members, with scores as pairs (RESP2: one after the other)."""
    reply = client.reply
    if not with_scores:
        reply.array(count)
        members = entries.stretch()
        while members:
            reply.bulk_elements(members)
            members = entries.stretch()
    elif reply.resp == 2:
        reply.array(count * 2)
        while entries.next():
            reply.bulk(entries.member)
            reply.double(entries.score)
    else:
        reply.array(count)
        reply_pairs(client, entries)


def reply_pairs(client: Client, entries: Entries) -> None:
    """Members and scores as arrays of two."""
    reply = client.reply
    while entries.next():
        reply.array(2)
        reply.bulk(entries.member)
        reply.double(entries.score)


# Adding


def _add_options(argv: list[bytes], options: i64) -> tuple[i64, i64]:
    """The options before the scores, and where those begin."""
    size: i64 = len(argv)
    i: i64 = 2
    while i < size:
        text = argv[i]
        # Most scores begin with a digit, a sign or a point.
        if len(text) == 0 or text[0] <= 57:
            break
        word = text.upper()
        if word == b"NX":
            options |= _NX
        elif word == b"XX":
            options |= _XX
        elif word == b"GT":
            options |= _GT
        elif word == b"LT":
            options |= _LT
        elif word == b"CH":
            options |= _CH
        elif word == b"INCR":
            options |= _INCR
        else:
            break
        i += 1
    if i >= size or (size - i) & 1:
        raise CommandError(SYNTAX)
    if options:
        if options & _NX and options & _XX:
            raise CommandError(b"ERR XX and NX options at the same time are not compatible")
        if (options & _NX and options & (_GT | _LT)) or (options & _GT and options & _LT):
            raise CommandError(b"ERR GT, LT, and/or NX options at the same time are not compatible")
        if options & _INCR and size - i > 2:
            raise CommandError(b"ERR INCR option supports a single increment-element pair")
    return options, i


def add_to_sorted_set(client: Client, argv: list[bytes], given: i64) -> None:
    """ZADD and ZINCRBY."""
    options, first = _add_options(argv, given)
    size: i64 = len(argv)
    pairs: i64 = (size - first) >> 1
    scores = vec[float](capacity=pairs)
    i: i64 = first
    while i < size:
        scores = append(scores, float_argument(argv[i]))
        i += 2
    db = client.db
    key = argv[1]
    limits = client.instance.keyspace.limits
    held = sorted_set_to_write(client, key)
    created = held is None
    owned = created
    if held is None:
        if options & _XX:
            if options & _INCR:
                client.reply.null()
            else:
                client.reply.integer(0)
            return
        held = SortedSet()
        if pairs > limits.zset_entries or len(argv[first + 1]) > limits.zset_value:
            held.expand()
    elif pairs > limits.zset_entries and held.is_packed():
        held = own_sorted_set(client, key, held)
        held.expand()
        owned = True
    added: i64 = 0
    updated: i64 = 0
    passed = False
    score = 0.0
    i = 0
    while i < pairs:
        score = scores[i]
        member = argv[first + 2 * i + 1]
        i += 1
        old = held.find(member)
        if math.isnan(old):
            if options & _XX:
                passed = True
                continue
        elif options:
            if options & _NX:
                passed = True
                continue
            if options & _INCR:
                score += old
                if math.isnan(score):
                    raise CommandError(_NOT_A_NUMBER)
            if (options & _LT and score >= old) or (options & _GT and score <= old):
                passed = True
                continue
        if score == old:
            continue
        if not owned:
            owned = True
            mine = own_sorted_set(client, key, held)
            if mine is not held:
                held = mine
                held.find(member)
        if math.isnan(old):
            held.insert(member, score, limits)
            added += 1
        else:
            held.change(old, score)
            updated += 1
    if created:
        db.set(key, held)
    elif added + updated and db.watched:
        db.changed(key)
    client.instance.dirty += added + updated
    if options & _INCR:
        if passed:
            client.reply.null()
        else:
            client.reply.double(score)
    else:
        client.reply.integer(added + updated if options & _CH else added)
    if added + updated:
        client.notify(events.ZSET, b"zincr" if options & _INCR else b"zadd", key)


@command(
    "zadd",
    "key [condition@3.0.2: NX | XX] [comparison@6.2.0: GT | LT] [CH(change)@3.0.2] [INCR(increment)@3.0.2] score "
    "member [score member ...]",
    WRITE | DENYOOM | FAST,
    summary="Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist.",
    since="1.2.0",
    complexity="O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    keys="RW update",
    history=(
        ("2.4.0", "Accepts multiple elements."),
        ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
        ("6.2.0", "Added the `GT` and `LT` options."),
    ),
)
def zadd(client: Client, argv: list[bytes]) -> None:
    """ZADD."""
    add_to_sorted_set(client, argv, 0)


@command(
    "zincrby",
    "key increment member",
    WRITE | DENYOOM | FAST,
    summary="Increments the score of a member in a sorted set.",
    since="1.2.0",
    complexity="O(log(N)) where N is the number of elements in the sorted set.",
    keys="RW access update",
)
def zincrby(client: Client, argv: list[bytes]) -> None:
    """ZINCRBY."""
    add_to_sorted_set(client, argv, _INCR)


@command(
    "zrem",
    "key member [member ...]",
    WRITE | FAST,
    summary="Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.",
    since="1.2.0",
    complexity="O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be "
    "removed.",
    keys="RW delete",
    history=(("2.4.0", "Accepts multiple elements."),),
)
def zrem(client: Client, argv: list[bytes]) -> None:
    """ZREM."""
    key = argv[1]
    held = sorted_set_to_write(client, key)
    removed: i64 = 0
    if held is not None:
        size: i64 = len(argv)
        i: i64 = 2
        while i < size and held.count:
            old = held.find(argv[i])
            if not math.isnan(old):
                if removed == 0:
                    mine = own_sorted_set(client, key, held)
                    if mine is not held:
                        held = mine
                        held.find(argv[i])
                held.remove(old)
                removed += 1
            i += 1
        if removed:
            finish_change(client, key, held, removed, b"zrem")
    client.reply.integer(removed)


# Reading


@command(
    "zcard",
    "key",
    READONLY | FAST,
    summary="Returns the number of members in a sorted set.",
    since="1.2.0",
    keys="RO",
)
def zcard(client: Client, argv: list[bytes]) -> None:
    """ZCARD."""
    held = sorted_set_to_read(client, argv[1])
    client.reply.integer(0 if held is None else held.count)


def _reply_score(client: Client, held: SortedSet | None, member: bytes) -> None:
    if held is not None:
        score = held.find(member)
        if not math.isnan(score):
            client.reply.double(score)
            return
    client.reply.null()


@command(
    "zscore",
    "key member",
    READONLY | FAST,
    summary="Returns the score of a member in a sorted set.",
    since="1.2.0",
    keys="RO access",
)
def zscore(client: Client, argv: list[bytes]) -> None:
    """ZSCORE."""
    _reply_score(client, sorted_set_to_read(client, argv[1]), argv[2])


@command(
    "zmscore",
    "key member [member ...]",
    READONLY | FAST,
    summary="Returns the score of one or more members in a sorted set.",
    since="6.2.0",
    complexity="O(N) where N is the number of members being requested.",
    keys="RO access",
)
def zmscore(client: Client, argv: list[bytes]) -> None:
    """ZMSCORE."""
    held = sorted_set_to_read(client, argv[1])
    client.reply.array(len(argv) - 2)
    for member in argv[2:]:
        _reply_score(client, held, member)


def _rank(client: Client, argv: list[bytes], name: bytes, reverse: bool) -> None:
    size: i64 = len(argv)
    if size > 4:
        raise CommandError(wrong_arity(name))
    with_score = size == 4
    if with_score and argv[3].upper() != b"WITHSCORE":
        raise CommandError(SYNTAX)
    held = sorted_set_to_read(client, argv[1])
    if held is not None:
        score = held.find(argv[2])
        if not math.isnan(score):
            rank = held.rank(argv[2], score)
            if reverse:
                rank = held.count - 1 - rank
            if with_score:
                client.reply.array(2)
            client.reply.integer(rank)
            if with_score:
                client.reply.double(score)
            return
    if with_score:
        client.reply.null_array()
    else:
        client.reply.null()


@command(
    "zrank",
    "key member [WITHSCORE]",
    READONLY | FAST,
    summary="Returns the index of a member in a sorted set ordered by ascending scores.",
    since="2.0.0",
    complexity="O(log(N))",
    keys="RO access",
    history=(("7.2.0", "Added the optional `WITHSCORE` argument."),),
)
def zrank(client: Client, argv: list[bytes]) -> None:
    """ZRANK."""
    _rank(client, argv, b"zrank", False)


@command(
    "zrevrank",
    "key member [WITHSCORE]",
    READONLY | FAST,
    summary="Returns the index of a member in a sorted set ordered by descending scores.",
    since="2.0.0",
    complexity="O(log(N))",
    keys="RO access",
    history=(("7.2.0", "Added the optional `WITHSCORE` argument."),),
)
def zrevrank(client: Client, argv: list[bytes]) -> None:
    """ZREVRANK."""
    _rank(client, argv, b"zrevrank", True)


@command(
    "zscan",
    "key cursor [MATCH pattern] [COUNT count]",
    READONLY,
    summary="Iterates over members and scores of a sorted set.",
    since="2.8.0",
    complexity="O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to "
    "return back to 0. N is the number of elements inside the collection.",
    keys="RO access",
    tips="nondeterministic_output",
)
def zscan(client: Client, argv: list[bytes]) -> None:
    """ZSCAN."""
    cursor = cursor_argument(argv[2])
    held = sorted_set_to_read(client, argv[1])
    if held is None:
        reply_scan(client.reply, 0, [])
        return
    options = ScanOptions(argv, 3)
    members: list[bytes] = []
    scores: list[float] = []
    following = held.scan(cursor, options.count, members, scores)
    packed = held.is_packed()
    pattern = options.pattern
    elements: list[bytes] = []
    size: i64 = len(members)
    i: i64 = 0
    while i < size:
        if pattern is None or glob_match(pattern, members[i]):
            elements.append(members[i])
            elements.append(format_double(scores[i]) if packed else b"%.17g" % scores[i])
        i += 1
    reply_scan(client.reply, following, elements)


# Chance


@command(
    "zrandmember",
    "key [options: count [WITHSCORES]]",
    READONLY,
    summary="Returns one or more random members from a sorted set.",
    since="6.2.0",
    complexity="O(N) where N is the number of members returned",
    keys="RO access",
    tips="nondeterministic_output",
)
def zrandmember(client: Client, argv: list[bytes]) -> None:
    """ZRANDMEMBER."""
    size: i64 = len(argv)
    if size == 2:
        held = sorted_set_to_read(client, argv[1])
        if held is None:
            client.reply.null()
        else:
            client.reply.bulk(held.at(random.randrange(held.count)).member)
        return
    count = random_count(argv[2], INT64_MAX)
    if size > 4 or (size == 4 and argv[3].upper() != b"WITHSCORES"):
        raise CommandError(SYNTAX)
    if size == 4 and (count < -INT64_MAX // 2 or count > INT64_MAX // 2):
        raise CommandError(b"ERR value is out of range")
    held = sorted_set_to_read(client, argv[1])
    if held is None or count == 0:
        client.reply.array(0)
        return
    if count >= held.count:
        reply_entries(client, Entries(held, 0, held.count, True), held.count, size == 4)
        return
    if count < -MOST_RANDOM:
        raise CommandError(b"ERR value is out of range")
    if count < 0:
        ranks = [random.randrange(held.count) for _ in range(-count)]
    else:
        ranks = sorted(random.sample(range(held.count), count))
    _reply_ranks(client, held, ranks, size == 4)


def _reply_ranks(client: Client, held: SortedSet, ranks: list[int], with_scores: bool) -> None:
    """The members of these ranks."""
    if held.is_packed():
        # Reaching a place in the packed form costs as much as reading all before it.
        all_members: list[bytes] = []
        all_scores: list[float] = []
        held.scan(0, 0, all_members, all_scores)
        members = [all_members[rank] for rank in ranks]
        scores = [all_scores[rank] for rank in ranks]
    else:
        members = []
        scores = []
        for rank in ranks:
            entry = held.at(rank)
            members.append(entry.member)
            scores.append(entry.score)
    reply = client.reply
    reply.array(len(members) * (2 if with_scores and reply.resp == 2 else 1))
    for member, score in zip(members, scores, strict=True):
        if with_scores and reply.resp != 2:
            reply.array(2)
        reply.bulk(member)
        if with_scores:
            reply.double(score)
