"""Up to which size values keep a compact encoding."""

from __future__ import annotations

from typing import final

from mypy_extensions import i64


@final
class Limits:
    """Up to where the compact encodings go: the ``*-max-*`` directives with their defaults in Redis 7.2."""

    def __init__(self) -> None:
        self.hash_entries: i64 = 512
        self.hash_value: i64 = 64
        self.set_entries: i64 = 128
        self.set_value: i64 = 64
        self.set_intset: i64 = 512
        self.zset_entries: i64 = 128
        self.zset_value: i64 = 64
        # Bytes or, where positive, elements in a node; -1 to -5: 4, 8, 16, 32 and 64 KB.
        self.list_size: i64 = -2
        self.stream_node_bytes: i64 = 4096
        self.stream_node_entries: i64 = 100
        # Bytes of a HyperLogLog.
        self.hll_sparse_bytes: i64 = 3000
