"""What held the server up, for LATENCY: a history for each kind of event."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

# How many samples of an event are kept.
SAMPLES: Final = 160


@final
class History:
    """The latest samples of one event, oldest first: Unix seconds, and milliseconds that it took."""

    def __init__(self) -> None:
        self.samples: list[tuple[int, int]] = []
        # The longest ever.
        self.longest = 0

    def add(self, when: int, took: int) -> None:
        """Takes a sample; of those of one second the longest stands."""
        self.longest = max(self.longest, took)
        if self.samples and self.samples[-1][0] == when:
            self.samples[-1] = (when, max(self.samples[-1][1], took))
        else:
            self.samples.append((when, took))
            del self.samples[:-SAMPLES]


@final
class LatencyMonitor:
    """All events by name."""

    def __init__(self) -> None:
        self.events: dict[bytes, History] = {}
        # latency-monitor-threshold in nanoseconds; 0: nothing is noted.
        self.threshold: i64 = 0

    def note(self, event: bytes, now: i64, nanoseconds: i64) -> None:
        """Something took time; ``now`` is Unix milliseconds."""
        if 0 < self.threshold <= nanoseconds:
            history = self.events.get(event)
            if history is None:
                history = self.events[event] = History()
            history.add(int(now // 1000), int(nanoseconds // 1_000_000))
