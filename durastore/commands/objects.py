"""Values as objects: OBJECT, DUMP and RESTORE (https://redis.io/commands/?group=generic)."""

from __future__ import annotations

from typing import Final

from durastore.commands import events
from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.encoding import encoding_of
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.spec import ASKING, DANGEROUS, DENYOOM, LOADING, READONLY, STALE, WRITE, command
from durastore.protocol.numbers import INT64_MAX


@command(
    "object",
    "",
    0,
    summary="A container for object introspection commands.",
    since="2.2.3",
    complexity="Depends on subcommand.",
    arity=-2,
    categories="",
)
def object_(client: Client, argv: list[bytes]) -> None:
    """OBJECT, whose subcommands do the work."""


def _object(client: Client, key: bytes) -> object | None:
    value = client.db.peek(key, client.instance.now)
    if value is None:
        client.reply.null()
    return value


@command(
    "object|encoding",
    "key",
    READONLY,
    summary="Returns the internal encoding of a Redis object.",
    since="2.2.3",
    keys="RO",
    tips="nondeterministic_output",
)
def object_encoding(client: Client, argv: list[bytes]) -> None:
    """OBJECT ENCODING: the encoding that Redis would use for the value."""
    value = _object(client, argv[2])
    if value is not None:
        client.reply.bulk(encoding_of(value))


@command(
    "object|refcount",
    "key",
    READONLY,
    summary="Returns the reference count of a value of a key.",
    since="2.2.3",
    keys="RO",
    tips="nondeterministic_output",
)
def object_refcount(client: Client, argv: list[bytes]) -> None:
    """OBJECT REFCOUNT: values are never shared between keys."""
    if _object(client, argv[2]) is not None:
        client.reply.integer(1)


@command(
    "object|idletime",
    "key",
    READONLY,
    summary="Returns the time since the last access to a Redis object.",
    since="2.2.3",
    keys="RO",
    tips="nondeterministic_output",
)
def object_idletime(client: Client, argv: list[bytes]) -> None:
    """OBJECT IDLETIME: seconds since the key was last used."""
    if _object(client, argv[2]) is not None:
        if client.instance.keyspace.meter.counting:
            raise CommandError(
                b"ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching "
                b"between policies at runtime LRU and LFU data will take some time to adjust."
            )
        client.reply.integer(client.db.idle_seconds(argv[2], client.instance.now))


@command(
    "object|freq",
    "key",
    READONLY,
    summary="Returns the logarithmic access frequency counter of a Redis object.",
    since="4.0.0",
    keys="RO",
    tips="nondeterministic_output",
)
def object_freq(client: Client, argv: list[bytes]) -> None:
    """OBJECT FREQ: the logarithmic counter of the key's uses."""
    if _object(client, argv[2]) is not None:
        if not client.instance.keyspace.meter.counting:
            raise CommandError(
                b"ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when "
                b"switching between policies at runtime LRU and LFU data will take some time to adjust."
            )
        client.reply.integer(client.db.frequency(argv[2]))


@command(
    "object|help", "", LOADING | STALE, summary="Returns helpful text about the different subcommands.", since="6.2.0"
)
def object_help(client: Client, argv: list[bytes]) -> None:
    """OBJECT HELP."""
    client.reply.help(
        b"OBJECT",
        [
            b"ENCODING <key>",
            b"    Return the kind of internal representation used in order to store the value",
            b"    associated with a <key>.",
            b"FREQ <key>",
            b"    Return the access frequency index of the <key>. The returned integer is",
            b"    proportional to the logarithm of the recent access frequency of the key.",
            b"IDLETIME <key>",
            b"    Return the idle time of the <key>, that is the approximated number of",
            b"    seconds elapsed since the last access to the key.",
            b"REFCOUNT <key>",
            b"    Return the number of references of the value associated with the specified",
            b"    <key>.",
        ],
    )


@command(
    "dump",
    "key",
    READONLY,
    summary="Returns a serialized representation of the value stored at a key.",
    since="2.6.0",
    complexity="O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects "
    "composing the value and M their average size. For small string values the time complexity is thus "
    "O(1)+O(1*M) where M is small, so simply O(1).",
    keys="RO access",
    tips="nondeterministic_output",
)
def dump(client: Client, argv: list[bytes]) -> None:
    """DUMP."""
    value = client.db.lookup_read(argv[1], client.instance.now)
    if value is None:
        client.reply.null()
    else:
        client.reply.bulk(client.instance.host.dump(value))


_RESTORE_SYNTAX: Final = (
    "key ttl serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] [IDLETIME seconds@5.0.0] [FREQ frequency@5.0.0]"
)
_RESTORE_COMPLEXITY: Final = (
    "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the "
    "number of Redis objects composing the value and M their average size. For small string values the time "
    "complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity "
    "is O(N*M*log(N)) because inserting values into sorted sets is O(log(N))."
)
_RESTORE_HISTORY: Final = (
    ("3.0.0", "Added the `REPLACE` modifier."),
    ("5.0.0", "Added the `ABSTTL` modifier."),
    ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
)


@command(
    "restore",
    _RESTORE_SYNTAX,
    WRITE | DENYOOM | DANGEROUS,
    summary="Creates a key from the serialized representation of a value.",
    since="2.6.0",
    complexity=_RESTORE_COMPLEXITY,
    keys="OW update",
    history=_RESTORE_HISTORY,
)
def restore(client: Client, argv: list[bytes]) -> None:
    """RESTORE."""
    _restore(client, argv)


@command(
    "restore-asking",
    _RESTORE_SYNTAX,
    WRITE | DENYOOM | ASKING | DANGEROUS,
    summary="An internal command for migrating keys in a cluster.",
    since="3.0.0",
    complexity=_RESTORE_COMPLEXITY,
    keys="OW update",
    history=_RESTORE_HISTORY,
    group="server",
    internal=True,
)
def restore_asking(client: Client, argv: list[bytes]) -> None:
    """RESTORE-ASKING: what MIGRATE sends to a node of a cluster."""
    _restore(client, argv)


def _restore(client: Client, argv: list[bytes]) -> None:
    replace = absolute = False
    idle = frequency = -1
    i = 4
    while i < len(argv):
        word = argv[i].upper()
        if word == b"REPLACE":
            replace = True
        elif word == b"ABSTTL":
            absolute = True
        elif word == b"IDLETIME" and i + 1 < len(argv) and frequency == -1:
            idle = integer_argument(argv[i + 1])
            if idle < 0:
                raise CommandError(b"ERR Invalid IDLETIME value, must be >= 0")
            i += 1
        elif word == b"FREQ" and i + 1 < len(argv) and idle == -1:
            frequency = integer_argument(argv[i + 1])
            if not 0 <= frequency <= 255:
                raise CommandError(b"ERR Invalid FREQ value, must be >= 0 and <= 255")
            i += 1
        else:
            raise CommandError(SYNTAX)
        i += 1
    instance = client.instance
    now = instance.now
    key = argv[1]
    taken = client.db.lookup(key, now) is not None
    if taken and not replace:
        raise CommandError(b"BUSYKEY Target key name already exists.")
    when = integer_argument(argv[2])
    if when < 0:
        raise CommandError(b"ERR Invalid TTL value, must be >= 0")
    value = instance.host.restore(argv[3])
    if when == 0:
        when = -1
    elif not absolute:
        # What does not fit 64 bits is a time that has passed, in Redis.
        when = when + now if when <= INT64_MAX - now else 0
    if when != -1 and when <= now and not client.replaying:
        # It has expired before it arrived.
        if taken:
            client.db.delete(key)
            client.notify(events.GENERIC, b"del", key)
            instance.propagate([b"DEL", key])
            instance.dirty += 1
        client.reply.ok()
        return
    client.db.set_with_expiry(key, value, when)
    client.db.mark_used(key, idle, frequency)
    client.notify(events.GENERIC, b"restore", key)
    instance.dirty += 1
    ttl_word = b"0" if when == -1 else b"%d" % when
    effect = [b"RESTORE", key, ttl_word, argv[3], b"REPLACE", b"ABSTTL"]
    if idle >= 0:
        effect += [b"IDLETIME", b"%d" % idle]
    if frequency >= 0:
        effect += [b"FREQ", b"%d" % frequency]
    instance.propagate(effect)
    client.reply.ok()
