"""An engine without a process around it."""

from __future__ import annotations

from durastore.commands.client import Client, Host
from durastore.engine.engine import Engine
from durastore.engine.session import Session


class PlainHost(Host):
    """A host without passwords and without a disk."""

    def requires_password(self) -> bool:
        return False


def engine(now: int = 1_000_000) -> Engine:
    """An engine at a fixed time, with its journal on."""
    made = Engine(16, PlainHost())
    made.begin_wake(now)
    made.journal.enabled = True
    return made


def session(of: Engine, client_id: int = 1) -> Session:
    """A connection to an engine."""
    return Session(of, Client(client_id, of.instance), 512 << 20, 1 << 30)


def run(of: Session, *lines: bytes) -> bytes:
    """Sends inline requests; the replies."""
    of.feed(b"".join(line + b"\r\n" for line in lines))
    return of.take_output()
