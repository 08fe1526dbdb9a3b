"""What the tools that restore and back up share: exit statuses, loading a log to see that it is good, sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import click

from durastore.cli.moment import current_moment
from durastore.cli.offline import offline_engine
from durastore.cli.tools import Failure
from durastore.persistence.aof.log import LogSettings
from durastore.persistence.aof.manifest import AofError
from durastore.persistence.backup.store import StoreError
from durastore.persistence.disk import Disk
from durastore.persistence.loader import Loader, LoadError
from durastore.persistence.recording import RecordingError
from durastore.persistence.restore import LOG_PREFIX, Loaded

# There is nothing to back up, or that is recorded; the data are damaged.
NOT_RECORDED: Final = 1
DAMAGED: Final = 2


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
    now = current_moment()
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


def settle(work: Callable[[], int]) -> int:
    """Does a tool's work and returns its exit status.  Raises click's error, with the status, where it goes wrong."""
    try:
        return work()
    except RecordingError as error:
        raise Failure(str(error), NOT_RECORDED) from error
    except (AofError, LoadError) as error:
        raise Failure(str(error), DAMAGED) from error
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        reason = str(error) if error.filename is None else f"{error.filename}: {error.strerror}"
        raise click.ClickException(reason) from error
