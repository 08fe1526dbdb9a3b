"""Keyspace events: what commands tell about the keys that they touch (notify-keyspace-events).

Source: https://redis.io/docs/latest/develop/use/keyspace-notifications/; the letters are those of the directive.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands.channels import Channels
from durastore.keyspace.database import Expired
from durastore.keyspace.keyspace import Keyspace

BY_KEY: Final = 1 << 0  # K
BY_EVENT: Final = 1 << 1  # E
GENERIC: Final = 1 << 2  # g
STRING: Final = 1 << 3  # $
LIST: Final = 1 << 4  # l
SET: Final = 1 << 5  # s
HASH: Final = 1 << 6  # h
ZSET: Final = 1 << 7  # z
EXPIRED: Final = 1 << 8  # x
EVICTED: Final = 1 << 9  # e
STREAM: Final = 1 << 10  # t
KEY_MISS: Final = 1 << 11  # m
NEW: Final = 1 << 14  # n

# Letters of the directive, in the order of their bits; MODULE (d) never happens here.
_LETTERS: Final = "KEg$lshzxetmd"


def kinds_of(letters: str) -> int:
    """The bits for the letters of notify-keyspace-events; 0 where neither K nor E is among them."""
    if "K" not in letters and "E" not in letters:
        return 0
    kinds = NEW if "n" in letters else 0
    for bit, letter in enumerate(_LETTERS):
        if letter in letters:
            kinds |= 1 << bit
    return kinds


@final
class KeyspaceEvents:
    """Publishes the events that are asked for; ``kinds`` are their bits."""

    def __init__(self, keyspace: Keyspace, channels: Channels) -> None:
        self.kinds: i64 = 0
        self._keyspace = keyspace
        self._channels = channels

    def choose(self, kinds: int) -> None:
        """From now on events of these kinds are published."""
        self.kinds = kinds
        self._keyspace.noting_misses = kinds & KEY_MISS != 0
        self._keyspace.noting_new = kinds & NEW != 0

    def noting(self) -> bool:
        """Whether ``publish_noted`` is to be called after each command."""
        return self._keyspace.noting_misses or self._keyspace.noting_new

    def publish(self, kind: i64, event: bytes, key: bytes, db: i64) -> None:
        """An event of a key, if its kind is asked for; what the keyspace did before it comes before it."""
        if self.kinds & kind:
            self.publish_noted()
            self._publish(event, key, db)

    def publish_noted(self) -> None:
        """What the keyspace did by itself: keys that were missed, made, or found expired."""
        keyspace = self._keyspace
        for expired in keyspace.expired:
            if not expired.told:
                expired.told = True
                self._publish_expired(expired)
        if keyspace.noted:
            for noted in keyspace.noted:
                self._publish(b"new" if noted.is_new else b"keymiss", noted.key, noted.db)
            keyspace.noted = []

    def _publish_expired(self, expired: Expired) -> None:
        if expired.fields is None:
            if self.kinds & EXPIRED:
                self._publish(b"expired", expired.key, expired.db)
            return
        if self.kinds & HASH:
            self._publish(b"hexpired", expired.key, expired.db)
        if expired.emptied and self.kinds & GENERIC:
            self._publish(b"del", expired.key, expired.db)

    def _publish(self, event: bytes, key: bytes, db: i64) -> None:
        if self.kinds & BY_KEY:
            self._channels.publish(b"__keyspace@%d__:%b" % (db, key), event)
        if self.kinds & BY_EVENT:
            self._channels.publish(b"__keyevent@%d__:%b" % (db, event), key)
