"""The scores of a large sorted set by member.

An extendible hash as in ``durastore.keyspace.chunked``, with the same rule for copies, but its chunks are tables with
packed scores instead of dicts: a member costs its reference, ten bytes, and the room that is left free, where a dict
with its float objects takes three times as much.  A chunk keeps 14 low bits of each hash beside the members, so that
probing and growing touch no member but the one that is meant.
"""

from __future__ import annotations

import math
from typing import Final, final

from librt.vecs import vec
from mypy_extensions import i16, i64

from durastore.keyspace.chunked import Owner
from durastore.keyspace.positions import CURSOR_SHIFT, HASH_BITS, HASH_MASK

# The score of a member that is not there: no score is NaN.
ABSENT: Final = math.nan
# The most members in a chunk.
CHUNK: Final = 448
# Chunks that hold no more than this together are joined.
_JOINED: Final = 224
_TAG_BITS: Final = 14
_TAG_MASK: Final = 0x3FFF
# In every tag, so that 0 can say that a slot is free.
_USED: Final = 0x4000
# The directory grows no deeper: only members with equal hashes would ask for it.
_DEEPEST: Final = HASH_BITS - CURSOR_SHIFT


def _capacity(members: i64) -> i64:
    """The slots for so many members: about an eighth of them stays free at least."""
    slots: i64 = members + (members >> 3) + 4
    if slots <= 64:
        return (slots + 15) & -16
    return (slots + 63) & -64


@final
class Chunk:
    """One table, with linear probing; ``depth`` is how many top bits of their hashes its members have in common."""

    def __init__(self, owner: Owner, depth: i64, capacity: i64) -> None:
        self.owner = owner
        self.depth: i64 = depth
        self.used: i64 = 0
        self.tags = vec[i16]([0] * capacity)
        self.members: list[bytes] = [b""] * capacity
        self.scores = vec[float]([0.0] * capacity)

    def copy(self, owner: Owner) -> Chunk:
        """A clone of another owner."""
        other = Chunk(owner, self.depth, 0)
        other.used = self.used
        other.tags = self.tags[:]
        other.members = self.members.copy()
        other.scores = self.scores[:]
        return other

    def find(self, h: i64, member: bytes) -> i64:
        """The slot of a member, or -1."""
        tags = self.tags
        size: i64 = len(tags)
        tag: i64 = h & _TAG_MASK
        slot: i64 = (tag * size) >> _TAG_BITS
        tag |= _USED
        while True:
            other: i64 = i64(tags[slot])
            if other == tag:
                candidate = self.members[slot]
                if candidate is member or candidate == member:
                    return slot
            elif other == 0:
                return -1
            slot += 1
            if slot == size:
                slot = 0

    def add(self, h: i64, member: bytes, score: float) -> None:
        """Adds a member that is not there, and for which there is room."""
        tags = self.tags
        size: i64 = len(tags)
        tag: i64 = h & _TAG_MASK
        slot: i64 = (tag * size) >> _TAG_BITS
        while tags[slot] != 0:
            slot += 1
            if slot == size:
                slot = 0
        tags[slot] = i16(tag | _USED)
        self.members[slot] = member
        self.scores[slot] = score
        self.used += 1

    def remove(self, slot: i64) -> None:
        """Frees a slot, and moves those behind it up that would otherwise not be found any more."""
        tags = self.tags
        members = self.members
        scores = self.scores
        size: i64 = len(tags)
        free: i64 = slot
        while True:
            slot += 1
            if slot == size:
                slot = 0
            tag: i64 = i64(tags[slot])
            if tag == 0:
                break
            home: i64 = ((tag & _TAG_MASK) * size) >> _TAG_BITS
            # Whether the way from its home to where it is leads over the free slot.
            if (slot - home if slot >= home else slot - home + size) >= (
                slot - free if slot >= free else slot - free + size
            ):
                tags[free] = tags[slot]
                members[free] = members[slot]
                scores[free] = scores[slot]
                free = slot
        tags[free] = 0
        members[free] = b""
        self.used -= 1

    def resize(self, capacity: i64) -> None:
        """Moves everything to a table of so many slots."""
        old = self.tags
        members = self.members
        scores = self.scores
        size: i64 = len(old)
        self.tags = vec[i16]([0] * capacity)
        self.members = [b""] * capacity
        self.scores = vec[float]([0.0] * capacity)
        self.used = 0
        slot: i64 = 0
        while slot < size:
            tag: i64 = i64(old[slot])
            if tag != 0:
                self.add(tag, members[slot], scores[slot])
            slot += 1


@final
class Scores:
    """Member to score."""

    def __init__(self) -> None:
        self.owner = Owner()
        self.directory: list[Chunk] = [Chunk(self.owner, 0, 16)]
        self.depth: i64 = 0
        # Where the last ``find`` found its member.
        self._index: i64 = 0
        self._slot: i64 = -1

    def copy(self) -> Scores:
        """A copy; both may be changed from now on."""
        other = Scores()
        other.directory = self.directory.copy()
        other.depth = self.depth
        self.owner = Owner()
        return other

    def find(self, member: bytes) -> float:
        """The score of a member, or ABSENT."""
        h: i64 = hash(member)
        h &= HASH_MASK
        index: i64 = h >> (HASH_BITS - self.depth) if self.depth else 0
        chunk = self.directory[index]
        slot = chunk.find(h, member)
        self._index = index
        self._slot = slot
        if slot == -1:
            return ABSENT
        return chunk.scores[slot]

    def was_found(self) -> bool:
        """Whether the last ``find`` found its member."""
        return self._slot != -1

    def found(self) -> bytes:
        """The stored object of the member that the last call of ``find`` found."""
        return self.directory[self._index].members[self._slot]

    def change(self, score: float) -> None:
        """Gives the member that the last call found (it was ``find``) another score."""
        self._own(self._index).scores[self._slot] = score

    def add(self, member: bytes, score: float) -> None:
        """Adds a member that is not there yet."""
        h: i64 = hash(member)
        h &= HASH_MASK
        self._with_room(h).add(h, member, score)

    def add_new(self, member: bytes, score: float) -> bool:
        """Adds a member; False where it is there already, and stays as it is."""
        h: i64 = hash(member)
        h &= HASH_MASK
        chunk = self._with_room(h)
        if chunk.find(h, member) != -1:
            return False
        chunk.add(h, member, score)
        return True

    def _with_room(self, h: i64) -> Chunk:
        """The chunk of a hash, to be changed, with room for one more member."""
        while True:
            chunk = self._own(h >> (HASH_BITS - self.depth) if self.depth else 0)
            if chunk.used < CHUNK or chunk.depth >= _DEEPEST:
                break
            self._split(h, chunk)
        if _capacity(chunk.used + 1) > len(chunk.tags):
            chunk.resize(_capacity(chunk.used + 1))
        return chunk

    def remove(self) -> None:
        """Takes out the member that the last call found (it was ``find``)."""
        index: i64 = self._index
        chunk = self._own(index)
        chunk.remove(self._slot)
        self._slot = -1
        if chunk.used & 31 or chunk.used > _JOINED or self._join(index, chunk):
            return
        if _capacity(chunk.used + 32) < len(chunk.tags):
            chunk.resize(_capacity(chunk.used + 32))

    def _own(self, index: i64) -> Chunk:
        """The chunk at a place of the directory, or a clone of it that may be changed."""
        chunk = self.directory[index]
        if chunk.owner is not self.owner:
            chunk = chunk.copy(self.owner)
            self._set(index, chunk)
        return chunk

    def _set(self, index: i64, chunk: Chunk) -> None:
        """Has all places of the directory that are the chunk's point at it; ``index`` is one of them."""
        shift: i64 = self.depth - chunk.depth
        directory = self.directory
        place: i64 = (index >> shift) << shift
        end: i64 = ((index >> shift) + 1) << shift
        while place < end:
            directory[place] = chunk
            place += 1

    def _split(self, h: i64, chunk: Chunk) -> None:
        """Divides a full chunk in two; ``h`` is a hash that belongs there."""
        if chunk.depth == self.depth:
            doubled: list[Chunk] = []
            for each in self.directory:
                doubled.append(each)
                doubled.append(each)
            self.directory = doubled
            self.depth += 1
        shift: i64 = HASH_BITS - 1 - chunk.depth
        owner = self.owner
        low = Chunk(owner, chunk.depth + 1, _capacity((chunk.used * 9) >> 4))
        high = Chunk(owner, chunk.depth + 1, _capacity((chunk.used * 9) >> 4))
        tags = chunk.tags
        members = chunk.members
        scores = chunk.scores
        size: i64 = len(tags)
        slot: i64 = 0
        while slot < size:
            if tags[slot] != 0:
                member = members[slot]
                other: i64 = hash(member)
                other &= HASH_MASK
                half = high if (other >> shift) & 1 else low
                if _capacity(half.used + 1) > len(half.tags):
                    half.resize(_capacity(half.used + 1))
                half.add(other, member, scores[slot])
            slot += 1
        prefix: i64 = h >> shift
        behind: i64 = self.depth - chunk.depth - 1
        self._set((prefix & -2) << behind, low)
        self._set((prefix | 1) << behind, high)

    def _join(self, index: i64, chunk: Chunk) -> bool:
        """Joins a sparse chunk with its sparse neighbour; says whether it did."""
        if chunk.depth == 0:
            return False
        shift: i64 = self.depth - chunk.depth
        buddy = self.directory[((index >> shift) ^ 1) << shift]
        if buddy.depth != chunk.depth or chunk.used + buddy.used > _JOINED:
            return False
        joined = Chunk(self.owner, chunk.depth - 1, _capacity(chunk.used + buddy.used + 32))
        for half in (chunk, buddy):
            tags = half.tags
            size: i64 = len(tags)
            slot: i64 = 0
            while slot < size:
                tag: i64 = i64(tags[slot])
                if tag != 0:
                    joined.add(tag, half.members[slot], half.scores[slot])
                slot += 1
        self._set(index, joined)
        return True

    def scan(self, cursor: i64, count: i64, members: list[bytes], scores: list[float]) -> i64:
        """Appends the entries of the next stretch of hash space, about ``count``; returns the next cursor (0: the end).

        A member that stays during a full iteration is found at least once, whatever else comes and goes.
        """
        position: i64 = cursor << CURSOR_SHIFT
        wanted: i64 = len(members) + count
        while len(members) < wanted:
            chunk = self.directory[position >> (HASH_BITS - self.depth) if self.depth else 0]
            size: i64 = chunk.used
            width_bits: i64 = HASH_BITS - chunk.depth
            rest: i64 = wanted - len(members)
            # A stretch of the chunk that holds about as many members as are still wanted.
            while size > rest and width_bits > CURSOR_SHIFT:
                size >>= 1
                width_bits -= 1
            first: i64 = position >> width_bits if width_bits < HASH_BITS else 0
            _collect(chunk, position, first, width_bits, members, scores)
            if width_bits == HASH_BITS or first >= HASH_MASK >> width_bits:
                return 0
            position = (first + 1) << width_bits
        return position >> CURSOR_SHIFT


def _collect(
    chunk: Chunk, position: i64, first: i64, width_bits: i64, members: list[bytes], scores: list[float]
) -> None:
    """The entries of a chunk whose hashes are in a stretch of hash space, from a position on."""
    tags = chunk.tags
    size: i64 = len(tags)
    slot: i64 = 0
    while slot < size:
        if tags[slot] != 0:
            member = chunk.members[slot]
            h: i64 = hash(member)
            h &= HASH_MASK
            if h >= position and (width_bits == HASH_BITS or h >> width_bits == first):
                members.append(member)
                scores.append(chunk.scores[slot])
        slot += 1
