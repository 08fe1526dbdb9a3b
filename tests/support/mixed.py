"""Datasets of every type, made by commands, and changes to them; and the comparison of two servers, key by key."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from durastore.persistence.rdb import load_dump
from support.rdb import describe_value
from support.resp import Connection, request
from support.servers import Server

Words = Sequence[bytes | str | int]
# Databases, and how often each is used.
DATABASES = (0,) * 89 + (3,) * 10 + (15,)
FUTURE_MS = 33177117420000
BATCH = 1000


class Dataset:
    """The commands that make ``keys`` keys; the same for the same seed.

    Every hundredth container is beyond the limits of the compact encodings, and every ten-thousandth far beyond.
    """

    def __init__(self, keys: int, seed: int = 1) -> None:
        self.keys = keys
        self.random = random.Random(seed)

    def commands(self) -> Iterator[Words]:
        chosen = self.random
        makers: dict[Callable[[str, int], Iterator[Words]], int] = {
            self._string: 40,
            self._list: 12,
            self._set: 12,
            self._hash: 16,
            self._zset: 12,
            self._stream: 8,
        }
        kinds = list(makers)
        weights = list(makers.values())
        db = 0
        for i in range(self.keys):
            wanted = DATABASES[i % 100]
            if wanted != db:
                db = wanted
                yield "SELECT", db
            (maker,) = chosen.choices(kinds, weights)
            key = f"{maker.__name__[1:]}:{i}"
            yield from maker(key, self._size(i))
            if chosen.random() < 0.1:
                yield "PEXPIREAT", key, FUTURE_MS + i

    def _size(self, i: int) -> int:
        if i % 10_000 == 5_000:
            return 5_000
        if i % 100 == 50:
            return self.random.randint(130, 1000)
        return self.random.randint(1, 12)

    def _word(self) -> str:
        return f"{self.random.getrandbits(48):x}"

    def _words(self, count: int) -> list[str]:
        return [self._word() for _ in range(count)]

    def _string(self, key: str, size: int) -> Iterator[Words]:
        kind = self.random.randrange(6)
        if kind == 0:
            yield "SET", key, self.random.randint(-(2**63), 2**63 - 1)
        elif kind == 1:
            yield "SET", key, self.random.randint(-100, 20_000)
        elif kind == 2:
            yield "SET", key, "compressible " * size
        elif kind == 3:
            yield "SET", key, self.random.randbytes(size * 8)
        elif kind == 4:
            yield "PFADD", key, *self._words(size)
        else:
            yield "SETBIT", key, size * 100, 1
            yield "APPEND", key, "text"

    def _list(self, key: str, size: int) -> Iterator[Words]:
        yield "RPUSH", key, *self._words(size)
        if size % 3 == 0:
            yield "LPUSH", key, *range(-5, 300, 61), "w" * size, "x" * 200

    def _set(self, key: str, size: int) -> Iterator[Words]:
        kind = self.random.randrange(3)
        if kind == 0:
            start = self.random.choice((0, 2**15 - 5, 2**31 - 5, 2**40))
            yield "SADD", key, *range(start, start + size)
        elif kind == 1:
            yield "SADD", key, *self._words(size)
        else:
            yield "SADD", key, *range(size), *self._words(size)

    def _hash(self, key: str, size: int) -> Iterator[Words]:
        yield "HSET", key, *(word for name in self._words(size) for word in (name, self._word()))
        if size % 5 == 0:
            yield "HSET", key, "long", "y" * 100, "number", size

    def _zset(self, key: str, size: int) -> Iterator[Words]:
        scores = [self.random.choice((0.1, 1, 1.5, -3e10, 1e300)) * self.random.randint(1, 99) for _ in range(size)]
        yield "ZADD", key, *(word for score in scores for word in (repr(score), self._word()))
        if size % 5 == 0:
            yield "ZADD", key, "inf", "top", "-inf", "low", "0", "z" * 70

    def _stream(self, key: str, size: int) -> Iterator[Words]:
        for i in range(1, size + 1):
            other = i % 7 == 0
            yield "XADD", key, f"{i}-{i % 3}", "field", self._word(), *(("more", i) if other else ())
        if size % 2 == 0:
            yield "XGROUP", "CREATE", key, "group", f"{size // 3}-0", "ENTRIESREAD", size // 3
            yield "XGROUP", "CREATE", key, "other", "$"
            yield "XREADGROUP", "GROUP", "group", "alice", "COUNT", 3, "STREAMS", key, ">"
            yield "XREADGROUP", "GROUP", "group", "bob", "STREAMS", key, ">"
            yield "XGROUP", "CREATECONSUMER", key, "other", "idle"
        if size % 3 == 0:
            yield "XDEL", key, "2-2", f"{size}-{size % 3}"
        if size % 11 == 0:
            yield "XTRIM", key, "MAXLEN", 4

    def changes(self, count: int) -> Iterator[Words]:
        """Changes to what ``commands`` made, for the incremental files of a log."""
        chosen = self.random
        yield "SELECT", 0
        for n in range(count):
            i = chosen.randrange(self.keys)
            word = self._word()
            yield from chosen.choice(
                (
                    [("SET", f"new:{n}", word, "PX", 10**9)],
                    [("APPEND", f"new:{i}", word), ("SETRANGE", f"new:{i}", 5, "abc")],
                    [("INCRBY", f"count:{i}", i), ("INCRBYFLOAT", f"count:{i}", "0.5")],
                    [("MULTI",), ("SET", f"one:{i}", n), ("RPUSH", f"two:{i}", n), ("EXEC",)],
                    [("LPUSH", f"list:{i}", word), ("RPOP", f"list:{i}"), ("LINSERT", f"list:{i}", "BEFORE", word, n)],
                    [("LMOVE", f"list:{i}", f"list:{i + 1}", "LEFT", "RIGHT"), ("LTRIM", f"list:{i}", 0, 50)],
                    [("SADD", f"set:{i}", word, n), ("SPOP", f"set:{i}", 2), ("SMOVE", f"set:{i}", "moved", n)],
                    [("SUNIONSTORE", f"union:{i}", f"set:{i}", f"set:{i + 1}"), ("SREM", f"set:{i}", 1, 2, 3)],
                    [("HSET", f"hash:{i}", word, n), ("HINCRBY", f"hash:{i}", "n", 5), ("HDEL", f"hash:{i}", "long")],
                    [("HINCRBYFLOAT", f"hash:{i}", "float", "1.5"), ("HSETNX", f"hash:{i}", "once", n)],
                    [("ZADD", f"zset:{i}", "GT", n, "top", 1, word), ("ZINCRBY", f"zset:{i}", "0.1", word)],
                    [("ZPOPMIN", f"zset:{i}"), ("ZREMRANGEBYRANK", f"zset:{i}", 200, -1)],
                    [("ZUNIONSTORE", f"zunion:{i}", 2, f"zset:{i}", f"set:{i}", "WEIGHTS", 2, 1)],
                    [("XADD", f"stream:{i}", "*", "field", word), ("XTRIM", f"stream:{i}", "MAXLEN", "~", 500)],
                    [("XADD", f"stream:{i}", "MAXLEN", 100, "*", "f", n), ("XDEL", f"stream:{i}", "3-0")],
                    [("DEL", f"string:{i}"), ("UNLINK", f"hash:{i}", f"zset:{i}")],
                    [("EXPIRE", f"set:{i}", 10**7), ("PERSIST", f"zset:{i}")],
                    [("COPY", f"list:{i}", f"copy:{n}"), ("COPY", f"stream:{i}", f"copy:{n}")],
                    [("RENAME", f"set:{i}", f"renamed:{n}")] if i % 3 == 0 else [("MOVE", f"set:{i}", 3)],
                    [("PFADD", f"hll:{i % 50}", word, n), ("PFMERGE", "all", f"hll:{i % 50}")],
                    [
                        ("SETBIT", f"bits:{i % 50}", i % 5000, n % 2),
                        ("BITFIELD", f"bits:{i % 50}", "INCRBY", "u8", 3, 9),
                    ],
                    [("BITOP", "XOR", "xored", f"bits:{i % 50}", f"bits:{n % 50}")],
                    [("SORT", f"list:{i}", "ALPHA", "LIMIT", 0, 20, "STORE", f"sorted:{n}")],
                    [("GETDEL", f"string:{i}"), ("GETEX", f"new:{i}", "PERSIST")],
                    [("GEOADD", f"geo:{i % 50}", 13.361389, 38.115556, word)],
                )
            )


def send(connection: Connection, commands: Iterable[Words], errors: bool = False) -> int:
    """Sends commands in batches; how many.  An error is a failure unless ``errors`` are allowed."""
    sent = 0
    stream = iter(commands)
    while batch := list(islice(stream, BATCH)):
        connection.send(b"".join(request(*words) for words in batch))
        for words in batch:
            reply = connection.read()
            assert errors or not reply.startswith(b"-"), f"{words[:3]}: {reply!r}"
        sent += len(batch)
    return sent


def compare(one: Server, other: Server, times: bool, limit: int = 10, encodings: bool = True) -> tuple[int, list[str]]:
    """Compares two servers key by key: which keys, value, expiry, encoding, and streams with all their groups.

    ``times`` says that consumers of groups are to have been seen at the same time: a log does not keep that.  Without
    ``encodings`` these may differ, as the encoding of a list that has shrunk tells of its past.  Returns how many keys
    there are, and up to ``limit`` differences.
    """
    differences: list[str] = []
    compared = 0
    with one.connect() as ours, other.connect() as theirs:
        for db in range(16):
            for connection in (ours, theirs):
                assert connection.call("SELECT", db) == b"+OK\r\n"
            sizes = [connection.value("DBSIZE") for connection in (ours, theirs)]
            if sizes[0] != sizes[1]:
                differences.append(f"database {db}: {sizes[0]} keys and {sizes[1]}")
            for keys in _scan(theirs):
                compared += len(keys)
                found = [_describe(connection, keys, times, encodings) for connection in (ours, theirs)]
                if found[0] != found[1]:
                    differences.extend(
                        f"database {db}, {key!r}: {a} and {b}" for key, a, b in zip(keys, *found, strict=True) if a != b
                    )
                if len(differences) >= limit:
                    return compared, differences[:limit]
    return compared, differences


def _scan(connection: Connection) -> Iterator[list[bytes]]:
    cursor = b"0"
    while True:
        cursor, keys = connection.value("SCAN", cursor, "COUNT", 500)
        if keys:
            yield keys
        if cursor == b"0":
            return


def _describe(connection: Connection, keys: list[bytes], times: bool, encodings: bool) -> list[Any]:
    connection.send(
        request("DEBUG", "DIGEST-VALUE", *keys)
        + b"".join(request("PEXPIRETIME", key) + request("OBJECT", "ENCODING", key) for key in keys)
    )
    digests = connection.read().split(b"\r\n")[1:-1]
    described: list[Any] = []
    for _, digest in zip(keys, digests, strict=True):
        # Redis and Valkey embed strings of other lengths, and none that was appended to.
        expiry, encoding = connection.read(), connection.read().replace(b"$6\r\nembstr", b"$3\r\nraw")
        described.append((digest, expiry, encoding if encodings or b"stream" in encoding else b""))
    for i, key in enumerate(keys):
        if b"stream" in described[i][2]:
            # The digest of a stream leaves its groups out.
            _, stream = describe_value(load_dump(connection.value("DUMP", key)))
            for group in stream["groups"] if not times else ():
                group["consumers"] = [name for name, _, _ in group["consumers"]]
            described[i] = (*described[i], stream)
    return described
