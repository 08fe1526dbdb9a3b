"""The segmented hash table under every database.

An extendible hash: a directory indexed by the top bits of the key's hash, over segments (a ``CompactDict`` each) of at
most ``SEGMENT_LIMIT`` keys and split in two.  Everything that must not pause in proportion to the number of keys
(growing, scanning from a cursor, sampling, snapshots) works on one segment at a time.

Positions of hash space (``durastore.keyspace.positions``) stay valid while segments split and merge, which is what
makes them usable as SCAN cursors and as the progress of a walk.

Invariant of walks (fork-free snapshots): whoever changes a segment calls ``before_write`` first, so a segment that
the current walk has not reached is captured in the state that it had when the walk began.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.compact import Directory, Meter
from durastore.keyspace.freeing import Freeing
from durastore.keyspace.positions import CURSOR_SHIFT, HALF, HASH_BITS, HASH_MASK, scan_segment
from durastore.keyspace.segment import Captured, Segment, capture

# Few enough to capture or divide in far less than a millisecond, enough that a segment itself costs next to nothing.
SEGMENT_LIMIT: Final = 682
# The most levels of segments that are made ahead of their keys.
MAX_RESERVED: Final = 14


@final
class Walk:
    """One pass over a table.

    One that ``Table.begin_walk`` began sees the state at its beginning, whatever is written meanwhile; any other is for
    passes during which nothing is written.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.keys: i64 = table.count
        self.expires: i64 = table.expires_count
        self.position: i64 = 0
        self.done = False
        # Pre-images taken by writers ahead of the walk; drained first, so that they do not pile up.
        self.captured: list[Captured] = []

    def step(self) -> Captured | None:
        """The next segment's content, or None when the walk is complete."""
        if self.captured:
            return self.captured.pop()
        table = self.table
        while not self.done:
            segment = table.directory.at(self.position)
            if segment.depth == 0 or segment.start > HASH_MASK - segment.width():
                self.done = True
            else:
                self.position = segment.start + segment.width()
            if table.walk is not self:
                if segment.items:
                    return Captured(segment.items, segment.expires, False)
            elif segment.epoch != table.epoch:
                segment.epoch = table.epoch
                if segment.items:
                    return capture(segment)
        self.close()
        return None

    def close(self) -> None:
        """Ends the walk; writers capture nothing from here on."""
        self.done = True
        table = self.table
        table.freeing.release_all(self.captured)
        self.captured = []
        if table.walk is self:
            table.walk = None
            if table.abandoned:
                table.abandon()

    def release(self, captured: Captured) -> None:
        """To be called when what ``step`` returned is not needed any more."""
        if self.table.has_containers:
            self.table.freeing.release(captured)


@final
class Table:
    """The keys of one database.

    It is the one home where values leave the keyspace: ``store``, ``remove`` and ``abandon`` hand them to ``freeing``.
    """

    def __init__(self, meter: Meter, freeing: Freeing) -> None:
        self.meter = meter
        self.freeing = freeing
        first = Segment(0, 0, 0, meter)
        self.directory: Directory[Segment] = Directory(first, first.items)
        self.count: i64 = 0
        self.expires_count: i64 = 0
        self.epoch: i64 = 0
        self.walk: Walk | None = None
        # Whether there ever was a value that is no plain string: such may be large.
        self.has_containers = False
        # Its keys are gone; only a walk may need them still.
        self.abandoned = False

    def begin_walk(self) -> Walk:
        """Starts a walk from the present state; there is at most one at a time."""
        assert self.walk is None
        self.epoch += 1
        self.walk = Walk(self)
        return self.walk

    def find(self, key: bytes) -> Segment:
        """The segment that holds, or would hold, the key."""
        return self.directory[key]

    def at(self, position: i64) -> Segment:
        """The segment at a position of hash space."""
        return self.directory.at(position)

    def before_write(self, segment: Segment) -> None:
        """To be called before a segment changes: takes the pre-image that a walk still needs."""
        if segment.epoch != self.epoch:
            segment.epoch = self.epoch
            walk = self.walk
            if walk is not None and segment.items:
                walk.captured.append(capture(segment))

    def store(self, segment: Segment, key: bytes, value: object) -> None:
        """Sets a key of a segment, leaving its expiry alone; splits the segment when it is full."""
        self.before_write(segment)
        items = segment.items
        old = items.held(key) if self.has_containers else None
        if not isinstance(value, bytes):
            self.has_containers = True
        before: i64 = len(items)
        items[key] = value
        after: i64 = len(items)
        if old is not None and old is not value:
            self.freeing.take(old)
        if after != before:
            self.count += 1
            if after > SEGMENT_LIMIT:
                self.split(segment)

    def remove(self, segment: Segment, key: bytes) -> None:
        """Takes a key that is there, its value and its expiry out of the segment."""
        old = segment.items.held(key) if self.has_containers else None
        self.detach(segment, key)
        if old is not None:
            self.freeing.take(old)

    def abandon(self) -> None:
        """Gives up all keys, and the table with them.  A walk over it goes on undisturbed."""
        self.abandoned = True
        if self.walk is None and self.count:
            self.freeing.take_table(self.directory.distinct())
            # Whoever holds the table still, holds nothing else.
            first = Segment(0, 0, 0, self.meter)
            self.directory = Directory(first, first.items)
            self.count = 0
            self.expires_count = 0

    def detach(self, segment: Segment, key: bytes) -> None:
        """As ``remove``, but for the value, which is kept elsewhere."""
        self.before_write(segment)
        del segment.items[key]
        self.count -= 1
        if segment.expires and key in segment.expires:
            del segment.expires[key]
            self.expires_count -= 1

    def set_expiry(self, segment: Segment, key: bytes, when: i64) -> None:
        """Gives a key that is there an expiry (Unix milliseconds)."""
        self.before_write(segment)
        expires = segment.expires
        before: i64 = len(expires)
        expires[key] = when
        if len(expires) != before:
            self.expires_count += 1
        if before == 0 or (segment.next_expiry > when):
            segment.next_expiry = when

    def clear_expiry(self, segment: Segment, key: bytes) -> bool:
        """Takes the expiry from a key; says whether there was one."""
        if not segment.expires or key not in segment.expires:
            return False
        self.before_write(segment)
        del segment.expires[key]
        self.expires_count -= 1
        return True

    def split(self, segment: Segment) -> None:
        """Divides a full segment in two, doubling the directory where it is not deep enough."""
        if segment.depth >= HASH_BITS - CURSOR_SHIFT:
            # Only equal hashes get here.
            return
        if segment.depth == self.directory.depth:
            self.directory.double()
        depth: i64 = segment.depth + 1
        bit: i64 = HALF >> (depth - 1)
        low = Segment(segment.start, depth, segment.epoch, self.meter)
        high = Segment(segment.start | bit, depth, segment.epoch, self.meter)
        low.next_expiry = segment.next_expiry
        high.next_expiry = segment.next_expiry
        segment.items.split(bit, low.items, high.items)
        segment.expires.split(bit, low.expires, high.expires)
        self._place(low)
        self._place(high)

    def reserve(self, count: i64) -> None:
        """Divides an empty table for so many keys, so that no segment has to split while they come."""
        if self.count:
            return
        depth: i64 = self.directory.depth
        while depth < MAX_RESERVED and count >> depth > SEGMENT_LIMIT * 7 // 8:
            for segment in self.directory.distinct():
                self.split(segment)
            depth += 1

    def _place(self, segment: Segment) -> None:
        """Points the directory's slots of the segment's stretch at it."""
        self.directory.place(segment.start, segment.depth, segment, segment.items)

    def merge(self, segment: Segment) -> Segment:
        """Joins a sparse segment with its sparse neighbour; returns the segment that is there now."""
        if segment.depth == 0:
            return segment
        bit: i64 = HALF >> (segment.depth - 1)
        buddy = self.at(segment.start ^ bit)
        if buddy.depth != segment.depth or len(segment.items) + len(buddy.items) > SEGMENT_LIMIT // 4:
            return segment
        self.before_write(segment)
        self.before_write(buddy)
        joined = Segment(segment.start & ~bit, segment.depth - 1, segment.epoch, self.meter)
        joined.items.merge(segment.items)
        joined.items.merge(buddy.items)
        joined.expires.merge(segment.expires)
        joined.expires.merge(buddy.expires)
        self._place(joined)
        return joined

    def scan(self, cursor: i64, count: i64, found: list[bytes]) -> i64:
        """Appends the keys of the next stretch of hash space, about ``count``; returns the next cursor, 0 at the end.

        A key that stays in the table during a full iteration is returned at least once, whatever else comes and goes.
        """
        position: i64 = cursor << CURSOR_SHIFT
        wanted: i64 = len(found) + count
        while len(found) < wanted:
            segment = self.at(position)
            position = scan_segment(segment.items, segment.depth, position, wanted - len(found), found)
            if position == -1:
                return 0
        return position >> CURSOR_SHIFT

    def segment_after(self, segment: Segment) -> i64:
        """The position behind a segment, or -1 behind the last."""
        if segment.depth == 0 or segment.start > HASH_MASK - segment.width():
            return -1
        return segment.start + segment.width()
