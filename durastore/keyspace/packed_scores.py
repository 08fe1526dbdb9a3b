"""A small sorted set as one bytes object: its entries in the order of (score, member).

An entry is a head of one byte, the score, and the member.  The head's upper two bits are the form of the score: an
integer of one, two or four bytes or a double of eight, little-endian all of them.  Its lower six are the member's
length (63: four more bytes, behind the score, hold it).  A *place* is the offset of an entry, or the end.  Redis keeps
these sets as listpacks with fractional scores as text; here no score has to be parsed.
"""

from __future__ import annotations

from typing import Final

from librt.strings import (
    BytesWriter,
    read_f64_le,
    read_i16_le,
    read_i32_le,
    write_f64_le,
    write_i16_le,
    write_i32_le,
)
from librt.vecs import append, vec
from mypy_extensions import i16, i32, i64, u8

# The head: 1 << form is the size of the score.
_FORM: Final = 6
_BYTE: Final = 0
_SHORT: Final = 1
_INTEGER: Final = 2
_DOUBLE: Final = 3
_LONG: Final = 63
# What no integer of four bytes is.
_LEAST: Final = -2147483649
_MOST: Final = 2147483648


def entry(score: float, member: bytes) -> bytes:
    """One entry.  It has no negative zero: in a listpack, which Redis uses here, whole scores are integers."""
    out = BytesWriter()
    size: i64 = len(member)
    head: i64 = size if size < _LONG else _LONG
    whole: i64 = 0
    if -2147483648.0 <= score <= 2147483647.0:
        whole = i64(int(score))
    if float(whole) != score:
        out.append(u8(_DOUBLE << _FORM | head))
        write_f64_le(out, score)
    elif -128 <= whole <= 127:
        out.append(u8(_BYTE << _FORM | head))
        out.append(u8(whole & 255))
    elif -32768 <= whole <= 32767:
        out.append(u8(_SHORT << _FORM | head))
        write_i16_le(out, i16(whole))
    else:
        out.append(u8(_INTEGER << _FORM | head))
        write_i32_le(out, i32(whole))
    if size >= _LONG:
        write_i32_le(out, i32(size))
    out.write(member)
    return out.getvalue()


def entry_end(packed: bytes, place: i64) -> i64:
    """The place behind an entry."""
    head: i64 = packed[place]
    start: i64 = place + 1 + (1 << (head >> _FORM))
    size: i64 = head & _LONG
    if size < _LONG:
        return start + size
    return start + 4 + i64(read_i32_le(packed, start))


def score_at(packed: bytes, place: i64) -> float:
    """The score of an entry."""
    head: i64 = packed[place]
    form: i64 = head >> _FORM
    if form == _DOUBLE:
        return read_f64_le(packed, place + 1)
    return float(int(_whole_at(packed, place, form)))


def _whole_at(packed: bytes, place: i64, form: i64) -> i64:
    """The score of an entry whose form is that of an integer."""
    if form == _SHORT:
        return i64(read_i16_le(packed, place + 1))
    if form == _INTEGER:
        return i64(read_i32_le(packed, place + 1))
    whole: i64 = packed[place + 1]
    return whole if whole <= 127 else whole - 256


def member_at(packed: bytes, place: i64) -> bytes:
    """The member of an entry."""
    head: i64 = packed[place]
    start: i64 = place + 1 + (1 << (head >> _FORM))
    size: i64 = head & _LONG
    if size < _LONG:
        return packed[start : start + size]
    return packed[start + 4 : start + 4 + i64(read_i32_le(packed, start))]


def find(packed: bytes, member: bytes) -> i64:
    """The place of a member, or -1."""
    size: i64 = len(member)
    if size >= _LONG:
        return _find_long(packed, member)
    last: i64 = member[size - 1] if size else 0
    total: i64 = len(packed)
    place: i64 = 0
    while place < total:
        head: i64 = packed[place]
        length: i64 = head & _LONG
        start: i64 = place + 1 + (1 << (head >> _FORM))
        if length == size:
            # Members tend to differ at their ends.
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
            place = start + length
        else:
            place = entry_end(packed, place)
    return -1


def _find_long(packed: bytes, member: bytes) -> i64:
    place: i64 = 0
    while place < len(packed):
        if packed[place] & _LONG == _LONG and member_at(packed, place) == member:
            return place
        place = entry_end(packed, place)
    return -1


def spot(packed: bytes, place: i64, score: float, member: bytes) -> i64:
    """Where an entry belongs, at this place or behind it."""
    total: i64 = len(packed)
    place = _bound(packed, place, score, False)
    while place < total and score_at(packed, place) == score and member_at(packed, place) <= member:
        place = entry_end(packed, place)
    return place


def _bound(packed: bytes, place: i64, score: float, after: bool) -> i64:
    """The first place, from this one on, whose score is not less; with ``after``, that is greater."""
    # Of integers, none less than this one is meant.
    least: i64 = _LEAST if score < 0.0 else _MOST
    if _LEAST < score < _MOST:
        least = i64(int(score))
        if float(int(least)) < score or (after and float(int(least)) == score):
            least += 1
    total: i64 = len(packed)
    while place < total:
        head: i64 = packed[place]
        form: i64 = head >> _FORM
        if form == _DOUBLE:
            other = read_f64_le(packed, place + 1)
            if other > score or (other == score and not after):
                break
        elif _whole_at(packed, place, form) >= least:
            break
        size: i64 = head & _LONG
        place = place + 1 + (1 << form) + size if size < _LONG else entry_end(packed, place)
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
    return rank_at(packed, _bound(packed, 0, score, after))


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
        found = append(found, score_at(packed, place))
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
