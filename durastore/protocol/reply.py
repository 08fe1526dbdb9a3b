"""The reply half of RESP2 and RESP3: values in, bytes out."""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

from durastore.protocol.bulks import bulk_strings
from durastore.protocol.numbers import format_double

SMALL: Final = 1024
_INTEGERS: Final = [b":%d\r\n" % i for i in range(SMALL)]
BULKS: Final = [b"$%d\r\n" % i for i in range(SMALL)]
_ARRAYS: Final = [b"*%d\r\n" % i for i in range(SMALL)]
# How many bulk strings are joined at a time.
_BATCH: Final = 1024
# The capacity that a writer has at no cost, and the most that one is kept for the next reply with.
_OWN: Final = 256
_KEPT_MOST: Final = 65536


@final
class Reply:
    """Collects the replies of one connection in the protocol version that it speaks (``resp`` is 2 or 3)."""

    def __init__(self) -> None:
        self.resp: i64 = 2
        self.out = BytesWriter()
        # The capacity of the writer, about: the most that it has held.
        self.kept: i64 = _OWN

    def take(self) -> bytes:
        """Everything written since the last call."""
        data = self.out.getvalue()
        self.out.truncate(0)
        size: i64 = len(data)
        if size > self.kept:
            self.kept = size
            if size > _KEPT_MOST:
                # A writer keeps its capacity; one large reply must not cost every idle connection its size.
                self.out = BytesWriter()
                self.kept = _OWN
        return data

    def raw(self, data: bytes) -> None:
        """Bytes that are in the protocol's form already."""
        self.out.write(data)

    def ok(self) -> None:
        """+OK"""
        self.out.write(b"+OK\r\n")

    def simple(self, text: bytes) -> None:
        """A simple string; the text has no line end."""
        out = self.out
        out.append(43)
        out.write(text)
        out.write(b"\r\n")

    def error(self, text: bytes) -> None:
        """An error, with its code word first and without the leading minus; line ends become spaces."""
        if b"\r" in text or b"\n" in text:
            text = text.replace(b"\r", b" ").replace(b"\n", b" ")
        out = self.out
        out.append(45)
        out.write(text)
        out.write(b"\r\n")

    def integer(self, value: i64) -> None:
        """An integer."""
        if 0 <= value < SMALL:
            self.out.write(_INTEGERS[value])
        else:
            out = self.out
            out.append(58)
            out.write(str(value).encode())
            out.write(b"\r\n")

    def bulk(self, value: bytes) -> None:
        """A bulk string."""
        out = self.out
        size: i64 = len(value)
        if size < SMALL:
            out.write(BULKS[size])
        else:
            out.append(36)
            out.write(str(size).encode())
            out.write(b"\r\n")
        out.write(value)
        out.write(b"\r\n")

    def bulk_elements(self, values: list[bytes]) -> None:
        """Bulk strings, as the elements of what has been begun."""
        size: i64 = len(values)
        if size <= _BATCH:
            self.out.write(bulk_strings(values))
            return
        start: i64 = 0
        while start < size:
            self.out.write(bulk_strings(values[start : start + _BATCH]))
            start += _BATCH

    def bulk_or_null(self, value: bytes | None) -> None:
        """A bulk string, or the null."""
        if value is None:
            self.null()
        else:
            self.bulk(value)

    def null(self) -> None:
        """The null (RESP2: the null bulk)."""
        if self.resp == 2:
            self.out.write(b"$-1\r\n")
        else:
            self.out.write(b"_\r\n")

    def null_array(self) -> None:
        """The null where an array was asked for."""
        if self.resp == 2:
            self.out.write(b"*-1\r\n")
        else:
            self.out.write(b"_\r\n")

    def array(self, size: i64) -> None:
        """The head of an array; its elements follow."""
        if 0 <= size < SMALL:
            self.out.write(_ARRAYS[size])
        else:
            self._head(42, size)

    def map(self, pairs: i64) -> None:
        """The head of a map of so many pairs (RESP2: a flat array)."""
        if self.resp == 2:
            self.array(pairs * 2)
        else:
            self._head(37, pairs)

    def set(self, size: i64) -> None:
        """The head of a set (RESP2: an array)."""
        self._head(42 if self.resp == 2 else 126, size)

    def push(self, size: i64) -> None:
        """The head of an out-of-band message (RESP2: an array)."""
        self._head(42 if self.resp == 2 else 62, size)

    def _head(self, kind: i64, size: i64) -> None:
        out = self.out
        out.append(u8(kind))
        out.write(str(size).encode())
        out.write(b"\r\n")

    def defer(self) -> BytesWriter:
        """Begins an array or map of yet unknown size; ``end_array`` or ``end_map`` takes what this returns."""
        outer = self.out
        self.out = BytesWriter()
        return outer

    def end_array(self, outer: BytesWriter, size: i64) -> None:
        """Ends an array that ``defer`` began."""
        inner = self.out
        self.out = outer
        self.array(size)
        outer.write(inner.getvalue())

    def end_map_or_array(self, outer: BytesWriter, size: i64) -> None:
        """Ends what ``defer`` began: a map of so many pairs (RESP2: an array of as many elements)."""
        inner = self.out
        self.out = outer
        if self.resp == 2:
            self.array(size)
        else:
            self.map(size)
        outer.write(inner.getvalue())

    def bulks(self, values: list[bytes]) -> None:
        """An array of bulk strings."""
        self.array(len(values))
        self.bulk_elements(values)

    def simple_set(self, values: list[bytes]) -> None:
        """A set of simple strings, as COMMAND INFO uses for flags."""
        self.set(len(values))
        for value in values:
            self.simple(value)

    def boolean(self, value: bool) -> None:
        """A boolean (RESP2: 1 or 0)."""
        if self.resp == 2:
            self.integer(1 if value else 0)
        else:
            self.out.write(b"#t\r\n" if value else b"#f\r\n")

    def double(self, value: float) -> None:
        """A double (RESP2: a bulk string)."""
        text = format_double(value)
        if self.resp == 2:
            self.bulk(text)
        else:
            out = self.out
            out.append(44)
            out.write(text)
            out.write(b"\r\n")

    def verbatim(self, text: bytes, form: bytes = b"txt") -> None:
        """A text for people (RESP2: a bulk string); ``form`` is three letters."""
        if self.resp == 2:
            self.bulk(text)
        else:
            self._head(61, len(text) + 4)
            out = self.out
            out.write(form)
            out.append(58)
            out.write(text)
            out.write(b"\r\n")

    def help(self, command: bytes, lines: list[bytes]) -> None:
        """What a container's HELP answers: a head, the subcommands, and HELP itself."""
        self.array(len(lines) + 3)
        self.simple(command + b" <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
        for line in lines:
            self.simple(line)
        self.simple(b"HELP")
        self.simple(b"    Print this help.")
