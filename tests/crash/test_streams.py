"""kill -9 of a server whose streams are written and consumed: who had got what, and what was acknowledged, is known."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from support.resp import Closed, Connection
from support.servers import Server

Starter = Callable[..., Server]


class Worker(threading.Thread):
    """Does its work again and again until the connection ends."""

    def __init__(self, connection: Connection, work: Callable[[Connection], None]) -> None:
        super().__init__(daemon=True)
        self.connection = connection
        self.work = work
        self.failure: AssertionError | None = None

    def run(self) -> None:
        try:
            while True:
                self.work(self.connection)
        except AssertionError as failure:
            self.failure = failure
        except (Closed, OSError):
            return


class Ledger:
    """What the clients were told, each kind of thing noted after the reply that told it."""

    def __init__(self) -> None:
        self.added: list[bytes] = []
        self.taken: set[bytes] = set()
        self.delivered: dict[bytes, str] = {}
        self.acknowledged: set[bytes] = set()
        # Asked for, and perhaps done without a reply.
        self.asked: set[bytes] = set()

    def produce(self, connection: Connection) -> None:
        entry_id = connection.value("XADD", "s", "MAXLEN", "~", 100_000, "*", "field", "value")
        assert isinstance(entry_id, bytes)
        self.added.append(entry_id)

    def consume(self, name: str) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            reply = connection.value("XREADGROUP", "GROUP", "g", name, "COUNT", 5, "BLOCK", 20, "STREAMS", "s", ">")
            ids = [entry[0] for entry in reply[0][1]] if reply else []
            for entry_id in ids:
                assert entry_id not in self.taken, "delivered twice"
                self.taken.add(entry_id)
                # The thief may have been quicker to take note.
                self.delivered.setdefault(entry_id, name)
            for entry_id in ids[:3]:
                self.asked.add(entry_id)
                assert connection.value("XACK", "s", "g", entry_id) == 1
                self.acknowledged.add(entry_id)

        return work

    def steal(self, connection: Connection) -> None:
        """Takes over what others have not acknowledged."""
        cursor, claimed, gone = connection.value("XAUTOCLAIM", "s", "g", "thief", 0, "-", "COUNT", 3, "JUSTID")
        assert gone == []
        assert cursor is not None
        for entry_id in claimed:
            self.delivered[entry_id] = "thief"

    def check(self, server: Server) -> None:
        entries = {entry[0] for entry in server.call("XRANGE", "s", "-", "+")}  # type: ignore[attr-defined]
        assert entries >= set(self.added)
        pending: dict[bytes, str] = {}
        rows: Any = server.call("XPENDING", "s", "g", "-", "+", 10_000_000)
        for entry_id, owner, _, deliveries in rows:
            assert deliveries >= 1
            pending[entry_id] = owner.decode()
        assert not self.acknowledged & set(pending), "acknowledged, and yet pending"
        for entry_id, name in self.delivered.items():
            if entry_id not in self.asked:
                # It may have been stolen without a word.
                assert pending[entry_id] in (name, "thief"), "delivered, and neither pending nor acknowledged"
        groups: Any = server.call("XINFO", "GROUPS", "s")
        group = dict(zip(groups[0][::2], groups[0][1::2], strict=True))
        ordered = sorted(entries, key=_key)
        read = group[b"entries-read"]
        assert read >= len(self.delivered)
        assert group[b"lag"] == len(ordered) - read
        assert group[b"last-delivered-id"] == ordered[read - 1]


def _key(entry_id: bytes) -> tuple[int, int]:
    ms, _, seq = entry_id.partition(b"-")
    return int(ms), int(seq)


def test_consumer_groups_survive(start_durastore: Starter) -> None:
    server = start_durastore(appendonly="yes", appendfsync="always")
    server.call("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    ledger = Ledger()
    for during in ("PING", "BGREWRITEAOF"):
        works = [ledger.produce, ledger.produce, *(ledger.consume(name) for name in ("a", "b", "c")), ledger.steal]
        workers = [Worker(server.connect(), work) for work in works]
        for worker in workers:
            worker.start()
        time.sleep(0.3)
        server.call(during)
        time.sleep(random.random() * 0.3)
        server.kill()
        for worker in workers:
            worker.join(10)
            assert worker.failure is None
        server.start()
        ledger.check(server)
    assert ledger.acknowledged
    assert len(ledger.delivered) > len(ledger.acknowledged)
