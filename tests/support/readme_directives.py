"""The table of Redis 7.2's directives in the README: honoured, taken without effect, or refused."""

from __future__ import annotations

from typing import Final

from durastore.config.inert import Fixed
from durastore.config.table import BY_NAME
from support.readme_tables import ROOT, find_table, put_table, reason_for

LISTED: Final = ROOT / "fixtures" / "conf" / "redis-7.2.4.txt"
HEAD: Final = "| directives | names | why |\n|---|---|---|\n"
# Why a directive is refused, by the beginning of its name.
REASONS: Final = {
    "cluster-": "no cluster",
    "master": "no replication yet",
    "replica": "no replication yet",
    "slave": "no replication yet",
}


def of_redis() -> list[str]:
    """The directives of Redis 7.2."""
    return LISTED.read_text().split()


def reason(name: str) -> str:
    """Why a directive is refused."""
    return reason_for(name, REASONS)


def table() -> str:
    """The table: a line for those that are honoured, and one for each reason why others are not."""
    groups: dict[tuple[str, str], list[str]] = {("honoured", ""): []}
    for name in sorted(of_redis()):
        directive = BY_NAME.get(name.encode())
        if directive is None:
            place = ("refused", reason(name))
        elif isinstance(directive, Fixed):
            place = ("taken with its default only", directive.doc)
        elif not directive.effect:
            place = ("taken without effect", directive.doc)
        else:
            place = ("honoured", "")
        groups.setdefault(place, []).append(name)
    order = ["honoured", "taken without effect", "taken with its default only", "refused"]
    rows = sorted(groups.items(), key=lambda item: order.index(item[0][0]))
    return HEAD + "".join(
        f"| {what} | {', '.join(f'`{name}`' for name in names)} | {why.replace('|', '/')} |\n"
        for (what, why), names in rows
    )


def in_readme() -> str:
    """The table that stands in the README."""
    return find_table(HEAD)


def renew() -> None:
    """Puts the table into the README, in place of the one that stands there."""
    put_table(HEAD, table())
