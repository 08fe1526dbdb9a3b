"""How long the executions of one command take: their sum and their distribution, found from some that are measured.

Reading the clock costs a tenth of a cheap command, so of cheap ones only a random share is measured: each measured
execution stands for those since the one before.  The first ones and slow ones are all measured.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

# Of a command so many executions are measured in any case, and all that follow one of at least so many nanoseconds.
ALWAYS: Final = 64
SLOW: Final = 10_000
# Of the others, one in every 1 to 64.
STRIDE_MASK: Final = 63
# The distribution is kept in two significant digits, by buckets whose width doubles with the value's magnitude (the
# layout of an HDR histogram, as Redis has it): 256 buckets for the least magnitude, 128 for each of the others.
_BUCKET_BITS: Final = 8


@final
class Durations:
    """The durations of one command's executions, in nanoseconds."""

    def __init__(self) -> None:
        # The number of the execution, counted from 1, that is to be measured next.
        self.next: i64 = 1
        self.last: i64 = 0
        self.total: i64 = 0
        # How many executions there were by the upper end of their bucket.
        self.buckets: dict[int, int] = {}

    def add(self, number: i64, nanoseconds: i64) -> None:
        """Takes the duration of the execution with this number, which stands for all since the last one measured."""
        weight: i64 = number - self.last
        self.last = number
        self.total += nanoseconds * weight
        end: int = bucket_end(nanoseconds)
        self.buckets[end] = self.buckets.get(end, 0) + weight
        if number < ALWAYS or nanoseconds >= SLOW:
            self.next = number + 1
        else:
            # The clock's last digits are as random as need be.
            self.next = number + 1 + (nanoseconds * 2654435761 >> 16 & STRIDE_MASK)

    def estimate(self, count: i64) -> i64:
        """The nanoseconds that so many executions took in all."""
        return self.total * count // self.last if self.last else 0

    def percentile(self, percent: float) -> int:
        """The duration that so many percent of the executions do not exceed; 0 where there are none."""
        wanted = percent * sum(self.buckets.values()) / 100
        seen = 0
        for end in sorted(self.buckets):
            seen += self.buckets[end]
            if seen >= wanted:
                return end
        return 0


def bucket_end(value: i64) -> i64:
    """The greatest value that shares the bucket of this one."""
    shift: i64 = 0
    while value >> shift >= 1 << _BUCKET_BITS:
        shift += 1
    return ((value >> shift) + 1 << shift) - 1
