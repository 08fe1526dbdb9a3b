"""Compares what a disk holds with what was promised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from durastore.engine.engine import Engine
from durastore.keyspace.database import Database
from durastore.keyspace.lists import List
from durastore.persistence.aof.history import generations
from durastore.persistence.aof.log import LogSettings
from durastore.persistence.aof.manifest import Manifest, manifest_path, parse_manifest
from durastore.persistence.loader import Loader, LoadError
from durastore.persistence.rdb import RdbError
from support.disks import Inode, MemoryDisk
from support.rdb import describe_value, read_all
from support.simulation.load import Ledger, Promise, expected

RDB = "/dump.rdb"


class Violation(AssertionError):
    """A promise that was not kept."""


def demand(truth: object, what: str) -> None:
    if not truth:
        raise Violation(what)


@dataclass
class Found:
    """A dataset, taken apart: the names in ``log``, each client's own keys, and the rest."""

    names: list[str]
    own: dict[int, set[int]]
    rest: dict[str, Any]

    @classmethod
    def of(cls, values: dict[str, tuple[str, Any]]) -> Found:
        names = values.pop("log", ("list", []))[1]
        own: dict[int, set[int]] = {}
        rest = {}
        for key, value in values.items():
            if key.startswith("own:"):
                _, client, number = key.split(":")
                demand(value == ("string", number), f"{key} is {value}")
                own.setdefault(int(client), set()).add(int(number))
            elif not key.startswith("filler:"):
                rest[key] = value
        return cls(names, own, rest)


def content(db: Database) -> dict[str, tuple[str, Any]]:
    """All of a database."""
    return {key.decode("latin-1"): describe_value(db.table.find(key).items[key]) for key in db.scan(0, 1 << 30)[1]}


def listed(db: Database) -> int:
    """How long the list of all writes is."""
    value = db.lookup(b"log", 1)
    return len(list(value.items())) if isinstance(value, List) else 0


class Judge:
    """Loads what crashes have left, one after the other."""

    def __init__(self, settings: LogSettings, engine: Engine, fillers: int) -> None:
        self._settings = settings
        self._engine = engine
        self._fillers = fillers
        self.loaded = 0
        self.refused = 0
        self.kept = 0

    def load(self, files: dict[str, bytes], appendonly: bool) -> dict[str, tuple[str, Any]]:
        """The dataset that a server would start with.  Raises LoadError."""
        disk = MemoryDisk()
        disk.folders.add(self._settings.folder)
        disk.names = {path: Inode(data) for path, data in files.items()}
        self._engine.instance.keyspace.functions = []
        db = self._engine.instance.keyspace.databases[0]
        db.flush()
        loader = Loader(self._engine, disk, lambda: self._settings, lambda: RDB)
        for _ in loader._load(appendonly):
            pass
        self.loaded += 1
        return content(db)

    def log(self, files: dict[str, bytes], ledger: Ledger, promise: Promise, may_refuse: bool) -> None:
        """A server with a log starts on these files, and has all that was promised, in its order."""
        limit = self._settings.corrupt_tail
        try:
            self._settings.corrupt_tail = 0
            values = self.load(dict(files), True)
        except LoadError as error:
            if not may_refuse:
                raise Violation(f"the start is refused: {error}") from error
            demand("offset" in str(error) and self._settings.folder in str(error), f"refused without a place: {error}")
            self.refused += 1
            self._settings.corrupt_tail = 1 << 40
            try:
                values = self.load(dict(files), True)
            except LoadError as again:
                raise Violation(f"the start is refused in spite of aof-load-corrupt-tail-max-size: {again}") from again
        finally:
            self._settings.corrupt_tail = limit
        fillers = sum(key.startswith("filler:") for key in values)
        found = Found.of(values)
        self._consistent(found, ledger)
        demand(fillers == self._fillers, f"{fillers} of {self._fillers} old keys are there")
        demand(
            len(found.names) >= promise.listed, f"{promise.listed} writes were promised, {len(found.names)} are there"
        )
        for client, count in promise.own:
            there = len(found.own.get(client, ()))
            demand(there >= count, f"client {client} was promised {count} keys of its own, {there} are there")

    def history(self, files: dict[str, bytes], ledger: Ledger, may_be_damaged: bool) -> None:
        """Each generation that is kept is there, and tells a state that was."""
        path = manifest_path(self._settings.folder, self._settings.filename)
        if path not in files:
            return
        for kept in generations(parse_manifest(path, files[path]))[:-1]:
            increments = [replace(each, kind="i") for each in kept.increments]
            manifest = Manifest(replace(kept.base, kind="b") if kept.base else None, increments)
            try:
                values = self.load({**files, path: manifest.render()}, True)
            except LoadError as error:
                demand(may_be_damaged, f"history that is kept cannot be loaded: {error}")
            else:
                self.kept += 1
                self._consistent(Found.of(values), ledger)

    def snapshot(self, files: dict[str, bytes], ledger: Ledger, promise: Promise) -> None:
        """The RDB file, where there is one, is the exact state at the start of a snapshot, and not an old one."""
        data = files.get(RDB)
        if data is None:
            demand(not promise.saved, "the snapshot is gone")
            return
        try:
            _, entries = read_all(data)
        except RdbError as error:
            raise Violation(f"the snapshot is damaged: {error}") from error
        found = Found.of({entry["key"]: (entry["type"], entry["value"]) for entry in entries})
        self._consistent(found, ledger)
        demand(len(found.names) in ledger.starts, f"no snapshot began after {len(found.names)} writes")
        demand(len(found.names) >= promise.saved, f"a snapshot of {promise.saved} writes was there before")

    def _consistent(self, found: Found, ledger: Ledger) -> None:
        """What is there is what all writes up to one moment have left, and each of them was asked for."""
        names = found.names
        demand(len(set(names)) == len(names), "a write was done twice")
        demand(ledger.sent.issuperset(names), "a write is there that nobody asked for")
        demand(ledger.refused.isdisjoint(names), "a write is there that was refused")
        for place, name in ledger.placed.items():
            if place <= len(names):
                demand(names[place - 1] == name, f"at {place} is {names[place - 1]}, and not {name} as answered")
        wanted = expected(names)
        for key in wanted.keys() | found.rest.keys():
            demand(
                wanted.get(key) == found.rest.get(key),
                f"{key} is {found.rest.get(key)!r}, after the {len(names)} writes there {wanted.get(key)!r}",
            )
        for client, numbers in found.own.items():
            demand(numbers == set(range(1, len(numbers) + 1)), f"of client {client}'s keys some are missing in between")
            demand(len(numbers) <= ledger.own_sent.get(client, 0), "a key is there that nobody asked for")
