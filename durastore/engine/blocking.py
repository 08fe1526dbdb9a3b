"""Clients that wait for keys (https://redis.io/docs/latest/develop/reference/blocking-commands/).

A command that finds nothing to take raises ``Blocked`` (commands/client.py); its session then waits here, in a queue
for each of its keys.  The keyspace notes the waited keys that were stored, have grown or are gone
(``Database.signal``).  ``serve`` is called after each command or transaction: key by key in the order in which they
were noted, client by client in the order in which they came, it runs the waiting command again, which either succeeds
or waits anew, at the end of the queues.  Keys that this makes ready are served after all that were ready before.

There is neither a task nor a thread for a client: deadlines are a heap, and the process around the engine calls
``time_out`` when it is time (``Waker.wake_at``).
"""

from __future__ import annotations

import heapq
from itertools import islice
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from durastore.commands.client import Blocked, Client
from durastore.keyspace.database import Database, WaitedKey
from durastore.keyspace.keyspace import Keyspace
from durastore.keyspace.values import type_name

# How many waiting clients of a key are looked at in one go.
_BATCH: Final = 32
# Deadlines of clients that have been served stay in the heap until they are this many, and the greater part.
_STALE: Final = 64
_UNBLOCKED: Final = b"UNBLOCKED client unblocked via CLIENT UNBLOCK"


@mypyc_attr(allow_interpreted_subclasses=True)
class Waker:
    """What the process around the engine does for blocked clients."""

    def wake(self, session: Blockable) -> None:
        """Another client's command, or the clock, ended the wait of this session: it has output, and may go on."""

    def wake_at(self, when: int) -> None:
        """``Blocking.time_out`` is to be called at this time (Unix milliseconds)."""


@mypyc_attr(allow_interpreted_subclasses=False)
class Blockable:
    """A session as this module sees it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.waiting: Waiting | None = None

    def run_again(self, deadline: i64) -> None:
        """Runs the command that waits; should it wait again, then until the same deadline."""
        raise NotImplementedError

    def give_up(self, error: bytes) -> None:
        """Answers the command that waits with an error or, where that is empty, with the null of a timeout."""
        raise NotImplementedError


@final
class Waiting:
    """The wait of one session."""

    def __init__(self, session: Blockable, request: Blocked, db: Database, deadline: i64, number: int) -> None:
        self.session = session
        self.kind = request.kind
        self.keys: list[bytes] = list(dict.fromkeys(request.keys))
        self.without_key = request.without_key
        self.for_log = request.for_log
        self.runs_at_deadline = request.runs_at_deadline
        self.db = db
        # Unix milliseconds; 0: none.
        self.deadline: i64 = deadline
        self.number = number
        self.over = False


@final
class Queue(WaitedKey):
    """Those who wait for one key, in the order in which they came."""

    def __init__(self, db: Database, key: bytes) -> None:
        super().__init__(db, key)
        self.waiting: dict[Waiting, None] = {}
        # How many of them want to hear as well that the key is gone or has another type.
        self.without_key: i64 = 0


@final
class Blocking:
    """All blocked clients of an engine."""

    def __init__(self, keyspace: Keyspace) -> None:
        self.keyspace = keyspace
        self.waker = Waker()
        self.blocked: dict[int, Waiting] = {}
        # Those of them who wait for the log.
        self.for_log: dict[Waiting, None] = {}
        self._heap: list[tuple[int, int, Waiting]] = []
        self._stale: i64 = 0
        self._numbers = 0
        self._serving = False

    def block(self, session: Blockable, request: Blocked, deadline: i64) -> None:
        """Puts a session into the queues of its keys; the deadline is Unix milliseconds, or 0."""
        self._numbers += 1
        db = session.client.db
        waiting = Waiting(session, request, db, deadline, self._numbers)
        session.waiting = waiting
        self.blocked[session.client.id] = waiting
        if waiting.for_log:
            self.for_log[waiting] = None
        for key in waiting.keys:
            waited = db.waited.get(key)
            if waited is None:
                waited = Queue(db, key)
                db.waited[key] = waited
            assert isinstance(waited, Queue)
            waited.waiting[waiting] = None
            if waiting.without_key:
                waited.without_key += 1
        if deadline:
            heap = self._heap
            heapq.heappush(heap, (int(deadline), self._numbers, waiting))
            if heap[0][2] is waiting:
                self.waker.wake_at(int(deadline))

    def leave(self, session: Blockable) -> None:
        """Ends a session's wait: takes it out of all queues."""
        waiting = session.waiting
        if waiting is None:
            return
        session.waiting = None
        waiting.over = True
        del self.blocked[session.client.id]
        if waiting.for_log:
            del self.for_log[waiting]
        waited_keys = waiting.db.waited
        for key in waiting.keys:
            queue = waited_keys[key]
            assert isinstance(queue, Queue)
            del queue.waiting[waiting]
            if waiting.without_key:
                queue.without_key -= 1
            if not queue.waiting:
                del waited_keys[key]
        if waiting.deadline:
            self._stale += 1
            if self._stale > _STALE and self._stale * 2 > len(self._heap):
                self._heap = [entry for entry in self._heap if not entry[2].over]
                heapq.heapify(self._heap)
                self._stale = 0

    def serve(self) -> None:
        """Runs again the commands of clients whose keys have been noted."""
        if self._serving:
            return
        self._serving = True
        ready = self.keyspace.ready
        try:
            while ready:
                batch = ready.copy()
                ready.clear()
                for queue in batch:
                    queue.noted = False
                    assert isinstance(queue, Queue)
                    self._serve_key(queue)
        finally:
            self._serving = False

    def _serve_key(self, queue: Queue) -> None:
        db = queue.db
        # Each client is looked at once, though it may come back to the end of the queue.
        left: i64 = len(queue.waiting)
        passed: i64 = 0
        while left > 0:
            for waiting in list(islice(queue.waiting, passed, passed + min(left, _BATCH))):
                left -= 1
                if waiting.over:
                    continue
                value = db.lookup(queue.key, self.keyspace.now)
                if value is None and queue.without_key == 0:
                    return
                if waiting.without_key or (value is not None and type_name(value) == waiting.kind):
                    session = waiting.session
                    self.leave(session)
                    session.run_again(waiting.deadline)
                    self.waker.wake(session)
                else:
                    passed += 1

    def log_reaches(self, durable: i64) -> bool:
        """Whether anybody waits for the log to be durable up to an offset that it has reached."""
        return any(waiting.session.client.log_offset <= durable for waiting in self.for_log)

    def serve_log(self, durable: i64) -> None:
        """Runs again the commands that waited for the log to be durable up to an offset that it has reached."""
        for waiting in list(self.for_log):
            session = waiting.session
            if session.client.log_offset <= durable:
                self.leave(session)
                session.run_again(waiting.deadline)
                self.waker.wake(session)

    def time_out(self, now: i64) -> None:
        """Ends the waits whose time is up."""
        while self._heap:
            deadline, _, waiting = self._heap[0]
            if not waiting.over and deadline > now:
                self.waker.wake_at(deadline)
                break
            heapq.heappop(self._heap)
            if waiting.over:
                self._stale -= 1
            else:
                # There is no entry left to become stale.
                waiting.deadline = 0
                self._end(waiting, b"")

    def unblock(self, client_id: int, error: bool) -> bool:
        """CLIENT UNBLOCK; whether the client was waiting."""
        waiting = self.blocked.get(client_id)
        if waiting is None:
            return False
        self._end(waiting, _UNBLOCKED if error else b"")
        return True

    def _end(self, waiting: Waiting, error: bytes) -> None:
        session = waiting.session
        self.leave(session)
        if waiting.runs_at_deadline and not error:
            session.client.time_is_up = True
            session.run_again(waiting.deadline)
            session.client.time_is_up = False
        else:
            session.give_up(error)
        self.waker.wake(session)

    def timeouts(self) -> int:
        """How many clients wait with a deadline."""
        return len(self._heap) - int(self._stale)

    def keys(self) -> tuple[int, int]:
        """How many keys are waited for, and for how many the end of the key is waited for as well."""
        total = without = 0
        for db in self.keyspace.databases:
            total += len(db.waited)
            for queue in db.waited.values():
                assert isinstance(queue, Queue)
                without += 1 if queue.without_key else 0
        return total, without
