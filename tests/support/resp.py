"""A client that hands out the bytes of each reply as they came, so that two servers can be compared byte for byte."""

from __future__ import annotations

import socket
from typing import Any

TIMEOUT = 30.0


def request(*words: bytes | str | int) -> bytes:
    """The words as one multi-bulk request."""
    out = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(out)


class Closed(Exception):
    """The server closed the connection; ``args[0]`` is what it sent of a reply that never became whole."""


class Connection:
    """One connection, with a buffer of what was received and not yet read as a reply."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(TIMEOUT)
        self._buffer = bytearray()
        self._at = 0

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self) -> bytes:
        """The bytes of exactly one reply, RESP2 or RESP3. Raises Closed."""
        start = self._at
        try:
            self._skip()
        except Closed as closed:
            raise Closed(bytes(self._buffer[start:])) from closed
        raw = bytes(self._buffer[start : self._at])
        if self._at > 1 << 16 or self._at == len(self._buffer):
            del self._buffer[: self._at]
            self._at = 0
        return raw

    def next(self) -> Any:
        """The next reply as ``parse`` gives it."""
        return parse(self.read())

    def call(self, *words: bytes | str | int) -> bytes:
        """Sends a request and returns the bytes of its reply."""
        self.send(request(*words))
        return self.read()

    def value(self, *words: bytes | str | int) -> Any:
        """Sends a request and returns its reply as ``parse`` gives it."""
        return parse(self.call(*words))

    def rest(self) -> bytes:
        """All that comes until the server closes the connection."""
        try:
            while data := self.sock.recv(1 << 16):
                self._buffer += data
        except ConnectionResetError:
            pass
        data = bytes(self._buffer[self._at :])
        self._buffer.clear()
        self._at = 0
        return data

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _more(self) -> None:
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed
        self._buffer += data

    def _line(self) -> bytes:
        start = self._at
        while (end := self._buffer.find(b"\r\n", start)) < 0:
            start = max(self._at, len(self._buffer) - 1)
            self._more()
        line = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return line

    def _skip(self) -> None:
        missing = 1
        while missing:
            line = self._line()
            missing -= 1
            kind, length = line[:1], line[1:]
            if kind in b"$=!" and length != b"-1":
                end = self._at + int(length) + 2
                while len(self._buffer) < end:
                    self._more()
                self._at = end
            elif kind in b"*~>" and length != b"-1":
                missing += int(length)
            elif kind == b"%":
                missing += 2 * int(length)
            elif kind == b"|":
                missing += 2 * int(length) + 1


class Error(str):
    """An error reply."""


class Status(str):
    """A simple string."""


class Push(list[Any]):
    """Data out of band."""


def parse(raw: bytes) -> Any:
    """One reply as a Python value: bytes, int, float, bool, None, list, dict, set, Status, Error or Push."""
    value, end = _parse(raw, 0)
    assert end == len(raw), f"more than one reply in {raw!r}"
    return value


def elements(raw: bytes) -> list[bytes]:
    """The bytes of each element of an array; none of a null."""
    head = raw.index(b"\r\n")
    at = head + 2
    found = []
    for _ in range(max(int(raw[1:head] or b"0"), 0)):
        _, end = _parse(raw, at)
        found.append(raw[at:end])
        at = end
    return found


def _parse(raw: bytes, at: int) -> tuple[Any, int]:
    end = raw.index(b"\r\n", at)
    kind, text, at = raw[at : at + 1], raw[at + 1 : end], end + 2
    if kind == b"+":
        return Status(text.decode("latin-1")), at
    if kind == b"-":
        return Error(text.decode("latin-1")), at
    if kind in b":(":
        return int(text), at
    if kind == b",":
        return float(text), at
    if kind == b"#":
        return text == b"t", at
    if kind == b"_" or text == b"-1":
        return None, at
    length = int(text)
    if kind in b"$=!":
        return raw[at : at + length], at + length + 2
    items = []
    for _ in range(2 * length if kind == b"%" else length):
        item, at = _parse(raw, at)
        items.append(item)
    if kind == b"%":
        return dict(zip(map(_hashable, items[::2]), items[1::2], strict=True)), at
    if kind == b"~":
        return {_hashable(item) for item in items}, at
    return (Push(items) if kind == b">" else items), at


def _hashable(item: Any) -> Any:
    return tuple(map(_hashable, item)) if isinstance(item, list) else item
