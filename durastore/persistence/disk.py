"""All file access of persistence, behind one small interface, so that tests can put a faulty disk in its place.

Errors are OSErrors.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from abc import ABC, abstractmethod

from mypy_extensions import mypyc_attr

# What a server locks in its data folder.
LOCK_NAME = "durastore.lock"
# What the names of files begin with that are not whole yet, and are of no use after a crash.
TEMPORARY_PREFIX = "temp-"
# So much is copied at a time.
_PIECE = 1 << 20


@mypyc_attr(allow_interpreted_subclasses=True)
class File(ABC):
    """An open file that grows at its end."""

    @abstractmethod
    def write(self, data: bytes) -> int:
        """Writes at the end; returns how many bytes were taken, which may be fewer."""

    @abstractmethod
    def fsync(self) -> None:
        """Returns when all that was written is on disk."""

    def descriptor(self) -> int:
        """A descriptor whose ``fdatasync`` does what ``fsync`` does, or -1."""
        return -1

    def in_place(self) -> bool:
        """Whether its path still leads to it: it was neither removed nor renamed, nor was another put there."""
        return True

    @abstractmethod
    def truncate(self, size: int) -> None:
        """Cuts the file to a size."""

    @abstractmethod
    def close(self) -> None:
        """Ends the use of the file."""

    def write_all(self, data: bytes) -> None:
        """Writes everything, however many calls it takes."""
        written = self.write(data)
        while written < len(data):
            written += self.write(data[written:])


@mypyc_attr(allow_interpreted_subclasses=True)
class Source(ABC):
    """A file that is read from its beginning."""

    size: int

    @abstractmethod
    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""

    @abstractmethod
    def zeros_at_end(self) -> int:
        """How many zero bytes the file ends in."""

    @abstractmethod
    def close(self) -> None:
        """Ends the use of the file."""


def copy_from(source: Source, offset: int, file: File) -> int:
    """Adds what stands in a source from an offset on to a file; returns how many bytes that were."""
    copied = 0
    while data := source.read(_PIECE):
        wanted = data[offset:]
        offset = max(offset - len(data), 0)
        file.write_all(wanted)
        copied += len(wanted)
    return copied


@mypyc_attr(allow_interpreted_subclasses=True)
class Lock(ABC):
    """An exclusive claim, until it is closed or the process ends."""

    @abstractmethod
    def close(self) -> None:
        """Gives the claim up."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Disk(ABC):
    """Files and folders by path."""

    @abstractmethod
    def create(self, path: str) -> File:
        """An empty file; one that is there is emptied."""

    @abstractmethod
    def append(self, path: str) -> File:
        """A file to add to; made where it is missing."""

    @abstractmethod
    def open(self, path: str) -> Source:
        """A file to read."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether there is a file or folder of this name."""

    @abstractmethod
    def list(self, folder: str) -> list[str]:
        """The names in a folder."""

    @abstractmethod
    def make_folder(self, folder: str) -> None:
        """Makes a folder where there is none."""

    @abstractmethod
    def rename(self, old: str, new: str) -> None:
        """Gives a file another name, replacing what had that name; or a folder a new name."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Removes a file."""

    @abstractmethod
    def remove_folder(self, folder: str) -> None:
        """Removes an empty folder."""

    @abstractmethod
    def fsync_folder(self, folder: str) -> None:
        """Returns when the names in a folder are on disk."""

    @abstractmethod
    def lock(self, path: str) -> Lock:
        """Claims a folder through a lock file; raises OSError naming the holder where it is claimed already."""

    def size(self, path: str) -> int:
        """The size of a file in bytes."""
        source = self.open(path)
        source.close()
        return source.size

    def free_name(self, wanted: str) -> str:
        """A path, or one with a number behind it, that nothing has yet."""
        path = wanted
        number = 1
        while self.exists(path):
            number += 1
            path = f"{wanted}-{number}"
        return path

    def ensure_folder(self, folder: str) -> None:
        """Makes a folder where there is none; its name is on disk then."""
        if not self.exists(folder):
            self.make_folder(folder)
            self.fsync_folder(os.path.dirname(folder))

    def cut(self, path: str, size: int) -> None:
        """Takes the end off a file, and returns when that is on disk."""
        file = self.append(path)
        try:
            file.truncate(size)
            file.fsync()
        finally:
            file.close()

    def read_whole(self, path: str) -> bytes:
        """The content of a small file."""
        source = self.open(path)
        try:
            parts = []
            while part := source.read(1 << 16):
                parts.append(part)
            return b"".join(parts)
        finally:
            source.close()

    def write_atomically(self, path: str, data: bytes) -> None:
        """Puts a new content in place of a file so that after a crash one of both is there, whole."""
        folder, name = os.path.split(path)
        temporary = os.path.join(folder, TEMPORARY_PREFIX + name)
        file = self.create(temporary)
        try:
            file.write_all(data)
            file.fsync()
        finally:
            file.close()
        self.rename(temporary, path)
        self.fsync_folder(folder)


class _RealFile(File):
    def __init__(self, path: str, flags: int) -> None:
        self._path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND | flags, 0o644)

    def write(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def fsync(self) -> None:
        os.fdatasync(self._fd)

    def descriptor(self) -> int:
        return self._fd

    def in_place(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _RealSource(Source):
    def __init__(self, path: str) -> None:
        # Whoever opens a pipe waits for its other end, if not told otherwise.
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        facts = os.fstat(self._fd)
        if not stat.S_ISREG(facts.st_mode):
            os.close(self._fd)
            number = errno.EISDIR if stat.S_ISDIR(facts.st_mode) else errno.EINVAL
            raise OSError(number, "It is no regular file", path)
        self.size = facts.st_size

    def read(self, size: int, /) -> bytes:
        return os.read(self._fd, size)

    def zeros_at_end(self) -> int:
        end = self.size
        while end:
            start = max(end - (1 << 16), 0)
            good = len(os.pread(self._fd, end - start, start).rstrip(b"\0"))
            if good:
                return self.size - start - good
            end = start
        return self.size

    def close(self) -> None:
        os.close(self._fd)


class _RealLock(Lock):
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def close(self) -> None:
        os.close(self._fd)


@mypyc_attr(allow_interpreted_subclasses=True)
class RealDisk(Disk):
    """The file system."""

    def create(self, path: str) -> File:
        """See Disk."""
        return _RealFile(path, os.O_TRUNC)

    def append(self, path: str) -> File:
        """See Disk."""
        return _RealFile(path, 0)

    def open(self, path: str) -> Source:
        """See Disk."""
        return _RealSource(path)

    def exists(self, path: str) -> bool:
        """See Disk."""
        return os.path.exists(path)

    def list(self, folder: str) -> list[str]:
        """See Disk."""
        return sorted(os.listdir(folder))

    def make_folder(self, folder: str) -> None:
        """See Disk."""
        os.makedirs(folder, exist_ok=True)

    def rename(self, old: str, new: str) -> None:
        """See Disk."""
        os.replace(old, new)

    def remove(self, path: str) -> None:
        """See Disk."""
        os.unlink(path)

    def remove_folder(self, folder: str) -> None:
        """See Disk."""
        os.rmdir(folder)

    def fsync_folder(self, folder: str) -> None:
        """See Disk."""
        fd = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def lock(self, path: str) -> Lock:
        """See Disk.  The file stays behind: removing it would let two later claims miss each other."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise OSError(
                f"The data folder {os.path.dirname(path)} is in use by another server (pid {holder}, lock {path})."
            ) from None
        except OSError:
            os.close(fd)
            raise
        os.ftruncate(fd, 0)
        os.write(fd, b"%d\n" % os.getpid())
        return _RealLock(fd)
