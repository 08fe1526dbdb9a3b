"""Which data files does a path mean?"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from durastore.persistence.aof.manifest import SUFFIX, manifest_path
from durastore.persistence.disk import TEMPORARY_PREFIX
from durastore.persistence.rdb.format import MAGIC
from durastore.persistence.walk import data_folder

_PART = re.compile(r"(.+)\.\d+\.(?:base|incr)\.(?:rdb|aof)\Z")


class Kind(StrEnum):
    """What a path is taken for."""

    RDB = "rdb"
    AOF = "aof"
    LOG = "log"
    LEFT_OVER = "left over"


@dataclass(frozen=True)
class Target:
    """A file, or a log in parts: then ``path`` is its folder, and ``prefix`` what the names of its files begin with."""

    kind: Kind
    path: str
    prefix: str = ""

    def data_folder(self) -> str:
        """The folder that a server over these files claims."""
        return data_folder(self.path)


class NothingFound(Exception):
    """There is nothing that a tool could read; the text says why."""


@dataclass(frozen=True)
class Names:
    """Where a server has its files; ``log_folder`` holds the log in parts, ``single_log`` is the old form of one."""

    rdb: str
    log_folder: str
    prefix: str

    @property
    def single_log(self) -> str:
        """The log in one file that a start would take over."""
        return os.path.join(data_folder(self.log_folder), self.prefix)


def find(path: str, kind: Kind | None = None) -> list[Target]:
    """What a path given by hand means; ``kind`` is RDB or AOF where the content does not tell.

    Raises NothingFound and OSError.
    """
    if os.path.isdir(path):
        found = list(_in_folder(path))
        if not found:
            raise NothingFound(f"There are no data files in {path}")
        return found
    folder, name = os.path.split(path)
    if kind is None and name.endswith(SUFFIX):
        os.stat(path)
        return [Target(Kind.LOG, folder or ".", name.removesuffix(SUFFIX))]
    return [Target(kind or _kind_of(path), path)]


def find_named(names: Names) -> list[Target]:
    """The files of a server, as far as they are there, in the order in which a start looks for them."""
    found = []
    if os.path.isdir(names.log_folder) and names.prefix in _prefixes(names.log_folder):
        found.append(Target(Kind.LOG, names.log_folder, names.prefix))
    elif os.path.isfile(names.single_log):
        found.append(Target(Kind.AOF, names.single_log))
    if os.path.exists(names.rdb):
        found.append(Target(Kind.RDB, names.rdb))
    folder = os.path.dirname(names.rdb)
    found += [Target(Kind.LEFT_OVER, os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if _left(name)]
    return found


def _left(name: str) -> bool:
    return name.startswith(TEMPORARY_PREFIX) and name.endswith((".rdb", ".aof"))


def _in_folder(folder: str) -> Iterator[Target]:
    """The logs and files in a folder of data, or in one of a log."""
    prefixes = _prefixes(folder)
    yield from (Target(Kind.LOG, folder, prefix) for prefix in prefixes)
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from (Target(Kind.LOG, path, prefix) for prefix in _prefixes(path))
        elif prefixes:
            # The log itself tells of what else is in its folder.
            continue
        elif _left(name):
            yield Target(Kind.LEFT_OVER, path)
        elif name.endswith(".rdb"):
            yield Target(Kind.RDB, path)
        elif name.endswith(".aof"):
            yield Target(Kind.AOF, path)


def _prefixes(folder: str) -> list[str]:
    """What the names of the logs in a folder begin with: those with a manifest, or those that have lost theirs."""
    names = [name for name in sorted(os.listdir(folder)) if not name.startswith(TEMPORARY_PREFIX)]
    whole = [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]
    parts = {match[1] for name in names if (match := _PART.match(name))}
    return whole + sorted(part for part in parts if not os.path.exists(manifest_path(folder, part)))


def _kind_of(path: str) -> Kind:
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise NothingFound(f"{path} is no regular file")
    with open(path, "rb") as file:
        head = file.read(9)
    name = os.path.basename(path)
    if name.endswith(".aof"):
        return Kind.AOF
    if name.endswith(".rdb") or head.startswith(MAGIC):
        return Kind.RDB
    if head.startswith((b"*", b"#")) or not head:
        return Kind.AOF
    raise NothingFound(f"{path} is neither an RDB file nor a log; --as says what to take it for")


def belongs_to(path: str) -> str | None:
    """The manifest of the log that a file is a part of, by its name; None where it is a log by itself."""
    folder, name = os.path.split(path)
    match = _PART.match(name)
    if match is None:
        return None
    manifest = manifest_path(folder, match[1])
    return manifest if os.path.exists(manifest) else None
