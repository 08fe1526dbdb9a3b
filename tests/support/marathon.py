"""Generated commands by the million, and what becomes of the data in files.

A batch plays scripts to two servers. The data of each script are moved out of the way, so that they pile up; at the end
of the batch all of them are compared with those of the judge, and then with those of servers that were started on
durastore's files: durastore and the others, on the log and on an RDB file.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from durastore.persistence.rdb.dump import load_dump
from support.comparison import TOLERANCE_MS
from support.duel import DATABASES, Pair, play_on, shown, shrink
from support.generator import Generator, Request
from support.rdb import describe_value
from support.resp import Closed, Connection, request
from support.servers import Server, durastore_server, valkey_server

SCRIPT_SIZE = 200
# Where the data of what was played lie, from this database on.
_ASIDE = 2
_LOG = {"appendonly": "yes", "auto-aof-rewrite-percentage": "0"}
_PLAIN = {"appendonly": "no"}
# Blocked clients of Redis time out at a tick.
_SETTINGS = {"save": "", "enable-debug-command": "yes", "hz": "500"}
_AT_ONCE = 200

State = dict[tuple[int, bytes], Any]
Maker = Callable[[Path, dict[str, str]], Server]


@dataclass
class Outcome:
    """What batches came to; ``found`` are differences, as text."""

    commands: int = 0
    keys: int = 0
    compared: int = 0
    errors: int = 0
    found: list[str] = field(default_factory=list)
    # How often each command was played, and how often without an error.
    played: Counter[str] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)


class Marathon:
    """Batches in a folder, told by ``tell``. ``others`` are servers beside the judge that load the files as well."""

    def __init__(self, folder: Path, others: dict[str, Maker], tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.makers = {"durastore": durastore_server, "the judge": valkey_server, **others}
        self.tell = tell
        self.outcome = Outcome()

    def batch(self, seed: int, size: int, protocol: int) -> None:
        """Plays ``size`` commands, a multiple of ``SCRIPT_SIZE``, and then looks at the files."""
        begun = time.monotonic()
        found = len(self.outcome.found)
        home = self.folder / "batch"
        home.mkdir()
        with (
            self._running("durastore", home, "log", _LOG) as ours,
            self._running("the judge", home, "judge", _PLAIN) as judge,
        ):
            pair = Pair(ours, judge, protocol)
            for number in range(size // SCRIPT_SIZE):
                if not self._script(pair, seed * 1_000_000 + number * 10 + protocol, number, protocol):
                    break
            self._files(home, ours, judge)
        shutil.rmtree(home)
        self.tell(
            f"seed {seed}, RESP{protocol}: {self.outcome.commands:,} commands so far, "
            f"{self.outcome.compared:,} comparisons of a key, {len(self.outcome.found) - found} differences, "
            f"{time.monotonic() - begun:.1f} s"
        )

    def _script(self, pair: Pair, seed: int, number: int, protocol: int) -> bool:
        """Plays a script and moves its data aside; False where the batch cannot go on, because of a difference."""
        script = Generator(seed, pair.knows).script(SCRIPT_SIZE)
        try:
            found = play_on(pair, script, self._count)
        except (Closed, TimeoutError) as error:
            lines = "\n".join(f"    {shown(words)}" for words in script)
            ends = "\n".join(server.log_tail() for server in (pair.durastore, pair.judge))
            self._report(f"seed {seed}, RESP{protocol}:\n{lines}\n  {error!r}\n{ends}")
            return False
        if found is None:
            self._move_aside(pair, number)
            return True
        shortest, found = shrink(pair, script, found)
        lines = "\n".join(f"    {shown(words)}" for words in shortest)
        self._report(f"seed {seed}, RESP{protocol}:\n{lines}\n  {found}")
        pair.empty()
        return False

    def _count(self, words: Request, reply: bytes) -> None:
        self.outcome.commands += 1
        name = words[0].lower().decode("latin-1")
        self.outcome.played[name] += 1
        if reply[:1] == b"-":
            self.outcome.errors += 1
        else:
            self.outcome.succeeded[name] += 1

    def _report(self, text: str) -> None:
        self.outcome.found.append(text)
        self.tell(text)

    def _move_aside(self, pair: Pair, number: int) -> None:
        for db in DATABASES:
            pair.call("SELECT", db)
            ours, _ = pair.call("KEYS", "*")
            for key in ours:
                name = b"%d:%s" % (number, key)
                pair.call("RENAME", key, name)
                moved = pair.call("MOVE", name, _ASIDE + db)
                assert moved == [1, 1], f"{name!r} was not moved: {moved}"
        pair.call("SELECT", 0)

    def _files(self, home: Path, ours: Server, judge: Server) -> None:
        """Compares all data, as they are and as they are loaded from files."""
        before = state_of(ours)
        self.outcome.keys += len(before)
        self._compare("the judge's data", before, state_of(judge), TOLERANCE_MS)
        assert ours.call("SAVE") == "OK"
        ours.stop()
        ours.start()
        self._compare("after a restart from the log", before, state_of(ours))
        for name in self.makers:
            for kind, directives in (("appendonlydir", _LOG), ("dump.rdb", _PLAIN)):
                where = f"{name}-{kind}".replace(" ", "-")
                (home / where).mkdir()
                source, target = ours.folder / kind, home / where / kind
                if source.is_dir():
                    shutil.copytree(source, target)
                else:
                    shutil.copy(source, target)
                with self._running(name, home, where, directives) as loaded:
                    self._compare(f"{kind} in {name}", before, state_of(loaded), same_past=kind == "appendonlydir")

    def _compare(self, what: str, one: State, other: State, tolerance: int = 0, same_past: bool = True) -> None:
        self.outcome.compared += len(one)
        different = [
            f"{key!r}: {one.get(key)} and {other.get(key)}"
            for key in one.keys() | other.keys()
            if not _same(one.get(key), other.get(key), tolerance, same_past)
        ]
        if different:
            shown_ones = "\n    ".join(text[:2000] for text in different[:5])
            self._report(f"{what}: {len(different)} keys differ\n    {shown_ones}")

    @contextmanager
    def _running(self, name: str, home: Path, where: str, directives: dict[str, str]) -> Iterator[Server]:
        folder = home / where
        folder.mkdir(exist_ok=True)
        server = self.makers[name](folder, {**_SETTINGS, **directives})
        server.start()
        try:
            yield server
        finally:
            server.stop()


def state_of(server: Server) -> State:
    """All that there is: by database and key, the value as DUMP tells it, its encoding and when it expires."""
    found: State = {}
    with server.connect() as connection:
        for db in range(16):
            assert connection.call("SELECT", db) == b"+OK\r\n"
            keys = connection.value("KEYS", "*")
            for at in range(0, len(keys), _AT_ONCE):
                for key, value in _describe(connection, keys[at : at + _AT_ONCE]):
                    found[db, key] = value
    return found


def _describe(connection: Connection, keys: list[bytes]) -> Iterator[tuple[bytes, Any]]:
    connection.send(
        b"".join(
            request(*words)
            for key in keys
            for words in (("DUMP", key), ("OBJECT", "ENCODING", key), ("PEXPIRETIME", key))
        )
    )
    for key in keys:
        payload, encoding, expiry = (connection.next() for _ in range(3))
        yield key, [*describe_value(load_dump(payload)), _encoding(encoding), expiry]


def _encoding(name: bytes) -> str:
    """Strings are embedded up to other lengths in Valkey, and hashes with fields that expire are large ones."""
    return {"embstr": "raw", "listpackex": "hashtable"}.get(name.decode(), name.decode())


def _same(one: Any, other: Any, tolerance: int, same_past: bool) -> bool:
    """Whether two descriptions of a key agree, clocks within the tolerance, and when consumers were seen left out.

    Without the ``same_past`` encodings may differ, as these tell what a value once was.
    """
    if one is None or other is None:
        return False
    if one[0] != other[0] or (same_past and one[2] != other[2] and not _known_encoding(one, other)):
        return False
    return _close(_without_seen(one), _without_seen(other), tolerance)


def _without_seen(described: Any) -> Any:
    kind, value, _, expiry = described
    if kind == "stream":
        value = {
            **value,
            "groups": [
                {**group, "consumers": [name for name, _, _ in group["consumers"]]} for group in value["groups"]
            ],
        }
    return [value, expiry]


def _known_encoding(one: Any, other: Any) -> bool:
    return {one[2], other[2]} in ({"int", "raw"}, {"listpack", "skiplist"})


def _close(one: Any, other: Any, tolerance: int) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_close(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[name], other[name], tolerance) for name in one)
    if one == other:
        return True
    return isinstance(one, int) and isinstance(other, int) and one > 1e12 and abs(one - other) <= tolerance
