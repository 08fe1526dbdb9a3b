"""Members of a sorted set of positions within a shape, and the order in which they are told."""

from __future__ import annotations

from typing import final

from librt.vecs import append, vec
from mypy_extensions import i64

from durastore.keyspace.geohash import Shape, decode
from durastore.keyspace.sorted_sets import Entries, SortedSet


@final
class Point:
    """A member that was found, ``meters`` from the middle."""

    def __init__(self, member: bytes, score: float, longitude: float, latitude: float, meters: float) -> None:
        self.member = member
        self.score = score
        self.longitude = longitude
        self.latitude = latitude
        self.meters = meters


def search(held: SortedSet, shape: Shape, limit: i64) -> list[Point]:
    """The members within a shape, in the order in which they are come by; at most ``limit`` where it is not 0."""
    found: list[Point] = []
    for low, high in shape.ranges():
        entries = Entries(held, held.rank_of_score(low, False), held.rank_of_score(high, False), False)
        while entries.next():
            longitude, latitude = decode(entries.score)
            meters = shape.distance_within(longitude, latitude)
            if meters >= 0.0:
                found.append(Point(entries.member, entries.score, longitude, latitude, meters))
            if limit and len(found) >= limit:
                return found
    return found


def _meters(point: Point) -> float:
    return point.meters


def nearest(points: list[Point], farthest_first: bool, count: i64) -> list[Point]:
    """The first ``count`` of the points in the order of their distances."""
    if count >= len(points):
        # Points that are equally far keep their order either way.
        return sorted(points, key=_meters, reverse=farthest_first)
    order = _PartialSort(points, farthest_first, count)
    order.sort(0, len(points))
    return [points[i] for i in order.places[:count]]


@final
class _PartialSort:
    """Quicksort by Bentley and McIlroy ("Engineering a sort function", 1993) of the part that is wanted.

    Redis uses it where it needs only some of the results.  It is not stable: which ones of equally far points come
    first, or at all, follows from its choice of pivots.
    """

    def __init__(self, points: list[Point], descending: bool, wanted: i64) -> None:
        self.places: list[int] = list(range(len(points)))
        keys = vec[float](capacity=len(points))
        for point in points:
            keys = append(keys, -point.meters if descending else point.meters)
        self._keys = keys
        self._wanted: i64 = wanted

    def _key(self, at: i64) -> float:
        return self._keys[self.places[at]]

    def _swap(self, first: i64, second: i64) -> None:
        places = self.places
        places[first], places[second] = places[second], places[first]

    def _swap_stretches(self, first: i64, second: i64, size: i64) -> None:
        i: i64 = 0
        while i < size:
            self._swap(first + i, second + i)
            i += 1

    def _median(self, a: i64, b: i64, c: i64) -> i64:
        x, y, z = self._key(a), self._key(b), self._key(c)
        if x < y:
            return b if y < z else (c if x < z else a)
        return b if y > z else (a if x < z else c)

    def _pivot(self, first: i64, size: i64) -> i64:
        middle: i64 = first + size // 2
        if size == 7:
            return middle
        low: i64 = first
        high: i64 = first + size - 1
        if size > 40:
            step: i64 = size // 8
            low = self._median(low, low + step, low + 2 * step)
            middle = self._median(middle - step, middle, middle + step)
            high = self._median(high - 2 * step, high - step, high)
        return self._median(low, middle, high)

    def _insert(self, first: i64, size: i64) -> None:
        i: i64 = first + 1
        while i < first + size:
            j: i64 = i
            while j > first and self._key(j - 1) > self._key(j):
                self._swap(j, j - 1)
                j -= 1
            i += 1

    def sort(self, first: i64, size: i64) -> None:
        """Sorts a stretch, as far as anything of it is wanted."""
        while size >= 7:
            self._swap(first, self._pivot(first, size))
            pivot = self._key(first)
            # What equals the pivot gathers at both ends.
            equal_low: i64 = first + 1
            low: i64 = first + 1
            high: i64 = first + size - 1
            equal_high: i64 = first + size - 1
            while True:
                while low <= high and self._key(low) <= pivot:
                    if self._key(low) == pivot:
                        self._swap(equal_low, low)
                        equal_low += 1
                    low += 1
                while low <= high and self._key(high) >= pivot:
                    if self._key(high) == pivot:
                        self._swap(high, equal_high)
                        equal_high -= 1
                    high -= 1
                if low > high:
                    break
                self._swap(low, high)
                low += 1
                high -= 1
            end: i64 = first + size
            less: i64 = low - equal_low
            more: i64 = equal_high - high
            stretch: i64 = min(equal_low - first, less)
            self._swap_stretches(first, low - stretch, stretch)
            stretch = min(more, end - equal_high - 1)
            self._swap_stretches(low, end - stretch, stretch)
            if end - more >= self._wanted:
                size = less
            elif less < more:
                # The shorter side first, so that the stack stays short.
                self.sort(first, less)
                first = end - more
                size = more
            else:
                self.sort(end - more, more)
                size = less
        if first < self._wanted:
            self._insert(first, size)
