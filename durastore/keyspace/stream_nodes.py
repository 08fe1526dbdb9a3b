"""A node of a stream: up to some hundred entries in one listpack, in Redis's own layout.

A node is a chunk (see ``chunks``): the id of its master entry, then the listpack:

    valid  deleted  fields  name-1 ... name-n  0        the master entry: the names that entries may share
    flags  ms  sequence  [fields]  ...  elements        an entry, and so on

An entry's id is the difference to the master entry's.  Under SAME_FIELDS only its values follow, otherwise the number
of fields, names and values.  ``elements`` counts the elements of the entry before it, for reading backwards; the 0 ends
that.  In the last node of a stream, entries are deleted by a flag, because they count for its size; in others they are
taken out.  A node without valid entries does not exist.
Source: the layout comments in Redis's t_stream.c.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.keyspace.chunks import ID_SIZE, SMALL, StreamID, id_at, id_bytes, signed64
from durastore.keyspace.listpack import (
    HEADER,
    DamagedListpack,
    ListpackWriter,
    check,
    element_at,
    integer_at,
    next_element,
    previous_element,
)

DELETED: Final = 1
SAME_FIELDS: Final = 2
# The size of a node may not pass this, whatever the limits say; nor may the names and values of one entry.
NODE_BYTES: Final = 1 << 30

_UNSIGNED: Final = 1 << 64
_COUNT_UNKNOWN: Final = 65535


def _sum(master: int, delta: i64) -> int:
    """A part of an id: the master's, and the difference to it, in 64 bits that wrap around."""
    total = master + int(delta)
    return total if 0 <= total <= SMALL else total % _UNSIGNED


def _integer_size(value: i64) -> i64:
    """The size of a small positive integer in a listpack."""
    if value < 128:
        return 2
    if value < 4096:
        return 3
    return 4 if value < 32768 else 5


@final
class NodeWriter:
    """The last node of a stream, while entries are added to it."""

    def __init__(self, master: StreamID, names: list[bytes]) -> None:
        self.master = master
        self.names = names
        self.valid: i64 = 0
        self.deleted: i64 = 0
        # All entries that begin before this offset (see ``NodeReader.offset``) are deleted.
        self.deleted_to: i64 = 0
        # All that follows the first two elements.
        self._body = ListpackWriter()

    def begin(self) -> None:
        """Writes the rest of the master entry of a new node."""
        body = self._body
        body.integer(len(self.names))
        for name in self.names:
            body.string(name)
        body.integer(0)

    def resume(self, reader: NodeReader) -> None:
        """Goes on with a node that is there; the writer was made with its id and names."""
        self.valid = reader.valid
        self.deleted = reader.deleted
        self._body.raw(reader.body(), reader.elements())

    def size(self) -> i64:
        """The size of the listpack in bytes."""
        return self._body.size() + _integer_size(self.valid) + _integer_size(self.deleted)

    def add(self, entry_id: StreamID, words: list[bytes], at: i64) -> None:
        """Adds an entry; names and values are the words from ``at`` on."""
        names = self.names
        end: i64 = len(words)
        count: i64 = (end - at) >> 1
        same = count == len(names)
        i: i64 = at
        if same:
            for name in names:
                if words[i] != name:
                    same = False
                    break
                i += 2
        body = self._body
        body.integer(SAME_FIELDS if same else 0)
        body.integer(signed64(entry_id[0] - self.master[0]))
        body.integer(signed64(entry_id[1] - self.master[1]))
        i = at
        if same:
            while i < end:
                body.string(words[i + 1])
                i += 2
            body.integer(count + 3)
        else:
            body.integer(count)
            while i < end:
                body.string(words[i])
                i += 1
            body.integer(count * 2 + 4)
        self.valid += 1

    def delete(self, offsets: list[int]) -> None:
        """Deletes the valid entries at these offsets (see ``NodeReader.offset``)."""
        for offset in offsets:
            self._body.mark(HEADER + i64(offset), DELETED)
        self.valid -= len(offsets)
        self.deleted += len(offsets)

    def finish(self) -> bytes:
        """The node; more may be added afterwards."""
        whole = ListpackWriter()
        whole.integer(self.valid)
        whole.integer(self.deleted)
        whole.join(self._body)
        return id_bytes(self.master) + whole.finish()


def valid_entries(node: bytes) -> i64:
    """The number of entries in a node that are not deleted."""
    return integer_at(node, ID_SIZE + HEADER)


@final
class NodeReader:
    """Goes through the entries of a node, deleted ones as well.

    After ``forward`` or ``backward`` has found an entry, ``id`` and ``deleted_entry`` tell of it, ``offset`` is its
    place behind the first two elements, and ``fields`` gives its names and values.
    """

    def __init__(self, node: bytes) -> None:
        self.node = node
        self.master = id_at(node, 0)
        pos: i64 = ID_SIZE + HEADER
        self.valid: i64 = integer_at(node, pos)
        pos = next_element(node, pos)
        self.deleted: i64 = integer_at(node, pos)
        pos = next_element(node, pos)
        self._body: i64 = pos
        width: i64 = integer_at(node, pos)
        pos = next_element(node, pos)
        self._width: i64 = width
        self._names_at: i64 = pos
        self._names: list[bytes] | None = None
        while width > 0:
            pos = next_element(node, pos)
            width -= 1
        self._first: i64 = pos + 2
        self._end: i64 = len(node) - 1
        self.id: StreamID = self.master
        self.deleted_entry = False
        self._at: i64 = -1
        self._same = False
        # Where the entry's values (or its number of fields) stand.
        self._content: i64 = 0
        # The position behind the entry, or -1: not known yet.
        self._next: i64 = self._first

    def size(self) -> i64:
        """The size of the listpack in bytes."""
        return len(self.node) - ID_SIZE

    def rewind(self) -> None:
        """``backward`` begins at the last entry."""
        self._at = self._end

    def skip(self, offset: i64) -> None:
        """``forward`` begins at the entry at this offset, or at the first one where it is 0."""
        if offset:
            self._next = self._body + offset

    def offset(self) -> i64:
        """Where the entry stands."""
        return self._at - self._body

    def behind(self) -> i64:
        """The offset behind the entry."""
        return self._behind() - self._body

    def entry_elements(self) -> i64:
        """Of how many elements the entry consists."""
        return self._width + 4 if self._same else 2 * integer_at(self.node, self._content) + 5

    def names(self) -> list[bytes]:
        """The names of the master entry."""
        names = self._names
        if names is None:
            names = []
            pos: i64 = self._names_at
            while len(names) < self._width:
                names.append(element_at(self.node, pos))
                pos = next_element(self.node, pos)
            self._names = names
        return names

    def elements(self) -> i64:
        """The number of elements of the listpack behind the first two; at least 65535 where it is not known."""
        count: i64 = self.node[ID_SIZE + 4] | self.node[ID_SIZE + 5] << 8
        return count if count == _COUNT_UNKNOWN else count - 2

    def body(self) -> bytes:
        """The listpack behind its first two elements."""
        return self.node[self._body : self._end]

    def forward(self) -> bool:
        """Goes to the next entry."""
        pos = self._behind()
        if pos >= self._end:
            return False
        self._enter(pos)
        return True

    def backward(self) -> bool:
        """Goes to the entry before."""
        node = self.node
        pos: i64 = self._at
        if pos <= self._first:
            return False
        pos = previous_element(node, pos)
        count: i64 = integer_at(node, pos)
        while count > 0:
            pos = previous_element(node, pos)
            count -= 1
        self._enter(pos)
        return True

    def _enter(self, pos: i64) -> None:
        node = self.node
        flags: i64 = node[pos]
        self._at = pos
        self.deleted_entry = (flags & DELETED) != 0
        self._same = (flags & SAME_FIELDS) != 0
        pos += 2
        ms = _sum(self.master[0], integer_at(node, pos))
        pos = next_element(node, pos)
        self.id = ms, _sum(self.master[1], integer_at(node, pos))
        self._content = next_element(node, pos)
        self._next = -1

    def _behind(self) -> i64:
        """The position behind the entry."""
        if self._next != -1:
            return self._next
        node = self.node
        pos: i64 = self._content
        count: i64 = self._width
        if not self._same:
            count = 2 * integer_at(node, pos)
            pos = next_element(node, pos)
        while count > 0:
            pos = next_element(node, pos)
            count -= 1
        self._next = next_element(node, pos)
        return self._next

    def fields(self) -> list[bytes]:
        """Name, value, name, value ... of the entry."""
        node = self.node
        words: list[bytes] = []
        pos: i64 = self._content
        if self._same:
            for name in self.names():
                words.append(name)
                words.append(element_at(node, pos))
                pos = next_element(node, pos)
        else:
            count: i64 = 2 * integer_at(node, pos)
            pos = next_element(node, pos)
            while count > 0:
                words.append(element_at(node, pos))
                pos = next_element(node, pos)
                count -= 1
        self._next = next_element(node, pos)
        return words

    def marked(self, offsets: list[int]) -> bytes:
        """The node with the valid entries at these offsets flagged as deleted."""
        body = bytearray(self.body())
        for offset in offsets:
            body[offset] |= DELETED
        return self._with(bytes(body), self.valid - len(offsets), self.deleted + len(offsets), self.elements())

    def cut(self, start: i64, end: i64, valid: i64, deleted: i64, elements: i64) -> bytes:
        """The node without the entries between two offsets (start 0: from the first on).

        The rest says of how many valid and deleted entries, and of how many elements, these consist.
        """
        begin: i64 = self._body + start if start else self._first
        body = self.node[self._body : begin] + self.node[self._body + end : self._end]
        left: i64 = self.elements()
        if left != _COUNT_UNKNOWN:
            left -= elements
        return self._with(body, self.valid - valid, self.deleted - deleted, left)

    def _with(self, body: bytes, valid: i64, deleted: i64, elements: i64) -> bytes:
        whole = ListpackWriter()
        whole.integer(valid)
        whole.integer(deleted)
        whole.raw(body, elements)
        return self.node[:ID_SIZE] + whole.finish()


def check_node(node: bytes, offset: i64) -> None:
    """Raises DamagedListpack unless a node from a file or a peer can be read; ``offset`` is its position there."""
    blob = node[ID_SIZE:]
    total: i64 = check(blob, offset)
    end: i64 = len(blob) - 1
    pos: i64 = HEADER
    valid = _checked_integer(blob, pos, end, offset)
    pos = next_element(blob, pos)
    deleted = _checked_integer(blob, pos, end, offset)
    pos = next_element(blob, pos)
    width = _checked_count(blob, pos, end, total, offset)
    pos = _skip(blob, next_element(blob, pos), width, end)
    if pos >= end or blob[pos] != 0:
        raise DamagedListpack(int(offset), "stream listpack has no end of its master entry")
    pos += 2
    master = id_at(node, 0)
    last: StreamID = (0, 0)
    first = True
    while pos < end:
        flags: i64 = blob[pos]
        if flags > (DELETED | SAME_FIELDS):
            raise DamagedListpack(int(offset), "unknown flags of a stream entry")
        pos += 2
        ms = _sum(master[0], _checked_integer(blob, pos, end, offset))
        pos = next_element(blob, pos)
        entry_id = ms, _sum(master[1], _checked_integer(blob, pos, end, offset))
        pos = next_element(blob, pos)
        elements: i64 = 3
        count: i64 = width
        if not flags & SAME_FIELDS:
            count = 2 * _checked_count(blob, pos, end, total, offset)
            pos = next_element(blob, pos)
            elements = 4
        pos = _skip(blob, pos, count, end)
        if _checked_integer(blob, pos, end, offset) != elements + count:
            raise DamagedListpack(int(offset), "stream entry of a wrong length")
        pos = next_element(blob, pos)
        if entry_id < master or (not first and entry_id <= last):
            raise DamagedListpack(int(offset), "stream entries do not rise")
        first = False
        last = entry_id
        if flags & DELETED:
            deleted -= 1
        else:
            valid -= 1
    if valid != 0 or deleted != 0:
        raise DamagedListpack(int(offset), "stream listpack has not as many entries as it says")


def _skip(blob: bytes, pos: i64, count: i64, end: i64) -> i64:
    while count > 0 and pos < end:
        pos = next_element(blob, pos)
        count -= 1
    return pos


def _checked_integer(blob: bytes, pos: i64, end: i64, offset: i64) -> i64:
    if pos >= end:
        raise DamagedListpack(int(offset), "stream listpack ends within an entry")
    first: i64 = blob[pos]
    if 0x80 <= first < 0xC0 or 0xE0 <= first <= 0xF0:
        raise DamagedListpack(int(offset), "text where a stream listpack must have a number")
    return integer_at(blob, pos)


def _checked_count(blob: bytes, pos: i64, end: i64, most: i64, offset: i64) -> i64:
    """A number of fields, which cannot be more than there are elements."""
    value = _checked_integer(blob, pos, end, offset)
    if value < 0 or value > most:
        raise DamagedListpack(int(offset), "impossible number of fields in a stream listpack")
    return value
