"""Keyspace events: what commands tell about the keys that they touch (notify-keyspace-events).

Source: https://redis.io/docs/latest/develop/use/keyspace-notifications/; the letters are those of the directive.
"""

from __future__ import annotations

from typing import Final

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
