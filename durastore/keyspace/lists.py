"""The list value type.

A short list is one ``bytes`` object, the body of a listpack, which each change replaces; a longer one is a Quicklist.
Apart from that goes the encoding that Redis would use: a listpack up to ``list-max-listpack-size`` and a quicklist
beyond, from which there is a way back at half of that size (``listTypeTryConversion`` in Redis).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.list_nodes import NO_LIMIT, Node, Run, count_limit, size_limit
from durastore.keyspace.listpack import EMPTY, element_at, entry_size, next_element, previous_element
from durastore.keyspace.packed import element
from durastore.keyspace.quicklist import Quicklist
from durastore.keyspace.values import Value

# What a list takes beside its elements.
_OBJECT: Final = 160

# A list up to this many bytes is one object; one that shrinks becomes one at half of them.
SHORT: Final = 1024
# So many elements at an end are removed one by one rather than by rebuilding nodes.
_FEW: Final = 64
# list-max-listpack-size as it is unless told otherwise.
DEFAULT_FILL: Final = -2


@final
class List(Value):
    """A list.  ``fill`` in its methods is the directive ``list-max-listpack-size``."""

    def __init__(self, items: list[bytes], fill: i64 = DEFAULT_FILL) -> None:
        super().__init__()
        self.count: i64 = 0
        # All elements, where ``nodes`` is None.
        self.short = b""
        self.nodes: Quicklist | None = None
        # What OBJECT ENCODING says.
        self.quicklist = False
        for item in items:
            self.expect(len(item), 1, fill)
            self.push_tail(item, fill)

    def type_name(self) -> bytes:
        return b"list"

    def copy(self) -> Value:
        other = List([])
        other.count = self.count
        other.short = self.short
        other.quicklist = self.quicklist
        if self.nodes is not None:
            other.nodes = self.nodes.copy()
        return other

    def size(self) -> int:
        return int(self.count)

    def parts(self) -> list[object]:
        return list(self.nodes.nodes) if self.nodes is not None else []

    def memory(self, samples: i64) -> i64:
        """See Value."""
        nodes = self.nodes
        size: i64 = _OBJECT + len(self.short)
        return size if nodes is None else size + nodes.memory(samples)

    # The encoding

    def expect(self, size: i64, count: i64, fill: i64) -> None:
        """To be called before ``count`` elements of together ``size`` bytes are added: the list may turn quicklist."""
        if self.quicklist:
            return
        held: i64 = EMPTY + self._body_size()
        if held + size > size_limit(fill) or self.count + count > count_limit(fill):
            self._become_quicklist()

    def _become_quicklist(self) -> None:
        self.quicklist = True
        if self.nodes is None:
            self._lengthen()

    def settle(self, fill: i64) -> None:
        """To be called when elements were removed or replaced: a small quicklist becomes a listpack again."""
        if self.quicklist:
            nodes = self.nodes
            assert nodes is not None
            if not nodes.is_one_node():
                return
            limit: i64 = size_limit(fill)
            if fill >= 0:
                if self.count > count_limit(fill) >> 1:
                    return
            elif nodes.first_size() > limit >> 1:
                return
            self.quicklist = False
        if self.nodes is not None and self._body_size() <= SHORT >> 1:
            self._shorten()

    def _body_size(self) -> i64:
        """The size of the one listpack; of a quicklist the first node's."""
        nodes = self.nodes
        return len(self.short) if nodes is None else nodes.first_size() - EMPTY

    def _lengthen(self) -> Quicklist:
        """The list in its long form."""
        nodes = self.nodes
        if nodes is None:
            nodes = Quicklist([Node(self.short, self.count, False)])
            self.nodes = nodes
            self.short = b""
        return nodes

    def _shorten(self) -> None:
        nodes = self.nodes
        assert nodes is not None
        self.short = nodes.settle()[0].body()
        self.nodes = None

    # The ends

    def push_head(self, item: bytes, fill: i64) -> None:
        """Adds an element in front."""
        nodes = self.nodes
        if nodes is None:
            if len(self.short) + len(item) <= SHORT:
                self.short = element(item) + self.short
                self.count += 1
                return
            nodes = self._lengthen()
        if self.quicklist:
            nodes.push_head(item, size_limit(fill), count_limit(fill))
        else:
            nodes.push_head(item, NO_LIMIT, NO_LIMIT)
        self.count += 1

    def push_tail(self, item: bytes, fill: i64) -> None:
        """Adds an element at the end."""
        nodes = self.nodes
        if nodes is None:
            if len(self.short) + len(item) <= SHORT:
                self.short = self.short + element(item)
                self.count += 1
                return
            nodes = self._lengthen()
        if self.quicklist:
            nodes.push_tail(item, size_limit(fill), count_limit(fill))
        else:
            nodes.push_tail(item, NO_LIMIT, NO_LIMIT)
        self.count += 1

    def pop_head(self) -> bytes:
        """Takes the first element; there must be one.  ``settle`` is to follow."""
        self.count -= 1
        nodes = self.nodes
        if nodes is None:
            short = self.short
            item = element_at(short, 0)
            self.short = short[next_element(short, 0) :]
            return item
        return nodes.pop_head()

    def pop_tail(self) -> bytes:
        """Takes the last element; there must be one.  ``settle`` is to follow."""
        self.count -= 1
        nodes = self.nodes
        if nodes is None:
            short = self.short
            pos = previous_element(short, len(short))
            item = element_at(short, pos)
            self.short = short[:pos]
            return item
        return nodes.pop_tail()

    # Reading

    def get(self, index: i64) -> bytes:
        """The element at an index within the list."""
        nodes = self.nodes
        if nodes is None:
            short = self.short
            return element_at(short, self._locate(index))
        return nodes.get(index, self.count)

    def _locate(self, index: i64) -> i64:
        """Where an element stands in ``short``."""
        short = self.short
        pos: i64
        if index <= self.count >> 1:
            pos = 0
            while index > 0:
                pos = next_element(short, pos)
                index -= 1
            return pos
        pos = len(short)
        left: i64 = self.count - index
        while left > 0:
            pos = previous_element(short, pos)
            left -= 1
        return pos

    def runs(self, start: i64, count: i64) -> Iterator[Run]:
        """``count`` elements from ``start`` on; there must be so many."""
        nodes = self.nodes
        if nodes is not None:
            return nodes.runs(start, count, self.count)
        return iter([Run([], self.short, self._locate(start), count)])

    def slice(self, start: i64, count: i64) -> list[bytes]:
        """``count`` elements from ``start`` on; there must be so many."""
        found: list[bytes] = []
        for run in self.runs(start, count):
            run.collect(found)
        return found

    def items(self) -> list[bytes]:
        """All elements."""
        return self.slice(0, self.count)

    def packed_nodes(self) -> list[Node]:
        """The nodes that Redis would have; to be read only."""
        nodes = self.nodes
        if nodes is None:
            return [Node(self.short, self.count, False)]
        return nodes.settle()

    def find(self, item: bytes, rank: i64, most: i64, depth: i64) -> list[int]:
        """The indexes of elements that equal ``item``: from the ``rank``-th on, no more than ``most``.

        A negative rank counts from the tail, and so do then the indexes' order and ``depth``, which is how many
        elements are looked at.
        """
        found: list[int] = []
        nodes = self.nodes
        if nodes is None:
            nodes = Quicklist([Node(self.short, self.count, False)])
        if rank > 0:
            nodes.find(item, rank - 1, most, depth, found)
            return found
        nodes.find_back(item, -rank - 1, most, depth, found)
        last: int = int(self.count) - 1
        return [last - place for place in found]

    # Changes in the middle

    def set(self, index: i64, item: bytes) -> None:
        """Replaces an element.  ``settle`` is to follow."""
        nodes = self.nodes
        if nodes is None:
            short = self.short
            pos = self._locate(index)
            self.short = short[:pos] + element(item) + short[next_element(short, pos) :]
            if len(self.short) > SHORT * 2:
                self._lengthen()
            return
        nodes.set(index, item, self.count)

    def insert(self, index: i64, item: bytes, after: bool, fill: i64) -> None:
        """Adds an element before or after the one at ``index``."""
        if self.nodes is None and len(self.short) + entry_size(item) <= SHORT:
            short = self.short
            pos = self._locate(index)
            if after:
                pos = next_element(short, pos)
            self.short = short[:pos] + element(item) + short[pos:]
        elif self.quicklist:
            self._lengthen().insert(index, item, after, size_limit(fill), count_limit(fill))
        else:
            self._lengthen().insert(index, item, after, NO_LIMIT, NO_LIMIT)
        self.count += 1

    def remove(self, item: bytes, most: i64, reverse: bool) -> i64:
        """Removes elements that equal ``item``, no more than ``most``, beginning at the head or at the tail.

        ``settle`` is to follow.
        """
        removed = self._lengthen().remove(item, most, reverse)
        self.count -= removed
        return removed

    def delete(self, start: i64, count: i64) -> None:
        """Removes elements.  ``settle`` is to follow."""
        if count <= _FEW and (start == 0 or start + count == self.count):
            while count > 0:
                if start == 0:
                    self.pop_head()
                else:
                    self.pop_tail()
                count -= 1
            return
        self._lengthen().delete(start, count)
        self.count -= count


def list_of_nodes(nodes: list[Node], fill: i64) -> List:
    """A list out of a file: nodes with elements."""
    value = List([])
    quick = Quicklist(nodes)
    for node in nodes:
        value.count += node.count
    value.nodes = quick
    value.quicklist = (
        len(nodes) > 1 or quick.first_size() > size_limit(fill) or value.count > count_limit(fill) or nodes[0].single
    )
    if not value.quicklist and quick.first_size() - EMPTY <= SHORT:
        value._shorten()
    return value
