"""The question that PFADD asks most, answered without an object (compiled: dense_registers.pyx)."""

from __future__ import annotations

from durastore.keyspace import hyperloglog as hll


def holds(data: bytes | bytearray, element: bytes) -> bool:
    """Whether a valid HyperLogLog is dense, and its register already has what the element wants in it."""
    if hll.is_sparse(data):
        return False
    hashed = hll.murmur_hash(element)
    return hll.value_of(hashed) <= hll.find(data, hll.register_of(hashed)).value
