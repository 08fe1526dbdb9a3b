"""Scenes with several connections, played to two servers whose replies are compared.

A scene is lines ``name what``:

- ``a> blpop k 1``: connection ``a`` sends, and its reply is read;
- ``a: blpop k 0``: it sends, and the scene goes on when the server has it blocked;
- ``a<``: a reply of it is read, which must come without its sending anything more;
- ``a;``: it is closed, and the scene goes on when the server knows;
- ``a!``: all that still comes of it is read, until the server closes it;
- ``?``: which of the connections are blocked.

Connection ids in lines are written ``{a}``, addresses ``{a_addr}`` and ``{a_laddr}``.
"""

from __future__ import annotations

import time

from durastore.protocol.parser import split_line
from support.resp import Connection, request
from support.servers import Server

SECONDS = 30.0


class Scene:
    """One scene on one server."""

    def __init__(self, server: Server, protocol: int) -> None:
        self._server = server
        self._protocol = protocol
        self._control = server.connect()
        self._connections: dict[str, Connection] = {}
        self._ids: dict[str, int] = {}
        self._words: dict[str, object] = {}

    def play(self, script: str) -> list[tuple[str, bytes]]:
        """Plays all lines; each with what came of it."""
        found = []
        for raw in script.strip().splitlines():
            line = raw.strip()
            found.append((line, self._step(line)))
        for connection in self._connections.values():
            connection.close()
        self._control.close()
        return found

    def _step(self, line: str) -> bytes:
        if line == "?":
            return " ".join(name for name in sorted(self._connections) if self._blocked(name)).encode()
        name, kind, rest = line[0], line[1], line[2:]
        connection = self._connection(name)
        if kind == "<":
            return connection.read()
        if kind == "!":
            rest = connection.rest()
            connection.close()
            del self._connections[name]
            return rest
        if kind == ";":
            connection.close()
            del self._connections[name]
            self._until(lambda: self._flags(self._ids[name]) is None)
            return b""
        words = split_line(rest.format(**self._words).encode())
        assert words is not None
        connection.send(request(*words))
        if kind == ">":
            return connection.read()
        assert kind == ":", line
        self._until(lambda: self._blocked(name))
        return b""

    def _connection(self, name: str) -> Connection:
        if name not in self._connections:
            connection = self._connections[name] = self._server.connect(self._protocol)
            self._ids[name] = connection.value("CLIENT", "ID")
            self._words[name] = self._ids[name]
            self._words[f"{name}_addr"] = "{}:{}".format(*connection.sock.getsockname())
            self._words[f"{name}_laddr"] = "{}:{}".format(*connection.sock.getpeername())
        return self._connections[name]

    def _flags(self, client_id: int) -> str | None:
        text = self._control.value("CLIENT", "LIST", "ID", client_id).decode()
        for field in text.split():
            key, _, value = field.partition("=")
            if key == "flags":
                return str(value)
        return None

    def _blocked(self, name: str) -> bool:
        flags = self._flags(self._ids[name])
        return flags is not None and "b" in flags

    @staticmethod
    def _until(condition: object) -> None:
        assert callable(condition)
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end


def assert_same_scenes(durastore: Server, judge: Server, script: str, protocol: int) -> None:
    """Plays a scene to both; everything that comes of it is the same."""
    wrong = []
    ours = Scene(durastore, protocol).play(script)
    theirs = Scene(judge, protocol).play(script)
    for (line, reply), (_, answer) in zip(ours, theirs, strict=True):
        if reply != answer:
            wrong.append(f"{line}\n    ours   {reply[:300]!r}\n    wanted {answer[:300]!r}")
    assert not wrong, "\n".join(wrong)
