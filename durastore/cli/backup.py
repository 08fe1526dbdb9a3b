"""``durastore backup``: consistent copies of a server's data in a folder or an object store."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, Final

import click

import durastore
from durastore.cli.loading import DAMAGED, settle, spell_size
from durastore.cli.moment import current_moment
from durastore.persistence.backup.catalogue import Catalogue, Catalogues, read_catalogues
from durastore.persistence.backup.keeping import Removed, remove_old
from durastore.persistence.backup.making import Transfer, make_backup
from durastore.persistence.backup.reading import Verdict, Verifier
from durastore.persistence.backup.store import FolderStore, Store, open_store
from durastore.persistence.disk import RealDisk
from durastore.persistence.recording import FolderRecording, RecordingError
from durastore.persistence.restore import spell

_HELP: Final = """\
Back up the data of a running or stopped server.

SOURCE is its data folder. DESTINATION is a folder, or a URL that fsspec understands (s3://bucket/prefix; pip install
'durastore[s3]'). What an earlier backup has sent is not sent again, and of a log that has grown only the new part.
With --list, or --verify for what is there already, give DESTINATION alone.

Give each server a destination of its own, and let one backup to it run at a time. "durastore restore DESTINATION"
brings a backup back.

\b
Exit status: 0 done; 1 there is nothing to back up or to verify; 2 the data, or a backup, are damaged;
3 the command line was wrong, or something could not be read or written.
"""


@click.command("backup", help=_HELP)
@click.argument("places", nargs=-1, metavar="[SOURCE] DESTINATION")
@click.option("--list", "only_list", is_flag=True, help="Tell which backups there are.")
@click.option("--verify", is_flag=True, help="Read every backup back, compare the checksums, and parse what is in it.")
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Remove all but the newest N backups.")
@click.option("--keep-days", type=click.FloatRange(min=0), metavar="D", help="Keep those of the last D days.")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
def command(
    places: tuple[str, ...],
    only_list: bool,
    verify: bool,
    keep: int | None,
    keep_days: float | None,
    as_json: bool,
) -> int:
    """Makes a backup, or looks at those that there are."""
    _check(places, only_list, verify, keep, keep_days)

    def work() -> int:
        store = open_store(places[-1], RealDisk())
        if only_list:
            return _list(read_catalogues(store), as_json)
        facts: dict[str, Any] = {}
        if len(places) == 2:
            facts["backup"] = _make(places[0], store, as_json)
        status = _verify(store, facts, as_json) if verify else 0
        if status == 0 and (keep is not None or keep_days is not None):
            facts["removed"] = _remove(store, keep, keep_days, as_json)
        if as_json:
            click.echo(json.dumps(facts, indent=1))
        return status

    return settle(work)


def _check(places: tuple[str, ...], only_list: bool, verify: bool, keep: int | None, keep_days: float | None) -> None:
    alone = only_list or verify or keep is not None or keep_days is not None
    if len(places) not in ((1, 2) if alone and not only_list else (1,) if only_list else (2,)):
        raise click.UsageError("Give SOURCE and DESTINATION; with --list, DESTINATION alone.")
    if "" in places:
        raise click.UsageError("SOURCE and DESTINATION must not be empty.")
    if keep_days is not None and math.isnan(keep_days):
        raise click.UsageError("--keep-days: give a number of days.")


def _make(source: str, store: Store, as_json: bool) -> dict[str, Any]:
    recording = FolderRecording(RealDisk(), os.path.abspath(source), current_moment)
    # A data folder with catalogues in it is taken for a backup, too.
    if isinstance(store, FolderStore) and Path(store.name).resolve().is_relative_to(Path(source).resolve()):
        raise click.UsageError(f"{store.name} is within {source}: the backup would be lost with the data.")
    catalogue, transfer = make_backup(recording, store, current_moment(), f"durastore {durastore.__version__}")
    if not as_json:
        _tell_made(catalogue, transfer)
    return {**_facts(catalogue), "sent_objects": transfer.sent, "sent_bytes": transfer.sent_bytes}


def _tell_made(catalogue: Catalogue, transfer: Transfer) -> None:
    click.echo(f"Backup {catalogue.id}: {spell_size(catalogue.size)}, of which {spell_size(transfer.sent_bytes)} sent")
    for each in catalogue.generations:
        since = spell(each.since) if each.since else "an unknown moment"
        click.echo(f"  holds every state from {since} to {spell(each.until)}")


def _facts(catalogue: Catalogue) -> dict[str, Any]:
    return {
        "id": catalogue.id,
        "created": catalogue.created,
        "server": catalogue.server,
        "source": catalogue.source,
        "bytes": catalogue.size,
        "ranges": [{"since": each.since, "until": each.until} for each in catalogue.generations],
    }


def _list(found: Catalogues, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps([_facts(each) for each in found.good], indent=1))
    else:
        for each in found.good:
            until = each.generations[-1].until
            click.echo(f"{each.id}  {spell(until)}  {spell_size(each.size)}  {each.source}  ({each.server})")
    for reason in found.damaged:
        click.echo(f"Damaged: {reason}", err=True)
    if not found.good and not found.damaged and not as_json:
        click.echo("There are no backups.", err=True)
    return DAMAGED if found.damaged else 0


def _verify(store: Store, facts: dict[str, Any], as_json: bool) -> int:
    verdict = Verifier(store).run()
    if not verdict.whole and not verdict.wrong:
        raise RecordingError(f"There is no backup in {store.name}")
    facts["verified"] = {"whole": verdict.whole, "wrong": verdict.wrong, "bytes": verdict.size}
    if not as_json:
        _tell_verdict(verdict)
    return DAMAGED if verdict.wrong else 0


def _tell_verdict(verdict: Verdict) -> None:
    click.echo(f"Verified {len(verdict.whole)} backups: {verdict.files} files, {spell_size(verdict.size)}")
    for reason in verdict.wrong:
        click.echo(f"Damaged: {reason}", err=True)


def _remove(store: Store, keep: int | None, keep_days: float | None, as_json: bool) -> dict[str, Any]:
    removed = remove_old(store, current_moment(), keep, keep_days)
    if not as_json:
        _tell_removed(removed)
    return {"backups": removed.backups, "objects": removed.objects, "bytes": removed.size}


def _tell_removed(removed: Removed) -> None:
    click.echo(f"Removed {len(removed.backups)} backups and {removed.objects} objects ({spell_size(removed.size)})")
