"""The nodes of quicklists: runs of elements, each the body of a listpack, and how large they may become.

Nodes are never changed, only replaced.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.listpack import ListpackWriter, element_at, entry_size, next_element, previous_element
from durastore.keyspace.packed import element

# An element of this size is not packed where it is alone in its node.
LARGE: Final = 4096
# No node out of a file is kept that is larger, whatever the limit was where it was made.
NODE_BYTES: Final = 2 * 65536
# What a node takes beside its bytes.
_MEMORY: Final = 112
NO_ELEMENTS: Final = b""
NO_LIMIT: Final = 0x7FFFFFFFFFFFFFFF


def size_limit(fill: i64) -> i64:
    """How large the listpack of a node may be; ``fill`` is ``list-max-listpack-size``."""
    if fill == -2 or fill >= 0:
        return 8192
    if fill == -1:
        return 4096
    if fill == -3:
        return 16384
    return 32768 if fill == -4 else 65536


def count_limit(fill: i64) -> i64:
    """How many elements a node may have."""
    if fill < 0:
        return NO_LIMIT
    return fill if fill > 0 else 1


@final
class Run:
    """Elements of a list, one behind the other: as they are, or, where ``count`` is not 0, so many from ``pos`` on."""

    def __init__(self, items: list[bytes], packed: bytes, pos: i64, count: i64) -> None:
        self.items = items
        self.packed = packed
        self.pos: i64 = pos
        self.count: i64 = count

    def collect(self, found: list[bytes]) -> None:
        """Appends the elements."""
        found.extend(self.items)
        data = self.packed
        pos: i64 = self.pos
        count: i64 = self.count
        while count > 0:
            first: i64 = data[pos]
            if 0x80 <= first < 0xC0:
                end: i64 = pos + 1 + (first & 0x3F)
                found.append(data[pos + 1 : end])
                pos = end + 1
            else:
                found.append(element_at(data, pos))
                pos = next_element(data, pos)
            count -= 1


@final
class Node:
    """A run of elements: the body of a listpack or, where ``single`` says so, one large element as it is.

    ``size`` is the size of the body in either case.
    """

    def __init__(self, data: bytes, count: i64, single: bool) -> None:
        self.data = data
        self.count: i64 = count
        self.single = single
        self.size: i64 = entry_size(data) if single else len(data)

    def body(self) -> bytes:
        """The body of the listpack."""
        return element(self.data) if self.single else self.data

    def locate(self, index: i64) -> i64:
        """The position of an element in a node that is not single."""
        data = self.data
        pos: i64
        if index <= self.count >> 1:
            pos = 0
            while index > 0:
                pos = next_element(data, pos)
                index -= 1
        else:
            pos = len(data)
            left: i64 = self.count - index
            while left > 0:
                pos = previous_element(data, pos)
                left -= 1
        return pos

    def get(self, index: i64) -> bytes:
        """One element."""
        return self.data if self.single else element_at(self.data, self.locate(index))

    def run(self, start: i64, count: i64) -> Run:
        """Some of the elements, one at least."""
        if self.single:
            return Run([self.data], NO_ELEMENTS, 0, 0)
        return Run([], self.data, self.locate(start), count)

    def collect(self, start: i64, count: i64, found: list[bytes]) -> None:
        """Appends elements."""
        if count > 0:
            self.run(start, count).collect(found)

    def part(self, start: i64, count: i64) -> Node:
        """A node with some of the elements."""
        if count == self.count:
            return self
        return Node(self.data[self.locate(start) : self.locate(start + count)], count, False)

    def without(self, start: i64, count: i64) -> Node:
        """A node without some of the elements."""
        if count == self.count:
            return Node(NO_ELEMENTS, 0, False)
        data = self.data
        return Node(data[: self.locate(start)] + data[self.locate(start + count) :], self.count - count, False)

    def with_item(self, index: i64, item: bytes) -> Node:
        """A node with one more element, which then is at ``index``."""
        body = self.body()
        pos: i64 = 0
        if index == self.count:
            pos = len(body)
        elif index > 0:
            pos = self.locate(index)
        return Node(body[:pos] + element(item) + body[pos:], self.count + 1, False)

    def without_places(self, places: list[int], size: i64) -> Node:
        """A node without the elements at these places, each of which takes ``size`` bytes."""
        data = self.data
        parts: list[bytes] = []
        pos: i64 = 0
        start: i64 = 0
        place: i64 = 0
        for each in places:
            wanted: i64 = each
            while place < wanted:
                pos = next_element(data, pos)
                place += 1
            parts.append(data[start:pos])
            pos += size
            place += 1
            start = pos
        parts.append(data[start:])
        return Node(NO_ELEMENTS.join(parts), self.count - len(places), False)

    def memory(self) -> i64:
        """About how many bytes of memory the node takes."""
        return _MEMORY + len(self.data)

    def places(self, item: bytes, packed: bytes) -> list[int]:
        """Where the elements are that equal ``item``, which is ``packed`` in a listpack."""
        places: list[int] = []
        data = self.data
        if self.single:
            if data == item:
                places.append(0)
            return places
        # Packed elements are compared, which takes that each has but one form.
        pos: i64 = 0
        place: i64 = 0
        hit: i64 = data.find(packed)
        while hit != -1:
            while pos < hit:
                pos = next_element(data, pos)
                place += 1
            if pos == hit:
                places.append(int(place))
                pos = next_element(data, pos)
                place += 1
            # What was hit otherwise lies inside of a longer element.
            hit = data.find(packed, pos)
        return places


def pack_body(items: list[bytes]) -> bytes:
    """The body of a listpack with these elements."""
    row = ListpackWriter()
    for item in items:
        row.string(item)
    return row.body()


def packed_node(items: list[bytes]) -> Node:
    """A node with these elements."""
    if len(items) == 1 and len(items[0]) >= LARGE:
        return Node(items[0], 1, True)
    return Node(pack_body(items), len(items), False)


def nodes_of(items: list[bytes]) -> list[Node]:
    """A node with these elements; several, where it would be far larger than any limit allows."""
    nodes: list[Node] = []
    part: list[bytes] = []
    size: i64 = 0
    for item in items:
        if size + len(item) > NODE_BYTES and part:
            nodes.append(packed_node(part))
            part = []
            size = 0
        part.append(item)
        size += len(item)
    if part:
        nodes.append(packed_node(part))
    return nodes


def joined(first: Node, second: Node) -> Node:
    """A node with the elements of both."""
    if first.count == 0:
        return second
    if second.count == 0:
        return first
    return Node(first.body() + second.body(), first.count + second.count, False)
