"""Backups: only what is new is sent, a crash at any step spares the older ones, and damage is noticed."""

from __future__ import annotations

import itertools
import json

import pytest

from durastore.persistence.aof.manifest import AofError
from durastore.persistence.backup import making
from durastore.persistence.backup.catalogue import CatalogueError, catalogue_name, parse_catalogue, read_catalogues
from durastore.persistence.backup.keeping import kept, remove_old
from durastore.persistence.backup.making import Transfer, make_backup
from durastore.persistence.backup.reading import Verifier, find_backup
from durastore.persistence.backup.store import FolderStore, Store, StoreError, open_store
from durastore.persistence.recording import FolderRecording, RecordingError
from durastore.persistence.restore import Restore
from support.disks import MemoryDisk
from support.histories import PREFIX, START, History, Reader


class MemoryStore(Store):
    """A store in memory that fails in the call that it is told to; without ``atomic`` it then has half of the data."""

    def __init__(self, atomic: bool = True) -> None:
        self.name = "memory"
        self.objects: dict[str, bytes] = {}
        self.calls = 0
        self.fails_at = 0
        self._atomic = atomic

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            raise StoreError("broken on purpose")

    def sizes(self, folder: str) -> dict[str, int]:
        self._count()
        return {name: len(data) for name, data in self.objects.items() if name.startswith(folder + "/")}

    def get(self, name: str) -> bytes:
        self._count()
        if name not in self.objects:
            raise StoreError(f"{name} is missing")
        return self.objects[name]

    def put(self, name: str, data: bytes) -> None:
        try:
            self._count()
        except StoreError:
            if not self._atomic:
                self.objects[name] = data[: len(data) // 2]
            raise
        self.objects[name] = data

    def delete(self, name: str) -> None:
        self._count()
        del self.objects[name]


def backup(history: History, store: Store) -> Transfer:
    recording = FolderRecording(history.disk, history.data, lambda: history.now + 1)
    return make_backup(recording, store, history.now, "test")[1]


def state_of(store: Store, at: int | None, identity: str | None = None) -> bytes:
    """The state that a machine restores which has nothing but the store."""
    disk = MemoryDisk()
    reader = Reader(disk)
    Restore(find_backup(store, at, identity), disk, "/new", at, reader.load).run()
    return reader.digest


def some_history() -> History:
    history = History()
    history.write(["SET", "a", "x" * 200])
    history.wait(10)
    history.write(["MULTI"], ["SET", "b", 1], ["INCR", "n"], ["EXEC"])
    history.wait(10)
    history.rewrite()
    history.write(["RPUSH", "list", 1, 2, 3])
    history.wait(10)
    return history


def live_on(history: History) -> None:
    history.wait(5)
    history.write(["RPUSH", "list", 4])
    history.wait(5)


def test_every_moment_of_every_backup_is_restored_from_the_store_alone() -> None:
    history = some_history()
    store = MemoryStore()
    backup(history, store)
    live_on(history)
    history.rewrite(retain=False)
    history.wait(10)
    live_on(history)
    backup(history, store)
    for at in range(START, history.now + 1):
        if START + 30 < at < START + 40:
            # No backup saw the end of this generation.
            with pytest.raises(RecordingError, match="is in no backup"):
                state_of(store, at)
        else:
            assert state_of(store, at) == history.state(at), at - START
    assert state_of(store, None) == history.state(history.now)
    first = read_catalogues(store).good[0]
    assert state_of(store, None, first.id) == history.state(first.created)
    assert Verifier(store).run().whole == [each.id for each in read_catalogues(store).good]


def test_only_what_is_new_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "SEGMENT", 100)
    history = some_history()
    store = MemoryStore()
    total = sum(len(inode.data) for path, inode in history.disk.names.items() if not path.endswith("manifest"))
    first = backup(history, store)
    assert first.sent_bytes == total
    assert first.sent >= total // 100
    assert backup(history, store).sent == 0
    for _ in range(5):
        live_on(history)
        before = len(history.disk.names[history.writer.path].data)
        live_on(history)
        grown = len(history.disk.names[history.writer.path].data) - before
        assert backup(history, store).sent_bytes == 2 * grown
    assert state_of(store, None) == history.state(history.now)
    # A file of the same name and moment with another content is another file.
    other = History()
    live_on(other)
    other.wait(1000)
    backup(other, store)
    assert state_of(store, None) == other.state(other.now) != history.state(history.now)


@pytest.mark.parametrize("atomic", [True, False])
def test_every_store_call_of_a_backup_fails_and_the_older_ones_are_whole(
    atomic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "SEGMENT", 64)
    history = some_history()
    store = MemoryStore(atomic)
    backup(history, store)
    older = read_catalogues(store).good[0].id
    at = history.now
    live_on(history)
    whole = dict(store.objects)
    for call in itertools.count(1):
        store.objects = dict(whole)
        store.calls, store.fails_at = 0, call
        try:
            backup(history, store)
            done = store.calls < call
        except StoreError:
            done = False
        store.calls, store.fails_at = 0, 0
        assert state_of(store, at, older) == history.state(at)
        assert older in Verifier(store).run().whole
        if done:
            break
    assert call > 5
    backup(history, store)
    assert state_of(store, None) == history.state(history.now)


def test_every_store_call_of_a_removal_fails_and_what_is_kept_is_whole() -> None:
    history = some_history()
    origin = MemoryStore()
    for _ in range(4):
        backup(history, origin)
        live_on(history)
        history.rewrite(retain=False)
    for call in itertools.count(1):
        store = MemoryStore()
        store.objects = dict(origin.objects)
        store.fails_at = call
        try:
            removed = remove_old(store, history.now, 2, None)
        except StoreError:
            removed = None
        store.fails_at = 0
        found = read_catalogues(store).good
        assert len(found) >= 2
        assert Verifier(store).run().wrong == []
        remove_old(store, history.now, 2, None)
        assert len(read_catalogues(store).good) == 2
        if removed is not None:
            assert len(removed.backups) == 2
            assert removed.objects > 0
            break
    assert call > 6
    objects = {name for name in store.objects if name.startswith("objects/")}
    assert objects == {part.object for each in read_catalogues(store).good for part in each.segments()}


def test_which_backups_are_kept() -> None:
    history = some_history()
    store = MemoryStore()
    for _ in range(5):
        backup(history, store)
        history.wait(86_400_000)
    found = read_catalogues(store).good
    now = history.now
    assert kept(found, now, None, None) == found
    assert kept(found, now, 2, None) == found[-2:]
    assert kept(found, now, None, 3) == found[-3:]
    assert kept(found, now, 4, 2) == found[-4:]
    assert kept(found, now + 10**12, None, 1) == found[-1:], "the newest one stays"


def test_damage_of_any_object_is_noticed_and_nothing_is_removed_behind_a_damaged_catalogue() -> None:
    history = some_history()
    store = MemoryStore()
    backup(history, store)
    whole = dict(store.objects)
    for name in whole:
        for data in (whole[name][:-2], b"", bytes([whole[name][0] ^ 1]) + whole[name][1:]):
            store.objects = {**whole, name: data}
            verdict = Verifier(store).run()
            assert not verdict.whole
            assert len(verdict.wrong) == 1
            if name.startswith("objects/"):
                with pytest.raises(RecordingError, match="damaged"):
                    assert state_of(store, START) != state_of(store, None)
            else:
                with pytest.raises(StoreError, match="Nothing is removed"):
                    remove_old(store, history.now, 1, None)
        store.objects = {each: data for each, data in whole.items() if each != name}
        assert not Verifier(store).run().whole


def test_an_object_that_is_damaged_in_the_store_by_its_size_is_sent_again() -> None:
    history = some_history()
    store = MemoryStore()
    backup(history, store)
    name = next(name for name in store.objects if name.startswith("objects/"))
    store.objects[name] = store.objects[name][:-1]
    assert backup(history, store).sent == 1
    assert Verifier(store).run().wrong == []


def test_a_damaged_log_is_not_backed_up() -> None:
    history = some_history()
    inode = history.disk.names[f"{history.folder}/{PREFIX}.1.incr.aof"]
    inode.data[60] ^= 1
    store = MemoryStore()
    with pytest.raises(AofError):
        backup(history, store)
    assert read_catalogues(store).good == []


def test_a_removal_at_the_same_time_is_noticed() -> None:
    history = some_history()
    store = MemoryStore()
    backup(history, store)
    live_on(history)

    class Removing(MemoryStore):
        def put(self, name: str, data: bytes) -> None:
            super().put(name, data)
            remove_old(self, history.now, 1, None)

    removing = Removing()
    removing.objects = dict(store.objects)
    with pytest.raises(StoreError, match="is not there any more"):
        backup(history, removing)
    assert len(read_catalogues(removing).good) == 1
    assert Verifier(removing).run().wrong == []


def test_a_catalogue_is_read_or_refused() -> None:
    history = some_history()
    store = MemoryStore()
    backup(history, store)
    catalogue = read_catalogues(store).good[0]
    data = catalogue.render()
    name = catalogue_name(catalogue.id)
    assert parse_catalogue(name, data) == catalogue
    document = json.loads(data)
    wrong = ([], {}, {"backup": 1, "sha256": 2}, {**document, "sha256": "0" * 64})
    for each in [*(json.dumps(each).encode() for each in wrong), b"[" * 100_000, b'{"backup":' * 100_000, b"\xff"]:
        with pytest.raises(CatalogueError, match=f"^{name}: "):
            parse_catalogue(name, each)


def test_beside_a_damaged_or_a_renamed_catalogue_the_good_ones_are_restored_and_nothing_is_removed() -> None:
    history = some_history()
    store = MemoryStore()
    for _ in range(2):
        backup(history, store)
        live_on(history)
    older, newer = (catalogue_name(each.id) for each in read_catalogues(store).good)
    state = state_of(store, None)
    whole = dict(store.objects)
    later = newer.replace("catalogues/2", "catalogues/3")
    for wrong in ({later: b"[" * 100_000}, {later: whole[older]}):
        store.objects = {**whole, **wrong}
        assert state_of(store, None) == state
        verdict = Verifier(store).run()
        assert len(verdict.whole) == 2
        assert verdict.wrong[0].startswith(later)
        with pytest.raises(StoreError, match=f"Nothing is removed while a catalogue is damaged: {later}"):
            remove_old(store, history.now, 1, None)


def test_a_folder_keeps_what_it_has_taken_when_the_power_fails_in_any_call() -> None:
    history = some_history()
    disk = MemoryDisk()
    disk.make_folder("/backups")
    backup(history, FolderStore(disk, "/backups"))
    live_on(history)
    first = history.now - 10
    afterwards: list[MemoryDisk] = []

    def note(operation: str, path: str) -> None:
        afterwards.extend([disk.after_power_failure(), disk.after_luck(), disk.after_kill()])

    disk.fault = note
    backup(history, FolderStore(disk, "/backups"))
    disk.fault = None
    states = set()
    for after in [*afterwards, disk.after_power_failure()]:
        store = FolderStore(after, "/backups")
        assert Verifier(store).run().wrong == []
        states.add(state_of(store, None))
    assert states == {history.state(first - 1), history.state(history.now)}
    assert state_of(FolderStore(disk.after_power_failure(), "/backups"), None) == history.state(history.now)


def test_urls_go_through_fsspec() -> None:
    history = some_history()
    store = open_store("memory://bucket/prefix", MemoryDisk())
    assert store.sizes("objects") == {}
    backup(history, store)
    live_on(history)
    backup(history, store)
    assert state_of(store, None) == history.state(history.now)
    assert len(remove_old(store, history.now, 1, None).backups) == 1
    assert Verifier(store).run().wrong == []
    with pytest.raises(StoreError, match="memory://bucket/prefix/objects/x"):
        store.get("objects/x")
    with pytest.raises(StoreError, match="objects/x"):
        store.delete("objects/x")
    with pytest.raises(StoreError, match="nosuch://x"):
        open_store("nosuch://x", MemoryDisk())
    assert isinstance(open_store("file:///backups", MemoryDisk()), FolderStore)
