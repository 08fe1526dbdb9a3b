"""HyperLogLog commands (https://redis.io/commands/?group=hyperloglog)."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands import events
from durastore.commands.client import Client
from durastore.commands.errors import WRONG_TYPE, CommandError
from durastore.commands.spec import ADMIN, DENYOOM, FAST, MAY_REPLICATE, READONLY, WRITE, command
from durastore.commands.strings import raw_string
from durastore.keyspace import hyperloglog as hll
from durastore.keyspace.dense_registers import held_up_to
from durastore.keyspace.values import RawString

_NOT_VALID: Final = b"WRONGTYPE Key is not a valid HyperLogLog string value."
_CORRUPT: Final = b"INVALIDOBJ Corrupted HLL object detected"


def _content(value: object) -> bytes | bytearray:
    """The bytes of a stored HyperLogLog, not copied."""
    data: bytes | bytearray
    if isinstance(value, RawString):
        data = value.data
    elif isinstance(value, bytes):
        data = value
    else:
        raise CommandError(WRONG_TYPE)
    if not hll.is_valid(data):
        raise CommandError(_NOT_VALID)
    return data


@command(
    "pfadd",
    "key [element [element ...]]",
    WRITE | DENYOOM | FAST,
    summary="Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
    since="2.8.9",
    complexity="O(1) to add every element.",
    keys="RW insert",
)
def pfadd(client: Client, argv: list[bytes]) -> None:
    """PFADD: 1 where a register, and so perhaps the estimate, has changed, or the key is new."""
    instance = client.instance
    key = argv[1]
    value = client.db.lookup(key, instance.now)
    size: i64 = len(argv)
    i: i64 = 2
    if isinstance(value, RawString):
        # Mostly nothing is to be done.
        i = held_up_to(value.data, argv, 2)
        if i > 2 and i == size:
            client.reply.integer(0)
            return
    changed: bytearray | None = None
    updates: i64 = 0
    if value is None:
        changed = hll.create()
        client.db.set(key, RawString(changed))
        updates = 1
    data: bytes | bytearray = _content(value) if changed is None else changed
    limit = instance.keyspace.limits.hll_sparse_bytes
    try:
        while i < size:
            hashed = hll.murmur_hash(argv[i])
            place = hll.find(data, hll.register_of(hashed))
            wanted = hll.value_of(hashed)
            if wanted > place.value:
                if changed is None:
                    data = changed = raw_string(client, key, value).data
                hll.raise_register(changed, place, wanted, limit)
                updates += 1
            i = held_up_to(data, argv, i + 1)
    except hll.Corrupt:
        raise CommandError(_CORRUPT) from None
    finally:
        if changed is not None and updates:
            hll.invalidate(changed)
            client.notify(events.STRING, b"pfadd", key)
            instance.dirty += updates
    client.reply.integer(1 if updates else 0)


@command(
    "pfcount",
    "key [key ...]",
    READONLY | MAY_REPLICATE,
    summary="Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).",
    since="2.8.9",
    complexity="O(1) with a very small average constant time when called with a single key. O(N) with N being the "
    "number of keys, and much bigger constant times, when called with multiple keys.",
    keys="RW access (RW because it may change the internal representation of the key, and propagate to replicas)",
)
def pfcount(client: Client, argv: list[bytes]) -> None:
    """PFCOUNT: of one key, the estimate is kept in the key until it changes; that is journalled as a change."""
    now = client.instance.now
    try:
        if len(argv) > 2:
            registers = hll.new_registers()
            for key in argv[1:]:
                value = client.db.lookup_read(key, now)
                if value is not None:
                    hll.merge(registers, _content(value))
            client.reply.integer(hll.count_merged(registers))
            return
        key = argv[1]
        value = client.db.lookup_read(key, now)
        if value is None:
            client.reply.integer(0)
            return
        data = _content(value)
        count = hll.cached_count(data)
        if count == -1:
            count = hll.count(data)
            if client.instance.host.write_error() is None:
                hll.cache_count(raw_string(client, key, value).data, count)
                client.instance.dirty += 1
    except hll.Corrupt:
        raise CommandError(_CORRUPT) from None
    client.reply.integer(count)


@command(
    "pfmerge",
    "destkey [sourcekey [sourcekey ...]]",
    WRITE | DENYOOM,
    summary="Merges one or more HyperLogLog values into a single key.",
    since="2.8.9",
    complexity="O(N) to merge N HyperLogLogs, but with high constant times.",
    keys="RW access insert;RO access",
)
def pfmerge(client: Client, argv: list[bytes]) -> None:
    """PFMERGE: the destination's own registers take part; the result is dense where one of the inputs is."""
    instance = client.instance
    target = argv[1]
    registers = hll.new_registers()
    dense = False
    try:
        for key in argv[1:]:
            value = client.db.lookup_read(key, instance.now)
            if value is not None:
                source = _content(value)
                dense = dense or not hll.is_sparse(source)
                hll.merge(registers, source)
    except hll.Corrupt:
        raise CommandError(_CORRUPT) from None
    value = client.db.lookup(target, instance.now)
    if value is None:
        data = hll.create()
        client.db.set(target, RawString(data))
    else:
        data = raw_string(client, target, value).data
    if dense:
        hll.make_dense(data)
    hll.raise_registers(data, registers, instance.keyspace.limits.hll_sparse_bytes)
    hll.invalidate(data)
    client.notify(events.STRING, b"pfadd", target)
    instance.dirty += 1
    client.reply.ok()


@command(
    "pfdebug",
    "subcommand key",
    WRITE | DENYOOM | ADMIN,
    summary="Internal commands for debugging HyperLogLog values.",
    since="2.8.9",
    complexity="N/A",
    internal=True,
    keys="RW access",
)
def pfdebug(client: Client, argv: list[bytes]) -> None:
    """PFDEBUG GETREG, DECODE, ENCODING and TODENSE."""
    key = argv[2]
    value = client.db.lookup(key, client.instance.now)
    if value is None:
        raise CommandError(b"ERR The specified key does not exist")
    data = _content(value)
    word = argv[1].upper()
    if word == b"ENCODING":
        client.reply.simple(b"sparse" if hll.is_sparse(data) else b"dense")
    elif word == b"DECODE":
        if not hll.is_sparse(data):
            raise CommandError(b"ERR HLL encoding is not sparse")
        client.reply.bulk(hll.decode(data))
    elif word == b"TODENSE":
        client.reply.integer(1 if _make_dense(client, key, value) else 0)
    elif word == b"GETREG":
        _make_dense(client, key, value)
        registers = hll.new_registers()
        hll.merge(registers, data)
        client.reply.array(hll.REGISTERS)
        for register in registers:
            client.reply.integer(i64(register))
    else:
        raise CommandError(b"ERR Unknown PFDEBUG subcommand '" + argv[1] + b"'")


def _make_dense(client: Client, key: bytes, value: object) -> bool:
    """Turns the key's HyperLogLog into the dense encoding; whether it was not."""
    if not hll.is_sparse(_content(value)):
        return False
    dense = bytearray(_content(value))
    try:
        hll.make_dense(dense)
    except hll.Corrupt:
        raise CommandError(_CORRUPT) from None
    client.db.replace(key, RawString(dense))
    client.instance.dirty += 1
    return True


@command(
    "pfselftest",
    "",
    ADMIN,
    summary="An internal command for testing HyperLogLog values.",
    since="2.8.9",
    complexity="N/A",
    internal=True,
)
def pfselftest(client: Client, argv: list[bytes]) -> None:
    """PFSELFTEST: the registers of both encodings hold what they are given, and estimates are near the truth."""
    complaint = hll.self_test()
    if complaint:
        raise CommandError(b"TESTFAILED " + complaint)
    client.reply.ok()
