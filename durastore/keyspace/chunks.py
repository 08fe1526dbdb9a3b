"""Sorted rows of chunks: what streams and their pending lists keep their entries in.

A chunk is a ``bytes`` object that begins with a stream id (16 bytes, big-endian) and holds what has this id or a
greater one, up to the id of the next chunk.  A chunk never changes: it is replaced.  So whoever reads one reads a
state, and copies share all chunks; what a copy duplicates is the directory, and of that only the list of blocks.

An ``Owner`` is the mark of one copy.  Who finds a block (or anything else) with another mark clones it before the first
change.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter, read_i64_be, write_i64_be
from mypy_extensions import i64

# Milliseconds and sequence, 64 unsigned bits each.
StreamID = tuple[int, int]

ID_SIZE: Final = 16
ID_MAX: Final = 0xFFFFFFFFFFFFFFFF
BLOCK_LIMIT: Final = 512

_SAMPLES: Final = 16
# A bytes object's head, the reference to it, and what the allocator rounds up.
_CHUNK_OVERHEAD: Final = 50


# Up to here an ``int`` is native in compiled code, and comparing it with a greater one is not.
SMALL: Final = 0x3FFFFFFFFFFFFFFF
_UNSIGNED: Final = 1 << 64


def signed64(value: int) -> i64:
    """The last 64 bits of a number, as a signed one."""
    if -SMALL <= value <= SMALL:
        return i64(value)
    value &= ID_MAX
    return i64(value - _UNSIGNED if value >> 63 else value)


def unsigned64(value: i64) -> int:
    """The same bits, as an unsigned number."""
    return int(value) if value >= 0 else int(value) + _UNSIGNED


def write_id(out: BytesWriter, stream_id: StreamID) -> None:
    """Writes an id in its 16 bytes, which sort as ids do."""
    write_i64_be(out, signed64(stream_id[0]))
    write_i64_be(out, signed64(stream_id[1]))


def id_bytes(stream_id: StreamID) -> bytes:
    """An id in its 16 bytes."""
    out = BytesWriter()
    write_id(out, stream_id)
    return out.getvalue()


def id_at(data: bytes, pos: i64) -> StreamID:
    """The id in the 16 bytes at ``pos``."""
    return unsigned64(read_i64_be(data, pos)), unsigned64(read_i64_be(data, pos + 8))


def at_most(data: bytes, pos: i64, ms: i64, seq: i64) -> bool:
    """Whether the id at ``pos`` is this one, given by its ``signed64`` parts, or a smaller one."""
    # Of two numbers of different signs, the negative one stands for a greater one.
    own: i64 = read_i64_be(data, pos)
    if own != ms:
        return own >= 0 if own ^ ms < 0 else own < ms
    own = read_i64_be(data, pos + 8)
    return own >= 0 if own ^ seq < 0 else own <= seq


def same_id(data: bytes, pos: i64, ms: i64, seq: i64) -> bool:
    """Whether the id at ``pos`` is this one, given by its ``signed64`` parts."""
    return read_i64_be(data, pos) == ms and read_i64_be(data, pos + 8) == seq


@final
class Owner:
    """The mark of one copy."""


@final
class Block:
    """A stretch of chunks that are cloned together, never empty."""

    def __init__(self, owner: Owner, chunks: list[bytes]) -> None:
        self.owner = owner
        self.chunks = chunks


@final
class Directory:
    """A sorted row of chunks, found by id."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.blocks: list[Block] = []
        # The number of chunks.
        self.count: i64 = 0

    def copy(self, owner: Owner) -> Directory:
        """A copy under another mark; ``self.owner`` must get a fresh one as well where both may change."""
        twin = Directory(owner)
        twin.blocks = self.blocks.copy()
        twin.count = self.count
        return twin

    def first(self) -> bytes | None:
        """The first chunk."""
        return self.blocks[0].chunks[0] if self.blocks else None

    def last(self) -> bytes | None:
        """The last chunk."""
        return self.blocks[-1].chunks[-1] if self.blocks else None

    def floor(self, stream_id: StreamID) -> bytes | None:
        """The chunk that holds this id, or would: the last one that begins with it or with a smaller one."""
        if not self.blocks:
            return None
        ms = signed64(stream_id[0])
        seq = signed64(stream_id[1])
        chunks = self.blocks[self._block(ms, seq)].chunks
        slot = _slot(chunks, ms, seq)
        return chunks[slot] if slot >= 0 else None

    def after(self, chunk: bytes) -> bytes | None:
        """The chunk behind this one, which need not be there any more."""
        if not self.blocks:
            return None
        ms: i64 = read_i64_be(chunk, 0)
        seq: i64 = read_i64_be(chunk, 8)
        at = self._block(ms, seq)
        chunks = self.blocks[at].chunks
        slot = _slot(chunks, ms, seq) + 1
        if slot < len(chunks):
            return chunks[slot]
        at += 1
        return self.blocks[at].chunks[0] if at < len(self.blocks) else None

    def before(self, chunk: bytes) -> bytes | None:
        """The chunk before this one, which must be there."""
        ms: i64 = read_i64_be(chunk, 0)
        seq: i64 = read_i64_be(chunk, 8)
        at = self._block(ms, seq)
        slot = _slot(self.blocks[at].chunks, ms, seq) - 1
        if slot >= 0:
            return self.blocks[at].chunks[slot]
        return self.blocks[at - 1].chunks[-1] if at > 0 else None

    def append(self, chunk: bytes) -> None:
        """Adds a chunk behind all others."""
        blocks = self.blocks
        self.count += 1
        if not blocks or len(blocks[-1].chunks) >= BLOCK_LIMIT:
            blocks.append(Block(self.owner, [chunk]))
        else:
            self._own(len(blocks) - 1).append(chunk)

    def insert(self, chunk: bytes) -> None:
        """Adds a chunk at its place."""
        if not self.blocks:
            self.append(chunk)
            return
        ms: i64 = read_i64_be(chunk, 0)
        seq: i64 = read_i64_be(chunk, 8)
        at = self._block(ms, seq)
        chunks = self._own(at)
        chunks.insert(_slot(chunks, ms, seq) + 1, chunk)
        self.count += 1
        if len(chunks) > BLOCK_LIMIT:
            half = len(chunks) // 2
            self.blocks.insert(at + 1, Block(self.owner, chunks[half:]))
            del chunks[half:]

    def replace(self, old: bytes, new: bytes) -> None:
        """Puts a chunk in the place of another one; its first id may differ as long as the order stays."""
        ms: i64 = read_i64_be(old, 0)
        seq: i64 = read_i64_be(old, 8)
        chunks = self._own(self._block(ms, seq))
        chunks[_slot(chunks, ms, seq)] = new

    def remove(self, chunk: bytes) -> None:
        """Takes a chunk out."""
        ms: i64 = read_i64_be(chunk, 0)
        seq: i64 = read_i64_be(chunk, 8)
        at = self._block(ms, seq)
        self.count -= 1
        if len(self.blocks[at].chunks) == 1:
            del self.blocks[at]
            return
        chunks = self._own(at)
        del chunks[_slot(chunks, ms, seq)]

    def _block(self, ms: i64, seq: i64) -> i64:
        """The index of the last block that begins with this id or a smaller one; 0 where none does."""
        blocks = self.blocks
        low: i64 = 0
        high: i64 = len(blocks)
        while high - low > 1:
            middle: i64 = (low + high) >> 1
            if at_most(blocks[middle].chunks[0], 0, ms, seq):
                low = middle
            else:
                high = middle
        return low

    def _own(self, at: i64) -> list[bytes]:
        """The chunks of a block, to be changed."""
        block = self.blocks[at]
        if block.owner is not self.owner:
            block = Block(self.owner, block.chunks.copy())
            self.blocks[at] = block
        return block.chunks


def _slot(chunks: list[bytes], ms: i64, seq: i64) -> i64:
    """The index of the last chunk that begins with this id or a smaller one; -1 where none does."""
    low: i64 = -1
    high: i64 = len(chunks)
    while high - low > 1:
        middle: i64 = (low + high) >> 1
        if at_most(chunks[middle], 0, ms, seq):
            low = middle
        else:
            high = middle
    return low


def directory_size(directory: Directory) -> i64:
    """The bytes that a directory and its chunks take, estimated from a few chunks."""
    chunk = directory.first()
    if chunk is None:
        return 0
    looked: i64 = 0
    size: i64 = 0
    while chunk is not None and looked < _SAMPLES:
        size += len(chunk)
        looked += 1
        chunk = directory.after(chunk)
    chunk = directory.last()
    if chunk is not None and looked < directory.count:
        size += len(chunk)
        looked += 1
    return (size // looked + _CHUNK_OVERHEAD) * directory.count
