"""Where backups are kept: objects by name, each written as a whole.

A folder goes through the disk as all files do; every other URL goes through fsspec, if that is installed.
"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import unquote, urlsplit

from durastore.persistence.disk import TEMPORARY_PREFIX, Disk


class StoreError(Exception):
    """The store cannot be used, or did not do what it was asked for; the text says why."""


class Store(ABC):
    """Objects by name; names have at most one folder in them.  All methods raise StoreError."""

    name: str

    @abstractmethod
    def sizes(self, folder: str) -> dict[str, int]:
        """The objects in a folder, by their whole names, with their sizes in bytes."""

    @abstractmethod
    def get(self, name: str) -> bytes:
        """The content of an object."""

    @abstractmethod
    def put(self, name: str, data: bytes) -> None:
        """Stores an object, in place of one of that name; returns when it is safe there."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Removes an object."""


class FolderStore(Store):
    """A folder of a disk: an object is there whole or not at all, and on disk when ``put`` returns."""

    def __init__(self, disk: Disk, folder: str) -> None:
        self.name = folder
        self._disk = disk

    def _path(self, name: str) -> str:
        return os.path.join(self.name, name)

    def sizes(self, folder: str) -> dict[str, int]:
        """See Store.  What a crash left of a ``put`` does not count, nor does a folder, which is no object."""
        disk = self._disk
        path = self._path(folder)
        sizes = {}
        try:
            for each in disk.list(path) if disk.exists(path) else []:
                if not each.startswith(TEMPORARY_PREFIX):
                    with contextlib.suppress(IsADirectoryError):
                        sizes[f"{folder}/{each}"] = disk.size(os.path.join(path, each))
        except OSError as error:
            raise _failure(error.filename or path, error) from error
        return sizes

    def get(self, name: str) -> bytes:
        """See Store."""
        try:
            return self._disk.read_whole(self._path(name))
        except OSError as error:
            raise _failure(self._path(name), error) from error

    def put(self, name: str, data: bytes) -> None:
        """See Store."""
        disk = self._disk
        path = self._path(name)
        folder = os.path.dirname(path)
        try:
            for each in (self.name, folder):
                disk.ensure_folder(each)
            disk.write_atomically(path, data)
        except OSError as error:
            raise _failure(path, error) from error

    def delete(self, name: str) -> None:
        """See Store."""
        path = self._path(name)
        try:
            self._disk.remove(path)
            self._disk.fsync_folder(os.path.dirname(path))
        except OSError as error:
            raise _failure(path, error) from error


class UrlStore(Store):
    """A URL that fsspec understands, such as ``s3://bucket/prefix``."""

    def __init__(self, url: str, files: Any, root: str) -> None:
        self.name = url
        self._files = files
        self._root = root.rstrip("/")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def sizes(self, folder: str) -> dict[str, int]:
        """See Store."""
        path = self._path(folder)
        try:
            # What another process has written since the last look counts.
            self._files.invalidate_cache()
            found = self._files.find(path, detail=True)
        except FileNotFoundError:
            return {}
        except Exception as error:
            raise _failure(f"{self.name}/{folder}", error) from error
        return {f"{folder}/{key.rsplit('/', 1)[1]}": int(facts["size"]) for key, facts in found.items()}

    def get(self, name: str) -> bytes:
        """See Store."""
        try:
            return bytes(self._files.cat_file(self._path(name)))
        except Exception as error:
            raise _failure(f"{self.name}/{name}", error) from error

    def put(self, name: str, data: bytes) -> None:
        """See Store.  Object stores take a single request as a whole or not at all."""
        try:
            self._files.pipe_file(self._path(name), data)
        except Exception as error:
            raise _failure(f"{self.name}/{name}", error) from error

    def delete(self, name: str) -> None:
        """See Store."""
        try:
            self._files.rm_file(self._path(name))
        except Exception as error:
            raise _failure(f"{self.name}/{name}", error) from error


def _failure(where: str, error: Exception) -> StoreError:
    # Client libraries of object stores have errors of their own.
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return StoreError(f"{where}: {reason}")


def is_url(place: str) -> bool:
    """Whether a place is given as a URL."""
    return "://" in place


def open_store(place: str, disk: Disk) -> Store:
    """The store at a path or URL.  Raises StoreError."""
    if not is_url(place):
        return FolderStore(disk, os.path.abspath(place))
    parts = urlsplit(place)
    if parts.scheme == "file":
        return FolderStore(disk, os.path.abspath(unquote(parts.path)))
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise StoreError(f"{place}: URLs need the package fsspec; pip install 'durastore[s3]' brings it") from None
    try:
        files, root = url_to_fs(place)
    except Exception as error:
        raise _failure(place, error) from error
    return UrlStore(place.rstrip("/"), files, root)
