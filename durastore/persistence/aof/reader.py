"""One file of the log, read for replay.

``next_stretch`` hands out whole commands.  Where durastore wrote them they are a stretch that was verified; where Redis
or Valkey did (a file of theirs, or what they appended to one of ours) they are as many commands as fit a piece.
"""

from __future__ import annotations

from durastore.persistence.aof.annotations import CHAIN_START, LINE_LIMIT, STRETCH_START, parse_header, stretch_checksum
from durastore.persistence.aof.manifest import AofError
from durastore.persistence.disk import Source
from durastore.protocol.parser import ERROR, REQUEST, RequestParser

PIECE = 1 << 20
# What a foreign file may hold is limited by the machine, not by a client's limits.
_NO_LIMIT = 1 << 62


class TornTail(Exception):
    """The file ends in the middle of something; up to ``offset`` it is good."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


class AofReader:
    """Reads one file from ``offset`` on.

    ``offset`` is always a place up to which the file is good and has been handed out.
    """

    def __init__(self, source: Source, name: str, head: bytes = b"", offset: int = 0) -> None:
        self.name = name
        self.offset = offset
        self.size = source.size
        self.verified = False
        self.timestamp_ms = 0
        self._source = source
        self._buffer = head
        self._checksum = 0
        self._ours = False

    def _fill(self, size: int) -> bool:
        """Brings so many bytes into the buffer; False where the file has fewer left."""
        if len(self._buffer) >= size:
            return True
        parts = [self._buffer]
        have = len(self._buffer)
        while have < size:
            part = self._source.read(max(size - have, 1 << 16))
            if not part:
                break
            parts.append(part)
            have += len(part)
        self._buffer = b"".join(parts)
        return have >= size

    def _take(self, size: int) -> bytes:
        taken = self._buffer[:size]
        self._buffer = self._buffer[size:]
        self.offset += size
        return taken

    def next_stretch(self) -> bytes | None:
        """The next commands to replay, None at the end.

        Raises TornTail where the file ends too early, and AofError where it is damaged.
        """
        while True:
            self._fill(LINE_LIMIT)
            if not self._buffer:
                return None
            if self._buffer.startswith(CHAIN_START):
                self._take(len(CHAIN_START))
                self._checksum = 0
                self._ours = True
                continue
            if len(self._buffer) < len(CHAIN_START) and CHAIN_START.startswith(self._buffer):
                raise TornTail(self.offset, "the file ends within an annotation")
            if self._ours and self._buffer.startswith(b"#") and not self._buffer.startswith(b"#TS:"):
                return self._stretch()
            self.verified = False
            return self._foreign()

    def _stretch(self) -> bytes:
        """A stretch of ours, verified."""
        end = self._buffer.find(b"\n", 0, LINE_LIMIT) + 1
        if not end:
            if len(self._buffer) < LINE_LIMIT:
                raise TornTail(self.offset, "the file ends within an annotation")
            raise AofError(self.name, self.offset, "damaged annotation")
        header = parse_header(self._buffer[:end])
        if header is None:
            raise AofError(self.name, self.offset, "damaged annotation")
        checksum, length, now = header
        if self.offset + end + length > self.size:
            raise TornTail(
                self.offset,
                f"a stretch of {length} bytes was announced and {self.size - self.offset - end} are there",
            )
        if not self._fill(end + length):
            raise TornTail(self.offset, "the file became shorter while it was read")
        payload = self._buffer[end : end + length]
        if stretch_checksum(self._checksum, length, now, payload) != checksum:
            raise AofError(self.name, self.offset, f"checksum error in a stretch of {length} bytes")
        self._checksum = checksum
        self.timestamp_ms = now
        self.verified = True
        self._buffer = self._buffer[end + length :]
        self.offset += end + length
        return payload

    def _foreign(self) -> bytes:
        """Whole commands that durastore did not write, up to our next annotation."""
        wanted = PIECE
        while True:
            complete = self._fill(wanted)
            good = self._whole_commands(self._buffer[:wanted] if complete else self._buffer)
            if good:
                return self._take(good)
            if not complete:
                raise TornTail(self.offset, "the file ends within a command")
            wanted *= 2

    def _whole_commands(self, data: bytes) -> int:
        """How many bytes of the data are whole commands, and come before a chain of ours."""
        parser = RequestParser(_NO_LIMIT, _NO_LIMIT)
        parser.feed(data)
        good = 0
        while good < len(data):
            start = data[good]
            if start == 35:  # "#"
                if data.startswith(CHAIN_START, good):
                    break
                if data.startswith(STRETCH_START, good):
                    raise AofError(self.name, self.offset + good, "a stretch without the start of its chain")
                end = data.find(b"\n", good) + 1
                if not end:
                    break
                parser.pos = good = end
                continue
            if start != 42:  # "*"
                raise AofError(self.name, self.offset + good, "no command starts here")
            outcome = parser.next()
            if outcome == ERROR:
                raise AofError(self.name, self.offset + good, parser.error.decode("utf-8", "replace"))
            if outcome != REQUEST:
                break
            good = int(parser.pos)
        return good
