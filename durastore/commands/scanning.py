"""What SCAN, HSCAN, SSCAN and ZSCAN have in common: cursors and options."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.commands.arguments import integer_argument
from durastore.commands.errors import SYNTAX, CommandError
from durastore.keyspace.glob import glob_match
from durastore.keyspace.positions import CURSOR_MAX
from durastore.protocol.numbers import digits_value
from durastore.protocol.reply import Reply

_DEFAULT_COUNT: Final = 10
_CURSOR_LIMIT: Final = 0xFFFFFFFFFFFFFFFF


def cursor_argument(text: bytes) -> i64:
    """A cursor, read as C's strtoul does; a number that no SCAN ever returned is at the end, as stale ones may be."""
    text = text.partition(b"\0")[0]
    negative = text.startswith(b"-")
    digits = text[1:] if text.startswith((b"-", b"+")) else text
    if not text:
        return 0
    if not digits.isdigit() or digits_value(digits) > _CURSOR_LIMIT:
        raise CommandError(b"ERR invalid cursor")
    if negative and digits.strip(b"0"):
        return CURSOR_MAX
    return min(digits_value(digits), CURSOR_MAX)


@final
class ScanOptions:
    """``[MATCH pattern] [COUNT count]``, and TYPE (SCAN only) or NOVALUES (HSCAN only).

    The commands on one key parse the cursor first, then look the key up (a missing one has an empty reply whatever the
    options are), and parse the options last.
    """

    def __init__(self, argv: list[bytes], first: i64, types: bool = False, novalues: bool = False) -> None:
        self.count: i64 = _DEFAULT_COUNT
        self.pattern: bytes | None = None
        self.type_name: bytes | None = None
        self.novalues = False
        i: i64 = first
        size: i64 = len(argv)
        while i < size:
            word = argv[i].upper()
            more = i + 1 < size
            if word == b"COUNT" and more:
                self.count = integer_argument(argv[i + 1])
                if self.count < 1:
                    raise CommandError(SYNTAX)
            elif word == b"MATCH" and more:
                self.pattern = None if argv[i + 1] == b"*" else argv[i + 1]
            elif word == b"TYPE" and types and more:
                self.type_name = argv[i + 1].lower()
            elif word == b"NOVALUES" and novalues:
                self.novalues = True
                i -= 1
            else:
                raise CommandError(SYNTAX)
            i += 2

    def matching(self, found: list[bytes]) -> list[bytes]:
        """Those that MATCH lets through."""
        pattern = self.pattern
        if pattern is None:
            return found
        return [each for each in found if glob_match(pattern, each)]


def reply_scan(reply: Reply, following: i64, elements: list[bytes]) -> None:
    """The next cursor and the elements (for hashes and sorted sets, each followed by its value)."""
    reply.array(2)
    reply.bulk(b"%d" % following)
    reply.bulks(elements)
