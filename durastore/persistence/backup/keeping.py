"""Which backups are kept: the others go, and then the objects that no backup names any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from durastore.persistence.backup.catalogue import OBJECTS, Catalogue, catalogue_name, read_catalogues
from durastore.persistence.backup.store import Store, StoreError

_DAY: Final = 86_400_000


@dataclass
class Removed:
    """What was removed: backups by their names, and objects."""

    backups: list[str] = field(default_factory=list)
    objects: int = 0
    size: int = 0


def kept(catalogues: list[Catalogue], now: int, count: int | None, days: float | None) -> list[Catalogue]:
    """Of catalogues, oldest first, those that are kept: the last ``count``, and those of the last ``days``.

    The newest one is kept in any case; where neither is given, all are.
    """
    if count is None and days is None:
        return catalogues
    wanted = max(count or 0, 1)
    newest = catalogues[-wanted:]
    recent = [each for each in catalogues if days is not None and each.created >= now - days * _DAY]
    return [each for each in catalogues if each in newest or each in recent]


def remove_old(store: Store, now: int, count: int | None, days: float | None) -> Removed:
    """Removes backups that are not kept, and objects that none of the kept ones names.  Raises StoreError.

    A catalogue goes before its objects.  Where one cannot be read nothing is removed: nobody knows what it names.
    """
    found = read_catalogues(store)
    if found.damaged:
        raise StoreError(f"Nothing is removed while a catalogue is damaged: {found.damaged[0]}")
    staying = kept(found.good, now, count, days)
    removed = Removed()
    for catalogue in found.good:
        if catalogue not in staying:
            store.delete(catalogue_name(catalogue.id))
            removed.backups.append(catalogue.id)
    named = {segment.object for each in staying for segment in each.segments()}
    for name, size in sorted(store.sizes(OBJECTS).items()):
        if name not in named:
            store.delete(name)
            removed.objects += 1
            removed.size += size
    return removed
