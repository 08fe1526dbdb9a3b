"""``durastore inspect``: what do data files hold?"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from durastore.cli.moment import current_moment
from durastore.cli.offline import DATABASES, offline_engine, progress_bar, read_conf, targets_of, total_size
from durastore.cli.tools import Failure
from durastore.commands.encoding import encoding_of
from durastore.commands.memory import memory_of
from durastore.config import table as directives
from durastore.persistence.check import shown
from durastore.persistence.disk import RealDisk
from durastore.persistence.export import CommandExport, json_line, text
from durastore.persistence.finding import Kind, Target
from durastore.persistence.inspection import (
    SIZE_NAMES,
    TTL_NAMES,
    Choice,
    Entry,
    Figures,
    LoadedKeyspace,
    RdbFile,
    Statistics,
    Unusable,
    log_paths,
    replay_log,
)

_TYPES = ("string", "list", "set", "zset", "hash", "stream")
# The exit status after a torn end, and after damage, as of ``check``.
_TORN = 1
_DAMAGED = 2


_HELP = """\
Tell what data files hold: types, encodings, biggest keys, prefixes, times to live.

PATH is an RDB file, a file of a log, a manifest, the folder of a log, or a data folder, of which what a start would
load is taken: the log, or else the RDB file.  Nothing is changed, and no server is needed.

\b
--export jsonl prints a JSON object for each key: db, key, type, value, and where it expires "expireat" and "ttl"
(milliseconds). Bytes that are not UTF-8 are an object {"base64": "..."} in place of a string.
--export resp prints the commands that make the keys, for redis-cli --pipe and an empty server.

\b
Exit status:
  0  all was read
  1  the log has a torn end, without which it was read
  2  the files are damaged (durastore check tells more): what was printed is only a part
  3  a file cannot be read, or the command line is wrong
"""


@click.command("inspect", help=_HELP)
@click.argument("path", required=False)
@click.option("--conf", metavar="FILE", help="Inspect what a server with this conf file would load.")
@click.option("--as", "kind", type=click.Choice(["rdb", "aof"]), help="What a file is, if its content does not tell.")
@click.option("--databases", type=click.IntRange(1), help=f"How many databases the server has ({DATABASES}).")
@click.option("--db", type=click.IntRange(0), help="Only the keys of this database.")
@click.option("--type", "only", type=click.Choice(_TYPES), help="Only keys of this type.")
@click.option("--match", metavar="GLOB", help="Only keys that match this pattern.")
@click.option("--top", default=10, show_default=True, type=click.IntRange(0), help="How many keys and prefixes.")
@click.option("--separator", default=":", show_default=True, help="What stands between the parts of a key.")
@click.option("--depth", default=1, show_default=True, type=click.IntRange(1), help="How many parts a prefix has.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--export", type=click.Choice(["jsonl", "resp"]), help="Print the keys themselves.")
def command(
    path: str | None,
    conf: str | None,
    kind: str | None,
    databases: int | None,
    db: int | None,
    only: str | None,
    match: str | None,
    top: int,
    separator: str,
    depth: int,
    as_json: bool,
    export: str | None,
) -> int:
    """Tell what data files hold: types, encodings, biggest keys, prefixes, times to live."""
    if not separator:
        raise click.UsageError("--separator must not be empty.")
    config = read_conf(conf) if conf is not None else None
    targets = targets_of((path,) if path is not None else (), config, kind)
    target = _chosen(targets, config is None or config[directives.APPEND_ONLY])
    if databases is None:
        databases = config[directives.DATABASES] if config is not None else DATABASES
    choice = Choice(db, only, match.encode("utf-8", "surrogateescape") if match is not None else None)
    now = current_moment()
    try:
        with progress_bar("Reading", total_size([target]), True) as progress:
            source, torn = _source(target, databases, progress)
            entries = (entry for entry in source.entries() if choice.has(entry))
            if export == "jsonl":
                _write(json_line(entry, now) for entry in entries)
            elif export == "resp":
                _write(_commands(source, entries, choice.everything(), now))
            else:
                figures = Statistics(_measure, now, top, separator.encode("utf-8", "surrogateescape"), depth)
                for entry in entries:
                    figures.add(entry)
    except Unusable as error:
        raise Failure(f"Damaged: {error}.", _DAMAGED) from error
    except OSError as error:
        raise click.ClickException(f"{target.path}: {error.strerror or error}") from error
    if as_json and export is None:
        click.echo(json.dumps(figures.as_dict(text), indent=2, ensure_ascii=False))
    elif export is None:
        _print(figures)
    if torn:
        click.echo(f"The end of the log is torn, and was left out: {torn}.", err=True)
        return _TORN
    return 0


def _chosen(targets: list[Target], log_first: bool) -> Target:
    """What a start would load; raises click's error where that cannot be told."""
    order = (Kind.LOG, Kind.AOF, Kind.RDB) if log_first else (Kind.RDB,)
    for kind in order:
        found = [target for target in targets if target.kind is kind]
        if len(found) > 1:
            names = ", ".join(f"{target.path} ({target.prefix})" if target.prefix else target.path for target in found)
            raise click.ClickException(f"Which of these? {names}")
        if found:
            return found[0]
    raise click.ClickException("There is nothing that a start would load.")


def _source(target: Target, databases: int, progress: Callable[[int], None]) -> tuple[RdbFile | LoadedKeyspace, str]:
    """Where the entries come from, and what is torn."""
    disk = RealDisk()
    if target.kind is Kind.RDB:
        return RdbFile(disk, target.path, progress), ""
    engine = offline_engine(databases)
    paths = log_paths(disk, target.path, target.prefix) if target.kind is Kind.LOG else [target.path]
    torn = replay_log(disk, paths, engine, progress)
    return LoadedKeyspace(engine.instance.keyspace), torn


def _measure(entry: Entry) -> tuple[str, int]:
    return encoding_of(entry.value).decode(), memory_of(entry.key, entry.value, entry.expire_ms != -1, 0)


# Export


def _write(pieces: Iterator[bytes]) -> None:
    out = sys.stdout.buffer
    for piece in pieces:
        out.write(piece)
    out.flush()


def _commands(
    source: RdbFile | LoadedKeyspace, entries: Iterator[Entry], everything: bool, now: int
) -> Iterator[bytes]:
    export = CommandExport(now)
    libraries = 0
    for entry in entries:
        # Those of an RDB file are known when what stands behind them is read.
        if everything and len(source.functions) > libraries:
            yield export.functions(source.functions[libraries:])
            libraries = len(source.functions)
        yield from export.entry(entry)
    if everything:
        yield export.functions(source.functions[libraries:])
    yield export.rest()


# Output


def _print(figures: Statistics) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 200)
    stored = figures.all.stored > 0
    tables = [
        _encodings(figures, stored),
        _biggest(figures, stored),
        _prefixes(figures, stored),
        _ttls(figures, stored),
        _sizes(figures),
    ]
    for table in tables:
        if table.row_count:
            console.print(table)
            console.print()
    databases = ", ".join(f"db{db}: {each.keys:,}" for db, each in sorted(figures.databases.items()))
    console.print(
        f"{figures.all.keys:,} keys ({databases or 'none'}); about {figures.all.memory:,} bytes in memory"
        + (f", {figures.all.stored:,} in the file" if stored else "")
        + (f"; {figures.expiring_fields:,} hash fields expire" if figures.expiring_fields else ""),
        markup=False,
        soft_wrap=True,
    )


def _table(title: str, names: list[str], numbers: list[str], stored: bool) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        if name != "in the file" or stored:
            table.add_column(name, justify="right")
    return table


_COLUMNS = ["keys", "memory", "in the file", "elements", "most elements"]


def _cells(figures: Figures, stored: bool) -> list[str]:
    numbers = [figures.keys, figures.memory, *([figures.stored] if stored else []), figures.elements]
    return [f"{number:,}" for number in (*numbers, figures.most_elements)]


def _encodings(figures: Statistics, stored: bool) -> Table:
    table = _table("By type and encoding", ["type", "encoding"], _COLUMNS, stored)
    for (kind, encoding), each in sorted(figures.encodings.items(), key=lambda item: -item[1].memory):
        table.add_row(kind, encoding, *_cells(each, stored))
    return table


def _biggest(figures: Statistics, stored: bool) -> Table:
    numbers = ["memory", "in the file", "elements", "database"]
    table = _table("Biggest keys", ["key", "type", "encoding"], numbers, stored)
    for big in figures.biggest():
        size = [f"{big.memory:,}", *([f"{big.stored:,}"] if stored else [])]
        table.add_row(Text(shown(big.key)), big.type, big.encoding, *size, f"{big.elements:,}", str(big.db))
    return table


def _prefixes(figures: Statistics, stored: bool) -> Table:
    table = _table("Biggest prefixes", ["prefix"], _COLUMNS, stored)
    for prefix, each in figures.largest_prefixes():
        table.add_row(Text(f"{shown(prefix)}*" if prefix else "(none)"), *_cells(each, stored))
    if figures.other_prefixes.keys:
        table.add_row("(small ones)", *_cells(figures.other_prefixes, stored))
    return table


def _ttls(figures: Statistics, stored: bool) -> Table:
    table = _table("Time to live, at most", ["time"], _COLUMNS, stored)
    for name in ("none", *TTL_NAMES):
        if name in figures.ttls:
            table.add_row(name, *_cells(figures.ttls[name], stored))
    return table


def _sizes(figures: Statistics) -> Table:
    table = _table("Keys by the number of elements (bytes, of a string), at most", ["type"], list(SIZE_NAMES), False)
    for kind, counts in sorted(figures.sizes.items()):
        table.add_row(kind, *(f"{count:,}" if count else "" for count in counts))
    return table
