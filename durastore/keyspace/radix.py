"""How many nodes Redis's radix tree would have over the nodes of a stream (XINFO STREAM tells it)."""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from durastore.keyspace.chunks import ID_SIZE, Directory

# So many chunks are looked at; what a larger tree has beyond them is estimated.
_LOOKED_AT: Final = 512


def radix_nodes(directory: Directory) -> i64:
    """The nodes of a compressed radix tree whose keys are the 16-byte ids of all chunks.

    A branch and a leaf are a node each, and so is a run of single bytes between them.
    """
    chunk = directory.first()
    if chunk is None:
        return 1
    nodes: i64 = 0
    looked: i64 = 0
    # The depths of the branches above the present leaf.
    open_branches: list[int] = []
    above: i64 = -1
    while chunk is not None and looked < _LOOKED_AT:
        following = directory.after(chunk)
        looked += 1
        depth: i64 = -1 if following is None or looked == _LOOKED_AT else _common(chunk, following)
        parent: i64 = depth if depth > above else above
        nodes += 2 if parent < ID_SIZE - 1 else 1
        while open_branches and open_branches[-1] > depth:
            branch: i64 = open_branches.pop()
            parent = open_branches[-1] if open_branches else -1
            if depth > parent:
                parent = depth
            nodes += 2 if branch - parent > 1 else 1
        if depth >= 0 and (not open_branches or open_branches[-1] < depth):
            open_branches.append(int(depth))
        above = depth
        chunk = following
    return nodes * directory.count // looked


def _common(left: bytes, right: bytes) -> i64:
    """How many bytes two ids have in common."""
    size: i64 = 0
    while size < ID_SIZE and left[size] == right[size]:
        size += 1
    return size
