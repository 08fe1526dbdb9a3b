"""The members of a large sorted set in their order: a counted B+-tree.

The order is that of (score, member).  Leaves hold up to ``LEAF`` entries, their scores packed side by side, so that a
search touches few cache lines; a branch knows how many entries are under each child, which makes a rank a sum along one
path.  A branch's separator for a child is a lower bound of what is under it: exact when it was made, and left alone by
removals.  Its first one is of no use and not kept right.

Copying is O(1): nodes name their owner and are cloned by whoever wants to change one that he does not own, as the
chunks of ``durastore.keyspace.chunked`` are.
"""

from __future__ import annotations

from typing import Final, final

from librt.vecs import append, extend, pop, vec
from mypy_extensions import i64

from durastore.keyspace.chunked import Owner

# The most entries in a leaf, and children under a branch.
LEAF: Final = 128
BRANCH: Final = 64
# How full leaves and branches are made when a tree is built at once.
_LEAF_FILL: Final = 112
_BRANCH_FILL: Final = 56
# A node with fewer than this joins a neighbour, if both together have at most that.
_LEAF_SPARSE: Final = 32
_LEAF_JOINED: Final = 96
_BRANCH_SPARSE: Final = 16
_BRANCH_JOINED: Final = 48


class Node:
    """A leaf with its entries, or a branch with the separators of its children: both are pairs in order."""

    def __init__(self, owner: Owner, scores: vec[float], members: list[bytes]) -> None:
        self.owner = owner
        self.scores = scores
        self.members = members

    def bound(self, low: i64, score: float, member: bytes, after: bool) -> i64:
        """The place, from ``low`` on, of the first pair that is not less; with ``after``, that is greater."""
        scores = self.scores
        members = self.members
        high: i64 = len(scores)
        while low < high:
            middle: i64 = (low + high) >> 1
            other = scores[middle]
            if other < score or (
                other == score and (members[middle] < member or (after and members[middle] == member))
            ):
                low = middle + 1
            else:
                high = middle
        return low

    def bound_of_score(self, low: i64, score: float, after: bool) -> i64:
        """As ``bound``, by the scores alone."""
        scores = self.scores
        high: i64 = len(scores)
        while low < high:
            middle: i64 = (low + high) >> 1
            other = scores[middle]
            if other < score or (after and other == score):
                low = middle + 1
            else:
                high = middle
        return low

    def bound_of_member(self, low: i64, member: bytes, after: bool) -> i64:
        """As ``bound``, by the members alone."""
        members = self.members
        high: i64 = len(members)
        while low < high:
            middle: i64 = (low + high) >> 1
            other = members[middle]
            if other < member or (after and other == member):
                low = middle + 1
            else:
                high = middle
        return low


@final
class Leaf(Node):
    """Entries in order."""

    def insert(self, at: i64, score: float, member: bytes) -> None:
        """Adds an entry."""
        scores = append(self.scores, score)
        i: i64 = len(scores) - 1
        while i > at:
            scores[i] = scores[i - 1]
            i -= 1
        scores[at] = score
        self.scores = scores
        self.members.insert(at, member)

    def remove(self, at: i64) -> None:
        """Takes an entry out."""
        self.scores, _ = pop(self.scores, at)
        del self.members[at]

    def split(self, at: i64) -> Leaf:
        """Cuts off and returns the entries from this one on."""
        right = Leaf(self.owner, _roomy(self.scores, at, len(self.scores)), self.members[at:])
        self.scores = _roomy(self.scores, 0, at)
        self.members = self.members[:at]
        return right


def _roomy(scores: vec[float], first: i64, last: i64) -> vec[float]:
    """A stretch of scores, in a vector that can grow to a full leaf."""
    return extend(vec[float](capacity=LEAF + 1), scores[first:last])


@final
class Branch(Node):
    """Nodes in order; ``counts`` has the number of entries under each."""

    def __init__(
        self, owner: Owner, scores: vec[float], members: list[bytes], children: list[Node], counts: vec[i64]
    ) -> None:
        super().__init__(owner, scores, members)
        self.children = children
        self.counts = counts

    def before(self, child: i64) -> i64:
        """The number of entries under the children before this one."""
        counts = self.counts
        total: i64 = 0
        i: i64 = 0
        while i < child:
            total += counts[i]
            i += 1
        return total

    def insert(self, at: i64, node: Node, count: i64) -> None:
        """Adds a child under which there are ``count`` entries; its first pair becomes its separator."""
        counts = append(self.counts, count)
        scores = append(self.scores, 0.0)
        i: i64 = len(scores) - 1
        while i > at:
            counts[i] = counts[i - 1]
            scores[i] = scores[i - 1]
            i -= 1
        counts[at] = count
        scores[at] = node.scores[0]
        self.counts = counts
        self.scores = scores
        self.children.insert(at, node)
        self.members.insert(at, node.members[0])

    def remove(self, at: i64) -> None:
        """Takes a child out."""
        self.counts, _ = pop(self.counts, at)
        self.scores, _ = pop(self.scores, at)
        del self.children[at]
        del self.members[at]

    def split(self, at: i64) -> Branch:
        """Cuts off and returns the children from this one on."""
        right = Branch(self.owner, self.scores[at:], self.members[at:], self.children[at:], self.counts[at:])
        self.scores = self.scores[:at]
        self.members = self.members[:at]
        self.children = self.children[:at]
        self.counts = self.counts[:at]
        return right


@final
class Order:
    """The tree."""

    def __init__(self) -> None:
        self.owner = Owner()
        self.root: Node = Leaf(self.owner, vec[float](), [])
        self.size: i64 = 0

    def copy(self) -> Order:
        """A copy; both may be changed from now on."""
        other = Order()
        other.root = self.root
        other.size = self.size
        self.owner = Owner()
        return other

    # Reading

    def rank(self, score: float, member: bytes) -> i64:
        """How many entries are before this one."""
        node = self.root
        rank: i64 = 0
        while isinstance(node, Branch):
            i: i64 = node.bound(1, score, member, True) - 1
            rank += node.before(i)
            node = node.children[i]
        return rank + node.bound(0, score, member, False)

    def rank_of_score(self, score: float, after: bool) -> i64:
        """How many entries have a smaller score; with ``after`` also those that have this one."""
        node = self.root
        rank: i64 = 0
        while isinstance(node, Branch):
            i: i64 = node.bound_of_score(1, score, after) - 1
            rank += node.before(i)
            node = node.children[i]
        return rank + node.bound_of_score(0, score, after)

    def rank_of_member(self, member: bytes, after: bool) -> i64:
        """As ``rank_of_score``, by members; it means something only while all scores are the same."""
        node = self.root
        rank: i64 = 0
        while isinstance(node, Branch):
            i: i64 = node.bound_of_member(1, member, after) - 1
            rank += node.before(i)
            node = node.children[i]
        return rank + node.bound_of_member(0, member, after)

    def locate(self, rank: i64) -> tuple[Node, i64]:
        """The leaf that holds the entry of this rank, and the entry's place in it."""
        node = self.root
        while isinstance(node, Branch):
            counts = node.counts
            i: i64 = 0
            while rank >= counts[i]:
                rank -= counts[i]
                i += 1
            node = node.children[i]
        return node, rank

    # Changing

    def insert(self, score: float, member: bytes) -> None:
        """Adds an entry that is not there yet."""
        root = self._own_root()
        right = self._insert(root, score, member)
        self.size += 1
        if right is not None:
            top = Branch(self.owner, vec[float](), [], [], vec[i64]())
            count = _entries(right)
            top.insert(0, root, self.size - count)
            top.insert(1, right, count)
            self.root = top

    def _insert(self, node: Node, score: float, member: bytes) -> Node | None:
        """Adds an entry under an owned node; returns the new right neighbour where the node had to be split."""
        if isinstance(node, Leaf):
            at: i64 = node.bound(0, score, member, False)
            node.insert(at, score, member)
            if len(node.members) <= LEAF:
                return None
            # Entries that come in ascending or in descending order leave full leaves behind.
            return node.split(LEAF if at == LEAF else 1 if at == 0 else LEAF >> 1)
        assert isinstance(node, Branch)
        i: i64 = node.bound(1, score, member, True) - 1
        right = self._insert(self._own_child(node, i), score, member)
        node.counts[i] += 1
        if right is None:
            return None
        count = _entries(right)
        node.counts[i] -= count
        node.insert(i + 1, right, count)
        if len(node.children) <= BRANCH:
            return None
        return node.split(BRANCH if i + 1 == BRANCH else 1 if i == 0 else BRANCH >> 1)

    def remove(self, score: float, member: bytes) -> None:
        """Takes out an entry that is there."""
        self._remove(self._own_root(), score, member)
        self.size -= 1
        self._lower()

    def _remove(self, node: Node, score: float, member: bytes) -> None:
        if isinstance(node, Leaf):
            node.remove(node.bound(0, score, member, False))
            return
        assert isinstance(node, Branch)
        i: i64 = node.bound(1, score, member, True) - 1
        self._remove(self._own_child(node, i), score, member)
        node.counts[i] -= 1
        self._settle(node, i)

    def remove_range(self, first: i64, last: i64) -> None:
        """Takes out the entries of the ranks from ``first`` up to, and without, ``last``."""
        if first >= last:
            return
        self._remove_range(self._own_root(), first, last)
        self.size -= last - first
        self._lower()

    def _remove_range(self, node: Node, first: i64, last: i64) -> None:
        if isinstance(node, Leaf):
            rest = node.scores[last:]
            node.scores = extend(_roomy(node.scores, 0, first), rest)
            del node.members[first:last]
            return
        assert isinstance(node, Branch)
        i: i64 = 0
        start: i64 = 0
        while start < last:
            count: i64 = node.counts[i]
            low: i64 = first - start if first > start else 0
            high: i64 = last - start if last < start + count else count
            start += count
            if low == 0 and high == count and len(node.children) > 1:
                node.remove(i)
                continue
            if low < high:
                self._remove_range(self._own_child(node, i), low, high)
                node.counts[i] -= high - low
            i += 1
        # Two children at most have lost a part only: those on both sides of the gap.
        if i < len(node.children):
            self._settle(node, i)
        if i > 0:
            self._settle(node, i - 1)
        if i > 1:
            self._settle(node, i - 2)

    def _settle(self, node: Branch, at: i64) -> None:
        """Drops a child without entries; joins a sparse one with a neighbour, where both fit in one node."""
        if len(node.children) == 1:
            return
        if node.counts[at] == 0:
            node.remove(at)
            return
        if not _is_sparse(node.children[at]):
            return
        left: i64 = at - 1 if at > 0 else 0
        second = node.children[left + 1]
        if isinstance(second, Leaf):
            if len(second.members) + len(node.children[left].members) > _LEAF_JOINED:
                return
            first = self._own_child(node, left)
            first.scores = extend(first.scores, second.scores)
            first.members.extend(second.members)
        else:
            if len(second.members) + len(node.children[left].members) > _BRANCH_JOINED:
                return
            first = self._own_child(node, left)
            assert isinstance(first, Branch)
            assert isinstance(second, Branch)
            boundary: i64 = len(first.children)
            first.scores = extend(first.scores, second.scores)
            first.members.extend(second.members)
            first.children.extend(second.children)
            first.counts = extend(first.counts, second.counts)
            first.scores[boundary] = node.scores[left + 1]
            first.members[boundary] = node.members[left + 1]
        node.counts[left] += node.counts[left + 1]
        node.remove(left + 1)

    def _lower(self) -> None:
        """Drops roots with a single child."""
        root = self.root
        while isinstance(root, Branch) and len(root.children) == 1:
            root = root.children[0]
            self.root = root

    def _owned(self, node: Node) -> Node:
        """The node, or a clone of it that may be changed."""
        owner = self.owner
        if node.owner is owner:
            return node
        if isinstance(node, Leaf):
            return Leaf(owner, _roomy(node.scores, 0, len(node.scores)), node.members.copy())
        assert isinstance(node, Branch)
        return Branch(owner, node.scores[:], node.members.copy(), node.children.copy(), node.counts[:])

    def _own_root(self) -> Node:
        root = self._owned(self.root)
        self.root = root
        return root

    def _own_child(self, node: Branch, at: i64) -> Node:
        child = node.children[at]
        if child.owner is not self.owner:
            child = self._owned(child)
            node.children[at] = child
        return child


def _entries(node: Node) -> i64:
    """The number of entries under a node."""
    if isinstance(node, Branch):
        return node.before(len(node.children))
    return len(node.members)


def _is_sparse(node: Node) -> bool:
    if isinstance(node, Branch):
        return len(node.children) < _BRANCH_SPARSE
    return len(node.members) < _LEAF_SPARSE


@final
class OrderBuilder:
    """Makes a tree of entries that come in their order or, ``falling``, against it, a part at a time."""

    def __init__(self, falling: bool) -> None:
        self._falling = falling
        self._order = Order()
        # The nodes of each level, leaves first, that are under no branch yet, as they came.
        self._levels: list[list[Node]] = [[]]

    def add(self, members: list[bytes], scores: vec[float]) -> None:
        """Adds entries in their order; what came before is all before them, or, ``falling``, behind them."""
        size: i64 = len(members)
        self._order.size += size
        leaves: i64 = (size + _LEAF_FILL - 1) // _LEAF_FILL
        i: i64 = 0
        while i < leaves:
            at: i64 = leaves - 1 - i if self._falling else i
            first: i64 = size * at // leaves
            last: i64 = size * (at + 1) // leaves
            self._place(Leaf(self._order.owner, _roomy(scores, first, last), members[first:last]), 0)
            i += 1

    def _place(self, node: Node, level: i64) -> None:
        if level == len(self._levels):
            self._levels.append([])
        nodes = self._levels[level]
        nodes.append(node)
        if len(nodes) == _BRANCH_FILL:
            self._levels[level] = []
            self._place(self._branch(nodes), level + 1)

    def _branch(self, nodes: list[Node]) -> Branch:
        if self._falling:
            nodes.reverse()
        branch = Branch(self._order.owner, vec[float](), [], [], vec[i64]())
        for node in nodes:
            branch.insert(len(branch.children), node, _entries(node))
        return branch

    def finish(self) -> Order:
        """The tree of all that was added."""
        level: i64 = 0
        while level < len(self._levels):
            nodes = self._levels[level]
            if level == len(self._levels) - 1 and len(nodes) == 1:
                self._order.root = nodes[0]
            elif nodes:
                self._place(self._branch(nodes), level + 1)
            level += 1
        return self._order
