"""Generated scripts, played to durastore and to a real server: the replies agree, and so does the data in the end.

``DURASTORE_GENERATED`` is how many commands to play, ``DURASTORE_GENERATED_SEED`` where to begin. A script that shows a
difference is cut down to the fewest requests that still show one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from support.comparison import TOLERANCE_MS, same
from support.generator import Generator, Request, data_commands
from support.resp import Connection, parse, request
from support.servers import Server

COMMANDS = int(os.environ.get("DURASTORE_GENERATED", "20000"))
SEED = int(os.environ.get("DURASTORE_GENERATED_SEED", "0"))
SCRIPT_SIZE = 200
DATABASES = (0, 1)


@dataclass
class Difference:
    """What the servers said to the request that they answered differently."""

    at: int
    request: Request
    ours: object
    theirs: object

    def __str__(self) -> str:
        return f"{shown(self.request)}\n    ours   {_short(self.ours)}\n    wanted {_short(self.theirs)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 1000 else f"{text[:1000]}... ({len(text)})"


def shown(words: Request) -> str:
    """A request as a line for redis-cli."""
    return " ".join(
        word.decode() if word.isalnum() else '"' + repr(word)[2:-1].replace('"', '\\"') + '"' for word in words
    )


class Pair:
    """A connection to each of the two servers."""

    def __init__(self, durastore: Server, valkey: Server, protocol: int) -> None:
        self.connections: tuple[Connection, Connection] = (durastore.connect(protocol), valkey.connect(protocol))

    def call(self, *words: bytes | str | int) -> list[Any]:
        """One request to both, parsed."""
        return [connection.value(*words) for connection in self.connections]

    def send(self, script: list[Request]) -> None:
        data = b"".join(request(*words) for words in script)
        for connection in self.connections:
            connection.send(data)

    def replies(self, script: list[Request]) -> Iterator[tuple[Request, bytes, bytes]]:
        """Plays requests in one pipeline."""
        self.send(script)
        ours, theirs = ([connection.read() for _ in script] for connection in self.connections)
        yield from zip(script, ours, theirs, strict=True)

    def empty(self) -> None:
        """Both servers without data, and the connections outside of a transaction."""
        self.send([[b"DISCARD"], [b"UNWATCH"], [b"FLUSHALL"], [b"SELECT", b"0"]])
        for connection in self.connections:
            for _ in range(4):
                connection.read()


def play(pair: Pair, script: list[Request], with_keys: bool = False) -> Difference | None:
    """The first difference that a script shows, from empty servers."""
    pair.empty()
    queued: list[Request] = []
    for at, (words, ours, theirs) in enumerate(pair.replies(script)):
        if not same(words, ours, theirs, queued) and not known(words, ours, theirs):
            return Difference(at, words, ours, theirs)
        if ours == b"+QUEUED\r\n":
            queued.append(words)
        elif words[0].upper() in (b"EXEC", b"DISCARD"):
            queued = []
    return _compare_keys(pair, script) if with_keys else _compare_data(pair, len(script))


def _compare_data(pair: Pair, at: int) -> Difference | None:
    for db in DATABASES:
        pair.call("SELECT", db)
        ours, theirs = (sorted(keys) for keys in pair.call("KEYS", "*"))
        if ours != theirs:
            return Difference(at, [b"KEYS", b"*"], ours, theirs)
        checks: list[Request] = []
        for key in ours:
            checks += [[b"DEBUG", b"DIGEST-VALUE", key], [b"PEXPIRETIME", key], [b"OBJECT", b"ENCODING", key]]
        for words, left, right in pair.replies(checks):
            if left == right or known(words, left, right):
                continue
            if words[0] == b"PEXPIRETIME" and abs(parse(left) - parse(right)) <= TOLERANCE_MS:
                continue
            return Difference(at, words, left, right)
    return None


def _compare_keys(pair: Pair, script: list[Request]) -> Difference | None:
    """COMMAND GETKEYSANDFLAGS says the same of every request, the malformed ones among them."""
    for at, (words, ours, theirs) in enumerate(
        pair.replies([[b"COMMAND", b"GETKEYSANDFLAGS", *words] for words in script])
    ):
        if ours != theirs and not known(words, ours, theirs):
            return Difference(at, words, ours, theirs)
    return None


def shrink(pair: Pair, script: list[Request], found: Difference) -> tuple[list[Request], Difference]:
    """The fewest requests of a script that show a difference in the same command."""
    script = script[: found.at + 1]
    step = len(script) // 2
    while step:
        at = 0
        while at < len(script):
            shorter = script[:at] + script[at + step :]
            other = play(pair, shorter)
            if other is not None and other.request[0].lower() == found.request[0].lower():
                script, found = shorter[: other.at + 1], other
            else:
                at += step
        step //= 2
    return script, found


def known(words: Request, ours: bytes, theirs: bytes) -> bool:
    """Whether Valkey 9.1 is known to answer otherwise than Redis 7.2, which durastore follows."""
    return any(
        (not names or words[0].lower() in names)
        and theirs.startswith(answer)
        and (wanted is None or ours.startswith(wanted))
        for names, answer, wanted, _ in KNOWN
    )


# Commands, how Valkey's answer begins, how Redis's and ours begins, and what it is about.
KNOWN: list[tuple[tuple[bytes, ...], bytes, bytes | None, str]] = [
    # Redis as well.
    (
        (b"object",),
        b"$6\r\nembstr",
        b"$3\r\nint",
        "what INCRBYFLOAT stores is not looked at, in Redis, until it is loaded",
    ),
    # Valkey 9.1.
    ((b"object",), b"$6\r\nembstr", b"$3\r\nraw", "Valkey embeds longer strings"),
    ((b"scan", b"sscan", b"hscan", b"zscan"), b"-ERR invalid cursor", b"*2\r\n", "Valkey reads cursors more strictly"),
]


@pytest.mark.parametrize("protocol", [2, 3])
def test_generated_scripts_have_the_same_effects(durastore: Server, valkey: Server, protocol: int) -> None:
    pair = Pair(durastore, valkey, protocol)
    for number in range(max(COMMANDS // 2 // SCRIPT_SIZE, 1)):
        seed = SEED * 1_000_000 + number * 10 + protocol
        script = Generator(seed).script(SCRIPT_SIZE)
        found = play(pair, script)
        if found is not None:
            shortest, found = shrink(pair, script, found)
            lines = "\n".join(shown(words) for words in shortest)
            pytest.fail(f"seed {seed}, RESP{protocol}:\n{lines}\n\n{found}", pytrace=False)


def test_keys_of_generated_requests_are_the_same(durastore: Server, valkey: Server) -> None:
    pair = Pair(durastore, valkey, 3)
    for number in range(max(COMMANDS // 10 // SCRIPT_SIZE, 1)):
        script = Generator(SEED * 1_000_000 + number * 10 + 5).script(SCRIPT_SIZE)
        found = _compare_keys(pair, script)
        assert found is None, str(found)


def test_every_data_command_is_generated() -> None:
    generator = Generator(SEED)
    made = {tuple(part.lower() for part in generator.request()[:2]) for _ in range(20_000)}
    names = {b"|".join(words) for words in made} | {words[0] for words in made}
    assert {command.name for command in data_commands()} <= names
