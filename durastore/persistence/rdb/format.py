"""The numbers of the RDB format, and what may go wrong with a file.

Sources: Redis 7.2 (RDB 11), Redis 7.4 (RDB 12, hash fields that expire), Valkey 9 (RDB 80).
"""

from __future__ import annotations

from typing import Final

# What RDB files begin with.
MAGIC: Final = (b"REDIS", b"VALKEY")
# What files and DUMP payloads are written as.  Version 80 (magic VALKEY) is for hashes with fields that expire.
RDB_VERSION: Final = 11
VALKEY_VERSION: Final = 80
# The newest version of each family that is read.  13 to 79 are foreign to both.
REDIS_NEWEST: Final = 12

TYPE_STRING: Final = 0
TYPE_LIST: Final = 1
TYPE_SET: Final = 2
TYPE_ZSET: Final = 3
TYPE_HASH: Final = 4
TYPE_ZSET_2: Final = 5
TYPE_MODULE_PRE_GA: Final = 6
TYPE_MODULE_2: Final = 7
TYPE_HASH_ZIPMAP: Final = 9
TYPE_LIST_ZIPLIST: Final = 10
TYPE_SET_INTSET: Final = 11
TYPE_ZSET_ZIPLIST: Final = 12
TYPE_HASH_ZIPLIST: Final = 13
TYPE_LIST_QUICKLIST: Final = 14
TYPE_STREAM: Final = 15
TYPE_HASH_LISTPACK: Final = 16
TYPE_ZSET_LISTPACK: Final = 17
TYPE_LIST_QUICKLIST_2: Final = 18
TYPE_STREAM_2: Final = 19
TYPE_SET_LISTPACK: Final = 20
TYPE_STREAM_3: Final = 21
# From here on Redis and Valkey went apart: 22 has two meanings.
TYPE_VALKEY_HASH_2: Final = 22
TYPE_HASH_METADATA_PRE_GA: Final = 22
TYPE_HASH_LISTPACK_EX_PRE_GA: Final = 23
TYPE_HASH_METADATA: Final = 24
TYPE_HASH_LISTPACK_EX: Final = 25

OPCODE_SLOT_IMPORT: Final = 243
OPCODE_SLOT_INFO: Final = 244
OPCODE_FUNCTION2: Final = 245
OPCODE_FUNCTION_PRE_GA: Final = 246
OPCODE_MODULE_AUX: Final = 247
OPCODE_IDLE: Final = 248
OPCODE_FREQ: Final = 249
OPCODE_AUX: Final = 250
OPCODE_RESIZEDB: Final = 251
OPCODE_EXPIRETIME_MS: Final = 252
OPCODE_EXPIRETIME: Final = 253
OPCODE_SELECTDB: Final = 254
OPCODE_EOF: Final = 255

# The two kinds of nodes of a quicklist.
NODE_PLAIN: Final = 1
NODE_PACKED: Final = 2


class RdbError(ValueError):
    """An RDB file or a DUMP payload is damaged or of a kind that cannot be read.

    ``offset`` is the position in the file (bytes), ``reason`` says what is wrong there.
    """

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"{reason} (at offset {offset})")
        self.offset = offset
        self.reason = reason
