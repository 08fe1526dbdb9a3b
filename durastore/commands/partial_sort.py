"""The quicksort by which SORT finds a part of its result, where it has BY and LIMIT.

It is the one of Bentley and McIlroy ("Engineering a Sort Function", 1993), which leaves alone what lies outside of the
part.  Elements of the same weight come out in the order in which their exchanges happen to leave them; so the pivots
and the exchanges are Redis's, one by one.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

# The rank of an element's weight, and the element.
Ranked = tuple[int, bytes]

# Fewer are sorted by insertion; of more, the pivot is the median of three, or of three such medians.
_FEW: Final = 7
_MANY: Final = 40


def sort_partly(items: list[Ranked], first: i64, last: i64) -> None:
    """Sorts by ranks only as far as the places from ``first`` up to, and without, ``last`` need it."""
    todo: list[tuple[i64, i64]] = [(0, len(items))]
    while todo:
        low, high = todo.pop()
        if high - low < 2 or low >= last or high <= first:
            continue
        if high - low < _FEW:
            _insertion_sort(items, low, high)
            continue
        _exchange(items, low, _pivot(items, low, high))
        smaller, greater = _divide(items, low, high)
        todo.append((low, low + smaller))
        todo.append((high - greater, high))


def _insertion_sort(items: list[Ranked], low: i64, high: i64) -> None:
    for start in range(low + 1, high):
        place: i64 = start
        while place > low and items[place - 1][0] > items[place][0]:
            _exchange(items, place, place - 1)
            place -= 1


def _pivot(items: list[Ranked], low: i64, high: i64) -> i64:
    """The place of the item that is to divide the others."""
    size: i64 = high - low
    middle: i64 = low + size // 2
    if size == _FEW:
        return middle
    left: i64 = low
    right: i64 = high - 1
    if size > _MANY:
        step: i64 = size // 8
        left = _median(items, left, left + step, left + 2 * step)
        middle = _median(items, middle - step, middle, middle + step)
        right = _median(items, right - 2 * step, right - step, right)
    return _median(items, left, middle, right)


def _median(items: list[Ranked], a: i64, b: i64, c: i64) -> i64:
    one, two, three = items[a][0], items[b][0], items[c][0]
    if one < two:
        return b if two < three else c if one < three else a
    return b if two > three else a if one < three else c


def _divide(items: list[Ranked], low: i64, high: i64) -> tuple[i64, i64]:
    """Moves what is smaller than the first item to the left, and what is greater to the right; how many they are."""
    pivot = items[low][0]
    left: i64 = low + 1
    right: i64 = high - 1
    # What is equal is gathered at both ends: up to, and from behind, these places.
    equal_left: i64 = left
    equal_right: i64 = right
    while True:
        while left <= right and items[left][0] <= pivot:
            if items[left][0] == pivot:
                _exchange(items, equal_left, left)
                equal_left += 1
            left += 1
        while left <= right and items[right][0] >= pivot:
            if items[right][0] == pivot:
                _exchange(items, right, equal_right)
                equal_right -= 1
            right -= 1
        if left > right:
            break
        _exchange(items, left, right)
        left += 1
        right -= 1
    smaller: i64 = left - equal_left
    greater: i64 = equal_right - right
    _exchange_stretches(items, low, left, min(equal_left - low, smaller))
    _exchange_stretches(items, left, high, min(greater, high - 1 - equal_right))
    return smaller, greater


def _exchange(items: list[Ranked], one: i64, other: i64) -> None:
    items[one], items[other] = items[other], items[one]


def _exchange_stretches(items: list[Ranked], start: i64, end: i64, count: i64) -> None:
    """Exchanges so many items from ``start`` on with those before ``end``."""
    for i in range(count):
        _exchange(items, start + i, end - count + i)
