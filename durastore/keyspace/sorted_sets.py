"""The sorted set value type.  Scores are IEEE doubles, never NaN; the order is that of (score, member).

A small set is packed in one bytes object (``packed_scores``).  Past the limits of ``Limits`` it becomes two structures
that hold the same members: their scores by member (``scores``), and a tree of them in order (``order``), which share
the member objects.  A set that has become large stays so.
"""

from __future__ import annotations

import sys
from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64

from durastore.keyspace import packed_scores
from durastore.keyspace.limits import Limits
from durastore.keyspace.order import Order, OrderBuilder
from durastore.keyspace.scores import ABSENT, Scores
from durastore.keyspace.values import Value

# The bytes of the object itself, and what a member of a large set takes beside its own object.
_OBJECT: Final = 104
_LARGE_ENTRY: Final = 48


@final
class LexBound:
    """One end of a range of members: ``-`` (infinite -1), ``+`` (infinite 1), or a member that is in it or not."""

    def __init__(self, infinite: i64, member: bytes, exclusive: bool) -> None:
        self.infinite: i64 = infinite
        self.member = member
        self.exclusive = exclusive

    def allows_from(self, member: bytes) -> bool:
        """Whether a member is not below this lower end."""
        if self.infinite:
            return self.infinite < 0
        return member > self.member or (member == self.member and not self.exclusive)

    def allows_to(self, member: bytes) -> bool:
        """Whether a member is not above this upper end."""
        if self.infinite:
            return self.infinite > 0
        return member < self.member or (member == self.member and not self.exclusive)


@final
class SortedSet(Value):
    """A sorted set.  Whoever changes it asks ``Database.writable`` for it first."""

    def __init__(self) -> None:
        super().__init__()
        self.count: i64 = 0
        self.packed = b""
        self.scores: Scores | None = None
        self.order: Order | None = None
        # Where the last ``find`` found its member in the packed form.
        self._place: i64 = -1

    def type_name(self) -> bytes:
        return b"zset"

    def size(self) -> int:
        return int(self.count)

    def copy(self) -> Value:
        other = SortedSet()
        other.count = self.count
        other.packed = self.packed
        scores = self.scores
        order = self.order
        if scores is not None and order is not None:
            other.scores = scores.copy()
            other.order = order.copy()
        return other

    def parts(self) -> list[object]:
        scores = self.scores
        order = self.order
        if scores is None or order is None:
            return []
        return [*scores.directory, order.root]

    def is_packed(self) -> bool:
        """Whether it has its small form."""
        return self.order is None

    # Members

    def find(self, member: bytes) -> float:
        """The score of a member, or ABSENT."""
        scores = self.scores
        if scores is not None:
            return scores.find(member)
        place = packed_scores.find(self.packed, member)
        self._place = place
        if place == -1:
            return ABSENT
        return packed_scores.score_at(self.packed, place)

    def rank(self, member: bytes, score: float) -> i64:
        """The rank of the member that the last ``find`` found."""
        order = self.order
        if order is not None:
            return order.rank(score, member)
        return packed_scores.rank_at(self.packed, self._place)

    def insert(self, member: bytes, score: float, limits: Limits) -> None:
        """Adds a member that is not there."""
        if self.order is None and (self.count >= limits.zset_entries or len(member) > limits.zset_value):
            self.expand()
        order = self.order
        scores = self.scores
        if order is not None and scores is not None:
            scores.add(member, score)
            order.insert(score, member)
        else:
            packed = self.packed
            at = packed_scores.spot(packed, 0, score, member)
            self.packed = packed[:at] + packed_scores.entry(score, member) + packed[at:]
        self.count += 1

    def change(self, old: float, score: float) -> None:
        """Gives the member that the last ``find`` found, with the score ``old``, another one."""
        order = self.order
        scores = self.scores
        if order is not None and scores is not None:
            member = scores.found()
            scores.change(score)
            order.remove(old, member)
            order.insert(score, member)
            return
        packed = self.packed
        place = self._place
        end = packed_scores.entry_end(packed, place)
        member = packed_scores.member_at(packed, place)
        entry = packed_scores.entry(score, member)
        if score > old:
            at = packed_scores.spot(packed, end, score, member)
            self.packed = packed[:place] + packed[end:at] + entry + packed[at:]
        else:
            at = packed_scores.spot(packed, 0, score, member)
            self.packed = packed[:at] + entry + packed[at:place] + packed[end:]

    def remove(self, score: float) -> None:
        """Takes out the member that the last ``find`` found, with this score."""
        order = self.order
        scores = self.scores
        if order is not None and scores is not None:
            member = scores.found()
            scores.remove()
            order.remove(score, member)
        else:
            packed = self.packed
            self.packed = packed[: self._place] + packed[packed_scores.entry_end(packed, self._place) :]
        self.count -= 1

    # Ranges, as ranks from ``first`` up to, and without, ``last``

    def rank_of_score(self, score: float, after: bool) -> i64:
        """How many members have a smaller score; with ``after`` also those that have this one."""
        order = self.order
        if order is not None:
            return order.rank_of_score(score, after)
        return packed_scores.rank_of_score(self.packed, score, after)

    def lex_range(self, low: LexBound, high: LexBound, reverse: bool) -> tuple[i64, i64]:
        """The ranks of the members between two ends, for a set whose scores are all the same.

        Where they are not, Redis walks from one end as far as it gets; what it finds then is kept for the packed form.
        """
        size: i64 = self.count
        order = self.order
        if order is not None:
            if not low.allows_from(self.at(size - 1).member) or not high.allows_to(self.at(0).member):
                return 0, 0
            return _lex_rank(order, low, False), _lex_rank(order, high, True)
        members = packed_scores.members_of(self.packed, 0, size)
        if not low.allows_from(members[size - 1]) or not high.allows_to(members[0]):
            return 0, 0
        first: i64 = 0
        last: i64 = size
        if reverse:
            while last > 0 and not high.allows_to(members[last - 1]):
                last -= 1
            first = last
            while first > 0 and low.allows_from(members[first - 1]):
                first -= 1
        else:
            while first < size and not low.allows_from(members[first]):
                first += 1
            last = first
            while last < size and high.allows_to(members[last]):
                last += 1
        return first, last

    def remove_range(self, first: i64, last: i64) -> None:
        """Takes out the members of these ranks."""
        order = self.order
        scores = self.scores
        if order is not None and scores is not None:
            entries = Entries(self, first, last, False)
            while entries.next():
                scores.find(entries.member)
                scores.remove()
            order.remove_range(first, last)
        else:
            packed = self.packed
            at = packed_scores.nth(packed, first)
            self.packed = packed[:at] + packed[packed_scores.nth(packed, last) :]
        self.count -= last - first

    def at(self, rank: i64) -> Entries:
        """The entry of a rank, which must be one."""
        entries = Entries(self, rank, rank + 1, False)
        entries.next()
        return entries

    # Forms

    def expand(self) -> None:
        """Takes the large form."""
        if self.order is not None:
            return
        filling = Filling()
        filling.extend(
            packed_scores.members_of(self.packed, 0, self.count), packed_scores.scores_of(self.packed, 0, self.count)
        )
        filling.hand_over(self)
        self.packed = b""

    def memory(self, samples: i64) -> i64:
        """An estimate of its bytes, from the sizes of so many members (0: of all)."""
        order = self.order
        if order is None:
            return _OBJECT + sys.getsizeof(self.packed)
        total: i64 = 0
        seen: i64 = self.count if samples == 0 or samples > self.count else samples
        entries = Entries(self, 0, seen, False)
        while entries.next():
            total += sys.getsizeof(entries.member)
        return _OBJECT + total * self.count // max(seen, 1) + self.count * _LARGE_ENTRY

    def scan(self, cursor: i64, count: i64, members: list[bytes], values: list[float]) -> i64:
        """A stretch of the members, and the next cursor (0: the end).  A small set is returned whole."""
        scores = self.scores
        if scores is not None:
            return scores.scan(cursor, count, members, values)
        entries = Entries(self, 0, self.count, False)
        while entries.next():
            members.append(entries.member)
            values.append(entries.score)
        return 0


def _lex_rank(order: Order, bound: LexBound, upper: bool) -> i64:
    if bound.infinite:
        return 0 if bound.infinite < 0 else order.size
    return order.rank_of_member(bound.member, upper != bound.exclusive)


@final
class Entries:
    """A walk over the entries of the ranks from ``first`` up to ``last``, or backwards.

    The set must not change meanwhile.
    """

    def __init__(self, of: SortedSet, first: i64, last: i64, reverse: bool) -> None:
        self.member = b""
        self.score = 0.0
        self._order = of.order
        # What is left of the range, and the stretch of entries that is at hand, of which ``_place`` comes next.
        self._first: i64 = first
        self._last: i64 = last
        self._reverse = reverse
        self._members: list[bytes] = []
        self._scores = vec[float]()
        self._place: i64 = 0
        if self._order is None and first < last:
            self._members = packed_scores.members_of(of.packed, first, last)
            self._scores = packed_scores.scores_of(of.packed, first, last)
            if reverse:
                self._place = last - first - 1
        elif reverse:
            self._place = -1

    def next(self) -> bool:
        """Goes on to the next entry; False behind the last."""
        if self._first >= self._last:
            return False
        place: i64 = self._place
        if self._reverse:
            if place < 0:
                place = self._load(self._last - 1)
            self._last -= 1
            self._place = place - 1
        else:
            if place >= len(self._members):
                place = self._load(self._first)
            self._first += 1
            self._place = place + 1
        self.member = self._members[place]
        self.score = self._scores[place]
        return True

    def stretch(self) -> list[bytes]:
        """The next members, as many as are at hand, and goes on behind them; none behind the last."""
        left: i64 = self._last - self._first
        if left <= 0:
            return []
        place: i64 = self._place
        if self._reverse:
            if place < 0:
                place = self._load(self._last - 1)
            size: i64 = min(place + 1, left)
            found = self._members[place + 1 - size : place + 1]
            found.reverse()
            self._last -= size
            self._place = place - size
            return found
        if place >= len(self._members):
            place = self._load(self._first)
        size = min(len(self._members) - place, left)
        self._first += size
        self._place = place + size
        return self._members[place : place + size]

    def _load(self, rank: i64) -> i64:
        order = self._order
        assert order is not None
        leaf, place = order.locate(rank)
        self._members = leaf.members
        self._scores = leaf.scores
        return place


class DuplicateMember(ValueError):
    """A member that may come once only came twice."""


@final
class Filling:
    """The two structures of a large set while its members come, a part at a time.

    As long as they come in their order or against it, as from RDB files, the tree is built from its leaves up.
    """

    def __init__(self) -> None:
        self._scores = Scores()
        self._falling = False
        self._builder: OrderBuilder | None = None
        # The tree, once members have come that are in neither order.
        self._order: Order | None = None
        # The last entry that came.
        self._score = 0.0
        self._member = b""

    def extend(self, members: list[bytes], values: vec[float]) -> None:
        """Adds members; raises DuplicateMember."""
        scores = self._scores
        size: i64 = len(members)
        i: i64 = 0
        while i < size:
            if not scores.add_new(members[i], values[i]):
                raise DuplicateMember
            i += 1
        if size == 0:
            return
        order = self._order
        if order is None and not self._follows(members, values):
            order = self._tree()
            self._order = order
        if order is not None:
            i = 0
            while i < size:
                order.insert(values[i], members[i])
                i += 1
            return
        self._score = values[size - 1]
        self._member = members[size - 1]
        if self._falling:
            members.reverse()
            values = _reversed(values)
        builder = self._builder
        assert builder is not None
        builder.add(members, values)

    def _follows(self, members: list[bytes], values: vec[float]) -> bool:
        """Whether members come in the order of the earlier ones; the first ones decide which that is."""
        size: i64 = len(members)
        i: i64 = 0
        score = self._score
        member = self._member
        if self._builder is None:
            self._falling = _is_before(values[size - 1], members[size - 1], values[0], members[0])
            self._builder = OrderBuilder(self._falling)
            score = values[0]
            member = members[0]
            i = 1
        if self._falling:
            while i < size and _is_before(values[i], members[i], score, member):
                score = values[i]
                member = members[i]
                i += 1
        else:
            while i < size and _is_before(score, member, values[i], members[i]):
                score = values[i]
                member = members[i]
                i += 1
        return i == size

    def _tree(self) -> Order:
        return Order() if self._builder is None else self._builder.finish()

    def hand_over(self, to: SortedSet) -> None:
        """Makes them those of a set."""
        order = self._tree() if self._order is None else self._order
        to.scores = self._scores
        to.order = order
        to.count = order.size


def _is_before(score: float, member: bytes, other_score: float, other_member: bytes) -> bool:
    return score < other_score or (score == other_score and member < other_member)


def _reversed(values: vec[float]) -> vec[float]:
    found = vec[float](capacity=len(values))
    i: i64 = len(values)
    while i > 0:
        i -= 1
        found = append(found, values[i])
    return found


def build_sorted_set(members: list[bytes], scores: vec[float], limits: Limits, any_length: bool = False) -> SortedSet:
    """A set of these members, in the small form where the limits allow it; raises DuplicateMember.

    With ``any_length`` the length of the members does not count, as where Redis loads a listpack.
    """
    members, scores = in_order(members, scores)
    made = SortedSet()
    size: i64 = len(members)
    made.count = size
    small = size <= limits.zset_entries
    i: i64 = 0
    while small and i < size:
        small = any_length or len(members[i]) <= limits.zset_value
        i += 1
    if not small:
        filling = Filling()
        filling.extend(members, scores)
        filling.hand_over(made)
        return made
    if len(set(members)) < size:
        raise DuplicateMember
    made.packed = packed_scores.pack(members, scores)
    return made


def in_order(members: list[bytes], scores: vec[float]) -> tuple[list[bytes], vec[float]]:
    """Members and their scores in the order of a sorted set."""
    size: i64 = len(members)
    i: i64 = 1
    while i < size and _is_before(scores[i - 1], members[i - 1], scores[i], members[i]):
        i += 1
    if i >= size:
        return members, scores
    pairs: list[tuple[float, bytes]] = []
    i = 0
    while i < size:
        pairs.append((scores[i], members[i]))
        i += 1
    pairs.sort()
    sorted_scores = vec[float](capacity=size)
    for score, _ in pairs:
        sorted_scores = append(sorted_scores, score)
    return [member for _, member in pairs], sorted_scores
