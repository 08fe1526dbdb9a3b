"""How far a log goes up to a moment: what ``durastore restore`` and ``durastore backup`` copy.

Each stretch of ours tells its moment.  Redis and Valkey note the second (``#TS:<Unix seconds>``) where
``aof-timestamp-enabled`` is on; as for them, all commands of a second count as of its beginning.  A log is cut between
two stretches, or between two commands outside of a transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from durastore.persistence.aof.manifest import AofError
from durastore.persistence.aof.reader import AofReader, TornTail, complaint, log_parser
from durastore.persistence.aof.transaction import Transaction
from durastore.protocol.parser import ERROR, REQUEST

FOREVER: Final = 1 << 62
_NOTE: Final = re.compile(rb"#TS:([0-9]{1,12})\r?\Z")


def noted_moment(line: bytes) -> int:
    """The moment (Unix ms) that an annotation of Redis's tells; 0 where it tells none."""
    match = _NOTE.match(line)
    return int(match[1]) * 1000 if match else 0


class Clock:
    """The time of a log while it is read, file after file; ``at`` is the moment up to which it is read.

    It never goes back, though the system's clock may have been set back.
    """

    def __init__(self, at: int = FOREVER, time: int = 0) -> None:
        self.at = at
        self.time = time
        # Whether what comes now is of the second that Redis noted last.
        self.timed = False
        # Where commands begin of which only is known that they are not older than ``time``.
        self.unsure: AofError | None = None
        # The moment of what comes first behind the end, where there is something.
        self.later = 0

    def reaches(self, moment: int) -> bool:
        """Goes on to a moment; False where that is too late."""
        moment = max(moment, self.time)
        if moment > self.at:
            self.later = moment
            return False
        self.time = moment
        self.unsure = None
        return True

    def passes_untimed(self, file: str, offset: int) -> None:
        """Goes on over a command that has no time."""
        if self.unsure is None:
            self.unsure = AofError(file, offset, "the commands from there on have no times")


@dataclass
class Extent:
    """What of a file belongs to a log up to a moment; moments are Unix ms, 0 where there is none."""

    end: int
    first: int = 0
    last: int = 0
    # Whether the end is that of the log up to the moment: something follows that is later.
    ended: bool = False
    # Why the file ends within something; empty where it does not.
    torn: str = ""

    def reached(self, end: int, moment: int) -> None:
        self.end = end
        self.first = self.first or moment
        self.last = moment


class _Commands:
    """The commands of a part that durastore did not write."""

    def __init__(self, clock: Clock, extent: Extent, file: str) -> None:
        self._clock = clock
        self._extent = extent
        self._file = file
        self._parser = log_parser()
        self._fed = extent.end
        self._good = extent.end
        self._transaction = Transaction()

    def between(self) -> bool:
        """Whether what was fed are whole commands."""
        return self._parser.at_boundary()

    def begin(self, offset: int) -> None:
        """A part begins here."""
        self._fed = self._good = offset
        self._parser.annotation = b""

    def unfinished(self) -> str:
        """What has begun and not ended, if anything."""
        return "the file ends within a transaction" if self._transaction.is_open else ""

    def feed(self, piece: bytes) -> None:
        """Goes on with the next piece; at a moment that is too late the extent ends.  Raises AofError."""
        parser = self._parser
        parser.feed(piece)
        self._fed += len(piece)
        while (outcome := parser.next()) == REQUEST:
            begin = self._good
            self._good = self._fed - len(parser.buf) + int(parser.pos)
            if not self._note(begin):
                self._extent.ended = True
                return
            self._transaction.follow(parser.argv[0].lower(), begin)
            if not self._transaction.is_open:
                self._extent.reached(self._good, self._clock.time if self._clock.timed else 0)
        if outcome == ERROR:
            raise AofError(self._file, self._good, complaint(parser.error))
        if parser.at_boundary() and not self._transaction.is_open:
            self._extent.end = self._fed

    def _note(self, begin: int) -> bool:
        """The annotation before the command that begins here, if there is one; False where it is too late."""
        moment = noted_moment(self._parser.annotation)
        self._parser.annotation = b""
        if moment:
            self._clock.timed = True
            return self._clock.reaches(moment)
        if not self._clock.timed:
            self._clock.passes_untimed(self._file, begin)
        return True


def measure(reader: AofReader, clock: Clock, take: Callable[[int], None], deep: bool = False) -> Extent:
    """Reads a file up to the clock's moment, verifying each stretch; ``take`` hears up to which offset it is good.

    With ``deep`` the commands in the stretches are read as well.  A torn end is no error: the extent ends before it.
    Raises AofError where the file is damaged.
    """
    extent = Extent(int(reader.offset))
    commands = _Commands(clock, extent, reader.name)
    ours = True
    while not extent.ended:
        try:
            piece = reader.next_piece(commands.between())
        except TornTail as tail:
            extent.torn = tail.reason
            break
        if piece is None:
            extent.torn = commands.unfinished()
            break
        if reader.verified:
            ours = True
            clock.timed = False
            extent.ended = not clock.reaches(int(reader.moment))
            if not extent.ended:
                if deep:
                    _check_commands(reader.name, int(reader.offset) - len(piece), piece)
                extent.reached(int(reader.offset), clock.time)
        else:
            if ours:
                commands.begin(int(reader.offset) - len(piece))
            ours = False
            commands.feed(piece)
        take(extent.end)
    return extent


def _check_commands(name: str, offset: int, stretch: bytes) -> None:
    parser = log_parser()
    parser.feed(stretch)
    while (outcome := parser.next()) == REQUEST:
        pass
    if outcome == ERROR or not parser.at_boundary():
        reason = complaint(parser.error) if outcome == ERROR else "it ends within a command"
        raise AofError(name, offset, f"the stretch that begins here is no sequence of commands: {reason}")
