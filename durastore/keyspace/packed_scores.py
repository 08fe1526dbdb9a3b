"""A small sorted set as one bytes object: its entries in the order of (score, member).

An entry is the score (a double, little-endian), the member's length (one byte; 255: four more bytes hold it), and the
member.  A *place* is the offset of an entry, or the end.  Redis keeps these sets as listpacks with the scores as text;
packed doubles can be compared without being parsed.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, read_f64_le, read_i32_le, write_f64_le, write_i32_le
from librt.vecs import append, vec
from mypy_extensions import i32, i64, u8

_LONG: Final = 255


def entry(score: float, member: bytes) -> bytes:
    """One entry.  It has no negative zero: in a listpack, which Redis uses here, whole scores are integers."""
    out = BytesWriter()
    write_f64_le(out, score + 0.0)
    size: i64 = len(member)
    if size < _LONG:
        out.append(u8(size))
    else:
        out.append(_LONG)
        write_i32_le(out, i32(size))
    out.write(member)
    return out.getvalue()


def entry_end(packed: bytes, place: i64) -> i64:
    """The place behind an entry."""
    size: i64 = packed[place + 8]
    if size < _LONG:
        return place + 9 + size
    return place + 13 + i64(read_i32_le(packed, place + 9))


def score_at(packed: bytes, place: i64) -> float:
    """The score of an entry."""
    return read_f64_le(packed, place)


def member_at(packed: bytes, place: i64) -> bytes:
    """The member of an entry."""
    size: i64 = packed[place + 8]
    if size < _LONG:
        return packed[place + 9 : place + 9 + size]
    return packed[place + 13 : place + 13 + i64(read_i32_le(packed, place + 9))]


def find(packed: bytes, member: bytes) -> i64:
    """The place of a member, or -1."""
    size: i64 = len(member)
    if size >= _LONG:
        return _find_long(packed, member)
    last: i64 = member[size - 1] if size else 0
    total: i64 = len(packed)
    place: i64 = 0
    while place < total:
        length: i64 = packed[place + 8]
        if length == size:
            # Members tend to differ at their ends.
            start: i64 = place + 9
            if size == 0:
                return place
            if packed[start + size - 1] == last:
                i: i64 = size - 2
                while i >= 0 and packed[start + i] == member[i]:
                    i -= 1
                if i < 0:
                    return place
            place = start + size
        elif length < _LONG:
            place += 9 + length
        else:
            place = entry_end(packed, place)
    return -1


def _find_long(packed: bytes, member: bytes) -> i64:
    place: i64 = 0
    while place < len(packed):
        if packed[place + 8] == _LONG and member_at(packed, place) == member:
            return place
        place = entry_end(packed, place)
    return -1


def spot(packed: bytes, place: i64, score: float, member: bytes) -> i64:
    """Where an entry belongs, at this place or behind it."""
    total: i64 = len(packed)
    while place < total:
        other = read_f64_le(packed, place)
        if other > score or (other == score and member_at(packed, place) > member):
            break
        place = entry_end(packed, place)
    return place


def nth(packed: bytes, rank: i64) -> i64:
    """The place of the entry of a rank."""
    place: i64 = 0
    while rank > 0:
        place = entry_end(packed, place)
        rank -= 1
    return place


def rank_at(packed: bytes, place: i64) -> i64:
    """The rank of the entry at a place."""
    rank: i64 = 0
    i: i64 = 0
    while i < place:
        i = entry_end(packed, i)
        rank += 1
    return rank


def rank_of_score(packed: bytes, score: float, after: bool) -> i64:
    """How many entries have a smaller score; with ``after`` also those that have this one."""
    total: i64 = len(packed)
    place: i64 = 0
    rank: i64 = 0
    while place < total:
        other = read_f64_le(packed, place)
        if other > score or (other == score and not after):
            break
        place = entry_end(packed, place)
        rank += 1
    return rank


def members_of(packed: bytes, first: i64, last: i64) -> list[bytes]:
    """The members of the ranks from ``first`` up to, and without, ``last``."""
    place = nth(packed, first)
    found: list[bytes] = []
    while first < last:
        found.append(member_at(packed, place))
        place = entry_end(packed, place)
        first += 1
    return found


def scores_of(packed: bytes, first: i64, last: i64) -> vec[float]:
    """The scores of these ranks."""
    place = nth(packed, first)
    found = vec[float](capacity=last - first)
    while first < last:
        found = append(found, read_f64_le(packed, place))
        place = entry_end(packed, place)
        first += 1
    return found


def pack(members: list[bytes], scores: vec[float]) -> bytes:
    """Entries that come in their order."""
    out = BytesWriter()
    size: i64 = len(members)
    i: i64 = 0
    while i < size:
        out.write(entry(scores[i], members[i]))
        i += 1
    return out.getvalue()
