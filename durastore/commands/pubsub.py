"""Pub/sub commands (https://redis.io/commands/?group=pubsub)."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.commands.channels import CHANNEL, PATTERN, SHARD
from durastore.commands.client import Client
from durastore.commands.errors import CommandError
from durastore.commands.spec import (
    FAST,
    LOADING,
    MAY_REPLICATE,
    NOSCRIPT,
    PATTERNS,
    PUBLISHES,
    PUBSUB,
    STALE,
    SUBSCRIBED,
    SUBSCRIBES,
    command,
)
from durastore.keyspace.glob import glob_match

_SUBSCRIBES: Final = (b"subscribe", b"psubscribe", b"ssubscribe")
_UNSUBSCRIBES: Final = (b"unsubscribe", b"punsubscribe", b"sunsubscribe")


def _confirm(client: Client, word: bytes, kind: i64, name: bytes | None) -> None:
    """The answer to one (un)subscription: shard channels are counted apart from channels and patterns."""
    reply = client.reply
    reply.push(3)
    reply.bulk(word)
    reply.bulk_or_null(name)
    if kind == SHARD:
        reply.integer(client.count(SHARD))
    else:
        reply.integer(client.count(CHANNEL) + client.count(PATTERN))


def _subscribe(client: Client, kind: i64, names: list[bytes]) -> None:
    if client.deny_blocking and not client.in_multi:
        word = _SUBSCRIBES[kind].upper()
        raise CommandError(b"ERR " + word + b" isn't allowed for a DENY BLOCKING client")
    for name in names:
        client.instance.channels.subscribe(client, kind, name)
        _confirm(client, _SUBSCRIBES[kind], kind, name)


def _unsubscribe(client: Client, kind: i64, names: list[bytes]) -> None:
    """Without names: everything of this kind, and one answer even where that is nothing."""
    if not names and client.subscriptions is not None:
        names = list(client.subscriptions[kind])
    if not names:
        _confirm(client, _UNSUBSCRIBES[kind], kind, None)
    for name in names:
        client.instance.channels.unsubscribe(client, kind, name)
        _confirm(client, _UNSUBSCRIBES[kind], kind, name)


@command(
    "subscribe",
    "channel [channel ...]",
    PUBSUB | NOSCRIPT | LOADING | STALE | SUBSCRIBED | SUBSCRIBES,
    summary="Listens for messages published to channels.",
    since="2.0.0",
    complexity="O(N) where N is the number of channels to subscribe to.",
)
def subscribe(client: Client, argv: list[bytes]) -> None:
    """SUBSCRIBE."""
    _subscribe(client, CHANNEL, argv[1:])


@command(
    "psubscribe",
    "pattern [pattern ...]",
    PUBSUB | NOSCRIPT | LOADING | STALE | SUBSCRIBED | PATTERNS,
    summary="Listens for messages published to channels that match one or more patterns.",
    since="2.0.0",
    complexity="O(N) where N is the number of patterns to subscribe to.",
)
def psubscribe(client: Client, argv: list[bytes]) -> None:
    """PSUBSCRIBE."""
    _subscribe(client, PATTERN, argv[1:])


@command(
    "ssubscribe",
    "shardchannel [shardchannel ...]",
    PUBSUB | NOSCRIPT | LOADING | STALE | SUBSCRIBED | SUBSCRIBES,
    summary="Listens for messages published to shard channels.",
    since="7.0.0",
    complexity="O(N) where N is the number of shard channels to subscribe to.",
    keys="not_key",
)
def ssubscribe(client: Client, argv: list[bytes]) -> None:
    """SSUBSCRIBE."""
    _subscribe(client, SHARD, argv[1:])


@command(
    "unsubscribe",
    "[channel [channel ...]]",
    PUBSUB | NOSCRIPT | LOADING | STALE | SUBSCRIBED,
    summary="Stops listening to messages posted to channels.",
    since="2.0.0",
    complexity="O(N) where N is the number of channels to unsubscribe.",
)
def unsubscribe(client: Client, argv: list[bytes]) -> None:
    """UNSUBSCRIBE."""
    _unsubscribe(client, CHANNEL, argv[1:])


@command(
    "punsubscribe",
    "[pattern [pattern ...]]",
    PUBSUB | NOSCRIPT | LOADING | STALE | SUBSCRIBED,
    summary="Stops listening to messages published to channels that match one or more patterns.",
    since="2.0.0",
    complexity="O(N) where N is the number of patterns to unsubscribe.",
)
def punsubscribe(client: Client, argv: list[bytes]) -> None:
    """PUNSUBSCRIBE."""
    _unsubscribe(client, PATTERN, argv[1:])


@command(
    "sunsubscribe",
    "[shardchannel [shardchannel ...]]",
    PUBSUB | NOSCRIPT | LOADING | STALE | SUBSCRIBED,
    summary="Stops listening to messages posted to shard channels.",
    since="7.0.0",
    complexity="O(N) where N is the number of shard channels to unsubscribe.",
    keys="not_key",
)
def sunsubscribe(client: Client, argv: list[bytes]) -> None:
    """SUNSUBSCRIBE."""
    _unsubscribe(client, SHARD, argv[1:])


@command(
    "publish",
    "channel message",
    PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE | PUBLISHES,
    summary="Posts a message to a channel.",
    since="2.0.0",
    complexity="O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number "
    "of subscribed patterns (by any client).",
)
def publish(client: Client, argv: list[bytes]) -> None:
    """PUBLISH."""
    client.reply.integer(client.instance.channels.publish(argv[1], argv[2]))


@command(
    "spublish",
    "shardchannel message",
    PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE | PUBLISHES,
    summary="Post a message to a shard channel",
    since="7.0.0",
    complexity="O(N) where N is the number of clients subscribed to the receiving shard channel.",
    keys="not_key",
)
def spublish(client: Client, argv: list[bytes]) -> None:
    """SPUBLISH."""
    client.reply.integer(client.instance.channels.publish_shard(argv[1], argv[2]))


@command(
    "pubsub",
    "",
    0,
    summary="A container for Pub/Sub commands.",
    since="2.8.0",
    complexity="Depends on subcommand.",
    arity=-2,
    categories="",
)
def pubsub(client: Client, argv: list[bytes]) -> None:
    """PUBSUB, whose subcommands do the work."""


def _names(client: Client, kind: i64, argv: list[bytes]) -> None:
    if len(argv) > 3:
        raise CommandError(
            b"ERR unknown subcommand or wrong number of arguments for '" + argv[1] + b"'. Try PUBSUB HELP."
        )
    names = client.instance.channels.listeners[kind]
    client.reply.bulks([name for name in names if len(argv) == 2 or glob_match(argv[2], name)])


def _numbers(client: Client, kind: i64, names: list[bytes]) -> None:
    reply = client.reply
    reply.array(len(names) * 2)
    listeners = client.instance.channels.listeners[kind]
    for name in names:
        reply.bulk(name)
        there = listeners.get(name)
        reply.integer(0 if there is None else len(there))


@command(
    "pubsub|channels",
    "[pattern]",
    PUBSUB | LOADING | STALE,
    summary="Returns the active channels.",
    since="2.8.0",
    complexity="O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively "
    "short channels and patterns)",
)
def pubsub_channels(client: Client, argv: list[bytes]) -> None:
    """PUBSUB CHANNELS."""
    _names(client, CHANNEL, argv)


@command(
    "pubsub|shardchannels",
    "[pattern]",
    PUBSUB | LOADING | STALE,
    summary="Returns the active shard channels.",
    since="7.0.0",
    complexity="O(N) where N is the number of active shard channels, and assuming constant time pattern matching "
    "(relatively short shard channels).",
)
def pubsub_shardchannels(client: Client, argv: list[bytes]) -> None:
    """PUBSUB SHARDCHANNELS."""
    _names(client, SHARD, argv)


@command(
    "pubsub|numsub",
    "[channel [channel ...]]",
    PUBSUB | LOADING | STALE,
    summary="Returns a count of subscribers to channels.",
    since="2.8.0",
    complexity="O(N) for the NUMSUB subcommand, where N is the number of requested channels",
)
def pubsub_numsub(client: Client, argv: list[bytes]) -> None:
    """PUBSUB NUMSUB."""
    _numbers(client, CHANNEL, argv[2:])


@command(
    "pubsub|shardnumsub",
    "[shardchannel [shardchannel ...]]",
    PUBSUB | LOADING | STALE,
    summary="Returns the count of subscribers of shard channels.",
    since="7.0.0",
    complexity="O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
)
def pubsub_shardnumsub(client: Client, argv: list[bytes]) -> None:
    """PUBSUB SHARDNUMSUB."""
    _numbers(client, SHARD, argv[2:])


@command(
    "pubsub|numpat",
    "",
    PUBSUB | LOADING | STALE,
    summary="Returns a count of unique pattern subscriptions.",
    since="2.8.0",
)
def pubsub_numpat(client: Client, argv: list[bytes]) -> None:
    """PUBSUB NUMPAT."""
    client.reply.integer(len(client.instance.channels.listeners[PATTERN]))


@command(
    "pubsub|help",
    "",
    LOADING | STALE,
    summary="Returns helpful text about the different subcommands.",
    since="6.2.0",
    categories="",
)
def pubsub_help(client: Client, argv: list[bytes]) -> None:
    """PUBSUB HELP."""
    client.reply.help(
        b"PUBSUB",
        [
            b"CHANNELS [<pattern>]",
            b"    Return the currently active channels matching a <pattern> (default: '*').",
            b"NUMPAT",
            b"    Return number of subscriptions to patterns.",
            b"NUMSUB [<channel> ...]",
            b"    Return the number of subscribers for the specified channels, excluding",
            b"    pattern subscriptions(default: no channels).",
            b"SHARDCHANNELS [<pattern>]",
            b"    Return the currently active shard level channels matching a <pattern> (default: '*').",
            b"SHARDNUMSUB [<shardchannel> ...]",
            b"    Return the number of subscribers for the specified shard level channel(s)",
        ],
    )
