"""MONITOR (https://redis.io/commands/monitor/)."""

from __future__ import annotations

from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.spec import ADMIN, LOADING, NOSCRIPT, STALE, command


@command(
    "monitor",
    "",
    ADMIN | NOSCRIPT | LOADING | STALE,
    summary="Listens for all requests received by the server in real-time.",
    since="1.0.0",
    complexity="",
)
def monitor(client: Client, argv: list[bytes]) -> None:
    """MONITOR: from now on the connection is sent every command that runs."""
    if client.deny_blocking or client.in_multi:
        raise CommandError(b"ERR MONITOR isn't allowed for DENY BLOCKING client")
    if client.monitoring:
        return
    client.monitoring = True
    client.instance.monitors.watching[client] = None
    client.instance.dispatcher.monitors_changed()
    client.reply.ok()


def stop_monitoring(client: Client) -> None:
    """Takes MONITOR back."""
    if client.monitoring:
        client.monitoring = False
        del client.instance.monitors.watching[client]
        client.instance.dispatcher.monitors_changed()
