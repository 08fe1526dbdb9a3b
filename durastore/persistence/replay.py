"""What is read from disk goes into an engine: RDB entries into its keyspace, and commands are run."""

from __future__ import annotations

import time
from collections.abc import Iterator

from durastore.engine.engine import Engine
from durastore.engine.session import Session, replay_session
from durastore.persistence.aof.manifest import AofError
from durastore.persistence.aof.reader import AofReader, TornTail, complaint
from durastore.persistence.loading import RdbLoading
from durastore.persistence.rdb import RdbError, RdbReader
from durastore.persistence.walk import Sink

# How long loading keeps the event loop at a time, in seconds.
SLICE = 0.01


class Replay(Sink):
    """Fills an engine, and counts the keys of the last RDB part."""

    def __init__(self, engine: Engine) -> None:
        self.limits = engine.instance.keyspace.limits
        self.keys_loaded = 0
        self.keys_expired = 0
        # What the dataset of that part took where it was written, in bytes.
        self.used_memory = 0
        self._engine = engine
        self._session: Session | None = None

    def entries(self, reader: RdbReader, now: int, merge: bool) -> Iterator[None]:
        """See Sink."""
        loading = RdbLoading(reader, self._engine.instance.keyspace, now, merge)
        while not loading.step(time.perf_counter() + SLICE, time.perf_counter):
            self.keys_loaded = int(loading.keys_loaded)
            self.used_memory = reader.aux_number(b"used-mem")
            yield
        self.keys_loaded = int(loading.keys_loaded)
        self.keys_expired = int(loading.keys_expired)
        load_libraries(self._engine, reader)

    def in_transaction(self) -> bool:
        """See Sink."""
        return self._session is not None and self._session.client.in_multi

    def commands(self, reader: AofReader, path: str) -> Iterator[None]:
        """See Sink."""
        engine = self._engine
        session = self._session = replay_session(engine)
        parser = session.parser
        deadline = time.perf_counter() + SLICE
        while True:
            offset = int(reader.offset)
            piece = reader.next_piece(parser.at_boundary())
            if piece is None:
                break
            engine.begin_wake(int(time.time() * 1000))
            session.feed(piece)
            session.take_output()
            if session.client.closing:
                raise _failure(session, reader, offset, path)
            if time.perf_counter() >= deadline:
                yield
                deadline = time.perf_counter() + SLICE
        if self.in_transaction():
            raise TornTail(int(reader.offset), "the file ends within a transaction")


def load_libraries(engine: Engine, reader: RdbReader) -> None:
    """Makes the libraries of functions callable that the engine's keyspace has from a file.  Raises RdbError."""
    complaint = engine.programs.reload_libraries()
    if complaint is not None:
        raise RdbError(int(reader.offset), f"a library of functions: {complaint.decode('utf-8', 'replace')}")


def _failure(session: Session, reader: AofReader, offset: int, path: str) -> AofError:
    # A session that ends without a failure has met QUIT, or a bug of ours: what stands behind it was not run.
    reason = complaint(session.failure) or f"the command {session.client.last_command!r} ended the replay"
    if not reader.verified:
        reason += f" (in the {reader.offset - offset} bytes from there on)"
    return AofError(path, offset, reason, vague=not reader.verified)
