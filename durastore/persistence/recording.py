"""Data that moments can be restored from: the log of a data folder, or what a backup holds of one.

The server of the folder may be running: its log grows while it is read, and a rewrite may remove files.  All files of
a generation are opened before any of them is read, and what was opened stays readable, so whoever finds a file missing
looks at the manifest again and begins anew.  A file counts as long as it was when it was opened, and the last one is
opened first: where something is in it, the ones before it do not grow any more.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final, TypeVar

from durastore.persistence.aof.history import Generation, generations
from durastore.persistence.aof.manifest import SUFFIX, AofError, LogFile, Manifest, parse_manifest
from durastore.persistence.aof.moments import noted_moment
from durastore.persistence.disk import TEMPORARY_PREFIX, Disk, Source
from durastore.persistence.rdb import RdbError, RdbReader
from durastore.persistence.rdb.format import MAGIC

# How often a reader begins anew because files were removed while it looked.
ATTEMPTS: Final = 10
_SNAPSHOT: Final = "dump.rdb"
_HEAD: Final = 64
# A base says in seconds when it began; what is no number of eleven digits is no moment.
_NO_MOMENT: Final = 10**11

T = TypeVar("T")


class RecordingError(Exception):
    """There is nothing that can be restored or backed up; the text says why."""


class Vanished(Exception):
    """A file was removed while it was about to be read."""


class Recording(ABC):
    """``generations`` are oldest first; each has its moments filled in as far as they are known (Unix ms).

    A generation tells the states from ``since`` on up to ``until``, which itself does not belong to it.
    """

    name: str
    generations: list[Generation]

    @abstractmethod
    def open(self, generation: Generation, file: LogFile) -> Source:
        """A file of a generation.  Raises Vanished where it is gone."""

    def refresh(self) -> None:
        """Looks again what there is."""
        return

    @contextmanager
    def opened(self, generation: Generation) -> Iterator[list[tuple[LogFile, Source]]]:
        """All files of a generation, in their order."""
        with ExitStack() as stack:
            sources = []
            for file in reversed(generation.files()):
                source = self.open(generation, file)
                stack.callback(source.close)
                sources.append((file, source))
            yield sources[::-1]

    def attempt(self, work: Callable[[], T]) -> T:
        """Does something with this recording, again where files vanish meanwhile."""
        for _ in range(ATTEMPTS):
            try:
                return work()
            except Vanished as gone:
                missing = gone
                self.refresh()
        raise RecordingError(f"{missing} is missing")


class FolderRecording(Recording):
    """The log in a data folder, or, where there is none, its RDB file.

    ``clock`` gives Unix ms: the log is known to tell all that was before its manifest was read.
    """

    def __init__(self, disk: Disk, folder: str, clock: Callable[[], int]) -> None:
        self.name = folder
        self._disk = disk
        self._folder = folder
        self._clock = clock
        self.refresh()

    def refresh(self) -> None:
        """See Recording."""
        now = self._clock()
        manifest = find_manifest(self._disk, self.name)
        if manifest:
            self._folder = os.path.dirname(manifest)
            try:
                found = generations(parse_manifest(manifest, self._disk.read_whole(manifest)))
            except AofError as error:
                raise RecordingError(f"The AOF manifest cannot be used: {error}") from error
        elif self._disk.exists(os.path.join(self.name, _SNAPSHOT)):
            self._folder = self.name
            found = generations(Manifest(LogFile(_SNAPSHOT, 1, "b")))
        else:
            raise RecordingError(f"There is neither a log nor a {_SNAPSHOT} in {self.name}")
        self.generations = [self._with_moment(each) for each in found]
        last = self.generations[-1]
        # An RDB file tells nothing of what came after it.
        self.generations[-1] = replace(last, until=now if manifest else last.since + 1)

    def _with_moment(self, generation: Generation) -> Generation:
        """Where the manifest does not tell the moment of a base, the base itself does, to the second."""
        base = generation.base
        if base is None or base.since:
            return generation
        try:
            since = self._moment_of(os.path.join(self._folder, base.name))
        except FileNotFoundError:
            return generation
        return replace(generation, base=replace(base, since=since))

    def _moment_of(self, path: str) -> int:
        """The moment of a base, as its head tells; 0 where it does not."""
        source = self._disk.open(path)
        try:
            line = source.read(_HEAD).partition(b"\n")[0]
        finally:
            source.close()
        if not line.startswith(MAGIC):
            return noted_moment(line)
        source = self._disk.open(path)
        try:
            return _ctime(RdbReader(source, source.size))
        finally:
            source.close()

    def open(self, generation: Generation, file: LogFile) -> Source:
        """See Recording."""
        try:
            return self._disk.open(os.path.join(self._folder, file.name))
        except FileNotFoundError as error:
            raise Vanished(os.path.join(self._folder, file.name)) from error


def _ctime(reader: RdbReader) -> int:
    try:
        reader.read_header()
        reader.next_entry()
    except RdbError:
        # A damaged file is noticed when it is copied.
        return 0
    seconds = reader.aux_number(b"ctime")
    return seconds * 1000 if seconds < _NO_MOMENT else 0


def find_manifest(disk: Disk, folder: str) -> str:
    """The manifest of the log in a data folder, or in the folder of a log; empty where there is none."""
    found = _manifests(disk, folder)
    for name in [] if found else disk.list(folder):
        found += _manifests(disk, os.path.join(folder, name))
    if len(found) > 1:
        raise RecordingError(f"There is more than one log: {', '.join(found)}; name the folder of one")
    return found[0] if found else ""


def _manifests(disk: Disk, folder: str) -> list[str]:
    try:
        names = disk.list(folder)
    except (NotADirectoryError, PermissionError):
        return []
    whole = [name for name in names if name.endswith(SUFFIX) and not name.startswith(TEMPORARY_PREFIX)]
    return [os.path.join(folder, name) for name in whole]
