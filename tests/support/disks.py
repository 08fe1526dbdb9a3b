"""A disk in memory that fails when it is told to, and that tells what a power failure leaves.

Every call is counted, so that a test can have the first, the second ... the last one fail.  The model is the harshest
that POSIX allows: what is not fsynced is gone after a power failure, a name counts once its folder was fsynced (that of
a new folder as well), and what an fsync could not write is lost for good, though a later fsync says that all is well.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Mapping
from typing import Self, TypeVar

from durastore.persistence.disk import Disk, File, Lock, Source


class Inode:
    """A file: what reads see, and what is on disk."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.synced = bytes(data)
        # Stretches that a failed fsync has lost.
        self.lost: list[tuple[int, int]] = []

    def on_disk(self) -> bytes:
        """What would be on disk if all that can still be written were."""
        kept = bytearray(self.data)
        for start, end in self.lost:
            end = min(end, len(kept))
            if start < end:
                kept[start:end] = bytes(end - start)
        return bytes(kept)

    def sync(self) -> None:
        self.synced = self.on_disk()

    def lose(self, upto: int) -> None:
        """What was not on disk yet, up to there, is neither there now, nor will it be."""
        if upto > len(self.synced):
            self.lost.append((len(self.synced), upto))

    def cut(self, size: int) -> None:
        """Takes the end off."""
        del self.data[size:]
        self.lost = [(start, min(end, size)) for start, end in self.lost if start < size]

    def empty(self) -> None:
        """The same file, with nothing in it."""
        self.data = bytearray()
        self.lost = []


Held = TypeVar("Held", bound=Inode)


def inode_of(names: Mapping[str, Held], path: str) -> Held:
    """The file of this name.  Raises FileNotFoundError."""
    try:
        return names[path]
    except KeyError:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None


Fault = Callable[[str, str], OSError | None]


class MemoryDisk(Disk):
    """``fault(operation, path)`` is asked before each call, and gives the error with which it is to fail.

    A write that fails has taken half of its data before; ``calls`` are all calls so far.
    """

    def __init__(self) -> None:
        self.names: dict[str, Inode] = {}
        self.synced_names: dict[str, Inode] = {}
        self.folders: set[str] = {"/"}
        # Folders whose names are not on disk yet.
        self.new_folders: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.fault: Fault | None = None
        self.opened = 0
        self._lock = threading.Lock()

    def after_power_failure(self) -> MemoryDisk:
        """The disk of the machine that starts again: only what is known to be on disk is there."""
        names = self.synced_names.copy()
        for path in list(names):
            if os.path.dirname(path) in self.new_folders:
                del names[path]
        return self._again(names, lambda inode: inode.synced)

    def after_kill(self) -> MemoryDisk:
        """The disk after the process was killed: the system has everything that was written."""
        return self._again(self.names, lambda inode: bytes(inode.data))

    def after_luck(self) -> MemoryDisk:
        """The disk after a power failure that has left the newest names, and of each file what was synced."""
        return self._again(self.names, lambda inode: inode.synced)

    def killed(self) -> Self:
        """This disk as the next server finds it where the process was killed, with all that a cache hides."""
        disk = type(self)()
        disk.names, disk.synced_names, disk.folders = self.names, self.synced_names, self.folders
        return disk

    def _again(self, names: dict[str, Inode], content: Callable[[Inode], bytes]) -> MemoryDisk:
        disk = MemoryDisk()
        # Copies first: other threads go on meanwhile.
        disk.folders = self.folders.copy()
        disk.names = {path: Inode(content(inode)) for path, inode in names.copy().items()}
        disk.synced_names = dict(disk.names)
        return disk

    def check(self, operation: str, path: str) -> None:
        """Counts a call, and fails if it is to."""
        with self._lock:
            self.calls.append((operation, path))
        if self.fault is not None:
            error = self.fault(operation, path)
            if error is not None:
                raise error

    def create(self, path: str) -> File:
        self.check("create", path)
        inode = self.names.get(path)
        if inode is None:
            inode = self.names[path] = Inode()
        else:
            inode.empty()
        return MemoryFile(self, path, inode)

    def append(self, path: str) -> File:
        self.check("append", path)
        if path not in self.names:
            self.names[path] = Inode()
        return MemoryFile(self, path, self.names[path])

    def open(self, path: str) -> Source:
        self.check("open", path)
        return MemorySource(self, path, bytes(inode_of(self.names, path).data))

    def exists(self, path: str) -> bool:
        self.check("exists", path)
        return path in self.names or path in self.folders

    def list(self, folder: str) -> list[str]:
        self.check("list", folder)
        if folder in self.names:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
        paths = [*self.names, *self.folders]
        return sorted({os.path.basename(path) for path in paths if path != "/" and os.path.dirname(path) == folder})

    def make_folder(self, folder: str) -> None:
        self.check("make_folder", folder)
        if folder not in self.folders:
            self.folders.add(folder)
            self.new_folders.add(folder)

    def rename(self, old: str, new: str) -> None:
        self.check("rename", new)
        if old in self.folders:
            assert not any(path.startswith(new + "/") for path in self.names)
            self._rename_folder(old, new)
            return
        self.names[new] = inode_of(self.names, old)
        del self.names[old]

    def _rename_folder(self, old: str, new: str) -> None:
        # The names in it are on disk, or not, as before; that it has another name itself is taken for durable at once.
        self.folders = {new if path == old else path for path in self.folders}
        self.new_folders.discard(old)
        for names in (self.names, self.synced_names):
            for path in [path for path in names if os.path.dirname(path) == old]:
                names[os.path.join(new, os.path.basename(path))] = names.pop(path)

    def remove_folder(self, folder: str) -> None:
        self.check("remove_folder", folder)
        if self.list(folder):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), folder)
        self.folders.discard(folder)

    def remove(self, path: str) -> None:
        self.check("remove", path)
        inode_of(self.names, path)
        del self.names[path]

    def fsync_folder(self, folder: str) -> None:
        self.check("fsync_folder", folder)
        self.new_folders -= {each for each in self.new_folders if os.path.dirname(each) == folder}
        for path in [path for path in self.synced_names if os.path.dirname(path) == folder]:
            del self.synced_names[path]
        for path, inode in list(self.names.items()):
            if os.path.dirname(path) == folder:
                self.synced_names[path] = inode

    def lock(self, path: str) -> Lock:
        self.check("lock", path)
        return MemoryLock()


class MemoryLock(Lock):
    def close(self) -> None:
        pass


class MemoryFile(File):
    def __init__(self, disk: MemoryDisk, path: str, inode: Inode) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode
        self._open = True
        disk.opened += 1

    def write(self, data: bytes) -> int:
        assert self._open
        try:
            self._disk.check("write", self._path)
        except OSError:
            self._inode.data += data[: len(data) // 2]
            raise
        # Half of what is asked, where that is enough to notice who takes it for all.
        taken = len(data) if len(data) < 64 else len(data) // 2 + 1
        self._inode.data += data[:taken]
        return taken

    def fsync(self) -> None:
        assert self._open
        try:
            self._disk.check("fsync", self._path)
        except OSError:
            self._inode.lose(len(self._inode.data))
            raise
        self._inode.sync()

    def truncate(self, size: int) -> None:
        assert self._open
        self._disk.check("truncate", self._path)
        self._inode.cut(size)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._disk.opened -= 1


class DataSource(Source):
    """What a file held when it was opened."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self.size = len(data)

    def read(self, size: int, /) -> bytes:
        taken = self._data[self._pos : self._pos + size]
        self._pos += len(taken)
        return taken

    def zeros_at_end(self) -> int:
        return self.size - len(self._data.rstrip(b"\0"))

    def close(self) -> None:
        pass


class MemorySource(DataSource):
    def __init__(self, disk: MemoryDisk, path: str, data: bytes) -> None:
        super().__init__(data)
        self._disk = disk
        self._path = path
        disk.opened += 1

    def read(self, size: int, /) -> bytes:
        self._disk.check("read", self._path)
        return super().read(size)

    def close(self) -> None:
        self._disk.opened -= 1
