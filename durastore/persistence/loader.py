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
import os
import time
from collections.abc import Callable, Iterator

import trio

from durastore.engine.engine import Engine
from durastore.engine.session import replay_session
from durastore.persistence.aof.log import LogSettings
from durastore.persistence.aof.manifest import (
    AofError,
    LogFile,
    Manifest,
    manifest_path,
    parse_manifest,
    store_manifest,
)
from durastore.persistence.aof.reader import AofReader, TornTail, complaint, whole_up_to
from durastore.persistence.disk import Disk, Source
from durastore.persistence.loading import RdbLoading
from durastore.persistence.rdb import RdbError, RdbReader

log = logging.getLogger("durastore.persistence")

# How long loading keeps the event loop at a time, in seconds.
SLICE = 0.01


class LoadError(Exception):
    """The data on disk cannot be loaded; the text says which file, where, and why."""


class _Counted(Source):
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


class Loader:
    """Fills the keyspace of an engine from files.

    The counters are those of INFO: bytes of the files at hand, and keys of RDB parts.
    """

    def __init__(
        self, engine: Engine, disk: Disk, settings: Callable[[], LogSettings], rdb_path: Callable[[], str]
    ) -> None:
        self._engine = engine
        self._disk = disk
        self._settings = settings
        self._rdb_path = rdb_path
        self.started = time.time()
        self.bytes_total = 0
        self.bytes_loaded = 0
        self.keys_loaded = 0
        self.keys_expired = 0
        # The manifest that was loaded, None where there was no log; and whether its last file may be appended to.
        self.manifest: Manifest | None = None

    async def load(self, appendonly: bool) -> None:
        """Loads everything.  Raises LoadError."""
        for _ in self._load(appendonly):
            await trio.lowlevel.checkpoint()

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
        self._engine.instance.keyspace.functions = []
        for db in self._engine.instance.keyspace.databases:
            db.flush()

    def _load(self, appendonly: bool) -> Iterator[None]:
        begun = time.monotonic()
        self.started = time.time()
        what = ""
        if appendonly:
            manifest = self._read_manifest()
            if manifest is None:
                manifest = self._upgrade()
            if manifest is not None:
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

    def _upgrade(self) -> Manifest | None:
        """A single-file log of an older server becomes the base of a log in parts."""
        settings = self._settings()
        old = os.path.join(os.path.dirname(settings.folder), settings.filename)
        if not self._disk.exists(old) or os.path.isdir(old):
            return None
        manifest = Manifest(base=LogFile(settings.filename, 1, "b"))
        try:
            self._disk.make_folder(settings.folder)
            # The manifest first: a crash between the two steps leaves a manifest whose base is still to be moved.
            self._disk.rename(old, os.path.join(settings.folder, settings.filename))
            self._disk.fsync_folder(settings.folder)
            store_manifest(self._disk, settings.folder, settings.filename, manifest)
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
        try:
            self.bytes_total = source.size
            self.bytes_loaded = 0
            counted = _Counted(source, self._progress)
            reader = RdbReader(counted, source.size, self._engine.instance.keyspace.limits)
            yield from self._load_entries(reader, path, int(time.time() * 1000), merge)
            if reader.rest() or counted.read(1):
                raise LoadError(f"{path}, offset {reader.offset}: there is data behind the end of the RDB file")
        except OSError as error:
            raise LoadError(f"{path}: {error.strerror or error}") from error
        finally:
            source.close()

    def _load_entries(self, reader: RdbReader, path: str, now: int, merge: bool) -> Iterator[None]:
        keyspace = self._engine.instance.keyspace
        try:
            reader.read_header()
            loading = RdbLoading(reader, keyspace, now, merge)
            while not loading.step(time.perf_counter() + SLICE, time.perf_counter):
                self.keys_loaded = int(loading.keys_loaded)
                yield
        except RdbError as error:
            raise LoadError(f"Bad file format reading the RDB file {path}: {error}") from error
        self.keys_loaded = int(loading.keys_loaded)
        self.keys_expired = int(loading.keys_expired)

    # The log

    def _load_log(self, manifest: Manifest | None) -> Iterator[None]:
        if manifest is None:
            raise LoadError("There is no append only file to load")
        settings = self._settings()
        files = [*([manifest.base] if manifest.base else []), *manifest.increments]
        self.bytes_loaded = 0
        self.bytes_total = 0
        # The files that may end early: the last, and one behind which there are only empty ones.
        ends: list[LogFile] = []
        for each in files:
            path = os.path.join(settings.folder, each.name)
            if not self._disk.exists(path):
                raise LoadError(f"The append only file {path} is missing")
            source = self._disk.open(path)
            self.bytes_total += source.size
            if source.size:
                ends = []
            ends.append(each)
            source.close()
        keyspace = self._engine.instance.keyspace
        # What is replayed is in the log already.
        journal = self._engine.journal
        enabled = journal.enabled
        journal.enabled = False
        keyspace.expiring = False
        try:
            for each in files:
                yield from self._load_file(os.path.join(settings.folder, each.name), each in ends)
        finally:
            keyspace.expiring = True
            journal.enabled = enabled

    def _load_file(self, path: str, last: bool) -> Iterator[None]:
        try:
            source = self._disk.open(path)
        except OSError as error:
            raise LoadError(f"{path}: {error.strerror or error}") from error
        counted = _Counted(source, self._progress)
        replay = _Replay(self._engine, path)
        start = 0
        try:
            head = counted.read(9)
            if head.startswith((b"REDIS", b"VALKEY")):
                prefixed = _Prefixed(head, counted)
                rdb = RdbReader(prefixed, source.size, self._engine.instance.keyspace.limits)
                yield from self._load_entries(rdb, path, -1, merge=False)
                rest = rdb.rest()
                start = rdb.offset - len(rest)
                reader = AofReader(counted, path, rest, start)
            else:
                reader = AofReader(counted, path, head)
            yield from replay.run(reader)
        except TornTail as tail:
            offset = tail.offset
            if offset == -1 or replay.in_transaction():
                offset = self._whole_up_to(path, start, offset if offset != -1 else source.size)
            self._torn(path, offset, source.size, tail.reason, last)
        except AofError as error:
            if error.vague:
                # It says where, unless only the engine knows why.
                self._whole_up_to(path, start, source.size)
            raise LoadError(f"Bad file format reading the append only file {error}") from error
        except OSError as error:
            raise LoadError(f"{path}: {error.strerror or error}") from error
        finally:
            source.close()

    def _whole_up_to(self, path: str, start: int, end: int) -> int:
        source = self._disk.open(path)
        try:
            return whole_up_to(source, path, start, end)
        except AofError as error:
            raise LoadError(f"Bad file format reading the append only file {error}") from error
        finally:
            source.close()

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
        file = self._disk.append(path)
        try:
            file.truncate(offset)
            file.fsync()
        finally:
            file.close()


class _Prefixed:
    """A source of which the first bytes were read already."""

    def __init__(self, head: bytes, source: _Counted) -> None:
        self._head = head
        self._source = source

    def read(self, size: int, /) -> bytes:
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._source.read(size)


class _Replay:
    """Runs the commands of one file of the log."""

    def __init__(self, engine: Engine, path: str) -> None:
        self._engine = engine
        self._path = path
        self._session = replay_session(engine)

    def in_transaction(self) -> bool:
        """Whether a transaction has begun, and not ended yet."""
        return self._session.client.in_multi

    def run(self, reader: AofReader) -> Iterator[None]:
        """Replays to the end.  Raises AofError and TornTail."""
        engine = self._engine
        session = self._session
        parser = session.parser
        deadline = time.perf_counter() + SLICE
        while True:
            offset = int(reader.offset)
            piece = reader.next_piece(parser.at_boundary())
            if piece is None:
                break
            engine.begin_wake(int(time.time() * 1000))
            session.feed(piece)
            session.take_output()
            if session.failure:
                self._failed(reader, offset)
            if time.perf_counter() >= deadline:
                yield
                deadline = time.perf_counter() + SLICE
        if self.in_transaction():
            raise TornTail(int(reader.offset), "the file ends within a transaction")

    def _failed(self, reader: AofReader, offset: int) -> None:
        reason = complaint(self._session.failure)
        if not reader.verified:
            reason += f" (in the {reader.offset - offset} bytes from there on)"
        raise AofError(self._path, offset, reason, vague=not reader.verified)
