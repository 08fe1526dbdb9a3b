"""A new data folder with the state of a moment.

It is built beside the place where a server looks, and put there when it is whole, verified and on disk: a crash leaves
a folder in which there is no log, or all of it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from durastore.persistence.aof.history import Generation, is_increment
from durastore.persistence.aof.manifest import LogFile, Manifest, store_manifest
from durastore.persistence.aof.moments import FOREVER
from durastore.persistence.copying import Copy, Sink, copy_generation
from durastore.persistence.disk import TEMPORARY_PREFIX, Disk
from durastore.persistence.recording import Recording, RecordingError

# What Redis and durastore look for by default.
LOG_FOLDER: Final = "appendonlydir"
LOG_PREFIX: Final = "appendonly.aof"
_STAGING: Final = TEMPORARY_PREFIX + "restore"
# A file system of its own has it.
_NOTHING: Final = {"lost+found", _STAGING}


@dataclass(frozen=True)
class Loaded:
    """What a restored log holds: keys, and how many of them have expired since then."""

    keys: int
    expired: int


@dataclass(frozen=True)
class Restored:
    """What was restored; ``loaded`` is None where that was not asked for."""

    copy: Copy
    generation: Generation
    files: list[str]
    size: int
    loaded: Loaded | None


def spell(moment: int) -> str:
    """A moment (Unix ms) for people, with the time zone of this machine."""
    return datetime.fromtimestamp(moment / 1000, UTC).astimezone().isoformat(timespec="milliseconds")


def choose(found: list[Generation], at: int | None) -> Generation:
    """The generation that tells the state of a moment, the last one without.  Raises RecordingError."""
    if at is None:
        return found[-1]
    for generation in reversed(found):
        if generation.since <= at < generation.until:
            return generation
    ranges = ", ".join(f"{spell(each.since)} to {spell(each.until)}" for each in found)
    raise RecordingError(f"The state of {spell(at)} is not recorded. What is: {ranges}")


class _FileSink(Sink):
    def __init__(self, disk: Disk, path: str) -> None:
        self._file = disk.create(path)

    def write(self, data: bytes) -> None:
        self._file.write_all(data)

    def close(self) -> None:
        self._file.fsync()
        self._file.close()

    def abort(self) -> None:
        self._file.close()


class _NoSink(Sink):
    """Takes what nobody wants to keep."""

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass


def no_sink(file: LogFile) -> Sink:
    """For a copy that is made only to verify, or to know its extent."""
    return _NoSink()


class Restore:
    """A restore to ``folder``, of the state at a moment (Unix ms), or of all there is.

    ``verify`` loads the log in a folder.
    """

    def __init__(
        self,
        recording: Recording,
        disk: Disk,
        folder: str,
        at: int | None = None,
        verify: Callable[[str], Loaded] | None = None,
    ) -> None:
        self._recording = recording
        self._disk = disk
        self._folder = folder
        self._staging = os.path.join(folder, _STAGING)
        self._at = at
        self._verify = verify

    def run(self) -> Restored:
        """Does it.  Raises RecordingError, AofError and OSError; the folder is then not there, or empty, as before."""
        made = self._missing_folders()
        if not made:
            self._demand_empty()
        try:
            self._disk.ensure_folder(self._folder)
            restored = self._recording.attempt(self._build)
            self._disk.rename(self._staging, os.path.join(self._folder, LOG_FOLDER))
            self._disk.fsync_folder(self._folder)
        except BaseException:
            self._clean()
            for each in made:
                self._remove_empty(each)
            raise
        return restored

    def _missing_folders(self) -> list[str]:
        """The folder, and those that it is in, as far as they are still to be made; the innermost first."""
        missing = []
        path = self._folder
        while path and not self._disk.exists(path):
            missing.append(path)
            path = os.path.dirname(path)
        return missing

    def _remove_empty(self, folder: str) -> None:
        if self._disk.exists(folder) and not self._disk.list(folder):
            self._disk.remove_folder(folder)

    def _demand_empty(self) -> None:
        there = [name for name in self._disk.list(self._folder) if name not in _NOTHING]
        if there:
            raise OSError(errno.ENOTEMPTY, f"It is not empty: it holds {', '.join(there[:3])}", self._folder)

    def _clean(self) -> None:
        if not self._disk.exists(self._staging):
            return
        for name in self._disk.list(self._staging):
            self._disk.remove(os.path.join(self._staging, name))
        self._disk.remove_folder(self._staging)

    def _build(self) -> Restored:
        disk = self._disk
        self._clean()
        disk.make_folder(self._staging)
        generation = choose(self._recording.generations, self._at)
        at = FOREVER if self._at is None else self._at
        manifest = Manifest()
        with self._recording.opened(generation) as opened:
            copy = copy_generation(opened, lambda file: self._sink(manifest, file), at)
        store_manifest(disk, self._staging, LOG_PREFIX, manifest)
        loaded = self._verify(self._staging) if self._verify is not None else None
        names = [each.name for each in manifest.files()]
        size = sum(extent.end for _, extent in copy.files)
        return Restored(copy, generation, names, size, loaded)

    def _sink(self, manifest: Manifest, file: LogFile) -> Sink:
        """Where a file goes, under a name of its own."""
        if is_increment(file):
            ours = manifest.next_increment(LOG_PREFIX)
            manifest.increments.append(ours)
        else:
            ours = manifest.next_base(LOG_PREFIX, file.name.endswith(".rdb"), 0, file.since)
            manifest.base = ours
        return _FileSink(self._disk, os.path.join(self._staging, ours.name))
