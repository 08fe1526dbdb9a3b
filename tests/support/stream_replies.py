"""Replies about streams, without what depends on the clock."""

from __future__ import annotations

import re

from support.scripts import play
from support.servers import Server

_IDLE = re.compile(rb"(\r\n):\d+(\r\n:\d+\r\n)")
_TIME = re.compile(rb":1\d{12}\r\n")
_AGE = re.compile(rb"((?:idle|inactive)\r\n):(?!-1\r)\d+\r\n")


def masked(line: str, reply: bytes) -> bytes:
    """A reply without what depends on the clock."""
    words = line.split()
    if words[0] == "xpending" and len(words) > 3:
        return _IDLE.sub(rb"\1:0\2", reply)
    return _AGE.sub(rb"\1:0\r\n", _TIME.sub(b":0\r\n", reply))


def assert_same_stream_replies(durastore: Server, valkey: Server, script: str, protocol: int) -> None:
    """Plays a script to both; every reply of durastore is the real server's, but for times."""
    wrong = []
    for (line, reply), (_, answer) in zip(
        play(durastore, script, protocol), play(valkey, script, protocol), strict=True
    ):
        ours, wanted = masked(line, reply), masked(line, answer)
        if ours != wanted:
            wrong.append(f"{line}\n    ours   {ours[:600]!r}\n    wanted {wanted[:600]!r}")
    assert not wrong, "\n".join(wrong)
