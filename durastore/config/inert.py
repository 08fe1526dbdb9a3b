"""Directives of Redis that this server takes, keeps and shows, because conf files have them, and has no use for.

They are about machinery that durastore does not have (an allocator's fragments, threads of fixed purpose), or about
features that it does not have yet and that do no harm while they are off.  Where a value other than the default would
promise something, only the default is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from durastore.config.kinds import (
    INT64_MAX,
    UINT_MAX,
    Choice,
    ConfigError,
    Directive,
    Integer,
    Integers,
    Memory,
    Text,
    YesNo,
)


class Fixed(Directive[str]):
    """A directive of which only the default can be had."""

    def __init__(self, name: str, default: str, doc: str, alias: str = "") -> None:
        super().__init__(name, default, doc, alias=alias, effect=False)

    def parse(self, words: Sequence[bytes], current: str, appending: bool) -> str:
        if words[0].lower() != self.default.encode():
            raise ConfigError(f"this server supports only '{self.default}'")
        return self.default

    def show(self, value: str) -> bytes:
        return value.encode()


def _check_title(template: str) -> str | None:
    # The title and the mode may expand to nothing, and a process title must not.
    certain = template.replace("{title}", "").replace("{server-mode}", "")
    if certain.strip(" ") and _TITLE_TEMPLATE.fullmatch(template):
        return None
    return "template format is invalid or contains unknown variables"


def _cpus(of: str) -> str:
    return f"The CPUs that {of} may run on. Bind the process from outside (taskset) instead."


_TITLE_TEMPLATE: Final = re.compile(
    r"(?:[^{]|\{\{|\{(?:title|listen-addr|server-mode|port|tls-port|unixsocket|config-file)\})*"
)
_LAZY: Final = "Free values in the background {}. Large ones always are."
_DEFRAG: Final = "Part of activedefrag."

PROCESS: Final[tuple[Directive[Any], ...]] = (
    Integer(
        "shutdown-timeout", 10, "How long a shutdown waits for replicas that lag behind. 0: not at all.",
        unit="seconds", effect=False,
    ),
    YesNo(
        "dynamic-hz", True, "Raise hz with the number of clients. The work of each run is bounded here, so hz stays "
        "put.", effect=False,
    ),
    Integer(
        "io-threads", 1, "Threads for socket reads and writes. The server serves all sockets from one thread.",
        low=1, high=128, immutable=True, effect=False, unit="threads",
    ),
    YesNo("always-show-logo", False, "Draw a logo in the log at start. There is none.", immutable=True, effect=False),
    YesNo("set-proc-title", True, "Show address and mode in the process title.", immutable=True, effect=False),
    Text(
        "proc-title-template", "{title} {listen-addr} {server-mode}", "The form of the process title. Variables: "
        "{title}, {listen-addr}, {server-mode}, {port}, {tls-port}, {unixsocket}, {config-file}.",
        check=_check_title, effect=False,
    ),
    Text(
        "locale-collate", "", "The locale for comparing strings in SORT ALPHA. Strings compare by their bytes.",
        effect=False,
    ),
    YesNo(
        "crash-log-enabled", True, "Log the state of the process when it crashes. Errors are logged with their "
        "traceback in any case.", effect=False,
    ),
    YesNo(
        "disable-thp", True, "Turn transparent huge pages off for this process, which matters to servers that fork.",
        immutable=True, effect=False,
    ),
    Choice(
        "oom-score-adj", "no", "Whether to tell the kernel which process to kill first when memory runs out.",
        ("no", "yes", "relative", "absolute"), effect=False,
    ),
    Integers(
        "oom-score-adj-values", (0, 200, 800), "The scores for a master, a replica and a background child.",
        low=-2000, high=2000, effect=False,
    ),
    Text(
        "ignore-warnings", "", "Names of start-up warnings to ignore. The ones that Redis knows do not arise.",
        effect=False,
    ),
    YesNo(
        "jemalloc-bg-thread", True, "Have the allocator return memory in the background. Python has its own allocator.",
        effect=False,
    ),
)  # fmt: skip
SNAPSHOTS: Final[tuple[Directive[Any], ...]] = (
    YesNo("rdb-del-sync-files", False, "Delete snapshots that were made only for replicas.", effect=False),
)  # fmt: skip
INNER_WORKINGS: Final[tuple[Directive[Any], ...]] = (
    Integer(
        "list-compress-depth", 0, "How many nodes at both ends of a list Redis leaves uncompressed. Lists are not "
        "compressed here.", unit="nodes", effect=False,
    ),
    YesNo(
        "activerehashing", True, "Spend idle time on moving hash tables to their new size. Tables are split in small "
        "segments, so there is nothing to spread.", effect=False,
    ),
    YesNo("lazyfree-lazy-expire", False, _LAZY.format("on expiry"), effect=False),
    YesNo("lazyfree-lazy-server-del", False, _LAZY.format("when a command overwrites them"), effect=False),
    YesNo("lazyfree-lazy-user-del", False, _LAZY.format("on DEL"), effect=False),
    YesNo("lazyfree-lazy-user-flush", False, _LAZY.format("on FLUSHALL and FLUSHDB"), effect=False),
)  # fmt: skip
REPLICATION: Final[tuple[Directive[Any], ...]] = (
    YesNo(
        "replica-lazy-flush", False, _LAZY.format("when a replica drops its data for a full resync"),
        alias="slave-lazy-flush", effect=False,
    ),
    YesNo(
        "replica-serve-stale-data", True, "Answer from old data while the link to the master is down.",
        alias="slave-serve-stale-data", effect=False,
    ),
    YesNo(
        "replica-read-only", True, "Refuse writes from clients of a replica.", alias="slave-read-only", effect=False
    ),
    Integer(
        "replica-priority", 100, "Which replica a failover prefers: the lowest number; 0 is never chosen.",
        alias="slave-priority", effect=False,
    ),
    YesNo("repl-diskless-sync", True, "Send a full resync without a file in between.", effect=False),
    Integer(
        "repl-diskless-sync-delay", 5, "How long to wait for more replicas before a full resync.", unit="seconds",
        effect=False,
    ),
    Integer(
        "repl-diskless-sync-max-replicas", 0, "Start a full resync early once this many replicas wait. 0: do not.",
        unit="replicas", effect=False,
    ),
    Choice(
        "repl-diskless-load", "disabled", "Whether a replica loads a full resync straight from the socket.",
        ("disabled", "on-empty-db", "swapdb"), effect=False,
    ),
    YesNo("repl-disable-tcp-nodelay", False, "Send fewer, larger packets to replicas, later.", effect=False),
)  # fmt: skip
MACHINERY: Final[tuple[Directive[Any], ...]] = (
    YesNo("activedefrag", False, "Moves values in memory to make its free parts whole.", effect=False),
    Memory("active-defrag-ignore-bytes", 100 << 20, _DEFRAG, low=1, high=INT64_MAX, effect=False),
    Integer("active-defrag-threshold-lower", 10, _DEFRAG, high=1000, unit="percent", effect=False),
    Integer("active-defrag-threshold-upper", 100, _DEFRAG, high=1000, unit="percent", effect=False),
    Integer("active-defrag-cycle-min", 1, _DEFRAG, low=1, high=99, unit="percent", effect=False),
    Integer("active-defrag-cycle-max", 25, _DEFRAG, low=1, high=99, unit="percent", effect=False),
    Integer("active-defrag-max-scan-fields", 1000, _DEFRAG, low=1, high=INT64_MAX, unit="fields", effect=False),
    Integer(
        "active-expire-effort", 1, "How much the search for expired keys may cost; here it is a quarter of the time.",
        low=1, high=10, effect=False,
    ),
    YesNo("aof-disable-auto-gc", False, "Keeps the files of a log that were replaced.", effect=False),
    Text("server_cpulist", "", _cpus("the server"), immutable=True, effect=False),
    Text("bio_cpulist", "", _cpus("threads for files"), immutable=True, effect=False),
    Text("aof_rewrite_cpulist", "", _cpus("a rewrite of the log"), immutable=True, effect=False),
    Text("bgsave_cpulist", "", _cpus("a snapshot"), immutable=True, effect=False),
    YesNo("crash-memcheck-enabled", True, "Tests the memory after a crash.", effect=False),
    YesNo("io-threads-do-reads", False, "Whether I/O threads also read.", immutable=True, effect=False),
    Choice(
        "propagation-error-behavior", "ignore", "What a replica does about a command that fails.",
        ("ignore", "panic", "panic-on-replicas"), effect=False,
    ),
    Choice(
        "sanitize-dump-payload", "no", "Whether RDB files and RESTORE are checked in depth; here they always are.",
        ("no", "yes", "clients"), effect=False,
    ),
    Text("bind-source-addr", "", "The address that connections to other servers come from.", effect=False),
    Integer("socket-mark-id", 0, "A mark for the firewall on listening sockets.", high=UINT_MAX, immutable=True,
            effect=False),
    Memory("repl-backlog-size", 1 << 20, "How much is kept for replicas that come back.", low=1, high=INT64_MAX,
           clamp=(16384, INT64_MAX),
           effect=False),
    Integer("repl-backlog-ttl", 3600, "How long it is kept without a replica.", high=INT64_MAX, unit="seconds",
            effect=False),
    Integer("repl-ping-replica-period", 10, "How often replicas are pinged.", low=1, alias="repl-ping-slave-period",
            unit="seconds", effect=False),
    Integer("repl-timeout", 60, "After so long without a word a replication link is down.", low=1, unit="seconds",
            effect=False),
    YesNo("replica-ignore-maxmemory", True, "Whether a replica leaves eviction to its master.",
          alias="slave-ignore-maxmemory", effect=False),
    Integer("min-replicas-max-lag", 10, "Part of min-replicas-to-write.", alias="min-slaves-max-lag", unit="seconds",
            effect=False),
    Fixed("min-replicas-to-write", "0", "Refuses writes with fewer replicas.", alias="min-slaves-to-write"),
    Fixed("cluster-enabled", "no", "Makes the server part of a cluster."),
    Fixed("tls-replication", "no", "TLS towards the master."),
    Fixed("tls-cluster", "no", "TLS between nodes of a cluster."),
)  # fmt: skip
