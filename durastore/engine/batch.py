"""Requests that are parsed ahead of their execution, so that memory can fetch their keys side by side."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands.tablerow import Command
from durastore.keyspace.chunked import Chunk, Chunked
from durastore.keyspace.compact import Directory, prefetch
from durastore.keyspace.database import Database
from durastore.keyspace.segment import Segment
from durastore.keyspace.values import Value

# How many requests are parsed ahead at most, and about how many words they may have.
BATCH: Final = 32
WORDS: Final = 128
# How many keys are fetched side by side at most.
KEYS: Final = 64
# A database of fewer keys lies in the processor's caches anyhow.
LARGE: Final = 8192


@final
class Request:
    """A request, its command (None: unknown), and where it stands in the input (``start`` -1: nowhere as a whole)."""

    def __init__(self) -> None:
        self.argv: list[bytes] = []
        self.command: Command | None = None
        self.start: i64 = -1
        self.end: i64 = 0


@final
class Batch:
    """Requests in the order in which they came; the first ``count`` of ``requests`` are in use."""

    def __init__(self) -> None:
        self.requests: list[Request] = [Request() for _ in range(BATCH)]
        self.count: i64 = 0
        self.words: i64 = 0
        self.nothing: list[bytes] = []
        # Whether its requests are being run.
        self.running = False

    def prefetch(self, db: Database) -> None:
        """Has the keys of the requests fetched, and what they look for in large containers.

        A request that selects another database first just gains nothing.
        """
        if self.words > 3:
            if db.table.count >= LARGE:
                self._prefetch_keys(db)
            self._prefetch_elements(db)

    def _prefetch_keys(self, db: Database) -> None:
        table = db.table
        directories: list[Directory[Segment]] = []
        keys: list[bytes] = []
        i: i64 = 0
        while i < self.count and len(keys) < KEYS:
            request = self.requests[i]
            i += 1
            command = request.command
            if command is None or command.first_key == 0:
                continue
            argv = request.argv
            size: i64 = len(argv)
            last: i64 = command.last_key
            if last < 0:
                last += size
            position: i64 = command.first_key
            while position <= last and position < size and len(keys) < KEYS:
                key = argv[position]
                directories.append(table.directory)
                keys.append(key)
                position += command.key_step
        if len(keys) > 1:
            prefetch(directories, keys)

    def _prefetch_elements(self, db: Database) -> None:
        directories: list[Directory[Chunk]] = []
        elements: list[bytes] = []
        container: Chunked | None = None
        known = b""
        i: i64 = 0
        while i < self.count and len(elements) < KEYS:
            request = self.requests[i]
            i += 1
            command = request.command
            if command is None or command.first_element == 0:
                continue
            argv = request.argv
            size: i64 = len(argv)
            position: i64 = command.first_element
            if position >= size:
                continue
            key = argv[1]
            if key != known:
                known = key
                value = db.table.find(key).items[key]
                container = value.elements() if isinstance(value, Value) else None
                if container is not None and container.count < LARGE:
                    container = None
            if container is None:
                continue
            while position < size and len(elements) < KEYS:
                element = argv[position]
                directories.append(container.directory)
                elements.append(element)
                if command.element_step == 0:
                    break
                position += command.element_step
        if len(elements) > 1:
            prefetch(directories, elements)
