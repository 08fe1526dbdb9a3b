"""LCS: the longest common subsequence of two strings (https://redis.io/commands/lcs)."""

from __future__ import annotations

from array import array

from mypy_extensions import i64

from durastore.commands.arguments import integer_argument
from durastore.commands.client import Client
from durastore.commands.errors import SYNTAX, CommandError
from durastore.commands.spec import READONLY, command
from durastore.commands.strings import string_of
from durastore.keyspace.values import RawString


@command(
    "lcs",
    "key1#0 key2#0 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    READONLY,
    summary="Finds the longest common substring.",
    since="7.0.0",
    complexity="O(N*M) where N and M are the lengths of s1 and s2, respectively",
    keys="RO access",
)
def lcs(client: Client, argv: list[bytes]) -> None:
    """LCS: the longest common subsequence of two strings, its length, or where its pieces stand."""
    now = client.instance.now
    values = [client.db.lookup_read(key, now) for key in argv[1:3]]
    for value in values:
        if value is not None and not isinstance(value, (bytes, RawString)):
            raise CommandError(b"ERR The specified keys must contain string values")
    a, b = (b"" if value is None else string_of(value) for value in values)
    want_length = want_positions = with_length = False
    least: i64 = 0
    i = 3
    while i < len(argv):
        word = argv[i].upper()
        if word == b"IDX":
            want_positions = True
        elif word == b"LEN":
            want_length = True
        elif word == b"WITHMATCHLEN":
            with_length = True
        elif word == b"MINMATCHLEN" and i + 1 < len(argv):
            least = max(integer_argument(argv[i + 1]), 0)
            i += 1
        else:
            raise CommandError(SYNTAX)
        i += 1
    if want_positions and want_length:
        raise CommandError(b"ERR If you want both the length and indexes, please just use IDX.")
    width: i64 = len(b) + 1
    cells: i64 = (len(a) + 1) * width
    if cells > client.instance.max_bulk // 4:
        raise CommandError(b"ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
    table = _lcs_table(a, b)
    length: i64 = table[cells - 1]
    if want_length:
        client.reply.integer(length)
        return
    pieces, text = _lcs_walk(table, a, b, length)
    if not want_positions:
        client.reply.bulk(text)
        return
    pieces = [piece for piece in pieces if piece[1] - piece[0] + 1 >= least]
    reply = client.reply
    reply.map(2)
    reply.bulk(b"matches")
    reply.array(len(pieces))
    for a_first, a_last, b_first, b_last in pieces:
        reply.array(3 if with_length else 2)
        reply.array(2)
        reply.integer(a_first)
        reply.integer(a_last)
        reply.array(2)
        reply.integer(b_first)
        reply.integer(b_last)
        if with_length:
            reply.integer(a_last - a_first + 1)
    reply.bulk(b"len")
    reply.integer(length)


def _lcs_table(a: bytes, b: bytes) -> array[int]:
    """The dynamic programming table, row by row, of ``(len(a) + 1) * (len(b) + 1)`` lengths."""
    width: i64 = len(b) + 1
    table = array("I", bytes(4 * (len(a) + 1) * width))
    row: list[int] = [0] * width
    i: i64 = 1
    while i <= len(a):
        c: i64 = a[i - 1]
        fresh: list[int] = [0] * width
        left: i64 = 0
        j: i64 = 1
        while j < width:
            if b[j - 1] == c:
                left = row[j - 1] + 1
            else:
                up: i64 = row[j]
                if up > left:
                    left = up
            fresh[j] = left
            j += 1
        table[i * width : (i + 1) * width] = array("I", fresh)
        row = fresh
        i += 1
    return table


def _lcs_walk(table: array[int], a: bytes, b: bytes, length: i64) -> tuple[list[tuple[int, int, int, int]], bytes]:
    """The pieces that both strings share, last first, and the common subsequence itself."""
    width: i64 = len(b) + 1
    text = bytearray(length)
    left: i64 = length
    pieces: list[tuple[int, int, int, int]] = []
    # The piece that is being read backwards: its last and its first positions; a_first is len(a) while there is none.
    none: i64 = len(a)
    a_first: i64 = none
    a_last: i64 = 0
    b_first: i64 = 0
    b_last: i64 = 0
    i: i64 = len(a)
    j: i64 = len(b)
    while i > 0 and j > 0:
        emit = False
        if a[i - 1] == b[j - 1]:
            text[left - 1] = a[i - 1]
            left -= 1
            if a_first == none:
                a_first = a_last = i - 1
                b_first = b_last = j - 1
            elif a_first == i and b_first == j:
                a_first -= 1
                b_first -= 1
            else:
                emit = True
            if a_first == 0 or b_first == 0:
                emit = True
            i -= 1
            j -= 1
        else:
            up: i64 = table[(i - 1) * width + j]
            before: i64 = table[i * width + j - 1]
            if up > before:
                i -= 1
            else:
                j -= 1
            if a_first != none:
                emit = True
        if emit:
            pieces.append((a_first, a_last, b_first, b_last))
            a_first = none
    return pieces, bytes(text)
