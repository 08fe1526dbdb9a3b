"""A connection in one line, as CLIENT LIST, CLIENT INFO and ACL LOG tell it."""

from __future__ import annotations

from durastore.commands.channels import CHANNEL, PATTERN, SHARD
from durastore.commands.client import Client


def _flags(client: Client) -> str:
    shown = ""
    if client.monitoring:
        shown += "O"
    if client.subscriptions is not None:
        shown += "P"
    tracked = client.instance.tracking.clients.get(client.id)
    if client.in_multi:
        shown += "x"
    if client.blocked:
        shown += "b"
    if tracked is not None:
        shown += "t"
        if tracked.redirect_broken:
            shown += "R"
        if tracked.broadcast:
            shown += "B"
    if client.watch_broken:
        shown += "d"
    if client.closing:
        shown += "c"
    if client.unix_socket:
        shown += "U"
    if client.no_evict:
        shown += "e"
    if client.no_touch:
        shown += "T"
    return shown or "N"


def describe(client: Client, now: int, running: list[bytes] | None = None) -> bytes:
    """The line of CLIENT LIST for one connection; ``running`` is the request that it runs at present."""
    client.instance.host.measure(client)
    idle = max(now - client.last_interaction, 0) // 1000
    multi = len(client.queue) if client.in_multi else -1
    tracked = client.instance.tracking.clients.get(client.id)
    arguments = client.argument_bytes + (sum(map(len, running)) if running is not None else 0)
    answered = len(client.reply.out)
    fields = (
        ("id", client.id),
        ("addr", client.address),
        ("laddr", client.local_address),
        ("fd", client.descriptor),
        ("name", client.name.decode("latin-1")),
        ("age", max(now - client.created, 0) // 1000),
        ("idle", idle),
        ("flags", _flags(client)),
        ("db", client.db.index),
        ("sub", client.count(CHANNEL)),
        ("psub", client.count(PATTERN)),
        ("ssub", client.count(SHARD)),
        ("multi", multi),
        ("qbuf", client.query_buffered),
        ("qbuf-free", 0),
        ("argv-mem", arguments),
        ("multi-mem", client.transaction_memory()),
        ("rbs", client.reply.kept),
        ("rbp", client.reply.kept),
        ("obl", answered),
        ("oll", client.output_pieces),
        ("omem", client.output_buffered),
        ("tot-mem", client.memory + arguments + answered),
        ("events", "r"),
        ("cmd", client.last_command or "NULL"),
        ("user", client.user.name.decode("latin-1")),
        ("redir", -1 if tracked is None else tracked.redirect_id),
        ("resp", client.reply.resp),
        ("lib-name", client.lib_name.decode("latin-1")),
        ("lib-ver", client.lib_version.decode("latin-1")),
    )
    return " ".join(f"{name}={value}" for name, value in fields).encode("latin-1")
