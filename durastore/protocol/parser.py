"""The request half of RESP: bytes in, argument vectors out.

Sans-IO: ``feed`` what arrived, then call ``next`` until it says that more is needed.  Requests are multi-bulk arrays
or inline lines (https://redis.io/docs/latest/develop/reference/protocol-spec/).

A length that a peer announces is compared with its limit as soon as it is read, and nothing is reserved on its word:
memory grows only with bytes that have arrived.  A bulk of ``BIG_BULK`` bytes or more is collected in pieces and joined
once, so that a large value costs no quadratic copying.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter
from mypy_extensions import i64

from durastore.protocol.reply import BULKS, SMALL

# The longest inline request, multi-bulk count line or bulk count line (PROTO_INLINE_MAX_SIZE in Redis).
INLINE_LIMIT: Final = 64 * 1024
BIG_BULK: Final = 32 * 1024
MULTIBULK_LIMIT: Final = 0x7FFFFFFF
UNAUTHENTICATED_ARGUMENTS: Final = 10
UNAUTHENTICATED_BULK: Final = 16384

# What an argument takes beside its bytes: an object's head, and its place in a list.
ARGUMENT: Final = 48

# What ``next`` returns.
NEED_DATA: Final = 0
REQUEST: Final = 1
ERROR: Final = 2
# What the steps of ``next`` return where there was something to skip.
_AGAIN: Final = 3

# What ``_number`` returns beside numbers; real counts are never below -1, and are checked before these are used.
_INCOMPLETE: Final = -0x7000000000000000
_INVALID: Final = -0x7000000000000001


@final
class RequestParser:
    """The incremental parser of one connection (or of a log).

    After ``next`` returned REQUEST, ``argv`` is the request and ``start`` .. ``pos`` its place in ``buf``; ``start`` is
    -1 where the request is not there as one canonical multi-bulk stretch.  After ERROR, ``error`` is the text for the
    peer, and the connection is to be closed.
    """

    def __init__(self, max_bulk: int, max_buffer: int) -> None:
        self.max_bulk: i64 = max_bulk
        self.max_buffer: i64 = max_buffer
        self.authenticated = True
        # A log has no inline requests, and lines that start with "#" between requests are skipped: annotations.
        self.annotations = False
        # The last of these, without its line end.
        self.annotation = b""
        self.buf = b""
        self.pos: i64 = 0
        self.start: i64 = -1
        self.argv: list[bytes] = []
        # What stands there once a request was used up.
        self._nothing = self.argv
        self.error = b""
        # How many arguments of the request begun are still to come; 0 between requests.
        self.missing: i64 = 0
        # The announced length of the argument begun, or -1.
        self.bulk_length: i64 = -1
        self._argument_bytes: i64 = 0
        self._joined = False
        self._pieces: list[bytes] = []
        # How many bytes of a big bulk (and its line end) are still to come.
        self.pieces_missing: i64 = 0

    def feed(self, data: bytes) -> None:
        """Takes what arrived."""
        if self.pieces_missing > 0:
            size: i64 = len(data)
            if size < self.pieces_missing:
                self._pieces.append(data)
                self.pieces_missing -= size
                return
            end: i64 = self.pieces_missing
            self._pieces.append(data[:end])
            self.pieces_missing = 0
            joined = b"".join(self._pieces)
            self._pieces = []
            self.argv.append(joined[: self.bulk_length])
            self._argument_bytes += self.bulk_length
            self.bulk_length = -1
            self.missing -= 1
            self._joined = self.missing == 0
            self.buf = data
            self.pos = end
            self.start = -1
            return
        if self.pos >= len(self.buf):
            self.buf = data
        else:
            self.buf = self.buf[self.pos :] + data
        self.pos = 0
        self.start = -1

    def rewind(self, argv: list[bytes], end: i64) -> None:
        """Goes back to where the request ``argv``, which ends at ``end`` of ``buf``, was the last one given out."""
        self.argv = argv
        self.pos = end
        self.start = -1
        self.missing = 0
        self.bulk_length = -1
        self.error = b""
        self._argument_bytes = 0
        self._pieces = []
        self.pieces_missing = 0
        self._joined = False

    def let_go(self) -> None:
        """Forgets what was used up, so that a peer that says nothing more takes no memory for what it has said."""
        if self.pos >= len(self.buf):
            self.buf = b""
            self.pos = 0
        if self.missing == 0:
            self.argv = self._nothing

    def buffered(self) -> i64:
        """How many bytes have arrived of which no arguments have been made yet."""
        received: i64 = self.bulk_length + 2 - self.pieces_missing if self.pieces_missing > 0 else 0
        return len(self.buf) - self.pos + received

    def held(self) -> i64:
        """The memory that requests take which are not complete: what is buffered, and the arguments so far."""
        received: i64 = self.bulk_length + 2 - self.pieces_missing if self.pieces_missing > 0 else 0
        arguments: i64 = self._argument_bytes + ARGUMENT * len(self.argv) if self.missing > 0 else 0
        return len(self.buf) + received + arguments

    def argument_bytes(self) -> i64:
        """The bytes of the arguments of a request that is not complete."""
        return self._argument_bytes

    def at_boundary(self) -> bool:
        """Whether all that was fed has been given out as whole requests."""
        return self.pos >= len(self.buf) and self.missing == 0

    def next(self) -> i64:
        """Goes on to the next request: NEED_DATA, REQUEST or ERROR."""
        while True:
            outcome = self._step()
            if outcome != _AGAIN:
                return outcome

    def _step(self) -> i64:
        buf = self.buf
        size: i64 = len(buf)
        pos: i64 = self.pos
        canonical = False
        if self._joined:
            # The last argument was one that came in pieces.
            self._joined = False
            self._argument_bytes = 0
            return REQUEST
        if self.missing == 0:
            if self.pieces_missing > 0 or pos >= size:
                return NEED_DATA
            self.argv = []
            self._argument_bytes = 0
            if buf[pos] != 42:  # "*"
                return self._inline()
            start: i64 = pos
            count: i64
            # One digit is by far the commonest; everything else takes the careful path.
            if pos + 4 <= size and buf[pos + 2] == 13 and 49 <= buf[pos + 1] <= 57:
                count = buf[pos + 1] - 48
                self.pos = pos + 4
            else:
                count = self._number(pos + 1)
            if count < -1:
                if count == _INCOMPLETE:
                    return self._line_incomplete(b"too big mbulk count string")
                if count == _INVALID:
                    return self._fail(b"invalid multibulk length")
            if count > MULTIBULK_LIMIT:
                return self._fail(b"invalid multibulk length")
            if not self.authenticated and count > UNAUTHENTICATED_ARGUMENTS:
                return self._fail(b"unauthenticated multibulk length")
            pos = self.pos
            if count <= 0:
                return _AGAIN
            canonical = buf[pos - 1] == 10
            self.start = start
            self.missing = count
        elif self.pieces_missing > 0:
            return NEED_DATA
        argv = self.argv
        missing: i64 = self.missing
        length: i64 = self.bulk_length
        while missing > 0:
            if length == -1:
                if pos >= size:
                    self.missing = missing
                    self.bulk_length = -1
                    return self._suspend(pos)
                if buf[pos] != 36:  # "$"
                    return self._fail(b"expected '$', got '" + buf[pos : pos + 1] + b"'")
                if pos + 4 <= size and buf[pos + 2] == 13 and 48 <= buf[pos + 1] <= 57:
                    length = buf[pos + 1] - 48
                    pos += 4
                elif pos + 5 <= size and buf[pos + 3] == 13 and 49 <= buf[pos + 1] <= 57 and 48 <= buf[pos + 2] <= 57:
                    length = (buf[pos + 1] - 48) * 10 + buf[pos + 2] - 48
                    pos += 5
                else:
                    length = self._number(pos + 1)
                    if length < 0:
                        if length == _INCOMPLETE:
                            self.missing = missing
                            self.bulk_length = -1
                            self.pos = pos
                            return self._line_incomplete(b"too big bulk count string")
                        return self._fail(b"invalid bulk length")
                    pos = self.pos
                if length > self.max_bulk:
                    return self._fail(b"invalid bulk length")
                if not self.authenticated and length > UNAUTHENTICATED_BULK:
                    return self._fail(b"unauthenticated bulk length")
                if buf[pos - 1] != 10:
                    canonical = False
            end: i64 = pos + length
            if end + 2 > size:
                self.missing = missing
                self.bulk_length = length
                if length >= BIG_BULK:
                    if length + 2 > self.max_buffer:
                        # It would have to be buffered as a whole.
                        return self._overflow()
                    self._pieces = [buf[pos:]]
                    self.pieces_missing = end + 2 - size
                    pos = size
                return self._suspend(pos)
            argv.append(buf[pos:end])
            self._argument_bytes += length
            if buf[end] != 13 or buf[end + 1] != 10:
                canonical = False
            pos = end + 2
            length = -1
            missing -= 1
        if not canonical:
            self.start = -1
        self.missing = 0
        self.bulk_length = -1
        self._argument_bytes = 0
        self.pos = pos
        return REQUEST

    def _number(self, pos: i64) -> i64:
        """The decimal number of a count line at ``pos``; sets ``self.pos`` behind the line.

        As Redis does, the carriage return ends the line and whatever single byte follows is skipped.
        """
        buf = self.buf
        size: i64 = len(buf)
        first: i64 = pos
        negative = False
        if pos < size and buf[pos] == 45:  # "-"
            negative = True
            pos += 1
        digits: i64 = pos
        value: i64 = 0
        while pos < size:
            c: i64 = buf[pos]
            if c < 48 or c > 57:
                break
            if pos - digits >= 18:
                value = MULTIBULK_LIMIT * 1048576
            else:
                value = value * 10 + c - 48
            pos += 1
        if pos + 1 < size and buf[pos] == 13:
            count: i64 = pos - digits
            if count == 0 or (buf[digits] == 48 and (count > 1 or negative)):
                return _INVALID
            self.pos = pos + 2
            return -value if negative else value
        end: i64 = buf.find(b"\r", first)
        if end == -1 or end + 2 > size:
            return _INCOMPLETE
        return _INVALID

    def _line_incomplete(self, complaint: bytes) -> i64:
        if self.buf.find(b"\r", self.pos) == -1 and len(self.buf) - self.pos > INLINE_LIMIT:
            return self._fail(complaint)
        return self._suspend(self.pos)

    def _suspend(self, pos: i64) -> i64:
        """Keeps what is not yet complete; fails when that is more than a client may have buffered."""
        self.pos = pos
        self.start = -1
        if self.buffered() > self.max_buffer:
            return self._overflow()
        return NEED_DATA

    def _overflow(self) -> i64:
        self.error = b""
        return ERROR

    def _fail(self, complaint: bytes) -> i64:
        self.error = b"ERR Protocol error: " + complaint
        return ERROR

    def _inline(self) -> i64:
        if self.annotations and self.buf[self.pos] != 35:  # "#"
            return self._fail(b"no command starts here")
        end: i64 = self.buf.find(b"\n", self.pos)
        if end == -1:
            if len(self.buf) - self.pos > INLINE_LIMIT:
                return self._fail(b"too big inline request")
            return self._suspend(self.pos)
        line = self.buf[self.pos : end]
        self.pos = end + 1
        if self.annotations:
            if not _is_text(line):
                # What a power failure leaves may begin with "#", and go on up to some line's end behind it.
                return self._fail(b"damaged annotation")
            self.annotation = line
            return _AGAIN
        if line.endswith(b"\r"):
            line = line[:-1]
        argv = split_line(line)
        if argv is None:
            return self._fail(b"unbalanced quotes in request")
        if not argv:
            return _AGAIN
        self.argv = argv
        self.start = -1
        return REQUEST


def _is_text(line: bytes) -> bool:
    """Whether a line holds nothing but printable ASCII and tabs."""
    text = line[:-1] if line.endswith(b"\r") else line
    return text.isascii() and text.replace(b"\t", b" ").decode("ascii").isprintable()


_ESCAPES: Final = {110: 10, 114: 13, 116: 9, 98: 8, 97: 7}
_SPACES: Final = b" \t\n\r\v\f\0"


def split_line(line: bytes) -> list[bytes] | None:
    r"""Splits an inline request as Redis does, with "..." (escapes, \xHH) and '...' quoting.

    None where quotes are not balanced, or where a closing quote is not followed by white space.
    """
    words: list[bytes] = []
    i = 0
    n = len(line)
    while True:
        while i < n and line[i] in _SPACES:
            if line[i] == 0:
                return words
            i += 1
        if i >= n or line[i] == 0:
            return words
        word = bytearray()
        quote = 0
        while True:
            if i >= n:
                if quote:
                    return None
                break
            c = line[i]
            if quote == 34:
                if c == 92 and i + 3 < n and line[i + 1] == 120 and _is_hex(line[i + 2]) and _is_hex(line[i + 3]):
                    word.append(int(line[i + 2 : i + 4], 16))
                    i += 3
                elif c == 92 and i + 1 < n:
                    i += 1
                    word.append(_ESCAPES.get(line[i], line[i]))
                elif c == 34:
                    if i + 1 < n and line[i + 1] not in _SPACES:
                        return None
                    i += 1
                    break
                else:
                    word.append(c)
            elif quote == 39:
                if c == 92 and i + 1 < n and line[i + 1] == 39:
                    i += 1
                    word.append(39)
                elif c == 39:
                    if i + 1 < n and line[i + 1] not in _SPACES:
                        return None
                    i += 1
                    break
                else:
                    word.append(c)
            elif c in b" \n\r\t\0":
                break
            elif c == 34 or c == 39:
                quote = c
            else:
                word.append(c)
            i += 1
        words.append(bytes(word))


def _is_hex(c: int) -> bool:
    return 48 <= c <= 57 or 97 <= c <= 102 or 65 <= c <= 70


def write_request(out: BytesWriter, argv: list[bytes]) -> None:
    """Writes a request in its canonical multi-bulk form: what goes into logs and to replicas."""
    out.write(b"*%d\r\n" % len(argv))
    for argument in argv:
        size: i64 = len(argument)
        out.write(BULKS[size] if size < SMALL else b"$%d\r\n" % size)
        out.write(argument)
        out.write(b"\r\n")


def encode_request(argv: list[bytes]) -> bytes:
    """As ``write_request``."""
    out = BytesWriter()
    write_request(out, argv)
    return out.getvalue()
