"""The table of Redis 7.2's commands in the README, and which have nothing to work on."""

from __future__ import annotations

from typing import Final

from durastore.commands.table import build_table
from support.readme_tables import ROOT, find_table, put_table, reason_for

# Group and name of every command and subcommand, as COMMAND and COMMAND DOCS of redis-server 7.2.4 tell them.
LISTED: Final = ROOT / "fixtures" / "commands" / "redis-7.2.4.txt"
HEAD: Final = "| group | commands | answered as by a server alone, without modules |\n|---|---|---|\n"
# What is not there for a command to work on, by the beginning of its name.
REASONS: Final = {
    "asking": "no cluster",
    "cluster": "no cluster",
    "failover": "no replication yet",
    "module": "no modules",
    "psync": "no replication yet",
    "readonly": "no cluster",
    "readwrite": "no cluster",
    "replconf": "no replication yet",
    "replicaof": "no replication yet",
    "slaveof": "no replication yet",
    "sync": "no replication yet",
}


def of_redis() -> dict[str, str]:
    """The commands of Redis 7.2 and their groups."""
    lines = (line.split() for line in LISTED.read_text().splitlines())
    return {name: group for group, name in lines}


def of_durastore() -> dict[str, str]:
    """The commands that durastore declares and their groups."""
    found = {}
    for command in build_table().values():
        for each in (command, *(command.subcommands or {}).values()):
            found[each.spec.name] = each.group
    return found


def reason(name: str) -> str:
    """What is not there for a command to work on; empty where it works."""
    return reason_for(name, REASONS)


def table() -> str:
    """The table, a line for each group of Redis's."""
    theirs = of_redis()
    rows = []
    for group in sorted(set(theirs.values())):
        names = [name for name in theirs if theirs[name] == group]
        idle: dict[str, list[str]] = {}
        for name in names:
            if reason(name):
                idle.setdefault(reason(name), []).append(name)
        reasons = "; ".join(f"{_brief(those)}: {why}" for why, those in idle.items())
        rows.append(f"| {group} | {_brief([name for name in names if not reason(name)])} | {reasons} |\n")
    return HEAD + "".join(rows)


def _brief(names: list[str]) -> str:
    """Names in capitals, those of subcommands in brackets after their container's."""
    families: dict[str, list[str]] = {}
    for name in sorted(names):
        container, _, subcommand = name.upper().partition("|")
        families.setdefault(container, []).extend([subcommand] if subcommand else [])
    return ", ".join(f"{name} ({' '.join(inner)})" if inner else name for name, inner in families.items())


def in_readme() -> str:
    """The table that stands in the README."""
    return find_table(HEAD)


def renew() -> None:
    """Puts the table into the README, in place of the one that stands there."""
    put_table(HEAD, table())
