"""Making a backup of a recording: what the store does not have yet is sent, and then the catalogue that names it all.

Files are cut into segments.  Those of an earlier backup keep their bounds, so that a file that has grown is known again
up to where it had ended, and only its new part is sent.  Whatever the moment of a crash, catalogues that were there
name what is there; objects that no catalogue names are sent for nothing, and go with the next removal.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from durastore.persistence.aof.history import Generation, is_increment
from durastore.persistence.aof.manifest import LogFile
from durastore.persistence.backup.catalogue import (
    OBJECTS,
    Catalogue,
    Segment,
    StoredFile,
    StoredGeneration,
    catalogue_name,
    new_id,
    read_catalogues,
)
from durastore.persistence.backup.store import Store, StoreError
from durastore.persistence.copying import Sink, copy_generation
from durastore.persistence.recording import Recording

# The longest segment, in bytes: it is held in memory, and is what is sent again after a crash.
SEGMENT: Final = 32 << 20


@dataclass
class Transfer:
    """What is in the store by now (sizes by name), and what was sent."""

    store: Store
    present: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    sent_bytes: int = 0

    def send(self, data: bytes) -> Segment:
        """Has an object in the store."""
        segment = Segment(hashlib.sha256(data).hexdigest(), len(data))
        # One of another size is what a store that is not atomic has left of a crash.
        if self.present.get(segment.object) != segment.size:
            self.store.put(segment.object, data)
            self.present[segment.object] = segment.size
            self.sent += 1
            self.sent_bytes += segment.size
        return segment


class _Segmenter(Sink):
    """Cuts a file into segments; ``bounds`` are the sizes of those that an earlier backup made of it."""

    def __init__(self, transfer: Transfer, file: LogFile, bounds: list[int]) -> None:
        self.file = file
        self.segments: list[Segment] = []
        self._transfer = transfer
        self._bounds = bounds
        self._parts: list[bytes] = []
        self._size = 0

    def _bound(self) -> int:
        done = len(self.segments)
        return self._bounds[done] if done < len(self._bounds) else SEGMENT

    def write(self, data: bytes) -> None:
        while self._size + len(data) >= self._bound():
            room = self._bound() - self._size
            self._parts.append(data[:room])
            data = data[room:]
            self._flush()
        if data:
            self._parts.append(data)
            self._size += len(data)

    def close(self) -> None:
        if self._parts:
            self._flush()

    def _flush(self) -> None:
        self.segments.append(self._transfer.send(b"".join(self._parts)))
        self._parts = []
        self._size = 0

    def stored(self) -> StoredFile:
        return StoredFile(self.file.name, self.file.seq, self.segments)


def make_backup(recording: Recording, store: Store, now: int, server: str) -> tuple[Catalogue, Transfer]:
    """Makes a backup of all generations at ``now`` (Unix ms).

    Raises RecordingError and AofError (there is nothing to back up, or it is damaged), and StoreError.
    """
    earlier = read_catalogues(store).good
    transfer = Transfer(store, store.sizes(OBJECTS))
    bounds = _bounds(earlier)
    stored = recording.attempt(lambda: [_send(recording, each, transfer, bounds) for each in recording.generations])
    catalogue = Catalogue(new_id(now), now, server, recording.name, stored)
    # Whoever removes backups meanwhile knows nothing of this one yet.
    there = store.sizes(OBJECTS)
    missing = [each.object for each in catalogue.segments() if there.get(each.object) != each.size]
    if missing:
        raise StoreError(f"{store.name}: {missing[0]} is not there any more; is another backup removing old ones?")
    store.put(catalogue_name(catalogue.id), catalogue.render())
    return catalogue, transfer


def _bounds(earlier: list[Catalogue]) -> dict[tuple[int, str], list[int]]:
    """The bounds of files, by the moment of their generation and their name, as the latest backup had them."""
    return {
        (generation.since, file.name): [each.size for each in file.segments]
        for catalogue in earlier
        for generation in catalogue.generations
        for file in generation.files()
    }


def _send(
    recording: Recording, generation: Generation, transfer: Transfer, bounds: dict[tuple[int, str], list[int]]
) -> StoredGeneration:
    sinks: list[_Segmenter] = []

    def sink_for(file: LogFile) -> Sink:
        sinks.append(_Segmenter(transfer, file, bounds.get((generation.since, file.name), [])))
        return sinks[-1]

    with recording.opened(generation) as opened:
        copy = copy_generation(opened, sink_for)
    base = next((each.stored() for each in sinks if not is_increment(each.file)), None)
    increments = [each.stored() for each in sinks if is_increment(each.file)]
    return StoredGeneration(generation.since, copy.known_until(generation), copy.last, base, increments)
