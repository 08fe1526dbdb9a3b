"""Has memory fetch, side by side, what a batch of dict lookups is about to need one after the other.

It changes nothing but the time that the lookups take, and where it is not compiled (prefetch.pyx) it does nothing.
"""

from __future__ import annotations


def prefetch(tables: list[dict[bytes, object]], keys: list[bytes]) -> None:
    """Announces the lookups of ``keys[i]`` in ``tables[i]``; the first 64 count."""
