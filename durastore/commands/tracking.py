"""Which clients keep copies of which keys, and what they are told when those change (client-side caching).

Source: https://redis.io/docs/latest/develop/reference/client-side-caching/.  The keyspace notes changed keys while
anybody tracks; ``after`` turns them into messages once a command is done, ``broadcast`` once a wake.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands.channels import Channels, Push, Subscriber
from durastore.keyspace.keyspace import Keyspace
from durastore.protocol.reply import Reply

CHANNEL_NAME: Final = b"__redis__:invalidate"
# CLIENT CACHING for the next command.
_UNSAID: Final = 0
YES: Final = 1
NO: Final = 2


@final
class Tracked:
    """What one connection has asked for by CLIENT TRACKING ON."""

    def __init__(self, client_id: int, client: Subscriber) -> None:
        self.client_id = client_id
        self.client = client
        self.broadcast = False
        self.opt_in = False
        self.opt_out = False
        self.no_loop = False
        self.prefixes: list[bytes] = []
        # Who gets the messages in its stead (its id, 0: nobody), and that this one is gone.
        self.redirect_id = 0
        self.redirect: Subscriber | None = None
        self.redirect_broken = False
        self.caching: i64 = _UNSAID


@final
class Tracking:
    """All clients that track."""

    def __init__(self, keyspace: Keyspace, channels: Channels) -> None:
        self._keyspace = keyspace
        self._channels = channels
        # Whether ``after`` is to be called after each command.
        self.active = False
        self.clients: dict[int, Tracked] = {}
        # By key, the ids of who may have a copy; by prefix, who hears of changes, and the changes of this wake with the
        # ids of who made them.
        self.keys: dict[bytes, dict[int, None]] = {}
        self.items: i64 = 0
        self.prefixes: dict[bytes, dict[int, None]] = {}
        self._changes: dict[bytes, int] = {}
        # tracking-table-max-keys; 0: no limit.
        self.most_keys: i64 = 1000000

    def enable(self, tracked: Tracked) -> None:
        """CLIENT TRACKING ON; a connection that tracks already is told apart by its id."""
        self.clients[tracked.client_id] = tracked
        for prefix in tracked.prefixes:
            self.prefixes.setdefault(prefix, {})[tracked.client_id] = None
        if not self.active:
            self.active = True
            self._keyspace.track(True)

    def disable(self, client_id: int) -> None:
        """CLIENT TRACKING OFF, or the end of the connection; keys forget it when they change."""
        tracked = self.clients.pop(client_id, None)
        if tracked is None:
            return
        for prefix in tracked.prefixes:
            del self.prefixes[prefix][client_id]
            if not self.prefixes[prefix]:
                del self.prefixes[prefix]
        if not self.clients:
            self.active = False
            self.keys = {}
            self.items = 0
            self._changes = {}
            self._keyspace.track(False)

    def remember(self, client_id: int, keys: list[bytes]) -> None:
        """The client has read these keys."""
        tracked = self.clients.get(client_id)
        if tracked is None or tracked.broadcast:
            return
        if (tracked.opt_in and tracked.caching != YES) or (tracked.opt_out and tracked.caching == NO):
            return
        for key in keys:
            readers = self.keys.setdefault(key, {})
            before: i64 = len(readers)
            readers[client_id] = None
            self.items += len(readers) - before

    def limit(self) -> None:
        """Forgets some keys where there are too many, as if they had changed."""
        while self.most_keys and len(self.keys) > self.most_keys:
            self._invalidate(next(iter(self.keys)), 0)

    def after(self, client_id: int) -> None:
        """Tells of what has changed; ``client_id`` is who changed it (0: nobody)."""
        keyspace = self._keyspace
        if keyspace.flushed:
            keyspace.flushed = False
            keyspace.modified = []
            self._changes = {}
            for tracked in self.clients.values():
                self._send(tracked, None)
            self.keys = {}
            self.items = 0
            return
        for key in keyspace.modified:
            if self.prefixes:
                self._changes.setdefault(key, client_id)
            self._invalidate(key, client_id)
        keyspace.modified = []

    def _invalidate(self, key: bytes, by: int) -> None:
        readers = self.keys.pop(key, None)
        if readers is None:
            return
        self.items -= len(readers)
        for client_id in readers:
            tracked = self.clients.get(client_id)
            if tracked is not None and not tracked.broadcast and not (tracked.no_loop and client_id == by):
                self._send(tracked, [key])

    def broadcast(self) -> None:
        """Tells of this wake's changes to who listens to prefixes; one message for each prefix."""
        changes, self._changes = self._changes, {}
        if not changes:
            return
        for prefix, listeners in sorted(self.prefixes.items()):
            keys = sorted(key for key in changes if key.startswith(prefix))
            for client_id in listeners:
                tracked = self.clients[client_id]
                wanted = [key for key in keys if changes[key] != client_id] if tracked.no_loop else keys
                if wanted:
                    self._send(tracked, wanted)

    def _send(self, tracked: Tracked, keys: list[bytes] | None) -> None:
        """An invalidation of these keys, or (None) of all; who cannot get such messages gets none."""
        receiver = tracked.client
        message = Reply()
        if tracked.redirect is not None:
            if tracked.redirect.gone:
                tracked.redirect_broken = True
                if receiver.reply.resp > 2:
                    message.resp = 3
                    message.push(2)
                    message.bulk(b"tracking-redir-broken")
                    message.integer(tracked.redirect_id)
                    self._channels.pushes.append(Push(receiver, message.take()))
                return
            receiver = tracked.redirect
        message.resp = receiver.reply.resp
        if message.resp > 2:
            message.push(2)
            message.bulk(b"invalidate")
        elif tracked.redirect is not None and receiver.subscriptions is not None:
            message.push(3)
            message.bulk(b"message")
            message.bulk(CHANNEL_NAME)
        else:
            return
        if keys is None:
            message.resp = tracked.client.reply.resp
            message.null()
        else:
            message.bulks(keys)
        self._channels.pushes.append(Push(receiver, message.take()))
