"""WAIT and WAITAOF: until what a client wrote is where it should be (https://redis.io/commands/?group=generic)."""

from __future__ import annotations

from mypy_extensions import i64

from durastore.commands.arguments import integer_argument, timeout_milliseconds_argument
from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.spec import NOSCRIPT, command
from durastore.protocol.numbers import NotANumber, parse_int


@command(
    "wait",
    "numreplicas timeout",
    0,
    summary="Blocks until the asynchronous replication of all preceding write commands sent by the connection is "
    "completed.",
    since="3.0.0",
    tips="request_policy:all_shards response_policy:agg_min",
)
def wait(client: Client, argv: list[bytes]) -> None:
    """WAIT: how many replicas have the client's writes; there are none."""
    wanted = integer_argument(argv[1])
    deadline = timeout_milliseconds_argument(client, argv[2])
    if wanted > 0 and not client.time_is_up:
        client.wait_for_replicas(deadline)
    client.reply.integer(0)


@command(
    "waitaof",
    "numlocal numreplicas timeout",
    NOSCRIPT,
    summary="Blocks until all of the preceding write commands sent by the connection are written to the append-only "
    "file of the master and/or replicas.",
    since="7.2.0",
    tips="request_policy:all_shards response_policy:agg_min",
)
def waitaof(client: Client, argv: list[bytes]) -> None:
    """WAITAOF: whether the client's writes are on this disk, and on how many replicas' disks."""
    local = integer_argument(argv[1])
    if local < 0 or local > 1:
        raise CommandError(b"ERR value is out of range, value must between 0 and 1")
    try:
        replicas: i64 = parse_int(argv[2])
    except NotANumber:
        replicas = -1
    if replicas < 0:
        raise CommandError(b"ERR value is out of range, must be positive")
    deadline = timeout_milliseconds_argument(client, argv[3])
    host = client.instance.host
    enabled = host.log_enabled()
    if local and not enabled:
        raise CommandError(b"ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
    on_disk = enabled and not client.unlogged and host.log_durable() >= client.log_offset
    if not client.time_is_up:
        if local and not on_disk:
            client.wait_for_log(deadline)
        elif replicas > 0:
            client.wait_for_replicas(deadline)
    client.reply.array(2)
    client.reply.integer(1 if on_disk else 0)
    client.reply.integer(0)
