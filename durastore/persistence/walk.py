"""The way through a data file, which start-up and the offline tools share, so that they can never disagree on one.

What is read goes to a ``Sink``.  Walks are iterators, so that whoever walks can do something else in between.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

from durastore.keyspace.limits import Limits
from durastore.persistence.aof.manifest import INCREMENT, RDB_BASE, AofError
from durastore.persistence.aof.reader import AofReader, TornTail, whole_up_to
from durastore.persistence.disk import Disk, Source
from durastore.persistence.rdb import RdbError, RdbReader
from durastore.persistence.rdb.format import MAGIC

_HEADER = 9
NO_RDB_FILE = "it does not begin as an RDB file does"


class Sink(ABC):
    """What becomes of what is read.  ``limits`` says up to where values get compact encodings."""

    limits: Limits

    @abstractmethod
    def entries(self, reader: RdbReader, now: int, merge: bool) -> Iterator[None]:
        """Takes the entries of an RDB part, whose header was read.  Raises RdbError.

        ``now`` (Unix milliseconds) is when a key counts as expired, -1: none does.  With ``merge`` a key may be there
        already.
        """

    @abstractmethod
    def commands(self, reader: AofReader, path: str) -> Iterator[None]:
        """Takes the commands of one file of the log.  Raises TornTail and AofError."""

    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether a transaction of that file has begun, and not ended yet."""


class Counted(Source):
    """A source that tells how much of it was read."""

    def __init__(self, source: Source, progress: Callable[[int], None]) -> None:
        self.size = source.size
        self._source = source
        self._progress = progress

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self._progress(len(data))
        return data

    def zeros_at_end(self) -> int:
        return self._source.zeros_at_end()

    def close(self) -> None:
        self._source.close()


class _Prefixed:
    """A source of which the first bytes were read already."""

    def __init__(self, head: bytes, source: Source) -> None:
        self._head = head
        self._source = source

    def read(self, size: int, /) -> bytes:
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._source.read(size)


def walk_rdb(source: Source, sink: Sink, now: int, merge: bool) -> Iterator[None]:
    """Reads an RDB file, and closes it.  Raises RdbError and OSError; ``now`` and ``merge``: see Sink."""
    try:
        reader = RdbReader(source, source.size, sink.limits)
        reader.read_header()
        yield from sink.entries(reader, now, merge)
        demand_end(reader, source)
    finally:
        source.close()


def demand_end(reader: RdbReader, source: Source) -> None:
    """Raises RdbError where anything stands in the source behind the RDB part that was read."""
    rest = reader.rest()
    if rest or source.read(1):
        raise RdbError(reader.offset - len(rest), "there is data behind the end of the RDB file")


def walk_log_file(disk: Disk, source: Source, path: str, sink: Sink) -> Iterator[None]:
    """Reads one file of the log, and closes it.

    Raises RdbError for damage in an RDB part that it begins with, AofError for damage behind that, TornTail where the
    file is good up to an offset and ends too early, and OSError.
    """
    start = 0
    try:
        head = source.read(_HEADER)
        if head.startswith(MAGIC):
            rdb = RdbReader(_Prefixed(head, source), source.size, sink.limits)
            rdb.read_header()
            yield from sink.entries(rdb, -1, False)
            rest = rdb.rest()
            start = rdb.offset - len(rest)
            reader = AofReader(source, path, rest, start)
        elif path.endswith(RDB_BASE):
            raise RdbError(0, NO_RDB_FILE)
        else:
            reader = AofReader(source, path, head)
        yield from sink.commands(reader, path)
    except TornTail as tail:
        offset = tail.offset
        if offset == -1 or sink.in_transaction():
            offset = _whole_up_to(disk, path, start, offset if offset != -1 else source.size)
        raise TornTail(offset, tail.reason) from None
    except AofError as error:
        exact = _exact(error, disk, path, start, source.size)
        if not exact.vague:
            # A transaction that the damage has cut off counts for nothing.
            exact.whole_up_to = _whole_up_to(disk, path, start, exact.offset)
        raise exact from None
    finally:
        source.close()


def _exact(error: AofError, disk: Disk, path: str, start: int, end: int) -> AofError:
    """The error that says where in its piece the damage is, unless only whoever runs the commands knows why."""
    if error.vague:
        try:
            _whole_up_to(disk, path, start, end)
        except AofError as exact:
            return exact
    return error


def _whole_up_to(disk: Disk, path: str, start: int, end: int) -> int:
    source = disk.open(path)
    try:
        return whole_up_to(source, path, start, end)
    finally:
        source.close()


def may_end_early(paths: list[str], sizes: list[int]) -> int:
    """From which of the files on an end may be torn: the last, or one behind which there are only empty ones.

    No crash leaves a torn base that others follow: it was on disk before it was named.
    """
    first = len(sizes) - 1
    while first > 0 and sizes[first] == 0 and paths[first - 1].endswith(INCREMENT):
        first -= 1
    return max(first, 0)


def data_folder(log_folder: str) -> str:
    """The folder of a server whose log is in this one."""
    return os.path.dirname(os.path.abspath(log_folder))
