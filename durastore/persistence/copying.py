"""Copies a generation of a log up to a moment, verifying every checksum on the way.

A sink is given stretches that were verified; a base as it is read, and its sink is closed only where all of it is good.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from durastore.persistence.aof.history import Generation, is_increment
from durastore.persistence.aof.manifest import RDB_BASE, AofError, LogFile
from durastore.persistence.aof.moments import FOREVER, Clock, Extent, measure
from durastore.persistence.aof.reader import AofReader
from durastore.persistence.checksum import crc64_redis
from durastore.persistence.disk import Source
from durastore.persistence.rdb import RdbError, RdbReader
from durastore.persistence.rdb.format import MAGIC
from durastore.persistence.walk import NO_RDB_FILE

_HEAD: Final = 9
_FOOT: Final = 8
_PIECE: Final = 1 << 20


class Sink(ABC):
    """Where the good part of a file goes."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Takes the next bytes."""

    @abstractmethod
    def close(self) -> None:
        """That was all: returns when it is where it belongs."""

    def abort(self) -> None:
        """There will be no end."""
        return


class Tee(Source):
    """Keeps what is read until it is known to be good, and hands it on then; or at once, where it is ``eager``."""

    def __init__(self, source: Source, sink: Sink, eager: bool) -> None:
        self.size = source.size
        self._eager = eager
        self._source = source
        self._sink = sink
        self._ahead = b""
        self._kept: deque[bytes] = deque()
        # How much was handed on.
        self._passed = 0

    def peek(self, size: int) -> bytes:
        """The beginning, which is read again afterwards."""
        self._ahead = self._source.read(size)
        return self._ahead

    def read(self, size: int, /) -> bytes:
        """See Source."""
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            data = self._source.read(size)
        if data:
            self._kept.append(data)
        if self._eager:
            self.release(self.size)
        return data

    def zeros_at_end(self) -> int:
        """See Source."""
        return self._source.zeros_at_end()

    def close(self) -> None:
        """See Source."""
        self._source.close()

    def release(self, offset: int) -> None:
        """Up to here it is good.  A piece that was read waits until all of it is."""
        while self._kept and self._passed + len(self._kept[0]) <= offset:
            data = self._kept.popleft()
            self._passed += len(data)
            self._sink.write(data)

    def finish(self, offset: int) -> None:
        """Up to here it is good, and the rest is not wanted."""
        self.release(offset)
        if self._passed < offset and self._kept:
            self._sink.write(self._kept.popleft()[: offset - self._passed])
            self._passed = offset


@dataclass
class Copy:
    """What was copied; moments are Unix ms, 0 where they are not known."""

    files: list[tuple[LogFile, Extent]] = field(default_factory=list)
    # The moment whose state it is: of the last stretch, or of the base where there is none.
    moment: int = 0
    # The first and the last moment of the increments.
    first: int = 0
    last: int = 0
    # Of what was left out: the moment of the first part, and how many bytes.
    later: int = 0
    left_out: int = 0
    # Why the log ends within something, which was left out as well; empty where it does not.
    torn: str = ""

    def known_until(self, generation: Generation) -> int:
        """Up to which moment, without that one, it tells all, where all of the generation was copied."""
        return max(generation.until, self.last)

    def add(self, file: LogFile, extent: Extent, size: int) -> None:
        """The next file, of so many bytes."""
        self.files.append((file, extent))
        self.first = self.first or extent.first
        self.last = extent.last or self.last
        self.torn = extent.torn or self.torn
        self.left_out += size - extent.end


def copy_generation(
    opened: list[tuple[LogFile, Source]], sink_for: Callable[[LogFile], Sink], at: int = FOREVER, deep: bool = False
) -> Copy:
    """Copies the files of a generation up to a moment, each into a sink of its own.

    With ``deep`` it is not left at the checksums: entries and commands are read as well.  Raises AofError where a
    file is damaged, and where it cannot be told what of it was there at the moment.
    """
    copy = Copy()
    clock = Clock(at)
    for file, source in opened:
        if copy.later:
            copy.left_out += source.size
            continue
        if copy.torn and source.size:
            last, extent = copy.files[-1]
            raise AofError(last.name, extent.end, f"{copy.torn}, and it is not the last file of the log")
        file.demand_size(source.size)
        if not is_increment(file):
            clock.time = file.since
            extent = _copy_file(file.name, source, sink_for(file), None, deep)
        else:
            extent = _copy_file(file.name, source, sink_for(file), clock, deep)
        copy.add(file, extent, source.size)
        copy.later = clock.later
    if clock.unsure is not None and at != FOREVER:
        raise clock.unsure
    copy.moment = clock.time
    return copy


def _copy_file(name: str, source: Source, sink: Sink, clock: Clock | None, deep: bool) -> Extent:
    """Copies a file up to the clock's moment; a base, which has no clock, as a whole."""
    tee = Tee(source, sink, eager=clock is None)
    try:
        if clock is None:
            extent = _read_base(tee, name, deep)
        else:
            extent = measure(AofReader(tee, name), clock, tee.release, deep)
        tee.finish(extent.end)
        sink.close()
    except BaseException:
        sink.abort()
        raise
    return extent


def _read_base(tee: Tee, name: str, deep: bool) -> Extent:
    head = tee.peek(_HEAD)
    if head.startswith(MAGIC) and name.endswith(".rdb") and not deep:
        return _read_checked(tee, name, head)
    if name.endswith(RDB_BASE) and not head.startswith(MAGIC):
        raise AofError(name, 0, NO_RDB_FILE)
    reader = _behind_rdb(tee, name) if head.startswith(MAGIC) else AofReader(tee, name)
    extent = measure(reader, Clock(), lambda offset: None, deep)
    if extent.torn:
        raise AofError(name, extent.end, extent.torn)
    return extent


def _read_checked(tee: Tee, name: str, head: bytes) -> Extent:
    """An RDB file, of which just the checksum is verified."""
    crc = 0
    foot = b""
    while data := tee.read(_PIECE):
        data = foot + data
        foot = data[-_FOOT:]
        crc = crc64_redis(data[:-_FOOT], crc)
    stored = int.from_bytes(foot, "little")
    if stored not in (0, crc) and head[5:] >= b"0005":
        raise AofError(
            name, tee.size - _FOOT, f"wrong checksum: {stored:016x} in the file, {crc:016x} of what was read"
        )
    return Extent(tee.size)


def _behind_rdb(tee: Tee, name: str) -> AofReader:
    """Reads the entries of an RDB file, or of one that commands follow; what reads these."""
    reader = RdbReader(tee, tee.size)
    try:
        reader.read_header()
        while reader.next_entry():
            pass
    except RdbError as error:
        raise AofError(name, -1, str(error)) from error
    rest = reader.rest()
    return AofReader(tee, name, rest, reader.offset - len(rest))
