"""Values of ours, made from plain ones."""

from __future__ import annotations

from collections.abc import Iterable

from librt.vecs import vec

from durastore.keyspace.hashes import Hash, build_hash
from durastore.keyspace.limits import Limits
from durastore.keyspace.sets import Set, build_set
from durastore.keyspace.sorted_sets import SortedSet, build_sorted_set


def hash_of(fields: dict[bytes, bytes], expires: dict[bytes, int] | None = None, limits: Limits | None = None) -> Hash:
    return build_hash(fields, expires, limits or Limits())


def set_of(members: Iterable[bytes], limits: Limits | None = None) -> Set:
    return build_set(list(dict.fromkeys(members)), limits or Limits())


def zset_of(scores: dict[bytes, float], limits: Limits | None = None) -> SortedSet:
    return build_sorted_set(list(scores), vec[float](list(scores.values())), limits or Limits())
