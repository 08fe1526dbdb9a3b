"""``durastore check``: are data files whole?"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import stat
import time
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from durastore.cli.moment import current_moment
from durastore.cli.offline import DATABASES, offline_engine, progress_bar, read_conf, targets_of, total_size
from durastore.config import table as directives
from durastore.persistence.check import TEMPORARY, Checker, FileReport, Verdict, exit_status
from durastore.persistence.disk import LOCK_NAME, RealDisk
from durastore.persistence.finding import Kind, Target, belongs_to
from durastore.persistence.repair import Repair, RepairRefused, cut_torn_end, torn_file

_COLOURS = {
    Verdict.WHOLE: "green",
    Verdict.TORN: "yellow",
    Verdict.DAMAGED: "red",
    Verdict.MISSING: "red",
    Verdict.UNREADABLE: "red",
}
_BAD = (Verdict.TORN, Verdict.DAMAGED, Verdict.MISSING, Verdict.UNREADABLE)


_HELP = """\
Verify data files: every checksum, every value, every command.

A PATH is an RDB file, a file of a log (an old one in one piece, or one of the files of today's), a manifest, the
folder of a log, or a whole data folder.

\b
Exit status:
  0  all files are whole
  1  the log has a torn end, which a start cuts off
  2  a file is damaged or missing: a start would refuse it, or a restore, where it is history
  3  a file cannot be read, or the command line is wrong
"""


@click.command("check", help=_HELP)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--conf", metavar="FILE", help="Check the files of the server that has this conf file.")
@click.option(
    "--as", "kind", type=click.Choice(["rdb", "aof"]), help="What a file is, where its content does not tell."
)
@click.option("--databases", type=click.IntRange(1), help=f"How many databases the server has ({DATABASES}).")
@click.option("--fix", is_flag=True, help="Cut off the torn end of a log, after a copy of the file has been made.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what is wrong.")
def command(
    paths: tuple[str, ...],
    conf: str | None,
    kind: str | None,
    databases: int | None,
    fix: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Verify data files: every checksum, every value, every command."""
    config = read_conf(conf) if conf is not None else None
    targets = targets_of(paths, config, kind)
    truncated = config is None or config[directives.AOF_LOAD_TRUNCATED]
    if databases is None:
        databases = config[directives.DATABASES] if config is not None else DATABASES
    with _claimed(targets if fix else []):
        with progress_bar("Checking", total_size(targets), not as_json and not quiet) as progress:
            now = current_moment()
            checker = Checker(RealDisk(), offline_engine(databases), now, progress, truncated)
            found = [(target, _check(checker, target)) for target in targets]
        reports, repairs, refusals = _repaired(checker, found) if fix else (_all(found), [], [])
    status = exit_status(reports, truncated)
    if as_json:
        click.echo(json.dumps(_as_json(reports, repairs, refusals, status), indent=2))
    else:
        _print(reports, repairs, refusals, quiet)
    return status


def _all(found: list[tuple[Target, list[FileReport]]]) -> list[FileReport]:
    return [report for _, reports in found for report in reports]


def _check(checker: Checker, target: Target) -> list[FileReport]:
    if target.kind is Kind.LOG:
        return checker.log(target.path, target.prefix)
    if target.kind is Kind.RDB:
        return [checker.rdb(target.path)]
    if target.kind is Kind.AOF:
        return [checker.single_log(target.path)]
    return [checker.other(target.path, Verdict.LEFT_OVER, TEMPORARY)]


# Repair


@contextlib.contextmanager
def _claimed(targets: list[Target]) -> Iterator[None]:
    """Keeps servers away from the folders of the logs; raises click's error where one is there already."""
    logs = [target for target in targets if target.kind in (Kind.LOG, Kind.AOF)]
    for target in logs:
        manifest = belongs_to(target.path) if target.kind is Kind.AOF else None
        if manifest is not None:
            raise click.ClickException(f"{target.path} is a part of the log of {manifest}: repair that.")
    with contextlib.ExitStack() as stack:
        for folder in {target.data_folder() for target in logs}:
            try:
                stack.callback(RealDisk().lock(os.path.join(folder, LOCK_NAME)).close)
            except OSError as error:
                raise click.ClickException(f"Nothing was repaired. {error}") from error
        yield


def _repaired(
    checker: Checker, found: list[tuple[Target, list[FileReport]]]
) -> tuple[list[FileReport], list[Repair], list[str]]:
    """Cuts the torn ends off; the reports after that, what was done, and why something was not."""
    reports: list[FileReport] = []
    repairs = []
    refusals = []
    for target, before in found:
        after = before
        if target.kind in (Kind.LOG, Kind.AOF):
            try:
                torn = torn_file(before)
                if torn is not None:
                    repairs.append(_cut(torn))
                    after = _check(checker, target)
            except (RepairRefused, OSError) as error:
                refusals.append(f"Not repaired: {error}")
        reports += after
    return reports, repairs, refusals


def _cut(torn: FileReport) -> Repair:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    # Whoever may not read the file may not read its copy.
    mask = os.umask(~stat.S_IMODE(os.stat(torn.path).st_mode) & 0o777)
    try:
        return cut_torn_end(RealDisk(), torn, stamp)
    finally:
        os.umask(mask)


# Output


def _as_json(reports: list[FileReport], repairs: list[Repair], refusals: list[str], status: int) -> dict[str, Any]:
    return {
        "status": status,
        "files": [{**dataclasses.asdict(report), "lost": report.lost} for report in reports],
        "repairs": [dataclasses.asdict(repair) for repair in repairs],
        "refusals": refusals,
    }


def _print(reports: list[FileReport], repairs: list[Repair], refusals: list[str], quiet: bool) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 200)
    if not quiet and reports:
        console.print(_table(reports))
    if not quiet and not reports:
        _line(console, "There are no files: a start begins empty.")
    for report in reports:
        if report.verdict in _BAD:
            _explain(console, report)
    for repair in repairs:
        _line(
            console, f"{repair.path}: cut off at offset {repair.offset}; {repair.bytes} bytes are gone{_lost(repair)}."
        )
        _line(console, f"    The file as it was: {repair.original}")
    for refusal in refusals:
        _line(console, refusal)


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def _lost(repair: Repair) -> str:
    if not repair.commands:
        return ", with no whole command in them"
    return f", with {repair.commands} whole commands in them, first {repair.first}"


def _explain(console: Console, report: FileReport) -> None:
    where = f" at offset {report.offset} of {report.size}" if report.offset >= 0 else ""
    _line(console, f"{report.path}: {report.verdict}{where}: {report.reason}.")
    contents = report.contents
    if contents.last_command:
        number = contents.commands
        _line(
            console, f"    before: command {number}, {contents.last_command}, at offset {contents.last_command_offset}"
        )
    elif contents.last_key:
        _line(console, f"    before: key {contents.keys}, {contents.last_key}, at offset {contents.last_key_offset}")
    if report.offset >= 0:
        cut = "; a start cuts them off" if report.verdict is Verdict.TORN else ""
        _line(console, f"    behind: {report.lost} bytes{cut}")


def _table(reports: list[FileReport]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("verdict")
    table.add_column("bytes", justify="right")
    table.add_column("holds", overflow="fold")
    table.add_column("checksums", overflow="fold")
    table.add_column("seconds", justify="right")
    for report in reports:
        verdict = Text(report.verdict, _COLOURS.get(report.verdict, "dim"))
        size, seconds = f"{report.size:,}", f"{report.seconds:.2f}"
        table.add_row(Text(report.path), verdict, size, Text(_holds(report)), Text(_checksums(report)), seconds)
    return table


def _holds(report: FileReport) -> str:
    contents = report.contents
    parts = []
    if contents.rdb:
        types = ", ".join(f"{name} {count:,}" for name, count in sorted(contents.types.items()))
        parts.append(f"RDB {contents.rdb}: {contents.keys:,} keys{f' ({types})' if types else ''}")
        if contents.expires:
            gone = f", {contents.expired:,} of them over" if contents.expired else ""
            parts.append(f"{contents.expires:,} expiries{gone}")
        if contents.functions:
            parts.append(f"{contents.functions:,} function libraries")
    if contents.commands:
        parts.append(f"{contents.commands:,} commands")
    return "; ".join(parts) or report.role or (report.reason if report.verdict not in _BAD else "")


def _checksums(report: FileReport) -> str:
    contents = report.contents
    parts = []
    if contents.rdb:
        parts.append("RDB" if contents.rdb_checksum else "RDB: none")
    if contents.stretches:
        parts.append(f"{contents.stretches:,} stretches")
    if contents.foreign_bytes:
        parts.append(f"{contents.foreign_bytes:,} bytes without")
    return "; ".join(parts)
