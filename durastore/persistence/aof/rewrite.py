"""BGREWRITEAOF, and the log's files from start to stop: a new base while the log goes on.

A rewrite first makes a new incremental file and a manifest that names it behind the old ones.  Then, between two wakes,
the log switches to it and a snapshot begins: the base to come is the state at that moment, and the new file is what
follows.  Last, a manifest with these two is put in place, and the old files go, or stay as history (``history.py``).
Whatever the moment of a crash, the manifest on disk names files that add up to everything.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace

import trio

from durastore.keyspace.keyspace import Keyspace
from durastore.persistence.aof.distrust import is_marked, leave_mark, remove_mark
from durastore.persistence.aof.history import expire_history
from durastore.persistence.aof.log import AppendLog, LogSettings
from durastore.persistence.aof.manifest import (
    AofError,
    LogFile,
    Manifest,
    bases_left,
    demand_no_log,
    manifest_path,
    parse_manifest,
    remove_history,
    store_manifest,
)
from durastore.persistence.aof.writer import AofWriter
from durastore.persistence.commands import StretchedCommands
from durastore.persistence.disk import TEMPORARY_PREFIX, Disk
from durastore.persistence.saver import auxiliary_fields, publish, write_file, write_file_now
from durastore.persistence.serializer import Serializer
from durastore.persistence.snapshot import Snapshot

log = logging.getLogger("durastore.persistence")

# After a failed rewrite, the next automatic one waits so many seconds.
RETRY_DELAY = 60
# One that mends the log is tried again after so many.
MEND_DELAY = 1
# How often it is looked for history that is too old, in seconds.
HISTORY_INTERVAL = 10
# Whether a file is on disk yet is looked at again after so many.
SEALING_LOOK = 0.005


class Rewriter:
    """The files of one server's log."""

    def __init__(
        self,
        keyspace: Keyspace,
        append_log: AppendLog,
        disk: Disk,
        serializer: Callable[[], Serializer],
        cpu_percent: Callable[[], int],
        may_start: Callable[[], bool],
    ) -> None:
        self._keyspace = keyspace
        self._log = append_log
        self._disk = disk
        self._serializer = serializer
        self._cpu_percent = cpu_percent
        self._may_start = may_start
        self._nursery: trio.Nursery | None = None
        self._scope: trio.CancelScope | None = None
        self._manifest = Manifest()
        # Held by whoever changes the manifest in the background.
        self._changing = trio.Lock()
        self._history_looked_at = 0.0
        # The number of the last base that was begun.  None is used twice: what became of an attempt that failed at its
        # very end only the disk knows.
        self._base_seq = 0
        # Bases of such attempts, to be removed when a manifest is in place that does not name them for sure.
        self._abandoned: list[str] = []
        self.snapshot: Snapshot | None = None
        self.scheduled = False
        self.base_size = 0
        self._old_size = 0
        self.rewrites = 0
        self.last_ok = True
        self.last_seconds = -1
        self.failures = 0
        self.started = 0.0
        self._failed_at = 0.0
        # Whether there is a log, or is to be one.
        self.on = False
        # False between CONFIG SET appendonly yes and the first base: the manifest does not name the log yet.
        self.complete = True

    @property
    def _settings(self) -> LogSettings:
        return self._log.settings

    def _path(self, file: LogFile) -> str:
        return os.path.join(self._settings.folder, file.name)

    def _temporary(self, file: LogFile) -> str:
        return os.path.join(self._settings.folder, TEMPORARY_PREFIX + file.name)

    def _size(self, file: LogFile) -> int:
        return self._disk.size(self._path(file))

    def _size_if_there(self, file: LogFile) -> int:
        return self._size(file) if self._disk.exists(self._path(file)) else 0

    def current_size(self) -> int:
        """The bytes of all files of the log."""
        return self._old_size + (self._log.writer.size if self._log.writer is not None else 0)

    def open(self, nursery: trio.Nursery) -> None:
        """From here on rewrites run in this nursery."""
        self._nursery = nursery

    def begin(self, manifest: Manifest | None) -> None:
        """Goes on with the log that was loaded; without one, makes its first base of the present keyspace.

        Raises OSError.
        """
        self.on = True
        settings = self._settings
        self._make_folder()
        self._remove_leftovers()
        self._manifest = Manifest() if manifest is None else manifest
        if manifest is None:
            for name, seq in bases_left(self._disk, settings.folder, settings.filename).items():
                self._base_seq = max(self._base_seq, seq)
                log.warning("%s is there, but no manifest that names it: it is left as it is, and not used.", name)
            base = self._next_base()
            self._write_base_now(base)
            self._manifest.base = replace(base, size=self._size(base))
            remove_mark(self._disk, settings.folder, settings.filename)
        if not self._manifest.increments:
            self._manifest.increments.append(self._new_increment(self._manifest))
        try:
            self._sync_increments()
        except OSError:
            leave_mark(self._disk, settings.folder, settings.filename)
            raise
        marked = is_marked(self._disk, settings.folder, settings.filename)
        if not marked:
            self._note_sizes(self._manifest)
        self._put_in_place(self._manifest)
        self._remove_old(self._manifest)
        last = self._manifest.increments[-1]
        self._log.switch(AofWriter(self._disk, self._path(last), self._size(last), settings.timestamps))
        self._measure()
        if marked:
            self._log.distrust("an fsync had failed before the server was started")

    def _sync_increments(self) -> None:
        """What a server that was killed has written is on disk before anybody reads it."""
        for each in self._manifest.increments:
            file = self._disk.append(self._path(each))
            try:
                file.fsync()
            finally:
                file.close()

    def _note_sizes(self, manifest: Manifest) -> None:
        """Notes how long the files are that no longer grow, and are on disk: if one is cut, who reads it can tell."""
        manifest.increments[:-1] = [replace(each, size=self._size(each)) for each in manifest.increments[:-1]]

    def _measure(self) -> None:
        files = [*([self._manifest.base] if self._manifest.base else []), *self._manifest.increments[:-1]]
        self._old_size = sum(self._size(each) for each in files)
        self.base_size = self.current_size()

    def _make_folder(self) -> None:
        """The folder of the log is there, and its name is on disk, also where it was made just before a crash."""
        folder = self._settings.folder
        self._disk.make_folder(folder)
        self._disk.fsync_folder(os.path.dirname(folder))

    def _remove_leftovers(self) -> None:
        for name in self._disk.list(self._settings.folder):
            if name.startswith(TEMPORARY_PREFIX):
                self._disk.remove(os.path.join(self._settings.folder, name))

    def _new_increment(self, manifest: Manifest) -> LogFile:
        """Makes the next incremental file, empty and on disk."""
        increment = manifest.next_increment(self._settings.filename)
        file = self._disk.create(self._path(increment))
        file.fsync()
        file.close()
        self._disk.fsync_folder(self._settings.folder)
        return increment

    def _next_base(self) -> LogFile:
        """The base of this moment."""
        settings = self._settings
        now = int(time.time() * 1000)
        base = self._manifest.next_base(settings.filename, settings.rdb_preamble, self._base_seq, now)
        self._base_seq = base.seq
        return base

    def _put_in_place(self, manifest: Manifest) -> None:
        """Stores a manifest, in which history that is not to be kept is marked."""
        self._expire_history(manifest)
        settings = self._settings
        store_manifest(self._disk, settings.folder, settings.filename, manifest)

    def _expire_history(self, manifest: Manifest) -> bool:
        """Marks history in a manifest that is not to be kept by now; whether there was any."""
        settings = self._settings
        now = int(time.time() * 1000)
        return expire_history(manifest, self._size_if_there, now, settings.history_max_age, settings.history_max_size)

    def _remove_old(self, manifest: Manifest) -> None:
        """Removes what a manifest that is in place no longer needs; that it is still there does no harm."""
        settings = self._settings
        try:
            for path in list(self._abandoned):
                if self._disk.exists(path):
                    self._disk.remove(path)
                self._abandoned.remove(path)
            remove_history(self._disk, settings.folder, settings.filename, manifest)
        except OSError as error:
            log.warning("Cannot remove files that are no part of the append only file any more: %s", error)

    def _base_serializer(self) -> Serializer:
        return self._serializer() if self._settings.rdb_preamble else StretchedCommands(int(time.time() * 1000))

    def _begin_snapshot(self, at_once: bool) -> Snapshot:
        fields = auxiliary_fields(self._keyspace, aof_base=True)
        return Snapshot(self._keyspace, self._base_serializer(), fields, at_once)

    def _write_base_now(self, base: LogFile) -> None:
        temporary = self._temporary(base)
        snapshot = self._begin_snapshot(at_once=True)
        try:
            write_file_now(snapshot, self._disk, temporary)
        finally:
            snapshot.close()
        publish(self._disk, temporary, self._path(base))

    # History

    async def _prune(self) -> None:
        """Removes history that is too old, or too much by now."""
        async with self._changing:
            manifest = self._manifest.copy()
            try:
                await trio.to_thread.run_sync(self._prune_in, manifest)
                self._manifest = manifest
            except OSError as error:
                log.warning("Cannot remove history of the append only file: %s", error)

    def _prune_in(self, manifest: Manifest) -> None:
        settings = self._settings
        if self._expire_history(manifest):
            store_manifest(self._disk, settings.folder, settings.filename, manifest)
        remove_history(self._disk, settings.folder, settings.filename, manifest)

    def _look_at_history(self) -> None:
        now = time.monotonic()
        if self._manifest.history and self.complete and now - self._history_looked_at >= HISTORY_INTERVAL:
            assert self._nursery is not None
            self._history_looked_at = now
            self._nursery.start_soon(self._prune)

    # Rewriting

    def start(self) -> None:
        """Begins a rewrite in the background."""
        assert self._nursery is not None
        assert not self._log.rewriting
        self.scheduled = False
        self._log.rewriting = True
        self.started = time.monotonic()
        log.info("Background append only file rewriting started")
        self._scope = trio.CancelScope()
        self._nursery.start_soon(self._run, self._scope)

    def cancel(self) -> None:
        """Ends a rewrite without a result."""
        if self._scope is not None:
            self._scope.cancel()
        if self.snapshot is not None:
            self.snapshot.close()

    def consider(self) -> None:
        """Starts a rewrite that was put off, that the log's growth asks for, or that has to mend the log."""
        if self._log.rewriting or not self._may_start() or not (self.on or self.scheduled):
            return
        if self.on:
            self._look_at_history()
        settings = self._settings
        grown = (
            settings.rewrite_percentage > 0
            and self.current_size() > settings.rewrite_min_size
            and self.current_size() * 100 >= self.base_size * (100 + settings.rewrite_percentage)
        )
        broken = (
            not self.complete
            or not self._log.trusted
            or (self._log.writer is not None and not self._log.writer.trusted)
        )
        waiting = self.failures > 0 and time.monotonic() - self._failed_at < RETRY_DELAY
        if self.scheduled or (broken and time.monotonic() - self._failed_at >= MEND_DELAY) or (grown and not waiting):
            if grown:
                log.info("Starting automatic rewriting of AOF: it has grown to %d bytes", self.current_size())
            self.start()

    async def _run(self, scope: trio.CancelScope) -> None:
        switched = False
        settings = self._settings
        try:
            with scope:
                async with self._changing:
                    manifest = await trio.to_thread.run_sync(self._prepare)
                    await self._until_sealed()
                    # From here to the next await nobody else runs: the log holds every effect so far in its old
                    # file, and the snapshot and the new file begin at the same moment.
                    self._manifest = manifest
                    kept: list[LogFile] = []
                    if self.on:
                        kept = manifest.increments[-1:]
                        writer = AofWriter(self._disk, self._path(kept[0]), 0, settings.timestamps)
                        self._old_size = self.current_size()
                        self._log.switch(writer)
                        switched = True
                    self.snapshot = self._begin_snapshot(at_once=False)
                    base = self._next_base()
                    if switched and self.complete:
                        await self._seal()
                    manifest = self._manifest.copy()
                    # A log that was turned off does not tell all that was up to now.
                    manifest.renew(base, kept, base.since if self.on and self.complete else 0)
                    manifest.base = replace(base, size=await self._write_base(base))
                    self._abandoned.append(self._path(base))
                    await trio.to_thread.run_sync(self._put_in_place, manifest)
                    self._abandoned.pop()
                    self._manifest = manifest
                    self._succeeded(switched)
                    switched = False
                    await trio.to_thread.run_sync(self._remove_old, manifest)
        except (OSError, AofError) as error:
            self.last_ok = False
            self.failures += 1
            self._failed_at = time.monotonic()
            log.error("Background AOF rewrite failed: %s", error)
            if not self.complete:
                # What is written meanwhile is in no log that a start would read.
                self._log.distrust(f"its first base could not be written: {error}")
        finally:
            if self.snapshot is not None:
                self.snapshot.close()
                self.snapshot = None
            if switched:
                self._log.rewrite_failed()
            self._log.rewriting = False
            self._scope = None

    def _prepare(self) -> Manifest:
        """The first step, in a thread: the manifest to begin with, in which there is a new incremental file.

        Without a log, a rewrite makes a base all the same, and no incremental file follows it.
        """
        if not self.on:
            return self._found()
        if not self._log.trusted:
            # It may have been removed, with all that was in it.
            self._make_folder()
        manifest = self._manifest.copy()
        manifest.increments.append(self._new_increment(manifest))
        if self.complete:
            store_manifest(self._disk, self._settings.folder, self._settings.filename, manifest)
        return manifest

    async def _until_sealed(self) -> None:
        while self._log.sealing:
            await trio.sleep(SEALING_LOOK)

    async def _seal(self) -> None:
        """Has the manifest tell how long the file is that the log has left, when that is on disk."""
        await self._until_sealed()
        if self._log.reliable():
            manifest = self._manifest.copy()
            await trio.to_thread.run_sync(self._store_with_sizes, manifest)
            self._manifest = manifest

    def _store_with_sizes(self, manifest: Manifest) -> None:
        self._note_sizes(manifest)
        store_manifest(self._disk, self._settings.folder, self._settings.filename, manifest)

    async def _write_base(self, base: LogFile) -> int:
        """Puts a base in place; returns its size."""
        assert self.snapshot is not None
        temporary = self._temporary(base)
        await write_file(self.snapshot, self._disk, temporary, self._cpu_percent, self._settings.incremental_fsync)
        await trio.to_thread.run_sync(publish, self._disk, temporary, self._path(base))
        return await trio.to_thread.run_sync(self._size, base)

    def _succeeded(self, switched: bool) -> None:
        self.complete = True
        self.rewrites += 1
        self.last_ok = True
        self.failures = 0
        self.last_seconds = int(time.monotonic() - self.started)
        if switched:
            self._log.rewritten()
            if self._log.trusted:
                remove_mark(self._disk, self._settings.folder, self._settings.filename)
        self._measure()
        log.info("Background AOF rewrite finished successfully")

    # CONFIG SET appendonly

    def turn_on(self) -> None:
        """Begins a log of the present keyspace, in the background: it is complete when its first base is.

        Raises OSError and AofError; then there is none.
        """
        # What an earlier log left goes when the new one is complete, and not before.
        self._manifest = self._found()
        self.on = True
        self.complete = False
        self.start()

    def _found(self) -> Manifest:
        """What an earlier log left.  Raises OSError and AofError."""
        settings = self._settings
        self._make_folder()
        path = manifest_path(settings.folder, settings.filename)
        if not self._disk.exists(path):
            demand_no_log(self._disk, settings.folder, settings.filename)
            return Manifest()
        manifest = parse_manifest(path, self._disk.read_whole(path))
        self._base_seq = max(self._base_seq, manifest.base.seq if manifest.base else 0)
        return manifest

    def turn_off(self) -> None:
        """Ends the log; what was appended is on disk first."""
        self.cancel()
        self._log.flush_now()
        self._log.switch(None)
        self.on = False
        self.complete = True
