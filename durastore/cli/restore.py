"""``durastore restore``: a new data folder with the state of a moment."""

from __future__ import annotations

import json
import os
from typing import Any, Final

import click

from durastore.cli.loading import load_log, settle, spell_size
from durastore.cli.moment import current_moment, moment_option
from durastore.cli.offline import DATABASES
from durastore.persistence.backup.catalogue import CATALOGUES, read_catalogues
from durastore.persistence.backup.reading import find_backup
from durastore.persistence.backup.store import Store, is_url, open_store
from durastore.persistence.copying import copy_generation
from durastore.persistence.disk import RealDisk
from durastore.persistence.recording import FolderRecording, Recording, RecordingError
from durastore.persistence.restore import LOG_FOLDER, Loaded, Restore, Restored, no_sink, spell

_HELP: Final = """\
Make a new data folder with the state of a moment.

SOURCE is a data folder, of a running server too, or a backup: a folder or URL that "durastore backup" wrote to.
Without --at everything that is there is restored.

\b
TIME is one of
  2026-01-31T12:00:05.250+01:00   ISO 8601; local time where it has no zone
  1769857205, 1769857205250       Unix seconds or milliseconds
  -10m, -1h30m                    so long ago (ms, s, m, h, d, w)

All of the base and of the increments is verified while it is copied; then the new log is loaded once, unless
--no-verify. Start a server on it with --appendonly yes. Keys whose time to live has passed since then are gone.

\b
Exit status: 0 restored; 1 that moment, or anything at all, is not recorded; 2 the data are damaged;
3 the command line was wrong, or a file could not be read or written.
"""


def stored_at(source: str) -> Store | None:
    """The store of backups that a source names; None where it names a data folder.  Raises StoreError."""
    if is_url(source) or os.path.isdir(os.path.join(source, CATALOGUES)):
        return open_store(source, RealDisk())
    return None


@click.command("restore", help=_HELP)
@click.argument("source")
@click.option("--at", callback=moment_option, metavar="TIME", help="The moment whose state is restored.")
@click.option("--to", "target", metavar="FOLDER", help="The new data folder; it must be empty, or not there.")
@click.option("--list", "only_list", is_flag=True, help="Tell which moments can be restored.")
@click.option("--backup", "identity", metavar="ID", help="Restore from this backup, not from the newest that can.")
@click.option("--verify/--no-verify", default=True, help="Load the new log once (default: yes).")
@click.option(
    "--databases",
    default=DATABASES,
    show_default=True,
    type=click.IntRange(1),
    help="How many databases the server has.",
)
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
def command(
    source: str,
    at: int | None,
    target: str | None,
    only_list: bool,
    identity: str | None,
    verify: bool,
    databases: int,
    as_json: bool,
) -> int:
    """Restores, or lists."""
    if only_list == (target is not None):
        raise click.UsageError("Give either --list or --to FOLDER.")
    if "" in (source, target):
        raise click.UsageError("SOURCE and FOLDER must not be empty.")

    def work() -> int:
        store = stored_at(source)
        if only_list:
            _tell_moments(_moments(source, store), as_json)
            return 0
        assert target is not None
        recording = _recording(source, store, at, identity)
        _restore(recording, at, target, databases if verify else 0, as_json)
        return 0

    return settle(work)


def _recording(source: str, store: Store | None, at: int | None, identity: str | None) -> Recording:
    if store is not None:
        return find_backup(store, at, identity)
    if identity is not None:
        raise click.UsageError(f"--backup: {source} is no backup.")
    return FolderRecording(RealDisk(), os.path.abspath(source), current_moment)


def _restore(recording: Recording, at: int | None, target: str, databases: int, as_json: bool) -> None:
    disk = RealDisk()

    def load(folder: str) -> Loaded:
        return load_log(disk, folder, databases)

    folder = os.path.abspath(target)
    restored = Restore(recording, disk, folder, at, load if databases else None).run()
    if as_json:
        click.echo(json.dumps(_facts(recording, folder, at, restored), indent=1))
    else:
        _tell(recording, folder, restored)


def _facts(recording: Recording, folder: str, at: int | None, restored: Restored) -> dict[str, Any]:
    copy = restored.copy
    return {
        "source": recording.name,
        "folder": folder,
        "asked": at,
        "moment": copy.moment,
        "base": restored.generation.since,
        "files": restored.files,
        "bytes": restored.size,
        "left_out_bytes": copy.left_out,
        "left_out_from": copy.later,
        "torn": copy.torn,
        "verified": restored.loaded is not None,
        "keys": restored.loaded.keys if restored.loaded else None,
        "keys_expired": restored.loaded.expired if restored.loaded else None,
    }


def _tell(recording: Recording, folder: str, restored: Restored) -> None:
    copy = restored.copy
    moment = spell(copy.moment) if copy.moment else "its end"
    click.echo(f"Restored {recording.name} as of {moment}")
    click.echo(f"  to {os.path.join(folder, LOG_FOLDER)}: {len(restored.files)} files, {spell_size(restored.size)}")
    if restored.loaded:
        expired = f", {restored.loaded.expired} of them expired by now" if restored.loaded.expired else ""
        click.echo(f"  verified: it loads, {restored.loaded.keys} keys{expired}")
    if copy.later:
        click.echo(f"  left out: {spell_size(copy.left_out)} from {spell(copy.later)} on")
    if copy.torn:
        click.echo(f"  the log's end was left out: {copy.torn}")
    click.echo(f"Start a server on it: durastore --dir {folder} --appendonly yes")


def _moments(source: str, store: Store | None) -> list[dict[str, Any]]:
    """What can be restored, generation by generation, oldest first."""
    if store is None:
        recording = FolderRecording(RealDisk(), os.path.abspath(source), current_moment)
        return recording.attempt(lambda: _moments_of(recording))
    found = read_catalogues(store)
    if not found.good:
        raise RecordingError(f"There is no backup in {store.name}{''.join(f' ({each})' for each in found.damaged)}")
    return [
        {
            "backup": catalogue.id,
            "since": each.since,
            "until": each.until,
            "last": each.last,
            "bytes": sum(file.size for file in each.files()),
        }
        for catalogue in found.good
        for each in catalogue.generations
    ]


def _moments_of(recording: Recording) -> list[dict[str, Any]]:
    moments = []
    for generation in recording.generations:
        with recording.opened(generation) as opened:
            copy = copy_generation(opened, no_sink)
            size = sum(extent.end for _, extent in copy.files)
        moments.append(
            {
                "backup": None,
                "since": generation.since,
                "until": copy.known_until(generation),
                "first": copy.first,
                "last": copy.last,
                "bytes": size,
            }
        )
    return moments


def _tell_moments(moments: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(moments, indent=1))
        return
    for each in moments:
        backup = f"backup {each['backup']}  " if each["backup"] else ""
        since = spell(each["since"]) if each["since"] else "an unknown moment"
        last = f"last write {spell(each['last'])}" if each["last"] else "no write with a time"
        click.echo(f"{backup}{since} to {spell(each['until'])}  ({last}, {spell_size(each['bytes'])})")
