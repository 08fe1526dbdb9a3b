"""The value types that a key can hold.

A plain Redis string is a ``bytes`` object: immutable, so that a snapshot may keep it by reference.  Everything
else is a ``Value``: ``RawString`` below, and the types of the modules ``lists``, ``sets``, ``hashes``, ``sorted_sets``
and ``streams``.  All of them are mutable and carry ``shared``: a snapshot that has captured a
value by reference sets it, and whoever wants to change the value must first replace it by ``copy()``
(clone-on-write); see ``Database.writable``.
"""

from __future__ import annotations

from typing import final

from mypy_extensions import mypyc_attr

from durastore.keyspace.chunked import Chunked


@mypyc_attr(allow_interpreted_subclasses=False, acyclic=True)
class Value:
    """What the mutable value types have in common."""

    def __init__(self) -> None:
        self.shared = False

    def type_name(self) -> bytes:
        """The reply of TYPE."""
        raise NotImplementedError

    def copy(self) -> Value:
        """A deep copy that is not shared."""
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


def type_name(value: object) -> bytes:
    """The reply of TYPE for a stored value."""
    if isinstance(value, bytes):
        return b"string"
    assert isinstance(value, Value)
    return value.type_name()
