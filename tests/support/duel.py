"""Plays scripts to two servers at once, and cuts a script that shows a difference down to the fewest requests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from durastore.commands.tablerow import Command
from support.command_tables import after_redis72
from support.comparison import TOLERANCE_MS, same
from support.generator import Request
from support.resp import Connection, parse, request
from support.servers import Server

DATABASES = (0, 1)
Told = Callable[[Request, bytes], None]


@dataclass
class Difference:
    """What the servers said to the request that they answered differently."""

    at: int
    request: Request
    ours: object
    theirs: object

    def __str__(self) -> str:
        return f"{shown(self.request)}\n    ours   {_short(self.ours)}\n    wanted {_short(self.theirs)}"


def _pairs(fields: dict[bytes, bytes] | list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(fields.items()) if isinstance(fields, dict) else list(zip(fields[::2], fields[1::2], strict=True))


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

    def __init__(self, durastore: Server, judge: Server, protocol: int) -> None:
        self.durastore, self.judge = durastore, judge
        self.connections: tuple[Connection, Connection] = (durastore.connect(protocol), judge.connect(protocol))
        self.known = {name.decode() for name in self.connections[1].value("COMMAND", "LIST")}

    def knows(self, command: Command) -> bool:
        """Whether the judge has a command."""
        return command.spec.name.partition("|")[0] in self.known

    def agrees_on(self, command: Command) -> bool:
        """Whether it is the judge's command that durastore has, and not a younger one of the same name."""
        return self.knows(command) and not after_redis72(command.spec.since)

    def call(self, *words: bytes | str | int) -> list[Any]:
        """One request to both, parsed."""
        return [connection.value(*words) for connection in self.connections]

    def same_hashes(self, key: bytes) -> bool:
        """Whether a key holds hashes of the same fields, values and expiries."""
        if self.call("TYPE", key) != ["hash", "hash"]:
            return False
        ours, theirs = (dict(_pairs(flat)) for flat in self.call("HGETALL", key))
        times: Request = [b"HPEXPIRETIME", key, b"FIELDS", b"%d" % len(ours), *ours]
        return ours == theirs and all(same(times, left, right, [], known) for _, left, right in self.replies([times]))

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


def play(pair: Pair, script: list[Request]) -> Difference | None:
    """The first difference that a script shows, from empty servers."""
    pair.empty()
    return play_on(pair, script)


def play_on(pair: Pair, script: list[Request], told: Told | None = None) -> Difference | None:
    """The first difference that a script shows, with the data that there are; each request and reply is ``told``."""
    queued: list[Request] = []
    for at, (words, ours, theirs) in enumerate(pair.replies(script)):
        if told is not None:
            told(words, ours)
        if not same(words, ours, theirs, queued, known):
            return Difference(at, words, ours, theirs)
        if ours == b"+QUEUED\r\n":
            queued.append(words)
        elif words[0].upper() in (b"EXEC", b"DISCARD"):
            queued = []
    return compare_data(pair, len(script))


def compare_data(pair: Pair, at: int) -> Difference | None:
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
            if words[1] == b"DIGEST-VALUE" and pair.same_hashes(words[2]):
                # Valkey's digest leaves out which fields expire.
                continue
            if words[0] == b"PEXPIRETIME" and abs(parse(left) - parse(right)) <= TOLERANCE_MS:
                continue
            return Difference(at, words, left, right)
    return None


def compare_keys(pair: Pair, script: list[Request]) -> Difference | None:
    """COMMAND GETKEYSANDFLAGS says the same of every request, the malformed ones among them."""
    for at, (words, ours, theirs) in enumerate(
        pair.replies([[b"COMMAND", b"GETKEYSANDFLAGS", *words] for words in script])
    ):
        if ours != theirs and (REDIS_JUDGES or words[2].lower() not in FLAGS_DIFFER):
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
    """Whether the judge is known to answer otherwise than durastore, which follows Redis 7.2."""
    return any(
        words[0].lower() in names
        and theirs.startswith(answer)
        and ours.startswith(wanted)
        and (not word or word in words[1:])
        for names, word, answer, wanted, _ in (OF_REDIS if REDIS_JUDGES else OF_VALKEY)
    )


# With JUDGE_COMMAND, nothing of what is listed for Valkey alone is let pass.
REDIS_JUDGES = "JUDGE_COMMAND" in os.environ
# Valkey tells of another use of the keys: see support.redis72.
FLAGS_DIFFER = (b"sinterstore", b"georadius", b"georadiusbymember")
_SCANS = (b"scan", b"sscan", b"hscan", b"zscan")
_ANY = b""
_WRONG_TYPE = b"-WRONGTYPE"
_BITS = (b"bitcount", b"bitpos")
_AROUND_MEMBER = (b"georadiusbymember", b"georadiusbymember_ro", b"geosearch", b"geosearchstore")
_COMBINING = (b"zunion", b"zinter", b"zunionstore", b"zinterstore")
_BY_SCORE = (b"zcount", b"zrangebyscore", b"zrevrangebyscore", b"zremrangebyscore", b"zrange", b"zrangestore")
# Commands, a word of the request, how the judge's answer begins, how ours does, and what it is about.
Listed = tuple[tuple[bytes, ...], bytes, bytes, bytes, str]
OF_REDIS: list[Listed] = [
    ((b"object",), _ANY, b"$6\r\nembstr", b"$3\r\nint", "Redis does not look at what INCRBYFLOAT stores"),
    (
        (b"object",),
        _ANY,
        b"$8\r\nskiplist",
        b"$8\r\nlistpack",
        "SORT and ZRANGESTORE leave small sorted sets large, in Redis",
    ),
    ((b"xread",), b"+", b"-ERR Invalid stream ID", _ANY, "a stream's last entry, as of Redis 7.4"),
]
OF_VALKEY: list[Listed] = [
    *OF_REDIS,
    ((b"exec",), _ANY, b"*", b"*-1", "SET with a time that has passed changes a watched key, in Redis"),
    ((b"exec",), _ANY, b"*", b"_", "the same"),
    ((b"dbsize",), _ANY, b":", b":", "SET with a time that has passed leaves a key there, in Redis"),
    ((b"object",), _ANY, b"$6\r\nembstr", b"$3\r\nraw", "Valkey embeds longer strings"),
    ((b"object",), _ANY, b"$9\r\nhashtable", b"$10\r\nlistpackex", "small hashes with fields that expire: Redis 7.4's"),
    (_SCANS, _ANY, b"-ERR invalid cursor", b"*2\r\n", "Valkey reads cursors more strictly"),
    (_SCANS, _ANY, b"-ERR invalid cursor", b"-ERR syntax error", "the same"),
    (_SCANS, b" 1", _ANY, b"-ERR invalid cursor", "but passes over spaces before them"),
    ((b"scan",), _ANY, b"-ERR unknown type name", _ANY, "Valkey knows its types"),
    ((b"getex",), _ANY, b"-ERR invalid expire time", b"_", "Valkey reads the time before it looks the key up"),
    ((b"getex",), _ANY, b"-ERR invalid expire time", b"$-1", "the same"),
    ((b"getex",), _ANY, b"-ERR invalid expire time", _WRONG_TYPE, "the same"),
    (_BITS, _ANY, b"-ERR", b"-ERR", "an end is optional in Valkey"),
    (_BITS, _ANY, b"-ERR", b":0\r\n", "Valkey reads the range before it looks the key up"),
    (_BITS, _ANY, b"-ERR", b":-1\r\n", "the same"),
    (_BITS, _ANY, b"-ERR", _WRONG_TYPE, "the same"),
    ((b"bitcount",), _ANY, b":", b"-ERR syntax error", "an end is optional in Valkey"),
    (_BY_SCORE, b" 1", b"-ERR min or max is not a float", _ANY, "Redis passes over spaces before a number"),
    (_BY_SCORE, b"0x10", b"-ERR min or max is not a float", _ANY, "Redis reads hexadecimal numbers"),
    (_COMBINING, b"0x10", b"-ERR weight value is not a float", _ANY, "the same"),
    (_COMBINING, b" 1", b"-ERR weight value is not a float", _ANY, "Redis passes over spaces before a number"),
    ((b"sort", b"sort_ro"), _ANY, b"-ERR One or more scores", _ANY, "Redis's strings end at a zero, for numbers"),
    (_AROUND_MEMBER, _ANY, b"-ERR member", b"-ERR could not decode requested zset member", "words"),
    ((b"lrem",), b"-9223372036854775808", b"-ERR value is out of range", b":", "Valkey cannot take its absolute value"),
    ((b"lrem",), b"-9223372036854775808", b"-ERR value is out of range", _WRONG_TYPE, "the same"),
    ((b"getex",), _ANY, b"-ERR value is not an integer", _ANY, "Valkey reads the time before it looks the key up"),
]
