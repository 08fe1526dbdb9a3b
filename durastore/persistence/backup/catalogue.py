"""The catalogue of a backup: which objects make up which files, and which moments they tell.

It is a JSON document ``{"sha256": ..., "backup": {...}}``; the SHA-256 is that of the backup's canonical form (members
sorted, no white space).  Objects are named after the SHA-256 of their content, so equal ones are stored once, and what
an object is to hold need not be believed.  The catalogue is written last: what it names is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from durastore.persistence.aof.history import Generation
from durastore.persistence.aof.manifest import LogFile
from durastore.persistence.backup.store import Store, StoreError

OBJECTS: Final = "objects"
CATALOGUES: Final = "catalogues"
FORMAT: Final = 1
_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f]{6}\Z")


class CatalogueError(Exception):
    """A catalogue cannot be used; the text says which and why."""


@dataclass(frozen=True)
class Segment:
    """A part of a file: the object that holds it."""

    sha256: str
    size: int

    @property
    def object(self) -> str:
        """The object's name."""
        return f"{OBJECTS}/{self.sha256}"


@dataclass(frozen=True)
class StoredFile:
    """A file of the log, with its parts in their order."""

    name: str
    seq: int
    segments: list[Segment]

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return sum(each.size for each in self.segments)


@dataclass(frozen=True)
class StoredGeneration:
    """A generation of the log; moments are Unix ms, 0 where they are not known.

    It tells the state of every moment from ``since`` to before ``until``; ``last`` is the moment of its last stretch.
    """

    since: int
    until: int
    last: int
    base: StoredFile | None
    increments: list[StoredFile]

    def files(self) -> list[StoredFile]:
        """All files, in the order in which they are loaded."""
        return [*([self.base] if self.base else []), *self.increments]

    def generation(self) -> Generation:
        """As the log knew it."""
        base = LogFile(self.base.name, self.base.seq, "b", self.since) if self.base else None
        return Generation(base, [LogFile(each.name, each.seq, "i") for each in self.increments], self.until)


@dataclass(frozen=True)
class Catalogue:
    """One backup; ``created`` is Unix ms, ``server`` the version that made it, ``source`` what it was made of."""

    id: str
    created: int
    server: str
    source: str
    generations: list[StoredGeneration] = field(default_factory=list)

    def segments(self) -> list[Segment]:
        """All segments of all files."""
        return [part for each in self.generations for file in each.files() for part in file.segments]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(each.size for each in self.segments())

    def render(self) -> bytes:
        """The document."""
        backup = {"format": FORMAT, **asdict(self)}
        return (json.dumps({"sha256": _digest(backup), "backup": backup}, indent=1) + "\n").encode()


def _digest(backup: object) -> str:
    return hashlib.sha256(json.dumps(backup, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def catalogue_name(identity: str) -> str:
    """The object that holds a catalogue."""
    return f"{CATALOGUES}/{identity}.json"


def new_id(now: int) -> str:
    """A name for a backup that is made now; names sort by time."""
    stamp = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%S")
    return f"{stamp}.{now % 1000:03d}Z-{os.urandom(3).hex()}"


def parse_catalogue(name: str, data: bytes) -> Catalogue:
    """Reads the catalogue that an object of this name holds.  Raises CatalogueError."""
    try:
        document = json.loads(data)
        backup = document["backup"]
        if document["sha256"] != _digest(backup):
            raise CatalogueError(f"{name}: wrong checksum")
        if backup["format"] != FORMAT:
            raise CatalogueError(f"{name}: format {backup['format']} is not known to this version")
        if catalogue_name(backup["id"]) != name:
            raise CatalogueError(f"{name}: it was renamed, or copied: it tells of the backup {backup['id']}")
        found = [_generation(each) for each in backup["generations"]]
        return Catalogue(backup["id"], backup["created"], backup["server"], backup["source"], found)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CatalogueError(f"{name}: not a catalogue ({type(error).__name__}: {error})") from error


def _generation(fields: dict[str, Any]) -> StoredGeneration:
    base = _file(fields["base"]) if fields["base"] is not None else None
    increments = [_file(each) for each in fields["increments"]]
    return StoredGeneration(fields["since"], fields["until"], fields["last"], base, increments)


def _file(fields: dict[str, Any]) -> StoredFile:
    segments = [Segment(each["sha256"], each["size"]) for each in fields["segments"]]
    return StoredFile(fields["name"], fields["seq"], segments)


@dataclass
class Catalogues:
    """The catalogues of a store, oldest first, and what is wrong with those that cannot be used."""

    good: list[Catalogue] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def read_catalogues(store: Store) -> Catalogues:
    """Reads all catalogues.  Raises StoreError."""
    found = Catalogues()
    for name in sorted(store.sizes(CATALOGUES)):
        if not _ID.match(name.removeprefix(f"{CATALOGUES}/").removesuffix(".json")):
            continue
        try:
            found.good.append(parse_catalogue(name, store.get(name)))
        except (CatalogueError, StoreError) as error:
            found.damaged.append(str(error))
    return found
