"""The mark of a log of which an fsync has failed.

What such an fsync has lost often stays in the system's cache, and looks there as if it had been written.  A server that
is killed then, and started again, would read what is not on disk, and its own fsyncs would succeed.  So a file beside
the log tells it that a new base has to be written before anything is relied on.  The mark itself needs no fsync: it has
to last just as long as that cache.
"""

from __future__ import annotations

import logging
import os

from durastore.persistence.disk import Disk

log = logging.getLogger("durastore.persistence")

SUFFIX = ".distrusted"


def mark_path(folder: str, prefix: str) -> str:
    """Where the mark of a log is."""
    return os.path.join(folder, prefix + SUFFIX)


def leave_mark(disk: Disk, folder: str, prefix: str) -> None:
    """Marks a log; where that fails as well, nothing more can be done."""
    try:
        disk.create(mark_path(folder, prefix)).close()
    except OSError as error:
        log.warning("Cannot mark the append only file as one that is not to be trusted: %s", error)


def is_marked(disk: Disk, folder: str, prefix: str) -> bool:
    """Whether a log is not to be trusted."""
    return disk.exists(mark_path(folder, prefix))


def remove_mark(disk: Disk, folder: str, prefix: str) -> None:
    """Takes the mark away where there is one; if it stays, the next start writes a base that is not needed."""
    try:
        if is_marked(disk, folder, prefix):
            disk.remove(mark_path(folder, prefix))
    except OSError as error:
        log.warning("Cannot remove the mark of the append only file that is not to be trusted: %s", error)
