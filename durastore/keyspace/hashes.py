"""The hash value type.

A small hash is one listpack of fields and values in turn.  Once a field expires, each value is followed by the field's
expiry (0: none), and the fields stand in the order of their expiries, those without one last, as in Redis 7.4.  A large
hash is a ``Chunked``.  Expiries are Unix milliseconds; nothing here looks at a clock: a field whose time is over is
there until somebody removes it.
"""

from __future__ import annotations

import random
import sys
from typing import Final, final

from librt.random import randrange
from mypy_extensions import i64, mypyc_attr

from durastore.keyspace.chunked import NEVER, Chunked
from durastore.keyspace.limits import Limits
from durastore.keyspace.listpack import HEADER, ListpackWriter, element_at, integer_at, next_element
from durastore.keyspace.packed import NOTHING, append, element, elements, find, fits, length, number, skip, splice
from durastore.keyspace.values import Value

# The size of the object itself.
_OBJECT: Final = 72
_NO_EXPIRY: Final = b"\x00\x01"


@final
@mypyc_attr(acyclic=True)
class Hash(Value):
    """A hash.  Either ``table`` is None, or ``packed`` is of no meaning."""

    def __init__(self) -> None:
        super().__init__()
        self.packed = NOTHING
        # Whether the listpack has expiries.
        self.timed = False
        self.table: Chunked | None = None

    def type_name(self) -> bytes:
        return b"hash"

    def copy(self) -> Value:
        twin = Hash()
        twin.packed = self.packed
        twin.timed = self.timed
        if self.table is not None:
            twin.table = self.table.copy()
        return twin

    def elements(self) -> Chunked | None:
        return self.table

    def size(self) -> int:
        """The number of fields, those among them whose time is over."""
        table = self.table
        if table is not None:
            return table.count
        return length(self.packed) // (3 if self.timed else 2)

    def _find(self, field: bytes) -> i64:
        return find(self.packed, field, 3 if self.timed else 2)

    def get(self, field: bytes) -> bytes | None:
        """The value of a field, or None."""
        table = self.table
        if table is not None:
            value = table.get(field)
            if value is None:
                return None
            assert isinstance(value, bytes)
            return value
        packed = self.packed
        pos: i64 = self._find(field)
        return None if pos == -1 else element_at(packed, next_element(packed, pos))

    def contains(self, field: bytes) -> bool:
        """Whether the field is there."""
        table = self.table
        if table is not None:
            return table.contains(field)
        return self._find(field) != -1

    def set(self, field: bytes, value: bytes, limits: Limits, keep_expiry: bool = False) -> bool:
        """Sets a field, which loses its expiry unless told otherwise; says whether it is new."""
        table = self.table
        if table is None:
            if (
                len(field) <= limits.hash_value
                and len(value) <= limits.hash_value
                and fits(self.packed, len(field) + len(value))
            ):
                return self._set_packed(field, value, limits, keep_expiry)
            table = self.spread()
        if not keep_expiry and table.expires_count:
            table.clear_expiry(field)
        return table.put(field, value)

    def _set_packed(self, field: bytes, value: bytes, limits: Limits, keep_expiry: bool) -> bool:
        packed = self.packed
        pos: i64 = self._find(field)
        if pos != -1:
            start: i64 = next_element(packed, pos)
            end: i64 = next_element(packed, start)
            if keep_expiry or not self.timed or integer_at(packed, end) == 0:
                self.packed = splice(packed, start, end, element(value), 0)
            else:
                self._cut(pos)
                self.packed = append(self.packed, element(field) + element(value) + _NO_EXPIRY, 3)
            return False
        if self.timed:
            self.packed = append(packed, element(field) + element(value) + _NO_EXPIRY, 3)
        else:
            self.packed = append(packed, element(field) + element(value), 2)
        if self.size() > limits.hash_entries:
            self.spread()
        return True

    def _cut(self, pos: i64) -> None:
        """Takes the field that stands at a position of the listpack out."""
        packed = self.packed
        count: i64 = 3 if self.timed else 2
        self.packed = splice(packed, pos, skip(packed, pos, count), b"", -count)

    def remove(self, field: bytes) -> bool:
        """Takes a field out; says whether it was there."""
        table = self.table
        if table is not None:
            return table.remove(field)
        pos: i64 = self._find(field)
        if pos == -1:
            return False
        self._cut(pos)
        return True

    def spread(self) -> Chunked:
        """Turns a small hash into a large one, which it stays."""
        table = Chunked()
        packed = self.packed
        last: i64 = len(packed) - 1
        pos: i64 = HEADER
        while pos < last:
            field = element_at(packed, pos)
            pos = next_element(packed, pos)
            table.put(field, element_at(packed, pos))
            pos = next_element(packed, pos)
            if self.timed:
                when = integer_at(packed, pos)
                pos = next_element(packed, pos)
                if when:
                    table.set_expiry(field, when)
        self.table = table
        self.packed = NOTHING
        self.timed = False
        return table

    def memory(self, samples: i64) -> i64:
        """The bytes that it takes, estimated from so many elements of a large one (0: from all)."""
        table = self.table
        return _OBJECT + (sys.getsizeof(self.packed) if table is None else table.memory(samples))

    # All of it

    def listpack(self) -> bytes | None:
        """The fields and values in turn, where one listpack holds just them."""
        return None if self.timed or self.table is not None else self.packed

    def flat(self) -> list[bytes]:
        """Fields and values in turn."""
        table = self.table
        if table is None:
            if not self.timed:
                return elements(self.packed, 0, 1)
            fields = self.fields()
            values = self.values()
            found = fields + values
            found[::2] = fields
            found[1::2] = values
            return found
        found = []
        for chunk in table.chunks():
            for field, value in chunk.items.items():
                assert isinstance(value, bytes)
                found.append(field)
                found.append(value)
        return found

    def fields(self) -> list[bytes]:
        """All fields."""
        table = self.table
        if table is None:
            return elements(self.packed, 0, 3 if self.timed else 2)
        found: list[bytes] = []
        for chunk in table.chunks():
            found.extend(chunk.items)
        return found

    def values(self) -> list[bytes]:
        """All values, in the order of ``fields``."""
        table = self.table
        if table is None:
            return elements(self.packed, 1, 3 if self.timed else 2)
        found: list[bytes] = []
        for chunk in table.chunks():
            for value in chunk.items.values():
                assert isinstance(value, bytes)
                found.append(value)
        return found

    def expiries(self) -> dict[bytes, int]:
        """The fields that have an expiry, with it."""
        found: dict[bytes, int] = {}
        table = self.table
        if table is not None:
            for chunk in table.chunks():
                if chunk.expires:
                    found.update(chunk.expires.items())
        elif self.timed:
            for field, when in zip(elements(self.packed, 0, 3), elements(self.packed, 2, 3), strict=True):
                if when != b"0":
                    found[field] = int(when)
        return found

    def scan(self, cursor: i64, count: i64, found: list[bytes]) -> i64:
        """Appends some fields; returns the next cursor.  A small hash is one step."""
        table = self.table
        if table is not None:
            return table.scan(cursor, count, found)
        found.extend(self.fields())
        return 0

    # Chance

    def random_field(self) -> bytes:
        """A random field."""
        table = self.table
        if table is not None:
            return table.random_key()
        count: i64 = 3 if self.timed else 2
        packed = self.packed
        return element_at(packed, skip(packed, HEADER, count * randrange(length(packed) // count)))

    def random_fields(self, count: i64) -> list[bytes]:
        """So many random fields, the same one maybe more than once."""
        table = self.table
        if table is not None:
            return table.random_keys(count)
        fields = self.fields()
        size: i64 = len(fields)
        return [fields[randrange(size)] for _ in range(count)]

    def sample(self, count: i64) -> list[bytes]:
        """So many different random fields, at most as many as there are."""
        table = self.table
        return table.sample(count) if table is not None else random.sample(self.fields(), count)

    # Expiry

    def may_expire(self) -> bool:
        """Whether ``expiring`` is worth asking."""
        table = self.table
        return self.timed if table is None else table.expires_count != 0

    def expiring(self) -> bool:
        """Whether any field has an expiry."""
        return self.next_expiry() != NEVER

    def next_expiry(self) -> i64:
        """A time before which no field expires; NEVER where none ever does."""
        table = self.table
        if table is not None:
            return table.next_expiry if table.expires_count else NEVER
        if not self.timed or len(self.packed) == len(NOTHING):
            return NEVER
        when: i64 = integer_at(self.packed, skip(self.packed, HEADER, 2))
        return when if when else NEVER

    def expiry(self, field: bytes) -> i64:
        """When a field expires; NEVER where it does not, and where it is not there."""
        table = self.table
        if table is not None:
            return table.expiry(field) if table.expires_count else NEVER
        if not self.timed:
            return NEVER
        pos: i64 = self._find(field)
        if pos == -1:
            return NEVER
        when: i64 = integer_at(self.packed, skip(self.packed, pos, 2))
        return when if when else NEVER

    def set_expiry(self, field: bytes, when: i64) -> None:
        """Gives a field that is there an expiry (more than 0); NEVER takes it away."""
        table = self.table
        if table is not None:
            if when == NEVER:
                table.clear_expiry(field)
            else:
                table.set_expiry(field, when)
            return
        if not self.timed:
            self._add_expiries()
        packed = self.packed
        pos: i64 = self._find(field)
        end: i64 = skip(packed, pos, 2)
        pair = packed[pos:end]
        self._cut(pos)
        if when == NEVER:
            self.packed = append(self.packed, pair + _NO_EXPIRY, 3)
            return
        packed = self.packed
        last: i64 = len(packed) - 1
        pos = HEADER
        while pos < last:
            end = skip(packed, pos, 2)
            other: i64 = integer_at(packed, end)
            if other == 0 or other > when:
                break
            pos = next_element(packed, end)
        self.packed = splice(packed, pos, pos, pair + number(when), 3)

    def _add_expiries(self) -> None:
        row = ListpackWriter()
        for i, text in enumerate(elements(self.packed, 0, 1)):
            row.string(text)
            if i & 1:
                row.integer(0)
        self.packed = row.finish()
        self.timed = True

    def due(self, now: i64, limit: i64) -> list[bytes]:
        """Up to about ``limit`` fields whose time is over, which the caller is then to remove."""
        table = self.table
        if table is not None:
            return table.due(now, limit)
        found: list[bytes] = []
        if not self.timed:
            return found
        packed = self.packed
        last: i64 = len(packed) - 1
        pos: i64 = HEADER
        while pos < last and len(found) < limit:
            end: i64 = skip(packed, pos, 2)
            when: i64 = integer_at(packed, end)
            if when == 0 or when >= now:
                break
            found.append(element_at(packed, pos))
            pos = next_element(packed, end)
        return found


def build_hash(fields: dict[bytes, bytes], expires: dict[bytes, int] | None, limits: Limits) -> Hash:
    """A hash of these fields, in the form that its size asks for."""
    made = Hash()
    longest: i64 = 0
    row = ListpackWriter()
    small = len(fields) <= limits.hash_entries
    if small:
        for field, value in fields.items():
            longest = max(longest, len(field), len(value))
            row.string(field)
            row.string(value)
    if small and longest <= limits.hash_value and row.size() < 1 << 30:
        made.packed = row.finish()
    else:
        table = Chunked()
        for field, value in fields.items():
            table.put(field, value)
        made.table = table
    if expires:
        for field in sorted(expires, key=expires.__getitem__):
            made.set_expiry(field, expires[field])
    return made
