"""A whole server in this process, on a disk that a test has made."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import trio

from durastore.config import Config
from durastore.engine.session import Session as EngineSession
from durastore.persistence.disk import Disk
from durastore.server.server import Server
from durastore.server.supervision import Supervision
from support.resp import request


def make_server(folder: Path, disk: Disk, **directives: str) -> Server:
    """A server over a disk; ``folder`` is a real folder, for its socket."""
    config = Config()
    words = {"dir": str(folder), "port": "0", "unixsocket": "s", "save": "", "hz": "500", **directives}
    for name, value in words.items():
        config.load(name.replace("_", "-").encode(), [word.encode() for word in value.split()] or [b""], False)
    return Server(config, Supervision(config, {}), disk)


def without_socket(server: Server) -> EngineSession:
    """A connection to a server, without a socket."""
    return EngineSession(server.engine, server.admission.new_client(), 512 << 20, 1 << 30)


class Session:
    """A connection to a server in this process."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffer = b""

    async def call(self, *words: bytes | str | int) -> bytes | None:
        """The reply, as it came (for one that is a line or a bulk string); None where the connection was cut off."""
        try:
            await self._stream.send_all(request(*words))
            line = await self._until(b"\r\n")
            if line.startswith(b"$") and line != b"$-1\r\n":
                while len(self._buffer) < int(line[1:]) + 2:
                    await self._more()
                line, self._buffer = self._buffer[: int(line[1:])], self._buffer[int(line[1:]) + 2 :]
            return line
        except (EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
            await self.close()
            return None

    async def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            await self._more()
        line, _, self._buffer = self._buffer.partition(end)
        return line + end

    async def _more(self) -> None:
        data = await self._stream.receive_some()
        if not data:
            raise EOFError
        self._buffer += data

    async def close(self) -> None:
        await trio.aclose_forcefully(self._stream)


class Running:
    """A server that runs, or has ended with ``status``."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.status: int | None = None
        self.ended = trio.Event()

    async def run(self) -> None:
        self.status = await self.server.run()
        self.ended.set()

    async def connect(self) -> Session | None:
        """A connection to the server when it is ready; None where it has ended."""
        path = self.server.config.resolve("s")
        while not self.ended.is_set():
            with contextlib.suppress(OSError):
                session = Session(await trio.open_unix_socket(path))
                if await session.call("PING") == b"+PONG\r\n":
                    return session
                await session.close()
            await trio.sleep(0.001)
        return None


@contextlib.asynccontextmanager
async def running(server: Server) -> AsyncIterator[Running]:
    """Runs a server; at the end it is cut off where it stands."""
    async with trio.open_nursery() as nursery:
        run = Running(server)
        nursery.start_soon(run.run)
        yield run
        nursery.cancel_scope.cancel()
