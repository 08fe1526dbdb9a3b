"""A dataset's way through files from a real server to durastore and back, compared key by key at each step."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from support.mixed import Dataset, compare, send
from support.resp import parse
from support.servers import Server, durastore_server, valkey_binary, valkey_server

PLAIN = {"save": "", "appendonly": "no", "enable-debug-command": "yes"}
LOG = {**PLAIN, "appendonly": "yes", "auto-aof-rewrite-percentage": "0"}


class Step(NamedTuple):
    """What was done and found; ``compared`` is 0 for what is not a comparison."""

    name: str
    seconds: float
    compared: int
    differences: list[str]


def _digest(server: Server) -> object:
    """The digest of everything, which takes its time for a large dataset."""
    with server.connect() as connection:
        connection.sock.settimeout(600)
        return parse(connection.call("DEBUG", "DIGEST"))


class Crossing:
    """The steps, in a folder of their own; each is told to ``tell`` as soon as it is done."""

    def __init__(self, folder: Path, keys: int, changes: int, tell: Callable[[Step], None]) -> None:
        self.folder = folder
        self.changes = changes
        self.tell = tell
        self.dataset = Dataset(keys)

    def run(self) -> None:
        """RDB there and back, then logs of both kinds there and back."""
        theirs = self._folder("valkey-rdb")
        with self._server(valkey_server, theirs, PLAIN) as valkey:
            with self._timed("valkey-server is filled"), valkey.connect() as connection:
                send(connection, self.dataset.commands())
            assert valkey.call("SAVE") == "OK"
        self._rdb(theirs)
        for preamble in ("yes", "no"):
            self._logs(theirs, preamble)

    def _rdb(self, theirs: Path) -> None:
        ours, back = self._folder("durastore-rdb"), self._folder("valkey-rdb-again")
        shutil.copy(theirs / "dump.rdb", ours)
        with self._server(valkey_server, theirs, PLAIN) as valkey:
            with self._server(durastore_server, ours, PLAIN, "durastore loads valkey's RDB file") as durastore:
                self._compare("durastore, loaded from valkey's RDB file", durastore, valkey, times=True)
                with self._timed("durastore saves"):
                    assert durastore.call("SAVE") == "OK"
            self._check("valkey-check-rdb", ours / "dump.rdb")
            shutil.copy(ours / "dump.rdb", back)
            with self._server(valkey_server, back, PLAIN, "valkey loads durastore's RDB file") as again:
                self._compare("valkey, loaded from durastore's RDB file", again, valkey, times=True)

    def _logs(self, rdb: Path, preamble: str) -> None:
        base = "an RDB base" if preamble == "yes" else "a base of commands"
        directives = {**LOG, "aof-use-rdb-preamble": preamble}
        theirs, ours = self._folder(f"valkey-log-{preamble}"), self._folder(f"durastore-log-{preamble}")
        shutil.copy(rdb / "dump.rdb", theirs)
        with self._server(valkey_server, theirs, {**directives, "appendonly": "no"}) as valkey:
            assert valkey.call("CONFIG", "SET", "appendonly", "yes") == "OK"
            self._change(valkey)
        shutil.copytree(theirs / "appendonlydir", ours / "appendonlydir")
        with (
            self._server(valkey_server, theirs, directives) as valkey,
            self._server(durastore_server, ours, directives, f"durastore loads valkey's log with {base}") as durastore,
        ):
            self._compare(f"durastore, loaded from valkey's log with {base}", durastore, valkey)
            assert durastore.call("BGREWRITEAOF") == "Background append only file rewriting started"
            self._change(durastore)
            digest = _digest(durastore)
        self._check("valkey-check-aof", ours / "appendonlydir" / "appendonly.aof.manifest")
        back = self._folder(f"valkey-log-again-{preamble}")
        shutil.copytree(ours / "appendonlydir", back / "appendonlydir")
        with (
            self._server(durastore_server, ours, directives, f"durastore loads its own log with {base}") as durastore,
            self._server(valkey_server, back, directives, f"valkey loads durastore's log with {base}") as valkey,
        ):
            if not digest == _digest(durastore) == _digest(valkey):
                self.tell(Step("the digest before the restart", 0, 0, ["differs"]))
            self._compare(f"valkey, loaded from durastore's log with {base}", valkey, durastore)

    def _change(self, server: Server) -> None:
        """Changes in two incremental files: before and after the end of a rewrite."""
        with server.connect() as connection:
            send(connection, self.dataset.changes(self.changes // 2), errors=True)
            server.until_info("persistence", "aof_rewrite_in_progress", "0", 600)
            send(connection, self.dataset.changes(self.changes // 2), errors=True)

    def _folder(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir()
        return path

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.tell(Step(name, time.monotonic() - begun, 0, []))

    @contextmanager
    def _server(
        self,
        make: Callable[[Path, dict[str, str]], Server],
        folder: Path,
        directives: dict[str, str],
        name: str = "",
    ) -> Iterator[Server]:
        server = make(folder, dict(directives))
        begun = time.monotonic()
        server.start(seconds=900)
        if name:
            self.tell(Step(name, time.monotonic() - begun, 0, []))
        try:
            yield server
        finally:
            server.stop()

    def _compare(self, name: str, one: Server, other: Server, times: bool = False) -> None:
        begun = time.monotonic()
        compared, differences = compare(one, other, times)
        self.tell(Step(name, time.monotonic() - begun, compared, differences))

    def _check(self, tool: str, path: Path) -> None:
        begun = time.monotonic()
        done = subprocess.run([*valkey_binary(tool), str(path)], capture_output=True, text=True)
        complaints = [] if done.returncode == 0 else [done.stdout[-500:] + done.stderr]
        self.tell(Step(f"{tool} reads durastore's files", time.monotonic() - begun, 0, complaints))
