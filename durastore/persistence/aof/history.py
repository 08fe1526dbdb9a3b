"""The generations of a log: each is a base and the increments that follow it, up to the base of the next one.

A rewrite begins a generation.  Redis removes the files of the one before at once; here they stay as history as long as
``aof-history-max-age`` and ``aof-history-max-size`` say, so that the state of an earlier moment can be restored.  What
is no longer to be kept is marked so in the manifest first, and removed then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from math import inf

from durastore.persistence.aof.manifest import INCREMENT, LogFile, Manifest


@dataclass(frozen=True)
class Generation:
    """``until`` is the moment (Unix ms) of the next generation's base, 0 where there is none yet."""

    base: LogFile | None
    increments: list[LogFile]
    until: int = 0

    @property
    def since(self) -> int:
        """The moment of the base, 0 where it is not known."""
        return self.base.since if self.base else 0

    def files(self) -> list[LogFile]:
        """All files, in the order in which they are loaded."""
        return [*([self.base] if self.base else []), *self.increments]


def is_increment(file: LogFile) -> bool:
    """Whether a file is an incremental one, or was before it became history."""
    return file.kind == "i" or file.name.endswith(f".{file.seq}{INCREMENT}")


def generations(manifest: Manifest) -> list[Generation]:
    """The generations that are kept, oldest first; the last one is the log."""
    kept = sorted((each for each in manifest.history if each.until), key=lambda each: each.until)
    found = []
    for until, group in groupby(kept, key=lambda each: each.until):
        files = list(group)
        bases = [each for each in files if not is_increment(each)]
        increments = sorted((each for each in files if is_increment(each)), key=lambda each: each.seq)
        found.append(Generation(bases[0] if bases else None, increments, until))
    return [*found, Generation(manifest.base, list(manifest.increments))]


def expire_history(
    manifest: Manifest, size_of: Callable[[LogFile], int], now: int, max_age: int, max_size: int
) -> bool:
    """Marks history that is not to be kept any longer as to be removed; whether there was any.

    ``now`` is Unix ms, ``max_age`` seconds (0: nothing is kept), ``max_size`` bytes (0: no limit).  From the first
    generation on that is too old, or too much, all older ones go.
    """
    left = max_size or inf
    oldest = inf
    for generation in reversed(generations(manifest)[:-1]):
        left -= sum(size_of(each) for each in generation.files())
        if left < 0 or not max_age or generation.until <= now - max_age * 1000:
            break
        oldest = generation.until
    due = [each for each in manifest.history if each.until and each.until < oldest]
    manifest.history = [replace(each, until=0) if each in due else each for each in manifest.history]
    return bool(due)
