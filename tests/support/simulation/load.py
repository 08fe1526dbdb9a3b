"""What clients ask for, what they were answered, and what they were promised by that.

Each write pushes its own name onto the list ``log``, alone or in a transaction with a change of other keys that its
name determines.  So the list tells in which order everything was done, and the whole dataset follows from it.
"""

from __future__ import annotations

import functools
import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from support.resp import _parse, request

State = dict[str, Any]


@functools.lru_cache(10_000)
def changes_of(name: str) -> list[tuple[str, ...]]:
    """The commands that stand in one transaction with the push of this name."""
    chance = random.Random(name)
    key = chance.randrange(3)
    found: list[tuple[str, ...]] = []
    for _ in range(chance.randrange(1, 4)):
        found.append(
            chance.choice(
                [
                    ("INCR", "count"),
                    ("SET", f"text:{key}", name),
                    ("APPEND", f"text:{key}", name),
                    ("SET", "long", name * 400),
                    ("DEL", f"text:{key}"),
                    ("HSET", f"hash:{key}", f"f{chance.randrange(4)}", name),
                    ("HDEL", f"hash:{key}", f"f{chance.randrange(4)}"),
                    ("SADD", f"set:{key}", f"m{chance.randrange(6)}"),
                    ("SREM", f"set:{key}", f"m{chance.randrange(6)}"),
                    ("ZADD", f"zset:{key}", str(chance.randrange(9)), f"m{chance.randrange(6)}"),
                    ("DEL", f"zset:{key}"),
                ]
            )
        )
    return found


def is_alone(name: str) -> bool:
    """Whether the push of this name stands alone."""
    return name.startswith("p")


def expected(names: list[str]) -> State:
    """The dataset after these writes, without ``log`` itself: of each key its type and content, as text."""
    state: State = {}
    for name in names:
        if not is_alone(name):
            for change in changes_of(name):
                _apply(state, change)
    return {key: (kind, _plain(kind, value)) for key, (kind, value) in state.items() if value}


def _apply(state: State, change: tuple[str, ...]) -> None:
    command, key, *words = change
    kind = {"H": "hash", "Z": "zset", "S": "set"}[command[0]] if command[1:] in ("SET", "DEL", "ADD", "REM") else ""
    if command in ("HSET", "HDEL"):
        value = state.setdefault(key, ("hash", {}))[1]
        if command == "HSET":
            value[words[0]] = words[1]
        else:
            value.pop(words[0], None)
    elif kind == "set":
        value = state.setdefault(key, ("set", set()))[1]
        (value.add if command == "SADD" else value.discard)(words[0])
    elif kind == "zset":
        state.setdefault(key, ("zset", {}))[1][words[1]] = float(words[0])
    elif command == "DEL":
        state.pop(key, None)
    elif command == "INCR":
        state[key] = ("string", str(int(state.get(key, ("", "0"))[1]) + 1))
    elif command == "APPEND":
        state[key] = ("string", state.get(key, ("", ""))[1] + words[0])
    else:
        state[key] = ("string", words[0])


def _plain(kind: str, value: Any) -> Any:
    """As ``describe_value`` tells it."""
    if kind == "hash":
        return sorted([f, v, -1] for f, v in value.items())
    if kind == "set":
        return sorted(value)
    if kind == "zset":
        return sorted([member, repr(score)] for member, score in value.items())
    return value


@dataclass(frozen=True)
class Promise:
    """What must be there after a crash: so many of the writes of the list, of each client's own keys so many, and of
    the writes that a snapshot held which was answered for."""

    listed: int = 0
    own: tuple[tuple[int, int], ...] = ()
    saved: int = 0


@dataclass
class Ledger:
    """All that was asked and answered in one life."""

    sent: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    # The place in the list at which a write was answered to be.
    placed: dict[int, str] = field(default_factory=dict)
    # What was answered, whatever the policy; own: client -> how many of its own keys.
    listed: int = 0
    own: dict[int, int] = field(default_factory=dict)
    own_sent: dict[int, int] = field(default_factory=dict)
    sure: Promise = Promise()
    saved: int = 0
    # Where snapshots began: how long the list was then.
    starts: set[int] = field(default_factory=set)

    def answered(self) -> Promise:
        return Promise(self.listed, tuple(sorted(self.own.items())))

    def promise(self, what: Promise) -> None:
        """From now on this must not be lost."""
        own = dict(self.sure.own)
        for client, count in what.own:
            own[client] = max(own.get(client, 0), count)
        self.sure = Promise(max(self.sure.listed, what.listed), tuple(sorted(own.items())))

    def now(self) -> Promise:
        return Promise(self.sure.listed, self.sure.own, self.saved)


@dataclass
class Asked:
    """Requests that went out together; ``replies`` are still to come, of which the last tells."""

    kind: str
    name: str
    replies: int
    last: bytes = b""
    failed: bool = False


class Peer:
    """A client: its end of a connection, and what it waits for."""

    def __init__(self, number: int, ledger: Ledger, sock: socket.socket) -> None:
        self.number = number
        self.ledger = ledger
        self.sock = sock
        self.closed = False
        self.waiting: list[Asked] = []
        self._buffer = b""

    def send(self, asked: Iterable[tuple[Asked, bytes]]) -> None:
        data = b""
        for each, words in asked:
            self.waiting.append(each)
            data += words
        try:
            self.sock.send(data)
        except OSError:
            self.closed = True

    def drain(self, promising: bool, reads_promise: bool) -> None:
        """Takes what has been answered by now."""
        while not self.closed:
            try:
                data = self.sock.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.closed = True
            self._buffer += data
        while self.waiting:
            try:
                _, end = _parse(self._buffer, 0)
            except (ValueError, IndexError):
                break
            if end > len(self._buffer):
                break
            self._reply(self._buffer[:end], promising, reads_promise)
            self._buffer = self._buffer[end:]
        if not reads_promise:
            # While the log cannot be written, a read tells what is in no file yet.
            for asked in self.waiting:
                if asked.kind == "read":
                    asked.kind = "glance"

    def _reply(self, reply: bytes, promising: bool, reads_promise: bool) -> None:
        asked = self.waiting[0]
        asked.replies -= 1
        asked.last = reply
        asked.failed |= reply.startswith(b"-")
        if asked.replies:
            return
        del self.waiting[0]
        ledger = self.ledger
        if asked.kind in ("admin", "glance"):
            return
        if asked.failed:
            assert reply.startswith((b"-MISCONF", b"-EXECABORT")), reply
            if asked.kind == "own":
                ledger.own_sent[self.number] -= 1
            else:
                ledger.refused.add(asked.name)
            return
        if asked.kind == "own":
            ledger.own[self.number] = int(asked.name)
        elif asked.kind == "read":
            if reads_promise:
                ledger.promise(Promise(int(reply[1:])))
            return
        else:
            place = int((reply.split(b"\r\n")[1] if reply.startswith(b"*") else reply)[1:])
            assert place not in ledger.placed, "two writes were told the same place"
            ledger.placed[place] = asked.name
            ledger.listed = max(ledger.listed, place)
        if promising:
            ledger.promise(ledger.answered())


def next_requests(chance: random.Random, ledger: Ledger, client: int, count: int) -> list[tuple[Asked, bytes]]:
    """What a client sends next; ``count`` are the writes that it has sent so far."""
    kind = chance.choice(["pair", "pair", "alone", "pipeline", "own", "read"])
    if kind == "read":
        return [(Asked("read", "", 1), request("LLEN", "log"))]
    if kind == "own":
        number = ledger.own_sent[client] = ledger.own_sent.get(client, 0) + 1
        return [(Asked("own", str(number), 1), request("SET", f"own:{client}:{number}", number))]
    found = []
    for i in range(chance.randrange(2, 5) if kind == "pipeline" else 1):
        name = f"{'t' if kind == 'pair' else 'p'}{client}.{count + i}"
        ledger.sent.add(name)
        push = request("RPUSH", "log", name)
        if kind != "pair":
            found.append((Asked("write", name, 1), push))
            continue
        changes = changes_of(name)
        body = b"".join(request(*change) for change in changes)
        found.append((Asked("write", name, len(changes) + 3), request("MULTI") + push + body + request("EXEC")))
    return found
