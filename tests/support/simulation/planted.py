"""Bugs that are planted on purpose: the simulation is to find each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pytest

from durastore.engine.journal import JournalSink
from durastore.persistence import saver
from durastore.persistence.aof import rewrite
from durastore.persistence.aof.manifest import Manifest
from durastore.persistence.disk import Disk
from support.simulation.disk import SimulatedFile
from support.simulation.machine import Machine
from support.simulation.play import Plant


class Hasty(JournalSink):
    """A log on which no reply waits."""

    def __init__(self, log: JournalSink) -> None:
        super().__init__()
        self._log = log

    def append(self, data: bytes, now: int) -> bool:
        return self._log.append(data, now)

    def appended(self) -> int:
        return self._log.appended()

    def durable_offset(self) -> int:
        return self._log.durable_offset()

    def wait_for_disk(self) -> bool:
        return False

    def gathers(self) -> bool:
        return self._log.gathers()

    def gathered(self) -> None:
        self._log.gathered()


def skip_folder_fsync(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """The names of new files are never made sure."""
    machine.disk.skip_folder_fsync = True


def skip_base_fsync(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """A new base gets its name before its content is sure."""
    machine.disk.skip_fsync_of = ".base."


def skip_manifest_fsync(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """A manifest gets its name before its content is sure."""
    machine.disk.skip_fsync_of = ".manifest"


def acknowledge_early(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """With ``appendfsync always``, replies leave before the fsync."""
    machine.server.hub.log = Hasty(machine.server.log)


def manifest_first(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """A rewrite names its base in the manifest before it renames it."""
    store, publish = rewrite.store_manifest, rewrite.publish
    late: list[Callable[[], None]] = []

    def store_and_publish(*arguments: Any) -> None:
        store(*arguments)
        while late:
            late.pop()()

    patch.setattr(rewrite, "publish", lambda *arguments: late.append(lambda: publish(*arguments)))
    patch.setattr(rewrite, "store_manifest", store_and_publish)


def trust_after_failed_fsync(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """What an fsync could not write is taken for written when the next one succeeds."""
    log: Any = machine.server.log
    thread: Any = log.thread
    finished, run_here = thread.finished, thread.run_here

    def forgiving() -> Any:
        job = finished()
        if job is not None:
            job.error = None
        return job

    def forgiving_here(job: Any) -> None:
        run_here(job)
        job.error = None

    thread.finished = forgiving
    thread.run_here = forgiving_here


def forget_the_mark(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """A server that is started again does not know that an fsync had failed."""
    patch.setattr(rewrite, "is_marked", lambda disk, folder, prefix: False)


def retry_after_failed_fsync(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """A failed fsync refuses writes until the file can be written again, and not until there is a new base."""
    log = machine.server.log
    failed = log._on_failure

    def forget() -> None:
        failed()
        log.trusted = True
        log._pages_lost = False

    log._on_failure = forget


def remove_before_manifest(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """A rewrite removes the old files before the manifest without them is in place."""
    store = rewrite.store_manifest

    def remove_and_store(disk: Disk, folder: str, prefix: str, manifest: Manifest) -> None:
        for each in manifest.history:
            if disk.exists(f"{folder}/{each.name}"):
                disk.remove(f"{folder}/{each.name}")
        store(disk, folder, prefix, manifest)

    patch.setattr(rewrite, "store_manifest", remove_and_store)


def skip_snapshot_folder_fsync(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """A snapshot counts as taken before its name is sure."""
    patch.setattr(saver, "publish", lambda disk, temporary, path: disk.rename(temporary, path))


def ignore_short_writes(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """Who writes takes it for granted that all of it was taken."""

    def write_once(self: SimulatedFile, data: bytes) -> None:
        self.write(data)

    patch.setattr(SimulatedFile, "write_all", write_once)


def skip_fsync_at_start(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """What a server that was killed has written is shown before it is sure."""
    patch.setattr(rewrite.Rewriter, "_sync_increments", lambda self: None)


class Bug(NamedTuple):
    """``seed`` is that of a life that finds it soon."""

    plant: Plant
    seed: int


BUGS: Final[dict[str, Bug]] = {
    "skip-folder-fsync": Bug(skip_folder_fsync, 3),
    "skip-base-fsync": Bug(skip_base_fsync, 3),
    "skip-manifest-fsync": Bug(skip_manifest_fsync, 3),
    "acknowledge-early": Bug(acknowledge_early, 3),
    "manifest-first": Bug(manifest_first, 2),
    "trust-after-failed-fsync": Bug(trust_after_failed_fsync, 6),
    "forget-the-mark": Bug(forget_the_mark, 2),
    "retry-after-failed-fsync": Bug(retry_after_failed_fsync, 3),
    "remove-before-manifest": Bug(remove_before_manifest, 3),
    "skip-snapshot-folder-fsync": Bug(skip_snapshot_folder_fsync, 4),
    "ignore-short-writes": Bug(ignore_short_writes, 3),
    "skip-fsync-at-start": Bug(skip_fsync_at_start, 5),
}
