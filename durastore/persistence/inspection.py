"""What do data files hold?  Entries one after the other, from an RDB file or from a keyspace, and figures about them.

An RDB file is read as a stream, of which nothing is kept.  A log is replayed first: only then is its state known.
"""

from __future__ import annotations

import heapq
import os
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from durastore.engine.engine import Engine
from durastore.keyspace.glob import glob_match
from durastore.keyspace.hashes import Hash
from durastore.keyspace.keyspace import Keyspace
from durastore.keyspace.table import Walk
from durastore.keyspace.values import Value, type_name
from durastore.persistence.aof.manifest import AofError, manifest_path, parse_manifest
from durastore.persistence.aof.reader import TornTail
from durastore.persistence.disk import Disk
from durastore.persistence.rdb import RdbError, RdbReader
from durastore.persistence.replay import Replay
from durastore.persistence.walk import Counted, demand_end, may_end_early, walk_log_file

# With more prefixes than these, those that take least are put together.
MOST_PREFIXES = 100_000
# The bounds of the histograms: milliseconds to live, and numbers of elements (bytes, of a string).
_MINUTE = 60_000
TTL_BOUNDS = (0, _MINUTE, 60 * _MINUTE, 1440 * _MINUTE, 7 * 1440 * _MINUTE, 30 * 1440 * _MINUTE)
TTL_NAMES = ("over", "1 minute", "1 hour", "1 day", "7 days", "30 days", "longer")
SIZE_BOUNDS = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000)
SIZE_NAMES = ("1", "10", "100", "1,000", "10,000", "100,000", "1,000,000", "more")


class Unusable(Exception):
    """The files cannot be read to their end; the text says which, where and why."""


@dataclass(slots=True)
class Entry:
    """A key.  ``expire_ms`` is Unix milliseconds, -1: none; ``stored`` its bytes in an RDB file, -1: not from one."""

    db: int
    key: bytes
    value: object
    expire_ms: int
    stored: int = -1

    @property
    def type(self) -> str:
        """The reply of TYPE."""
        return type_name(self.value).decode()

    @property
    def elements(self) -> int:
        """The number of elements; of bytes, for a string."""
        return self.value.size() if isinstance(self.value, Value) else len(self.value)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Choice:
    """Which entries are wanted; None: all."""

    db: int | None = None
    type: str | None = None
    match: bytes | None = None

    def everything(self) -> bool:
        """Whether no entry is left out."""
        return self == Choice()

    def has(self, entry: Entry) -> bool:
        """Whether an entry is wanted."""
        return (
            (self.db is None or entry.db == self.db)
            and (self.type is None or entry.type == self.type)
            and (self.match is None or glob_match(self.match, entry.key))
        )


class RdbFile:
    """The entries of an RDB file."""

    def __init__(self, disk: Disk, path: str, progress: Callable[[int], None]) -> None:
        self.functions: list[bytes] = []
        self._disk = disk
        self._path = path
        self._progress = progress

    def entries(self) -> Iterator[Entry]:
        """One after the other.  Raises Unusable, and OSError; only at the end is it known that the file is good."""
        source = Counted(self._disk.open(self._path), self._progress)
        try:
            reader = RdbReader(source, source.size)
            self.functions = reader.functions
            reader.read_header()
            while reader.next_entry():
                stored = reader.offset - int(reader.entry_offset)
                yield Entry(int(reader.db), reader.key, reader.value, int(reader.expire_ms), stored)
            demand_end(reader, source)
        except RdbError as error:
            raise Unusable(f"{self._path}, offset {error.offset}: {error.reason}") from error
        finally:
            source.close()


class LoadedKeyspace:
    """The entries of a keyspace in memory."""

    def __init__(self, keyspace: Keyspace) -> None:
        self.functions = keyspace.functions
        self._keyspace = keyspace

    def entries(self) -> Iterator[Entry]:
        """One after the other, in the order of their hashes."""
        for db in self._keyspace.databases:
            walk = Walk(db.table)
            while (captured := walk.step()) is not None:
                for key, value in captured.items.items():
                    when = captured.expires[key]
                    yield Entry(int(db.index), key, value, -1 if when is None else int(when))


def log_paths(disk: Disk, folder: str, prefix: str) -> list[str]:
    """The files of a log in parts.  Raises Unusable."""
    path = manifest_path(folder, prefix)
    paths = []
    try:
        for each in parse_manifest(path, disk.read_whole(path)).files():
            paths.append(os.path.join(folder, each.name))
            each.demand_size(disk.size(paths[-1]))
    except AofError as error:
        raise Unusable(str(error)) from error
    return paths


def replay_log(disk: Disk, paths: list[str], engine: Engine, progress: Callable[[int], None]) -> str:
    """Replays the files of a log into an engine; returns what a start would cut off, or nothing.

    Raises Unusable, and OSError.  No file is changed.
    """
    keyspace = engine.instance.keyspace
    engine.journal.enabled = False
    # Its own DELs say which keys have expired.
    keyspace.expiring = False
    last = may_end_early(paths, [disk.size(path) for path in paths])
    replay = Replay(engine)
    torn = ""
    for number, path in enumerate(paths):
        try:
            for _ in walk_log_file(disk, Counted(disk.open(path), progress), path, replay):
                pass
        except TornTail as tail:
            torn = f"{path}, offset {tail.offset}: {tail.reason}"
            if number < last:
                raise Unusable(f"{torn}; it is not the last file of the log") from tail
        except (AofError, RdbError) as error:
            raise Unusable(f"{path}, offset {error.offset}: {error.reason}") from error
    return torn


@dataclass
class Figures:
    """What is counted of a group of keys: bytes in memory, bytes in an RDB file, elements."""

    keys: int = 0
    memory: int = 0
    stored: int = 0
    elements: int = 0
    most_elements: int = 0

    def add(self, memory: int, stored: int, elements: int) -> None:
        """Counts a key."""
        self.keys += 1
        self.memory += memory
        self.stored += max(stored, 0)
        self.elements += elements
        self.most_elements = max(self.most_elements, elements)

    def merge(self, other: Figures) -> None:
        """Counts the keys of another group as well."""
        self.keys += other.keys
        self.memory += other.memory
        self.stored += other.stored
        self.elements += other.elements
        self.most_elements = max(self.most_elements, other.most_elements)

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return {
            "keys": self.keys,
            "memory": self.memory,
            "stored": self.stored,
            "elements": self.elements,
            "most_elements": self.most_elements,
        }


@dataclass(order=True)
class Big:
    """A key that takes much."""

    memory: int
    db: int
    key: bytes
    type: str = field(compare=False)
    encoding: str = field(compare=False)
    stored: int = field(compare=False)
    elements: int = field(compare=False)
    expire_ms: int = field(compare=False)


class Statistics:
    """Figures about entries.

    ``measure`` gives the encoding and the bytes in memory of an entry, ``now`` (Unix milliseconds) is what times to
    live count from, ``depth`` says after how many ``separator``s a prefix ends.
    """

    def __init__(
        self, measure: Callable[[Entry], tuple[str, int]], now: int, top: int, separator: bytes, depth: int
    ) -> None:
        self.all = Figures()
        self.databases: dict[int, Figures] = {}
        self.encodings: dict[tuple[str, str], Figures] = {}
        self.prefixes: dict[bytes, Figures] = {}
        # The keys of the prefixes that take least, where there are too many.
        self.other_prefixes = Figures()
        self.ttls: dict[str, Figures] = {}
        self.sizes: dict[str, list[int]] = {}
        self.expiring_fields = 0
        self._measure = measure
        self._now = now
        self._top = top
        self._biggest: list[Big] = []
        self._separator = separator
        self._depth = depth

    def add(self, entry: Entry) -> None:
        """Counts an entry."""
        encoding, memory = self._measure(entry)
        elements = entry.elements
        kind = entry.type
        figures = (memory, entry.stored, elements)
        self.all.add(*figures)
        self.databases.setdefault(entry.db, Figures()).add(*figures)
        self.encodings.setdefault((kind, encoding), Figures()).add(*figures)
        self.ttls.setdefault(self._ttl(entry), Figures()).add(*figures)
        self.sizes.setdefault(kind, [0] * len(SIZE_NAMES))[bisect_left(SIZE_BOUNDS, elements)] += 1
        if isinstance(entry.value, Hash):
            self.expiring_fields += len(entry.value.expiries())
        self._add_prefix(entry.key, figures)
        big = Big(memory, entry.db, entry.key, kind, encoding, entry.stored, elements, entry.expire_ms)
        if len(self._biggest) < self._top:
            heapq.heappush(self._biggest, big)
        elif self._top:
            heapq.heappushpop(self._biggest, big)

    def biggest(self) -> list[Big]:
        """The keys that take most, the largest first."""
        return sorted(self._biggest, key=lambda big: (-big.memory, big.db, big.key))

    def largest_prefixes(self) -> list[tuple[bytes, Figures]]:
        """As many prefixes as biggest keys are asked for."""
        return sorted(self.prefixes.items(), key=lambda item: (-item[1].memory, item[0]))[: self._top]

    def _ttl(self, entry: Entry) -> str:
        if entry.expire_ms == -1:
            return "none"
        return TTL_NAMES[bisect_left(TTL_BOUNDS, entry.expire_ms - self._now)]

    def _add_prefix(self, key: bytes, figures: tuple[int, int, int]) -> None:
        parts = key.split(self._separator, self._depth)
        prefix = self._separator.join([*parts[:-1], b""]) if len(parts) > 1 else b""
        self.prefixes.setdefault(prefix, Figures()).add(*figures)
        if len(self.prefixes) > MOST_PREFIXES:
            kept = sorted(self.prefixes, key=lambda each: self.prefixes[each].memory)
            for each in kept[: len(kept) // 2]:
                self.other_prefixes.merge(self.prefixes.pop(each))

    def as_dict(self, text: Callable[[bytes], Any]) -> dict[str, Any]:
        """For JSON; ``text`` writes bytes."""
        return {
            "total": self.all.as_dict(),
            "databases": {str(db): figures.as_dict() for db, figures in sorted(self.databases.items())},
            "encodings": [
                {"type": kind, "encoding": encoding, **figures.as_dict()}
                for (kind, encoding), figures in sorted(self.encodings.items())
            ],
            "biggest": [
                {
                    "db": big.db,
                    "key": text(big.key),
                    "type": big.type,
                    "encoding": big.encoding,
                    "memory": big.memory,
                    "stored": big.stored,
                    "elements": big.elements,
                    "expireat": big.expire_ms,
                }
                for big in self.biggest()
            ],
            "prefixes": [{"prefix": text(prefix), **figures.as_dict()} for prefix, figures in self.largest_prefixes()],
            "ttl": {name: self.ttls[name].as_dict() for name in ("none", *TTL_NAMES) if name in self.ttls},
            "elements": {
                kind: dict(zip(SIZE_NAMES, counts, strict=True)) for kind, counts in sorted(self.sizes.items())
            },
            "expiring_fields": self.expiring_fields,
        }
