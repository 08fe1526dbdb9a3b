"""Cutting off the torn end of a log, as a start would do it, but with everything kept.

At every moment, crashes included, the whole original is on disk: under its own name until its copy is there, data and
name, and only then the file is cut.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from durastore.persistence.aof.reader import PIECE, log_parser
from durastore.persistence.check import HISTORY, FileReport, Verdict, shown
from durastore.persistence.disk import Disk, copy_from
from durastore.protocol.parser import REQUEST


class RepairRefused(Exception):
    """Something else is wrong than a torn end; the text says what."""


@dataclass(frozen=True)
class Repair:
    """What was cut off: so many bytes, with so many commands that are complete and the ``first`` of them.

    ``original`` is where the file is kept as it was.
    """

    path: str
    original: str
    offset: int
    bytes: int
    commands: int
    first: str


def torn_file(reports: list[FileReport]) -> FileReport | None:
    """The file of a log that has a torn end, None where the log is whole.  Raises RepairRefused."""
    for report in reports:
        if report.role != HISTORY and report.verdict in (Verdict.DAMAGED, Verdict.MISSING, Verdict.UNREADABLE):
            raise RepairRefused(f"{report.path} is {report.verdict}, which only a backup helps with: {report.reason}")
    torn = [report for report in reports if report.verdict is Verdict.TORN]
    return torn[0] if torn else None


def cut_torn_end(disk: Disk, report: FileReport, stamp: str) -> Repair:
    """Cuts a file where its report says, and keeps the original beside it, with ``stamp`` in its name."""
    path = report.path
    commands, first = _lost_commands(disk, path, report.offset)
    original = _keep(disk, path, f"{path}.damaged-{stamp}", report.size)
    disk.cut(path, report.offset)
    disk.fsync_folder(os.path.dirname(path))
    return Repair(path, original, report.offset, report.lost, commands, first)


def _keep(disk: Disk, path: str, wanted: str, size: int) -> str:
    """Copies a file, so that the copy is on disk under its name; returns its path."""
    kept = disk.free_name(wanted)
    source = disk.open(path)
    whole = False
    try:
        file = disk.create(kept)
        try:
            if copy_from(source, 0, file) != size:
                raise RepairRefused(f"{path} has changed while it was checked")
            file.fsync()
            whole = True
        finally:
            file.close()
            if not whole:
                disk.remove(kept)
    finally:
        source.close()
    disk.fsync_folder(os.path.dirname(path))
    return kept


def _lost_commands(disk: Disk, path: str, offset: int) -> tuple[int, str]:
    """How many whole commands stand behind an offset, as far as they can be told, and the first of them."""
    parser = log_parser()
    commands = 0
    first = ""
    source = disk.open(path)
    try:
        # Zeros at the end are of nothing that was written.
        end = source.size - source.zeros_at_end()
        position = 0
        while position < offset and (piece := source.read(min(offset - position, PIECE))):
            position += len(piece)
        while position < end and (piece := source.read(min(end - position, PIECE))):
            position += len(piece)
            parser.feed(piece)
            while (outcome := parser.next()) == REQUEST:
                if not commands:
                    first = " ".join(shown(word) for word in parser.argv[:2])
                commands += 1
            if outcome != 0:
                break
    finally:
        source.close()
    return commands, first
