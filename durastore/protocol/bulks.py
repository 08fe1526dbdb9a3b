"""Many bulk strings at once, which the replies of ranges are made of.

Where it is compiled (bulks.pyx) it fills one buffer in a single pass, without a call for each string.
"""

from __future__ import annotations


def bulk_strings(items: list[bytes]) -> bytes:
    """Each as a bulk string, one behind the other."""
    return b"".join([b"$%d\r\n%b\r\n" % (len(item), item) for item in items])
