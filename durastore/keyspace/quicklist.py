"""Quicklists: long lists as a row of nodes.

A copy takes the row and leaves the nodes, which are never changed.  Both ends are hot: the outermost elements of the
first and of the last node are kept unpacked, in plain lists, where pushes and pops find them; ``head`` is in reverse,
so that both grow and shrink at their ends.  The sizes that decide where a node ends are those of Redis (quicklist.c),
so the nodes are the same as there, and so are the files and what OBJECT ENCODING says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.list_nodes import NO_ELEMENTS, NO_LIMIT, Node, Run, joined, packed_node
from durastore.keyspace.listpack import EMPTY, entry_size, next_element
from durastore.keyspace.packed import element

# A hot end that grows to HOT elements gives PACKED of them to its node; one that is empty takes as many back.
HOT: Final = 32
PACKED: Final = 24
# What a quicklist takes beside its nodes, and a hot element beside its bytes.
_QUICKLIST_MEMORY: Final = 160
_ITEM_MEMORY: Final = 48
# What Redis reckons for an element beside its own bytes before it knows better.
_OVERHEAD: Final = 8


def total_size(items: list[bytes]) -> i64:
    """What elements take in a listpack."""
    total: i64 = 0
    for item in items:
        total += entry_size(item)
    return total


@final
class Search:
    """A search for equal elements; see ``Quicklist.find``."""

    def __init__(self, item: bytes, skip: i64, most: i64, depth: i64, found: list[int]) -> None:
        self.item = item
        self.packed = element(item)
        self.skip: i64 = skip
        self.most: i64 = most
        self.depth: i64 = depth
        self.found = found
        self.passed: i64 = 0

    def over(self) -> bool:
        """Whether there is no need to look further."""
        return self.passed >= self.depth or len(self.found) >= self.most

    def items(self, items: list[bytes]) -> None:
        """Looks at the next elements."""
        wanted = self.item
        place: i64 = self.passed
        for item in items:
            if item == wanted:
                self._hit(place)
            place += 1
        self.passed = place

    def node(self, node: Node) -> None:
        """Looks at the next node."""
        for place in node.places(self.item, self.packed):
            self._hit(self.passed + place)
        self.passed += node.count

    def node_back(self, node: Node) -> None:
        """Looks at the next node, which is the one before."""
        places = node.places(self.item, self.packed)
        places.reverse()
        for place in places:
            self._hit(self.passed + node.count - 1 - place)
        self.passed += node.count

    def _hit(self, place: i64) -> None:
        if place >= self.depth:
            return
        if self.skip > 0:
            self.skip -= 1
        elif len(self.found) < self.most:
            self.found.append(int(place))


@final
class Quicklist:
    """Elements in nodes and hot ends.

    The first node's elements are those in ``head`` (reversed), then those in ``nodes[0]``; the last one's those in
    ``nodes[-1]``, then those in ``tail``.  Only where one of the ends is hot may its node be without packed elements,
    and there always is a node.  ``head_size`` and ``tail_size`` are what the hot elements will take when packed.
    """

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes or [Node(NO_ELEMENTS, 0, False)]
        self.head: list[bytes] = []
        self.tail: list[bytes] = []
        self.head_size: i64 = 0
        self.tail_size: i64 = 0

    def copy(self) -> Quicklist:
        """A copy that shares the nodes."""
        other = Quicklist(self.nodes.copy())
        other.head = self.head.copy()
        other.tail = self.tail.copy()
        other.head_size = self.head_size
        other.tail_size = self.tail_size
        return other

    def memory(self, samples: i64) -> i64:
        """About how many bytes of memory this takes, estimated from so many nodes (0: from all)."""
        count: i64 = len(self.nodes)
        looked: i64 = count if samples == 0 or samples > count else samples
        total: i64 = 0
        i: i64 = 0
        while i < looked:
            # From the first to the last.
            total += self.nodes[i * (count - 1) // max(looked - 1, 1)].memory()
            i += 1
        total = _QUICKLIST_MEMORY + 8 * count + total * count // looked
        for item in self.head:
            total += _ITEM_MEMORY + len(item)
        for item in self.tail:
            total += _ITEM_MEMORY + len(item)
        return total

    def is_one_node(self) -> bool:
        """Whether there is a single node."""
        return len(self.nodes) == 1

    def first_size(self) -> i64:
        """The size of the first node's listpack."""
        nodes = self.nodes
        size: i64 = EMPTY + self.head_size + nodes[0].size
        return size + self.tail_size if len(nodes) == 1 else size

    def last_size(self) -> i64:
        """The size of the last node's listpack."""
        nodes = self.nodes
        size: i64 = EMPTY + self.tail_size + nodes[len(nodes) - 1].size
        return size + self.head_size if len(nodes) == 1 else size

    # The ends

    def push_head(self, item: bytes, most_bytes: i64, most_items: i64) -> None:
        """Adds an element in front, in a new node where the first one is full."""
        head = self.head
        held: i64 = self.first_size()
        if held > EMPTY and (
            held + len(item) + _OVERHEAD > most_bytes or (most_items != NO_LIMIT and self._first_count() >= most_items)
        ):
            self._pack_head(len(head))
            self.nodes.insert(0, Node(NO_ELEMENTS, 0, False))
        elif len(head) >= HOT:
            self._pack_head(PACKED)
        head.append(item)
        self.head_size += entry_size(item)

    def push_tail(self, item: bytes, most_bytes: i64, most_items: i64) -> None:
        """Adds an element at the end, in a new node where the last one is full."""
        tail = self.tail
        held: i64 = self.last_size()
        if held > EMPTY and (
            held + len(item) + _OVERHEAD > most_bytes or (most_items != NO_LIMIT and self._last_count() >= most_items)
        ):
            self._pack_tail(len(tail))
            self.nodes.append(Node(NO_ELEMENTS, 0, False))
        elif len(tail) >= HOT:
            self._pack_tail(PACKED)
        tail.append(item)
        self.tail_size += entry_size(item)

    def _first_count(self) -> i64:
        nodes = self.nodes
        count: i64 = len(self.head) + nodes[0].count
        return count + len(self.tail) if len(nodes) == 1 else count

    def _last_count(self) -> i64:
        nodes = self.nodes
        count: i64 = len(self.tail) + nodes[len(nodes) - 1].count
        return count + len(self.head) if len(nodes) == 1 else count

    def pop_head(self) -> bytes:
        """Takes the first element; there must be one."""
        head = self.head
        if not head:
            self._heat_head()
            head = self.head
        item = head.pop()
        self.head_size -= entry_size(item)
        nodes = self.nodes
        if not head and len(nodes) > 1 and nodes[0].count == 0:
            del nodes[0]
        return item

    def pop_tail(self) -> bytes:
        """Takes the last element; there must be one."""
        tail = self.tail
        if not tail:
            self._heat_tail()
            tail = self.tail
        item = tail.pop()
        self.tail_size -= entry_size(item)
        nodes = self.nodes
        if not tail and len(nodes) > 1 and nodes[len(nodes) - 1].count == 0:
            nodes.pop()
        return item

    def _heat_head(self) -> None:
        """Unpacks the foremost elements."""
        node = self.nodes[0]
        head: list[bytes] = []
        if node.count == 0:
            # A single node, all of it at the other hot end.
            tail = self.tail
            half: i64 = (len(tail) + 1) >> 1
            head = tail[:half]
            self.tail = tail[half:]
            self.head_size = total_size(head)
            self.tail_size -= self.head_size
        else:
            taken: i64 = node.count if node.count < PACKED else PACKED
            node.collect(0, taken, head)
            self.head_size = node.size
            if taken == node.count:
                node = Node(NO_ELEMENTS, 0, False)
            else:
                node = Node(node.data[node.locate(taken) :], node.count - taken, False)
            self.head_size -= node.size
            self.nodes[0] = node
        head.reverse()
        self.head = head

    def _heat_tail(self) -> None:
        """Unpacks the last elements."""
        nodes = self.nodes
        node = nodes[len(nodes) - 1]
        tail: list[bytes] = []
        if node.count == 0:
            head = self.head
            half: i64 = (len(head) + 1) >> 1
            tail = head[:half]
            tail.reverse()
            self.head = head[half:]
            self.tail_size = total_size(tail)
            self.head_size -= self.tail_size
        else:
            taken: i64 = node.count if node.count < PACKED else PACKED
            rest: i64 = node.count - taken
            node.collect(rest, taken, tail)
            self.tail_size = node.size
            if rest == 0:
                node = Node(NO_ELEMENTS, 0, False)
            else:
                node = Node(node.data[: node.locate(rest)], rest, False)
            self.tail_size -= node.size
            nodes[len(nodes) - 1] = node
        self.tail = tail

    def _pack_head(self, count: i64) -> None:
        """Packs the innermost elements of the hot head."""
        if count == 0:
            return
        head = self.head
        items = head[:count]
        items.reverse()
        node = packed_node(items)
        del head[:count]
        self.nodes[0] = joined(node, self.nodes[0])
        self.head_size -= node.size

    def _pack_tail(self, count: i64) -> None:
        """Packs the innermost elements of the hot tail."""
        if count == 0:
            return
        tail = self.tail
        node = packed_node(tail[:count])
        del tail[:count]
        nodes = self.nodes
        last: i64 = len(nodes) - 1
        nodes[last] = joined(nodes[last], node)
        self.tail_size -= node.size

    def settle(self) -> list[Node]:
        """Packs both hot ends; the nodes then hold everything."""
        self._pack_head(len(self.head))
        self._pack_tail(len(self.tail))
        return self.nodes

    # Reading

    def get(self, index: i64, count: i64) -> bytes:
        """One element; ``count`` is how many there are."""
        head = self.head
        hot: i64 = len(head)
        if index < hot:
            return head[hot - 1 - index]
        tail = self.tail
        behind: i64 = count - len(tail)
        if index >= behind:
            return tail[index - behind]
        at, place = self._locate(index - hot, behind - hot)
        return self.nodes[at].get(place)

    def _locate(self, index: i64, count: i64) -> tuple[i64, i64]:
        """The node of the index-th packed element of ``count``, and the element's place in it."""
        nodes = self.nodes
        at: i64
        if index <= count >> 1:
            at = 0
            while index >= nodes[at].count:
                index -= nodes[at].count
                at += 1
            return at, index
        at = len(nodes)
        left: i64 = count - index
        while True:
            at -= 1
            held: i64 = nodes[at].count
            if left <= held:
                return at, held - left
            left -= held

    def runs(self, start: i64, count: i64, total: i64) -> Iterator[Run]:
        """``count`` elements from ``start`` on, of ``total`` that there are."""
        head = self.head
        hot: i64 = len(head)
        taken: i64
        if start < hot:
            taken = hot - start if hot - start < count else count
            part = head[hot - start - taken : hot - start]
            part.reverse()
            yield Run(part, NO_ELEMENTS, 0, 0)
            count -= taken
            start = hot
        start -= hot
        packed: i64 = total - hot - len(self.tail)
        if count > 0 and start < packed:
            at, place = self._locate(start, packed)
            nodes = self.nodes
            while count > 0 and at < len(nodes):
                node = nodes[at]
                taken = node.count - place if node.count - place < count else count
                yield node.run(place, taken)
                count -= taken
                place = 0
                at += 1
            start = packed
        if count > 0:
            yield Run(self.tail[start - packed : start - packed + count], NO_ELEMENTS, 0, 0)

    def find(self, item: bytes, skip: i64, most: i64, depth: i64, found: list[int]) -> None:
        """Appends the indexes of elements that equal ``item``, from the head on.

        The first ``skip`` of them are left out; no more than ``most`` are found, and those at ``depth`` or behind it
        are not.
        """
        search = Search(item, skip, most, depth, found)
        if self.head:
            search.items(self.head[::-1])
        for node in self.nodes:
            if search.over():
                return
            search.node(node)
        search.items(self.tail)

    def find_back(self, item: bytes, skip: i64, most: i64, depth: i64, found: list[int]) -> None:
        """As ``find``, from the tail on; indexes and depth are counted from there as well."""
        search = Search(item, skip, most, depth, found)
        search.items(self.tail[::-1])
        at: i64 = len(self.nodes)
        while at > 0 and not search.over():
            at -= 1
            search.node_back(self.nodes[at])
        search.items(self.head)

    # Changes in the middle

    def set(self, index: i64, item: bytes, count: i64) -> None:
        """Replaces an element."""
        head = self.head
        hot: i64 = len(head)
        if index < hot:
            self.head_size += entry_size(item) - entry_size(head[hot - 1 - index])
            head[hot - 1 - index] = item
            return
        tail = self.tail
        behind: i64 = count - len(tail)
        if index >= behind:
            self.tail_size += entry_size(item) - entry_size(tail[index - behind])
            tail[index - behind] = item
            return
        at, place = self._locate(index - hot, behind - hot)
        node = self.nodes[at]
        if node.count == 1:
            self.nodes[at] = packed_node([item])
            return
        data = node.data
        pos: i64 = node.locate(place)
        changed = data[:pos] + element(item) + data[next_element(data, pos) :]
        self.nodes[at] = Node(changed, node.count, False)

    def insert(self, index: i64, item: bytes, after: bool, most_bytes: i64, most_items: i64) -> None:
        """Adds an element before or after the one at ``index``."""
        nodes = self.settle()
        at, place = self._locate_settled(index)
        node = nodes[at]
        room: i64 = most_bytes - len(item) - _OVERHEAD - EMPTY
        if after:
            place += 1
        if node.size <= room and node.count < most_items:
            nodes[at] = node.with_item(place, item)
            return
        if after and place == node.count:
            # What is full at its end leaves the element to the next node.
            if at + 1 < len(nodes) and nodes[at + 1].size <= room and nodes[at + 1].count < most_items:
                nodes[at + 1] = nodes[at + 1].with_item(0, item)
            else:
                nodes.insert(at + 1, packed_node([item]))
            return
        if not after and place == 0:
            if at > 0 and nodes[at - 1].size <= room and nodes[at - 1].count < most_items:
                nodes[at - 1] = nodes[at - 1].with_item(nodes[at - 1].count, item)
            else:
                nodes.insert(at, packed_node([item]))
            return
        first, second = node.part(0, place), node.part(place, node.count - place)
        if after:
            nodes[at : at + 1] = [first, second.with_item(0, item)]
            self._merge_around(at, most_bytes, most_items)
        else:
            nodes[at : at + 1] = [first.with_item(place, item), second]
            self._merge_around(at + 1, most_bytes, most_items)

    def _locate_settled(self, index: i64) -> tuple[i64, i64]:
        count: i64 = 0
        for node in self.nodes:
            count += node.count
        return self._locate(index, count)

    def _merge_around(self, center: i64, most_bytes: i64, most_items: i64) -> None:
        """Joins small neighbours near a node that was split, as Redis does, and in its order."""
        if self._merge(center - 2, most_bytes, most_items):
            center -= 1
        self._merge(center + 1, most_bytes, most_items)
        if self._merge(center - 1, most_bytes, most_items):
            center -= 1
        self._merge(center, most_bytes, most_items)

    def _merge(self, at: i64, most_bytes: i64, most_items: i64) -> bool:
        """Joins a node with the next one where they exist and are small enough."""
        nodes = self.nodes
        if at < 0 or at + 1 >= len(nodes):
            return False
        first, second = nodes[at], nodes[at + 1]
        if first.size + second.size + EMPTY > most_bytes or first.count + second.count > most_items:
            return False
        nodes[at : at + 2] = [joined(first, second)]
        return True

    def delete(self, start: i64, count: i64) -> None:
        """Removes elements."""
        nodes = self.settle()
        at, place = self._locate_settled(start)
        first: i64 = at
        kept: list[Node] = []
        while count > 0:
            node = nodes[at]
            taken: i64 = node.count - place if node.count - place < count else count
            if taken < node.count:
                kept.append(node.without(place, taken))
            count -= taken
            place = 0
            at += 1
        nodes[first:at] = kept
        if not nodes:
            nodes.append(Node(NO_ELEMENTS, 0, False))

    def remove(self, item: bytes, most: i64, reverse: bool) -> i64:
        """Removes elements that equal ``item``, no more than ``most``, from the head on or from the tail on."""
        nodes = self.settle()
        packed = element(item)
        removed: i64 = 0
        kept: list[Node] = []
        size: i64 = len(nodes)
        i: i64 = 0
        while i < size:
            node = nodes[size - 1 - i if reverse else i]
            i += 1
            if removed < most:
                places = node.places(item, packed)
                if places:
                    allowed: i64 = most - removed
                    if len(places) > allowed:
                        places = places[len(places) - allowed :] if reverse else places[:allowed]
                    removed += len(places)
                    if len(places) == node.count:
                        continue
                    node = node.without_places(places, len(packed))
            kept.append(node)
        if reverse:
            kept.reverse()
        if not kept:
            kept.append(Node(NO_ELEMENTS, 0, False))
        self.nodes = kept
        return removed
