"""One database: keys with expiry, and those who watch them or wait for them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, final

from mypy_extensions import i64, mypyc_attr

from durastore.keyspace.chunked import NEVER, Chunked
from durastore.keyspace.hashes import Hash
from durastore.keyspace.positions import HASH_MASK
from durastore.keyspace.segment import Segment
from durastore.keyspace.table import Table
from durastore.keyspace.values import Value

if TYPE_CHECKING:
    from durastore.keyspace.keyspace import Keyspace

# The clock of uses has 24 bits.
CLOCK_MASK: Final = 0xFFFFFF
# When so many values were changed in place, they are weighed at once.
UNWEIGHED_MAX: Final = 512


@mypyc_attr(allow_interpreted_subclasses=False)
class Watcher:
    """Somebody who wants to know that a key has changed (WATCH)."""

    def key_changed(self) -> None:
        """Called at each change of a watched key."""
        raise NotImplementedError


@final
class Expired:
    """A key that was found expired and removed; the engine writes its DEL into the journal.

    Or some fields of a hash, which then have an HDEL; ``emptied`` says that no other was left, and the key is gone.
    """

    def __init__(self, db: i64, key: bytes, fields: list[bytes] | None = None, emptied: bool = False) -> None:
        self.db: i64 = db
        self.key = key
        self.fields = fields
        self.emptied = emptied
        # Its event was published.
        self.told = False


@final
class Noted:
    """A key that was looked for in vain, or one that is new."""

    def __init__(self, db: i64, key: bytes, is_new: bool) -> None:
        self.db: i64 = db
        self.key = key
        self.is_new = is_new


@mypyc_attr(allow_interpreted_subclasses=False)
class WaitedKey:
    """A key that clients are blocked on; the engine knows which (``durastore.engine.blocking``)."""

    def __init__(self, db: Database, key: bytes) -> None:
        self.db = db
        self.key = key
        # Stands in ``Keyspace.ready``.
        self.noted = False


@final
class Database:
    """One numbered database.  ``now`` is always an argument, in Unix milliseconds."""

    def __init__(self, keyspace: Keyspace, index: i64) -> None:
        self.keyspace = keyspace
        self.index: i64 = index
        self.table = Table(keyspace.meter, keyspace.freeing)
        # The hashes that have fields with an expiry, each with (a lower bound of) the first of them as its own.
        self.hash_expiries = Chunked()
        self.watched: dict[bytes, list[Watcher]] = {}
        # Whether anybody wants to know of changes: because keys are watched, or because clients keep copies of keys.
        self.observed = False
        self.waited: dict[bytes, WaitedKey] = {}
        self.expiry_cursor: i64 = 0
        self.merge_cursor: i64 = 0
        # Milliseconds that keys with an expiry have left, on average; an estimate (``estimate_ttl``).
        self.average_ttl: i64 = 0

    def lookup(self, key: bytes, now: i64) -> object | None:
        """The live value of a key, or None; an expired key is removed."""
        table = self.table
        segment = table.find(key)
        value = segment.items[key]
        if value is not None and segment.expires and self._expire_if_due(segment, key, now):
            return None
        return value

    def lookup_read(self, key: bytes, now: i64) -> object | None:
        """As ``lookup``, and counts a hit or a miss."""
        table = self.table
        segment = table.find(key)
        value = segment.items[key]
        if value is not None and segment.expires and self._expire_if_due(segment, key, now):
            value = None
        if value is None:
            self.keyspace.misses += 1
            if self.keyspace.noting_misses:
                self.keyspace.noted.append(Noted(self.index, key, False))
        else:
            self.keyspace.hits += 1
        return value

    def lookup_no_touch(self, key: bytes, now: i64) -> object | None:
        """As ``lookup``, but the key does not count as used."""
        meter = self.keyspace.meter
        marking = meter.marking
        meter.marking = False
        value = self.lookup(key, now)
        meter.marking = marking
        return value

    def peek(self, key: bytes, now: i64) -> object | None:
        """As ``lookup_read``, but the key does not count as used, and no event tells that it is not there."""
        value = self.lookup_no_touch(key, now)
        if value is None:
            self.keyspace.misses += 1
        else:
            self.keyspace.hits += 1
        return value

    def inspect(self, key: bytes, now: i64) -> object | None:
        """As ``peek``, but an event tells that a key is not there."""
        value = self.peek(key, now)
        if value is None and self.keyspace.noting_misses:
            self.keyspace.noted.append(Noted(self.index, key, False))
        return value

    def _expire_if_due(self, segment: Segment, key: bytes, now: i64) -> bool:
        when = segment.expires[key]
        if when is None or now <= when or not self.keyspace.expiring:
            return False
        if not self.keyspace.keeping:
            self.expire(segment, key)
        return True

    def expire(self, segment: Segment, key: bytes) -> None:
        """Removes a key whose time has come."""
        self.table.remove(segment, key)
        self.keyspace.expired.append(Expired(self.index, key))
        self.keyspace.expired_keys += 1
        self._removed(key)

    def idle_seconds(self, key: bytes, now: i64) -> i64:
        """Seconds since a key was last used."""
        use: i64 = self.table.find(key).items.use(key)
        return (now // 1000 - use) & CLOCK_MASK

    def frequency(self, key: bytes) -> int:
        """How often a key was used of late: LFU's logarithmic counter."""
        return self.keyspace.meter.frequency(self.table.find(key).items.use(key))

    def mark_used(self, key: bytes, idle: i64, frequency: i64) -> None:
        """Marks a key as not used for so many seconds, or as used so often, as far as the policy keeps that.

        -1: not known.
        """
        meter = self.keyspace.meter
        clock: i64 = meter.clock
        use: i64 = -1
        if meter.counting and frequency >= 0:
            use = (clock & 0xFFFF) << 8 | frequency
        elif not meter.counting and idle >= 0:
            use = clock - min(idle, CLOCK_MASK - 1)
        if use != -1:
            self.table.find(key).items.mark(key, use & CLOCK_MASK)

    def exists(self, key: bytes) -> bool:
        """Whether the key is stored, expired or not."""
        return key in self.table.find(key).items

    def set(self, key: bytes, value: object, now: i64 = 0) -> None:
        """Stores a value; an expiry that the key had is gone.

        With the time, a key that has expired is removed first: who does not look it up before gives it.
        """
        table = self.table
        if isinstance(value, Value) and value.changed:
            # It stands under another key as well, as which it is to be weighed.
            self.keyspace.weigh()
        segment = table.find(key)
        if segment.expires:
            if now != 0 and self._expire_if_due(segment, key, now):
                segment = table.find(key)
            table.clear_expiry(segment, key)
        before: i64 = table.count
        table.store(segment, key, value)
        if self.keyspace.noting_new and table.count != before:
            self.keyspace.noted.append(Noted(self.index, key, True))
        if self.hash_expiries.count or isinstance(value, Hash):
            self.note_expiries(key, value)
        if self.observed:
            self.changed(key)
        if self.waited:
            self.signal(key)

    def replace(self, key: bytes, value: object) -> None:
        """Stores a value; the key keeps its expiry."""
        table = self.table
        segment = table.find(key)
        before: i64 = table.count
        table.store(segment, key, value)
        if self.keyspace.noting_new and table.count != before:
            self.keyspace.noted.append(Noted(self.index, key, True))
        if self.hash_expiries.count or isinstance(value, Hash):
            self.note_expiries(key, value)
        if self.observed:
            self.changed(key)
        if self.waited:
            self.signal(key)

    def reshape(self, key: bytes, value: object) -> None:
        """Keeps what a key holds in another form: nobody but OBJECT ENCODING can tell."""
        table = self.table
        table.store(table.find(key), key, value)

    def set_with_expiry(self, key: bytes, value: object, when: i64, now: i64 = 0) -> None:
        """As ``set``, of a value that expires at ``when`` (-1: never)."""
        self.set(key, value, now)
        if when != -1:
            table = self.table
            table.set_expiry(table.find(key), key, when)

    def overwrite(self, key: bytes, value: object, when: i64) -> None:
        """As ``set_with_expiry``; an event tells of the key as a new one even if there was another value."""
        before: i64 = self.table.count
        self.set_with_expiry(key, value, when)
        if self.keyspace.noting_new and self.table.count == before:
            self.keyspace.noted.append(Noted(self.index, key, True))

    def writable(self, key: bytes, value: Value) -> Value:
        """The stored value in a form that may be changed in place: cloned first if a snapshot still needs it."""
        value = self.own(key, value)
        if self.observed:
            self.changed(key)
        return value

    def lookup_owned(self, key: bytes, now: i64) -> object | None:
        """As ``lookup`` and then ``own``."""
        table = self.table
        segment = table.find(key)
        value = segment.items[key]
        if value is None or (segment.expires and self._expire_if_due(segment, key, now)):
            return None
        table.before_write(segment)
        if isinstance(value, Value):
            if value.held:
                value = value.copy()
                segment.items[key] = value
            if not value.changed:
                self._will_change(key, value)
        return value

    def own(self, key: bytes, value: Value) -> Value:
        """As ``writable``, but watchers of the key are not told: the caller does so where it is a change to them."""
        table = self.table
        segment = table.find(key)
        table.before_write(segment)
        if value.held:
            value = value.copy()
            segment.items[key] = value
        if not value.changed:
            self._will_change(key, value)
        return value

    def _will_change(self, key: bytes, value: Value) -> None:
        """Has a value weighed again that is about to change in place."""
        value.changed = True
        unweighed = self.keyspace.unweighed
        unweighed.append((self, key, value))
        if len(unweighed) > UNWEIGHED_MAX:
            # This one has not changed yet.
            unweighed.pop()
            self.keyspace.weigh()
            unweighed.append((self, key, value))

    def delete(self, key: bytes) -> bool:
        """Removes a key; says whether it was there."""
        table = self.table
        segment = table.find(key)
        if key not in segment.items:
            return False
        table.remove(segment, key)
        self._removed(key)
        return True

    def detach(self, key: bytes) -> None:
        """Removes a key that is there; its value has another one already."""
        table = self.table
        table.detach(table.find(key), key)
        self._removed(key)

    def _removed(self, key: bytes) -> None:
        """A key is gone: for those whom that concerns."""
        if self.hash_expiries.count:
            self.hash_expiries.remove(key)
        if self.observed:
            self.changed(key)
        if self.waited:
            self.signal(key)

    def get_expiry(self, key: bytes) -> i64:
        """When the key expires (Unix milliseconds), or -1."""
        expires = self.table.find(key).expires
        if not expires:
            return -1
        when = expires[key]
        return -1 if when is None else when

    def set_expiry(self, key: bytes, when: i64) -> None:
        """Gives a key that is there an expiry."""
        table = self.table
        table.set_expiry(table.find(key), key, when)
        if self.observed:
            self.changed(key)

    def clear_expiry(self, key: bytes) -> bool:
        """Takes the expiry from a key; says whether there was one."""
        table = self.table
        if not table.clear_expiry(table.find(key), key):
            return False
        if self.observed:
            self.changed(key)
        return True

    def flush(self) -> int:
        """Removes all keys; returns how many there were."""
        removed = int(self.table.count)
        for key in list(self.watched):
            if self.exists(key):
                self.changed(key)
        for key in self.waited:
            self.signal(key)
        self.keyspace.flushed = self.keyspace.tracking
        self.table.abandon()
        self.table = Table(self.keyspace.meter, self.keyspace.freeing)
        self.hash_expiries = Chunked()
        self.average_ttl = 0
        self.expiry_cursor = 0
        self.merge_cursor = 0
        return removed

    def random_key(self, now: i64) -> bytes | None:
        """A random live key, or None where there is none."""
        attempts = 0
        while self.table.count:
            segment = self.table.at(random.getrandbits(63) & HASH_MASK)
            if not segment.items:
                segment = self._segment_with_keys(segment)
            key = segment.items.draw(random.getrandbits(32))
            if key is None:
                continue
            attempts += 1
            if not segment.expires or not self._expire_if_due(segment, key, now):
                return key
            if attempts >= 100:
                return key
        return None

    def _segment_with_keys(self, segment: Segment) -> Segment:
        while not segment.items:
            position = self.table.segment_after(segment)
            segment = self.table.at(0 if position == -1 else position)
        return segment

    def scan(self, cursor: i64, count: i64) -> tuple[int, list[bytes]]:
        """A stretch of keys, expired ones among them, and the next cursor; see ``Table.scan``."""
        found: list[bytes] = []
        following = self.table.scan(cursor, count, found)
        return following, found

    def live(self, keys: list[bytes], now: i64) -> list[bytes]:
        """Those of the keys, which all are there, that have not expired."""
        if not self.table.expires_count or not self.keyspace.expiring:
            return keys
        return [key for key in keys if not self._is_due(key, now)]

    def _is_due(self, key: bytes, now: i64) -> bool:
        when = self.table.find(key).expires[key]
        return when is not None and now > when

    def without_expired(self, keys: list[bytes], now: i64) -> list[bytes]:
        """As ``live``; the others are removed."""
        if not self.table.expires_count:
            return keys
        return [key for key in keys if not self._expire_if_due(self.table.find(key), key, now)]

    def expire_slice(self, now: i64, segments: i64) -> i64:
        """Active expiry: removes the expired keys of the next segments; returns how many it removed.

        ``segments`` bounds the work.  A segment that holds nothing due costs one comparison, so that a cycle over a
        large database is cheap.
        """
        table = self.table
        removed: i64 = 0
        while segments > 0 and table.expires_count:
            segments -= 1
            segment = table.at(self.expiry_cursor)
            if segment.expires and segment.next_expiry < now:
                earliest: i64 = HASH_MASK
                due: list[bytes] = []
                for key, when in segment.expires.items():
                    at: i64 = when
                    if at < now:
                        due.append(key)
                    elif at < earliest:
                        earliest = at
                segment.next_expiry = earliest
                for key in due:
                    self.expire(segment, key)
                removed += len(due)
            position = table.segment_after(segment)
            self.expiry_cursor = 0 if position == -1 else position
            if position == -1:
                break
        return removed

    def estimate_ttl(self, now: i64) -> float:
        """Brings ``average_ttl`` up to date by some keys; as in Redis, they weigh a fiftieth of the estimate so far.

        Returns the share (0 to 1) of these keys that have expired and are still there.
        """
        table = self.table
        if not table.expires_count:
            self.average_ttl = 0
            return 0.0
        segment = table.at(random.getrandbits(63) & HASH_MASK)
        looks: i64 = 32
        while not segment.expires and looks > 0:
            looks -= 1
            position = table.segment_after(segment)
            segment = table.at(0 if position == -1 else position)
        expiries = [when for _key, when in segment.expires.items()]
        left = [when - now for when in expiries if when > now]
        if left:
            mean: i64 = sum(left) // len(left)
            before = self.average_ttl
            self.average_ttl = mean if before == 0 else before // 50 * 49 + mean // 50
        return 1.0 - len(left) / len(expiries) if expiries else 0.0

    # Fields of hashes that expire

    def note_expiries(self, key: bytes, value: object) -> None:
        """Keeps in mind when the next field of a hash expires; to be called when a value was stored or has changed."""
        noted = self.hash_expiries
        when: i64 = value.next_expiry() if isinstance(value, Hash) else NEVER
        if when == NEVER:
            noted.remove(key)
        else:
            noted.add(key)
            noted.set_expiry(key, when)

    def drop_expired(self, key: bytes, held: Hash, fields: list[bytes]) -> Hash | None:
        """Removes fields of a stored hash whose time is over; returns what is stored then."""
        value = self.writable(key, held)
        assert isinstance(value, Hash)
        for field in fields:
            value.remove(field)
        emptied = value.size() == 0
        if emptied:
            self.delete(key)
        else:
            self.note_expiries(key, value)
        self.keyspace.expired.append(Expired(self.index, key, fields, emptied))
        self.keyspace.expired_fields += len(fields)
        return None if emptied else value

    def expire_fields_slice(self, now: i64, limit: i64) -> i64:
        """Active expiry of fields: removes about ``limit`` whose time is over; returns how many it removed."""
        noted = self.hash_expiries
        removed: i64 = 0
        for key in noted.due(now, 1):
            held = self.table.find(key).items[key]
            if not isinstance(held, Hash):
                noted.remove(key)
            elif removed >= limit:
                self.note_expiries(key, held)
            else:
                due = held.due(now, limit - removed)
                removed += len(due)
                if due:
                    self.drop_expired(key, held, due)
                else:
                    self.note_expiries(key, held)
        return removed

    def merge_slice(self, segments: i64) -> None:
        """Joins sparse neighbours among the next segments, so that memory follows a shrinking database."""
        table = self.table
        while segments > 0 and table.directory.depth:
            segments -= 1
            segment = table.merge(table.at(self.merge_cursor))
            position = table.segment_after(segment)
            self.merge_cursor = 0 if position == -1 else position
            if position == -1:
                break

    def watch(self, key: bytes, watcher: Watcher) -> None:
        """From now on the watcher hears of each change of the key."""
        watchers = self.watched.get(key)
        self.observed = True
        if watchers is None:
            self.watched[key] = [watcher]
        elif watcher not in watchers:
            watchers.append(watcher)

    def unwatch(self, key: bytes, watcher: Watcher) -> None:
        """Takes back ``watch``."""
        watchers = self.watched[key]
        watchers.remove(watcher)
        if not watchers:
            del self.watched[key]
            self.observe()

    def observe(self) -> None:
        """Finds out whether anybody wants to know of changes."""
        self.observed = len(self.watched) > 0 or self.keyspace.tracking

    def changed(self, key: bytes) -> None:
        """Tells those who watch the key, or keep a copy of it."""
        if self.keyspace.tracking:
            self.keyspace.modified.append(key)
        watchers = self.watched.get(key)
        if watchers is not None:
            for watcher in watchers:
                watcher.key_changed()

    def signal(self, key: bytes) -> None:
        """Notes that a key was stored, has grown or is gone, for those who are blocked on it.

        ``set``, ``replace`` and the removals call this; whoever adds to a value in place that clients may be waiting
        on although it is there (a stream) is to call it as well, where ``waited`` is not empty.
        """
        waited = self.waited.get(key)
        if waited is not None and not waited.noted:
            waited.noted = True
            self.keyspace.ready.append(waited)
