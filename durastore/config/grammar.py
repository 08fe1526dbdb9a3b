"""The words of a conf file: splitting and quoting a line, the spelling of numbers, glob patterns.

Everything here works on bytes, knows no directive and keeps no state. The rules are those of redis-server 7.2,
so that a redis.conf reads the same here.
"""

from __future__ import annotations

import re
from typing import Final

INT64_MIN: Final = -(1 << 63)
INT64_MAX: Final = (1 << 63) - 1
UINT64_MAX: Final = (1 << 64) - 1

_BLANK: Final = b" \t\n\v\f\r\0"
_END_OF_WORD: Final = b" \t\n\r\0"
_UNESCAPE: Final = {0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x62: 0x08, 0x61: 0x07}
_ESCAPE: Final = {
    0x22: b'\\"',
    0x5C: b"\\\\",
    0x0A: b"\\n",
    0x0D: b"\\r",
    0x09: b"\\t",
    0x08: b"\\b",
    0x07: b"\\a",
}
_HEX_DIGITS: Final = b"0123456789abcdefABCDEF"
_MEMORY: Final = re.compile(rb"(\d{0,127})([a-z]*)", re.IGNORECASE)
_MEMORY_UNITS: Final = {
    b"": 1,
    b"b": 1,
    b"k": 1000,
    b"kb": 1 << 10,
    b"m": 1000**2,
    b"mb": 1 << 20,
    b"g": 1000**3,
    b"gb": 1 << 30,
}
_CANONICAL_INTEGER: Final = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_C_INTEGER: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?[0-9]{1,64})|()")
_OCTAL: Final = re.compile(rb"[ \t\n\v\f\r]*(\+?[0-7]{1,21})")


def split_words(line: bytes) -> list[bytes] | None:
    r"""Split a line into words, undoing quotes; ``None`` when the quotes do not balance.

    ``"..."`` knows ``\n \r \t \b \a \xHH`` and takes any other escaped byte as itself; ``'...'`` knows only ``\'``.
    A closing quote must be followed by a blank or the end of the line.
    """
    words: list[bytes] = []
    at, end = 0, len(line)
    while True:
        while at < end and line[at] in _BLANK:
            at += 1
        if at == end:
            return words
        word = bytearray()
        while at < end and line[at] not in _END_OF_WORD:
            byte = line[at]
            at += 1
            if byte not in b"\"'":
                word.append(byte)
                continue
            closed = _double_quoted(line, at, word) if byte == 0x22 else _single_quoted(line, at, word)
            if closed < 0 or (closed < end and line[closed] not in _BLANK):
                return None
            at = closed
            break
        words.append(bytes(word))


def _double_quoted(line: bytes, at: int, word: bytearray) -> int:
    """Append what stands between double quotes to ``word``; the position after the closing one, or -1."""
    end = len(line)
    while at < end:
        byte = line[at]
        if byte == 0x22:
            return at + 1
        if byte == 0x5C and at + 1 < end:
            code = line[at + 2 : at + 4]
            if line[at + 1] == 0x78 and len(code) == 2 and code[0] in _HEX_DIGITS and code[1] in _HEX_DIGITS:
                word.append(int(code, 16))
                at += 4
                continue
            byte = _UNESCAPE.get(line[at + 1], line[at + 1])
            at += 1
        word.append(byte)
        at += 1
    return -1


def _single_quoted(line: bytes, at: int, word: bytearray) -> int:
    """Append what stands between single quotes to ``word``; the position after the closing one, or -1."""
    end = len(line)
    while at < end:
        if line[at] == 0x27:
            return at + 1
        if line[at : at + 2] == b"\\'":
            at += 1
        word.append(line[at])
        at += 1
    return -1


def quote(word: bytes) -> bytes:
    """The double-quoted form of ``word`` that :func:`split_words` turns back into it."""
    quoted = bytearray(b'"')
    for byte in word:
        escaped = _ESCAPE.get(byte)
        if escaped is not None:
            quoted += escaped
        elif 0x20 <= byte < 0x7F:
            quoted.append(byte)
        else:
            quoted += b"\\x%02x" % byte
    return bytes(quoted + b'"')


def parse_integer(word: bytes) -> int | None:
    """A 64-bit signed number in its one canonical spelling (no blanks, no plus, no leading zero), or ``None``."""
    if _CANONICAL_INTEGER.fullmatch(word) is None:
        return None
    number = int(word)
    return number if INT64_MIN <= number <= INT64_MAX else None


def parse_c_integer(word: bytes) -> int | None:
    """A number as C's ``strtoll`` reads it: leading blanks, a sign, nothing at all for 0; saturates at 64 bits."""
    found = _C_INTEGER.fullmatch(word)
    if found is None:
        return None
    return max(INT64_MIN, min(INT64_MAX, int(found[1] or 0)))


def parse_octal(word: bytes) -> int | None:
    """A number written in octal, such as a file mode, or ``None``."""
    found = _OCTAL.fullmatch(word)
    return None if found is None else int(found[1], 8)


def parse_memory(word: bytes) -> int | None:
    """A number of bytes with a unit, or ``None``: ``1k`` is 1000, ``1kb`` is 1024; so m/mb and g/gb; case is free."""
    found = _MEMORY.fullmatch(word)
    if found is None:
        return None
    unit = _MEMORY_UNITS.get(found[2].lower())
    if unit is None:
        return None
    # Digits that are too many count as the greatest number there is; with a unit that would be no size.
    number = min(int(found[1] or 0), UINT64_MAX) * unit
    return number if number <= UINT64_MAX else None


def format_memory(number: int) -> bytes:
    """``number`` bytes in the largest unit that divides it, as CONFIG REWRITE writes sizes."""
    for suffix in (b"gb", b"mb", b"kb"):
        unit = _MEMORY_UNITS[suffix]
        if number and number % unit == 0:
            return b"%d%s" % (number // unit, suffix)
    return b"%d" % number


def is_glob(pattern: bytes) -> bool:
    """Whether ``pattern`` has a byte that makes it more than a plain name."""
    return any(byte in pattern for byte in b"[*?")


def glob_match(pattern: bytes, text: bytes, ignore_case: bool = False) -> bool:
    r"""Match a Redis glob: ``*``, ``?``, ``[a-c]``, ``[^ab]``, ``\`` before a byte to take it as itself.

    Going back to the latest ``*`` only is enough, as every other element takes exactly one byte, so the time is at
    most the product of both lengths, whatever the pattern.
    """
    star = star_text = -1
    at = position = 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == 0x2A:
            star, star_text = at, position
            at += 1
            continue
        following = _match_one(pattern, at, text[position], ignore_case) if at < len(pattern) else -1
        if following >= 0:
            at = following
            position += 1
        elif star >= 0:
            star_text += 1
            at, position = star + 1, star_text
        else:
            return False
    return all(byte == 0x2A for byte in pattern[at:])


def _match_one(pattern: bytes, at: int, byte: int, ignore_case: bool) -> int:
    """Match one element of ``pattern`` with ``byte``: where the next element begins, or -1."""
    element = pattern[at]
    if element == 0x3F:
        return at + 1
    if element == 0x5B:
        return _match_class(pattern, at + 1, byte, ignore_case)
    if element == 0x5C and at + 1 < len(pattern):
        at += 1
        element = pattern[at]
    same = element == byte or (ignore_case and _fold(element) == _fold(byte))
    return at + 1 if same else -1


def _match_class(pattern: bytes, at: int, byte: int, ignore_case: bool) -> int:
    """Match a ``[...]`` whose content begins at ``at``; one that is never closed ends with the pattern."""
    end = len(pattern)
    negated = at < end and pattern[at] == 0x5E
    if negated:
        at += 1
    matched = False
    while at < end and pattern[at] != 0x5D:
        first = pattern[at]
        if first == 0x5C and at + 1 < end:
            at += 1
            matched = matched or pattern[at] == byte
        elif at + 2 < end and pattern[at + 1] == 0x2D:
            low, high = sorted((first, pattern[at + 2]))
            if ignore_case:
                matched = matched or _fold(low) <= _fold(byte) <= _fold(high)
            else:
                matched = matched or low <= byte <= high
            at += 2
        else:
            matched = matched or first == byte or (ignore_case and _fold(first) == _fold(byte))
        at += 1
    if matched == negated:
        return -1
    return min(at + 1, end)


def _fold(byte: int) -> int:
    return byte + 32 if 0x41 <= byte <= 0x5A else byte
