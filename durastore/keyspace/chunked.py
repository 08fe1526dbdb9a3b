"""A dict for containers of any size: the elements of a large hash or set.

An extendible hash as in ``durastore.keyspace.table``: a directory indexed by the top bits of an element's hash, over
chunks that split in two when they are full.  So growing never pauses in proportion to the whole,
cursors are positions in hash space, and a random element is found in one chunk.

Copying costs the directory only, one reference for some hundred elements: every chunk names its owner, and whoever
is not the owner of a chunk clones it before changing it.  A copy shares all chunks with its original, and from then on
neither of the two owns them.

Elements may expire.  A chunk holds the expiries (Unix milliseconds) of its own elements, and a lower bound of them, so
that a look for what is due costs one comparison where nothing is.
"""

from __future__ import annotations

import random
import sys
from typing import Final, final

from librt.random import randrange
from mypy_extensions import i64

from durastore.keyspace.compact import CompactDict, Directory
from durastore.keyspace.positions import CURSOR_SHIFT, HALF, HASH_BITS, HASH_MASK, scan_segment

# As for a database's segments (``durastore.keyspace.table``).
CHUNK_LIMIT: Final = 682
# Two neighbours with fewer elements than this together become one chunk.
_SPARSE: Final = CHUNK_LIMIT // 4
# The size of the object itself.
_CHUNK: Final = 80
# No expiry; also the end of time.
NEVER: Final = 0x7FFFFFFFFFFFFFFF

# Drawing a random key takes as long as passing so many.
_DRAW: Final = 32


@final
class Owner:
    """Who may change a chunk in place: an identity, nothing more."""


@final
class Chunk:
    """The elements of one stretch of hash space, ``HALF >> (depth - 1)`` wide."""

    def __init__(self, owner: Owner, start: i64, depth: i64) -> None:
        self.owner = owner
        self.items: CompactDict[object] = CompactDict()
        self.expires: CompactDict[int] | None = None
        # No element expires before this time.
        self.next_expiry: i64 = NEVER
        self.start: i64 = start
        self.depth: i64 = depth


@final
class Chunked:
    """Elements (byte strings), each with a value."""

    def __init__(self) -> None:
        self.owner = Owner()
        first = Chunk(self.owner, 0, 0)
        self.directory: Directory[Chunk] = Directory(first, first.items)
        self.count: i64 = 0
        self.expires_count: i64 = 0
        # No element expires before this time.
        self.next_expiry: i64 = NEVER
        # How many chunks are as deep as the directory.
        self._deepest: i64 = 1

    def find(self, key: bytes) -> Chunk:
        """The chunk that holds, or would hold, the key."""
        return self.directory[key]

    def get(self, key: bytes) -> object | None:
        """The value of a key, or None."""
        return self.find(key).items[key]

    def contains(self, key: bytes) -> bool:
        """Whether the key is there."""
        return key in self.find(key).items

    def put(self, key: bytes, value: object) -> bool:
        """Sets a key, leaving its expiry alone; says whether it is new."""
        chunk = self.find(key)
        if chunk.owner is not self.owner:
            chunk = self._own(chunk)
        items = chunk.items
        before: i64 = len(items)
        items[key] = value
        after: i64 = len(items)
        if after == before:
            return False
        self.count += 1
        if after > CHUNK_LIMIT:
            self._split(chunk)
        return True

    def add(self, key: bytes) -> bool:
        """Puts a key without a value in; says whether it is new."""
        chunk = self.find(key)
        if chunk.owner is not self.owner:
            if key in chunk.items:
                return False
            chunk = self._own(chunk)
        items = chunk.items
        before: i64 = len(items)
        items[key] = None
        after: i64 = len(items)
        if after == before:
            return False
        self.count += 1
        if after > CHUNK_LIMIT:
            self._split(chunk)
        return True

    def remove(self, key: bytes) -> bool:
        """Takes a key out, and its expiry; says whether it was there."""
        chunk = self.find(key)
        if key not in chunk.items:
            return False
        if chunk.owner is not self.owner:
            chunk = self._own(chunk)
        self._drop(chunk, key)
        return True

    def _drop(self, chunk: Chunk, key: bytes) -> None:
        """Takes a key out of a chunk that is owned and has it."""
        del chunk.items[key]
        self.count -= 1
        expires = chunk.expires
        if expires is not None and key in expires:
            del expires[key]
            self.expires_count -= 1
        if chunk.depth and len(chunk.items) < _SPARSE:
            self._merge(chunk)

    def copy(self) -> Chunked:
        """A copy; the chunks are shared until either side changes them."""
        twin = Chunked()
        twin.directory = self.directory.copy()
        twin.count = self.count
        twin.expires_count = self.expires_count
        twin.next_expiry = self.next_expiry
        twin._deepest = self._deepest
        self.owner = Owner()
        return twin

    # Chunks

    def _own(self, chunk: Chunk) -> Chunk:
        """A clone of a chunk that is shared, in its place."""
        clone = Chunk(self.owner, chunk.start, chunk.depth)
        clone.items = chunk.items.copy()
        expires = chunk.expires
        if expires is not None:
            clone.expires = expires.copy()
        clone.next_expiry = chunk.next_expiry
        self._place(clone)
        return clone

    def _place(self, chunk: Chunk) -> None:
        """Points the directory's slots of the chunk's stretch at it."""
        self.directory.place(chunk.start, chunk.depth, chunk, chunk.items)

    def _split(self, chunk: Chunk) -> None:
        """Divides a full chunk in two, doubling the directory where it is not deep enough."""
        if chunk.depth >= HASH_BITS - CURSOR_SHIFT:
            # Only equal hashes get here.
            return
        if chunk.depth == self.directory.depth:
            self.directory.double()
            self._deepest = 0
        depth: i64 = chunk.depth + 1
        bit: i64 = HALF >> (depth - 1)
        low = Chunk(self.owner, chunk.start, depth)
        high = Chunk(self.owner, chunk.start | bit, depth)
        chunk.items.split(bit, low.items, high.items)
        expires = chunk.expires
        if expires:
            low_expires: CompactDict[int] = CompactDict()
            high_expires: CompactDict[int] = CompactDict()
            expires.split(bit, low_expires, high_expires)
            low.expires = low_expires
            high.expires = high_expires
            low.next_expiry = high.next_expiry = chunk.next_expiry
        self._place(low)
        self._place(high)
        if depth == self.directory.depth:
            self._deepest += 2

    def _merge(self, chunk: Chunk) -> None:
        """Joins a sparse chunk that is owned with its neighbour, if that is sparse as well."""
        bit: i64 = HALF >> (chunk.depth - 1)
        buddy = self.directory.at(chunk.start ^ bit)
        if buddy.depth != chunk.depth or len(chunk.items) + len(buddy.items) >= _SPARSE:
            return
        joined = Chunk(self.owner, chunk.start & ~bit, chunk.depth - 1)
        joined.items.merge(chunk.items)
        joined.items.merge(buddy.items)
        if chunk.expires or buddy.expires:
            expires: CompactDict[int] = CompactDict()
            if chunk.expires is not None:
                expires.merge(chunk.expires)
            if buddy.expires is not None:
                expires.merge(buddy.expires)
            joined.expires = expires
            joined.next_expiry = min(chunk.next_expiry, buddy.next_expiry)
        self._place(joined)
        if chunk.depth != self.directory.depth:
            return
        self._deepest -= 2
        while self._deepest == 0 and self.directory.depth:
            self.directory.halve()
            for each in self.directory.distinct():
                if each.depth == self.directory.depth:
                    self._deepest += 1

    def chunks(self) -> list[Chunk]:
        """Every chunk once, in the order of hash space."""
        return self.directory.distinct()

    def scan(self, cursor: i64, count: i64, found: list[bytes]) -> i64:
        """Appends the keys of the next stretch of hash space, about ``count``; returns the next cursor, 0 at the end.

        A key that stays during a full iteration is returned at least once, whatever else comes and goes.
        """
        position: i64 = cursor << CURSOR_SHIFT
        wanted: i64 = len(found) + count
        while len(found) < wanted:
            chunk = self.directory.at(position)
            position = scan_segment(chunk.items, chunk.depth, position, wanted - len(found), found)
            if position == -1:
                return 0
        return position >> CURSOR_SHIFT

    def memory(self, samples: i64) -> i64:
        """The bytes that it takes, estimated from so many elements (0: from all)."""
        if samples == 0 or samples >= self.count:
            chunks = self.chunks()
        else:
            chunks = [self.directory.at(0), self.directory.at(HASH_MASK)]
        size: i64 = 0
        held: i64 = 0
        for chunk in chunks:
            size += _CHUNK + sys.getsizeof(chunk.items)
            if chunk.expires:
                size += sys.getsizeof(chunk.expires)
            held += len(chunk.items)
        if samples and held:
            size = size * self.count // held
        return size + sys.getsizeof(self.directory) + _CHUNK

    # Chance

    def _random_chunk(self) -> Chunk:
        while True:
            chunk = self.directory.at(randrange(HASH_MASK))
            if chunk.items:
                return chunk

    def _draw(self, chunk: Chunk) -> bytes:
        """A random key of a chunk that has one."""
        while True:
            key = chunk.items.draw(randrange(1 << 30))
            if key is not None:
                return key

    def random_key(self) -> bytes:
        """A random key; there must be one."""
        return self._draw(self._random_chunk())

    def pop_random(self) -> bytes:
        """Takes a random key out; there must be one."""
        chunk = self._random_chunk()
        if chunk.owner is not self.owner:
            chunk = self._own(chunk)
        key = self._draw(chunk)
        self._drop(chunk, key)
        return key

    def random_keys(self, count: i64) -> list[bytes]:
        """So many random keys, the same one maybe more than once; there must be one."""
        if count * _DRAW < self.count:
            return [self.random_key() for _ in range(count)]
        size: i64 = self.count
        found = self._at_ranks(sorted([randrange(size) for _ in range(count)]))
        random.shuffle(found)
        return found

    def sample(self, count: i64) -> list[bytes]:
        """So many different random keys, at most as many as there are, in no particular order."""
        if count * _DRAW >= self.count:
            return self._at_ranks(sorted(random.sample(range(self.count), count)))
        found: dict[bytes, None] = {}
        while len(found) < count:
            found[self.random_key()] = None
        return list(found)

    def _at_ranks(self, ranks: list[int]) -> list[bytes]:
        """The keys at rising places of the order in which ``chunks`` has them."""
        found: list[bytes] = []
        done: i64 = 0
        size: i64 = len(ranks)
        base: i64 = 0
        for chunk in self.chunks():
            end: i64 = base + len(chunk.items)
            if done < size and ranks[done] < end:
                keys = chunk.items.keys()
                while done < size and ranks[done] < end:
                    found.append(keys[ranks[done] - base])
                    done += 1
            base = end
        return found

    # Expiry

    def expiry(self, key: bytes) -> i64:
        """When a key expires, NEVER where it does not."""
        expires = self.find(key).expires
        if not expires:
            return NEVER
        when = expires[key]
        return NEVER if when is None else when

    def set_expiry(self, key: bytes, when: i64) -> None:
        """Gives a key that is there an expiry."""
        chunk = self.find(key)
        if chunk.owner is not self.owner:
            chunk = self._own(chunk)
        expires = chunk.expires
        if expires is None:
            expires = CompactDict()
            chunk.expires = expires
        before: i64 = len(expires)
        expires[key] = when
        if len(expires) != before:
            self.expires_count += 1
        if when < chunk.next_expiry:
            chunk.next_expiry = when
        if when < self.next_expiry:
            self.next_expiry = when

    def clear_expiry(self, key: bytes) -> bool:
        """Takes the expiry from a key; says whether there was one."""
        chunk = self.find(key)
        if not chunk.expires or key not in chunk.expires:
            return False
        if chunk.owner is not self.owner:
            chunk = self._own(chunk)
        expires = chunk.expires
        assert expires is not None
        del expires[key]
        self.expires_count -= 1
        if not expires:
            chunk.expires = None
            chunk.next_expiry = NEVER
        return True

    def due(self, now: i64, limit: i64) -> list[bytes]:
        """Up to about ``limit`` keys whose time is over, which the caller is then to remove."""
        found: list[bytes] = []
        if self.next_expiry >= now:
            return found
        lowest: i64 = NEVER
        for chunk in self.chunks():
            if chunk.next_expiry < now and len(found) < limit:
                earliest: i64 = NEVER
                expires = chunk.expires
                if expires:
                    for key, when in expires.items():
                        at: i64 = when
                        if at < now:
                            found.append(key)
                        elif at < earliest:
                            earliest = at
                if chunk.owner is not self.owner:
                    chunk = self._own(chunk)
                # It holds once what is due is gone.
                chunk.next_expiry = earliest
            if chunk.next_expiry < lowest:
                lowest = chunk.next_expiry
        self.next_expiry = lowest
        return found
