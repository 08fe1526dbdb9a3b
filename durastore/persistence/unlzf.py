"""Unpacks LZF; see lzf.py for the format.

Where it is compiled (unlzf.pyx) it fills the string in place: loading an RDB file calls it for nearly every value.
Elsewhere liblzf does, where it has a wheel, and the code here is its fallback and its judge.
"""

from __future__ import annotations

from typing import Final

try:
    import lzf as _liblzf
except ImportError:
    _liblzf = None

_LITERALS: Final = 32
# One item of three bytes gives at most 264: no honest string unpacks to more than this many times its size.
_RATIO: Final = 88


class LzfError(ValueError):
    """The data is not LZF, or does not unpack to the size that was announced."""


def decompress(data: bytes, size: int) -> bytes:
    """The original string, which must be exactly ``size`` bytes long.

    Raises LzfError.  The announced size is believed only as far as the format can reach with this much data.
    """
    if _liblzf is None:
        return decompress_python(data, size)
    if size <= 0 or size > len(data) * _RATIO:
        raise LzfError("impossible length of a compressed string")
    try:
        original: bytes | None = _liblzf.decompress(data, size)
    except ValueError:
        original = None
    if original is None or len(original) != size:
        raise LzfError("damaged compressed string")
    return original


def decompress_python(data: bytes, size: int) -> bytes:
    """``decompress`` without the C library."""
    end = len(data)
    if size <= 0 or size > end * _RATIO:
        raise LzfError("impossible length of a compressed string")
    out = bytearray()
    pos = 0
    done = 0
    while pos < end:
        control = data[pos]
        pos += 1
        if control < _LITERALS:
            length = control + 1
            if pos + length > end or done + length > size:
                raise LzfError("literals beyond the end of a compressed string")
            out += data[pos : pos + length]
            pos += length
            done += length
            continue
        length = control >> 5
        if length == 7:
            if pos >= end:
                raise LzfError("compressed string ends within a copy")
            length += data[pos]
            pos += 1
        length += 2
        if pos >= end:
            raise LzfError("compressed string ends within a copy")
        source = done - ((control & 31) << 8 | data[pos]) - 1
        pos += 1
        if source < 0 or done + length > size:
            raise LzfError("copy from beyond the bounds of a compressed string")
        done += length
        stop = source + length
        while source < stop:
            out.append(out[source])
            source += 1
    if done != size:
        raise LzfError("compressed string is shorter than announced")
    return bytes(out)
