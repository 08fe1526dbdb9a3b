"""The question that PFADD asks most, answered without an object (compiled: dense_registers.pyx)."""

from __future__ import annotations

from durastore.keyspace import hyperloglog as hll


def held_up_to(data: bytes | bytearray, elements: list[bytes], first: int) -> int:
    """The index, from ``first`` on, of the first element that would change a register, or how many elements there are.

    ``first`` where the data is no valid HyperLogLog, or not a dense one.
    """
    if not hll.is_valid(data) or hll.is_sparse(data):
        return first
    while first < len(elements):
        hashed = hll.murmur_hash(elements[first])
        if hll.value_of(hashed) > hll.find(data, hll.register_of(hashed)).value:
            break
        first += 1
    return first
