"""MEMORY DOCTOR: what stands out in the figures of memory (https://redis.io/docs/latest/commands/memory-doctor/).

The conditions and the frame of the report are Redis's, as far as they concern what is here; Redis looks at its
allocator, too, which knows figures of its own.
"""

from __future__ import annotations

from typing import NamedTuple

_MEGABYTE = 1 << 20
# Less data than this says nothing.
_LITTLE = 5 * _MEGABYTE
_EMPTY = (
    "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these "
    "conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be back to "
    "our programming as soon as I finished rebooting.\n"
)
_HEALTHY = "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n"
_HEAD = "Sam, I detected a few issues in this Redis instance memory implants:\n\n"
_FOOT = "I'm here to keep you safe, Sam. I want to help you.\n"


class Condition(NamedTuple):
    """What the report goes by: bytes, and numbers of clients and scripts."""

    used: int
    startup: int
    peak: int
    resident: int
    clients_memory: int
    clients: int
    replicas_memory: int
    replicas: int
    scripts: int


def report(at: Condition) -> str:
    """The text of MEMORY DOCTOR."""
    if at.used - at.startup < _LITTLE:
        return _EMPTY
    found = [text for wrong, text in _findings(at) if wrong]
    if not found:
        return _HEALTHY
    return _HEAD + "".join(f" * {text}\n\n" for text in found) + _FOOT


def _findings(at: Condition) -> list[tuple[bool, str]]:
    """What may be wrong, whether it is, and what to do about it."""
    return [
        (
            2 * at.peak > 3 * at.used,
            "Peak memory: More than one and a half times of what is used now was used before. What was freed is used "
            "again when data comes, but the process may keep it until then, so that its resident size (RSS) stays "
            "larger than the data. Where the peak was an exception, only a restart gives all of it back.",
        ),
        (
            5 * at.resident > 7 * at.used and at.resident - at.used > 10 * _MEGABYTE,
            "High total RSS: The resident size of the process is more than 1.4 times of what is used (see "
            "mem_fragmentation_ratio of INFO memory). After a peak this is to be expected, and harmless. Otherwise "
            "many values of changing sizes have left holes between those that stayed, which a restart closes.",
        ),
        (
            at.replicas > 0 and at.replicas_memory > 10 * _MEGABYTE * at.replicas,
            "Big replica buffers: The buffers for replicas take more than 10 MB each, on average. Either the network "
            "to them or they themselves are too slow for the writes that come. See INFO replication for those that "
            "lag, and client-output-buffer-limit for when they are cut off.",
        ),
        (
            at.clients > 0 and at.clients_memory > 200 * 1024 * at.clients,
            "Big client buffers: Clients take more than 200 KB each, on average. There may be subscribers that do not "
            "read, requests for very large replies, or very long transactions. CLIENT LIST tells who it is (tot-mem); "
            "client-output-buffer-limit and maxmemory-clients say how much of it is too much.",
        ),
        (
            at.scripts > 1000,
            "Many scripts: More than 1000 scripts are cached. Probably their texts are made up for each call, instead "
            "of being given what changes as KEYS and ARGV. SCRIPT FLUSH forgets them.",
        ),
    ]
