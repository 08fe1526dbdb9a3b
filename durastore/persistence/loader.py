"""Start-up: the keyspace from what is on disk.

With ``appendonly yes`` the log is the truth: its base and then its incremental files, in the manifest's order.  Where
there is no log yet, an old single-file log becomes its base, or else the RDB file is loaded and a first base is made of
it.  With ``appendonly no`` the RDB file is loaded.

Anything damaged ends the start with the file, the offset and the reason; only a torn end of the last incremental file,
which a crash leaves behind, is cut off (``aof-load-truncated``).  Loading goes in slices, so that clients hear that the
server is loading.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator

import trio

from durastore.engine.engine import Engine
from durastore.persistence.aof.log import LogSettings
from durastore.persistence.aof.manifest import (
    AofError,
    LogFile,
    Manifest,
    demand_no_log,
    manifest_path,
    parse_manifest,
    store_manifest,
)
from durastore.persistence.aof.reader import TornTail
from durastore.persistence.disk import Disk, copy_from
from durastore.persistence.rdb import RdbError
from durastore.persistence.replay import SLICE, Replay
from durastore.persistence.walk import Counted, may_end_early, walk_log_file, walk_rdb

log = logging.getLogger("durastore.persistence")


class LoadError(Exception):
    """The data on disk cannot be loaded; the text says which file, where, and why."""


class Loader:
    """Fills the keyspace of an engine from files.

    The counters are those of INFO: bytes of the files at hand, and keys of RDB parts.  ``key_delay`` says how many
    microseconds each key shall take at least; ``-n`` stands for one nth of one.
    """

    def __init__(
        self,
        engine: Engine,
        disk: Disk,
        settings: Callable[[], LogSettings],
        rdb_path: Callable[[], str],
        key_delay: Callable[[], int] = lambda: 0,
    ) -> None:
        self._engine = engine
        self._disk = disk
        self._settings = settings
        self._rdb_path = rdb_path
        self._key_delay = key_delay
        self.started = time.time()
        self.bytes_total = 0
        self.bytes_loaded = 0
        self._replay = Replay(engine)
        # The manifest that was loaded; None where there was no log.
        self.manifest: Manifest | None = None

    @property
    def keys_loaded(self) -> int:
        """The keys of the last RDB part."""
        return self._replay.keys_loaded

    @property
    def keys_expired(self) -> int:
        """Those that had expired and were left out."""
        return self._replay.keys_expired

    @property
    def used_memory(self) -> int:
        """What its dataset took where it was written, in bytes."""
        return self._replay.used_memory

    async def load(self, appendonly: bool) -> None:
        """Loads everything.  Raises LoadError."""
        keyspace = self._engine.instance.keyspace
        for _ in self._load(appendonly):
            await trio.lowlevel.checkpoint()
            # What commands of the log have removed must not pile up.
            while keyspace.freeing.waiting():
                keyspace.free(time.perf_counter() + SLICE, time.perf_counter)
                await trio.lowlevel.checkpoint()
            while self._ahead():
                await trio.sleep(SLICE)

    def _ahead(self) -> bool:
        """Whether keys come faster than ``key_delay`` allows."""
        delay = self._key_delay()
        each = delay if delay >= 0 else 1 / -delay
        return time.time() - self.started < self._engine.instance.keyspace.key_count() * each / 1e6

    def reload_rdb(self, *, flush: bool, merge: bool) -> None:
        """Loads the RDB file again, at once (DEBUG RELOAD).  Raises LoadError."""
        if flush:
            self._flush()
        for _ in self._load_rdb(self._rdb_path(), merge=merge):
            pass
        self._engine.instance.dirty = 0

    def reload_log(self) -> None:
        """Loads the log again, at once (DEBUG LOADAOF).  Raises LoadError."""
        self._flush()
        for _ in self._load_log(self._read_manifest()):
            pass
        self._engine.instance.dirty = 0

    def _flush(self) -> None:
        keyspace = self._engine.instance.keyspace
        keyspace.functions = []
        for db in keyspace.databases:
            db.flush()
        # The dataset is not to be there twice.
        keyspace.free(math.inf, time.perf_counter)

    def _load(self, appendonly: bool) -> Iterator[None]:
        begun = time.monotonic()
        self.started = time.time()
        # What is loaded counts as used now, unless the file says otherwise.
        self._engine.begin_wake(int(self.started * 1000))
        what = ""
        if appendonly:
            manifest = self._read_manifest()
            if self._is_to_be_moved(manifest):
                manifest = self._upgrade()
            if manifest is None:
                self._demand_no_log()
            else:
                what = "append only file"
                yield from self._load_log(manifest)
                self.manifest = manifest
        if not what and self._disk.exists(self._rdb_path()):
            what = "disk"
            if appendonly:
                log.warning("There is no append only file yet: it begins with the content of %s.", self._rdb_path())
            yield from self._load_rdb(self._rdb_path(), merge=False)
        if what:
            keys = self._engine.instance.keyspace.key_count()
            seconds = time.monotonic() - begun
            log.info(
                "DB loaded from %s: %.3f seconds, %d keys, %d bytes (%d keys/s)",
                what,
                seconds,
                keys,
                self.bytes_loaded,
                keys / max(seconds, 0.001),
            )
        self._engine.instance.dirty = 0

    def _read_manifest(self) -> Manifest | None:
        settings = self._settings()
        path = manifest_path(settings.folder, settings.filename)
        if not self._disk.exists(path):
            return None
        try:
            return parse_manifest(path, self._disk.read_whole(path))
        except (AofError, OSError) as error:
            raise LoadError(f"The AOF manifest cannot be used: {error}") from error

    def _demand_no_log(self) -> None:
        settings = self._settings()
        try:
            demand_no_log(self._disk, settings.folder, settings.filename)
        except AofError as error:
            raise LoadError(str(error)) from error

    def _old_path(self) -> str:
        """Where the single-file log of an older server is."""
        settings = self._settings()
        return os.path.join(os.path.dirname(settings.folder), settings.filename)

    def _is_to_be_moved(self, manifest: Manifest | None) -> bool:
        """Whether there is a log in a single file that no manifest names, or one that was not moved any more."""
        settings = self._settings()
        old = self._old_path()
        if not self._disk.exists(old) or os.path.isdir(old):
            return False
        if manifest is None:
            return True
        alone = [each.name for each in manifest.files()] == [settings.filename]
        return alone and not self._disk.exists(os.path.join(settings.folder, settings.filename))

    def _upgrade(self) -> Manifest:
        """A single-file log of an older server becomes the base of a log in parts."""
        settings = self._settings()
        old = self._old_path()
        manifest = Manifest(base=LogFile(settings.filename, 1, "b"))
        try:
            self._disk.make_folder(settings.folder)
            # The manifest first: a crash between the two steps leaves one that names what is still to be moved.
            store_manifest(self._disk, settings.folder, settings.filename, manifest)
            self._disk.rename(old, os.path.join(settings.folder, settings.filename))
            self._disk.fsync_folder(settings.folder)
            self._disk.fsync_folder(os.path.dirname(settings.folder))
        except OSError as error:
            raise LoadError(
                f"The old append only file {old} cannot be moved into {settings.folder}: {error}"
            ) from error
        log.warning("The append only file %s was moved into %s.", settings.filename, settings.folder)
        return manifest

    # RDB

    def _progress(self, size: int) -> None:
        self.bytes_loaded += size

    def _load_rdb(self, path: str, merge: bool) -> Iterator[None]:
        try:
            source = self._disk.open(path)
        except OSError as error:
            raise LoadError(f"{path}: {error.strerror or error}") from error
        self.bytes_total = source.size
        self.bytes_loaded = 0
        try:
            yield from walk_rdb(Counted(source, self._progress), self._replay, int(time.time() * 1000), merge)
        except RdbError as error:
            raise LoadError(f"Bad file format reading the RDB file {path}: {error}") from error
        except OSError as error:
            raise LoadError(f"{path}: {error.strerror or error}") from error

    # The log

    def _load_log(self, manifest: Manifest | None) -> Iterator[None]:
        if manifest is None:
            raise LoadError("There is no append only file to load")
        settings = self._settings()
        paths = [os.path.join(settings.folder, each.name) for each in manifest.files()]
        sizes = [self._size(path, each) for path, each in zip(paths, manifest.files(), strict=True)]
        self.bytes_loaded = 0
        self.bytes_total = sum(sizes)
        last = may_end_early(paths, sizes)
        keyspace = self._engine.instance.keyspace
        # What is replayed is in the log already.
        journal = self._engine.journal
        enabled = journal.enabled
        journal.enabled = False
        keyspace.expiring = False
        try:
            for number, path in enumerate(paths):
                yield from self._load_file(path, number >= last)
        finally:
            keyspace.expiring = True
            journal.enabled = enabled

    def _size(self, path: str, file: LogFile) -> int:
        if not self._disk.exists(path):
            raise LoadError(f"The append only file {path} is missing")
        size = self._disk.size(path)
        try:
            file.demand_size(size)
        except AofError as error:
            raise LoadError(f"The append only file {path}, offset {error.offset}: {error.reason}") from error
        return size

    def _load_file(self, path: str, last: bool) -> Iterator[None]:
        try:
            source = self._disk.open(path)
            yield from walk_log_file(self._disk, Counted(source, self._progress), path, self._replay)
        except TornTail as tail:
            self._torn(path, tail.offset, source.size, tail.reason, last)
        except RdbError as error:
            raise LoadError(f"Bad file format reading the RDB file {path}: {error}") from error
        except AofError as error:
            self._damaged(path, error, source.size, last)
        except OSError as error:
            raise LoadError(f"{path}: {error.strerror or error}") from error

    def _damaged(self, path: str, error: AofError, size: int, last: bool) -> None:
        """Sets a damaged end of the log aside, where it may be.  Raises LoadError where it may not."""
        offset = error.whole_up_to
        if not last or error.vague or offset < 0 or size - offset > self._settings().corrupt_tail:
            raise LoadError(f"Bad file format reading the append only file {error}") from error
        aside = self._set_aside(path, offset)
        log.warning(
            "The append only file %s. The last %d bytes, from offset %d on, are cut off; they are kept in %s.",
            error,
            size - offset,
            offset,
            aside,
        )
        self._disk.cut(path, offset)

    def _set_aside(self, path: str, offset: int) -> str:
        """Copies the end of a file into one beside it, which is on disk then; its name."""
        aside = self._disk.free_name(f"{path}.damaged-{offset}")
        source = self._disk.open(path)
        try:
            file = self._disk.create(aside)
            try:
                copy_from(source, offset, file)
                file.fsync()
            finally:
                file.close()
        finally:
            source.close()
        self._disk.fsync_folder(os.path.dirname(path))
        return aside

    def _torn(self, path: str, offset: int, size: int, reason: str, last: bool) -> None:
        if not last or not self._settings().load_truncated:
            raise LoadError(
                f"Unexpected end of file reading the append only file {path}, offset {offset}: {reason}. "
                + ("It is not the last file of the log." if not last else "aof-load-truncated is off.")
            )
        log.warning(
            "The append only file %s ends early: %s. The last %d bytes, from offset %d on, are cut off.",
            path,
            reason,
            size - offset,
            offset,
        )
        self._disk.cut(path, offset)
