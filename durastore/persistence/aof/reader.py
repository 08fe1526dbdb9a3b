"""One file of the log, read for replay.

Where durastore wrote it, what is handed out is a stretch that was verified, and holds whole commands.  Where Redis or
Valkey did (a file of theirs, or what they appended to one of ours) it is any piece of their commands: only whoever
replays it knows where a command ends.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from durastore.persistence.aof.annotations import CHAIN_START, LINE_LIMIT, STRETCH_START, parse_header, stretch_checksum
from durastore.persistence.aof.manifest import AofError
from durastore.persistence.aof.transaction import Transaction
from durastore.persistence.checksum import crc64_iso
from durastore.persistence.disk import Source
from durastore.protocol.parser import ERROR, REQUEST, RequestParser

PIECE: Final = 1 << 20
# So much more than is needed is read at a time.
_AHEAD: Final = 1 << 18
# What a foreign file may hold is limited by the machine, not by a client's limits.
_NO_LIMIT: Final = 0x3FFFFFFFFFFFFFFF
_NEXT_CHAIN: Final = b"\n" + CHAIN_START
# So many places are looked at where a stretch of damaged length may end.
_ENDS: Final = 64
# And that in so much of what follows.
_LOOK: Final = 64 << 20
_NEXT_STRETCH: Final = b"\n" + STRETCH_START


class TornTail(Exception):
    """The file ends in the middle of something; up to ``offset`` it is good (-1: see ``whole_up_to``)."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


@final
class AofReader:
    """Reads one file from ``offset`` on, where ``head`` was read already.

    Zeros at the end of the file are what a power failure leaves of writes that were not synced: the end of what was
    written is before them.
    """

    def __init__(self, source: Source, name: str, head: bytes = b"", offset: int = 0) -> None:
        self.name = name
        # How far the file was handed out.
        self.offset: i64 = offset
        # Whether what was handed out last is verified, and so holds whole commands.
        self.verified = False
        # When that was appended (Unix milliseconds), where it is verified.
        self.moment: i64 = 0
        self._size: i64 = source.size
        self._end: i64 = max(source.size - source.zeros_at_end(), offset)
        self._source = source
        self._buffer = head
        self._pos: i64 = 0
        self._checksum = 0
        self._ours = False

    def _fill(self, size: i64) -> i64:
        """Brings so many bytes behind the position into the buffer, or all there are; returns how many are there."""
        rest: i64 = self._end - self.offset
        if size > rest:
            size = rest
        have: i64 = len(self._buffer) - self._pos
        if have < size:
            parts = [self._buffer[self._pos :]]
            while have < size:
                part = self._source.read(max(int(size - have), _AHEAD))
                if not part:
                    break
                parts.append(part)
                have += len(part)
            self._buffer = b"".join(parts)
            self._pos = 0
        return have if have < rest else rest

    def _take(self, size: i64) -> bytes:
        start: i64 = self._pos
        self._pos = start + size
        self.offset += size
        return self._buffer[start : start + size]

    def next_piece(self, boundary: bool) -> bytes | None:
        """The next commands to replay, None at the end.

        ``boundary`` says whether all that was handed out so far were whole commands.  Raises TornTail where the file
        ends too early, and AofError where it is damaged.
        """
        while True:
            have = self._fill(LINE_LIMIT)
            if have == 0:
                if not boundary:
                    raise TornTail(-1, "the file ends within a command")
                if self._end < self._size:
                    raise TornTail(int(self.offset), f"{self._size - self._end} zeros are no command")
                return None
            if not boundary:
                return self._foreign(have)
            if self._buffer.startswith(CHAIN_START, self._pos):
                self._take(len(CHAIN_START))
                self._checksum = 0
                self._ours = True
                continue
            if self._buffer[self._pos] != 35:  # "#"
                return self._foreign(have)
            if have < len(CHAIN_START) and CHAIN_START.startswith(self._buffer[self._pos : self._pos + have]):
                raise TornTail(int(self.offset), "the file ends within an annotation")
            if self._ours and not self._buffer.startswith(b"#TS:", self._pos):
                return self._stretch(have)
            if self._buffer.startswith(STRETCH_START, self._pos):
                raise AofError(self.name, int(self.offset), "a stretch without the start of its chain")
            return self._foreign(have)

    def _stretch(self, have: i64) -> bytes:
        """A stretch of ours, verified."""
        start: i64 = self._pos
        line = self._buffer[start : start + (have if have < LINE_LIMIT else LINE_LIMIT)]
        width: i64 = line.find(b"\n") + 1
        if width == 0 and have < LINE_LIMIT:
            raise TornTail(int(self.offset), "the file ends within an annotation")
        header = parse_header(line[:width])
        if header is None:
            raise AofError(self.name, int(self.offset), "damaged annotation")
        checksum, announced, now = header
        rest: i64 = self._end - self.offset - width
        if announced > rest:
            self._check_length(checksum, now, width)
            raise TornTail(int(self.offset), f"a stretch of {announced} bytes was announced and {rest} are there")
        length: i64 = announced
        if self._fill(width + length) < width + length:
            raise TornTail(int(self.offset), "the file became shorter while it was read")
        start = self._pos + width
        payload = self._buffer[start : start + length]
        if stretch_checksum(self._checksum, announced, now, payload) != checksum:
            raise AofError(self.name, int(self.offset), f"checksum error in a stretch of {announced} bytes")
        self._checksum = checksum
        self.verified = True
        self.moment = now
        self._pos = start + length
        self.offset += width + length
        return payload

    def _check_length(self, checksum: int, now: int, width: i64) -> None:
        """Raises AofError where the stretch is whole and only its announced length is wrong."""
        rest: i64 = self._end - self.offset - width
        self._fill(min(width + rest, _LOOK))
        payload = self._buffer[self._pos + width : self._pos + width + rest]
        if self._ends_elsewhere(payload, checksum, now):
            raise AofError(self.name, int(self.offset), "damaged length of a stretch")
        found = stretch_checksum(self._checksum, int(rest), now, payload)
        rest -= len(payload)
        # All of the file may be behind it: it is read in pieces, as nobody will read it again.
        while rest > 0:
            payload = self._source.read(int(min(rest, PIECE)))
            if not payload:
                return
            found = crc64_iso(payload, found)
            rest -= len(payload)
        if found == checksum:
            raise AofError(self.name, int(self.offset), "damaged length of a stretch")

    def _ends_elsewhere(self, payload: bytes, checksum: int, now: int) -> bool:
        """Whether the stretch ends where another begins; a value may look like the beginning of one."""
        end: i64 = payload.find(_NEXT_STRETCH) + 1
        for _ in range(_ENDS):
            if end == 0:
                break
            if stretch_checksum(self._checksum, int(end), now, payload[:end]) == checksum:
                return True
            end = payload.find(_NEXT_STRETCH, end) + 1
        return False

    def _foreign(self, have: i64) -> bytes:
        """A piece that durastore did not write, up to what may be an annotation of ours."""
        self.verified = False
        self._ours = False
        if have < _AHEAD:
            have = self._fill(PIECE)
        # What looks like an annotation may be part of a value; then the next piece begins with it.  At the end of the
        # buffer it may be cut in two.
        size: i64 = have
        if self.offset + have < self._end:
            size -= len(_NEXT_CHAIN)
        start: i64 = self._pos
        end: i64 = start + size
        for text in (_NEXT_CHAIN, _NEXT_STRETCH):
            found: i64 = self._buffer.find(text, start, min(start + have, end + len(text)))
            if found != -1 and found + 1 < end:
                end = found + 1
        return self._take(end - start)


def complaint(error: bytes) -> str:
    """What a parser found wrong with a log."""
    return error.removeprefix(b"ERR Protocol error: ").decode("utf-8", "replace")


def log_parser() -> RequestParser:
    """A parser of what stands in a log."""
    parser = RequestParser(_NO_LIMIT, _NO_LIMIT)
    parser.annotations = True
    return parser


def whole_up_to(source: Source, name: str, start: int, end: int) -> int:
    """Up to where the commands between two offsets of a file are whole.

    A transaction that has no end counts for nothing.  Raises AofError, which tells where it begins, where there is
    something that is no command.
    """
    parser = log_parser()
    skip = start
    while skip:
        skip -= len(source.read(min(skip, PIECE)))
    fed = start
    good = start
    transaction = Transaction()
    while fed < end:
        data = source.read(min(end - fed, PIECE))
        if not data:
            break
        fed += len(data)
        parser.feed(data)
        while (outcome := parser.next()) == REQUEST:
            begin = good
            good = fed - len(parser.buf) + int(parser.pos)
            transaction.follow(parser.argv[0].lower(), begin)
        if outcome == ERROR:
            raise AofError(name, good, complaint(parser.error))
    if parser.at_boundary():
        good = fed
    return transaction.begin if transaction.is_open else good
