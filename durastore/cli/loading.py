"""What the tools that restore and back up share: they load a log to see that it is good, and tell sizes to people."""

from __future__ import annotations

import time

import click

from durastore.cli.offline import offline_engine
from durastore.persistence.aof.log import LogSettings
from durastore.persistence.disk import Disk
from durastore.persistence.loader import Loader
from durastore.persistence.restore import LOG_PREFIX, Loaded


def _settings(folder: str) -> LogSettings:
    return LogSettings(
        folder=folder,
        filename=LOG_PREFIX,
        fsync="no",
        timestamps=False,
        rdb_preamble=True,
        no_fsync_on_rewrite=False,
        rewrite_percentage=0,
        rewrite_min_size=0,
        load_truncated=False,
        incremental_fsync=False,
    )


def load_log(disk: Disk, folder: str, databases: int) -> Loaded:
    """Loads the log in a folder, as a server would.  Raises LoadError."""
    engine = offline_engine(databases)
    Loader(engine, disk, lambda: _settings(folder), lambda: "").reload_log()
    now = int(time.time() * 1000)
    keys = expired = 0
    for db in engine.instance.keyspace.databases:
        keys += int(db.table.count)
        for segment in db.table.directory.distinct():
            expired += sum(when < now for when in segment.expires.values())
    return Loaded(keys, expired)


def spell_size(size: int) -> str:
    """A size for people."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def fail(error: Exception) -> None:
    """Tells people what went wrong."""
    click.echo(f"Error: {error}", err=True)
