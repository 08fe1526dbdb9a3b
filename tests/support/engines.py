"""An engine without a process around it."""

from __future__ import annotations

from durastore.commands.channels import PATTERN
from durastore.commands.client import Client, Host
from durastore.commands.events import kinds_of
from durastore.engine.engine import Engine
from durastore.engine.session import Session
from durastore.persistence.rdb import load_dump
from durastore.protocol.parser import REQUEST, RequestParser


class PlainHost(Host):
    """A host without a disk."""

    def __init__(self) -> None:
        self.connected: list[Client] = []

    def clients(self) -> list[Client]:
        return self.connected

    def is_secret(self, name: bytes) -> bool:
        return False

    def measure(self, client: Client) -> None:
        pass

    def close(self, client: Client) -> None:
        client.closing = True

    def restore(self, payload: bytes) -> object:
        return load_dump(payload)

    def write_error(self) -> bytes | None:
        return None


def engine(now: int = 1_000_000) -> Engine:
    """An engine at a fixed time, with its journal on."""
    made = Engine(16, PlainHost())
    made.begin_wake(now)
    made.journal.enabled = True
    return made


def session(of: Engine, client_id: int = 1) -> Session:
    """A connection to an engine."""
    client = Client(client_id, of.instance)
    host = of.instance.host
    assert isinstance(host, PlainHost)
    host.connected.append(client)
    return Session(of, client, 512 << 20, 1 << 30)


class Listener:
    """Somebody who listens to the keyspace events of an engine, by default to all but misses and new keys."""

    def __init__(self, of: Engine, letters: str = "g$lshzxet") -> None:
        self._client = Client(99, of.instance)
        of.instance.channels.subscribe(self._client, PATTERN, b"__keyevent@*__:*")
        of.instance.events.choose(kinds_of("E" + letters))
        of.update_guard()

    def told(self) -> str:
        """What was told since the last call: ``event:key event:key``, and ``database:event:key`` beyond database 0."""
        parser = RequestParser(1 << 20, 1 << 20)
        parser.feed(self._client.reply.take())
        told = []
        while parser.next() == REQUEST:
            _, _, channel, key = parser.argv
            db, _, event = channel.removeprefix(b"__keyevent@").partition(b"__:")
            told.append((b"" if db == b"0" else db + b":") + event + b":" + key)
        return b" ".join(told).decode()


def run(of: Session, *lines: bytes) -> bytes:
    """Sends inline requests; the replies."""
    of.feed(b"".join(line + b"\r\n" for line in lines))
    return of.take_output()
