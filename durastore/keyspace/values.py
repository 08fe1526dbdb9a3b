"""The value types that a key can hold.

A plain Redis string is a ``bytes`` object: immutable, so that a snapshot may keep it by reference.  Everything
else is a ``Value``: ``RawString`` below, and the types of the modules ``lists``, ``sets``, ``hashes``, ``sorted_sets``
and ``streams``.  All of them are mutable and carry ``held``: how many pre-images of snapshots hold the value by
reference.  While there are any, whoever wants to change the value must first replace it by ``copy()`` (clone-on-write);
see ``Database.writable``.
"""

from __future__ import annotations

import sys
from typing import Final, final

from mypy_extensions import i16, i64, mypyc_attr

from durastore.keyspace.chunked import Chunked

# From how many elements the memory of a large value is estimated.
WEIGHED: Final = 5


@mypyc_attr(allow_interpreted_subclasses=False, acyclic=True)
class Value:
    """What the mutable value types have in common."""

    def __init__(self) -> None:
        self.held: i16 = 0
        # It was changed in place since it was weighed last.
        self.changed = False
        self.weight: i64 = 0

    def weigh(self) -> i64:
        """Finds out what it takes, which is its ``weight`` until the next time."""
        self.changed = False
        self.weight = self.memory(WEIGHED)
        return self.weight

    def memory(self, samples: i64) -> i64:
        """The bytes that it takes, estimated from so many elements of a large one (0: from all)."""
        raise NotImplementedError

    def type_name(self) -> bytes:
        """The reply of TYPE."""
        raise NotImplementedError

    def copy(self) -> Value:
        """A deep copy that nothing holds."""
        raise NotImplementedError

    def size(self) -> int:
        """The number of elements (of bytes, for a string)."""
        raise NotImplementedError

    def elements(self) -> Chunked | None:
        """The elements of a large hash or set; None for everything else."""
        return None

    def parts(self) -> list[object]:
        """What a large value is made of, so that it can be freed part by part (``keyspace.freeing``)."""
        elements = self.elements()
        return list(elements.chunks()) if elements is not None else []


@final
@mypyc_attr(acyclic=True)
class RawString(Value):
    """A string that was changed in place (APPEND, SETRANGE): what Redis calls the raw encoding."""

    def __init__(self, data: bytearray) -> None:
        super().__init__()
        self.data = data

    def type_name(self) -> bytes:
        return b"string"

    def copy(self) -> Value:
        return RawString(bytearray(self.data))

    def size(self) -> int:
        return len(self.data)

    def memory(self, samples: i64) -> i64:
        """See Value."""
        return sys.getsizeof(self.data) + 64


def type_name(value: object) -> bytes:
    """The reply of TYPE for a stored value."""
    if isinstance(value, bytes):
        return b"string"
    assert isinstance(value, Value)
    return value.type_name()
