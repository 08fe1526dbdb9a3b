"""Lists into RDB, a few nodes at a time."""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter
from mypy_extensions import i64

from durastore.keyspace.limits import Limits
from durastore.keyspace.list_nodes import Node, size_limit
from durastore.keyspace.listpack import listpack_of
from durastore.keyspace.lists import List
from durastore.persistence.rdb import format as f
from durastore.persistence.rdb.parts import Parts
from durastore.persistence.rdb.primitives import write_count, write_string

# Lists of more nodes than this are written in parts, of about so many bytes.
_NODES: Final = 8
_BYTES: Final = 64 * 1024


def is_long(value: List) -> bool:
    """Whether a list is to be written in parts."""
    return value.quicklist and len(value.packed_nodes()) > _NODES


@final
class ListParts(Parts):
    """A list on its way out."""

    def __init__(self, out: BytesWriter, value: List, limits: Limits, compress: bool) -> None:
        """Writes what stands before the nodes."""
        super().__init__()
        # An element alone that is larger makes a plain node.
        self._largest: i64 = size_limit(limits.list_size)
        self._compress = compress
        self._nodes: list[Node] = value.packed_nodes()
        self._next: i64 = 0
        write_count(out, len(self._nodes))

    def step(self, out: BytesWriter) -> bool:
        """Writes the next nodes; False where there are no more."""
        nodes = self._nodes
        at: i64 = self._next
        written: i64 = 0
        while at < len(nodes) and written < _BYTES:
            node = nodes[at]
            written += node.size
            if node.single and node.size > self._largest:
                write_count(out, f.NODE_PLAIN)
                write_string(out, node.data, self._compress)
            else:
                write_count(out, f.NODE_PACKED)
                write_string(out, listpack_of(node.body(), node.count), self._compress)
            at += 1
        self._next = at
        return at < len(nodes)


def save_list(out: BytesWriter, value: List, limits: Limits, compress: bool) -> None:
    """Writes a list in one go."""
    parts = ListParts(out, value, limits, compress)
    while parts.step(out):
        pass
