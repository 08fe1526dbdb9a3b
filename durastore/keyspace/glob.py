"""Glob patterns as Redis matches them: ``*``, ``?``, ``[abc]``, ``[^a-z]``, and a backslash before the literal."""

from __future__ import annotations

from mypy_extensions import i64


def glob_match(pattern: bytes, text: bytes) -> bool:
    """Whether the whole text matches the pattern.

    One star at a time is remembered, so the time is at most the product of both lengths: a hostile pattern such as
    ``a*a*a*a*b`` cannot make it exponential.
    """
    p: i64 = 0
    t: i64 = 0
    pattern_size: i64 = len(pattern)
    text_size: i64 = len(text)
    star: i64 = -1
    star_text: i64 = 0
    while True:
        if p < pattern_size and pattern[p] == 42:
            while p < pattern_size and pattern[p] == 42:
                p += 1
            if p == pattern_size:
                return True
            star = p
            star_text = t
            continue
        if t == text_size:
            return p == pattern_size
        if p < pattern_size:
            following: i64 = _match_one(pattern, p, text[t])
            if following > 0:
                p = following
                t += 1
                continue
        if star == -1:
            return False
        star_text += 1
        t = star_text
        p = star


def _match_one(pattern: bytes, p: i64, c: i64) -> i64:
    """Matches one character; returns where the pattern goes on, or 0 where it does not match."""
    size: i64 = len(pattern)
    kind: i64 = pattern[p]
    if kind == 63:  # "?"
        return p + 1
    if kind == 91:  # "["
        p += 1
        negated = p < size and pattern[p] == 94
        if negated:
            p += 1
        matched = False
        while p < size and pattern[p] != 93:
            if pattern[p] == 92 and p + 1 < size:
                p += 1
                if pattern[p] == c:
                    matched = True
            elif p + 2 < size and pattern[p + 1] == 45:
                low: i64 = pattern[p]
                high: i64 = pattern[p + 2]
                if low > high:
                    low, high = high, low
                if low <= c <= high:
                    matched = True
                p += 2
            elif pattern[p] == c:
                matched = True
            p += 1
        if p < size:
            p += 1
        return 0 if matched == negated else p
    if kind == 92 and p + 1 < size:
        p += 1
        kind = pattern[p]
    return p + 1 if kind == c else 0
