"""Reading backups: as recordings that moments are restored from, and to see that they are whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from durastore.persistence.aof.history import Generation
from durastore.persistence.aof.manifest import AofError, LogFile
from durastore.persistence.backup.catalogue import Catalogue, Segment, StoredFile, read_catalogues
from durastore.persistence.backup.store import Store, StoreError
from durastore.persistence.copying import copy_generation
from durastore.persistence.disk import Source
from durastore.persistence.recording import Recording, RecordingError
from durastore.persistence.restore import no_sink, spell


class _Segments(Source):
    """A stored file: segment after segment, each verified before any of it is handed out."""

    def __init__(self, store: Store, file: StoredFile) -> None:
        self.size = file.size
        self._store = store
        self._left = list(reversed(file.segments))
        self._data = b""
        self._pos = 0

    def read(self, size: int, /) -> bytes:
        """See Source."""
        if self._pos == len(self._data) and self._left:
            self._data = fetch(self._store, self._left.pop())
            self._pos = 0
        taken = self._data[self._pos : self._pos + size]
        self._pos += len(taken)
        return taken

    def zeros_at_end(self) -> int:
        """See Source.  A backup ends with whole stretches."""
        return 0

    def close(self) -> None:
        """See Source."""
        self._data = b""
        self._pos = 0
        self._left = []


def fetch(store: Store, segment: Segment) -> bytes:
    """The content of a segment, which was verified.  Raises RecordingError and StoreError."""
    data = store.get(segment.object)
    if len(data) != segment.size or hashlib.sha256(data).hexdigest() != segment.sha256:
        raise RecordingError(
            f"{store.name}/{segment.object} is damaged: its content has another checksum. While the server still "
            "has its data, remove it and back up again, which sends it anew"
        )
    return data


class BackupRecording(Recording):
    """One backup."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self.name = f"{store.name} ({catalogue.id})"
        self.generations = [each.generation() for each in catalogue.generations]
        self._store = store
        self._catalogue = catalogue

    def open(self, generation: Generation, file: LogFile) -> Source:
        """See Recording."""
        stored = self._catalogue.generations[self.generations.index(generation)]
        return _Segments(self._store, next(each for each in stored.files() if each.name == file.name))


def find_backup(store: Store, at: int | None, identity: str | None = None) -> BackupRecording:
    """The newest backup that tells the state of a moment (Unix ms; None: the newest of all), or a certain one.

    Raises RecordingError and StoreError.
    """
    found = read_catalogues(store)
    if identity is not None:
        found.good = [each for each in found.good if each.id == identity]
    if not found.good:
        damaged = f" ({'; '.join(found.damaged)})" if found.damaged else ""
        raise RecordingError(f"There is no backup{' ' + identity if identity else ''} in {store.name}{damaged}")
    for catalogue in reversed(found.good):
        if at is None or any(each.since <= at < each.until for each in catalogue.generations):
            return BackupRecording(store, catalogue)
    assert at is not None
    ranges = ", ".join(
        f"{spell(since)} to {spell(until)}"
        for since, until in sorted({(each.since, each.until) for one in found.good for each in one.generations})
    )
    raise RecordingError(f"The state of {spell(at)} is in no backup. What is: {ranges}")


@dataclass
class Verdict:
    """What came of verifying: backups that are whole, and what is wrong elsewhere; objects and bytes that were read."""

    whole: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    files: int = 0
    size: int = 0


class Verifier:
    """Reads backups back, all of them or one: objects, checksums, entries and commands.

    What several backups have in common is read once.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: set[tuple[int, tuple[Segment, ...]]] = set()
        self.verdict = Verdict()

    def run(self, identity: str | None = None) -> Verdict:
        """Verifies.  Raises StoreError where the store cannot even be listed."""
        found = read_catalogues(self._store)
        self.verdict.wrong += found.damaged
        for catalogue in found.good:
            if identity in (None, catalogue.id):
                self._verify(catalogue)
        return self.verdict

    def _verify(self, catalogue: Catalogue) -> None:
        recording = BackupRecording(self._store, catalogue)
        for generation, stored in zip(recording.generations, catalogue.generations, strict=True):
            key = (stored.since, tuple(part for file in stored.files() for part in file.segments))
            if key in self._known:
                continue
            try:
                with recording.opened(generation) as opened:
                    copy = copy_generation(opened, no_sink, deep=True)
                if copy.left_out:
                    raise RecordingError(f"{copy.left_out} bytes are no whole stretches")
            except (RecordingError, AofError, StoreError) as error:
                self.verdict.wrong.append(f"{catalogue.id}: {error}")
                return
            self._known.add(key)
            self.verdict.files += len(copy.files)
            self.verdict.size += sum(file.size for file in stored.files())
        self.verdict.whole.append(catalogue.id)
