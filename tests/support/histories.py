"""Logs whose every state is known: an engine writes one as a server does, at times that the test says."""

from __future__ import annotations

from durastore.commands.digest import dataset_digest
from durastore.keyspace.lists import List
from durastore.persistence.aof.log import LogSettings
from durastore.persistence.aof.manifest import LogFile, Manifest, store_manifest
from durastore.persistence.aof.writer import AofWriter
from durastore.persistence.disk import Disk
from durastore.persistence.loader import Loader
from durastore.persistence.rdb import RdbWriter
from durastore.persistence.restore import Loaded
from durastore.persistence.saver import write_file_now
from durastore.persistence.snapshot import Snapshot
from support.disks import MemoryDisk
from support.engines import engine, session
from support.resp import request

PREFIX = "appendonly.aof"
START = 1_700_000_000_000
EMPTY = b"0" * 40


class History:
    """A data folder that grows; ``states`` are all states, each with the time from which on it was the state."""

    def __init__(self, disk: Disk | None = None, folder: str = "/data", timestamps: bool = False) -> None:
        self.disk = MemoryDisk() if disk is None else disk
        self.folder = f"{folder}/appendonlydir"
        self.data = folder
        self.disk.make_folder(folder)
        self.disk.make_folder(self.folder)
        self.now = START
        self.engine = engine(START)
        self.states: list[tuple[int, bytes]] = []
        self.manifest = Manifest()
        self._timestamps = timestamps
        self._session = session(self.engine)
        self.writer: AofWriter
        self.rewrite()

    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds

    def write(self, *commands: list[bytes | str | int]) -> None:
        """One wake: the commands arrive together."""
        self.engine.begin_wake(self.now)
        self._session.feed(b"".join(request(*words) for words in commands))
        replies = self._session.take_output()
        assert b"-ERR" not in replies, replies
        data = self.engine.journal.take()
        if data:
            self.writer.append(data, self.now)
        self._note()

    def rewrite(self, retain: bool = True) -> None:
        """A new generation begins."""
        base = self.manifest.next_base(PREFIX, True, 0, self.now)
        snapshot = Snapshot(self.engine.instance.keyspace, RdbWriter(True, True), [], True)
        write_file_now(snapshot, self.disk, f"{self.folder}/{base.name}")
        increment = self.manifest.next_increment(PREFIX)
        self.manifest.renew(base, [increment], base.since if retain else 0)
        self._open(increment)
        if not self.states:
            self._note()

    def switch(self) -> None:
        """A rewrite that fails: the generation goes on in another file."""
        increment = self.manifest.next_increment(PREFIX)
        self.manifest.increments.append(increment)
        self._open(increment)

    def reopen(self) -> None:
        """A restart: another chain of checksums begins in the same file."""
        self._begin(self.writer.path)

    def _open(self, increment: LogFile) -> None:
        store_manifest(self.disk, self.folder, PREFIX, self.manifest)
        self._begin(f"{self.folder}/{increment.name}")

    def _begin(self, path: str) -> None:
        size = len(self.disk.read_whole(path)) if self.disk.exists(path) else 0
        self.writer = AofWriter(self.disk, path, size, self._timestamps)
        self.engine.journal.restart()

    def _note(self) -> None:
        self.states.append((self.now, dataset_digest(self.engine.instance.keyspace)))

    def state(self, at: int) -> bytes:
        """The state at a moment."""
        return [digest for when, digest in self.states if when <= at][-1]


class Reader:
    """Loads folders, one after the other; ``digest`` is that of the last one."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._engine = engine()
        self.digest = EMPTY

    def load(self, folder: str) -> Loaded:
        settings = LogSettings(
            folder=folder, filename=PREFIX, fsync="always", timestamps=False, rdb_preamble=True,
            no_fsync_on_rewrite=False, rewrite_percentage=100, rewrite_min_size=0, load_truncated=False,
            incremental_fsync=True,
        )  # fmt: skip
        Loader(self._engine, self._disk, lambda: settings, lambda: "/dump.rdb").reload_log()
        keyspace = self._engine.instance.keyspace
        self.digest = dataset_digest(keyspace)
        return Loaded(keyspace.key_count(), 0)

    def items(self, key: bytes) -> list[bytes]:
        """The elements of a list that was loaded."""
        value = self._engine.instance.keyspace.databases[0].lookup(key, 1)
        return list(value.items()) if isinstance(value, List) else []
