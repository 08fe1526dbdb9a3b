"""What Redis 7.2 tells of its commands where Valkey 9.1 tells something else; checked against a redis-server 7.2.4.

The fields are those of ``support.command_tables``.
"""

from __future__ import annotations

from typing import Final

REDIS_72: Final[dict[tuple[str, str], str | int]] = {
    # Valkey took the name of Redis out, or found another.
    ("append", "complexity"): (
        "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already "
        "present value is of any size, since the dynamic string library used by Redis will double the free space "
        "available on every reallocation."
    ),
    ("command", "complexity"): "O(N) where N is the total number of Redis commands",
    ("command|list", "complexity"): "O(N) where N is the total number of Redis commands",
    ("dump", "complexity"): (
        "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects "
        "composing the value and M their average size. For small string values the time complexity is thus "
        "O(1)+O(1*M) where M is small, so simply O(1)."
    ),
    ("restore", "complexity"): (
        "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the "
        "number of Redis objects composing the value and M their average size. For small string values the time "
        "complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the "
        "complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N))."
    ),
    ("restore-asking", "complexity"): (
        "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the "
        "number of Redis objects composing the value and M their average size. For small string values the time "
        "complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the "
        "complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N))."
    ),
    # Valkey mended the tables, or has options that came later and have no date.
    ("bgsave", "arguments"): "schedule:pure-token/SCHEDULE@3.2.2?",
    ("bitcount", "arguments"): (
        "key:key#0 range:block?(start:integer end:integer unit:oneof@7.0.0?(byte:pure-token/BYTE bit:pure-token/BIT))"
    ),
    ("client|kill", "arguments"): (
        "filter:oneof(old-format:string=ip:port!2.8.12 new-format:oneof*(client-id:integer/ID@2.8.12? "
        "client-type:oneof/TYPE@2.8.12?(normal:pure-token/NORMAL master:pure-token/MASTER@3.2.0 "
        "slave:pure-token/SLAVE replica:pure-token/REPLICA@5.0.0 pubsub:pure-token/PUBSUB) username:string/USER? "
        "addr:string=ip:port/ADDR? laddr:string=ip:port/LADDR@6.2.0? skipme:oneof/SKIPME?(yes:pure-token/YES "
        "no:pure-token/NO)))"
    ),
    ("cluster|replicate", "arguments"): "node-id:string",
    ("geosearch", "arguments"): (
        "key:key#0 from:oneof(member:string/FROMMEMBER fromlonlat:block/FROMLONLAT(longitude:double "
        "latitude:double)) by:oneof(circle:block(radius:double/BYRADIUS unit:oneof(m:pure-token/M "
        "km:pure-token/KM ft:pure-token/FT mi:pure-token/MI)) box:block(width:double/BYBOX height:double "
        "unit:oneof(m:pure-token/M km:pure-token/KM ft:pure-token/FT mi:pure-token/MI))) "
        "order:oneof?(asc:pure-token/ASC desc:pure-token/DESC) count-block:block?(count:integer/COUNT "
        "any:pure-token/ANY?) withcoord:pure-token/WITHCOORD? withdist:pure-token/WITHDIST? "
        "withhash:pure-token/WITHHASH?"
    ),
    ("geosearchstore", "arguments"): (
        "destination:key#0 source:key#1 from:oneof(member:string/FROMMEMBER "
        "fromlonlat:block/FROMLONLAT(longitude:double latitude:double)) "
        "by:oneof(circle:block(radius:double/BYRADIUS unit:oneof(m:pure-token/M km:pure-token/KM "
        "ft:pure-token/FT mi:pure-token/MI)) box:block(width:double/BYBOX height:double "
        "unit:oneof(m:pure-token/M km:pure-token/KM ft:pure-token/FT mi:pure-token/MI))) "
        "order:oneof?(asc:pure-token/ASC desc:pure-token/DESC) count-block:block?(count:integer/COUNT "
        "any:pure-token/ANY?) storedist:pure-token/STOREDIST?"
    ),
    ("hscan", "arguments"): "key:key#0 cursor:integer pattern:pattern/MATCH? count:integer/COUNT?",
    ("set", "arguments"): (
        "key:key#0 value:string condition:oneof@2.6.12?(nx:pure-token/NX xx:pure-token/XX) "
        "get:pure-token/GET@6.2.0? expiration:oneof?(seconds:integer/EX@2.6.12 milliseconds:integer/PX@2.6.12 "
        "unix-time-seconds:unix-time/EXAT@6.2.0 unix-time-milliseconds:unix-time/PXAT@6.2.0 "
        "keepttl:pure-token/KEEPTTL@6.0.0)"
    ),
    ("shutdown", "arguments"): (
        "save-selector:oneof?(nosave:pure-token/NOSAVE save:pure-token/SAVE) now:pure-token/NOW@7.0.0? "
        "force:pure-token/FORCE@7.0.0? abort:pure-token/ABORT@7.0.0?"
    ),
    ("xgroup|create", "arguments"): (
        "key:key#0 group:string id-selector:oneof(id:string new-id:pure-token/$) mkstream:pure-token/MKSTREAM? "
        "entries-read:integer/ENTRIESREAD?"
    ),
    ("zscan", "arguments"): "key:key#0 cursor:integer pattern:pattern/MATCH? count:integer/COUNT?",
    # Valkey took the name of Redis out, or says it in other words.
    ("brpoplpush", "summary"): (
        "Pops an element from a list, pushes it to another list and returns it. Block until an element is "
        "available otherwise. Deletes the list if the last element was popped."
    ),
    ("bzpopmax", "summary"): (
        "Removes and returns the member with the highest score from one or more sorted sets. Blocks until a "
        "member available otherwise.  Deletes the sorted set if the last element was popped."
    ),
    ("cluster", "summary"): "A container for Redis Cluster commands.",
    ("cluster|count-failure-reports", "summary"): ("Returns the number of active failure reports active for a node."),
    ("cluster|failover", "summary"): "Forces a replica to perform a manual failover of its master.",
    ("cluster|replicas", "summary"): "Lists the replica nodes of a master node.",
    ("cluster|replicate", "summary"): "Configure a node as replica of a master node.",
    ("cluster|slaves", "summary"): "Lists the replica nodes of a master node.",
    ("decrby", "summary"): (
        "Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist."
    ),
    ("flushdb", "summary"): "Remove all keys from the current database.",
    ("geosearch", "summary"): "Queries a geospatial index for members inside an area of a box or a circle.",
    ("geosearchstore", "summary"): (
        "Queries a geospatial index for members inside an area of a box or a circle, optionally stores the result."
    ),
    ("hello", "summary"): "Handshakes with the Redis server.",
    ("incrbyfloat", "summary"): (
        "Increment the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist."
    ),
    ("lolwut", "summary"): "Displays computer art and the Redis version",
    ("lpop", "summary"): (
        "Returns the first elements in a list after removing it. Deletes the list if the last element was popped."
    ),
    ("ltrim", "summary"): ("Removes elements from both ends a list. Deletes the list if all elements were trimmed."),
    ("migrate", "summary"): "Atomically transfers a key from one Redis instance to another.",
    ("object|encoding", "summary"): "Returns the internal encoding of a Redis object.",
    ("object|freq", "summary"): "Returns the logarithmic access frequency counter of a Redis object.",
    ("object|idletime", "summary"): "Returns the time since the last access to a Redis object.",
    ("readonly", "summary"): "Enables read-only queries for a connection to a Redis Cluster replica node.",
    ("readwrite", "summary"): "Enables read-write queries for a connection to a Reids Cluster replica node.",
    ("replicaof", "summary"): "Configures a server as replica of another, or promotes it to a master.",
    ("rpop", "summary"): (
        "Returns and removes the last elements of a list. Deletes the list if the last element was popped."
    ),
    ("rpushx", "summary"): "Appends an element to a list only when the list exists.",
    ("setnx", "summary"): "Set the string value of a key only when the key doesn't exist.",
    ("shutdown", "summary"): "Synchronously saves the database(s) to disk and shuts down the Redis server.",
    ("slaveof", "summary"): "Sets a Redis server as a replica of another, or promotes it to being a master.",
    ("slowlog|help", "summary"): "Show helpful text about the different subcommands",
    ("spublish", "summary"): "Post a message to a shard channel",
    ("srandmember", "summary"): "Get one or multiple random members from a set",
    ("swapdb", "summary"): "Swaps two Redis databases.",
    ("waitaof", "summary"): (
        "Blocks until all of the preceding write commands sent by the connection are written to the append-only "
        "file of the master and/or replicas."
    ),
    ("xautoclaim", "summary"): (
        "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to "
        "as consumer group member."
    ),
    ("xclaim", "summary"): (
        "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a "
        "consumer group member."
    ),
    ("xlen", "summary"): "Return the number of messages in a stream.",
    # The same.
    ("brpoplpush", "deprecated_since"): "6.2.0",
    ("cluster|slots", "deprecated_since"): "7.0.0",
    ("georadius", "deprecated_since"): "6.2.0",
    ("georadius_ro", "deprecated_since"): "6.2.0",
    ("georadiusbymember", "deprecated_since"): "6.2.0",
    ("georadiusbymember_ro", "deprecated_since"): "6.2.0",
    ("getset", "deprecated_since"): "6.2.0",
    ("hmset", "deprecated_since"): "4.0.0",
    ("psetex", "deprecated_since"): "2.6.12",
    ("quit", "deprecated_since"): "7.2.0",
    ("rpoplpush", "deprecated_since"): "6.2.0",
    ("setex", "deprecated_since"): "2.6.12",
    ("setnx", "deprecated_since"): "2.6.12",
    ("substr", "deprecated_since"): "2.0.0",
    ("zrangebylex", "deprecated_since"): "6.2.0",
    ("zrangebyscore", "deprecated_since"): "6.2.0",
    ("zrevrange", "deprecated_since"): "6.2.0",
    ("zrevrangebylex", "deprecated_since"): "6.2.0",
    ("zrevrangebyscore", "deprecated_since"): "6.2.0",
    # The same.
    ("brpoplpush", "replaced_by"): "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
    ("cluster|slots", "replaced_by"): "`CLUSTER SHARDS`",
    ("georadius", "replaced_by"): "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
    ("georadius_ro", "replaced_by"): "`GEOSEARCH` with the `BYRADIUS` argument",
    ("georadiusbymember", "replaced_by"): (
        "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments"
    ),
    ("georadiusbymember_ro", "replaced_by"): "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
    ("getset", "replaced_by"): "`SET` with the `!GET` argument",
    ("hmset", "replaced_by"): "`HSET` with multiple field-value pairs",
    ("psetex", "replaced_by"): "`SET` with the `PX` argument",
    ("quit", "replaced_by"): "just closing the connection",
    ("rpoplpush", "replaced_by"): "`LMOVE` with the `RIGHT` and `LEFT` arguments",
    ("setex", "replaced_by"): "`SET` with the `EX` argument",
    ("setnx", "replaced_by"): "`SET` with the `NX` argument",
    ("substr", "replaced_by"): "`GETRANGE`",
    ("zrangebylex", "replaced_by"): "`ZRANGE` with the `BYLEX` argument",
    ("zrangebyscore", "replaced_by"): "`ZRANGE` with the `BYSCORE` argument",
    ("zrevrange", "replaced_by"): "`ZRANGE` with the `REV` argument",
    ("zrevrangebylex", "replaced_by"): "`ZRANGE` with the `REV` and `BYLEX` arguments",
    ("zrevrangebyscore", "replaced_by"): "`ZRANGE` with the `REV` and `BYSCORE` arguments",
    # Valkey took back the deprecations.
    ("brpoplpush", "doc_flags"): "deprecated",
    ("cluster|slots", "doc_flags"): "deprecated",
    ("georadius", "doc_flags"): "deprecated",
    ("georadius_ro", "doc_flags"): "deprecated",
    ("georadiusbymember", "doc_flags"): "deprecated",
    ("georadiusbymember_ro", "doc_flags"): "deprecated",
    ("getset", "doc_flags"): "deprecated",
    ("hmset", "doc_flags"): "deprecated",
    ("psetex", "doc_flags"): "deprecated",
    ("quit", "doc_flags"): "deprecated",
    ("rpoplpush", "doc_flags"): "deprecated",
    ("setex", "doc_flags"): "deprecated",
    ("setnx", "doc_flags"): "deprecated",
    ("substr", "doc_flags"): "deprecated",
    ("zrangebylex", "doc_flags"): "deprecated",
    ("zrangebyscore", "doc_flags"): "deprecated",
    ("zrevrange", "doc_flags"): "deprecated",
    ("zrevrangebylex", "doc_flags"): "deprecated",
    ("zrevrangebyscore", "doc_flags"): "deprecated",
    # Valkey allows some more while a script runs or a file is loaded, and WAIT in a blocking sense.
    ("client|caching", "flags"): "noscript loading stale",
    ("client|getname", "flags"): "noscript loading stale",
    ("client|getredir", "flags"): "noscript loading stale",
    ("client|id", "flags"): "noscript loading stale",
    ("client|no-evict", "flags"): "admin noscript loading stale",
    ("client|no-touch", "flags"): "noscript loading stale",
    ("client|reply", "flags"): "noscript loading stale",
    ("client|setinfo", "flags"): "noscript loading stale",
    ("client|setname", "flags"): "noscript loading stale",
    ("cluster|info", "flags"): "stale",
    ("cluster|myid", "flags"): "stale",
    ("cluster|myshardid", "flags"): "stale",
    ("cluster|nodes", "flags"): "stale",
    ("exec", "flags"): "noscript loading stale skip_slowlog",
    ("memory|malloc-stats", "flags"): "",
    ("memory|purge", "flags"): "",
    ("multi", "flags"): "noscript loading stale fast allow_busy",
    ("script|exists", "flags"): "noscript",
    ("script|flush", "flags"): "noscript",
    ("select", "flags"): "loading stale fast",
    ("wait", "flags"): "",
    ("waitaof", "flags"): "noscript",
    ("watch", "flags"): "noscript loading stale fast allow_busy",
    # Valkey takes options that came later.
    ("cluster|replicate", "arity"): 3,
    ("script|debug", "arity"): 3,
    # Valkey mended the tables.
    ("georadius", "key specs"): (
        "RO access | index index 1 | range lastkey 0 keystep 1 limit 0; OW update | keyword keyword STORE "
        "startfrom 6 | range lastkey 0 keystep 1 limit 0; OW update | keyword keyword STOREDIST startfrom 6 | "
        "range lastkey 0 keystep 1 limit 0"
    ),
    ("georadiusbymember", "key specs"): (
        "RO access | index index 1 | range lastkey 0 keystep 1 limit 0; OW update | keyword keyword STORE "
        "startfrom 5 | range lastkey 0 keystep 1 limit 0; OW update | keyword keyword STOREDIST startfrom 5 | "
        "range lastkey 0 keystep 1 limit 0"
    ),
    ("sinterstore", "key specs"): (
        "RW update | index index 1 | range lastkey 0 keystep 1 limit 0; RO access | index index 2 | range "
        "lastkey -1 keystep 1 limit 0"
    ),
    # Valkey mended the tables.
    ("georadius_ro", "history"): "6.2.0 Added the `ANY` option for `COUNT`.",
    ("georadiusbymember", "history"): "7.0.0 Added support for uppercase unit names.",
    ("georadiusbymember_ro", "history"): "",
    ("xinfo|consumers", "history"): "7.2.0 Added the `inactive` field.",
    # As for the flags.
    ("wait", "categories"): "@slow @connection",
    ("waitaof", "categories"): "@slow @connection",
}
