"""Commands of replication: what a primary without replicas answers, as there is no replication."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import NOT_AN_INTEGER, SYNTAX, CommandError
from durastore.commands.spec import ADMIN, ALLOW_BUSY, LOADING, NO_ASYNC_LOADING, NO_MULTI, NOSCRIPT, STALE, command
from durastore.protocol.numbers import NotANumber, parse_int
from durastore.protocol.parser import split_line

_NO_REPLICATION: Final = b"ERR Replication is not supported"
_BAD_PORT: Final = b"ERR Invalid master port"
# The longest address that a replica may say it has, in bytes.
_LONGEST_ADDRESS: Final = 255
_SWITCHES: Final = ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING
_STREAMS: Final = ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI


def _replicate(client: Client, argv: list[bytes]) -> None:
    """Stays a primary, which NO ONE asks for."""
    if argv[1].upper() != b"NO" or argv[2].upper() != b"ONE":
        try:
            port: i64 = parse_int(argv[2])
        except NotANumber:
            raise CommandError(_BAD_PORT) from None
        raise CommandError(_NO_REPLICATION if 0 <= port <= 65535 else _BAD_PORT)
    client.reply.ok()


@command(
    "replicaof",
    "<args: <host port> | <NO ONE>>",
    _SWITCHES,
    summary="Configures a server as replica of another, or promotes it to a master.",
    since="5.0.0",
)
def replicaof(client: Client, argv: list[bytes]) -> None:
    """REPLICAOF."""
    _replicate(client, argv)


@command(
    "slaveof",
    "<args: <host port> | <NO ONE>>",
    _SWITCHES,
    summary="Sets a Redis server as a replica of another, or promotes it to being a master.",
    since="1.0.0",
    deprecated=("5.0.0", "`REPLICAOF`"),
)
def slaveof(client: Client, argv: list[bytes]) -> None:
    """SLAVEOF."""
    _replicate(client, argv)


@command(
    "failover",
    "[TO <target: host port [FORCE]>] [ABORT] [TIMEOUT milliseconds]",
    ADMIN | NOSCRIPT | STALE,
    summary="Starts a coordinated failover from a server to one of its replicas.",
    since="6.2.0",
)
def failover(client: Client, argv: list[bytes]) -> None:
    """FAILOVER, for which there is no replica."""
    if len(argv) == 2 and argv[1].upper() == b"ABORT":
        raise CommandError(b"ERR No failover in progress.")
    seen: set[bytes] = set()
    i = 1
    while i < len(argv):
        word = argv[i].upper()
        values = {b"TIMEOUT": 1, b"TO": 2, b"FORCE": 0}.get(word, -1)
        if values == -1 or word in seen or i + values >= len(argv):
            raise CommandError(SYNTAX)
        i += values
        if values:
            number = integer_argument(argv[i])
            if word == b"TIMEOUT" and number <= 0:
                raise CommandError(b"ERR FAILOVER timeout must be greater than 0")
        seen.add(word)
        i += 1
    raise CommandError(b"ERR FAILOVER requires connected replicas.")


@command(
    "replconf",
    "",
    ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY,
    summary="An internal command for configuring the replication stream.",
    since="3.0.0",
    arity=-1,
    internal=True,
)
def replconf(client: Client, argv: list[bytes]) -> None:
    """REPLCONF: what a replica tells of itself is looked at and forgotten."""
    if len(argv) % 2 == 0:
        raise CommandError(SYNTAX)
    for i in range(1, len(argv), 2):
        option, value = argv[i].lower(), argv[i + 1]
        if option in (b"ack", b"getack"):
            # Replicas expect no answer.
            return
        _check_option(argv[i], option, value)
    client.reply.ok()


def _check_option(word: bytes, option: bytes, value: bytes) -> None:
    if option == b"listening-port":
        integer_argument(value)
    elif option == b"ip-address":
        if len(value) > _LONGEST_ADDRESS:
            raise CommandError(
                b"ERR REPLCONF ip-address provided by replica instance is too long: %d bytes" % len(value)
            )
    elif option == b"rdb-only":
        _check_switch(value)
    elif option == b"rdb-filter-only":
        _check_filter(value)
    elif option != b"capa":
        raise CommandError(b"ERR Unrecognized REPLCONF option: " + word)


def _check_switch(value: bytes) -> None:
    try:
        number: i64 = parse_int(value)
    except NotANumber:
        raise CommandError(NOT_AN_INTEGER) from None
    if number < 0 or number > 1:
        raise CommandError(b"ERR value is out of range, value must between 0 and 1")


def _check_filter(value: bytes) -> None:
    kinds = split_line(value)
    if kinds is None:
        raise CommandError(b"ERR Missing rdb-filter-only values")
    for kind in kinds:
        if kind.lower() != b"functions":
            raise CommandError(b"ERR Unsupported rdb-filter-only option: " + kind)


@command(
    "sync",
    "",
    _STREAMS,
    summary="An internal command used in replication.",
    since="1.0.0",
    complexity="",
)
def sync(client: Client, argv: list[bytes]) -> None:
    """SYNC."""
    raise CommandError(_NO_REPLICATION)


@command(
    "psync",
    "replicationid offset",
    _STREAMS,
    summary="An internal command used in replication.",
    since="2.8.0",
    complexity="",
    arity=-3,
)
def psync(client: Client, argv: list[bytes]) -> None:
    """PSYNC."""
    raise CommandError(_NO_REPLICATION)
