"""MEMORY: what values and the server take (https://redis.io/commands/memory/)."""

from __future__ import annotations

import sys
from typing import Final

from durastore.commands.client import Client
from durastore.commands.connection import integer_or
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.spec import LOADING, READONLY, STALE, command
from durastore.keyspace.compact import INLINE_MAX
from durastore.keyspace.database import Database
from durastore.keyspace.values import Value
from durastore.protocol.reply import Reply


@command(
    "memory",
    "",
    0,
    summary="A container for memory diagnostics commands.",
    since="4.0.0",
    complexity="Depends on subcommand.",
    arity=-2,
)
def memory(client: Client, argv: list[bytes]) -> None:
    """MEMORY, whose subcommands do the work."""


# What a compact dict takes for an entry beside its key and value: a head, and a slot at the usual filling.
_ENTRY: Final = 19


def _value_size(value: object, samples: int) -> int:
    if isinstance(value, bytes):
        return len(value) if len(value) <= INLINE_MAX else 8 + sys.getsizeof(value)
    assert isinstance(value, Value)
    return 8 + int(value.memory(samples))


def memory_of(key: bytes, value: object, expires: bool, samples: int) -> int:
    """The bytes of a key, its value and its share of the table; 0 samples: of all elements."""
    size = _value_size(value, samples) + len(key) + _ENTRY
    return size + 8 + len(key) + _ENTRY if expires else size


@command(
    "memory|usage",
    "key [SAMPLES count]",
    READONLY,
    summary="Estimates the memory usage of a key.",
    since="4.0.0",
    complexity="O(N) where N is the number of samples.",
    keys="RO",
)
def memory_usage(client: Client, argv: list[bytes]) -> None:
    """MEMORY USAGE: the bytes of the key, its value and its share of the table."""
    samples = 5
    i = 3
    while i < len(argv):
        if argv[i].upper() != b"SAMPLES" or i + 1 >= len(argv):
            raise CommandError(SYNTAX)
        samples = integer_or(argv[i + 1])
        if samples < 0:
            raise CommandError(SYNTAX)
        i += 2
    key = argv[2]
    value = client.db.lookup_no_touch(key, client.instance.now)
    if value is None:
        client.reply.null()
        return
    client.reply.integer(memory_of(key, value, client.db.get_expiry(key) != -1, samples))


@command(
    "memory|stats",
    "",
    0,
    summary="Returns details about memory usage.",
    since="4.0.0",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
)
def memory_stats(client: Client, argv: list[bytes]) -> None:
    """MEMORY STATS."""
    instance = client.instance
    databases = [db for db in instance.keyspace.databases if db.table.count]
    figures = instance.host.memory_stats()
    reply = client.reply
    reply.map(len(figures) + len(databases))
    for name, value in figures:
        if name == _BEFORE_DATABASES:
            for db in databases:
                reply.bulk(b"db.%d" % db.index)
                reply.map(3)
                _write(reply, b"overhead.hashtable.main", int(db.table.count) * _ENTRY)
                _write(reply, b"overhead.hashtable.expires", int(db.table.expires_count) * (_ENTRY + 8))
                _write(reply, b"overhead.hashtable.slot-to-keys", 0)
        _write(reply, name, value)


def table_overhead(db: Database) -> int:
    """What the table of a database takes beside keys and values."""
    return int(db.table.count) * _ENTRY + int(db.table.expires_count) * (_ENTRY + 8)


_BEFORE_DATABASES: Final = b"overhead.total"


def _write(reply: Reply, name: bytes, value: object) -> None:
    reply.bulk(name)
    if isinstance(value, int):
        reply.integer(value)
    elif isinstance(value, float):
        reply.double(value)


@command(
    "memory|doctor",
    "",
    0,
    summary="Outputs a memory problems report.",
    since="4.0.0",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
)
def memory_doctor(client: Client, argv: list[bytes]) -> None:
    """MEMORY DOCTOR: what stands out in the figures of MEMORY STATS."""
    client.reply.verbatim(client.instance.host.memory_report())


@command(
    "memory|malloc-stats",
    "",
    0,
    summary="Returns the allocator statistics.",
    since="4.0.0",
    complexity="Depends on how much memory is allocated, could be slow",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
)
def memory_malloc_stats(client: Client, argv: list[bytes]) -> None:
    """MEMORY MALLOC-STATS: what Redis says where it was built without jemalloc."""
    client.reply.bulk(b"Stats not supported for the current allocator")


@command(
    "memory|purge",
    "",
    0,
    summary="Asks the allocator to release memory.",
    since="4.0.0",
    complexity="Depends on how much memory is allocated, could be slow",
    tips="request_policy:all_shards response_policy:all_succeeded",
)
def memory_purge(client: Client, argv: list[bytes]) -> None:
    """MEMORY PURGE: Python's allocator gives pages back by itself."""
    client.reply.ok()


@command(
    "memory|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="4.0.0"
)
def memory_help(client: Client, argv: list[bytes]) -> None:
    """MEMORY HELP."""
    client.reply.help(
        b"MEMORY",
        [
            b"DOCTOR",
            b"    Return memory problems reports.",
            b"MALLOC-STATS",
            b"    Return internal statistics report from the memory allocator.",
            b"PURGE",
            b"    Attempt to purge dirty pages for reclamation by the allocator.",
            b"STATS",
            b"    Return information about the memory usage of the server.",
            b"USAGE <key> [SAMPLES <count>]",
            b"    Return memory in bytes used by <key> and its value. Nested values are",
            b"    sampled up to <count> times (default: 5, 0 means sample all).",
        ],
    )
