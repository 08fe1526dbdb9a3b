"""A disk that does what real ones do, as a seed has it.

What is written is seen at once, and is on disk for sure when a later fsync says so; a name is, when its folder was
fsynced, and a new folder is a name in the one above it.  What is not sure may be on disk or not, and in another order:
``after_power_failure`` draws it.  An fsync makes sure what was written before it began.  A failed one loses what it
could not write, and later ones say that all is well.  What is sure stays: a sector that is on disk is not damaged by
writing the next one.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from durastore.persistence.disk import Disk, File, Lock, Source
from support.disks import DataSource, Inode, MemoryLock, inode_of
from support.simulation import world

SECTOR = 512
PAGE = 4096

# What a power failure leaves of what is not sure: nothing; all (the process was killed, and the system goes on); of
# each file and each folder a beginning of what was done to it, up to any byte or sector; any sectors, each file's and
# each folder's in any order.
Outcome = Literal["nothing", "everything", "beginnings", "anything"]


def outcomes(draws: int) -> list[Outcome]:
    """What is tried in a crash: the last two are drawn so many times."""
    return ["nothing", "everything", *(["beginnings", "anything"] * draws)]


@dataclass(eq=False)
class Step:
    """Something done to a file: data put at an offset, or (None) the file cut there."""

    offset: int
    data: bytes | None

    def apply(self, content: bytearray) -> None:
        if self.data is None:
            del content[self.offset :]
        else:
            content[self.offset : self.offset + len(self.data)] = self.data

    def begun(self, chance: random.Random) -> Step:
        """A beginning of it, up to a byte or to a sector."""
        if self.data is None:
            return self
        end = chance.randint(0, len(self.data))
        if chance.random() < 0.5:
            end = max((self.offset + end) // SECTOR * SECTOR - self.offset, 0)
        return Step(self.offset, self.data[:end])

    def sectors(self) -> list[Step]:
        """The same, sector by sector."""
        if self.data is None:
            return [self]
        begin, end = self.offset, self.offset + len(self.data)
        bounds = [begin, *range(begin // SECTOR * SECTOR + SECTOR, end, SECTOR), end]
        return [Step(at, self.data[at - begin : to - begin]) for at, to in itertools.pairwise(bounds)]


class SimulatedInode(Inode):
    """A file, of which a power failure leaves what chance has it; ``steps`` are not sure yet."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(data)
        self.steps: list[Step] = []

    def write(self, data: bytes) -> None:
        """Adds to the end."""
        self.steps.append(Step(len(self.data), data))
        self.data += data

    def cut(self, size: int) -> None:
        self.steps.append(Step(size, None))
        super().cut(size)

    def empty(self) -> None:
        self.cut(0)

    def settle(self, steps: list[Step]) -> None:
        """These steps are sure."""
        content = bytearray(self.synced)
        while self.steps and self.steps[0] in steps:
            self.steps.pop(0).apply(content)
        self.synced = bytes(content)

    def lose_data(self, steps: list[Step]) -> None:
        """What these steps wrote will never be on disk, though the size of the file may."""
        for i, step in enumerate(self.steps):
            if step.data and step in steps:
                self.steps[i] = Step(step.offset, bytes(len(step.data)))
                self.lost.append((step.offset, step.offset + len(step.data)))

    def left(self, outcome: Outcome, chance: random.Random) -> bytes:
        """What is in the file when the machine starts again."""
        if outcome == "everything":
            return bytes(self.data)
        if outcome == "nothing" or not self.steps:
            return self.synced
        content = bytearray(self.synced)
        if outcome == "beginnings":
            self._begin(content, chance)
        else:
            self._scatter(content, chance)
        return bytes(content)

    def _begin(self, content: bytearray, chance: random.Random) -> None:
        done = chance.randint(0, len(self.steps))
        for step in self.steps[:done]:
            step.apply(content)
        for step in self.steps[done : done + 1]:
            step.begun(chance).apply(content)
        # The size may be on disk where the data is not.
        size = len(content)
        content += bytes(chance.choice([0, 0, max(len(self.data) - size, 0), -size % PAGE]))

    def _scatter(self, content: bytearray, chance: random.Random) -> None:
        share = chance.choice([0.2, 0.5, 0.9])
        for step in self.steps:
            for sector in step.sectors():
                if chance.random() < share:
                    gap = max(sector.offset - len(content), 0) if sector.data else 0
                    content += chance.choice([bytes(gap), chance.randbytes(gap)])
                    sector.apply(content)
        if chance.random() < 0.3:
            missing = max(len(self.data) - len(content), 0)
            content += chance.choice([bytes(missing), chance.randbytes(missing)])
        elif all(step.data is not None for step in self.steps):
            del content[chance.randint(len(self.synced), len(content)) :]


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


# What a folder is the name of.
FOLDER = SimulatedInode()


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

    def strike(self, operation: str, path: str, now: float) -> OSError | None:
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
        self.calls = 0
        self.before: Callable[[str, str], None] = lambda operation, path: None
        self.fsync_begins: Callable[[str], object] = lambda path: None
        self.fsync_ended: Callable[[str, object], None] = lambda path, mark: None
        self.skip_folder_fsync = False
        self.skip_fsync_of = ""

    def holding(self, contents: dict[str, bytes]) -> SimulatedDisk:
        """This disk, with these files for sure on it."""
        self.names = {path: SimulatedInode(data) for path, data in contents.items()}
        self.names |= {os.path.dirname(path): FOLDER for path in contents if os.path.dirname(path) != "/"}
        self.sure = dict(self.names)
        return self

    def twin(self) -> SimulatedDisk:
        """The same again, for another server: the process was killed, and nothing more is sure for that."""
        twins: dict[int, SimulatedInode] = {id(FOLDER): FOLDER}

        def of(inode: SimulatedInode) -> SimulatedInode:
            if id(inode) not in twins:
                made = twins[id(inode)] = SimulatedInode(bytes(inode.data))
                made.synced = inode.synced
                made.lost = list(inode.lost)
                made.steps = list(inode.steps)
            return twins[id(inode)]

        seed = self.calls
        twin = SimulatedDisk(random.Random(seed), Faults(random.Random(seed)), self.now)
        twin.names = {path: of(inode) for path, inode in self.names.items()}
        twin.sure = {path: of(inode) for path, inode in self.sure.items()}
        twin.changes = [
            NameChange(change.new, None if change.inode is None else of(change.inode), change.old)
            for change in self.changes
        ]
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
            folders = {os.path.dirname(change.new) for change in self.changes}
            for folder in sorted(folders):
                changes = [change for change in self.changes if os.path.dirname(change.new) == folder]
                for change in changes[: chance.randint(0, len(changes))]:
                    change.apply(names)
        elif outcome == "anything":
            for change in self.changes:
                if chance.random() < 0.5:
                    change.apply(names)
        return {
            path: inode.left(outcome, chance)
            for path, inode in names.items()
            if inode is not FOLDER and (os.path.dirname(path) == "/" or os.path.dirname(path) in names)
        }

    def call(self, operation: str, path: str) -> OSError | None:
        """A call begins, takes its time, and is about to take effect, or to fail with this error."""
        self.calls += 1
        world.pause(self.faults.delay(operation))
        self.before(operation, path)
        return self.faults.strike(operation, path, self.now())

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
        return path == "/" or path in self.names

    def list(self, folder: str) -> list[str]:
        self._do("list", folder)
        return sorted(os.path.basename(path) for path in self.names if os.path.dirname(path) == folder)

    def make_folder(self, folder: str) -> None:
        if not self.exists(folder):
            self._do("make_folder", folder)
            self._change(NameChange(folder, FOLDER))

    def remove_folder(self, folder: str) -> None:
        self.remove(folder)

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
        begun = list(self.changes)
        self._do("fsync_folder", folder)
        for change in begun:
            if change in self.changes and os.path.dirname(change.new) == folder:
                change.apply(self.sure)
                self.changes.remove(change)

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
        self._inode.write(data[:taken])
        if error is not None:
            raise error
        return taken

    def fsync(self) -> None:
        assert self._open
        disk, inode = self._disk, self._inode
        if disk.skip_fsync_of and disk.skip_fsync_of in self._path:
            return
        mark = disk.fsync_begins(self._path)
        begun = list(inode.steps)
        error = disk.call("fsync", self._path)
        if error is not None:
            inode.lose_data(begun)
            raise error
        inode.settle(begun)
        disk.fsync_ended(self._path, mark)

    def truncate(self, size: int) -> None:
        assert self._open
        self._disk._do("truncate", self._path)
        self._inode.cut(size)

    def close(self) -> None:
        self._open = False
