"""A short conversation with another server, for MIGRATE."""

from __future__ import annotations

import socket

# An answer is one line; whoever sends more than this without a line end is no Redis server.
_LONGEST_LINE = 64 * 1024
_NOT_WRITTEN = b"IOERR error or timeout writing to target instance"


def ask_server(host: bytes, port: bytes, timeout: float, requests: list[list[bytes]]) -> tuple[list[bytes], bytes]:
    """Sends requests and reads one line for each; the lines that came, and an error text where not all did.

    ``timeout`` (seconds) holds for connecting, for sending and for each read.
    """
    answers: list[bytes] = []
    try:
        sock = socket.create_connection((host.decode(), int(port)), timeout)
    except ConnectionRefusedError:
        # Redis hears of it when it writes.
        return answers, _NOT_WRITTEN
    except (OSError, ValueError, OverflowError):
        return answers, b"IOERR error or timeout connecting to the client"
    with sock:
        try:
            sock.sendall(b"".join(_encode(request) for request in requests))
        except OSError:
            return answers, _NOT_WRITTEN
        received = b""
        while len(answers) < len(requests):
            try:
                some = sock.recv(65536)
            except OSError:
                some = b""
            lines = (received + some).split(b"\r\n")
            received = lines.pop()
            answers += lines
            if not some or len(received) > _LONGEST_LINE:
                break
    if len(answers) < len(requests):
        return answers, b"IOERR error or timeout reading from target instance"
    return answers[: len(requests)], b""


def _encode(request: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(request) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in request)
