"""A disk that does what real ones do, as a seed has it.

What is written is seen at once, and is on disk for sure when a later fsync says so; a name is, when its folder was
fsynced.  What is not sure may be on disk or not: ``after_power_failure`` chooses.  An fsync makes sure what was written
before it began.  A failed one loses what it could not write, and later ones say that all is well.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from typing import Literal

from durastore.persistence.disk import Disk, File, Lock, Source
from support.disks import DataSource, Inode, MemoryLock, inode_of
from support.simulation import world

SECTOR = 512
PAGE = 4096

# What a power failure leaves of what is not sure: nothing; all (the process was killed, and the system goes on); of
# each file and each folder a beginning; any sectors, and any of the changes of a folder.
Outcome = Literal["nothing", "everything", "beginnings", "anything"]
OUTCOMES: tuple[Outcome, ...] = ("nothing", "everything", "beginnings", "anything")


class SimulatedInode(Inode):
    """A file, of which a power failure leaves what chance has it."""

    def left(self, outcome: Outcome, chance: random.Random) -> bytes:
        """What is in the file when the machine starts again."""
        if outcome == "everything":
            return bytes(self.data)
        full = self.on_disk()
        if outcome == "nothing" or full == self.synced:
            return self.synced
        if not full.startswith(self.synced):
            # It was cut: done or not.
            return chance.choice([self.synced, full])
        sure = len(self.synced)
        size = chance.randint(sure, len(full))
        if chance.random() < 0.5:
            size = max(min(size // SECTOR * SECTOR, len(full)), sure)
        if outcome == "beginnings":
            # The size may be on disk where the data is not.
            grown = chance.choice([0, 0, len(full) - size, -size % PAGE])
            return full[:size] + bytes(grown)
        left = bytearray(full[:size])
        for start in range(sure - sure % SECTOR, size, SECTOR):
            if chance.random() < 0.3:
                begin, end = max(start, sure), min(start + SECTOR, size)
                left[begin:end] = chance.choice([bytes(end - begin), chance.randbytes(end - begin)])
        return bytes(left)


class NameChange:
    """A change of one folder: ``new`` becomes the name of an inode, or goes (None); ``old`` goes with it."""

    def __init__(self, new: str, inode: SimulatedInode | None, old: str = "") -> None:
        self.new = new
        self.inode = inode
        self.old = old

    def apply(self, names: dict[str, SimulatedInode]) -> None:
        if self.inode is None:
            names.pop(self.new, None)
        else:
            names[self.new] = self.inode
        if self.old:
            names.pop(self.old, None)


class Faults:
    """What goes wrong, and when (virtual seconds): a rate for each stretch of time."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.stretches: list[tuple[float, float, float, bool]] = []
        self.injected: dict[str, int] = {}
        self.over = False

    def plan(self, seconds: float) -> None:
        """Chooses how bad the disk is."""
        chance = self._chance
        for _ in range(chance.choice([0, 0, 1, 1, 2, 3])):
            begin = chance.random() * seconds
            rate = chance.choice([0.02, 0.1, 0.5, 1.0])
            self.stretches.append((begin, begin + chance.choice([0.05, 0.5, 2.0]), rate, chance.random() < 0.4))

    def strike(self, operation: str, now: float) -> OSError | None:
        """The error with which a call fails."""
        if self.over:
            return None
        for begin, end, rate, full in self.stretches:
            if begin <= now < end:
                # A disk that is full takes no new data, and does everything else.
                if full and operation not in ("write", "create"):
                    continue
                if self._chance.random() < rate:
                    code = errno.ENOSPC if full else errno.EIO
                    name = f"{operation} {errno.errorcode[code]}"
                    self.injected[name] = self.injected.get(name, 0) + 1
                    return OSError(code, os.strerror(code))
        return None

    def delay(self, operation: str) -> float:
        """How long a call takes, in virtual seconds."""
        chance = self._chance
        if operation != "fsync":
            return chance.random() * 0.002
        return chance.choice([0.0001, 0.001, 0.004, 0.02, 0.02, 0.2]) if chance.random() < 0.97 else 1.5


class SimulatedDisk(Disk):
    """``now`` is the virtual time; ``before`` is told of every call before it takes effect, ``after_fsync`` of success.

    The flags are for bugs that are planted.
    """

    def __init__(self, chance: random.Random, faults: Faults, now: Callable[[], float] = lambda: 0.0) -> None:
        self.chance = chance
        self.faults = faults
        self.now = now
        self.names: dict[str, SimulatedInode] = {}
        self.sure: dict[str, SimulatedInode] = {}
        self.changes: list[NameChange] = []
        self.folders: set[str] = {"/"}
        self.calls = 0
        self.before: Callable[[str, str], None] = lambda operation, path: None
        self.fsync_begins: Callable[[str], object] = lambda path: None
        self.fsync_ended: Callable[[str, object], None] = lambda path, mark: None
        self.skip_folder_fsync = False
        self.skip_fsync_of = ""

    def holding(self, contents: dict[str, bytes]) -> SimulatedDisk:
        """This disk, with these files for sure on it."""
        self.names = {path: SimulatedInode(data) for path, data in contents.items()}
        self.sure = dict(self.names)
        self.folders |= {os.path.dirname(path) for path in contents}
        return self

    def twin(self) -> SimulatedDisk:
        """The same again, for another server: the process was killed, and nothing more is sure for that."""
        twins: dict[int, SimulatedInode] = {}

        def of(inode: SimulatedInode) -> SimulatedInode:
            if id(inode) not in twins:
                made = twins[id(inode)] = SimulatedInode(bytes(inode.data))
                made.synced = inode.synced
                made.lost = list(inode.lost)
            return twins[id(inode)]

        seed = self.calls
        twin = SimulatedDisk(random.Random(seed), Faults(random.Random(seed)), self.now)
        twin.names = {path: of(inode) for path, inode in self.names.items()}
        twin.sure = {path: of(inode) for path, inode in self.sure.items()}
        twin.changes = [
            NameChange(change.new, None if change.inode is None else of(change.inode), change.old)
            for change in self.changes
        ]
        twin.folders = set(self.folders)
        return twin

    def has_lost(self) -> bool:
        """Whether a failed fsync has lost a stretch of a file that is there."""
        return any(inode.lost for inode in [*self.names.values(), *self.sure.values()])

    def after_power_failure(self, outcome: Outcome, chance: random.Random) -> dict[str, bytes]:
        """The files of the machine that starts again."""
        names = dict(self.sure)
        if outcome == "everything":
            names = self.names
        elif outcome == "beginnings":
            for change in self.changes[: chance.randint(0, len(self.changes))]:
                change.apply(names)
        elif outcome == "anything":
            for change in self.changes:
                if chance.random() < 0.5:
                    change.apply(names)
        return {path: inode.left(outcome, chance) for path, inode in names.items()}

    def call(self, operation: str, path: str) -> OSError | None:
        """A call begins, takes its time, and is about to take effect, or to fail with this error."""
        self.calls += 1
        world.pause(self.faults.delay(operation))
        self.before(operation, path)
        return self.faults.strike(operation, self.now())

    def _do(self, operation: str, path: str) -> None:
        error = self.call(operation, path)
        if error is not None:
            raise error

    def _change(self, change: NameChange) -> None:
        change.apply(self.names)
        self.changes.append(change)

    def create(self, path: str) -> File:
        self._do("create", path)
        inode = self.names.get(path)
        if inode is None:
            inode = SimulatedInode()
            self._change(NameChange(path, inode))
        else:
            inode.empty()
        return SimulatedFile(self, path, inode)

    def append(self, path: str) -> File:
        self._do("append", path)
        if path not in self.names:
            self._change(NameChange(path, SimulatedInode()))
        return SimulatedFile(self, path, self.names[path])

    def open(self, path: str) -> Source:
        self._do("open", path)
        return DataSource(bytes(inode_of(self.names, path).data))

    def exists(self, path: str) -> bool:
        return path in self.names or path in self.folders

    def list(self, folder: str) -> list[str]:
        self._do("list", folder)
        return sorted(os.path.basename(path) for path in self.names if os.path.dirname(path) == folder)

    def make_folder(self, folder: str) -> None:
        # That a folder itself is lost is left out: nothing but an empty log can be in one that was not fsynced.
        self.folders.add(folder)

    def remove_folder(self, folder: str) -> None:
        self.folders.discard(folder)

    def rename(self, old: str, new: str) -> None:
        self._do("rename", new)
        self._change(NameChange(new, inode_of(self.names, old), old))

    def remove(self, path: str) -> None:
        self._do("remove", path)
        inode_of(self.names, path)
        self._change(NameChange(path, None))

    def fsync_folder(self, folder: str) -> None:
        if self.skip_folder_fsync:
            return
        settled = len(self.changes)
        self._do("fsync_folder", folder)
        left = []
        for i, change in enumerate(self.changes):
            if i < settled and os.path.dirname(change.new) == folder:
                change.apply(self.sure)
            else:
                left.append(change)
        self.changes = left

    def lock(self, path: str) -> Lock:
        return MemoryLock()


class SimulatedFile(File):
    def __init__(self, disk: SimulatedDisk, path: str, inode: SimulatedInode) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode
        self._open = True

    def write(self, data: bytes) -> int:
        assert self._open
        disk = self._disk
        error = disk.call("write", self._path)
        taken = len(data)
        if error is not None or (taken > 1 and disk.chance.random() < 0.1):
            taken = disk.chance.randint(1 if error is None else 0, taken)
        self._inode.data += data[:taken]
        if error is not None:
            raise error
        return taken

    def fsync(self) -> None:
        assert self._open
        disk, inode = self._disk, self._inode
        if disk.skip_fsync_of and disk.skip_fsync_of in self._path:
            return
        mark = disk.fsync_begins(self._path)
        covered = inode.on_disk()
        error = disk.call("fsync", self._path)
        if error is not None:
            inode.lose(len(covered))
            raise error
        inode.synced = covered
        disk.fsync_ended(self._path, mark)

    def truncate(self, size: int) -> None:
        assert self._open
        self._disk._do("truncate", self._path)
        self._inode.cut(size)

    def close(self) -> None:
        self._open = False
