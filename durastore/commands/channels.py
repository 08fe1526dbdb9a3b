"""Channels: who listens to what, and the messages on their way.

Source: https://redis.io/docs/latest/develop/pubsub/.  A message is not written to its receivers at once but kept in
``pushes`` until the command, or transaction, that published it has replied: a client that hears itself must not find
the message inside its reply.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from durastore.keyspace.database import Watcher
from durastore.keyspace.glob import glob_match
from durastore.protocol.reply import Reply

# The three kinds of subscription.
CHANNEL: Final = 0
PATTERN: Final = 1
SHARD: Final = 2


@mypyc_attr(allow_interpreted_subclasses=False)
class Subscriber(Watcher):
    """A connection as this module sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.reply = Reply()
        # What it has subscribed to, by kind; None: nothing, as most connections.
        self.subscriptions: list[dict[bytes, None]] | None = None
        # The peer has left.
        self.gone = False

    def count(self, kind: i64) -> i64:
        """The number of its subscriptions of one kind."""
        return 0 if self.subscriptions is None else len(self.subscriptions[kind])


@final
class Push:
    """A message on its way."""

    def __init__(self, receiver: Subscriber, data: bytes) -> None:
        self.receiver = receiver
        self.data = data


@final
class Message:
    """One message, encoded once for each protocol version that is asked for."""

    def __init__(self, words: list[bytes]) -> None:
        self._words = words
        self._encoded: list[bytes | None] = [None, None]

    def encoded(self, resp: i64) -> bytes:
        """The message for a receiver that speaks this version."""
        data = self._encoded[resp - 2]
        if data is None:
            reply = Reply()
            reply.resp = resp
            reply.push(len(self._words))
            for word in self._words:
                reply.bulk(word)
            data = reply.take()
            self._encoded[resp - 2] = data
        return data


@final
class Channels:
    """All subscriptions of one server."""

    def __init__(self) -> None:
        self.listeners: list[dict[bytes, dict[Subscriber, None]]] = [{}, {}, {}]
        self.pushes: list[Push] = []

    def subscribe(self, who: Subscriber, kind: i64, name: bytes) -> None:
        """From now on ``who`` hears what is published there."""
        if who.subscriptions is None:
            who.subscriptions = [{}, {}, {}]
        who.subscriptions[kind][name] = None
        self.listeners[kind].setdefault(name, {})[who] = None

    def unsubscribe(self, who: Subscriber, kind: i64, name: bytes) -> None:
        """Takes back ``subscribe``; nothing happens where there was none."""
        own = who.subscriptions
        if own is None or name not in own[kind]:
            return
        del own[kind][name]
        listeners = self.listeners[kind]
        del listeners[name][who]
        if not listeners[name]:
            del listeners[name]
        if not own[CHANNEL] and not own[PATTERN] and not own[SHARD]:
            who.subscriptions = None

    def leave(self, who: Subscriber) -> None:
        """Takes back all subscriptions of a connection."""
        for kind in (CHANNEL, PATTERN, SHARD):
            own = who.subscriptions
            if own is not None:
                for name in list(own[kind]):
                    self.unsubscribe(who, kind, name)

    def publish(self, channel: bytes, text: bytes) -> i64:
        """Sends a message to who listens to the channel or to a pattern that matches it; returns to how many."""
        receivers = self._send(self.listeners[CHANNEL].get(channel), [b"message", channel, text])
        for pattern, listeners in self.listeners[PATTERN].items():
            if glob_match(pattern, channel):
                receivers += self._send(listeners, [b"pmessage", pattern, channel, text])
        return receivers

    def publish_shard(self, channel: bytes, text: bytes) -> i64:
        """Sends a message to who listens to the shard channel; returns to how many."""
        return self._send(self.listeners[SHARD].get(channel), [b"smessage", channel, text])

    def _send(self, listeners: dict[Subscriber, None] | None, words: list[bytes]) -> i64:
        if listeners is None:
            return 0
        message = Message(words)
        for listener in listeners:
            self.pushes.append(Push(listener, message.encoded(listener.reply.resp)))
        return len(listeners)
