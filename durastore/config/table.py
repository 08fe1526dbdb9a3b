"""The table of directives: the one place that says what can be set, how, and what it does.

Parsing, CONFIG GET, SET and REWRITE and the annotated conf file all come from it; what has no effect stands in
``inert``. Names, defaults, limits and
mutability are those of redis-server 7.2 (its ``config.c`` and ``redis.conf``); a directive that is not Redis's says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from durastore.config import inert
from durastore.config.kinds import (
    INT64_MAX,
    INT_MIN,
    UINT64_MAX,
    UINT_MAX,
    Bind,
    Choice,
    Choices,
    ClientOutputLimits,
    Directive,
    Directory,
    EventClasses,
    Integer,
    Memory,
    MemoryOrPercent,
    Octal,
    OutputLimit,
    OutputLimits,
    Percentiles,
    Save,
    SavePoint,
    Secret,
    Text,
    YesNo,
    no_path,
)
from durastore.config.operations import HTTP, LOG_FORMAT
from durastore.config.tls import TLS

_MB: Final = 1 << 20

# --- network ----------------------------------------------------------------------------------------------------------

BIND: Final = Bind(
    "bind", ("*", "-::*"),
    "The addresses to listen on, IPv4 or IPv6; * and ::* stand for every interface. With a - in front, an address "
    "that this machine does not have is passed over; without, it stops the start. An empty value (bind \"\") turns "
    "TCP off. Anyone who can reach an address can try to log in, so list the fewest that will do.",
    shipped=("127.0.0.1", "-::1"),
)  # fmt: skip
PORT: Final = Integer(
    "port", 6379, "The TCP port. 0 turns TCP off and leaves the Unix socket.", high=65535,
)  # fmt: skip
UNIX_SOCKET: Final = Text(
    "unixsocket", "", "The path of a Unix socket to listen on as well. Empty: none.", immutable=True
)
UNIX_SOCKET_PERM: Final = Octal(
    "unixsocketperm", 0, "The mode of the Unix socket, in octal: who on this machine may connect. 0: as umask has it.",
    high=0o777, immutable=True,
)  # fmt: skip
TCP_BACKLOG: Final = Integer(
    "tcp-backlog", 511, "How many connections the kernel keeps waiting to be accepted; it caps this at "
    "net.core.somaxconn. Too few shows as refused connections when many clients arrive together.",
    unit="connections", immutable=True,
)  # fmt: skip
TCP_KEEPALIVE: Final = Integer(
    "tcp-keepalive", 300, "Probe silent connections after this long, so that peers which vanished are noticed and "
    "their connections freed. 0: never.", unit="seconds",
)  # fmt: skip
TIMEOUT: Final = Integer(
    "timeout", 0, "Close a connection that sent nothing for this long. 0: never. Subscribers and replicas are spared.",
    unit="seconds",
)  # fmt: skip
MAX_CLIENTS: Final = Integer(
    "maxclients", 10000, "How many clients may be connected at a time; one more gets an error and is closed. It needs "
    "as many file descriptors (ulimit -n).", low=1, high=UINT_MAX, unit="connections",
)  # fmt: skip
PROTECTED_MODE: Final = YesNo(
    "protected-mode", True, "While no password is set, serve only clients on this machine. It saves a server that was "
    "opened to a network by mistake; turn it off only behind a firewall.",
)  # fmt: skip

# --- access -----------------------------------------------------------------------------------------------------------

REQUIRE_PASS: Final = Secret(
    "requirepass", "The password of the default user; clients send it with AUTH or HELLO. Empty: none. Guesses are "
    "cheap for an attacker, so make it long. The conf file then needs a mode that keeps others from reading it.",
)  # fmt: skip
ACL_FILE: Final = Text(
    "aclfile", "", "The file with the users, one line for each; ACL LOAD reads it again, ACL SAVE writes it. Relative "
    "to dir. Empty: users are lines of this file (user name rule ...), which CONFIG REWRITE keeps up to date. "
    "Not both.",
    immutable=True,
)  # fmt: skip
ACL_PUBSUB_DEFAULT: Final = Choice(
    "acl-pubsub-default", "resetchannels", "Whether a new user may use all channels (allchannels) or none "
    "(resetchannels) until a rule says so.", ("allchannels", "resetchannels"),
)  # fmt: skip
_WHO: Final = ("no", "yes", "local")
ENABLE_PROTECTED_CONFIGS: Final = Choice(
    "enable-protected-configs", "no", "Who may change dir and dbfilename with CONFIG SET: nobody (no), everybody "
    "(yes), or clients on this machine (local). Whoever may can write files anywhere the server can.",
    _WHO, immutable=True,
)  # fmt: skip
ENABLE_DEBUG_COMMAND: Final = Choice(
    "enable-debug-command", "no", "Who may use DEBUG: nobody (no), everybody (yes), or clients on this machine "
    "(local). DEBUG can stall or stop the server.", _WHO, immutable=True,
)  # fmt: skip
ENABLE_MODULE_COMMAND: Final = Choice(
    "enable-module-command", "no", "Who may try to load modules, of which there are none: see enable-debug-command.",
    _WHO, immutable=True,
)  # fmt: skip
ACL_LOG_MAX_LEN: Final = Integer(
    "acllog-max-len", 128, "How many refused attempts ACL LOG keeps.", high=INT64_MAX, unit="entries",
)  # fmt: skip

# --- process ----------------------------------------------------------------------------------------------------------

DATABASES: Final = Integer(
    "databases", 16, "How many databases SELECT can choose from; they are numbered from 0.", low=1, immutable=True,
    unit="databases",
)  # fmt: skip
LOG_LEVEL: Final = Choice(
    "loglevel", "notice", "The least important message that is logged. debug is for developers; warning leaves only "
    "what needs action, and nothing not even that.", ("debug", "verbose", "notice", "warning", "nothing"),
)  # fmt: skip
LOG_FILE: Final = Text(
    "logfile", "", "The file to log to, from dir if relative. Empty: standard output, which systemd and containers "
    "collect.", immutable=True,
)  # fmt: skip
SYSLOG_ENABLED: Final = YesNo("syslog-enabled", False, "Log to the system's log as well.", immutable=True)
SYSLOG_IDENT: Final = Text("syslog-ident", "redis", "The name in the system's log.", immutable=True)
SYSLOG_FACILITY: Final = Choice(
    "syslog-facility", "local0", "The part of the system's log.",
    ("user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"), immutable=True,
)  # fmt: skip
PID_FILE: Final = Text(
    "pidfile", "", "A file to write the process id to, from dir if relative; it is removed at shutdown. Empty: none, "
    "or /var/run/durastore.pid with daemonize. One that cannot be written is no reason not to start.", immutable=True,
)  # fmt: skip
DAEMONIZE: Final = YesNo(
    "daemonize", False, "Go to the background at start: the command returns when the server listens, with 0, or 1 when "
    "it does not get there. Without a logfile there is no log from then on. Under a service manager leave it off.",
    immutable=True,
)  # fmt: skip
SUPERVISED: Final = Choice(
    "supervised", "no", "How to tell a service manager that the server is ready: systemd sends READY=1 and the state "
    "of loading to $NOTIFY_SOCKET, upstart stops the process once, auto does what the environment asks for. It takes "
    "precedence over daemonize.", ("upstart", "systemd", "auto", "no"), immutable=True,
)  # fmt: skip


def _check_shutdown(words: tuple[str, ...]) -> str | None:
    if {"save", "nosave"} <= set(words):
        return "shutdown options SAVE and NOSAVE can't be used simultaneously"
    return None


_SHUTDOWN_WORDS: Final = ("default", "save", "nosave", "now", "force")
SHUTDOWN_ON_SIGINT: Final = Choices(
    "shutdown-on-sigint", "What SIGINT (control-C) does, in the words of SHUTDOWN: save or nosave, now, force. "
    "default: a snapshot is saved where there are save points, and a server that cannot make its data durable goes on.",
    _SHUTDOWN_WORDS, _check_shutdown,
)  # fmt: skip
SHUTDOWN_ON_SIGTERM: Final = Choices(
    "shutdown-on-sigterm", "The same for SIGTERM, which service managers send.", _SHUTDOWN_WORDS, _check_shutdown,
)  # fmt: skip
HZ: Final = Integer(
    "hz", 10, "How often a second the background work runs: expiry, timeouts, statistics. More makes expired keys go "
    "sooner and costs CPU. Values outside 1 to 500 are pulled to these.", clamp=(1, 500), unit="runs a second",
)  # fmt: skip

# --- files ------------------------------------------------------------------------------------------------------------

DIR: Final = Directory(
    "dir", "./", "The folder of all data files; it must exist. Two servers must not share it. A relative path starts "
    "where the server was started; later relative paths start here. It stays while there is a journal.", protected=True,
    denied_while_loading=True,
)  # fmt: skip
DB_FILENAME: Final = Text(
    "dbfilename", "dump.rdb", "The name of the snapshot file in dir.",
    check=no_path("dbfilename", empty_allowed=True, what="filename"), protected=True,
)  # fmt: skip

# --- journal ----------------------------------------------------------------------------------------------------------

APPEND_ONLY: Final = YesNo(
    "appendonly", False, "Keep a journal (AOF) of every write, so that a crash loses at most what appendfsync allows. "
    "Without it, all since the last snapshot is lost. Turning it on while running first writes a new base.",
    denied_while_loading=True, shipped=True,
)  # fmt: skip
APPEND_FSYNC: Final = Choice(
    "appendfsync", "everysec", "When the journal is forced to disk. always: before the reply, nothing acknowledged is "
    "ever lost, and writes that arrive together share one fsync; everysec: a crash of the machine loses a second; "
    "no: when the kernel likes, often half a minute. A crash of the server alone loses nothing that was written.",
    ("everysec", "always", "no"),
)  # fmt: skip
APPEND_FILENAME: Final = Text(
    "appendfilename", "appendonly.aof", "The beginning of the names of the journal's files.",
    check=no_path("appendfilename", empty_allowed=False, what="filename"), immutable=True,
)  # fmt: skip
APPEND_DIRNAME: Final = Text(
    "appenddirname", "appendonlydir", "The folder of the journal's files, inside dir.",
    check=no_path("appenddirname", empty_allowed=False, what="dirname"), immutable=True,
)  # fmt: skip
NO_APPEND_FSYNC_ON_REWRITE: Final = YesNo(
    "no-appendfsync-on-rewrite", False, "Hold fsync back while a new base is written, which spares a slow disk and "
    "puts all writes of that time at risk.",
)  # fmt: skip
AUTO_AOF_REWRITE_PERCENTAGE: Final = Integer(
    "auto-aof-rewrite-percentage", 100, "Write a new base when the journal grew by this much since the last one. "
    "Less keeps the restart short and writes more. 0: never by itself.", unit="percent",
)  # fmt: skip
AUTO_AOF_REWRITE_MIN_SIZE: Final = Memory(
    "auto-aof-rewrite-min-size", 64 * _MB, "Below this size the journal is left to grow, whatever the percentage.",
    high=INT64_MAX, unit="bytes",
)  # fmt: skip
AOF_LOAD_TRUNCATED: Final = YesNo(
    "aof-load-truncated", True, "When the journal's last write is cut short, as after a power failure, drop it and "
    "start. With no, the start stops until the file was mended by hand. Damage elsewhere always stops it.",
)  # fmt: skip
AOF_LOAD_CORRUPT_TAIL_MAX_SIZE: Final = Memory(
    "aof-load-corrupt-tail-max-size", 0, "A power failure may leave garbage at the end of the journal, and not only a "
    "short last write. Up to so many damaged bytes at its end are set aside, in a file beside it, and the start goes "
    "on with all that stands before them. With 0, damage always stops the start.",
    high=INT64_MAX, unit="bytes",
)  # fmt: skip
AOF_USE_RDB_PREAMBLE: Final = YesNo(
    "aof-use-rdb-preamble", True, "Write the base in the snapshot's format, which is smaller and loads faster than "
    "commands.",
)  # fmt: skip
AOF_TIMESTAMP_ENABLED: Final = YesNo(
    "aof-timestamp-enabled", False, "Note the time in the journal, which lets it be restored to any moment. The notes "
    "are comments that other servers skip.", shipped=True,
)  # fmt: skip
AOF_HISTORY_MAX_AGE: Final = Integer(
    "aof-history-max-age", 0, "After a rewrite, keep the old base and what followed it for so long, so that durastore "
    "restore can bring back the state of any moment since then. 0: remove them at once, as Redis does. They are listed "
    "as history in the manifest; Redis and Valkey remove such files when they start on the folder. Not a directive of "
    "Redis.", high=INT64_MAX // 1000, unit="seconds",
)  # fmt: skip
AOF_HISTORY_MAX_SIZE: Final = Memory(
    "aof-history-max-size", 0, "Of this history, keep at most so much: the oldest goes first. 0: no limit but "
    "aof-history-max-age. Not a directive of Redis.", high=INT64_MAX, unit="bytes",
)  # fmt: skip
AOF_FSYNC_AGE_WARNING: Final = Integer(
    "aof-fsync-age-warning", 10, "When writes wait for an fsync of the journal, and the last good one is so long ago, "
    "the log warns, and INFO persistence has aof_fsync_overdue:1. 0: never.", unit="seconds",
)  # fmt: skip
AOF_REWRITE_INCREMENTAL_FSYNC: Final = YesNo(
    "aof-rewrite-incremental-fsync", True, "Force a new base to disk in pieces while it is written, rather than all at "
    "the end, which would hold up the journal's own writes.",
)  # fmt: skip

# --- snapshots --------------------------------------------------------------------------------------------------------

SAVE: Final = Save(
    "save", (SavePoint(3600, 1), SavePoint(300, 100), SavePoint(60, 10000)),
    "Pairs of seconds and changes: take a snapshot when the last one is at least that old and at least that many "
    "writes came since. Several lines add up; save \"\" turns snapshots off.",
)  # fmt: skip
SNAPSHOT_CPU_PERCENT: Final = Integer(
    "snapshot-cpu-percent", 50, "The share of the server's time that a background snapshot may take while clients "
    "wait for it. Less keeps replies quick, more ends the snapshot sooner. Not a directive of Redis.",
    low=1, high=100, unit="percent",
)  # fmt: skip
RDB_COMPRESSION: Final = YesNo(
    "rdbcompression", True, "Compress strings in snapshots (LZF): smaller files for more CPU."
)
RDB_CHECKSUM: Final = YesNo(
    "rdbchecksum", True, "End a snapshot with a checksum and verify it when loading. Without it, damage to the file "
    "can go unnoticed.", immutable=True,
)  # fmt: skip
RDB_SAVE_AGE_WARNING: Final = Integer(
    "rdb-save-age-warning", 86400, "When there are changes, and the last good snapshot is older than this, the log "
    "warns, and INFO persistence has rdb_save_overdue:1: snapshots that stop without an error are noticed. It counts "
    "where save points are set or a snapshot was taken since the start. 0: never.", unit="seconds",
)  # fmt: skip
STOP_WRITES_ON_BGSAVE_ERROR: Final = YesNo(
    "stop-writes-on-bgsave-error", True, "Refuse writes after a snapshot failed, until one succeeds: an operator "
    "notices that, where a line in the log is overlooked.",
)  # fmt: skip
RDB_SAVE_INCREMENTAL_FSYNC: Final = YesNo(
    "rdb-save-incremental-fsync", True, "Force a snapshot to disk in pieces while it is written, so that the disk "
    "does not stall at the end.",
)  # fmt: skip
KEY_LOAD_DELAY: Final = Integer(
    "key-load-delay", 0, "Load keys no faster than one in this time, to see what a slow start is like: each takes so "
    "long at least; -n stands for one nth of a microsecond.",
    low=INT_MIN, unit="microseconds",
)  # fmt: skip

# --- limits -----------------------------------------------------------------------------------------------------------

PROTO_MAX_BULK_LEN: Final = Memory(
    "proto-max-bulk-len", 512 * _MB, "The longest single argument, and so the longest string, that is accepted.",
    low=_MB, high=INT64_MAX, unit="bytes",
)  # fmt: skip
CLIENT_QUERY_BUFFER_LIMIT: Final = Memory(
    "client-query-buffer-limit", 1024 * _MB, "Close a client whose unfinished command needs more than this.",
    low=_MB, high=INT64_MAX, unit="bytes",
)  # fmt: skip
CLIENT_OUTPUT_BUFFER_LIMIT: Final = ClientOutputLimits(
    "client-output-buffer-limit",
    OutputLimits(
        OutputLimit(0, 0, 0), OutputLimit(256 * _MB, 64 * _MB, 60), OutputLimit(32 * _MB, 8 * _MB, 60)
    ),
    "Close a client that does not read its replies: at once over the hard limit, or when it stays over the soft limit "
    "for the given seconds. One line for each class (normal, replica, pubsub): class, hard, soft, seconds. 0: none.",
    unit="bytes, bytes, seconds",
)  # fmt: skip
MAX_MEMORY: Final = Memory(
    "maxmemory", 0, "How much memory the server may take: itself, its data and the buffers of clients; 0 is no limit. "
    "Beyond it, keys are evicted or writes refused, as maxmemory-policy says.", high=UINT64_MAX, unit="bytes",
)  # fmt: skip
MAX_MEMORY_CLIENTS: Final = MemoryOrPercent(
    "maxmemory-clients", 0, "How much all clients together may take; beyond it those that take most are disconnected, "
    "but for those that said CLIENT NO-EVICT ON. With a percent sign it is a share of maxmemory; 0 is no limit.",
    high=INT64_MAX, unit="bytes",
)  # fmt: skip
MAX_MEMORY_POLICY: Final = Choice(
    "maxmemory-policy", "noeviction", "What goes when maxmemory is reached: nothing (writes are refused), or keys by "
    "age of last use, frequency, time to live, or at random.",
    (
        "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
        "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction",
    ),
)  # fmt: skip
MAX_MEMORY_SAMPLES: Final = Integer(
    "maxmemory-samples", 5, "How many keys eviction compares to find one to drop.", low=1, unit="keys"
)
MAX_MEMORY_EVICTION_TENACITY: Final = Integer(
    "maxmemory-eviction-tenacity", 10, "How long evictions may keep a command waiting: from not at all (0) over half a "
    "millisecond (10) to as long as it takes (100).", high=100,
)  # fmt: skip
LFU_LOG_FACTOR: Final = Integer(
    "lfu-log-factor", 10, "How slowly the counters of uses rise: with 10, a million uses fill one.",
)  # fmt: skip
LFU_DECAY_TIME: Final = Integer(
    "lfu-decay-time", 1, "After so many minutes without use a counter falls by one. 0: never.", unit="minutes"
)

# --- watching ---------------------------------------------------------------------------------------------------------

SLOWLOG_LOG_SLOWER_THAN: Final = Integer(
    "slowlog-log-slower-than", 10000, "Note commands that took longer in SLOWLOG. 0 notes all, -1 none.",
    low=-1, high=INT64_MAX, unit="microseconds",
)  # fmt: skip
SLOWLOG_MAX_LEN: Final = Integer(
    "slowlog-max-len", 128, "How many commands SLOWLOG keeps, the latest first.", high=INT64_MAX, unit="entries"
)
LATENCY_MONITOR_THRESHOLD: Final = Integer(
    "latency-monitor-threshold", 0, "Note events that held the server up for at least this long in LATENCY. 0: none.",
    high=INT64_MAX, unit="milliseconds",
)  # fmt: skip
TRACKING_TABLE_MAX_KEYS: Final = Integer(
    "tracking-table-max-keys", 1000000, "How many keys the server remembers for clients that keep copies (CLIENT "
    "TRACKING). Beyond that, the oldest are invalidated as if they had changed. 0 is no limit.",
    high=INT64_MAX,
)  # fmt: skip
BUSY_REPLY_THRESHOLD: Final = Integer(
    "busy-reply-threshold", 5000, "When a script or function has run for so long, other clients are told that the "
    "server is busy, and SCRIPT KILL, FUNCTION KILL and SHUTDOWN NOSAVE are accepted. 0: never.",
    high=INT64_MAX, alias="lua-time-limit", unit="milliseconds",
)  # fmt: skip
LATENCY_TRACKING: Final = YesNo(
    "latency-tracking", True, "Keep the distribution of each command's execution times and show it in INFO.",
)  # fmt: skip
LATENCY_TRACKING_INFO_PERCENTILES: Final = Percentiles(
    "latency-tracking-info-percentiles", (50.0, 99.0, 99.9), "Which percentiles of it INFO shows.",
)  # fmt: skip
NOTIFY_KEYSPACE_EVENTS: Final = EventClasses(
    "notify-keyspace-events", "", "Publish what happens to keys. Letters choose the channels (K by key, E by event) "
    "and the events: g any type, $ strings, l lists, s sets, h hashes, z sorted sets, t streams, x expired, e evicted, "
    "d modules, A for all of these, m misses, n new keys. Empty: off, which costs nothing.",
)  # fmt: skip

# --- inner workings ---------------------------------------------------------------------------------------------------


def _packing(what: str) -> str:
    return f"Up to this {what}, a value is packed: it takes least memory, and each access scans it."


HASH_MAX_LISTPACK_ENTRIES: Final = Integer(
    "hash-max-listpack-entries", 512, _packing("number of fields of a hash"), high=INT64_MAX,
    alias="hash-max-ziplist-entries", unit="fields",
)  # fmt: skip
HASH_MAX_LISTPACK_VALUE: Final = Memory(
    "hash-max-listpack-value", 64, _packing("length of a hash's fields and values"), high=INT64_MAX,
    alias="hash-max-ziplist-value", unit="bytes",
)  # fmt: skip
LIST_MAX_LISTPACK_SIZE: Final = Integer(
    "list-max-listpack-size", -2, _packing("size of a list") + " Positive: elements. -1 to -5: 4, 8, 16, 32, 64 kb.",
    low=INT_MIN, alias="list-max-ziplist-size",
)  # fmt: skip
SET_MAX_INTSET_ENTRIES: Final = Integer(
    "set-max-intset-entries", 512, _packing("number of members of a set of integers"), high=INT64_MAX,
    unit="members",
)  # fmt: skip
SET_MAX_LISTPACK_ENTRIES: Final = Integer(
    "set-max-listpack-entries", 128, _packing("number of members of a set"), high=INT64_MAX, unit="members",
)  # fmt: skip
SET_MAX_LISTPACK_VALUE: Final = Integer(
    "set-max-listpack-value", 64, _packing("length of a set's members"), high=INT64_MAX, unit="bytes",
)  # fmt: skip
ZSET_MAX_LISTPACK_ENTRIES: Final = Integer(
    "zset-max-listpack-entries", 128, _packing("number of members of a sorted set"), high=INT64_MAX,
    alias="zset-max-ziplist-entries", unit="members",
)  # fmt: skip
ZSET_MAX_LISTPACK_VALUE: Final = Memory(
    "zset-max-listpack-value", 64, _packing("length of a sorted set's members"), high=INT64_MAX,
    alias="zset-max-ziplist-value", unit="bytes",
)  # fmt: skip
HLL_SPARSE_MAX_BYTES: Final = Memory(
    "hll-sparse-max-bytes", 3000, "Up to this size, a HyperLogLog keeps its sparse form, which takes less memory and "
    "more time than the dense one of 12 kB.", high=INT64_MAX, unit="bytes",
)  # fmt: skip
STREAM_NODE_MAX_BYTES: Final = Memory(
    "stream-node-max-bytes", 4096, "The size of a node of a stream. 0: no limit.", high=INT64_MAX, unit="bytes",
)  # fmt: skip
STREAM_NODE_MAX_ENTRIES: Final = Integer(
    "stream-node-max-entries", 100, "The number of entries in a node of a stream. 0: no limit.", high=INT64_MAX,
    unit="entries",
)  # fmt: skip
LAZYFREE_LAZY_EVICTION: Final = YesNo(
    "lazyfree-lazy-eviction",
    False,
    "Journal evictions as UNLINK instead of DEL. Large values are freed in the background anyhow.",
)


class Section(NamedTuple):
    """A group of directives that belong together in the annotated conf file."""

    title: str
    about: str
    directives: tuple[Directive[Any], ...]


SECTIONS: Final[tuple[Section, ...]] = (
    Section(
        "Network", "Where clients come in.",
        (
            BIND, PORT, UNIX_SOCKET, UNIX_SOCKET_PERM, TCP_BACKLOG, TCP_KEEPALIVE, TIMEOUT, MAX_CLIENTS,
            PROTECTED_MODE,
        ),
    ),
    Section("TLS", "Encrypted connections, and certificates of clients.", TLS),
    Section(
        "Access", "Who may do what. Two lines more: user NAME RULE... makes a user; rename-command OLD NEW calls a "
        "command by another name, or by none where that is \"\".",
        (
            REQUIRE_PASS, ACL_FILE, ACL_PUBSUB_DEFAULT, ACL_LOG_MAX_LEN, ENABLE_PROTECTED_CONFIGS,
            ENABLE_DEBUG_COMMAND, ENABLE_MODULE_COMMAND,
        ),
    ),
    Section(
        "Process", "The process, its log and its background work.",
        (
            DATABASES, LOG_LEVEL, LOG_FILE, LOG_FORMAT, SYSLOG_ENABLED, SYSLOG_IDENT, SYSLOG_FACILITY, PID_FILE,
            DAEMONIZE, SUPERVISED, SHUTDOWN_ON_SIGINT, SHUTDOWN_ON_SIGTERM, HZ, *inert.PROCESS,
        ),
    ),
    Section("Files", "Where data is kept.", (DIR, DB_FILENAME)),
    Section(
        "Journal", "Every write, as it happens: what makes an acknowledged write survive.",
        (
            APPEND_ONLY, APPEND_FSYNC, APPEND_FILENAME, APPEND_DIRNAME, NO_APPEND_FSYNC_ON_REWRITE,
            AUTO_AOF_REWRITE_PERCENTAGE, AUTO_AOF_REWRITE_MIN_SIZE, AOF_LOAD_TRUNCATED,
            AOF_LOAD_CORRUPT_TAIL_MAX_SIZE, AOF_FSYNC_AGE_WARNING, AOF_USE_RDB_PREAMBLE, AOF_TIMESTAMP_ENABLED,
            AOF_REWRITE_INCREMENTAL_FSYNC, AOF_HISTORY_MAX_AGE, AOF_HISTORY_MAX_SIZE,
        ),
    ),
    Section(
        "Snapshots", "The whole data set in one file: for backups, and for a quick restart.",
        (
            SAVE, SNAPSHOT_CPU_PERCENT, RDB_COMPRESSION, RDB_CHECKSUM, RDB_SAVE_AGE_WARNING,
            STOP_WRITES_ON_BGSAVE_ERROR, RDB_SAVE_INCREMENTAL_FSYNC, KEY_LOAD_DELAY, *inert.SNAPSHOTS,
        ),
    ),
    Section(
        "Limits", "What one client, or all of them, may take.",
        (
            PROTO_MAX_BULK_LEN, CLIENT_QUERY_BUFFER_LIMIT, CLIENT_OUTPUT_BUFFER_LIMIT, MAX_MEMORY_CLIENTS, MAX_MEMORY,
            MAX_MEMORY_POLICY, MAX_MEMORY_SAMPLES, MAX_MEMORY_EVICTION_TENACITY, LFU_LOG_FACTOR, LFU_DECAY_TIME,
        ),
    ),
    Section(
        "Watching", "What the server tells about itself and its data.",
        (
            SLOWLOG_LOG_SLOWER_THAN, SLOWLOG_MAX_LEN, LATENCY_MONITOR_THRESHOLD, LATENCY_TRACKING,
            LATENCY_TRACKING_INFO_PERCENTILES, TRACKING_TABLE_MAX_KEYS, NOTIFY_KEYSPACE_EVENTS,
            BUSY_REPLY_THRESHOLD, *HTTP,
        ),
    ),
    Section(
        "Inner workings", "Settings of Redis's own data structures, kept so that its files and clients work.",
        (
            HASH_MAX_LISTPACK_ENTRIES, HASH_MAX_LISTPACK_VALUE, LIST_MAX_LISTPACK_SIZE, SET_MAX_INTSET_ENTRIES,
            SET_MAX_LISTPACK_ENTRIES, SET_MAX_LISTPACK_VALUE, ZSET_MAX_LISTPACK_ENTRIES, ZSET_MAX_LISTPACK_VALUE,
            HLL_SPARSE_MAX_BYTES, STREAM_NODE_MAX_BYTES, STREAM_NODE_MAX_ENTRIES, LAZYFREE_LAZY_EVICTION,
            *inert.INNER_WORKINGS,
        ),
    ),
    Section("Replication", "Copies of the data on other servers.", inert.REPLICATION),
    Section("Machinery", "What conf files made for Redis may have, and this server has no use for.", inert.MACHINERY),
)  # fmt: skip

DIRECTIVES: Final[tuple[Directive[Any], ...]] = tuple(
    directive for section in SECTIONS for directive in section.directives
)


def _by_name() -> dict[bytes, Directive[Any]]:
    names: dict[bytes, Directive[Any]] = {}
    for directive in DIRECTIVES:
        for name in (directive.name, directive.alias):
            if name:
                names[name.encode()] = directive
    return names


BY_NAME: Final[Mapping[bytes, Directive[Any]]] = MappingProxyType(_by_name())
"""Every directive under its name and its alias, both in lower case."""
