"""Eviction: which key is to go where memory is short (https://redis.io/docs/latest/develop/reference/eviction/).

As in Redis, the best of all keys is not looked for: a few are drawn at random, and the best of these stand in a pool
with the best of earlier draws.
"""

from __future__ import annotations

import random
from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.database import CLOCK_MASK, Database
from durastore.keyspace.keyspace import Keyspace
from durastore.keyspace.positions import HASH_MASK
from durastore.keyspace.segment import Segment

# What counts: how long a key was not used, how seldom, how soon it expires, or nothing.
NOTHING: Final = 0
LRU: Final = 1
LFU: Final = 2
TTL: Final = 3
RANDOM: Final = 4
_KINDS: Final = {"lru": LRU, "lfu": LFU, "ttl": TTL, "random": RANDOM}

_POOL: Final = 16
# So many draws that give nothing end a search.
_DRAWS: Final = 100


@final
class Candidate:
    """A key that may go; the one of the highest score goes first."""

    def __init__(self, db: Database, key: bytes, score: i64) -> None:
        self.db = db
        self.key = key
        self.score: i64 = score


@final
class Eviction:
    """Chooses keys as ``maxmemory-policy`` and ``maxmemory-samples`` say."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self.kind: i64 = NOTHING
        # Whether only keys with an expiry may go.
        self.volatile = False
        self.samples: i64 = 5
        # Rising by score.
        self._pool: list[Candidate] = []
        self._next_db: i64 = 0

    def choose(self, policy: str, samples: int) -> None:
        """From now on this policy decides; marks of another kind take some time to adjust."""
        self.kind = _KINDS.get(policy.rpartition("-")[2], NOTHING)
        self.volatile = policy.startswith("volatile-")
        self.samples = samples
        self._pool = []
        self._keyspace.count_uses(self.kind == LFU)
        self._keyspace.evicts_by_use = self.kind in (LRU, LFU)

    def victim(self) -> Candidate | None:
        """The key that is to go next, or None where the policy leaves none."""
        if self.kind == NOTHING:
            return None
        if self.kind == RANDOM:
            return self._any()
        draws: i64 = 0
        while draws < _DRAWS:
            draws += 1
            drawn = False
            for db in self._keyspace.databases:
                if self._eligible(db):
                    drawn = True
                    self._draw(db)
            if not drawn:
                return None
            while self._pool:
                best = self._pool.pop()
                if self._may_go(best):
                    return best
        return None

    def _eligible(self, db: Database) -> i64:
        """How many keys of a database may go."""
        return db.table.expires_count if self.volatile else db.table.count

    def _may_go(self, candidate: Candidate) -> bool:
        """Whether a key from the pool still is what it was."""
        segment = candidate.db.table.find(candidate.key)
        return candidate.key in (segment.expires if self.volatile else segment.items)

    def _any(self) -> Candidate | None:
        """Any key, of each database in turn."""
        databases = self._keyspace.databases
        for _ in range(len(databases)):
            db = databases[self._next_db % len(databases)]
            self._next_db += 1
            if self._eligible(db):
                for key, _use, _segment in self._some(db, 1):
                    return Candidate(db, key, 0)
        return None

    def _some(self, db: Database, wanted: i64) -> list[tuple[bytes, int, Segment]]:
        """At least one of the keys that may go, and about ``wanted`` where that is cheap."""
        table = db.table
        segment = table.at(random.getrandbits(63) & HASH_MASK)
        found: list[tuple[bytes, int, Segment]] = []
        left: i64 = len(table.directory)
        while left > 0 and len(found) < wanted:
            left -= 1
            eligible = len(segment.expires) if self.volatile else len(segment.items)
            if eligible:
                number = random.getrandbits(32)
                missing: i64 = wanted - len(found)
                some = (
                    segment.expires.sample(number, missing) if self.volatile else segment.items.sample(number, missing)
                )
                for key, use in some:
                    found.append((key, use, segment))
            if found and left > 64:
                left = 64
            position = table.segment_after(segment)
            segment = table.at(0 if position == -1 else position)
        return found

    def _draw(self, db: Database) -> None:
        """Puts some keys of a database into the pool."""
        pool = self._pool
        for key, use, segment in self._some(db, self.samples):
            score = self._score(segment, key, use)
            if len(pool) >= _POOL and score <= pool[0].score:
                continue
            place: i64 = len(pool)
            known = False
            while place > 0 and pool[place - 1].score >= score:
                place -= 1
                known = known or (pool[place].key == key and pool[place].db is db)
            if known:
                continue
            pool.insert(place, Candidate(db, key, score))
            if len(pool) > _POOL:
                pool.pop(0)

    def _score(self, segment: Segment, key: bytes, use: i64) -> i64:
        if self.kind == TTL:
            when = segment.expires[key]
            return 0 if when is None else HASH_MASK - when
        if self.volatile:
            use = segment.items.use(key)
        meter = self._keyspace.meter
        if self.kind == LFU:
            return 255 - meter.frequency(use)
        clock: i64 = meter.clock
        return (clock - use) & CLOCK_MASK
