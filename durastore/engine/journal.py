"""The journal: every effect on the dataset, once, in a form that replays to the same state.

The AOF and replicas take the same bytes.  What a client sent is taken as it is wherever it replays alike: a run of
such requests in one input buffer is one slice of it.
"""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter
from mypy_extensions import i64, mypyc_attr

from durastore.protocol.parser import encode_request, write_request

_MULTI: Final = b"*1\r\n$5\r\nMULTI\r\n"
_EXEC: Final = b"*1\r\n$4\r\nEXEC\r\n"


@mypyc_attr(allow_interpreted_subclasses=True)
class JournalSink:
    """Where the journal of a wake goes, and what the wake's replies wait for."""

    def append(self, data: bytes, now: int) -> bool:
        """Takes the journal of one wake; False where it could not be written, and no reply may say otherwise."""
        raise NotImplementedError

    def appended(self) -> int:
        """The offset behind all that was appended."""
        raise NotImplementedError

    def durable_offset(self) -> int:
        """The offset up to which all is on disk."""
        raise NotImplementedError

    def wait_for_disk(self) -> bool:
        """Whether replies are to wait until what was appended is durable."""
        raise NotImplementedError

    def gathers(self) -> bool:
        """Whether what is appended waits for more, from those who were answered last, to share an fsync with it."""
        return False

    def gathered(self) -> None:
        """Ends that: no more is to be expected."""


@final
class Journal:
    """Collects the effects of one wake.  ``db`` is the database that the next effect would be replayed in."""

    def __init__(self) -> None:
        self.enabled = False
        self.db: i64 = -1
        self.out = BytesWriter()
        self._transaction = False
        self._outer = self.out
        self._effects: i64 = 0

    def take(self) -> bytes:
        """All effects since the last call, without those of a transaction that has not ended."""
        out = self._outer if self._transaction else self.out
        data = out.getvalue()
        out.truncate(0)
        if len(data) > 1048576 and not self._transaction:
            self.out = BytesWriter()
        return data

    def restart(self) -> None:
        """A reader that begins here knows of no database: the next effect selects it."""
        self.db = -1

    def raw(self, request: bytes, db: i64) -> None:
        """Adds requests that are in canonical form, all of one database."""
        if not self.enabled:
            return
        if self.db != db:
            self._select(db)
        self._effects += 1
        self.out.write(request)

    def add(self, argv: list[bytes], db: i64) -> None:
        """Adds one effect."""
        if not self.enabled:
            return
        if self.db != db:
            self._select(db)
        self._effects += 1
        write_request(self.out, argv)

    def _select(self, db: i64) -> None:
        self.db = db
        self.out.write(encode_request([b"SELECT", b"%d" % db]))

    def begin(self) -> None:
        """What follows until ``end`` takes effect as a whole or not at all.  Does not nest."""
        assert not self._transaction
        self._transaction = True
        self._effects = 0
        self._outer = self.out
        self.out = BytesWriter()

    def end(self) -> None:
        """Ends what ``begin`` began; a single effect needs no MULTI around it."""
        inner = self.out.getvalue()
        self.out = self._outer
        self._transaction = False
        if self._effects > 1:
            self.out.write(_MULTI)
            self.out.write(inner)
            self.out.write(_EXEC)
        else:
            self.out.write(inner)

    def abandon(self) -> None:
        """Ends what ``begin`` began, and forgets it."""
        self.out = self._outer
        self._transaction = False
        # A reader may not know the database that was selected.
        self.restart()

    def in_transaction(self) -> bool:
        """Whether ``begin`` was called and ``end`` was not yet."""
        return self._transaction
