"""Directives of Redis that this server takes, keeps and shows, because conf files have them, and has no use for.

They are about machinery that durastore does not have (an allocator's fragments, threads of fixed purpose), or about
features that it does not have yet and that do no harm while they are off.  Where a value other than the default would
promise something, only the default is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from durastore.config.directives import (
    INT64_MAX,
    UINT_MAX,
    Choice,
    ConfigError,
    Directive,
    Integer,
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


class Percentiles(Directive[tuple[float, ...]]):
    """Numbers from 0 to 100."""

    several = True

    def parse(self, words: Sequence[bytes], current: tuple[float, ...], appending: bool) -> tuple[float, ...]:
        if list(words) == [b""]:
            return ()
        try:
            numbers = tuple(float(word) for word in words)
        except ValueError:
            raise ConfigError(f"Invalid {self.name} parameters") from None
        if not all(0 <= number <= 100 for number in numbers):
            raise ConfigError(f"{self.name} parameters should sit between [0.0,100.0]")
        return numbers

    def show(self, value: tuple[float, ...]) -> bytes:
        return " ".join(f"{number:g}" for number in value).encode()


def _cpus(of: str) -> str:
    return f"The CPUs that {of} may run on. Bind the process from outside (taskset) instead."


_DEFRAG: Final = "Part of activedefrag."

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
