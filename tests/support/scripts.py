"""Scripts of commands, played to two servers whose replies are compared."""

from __future__ import annotations

import os
from collections.abc import Mapping

from durastore.protocol.parser import split_line
from support.resp import request
from support.servers import Server

# Script, line, Valkey's answer: Redis's, where the two differ.
RedisAnswers = Mapping[tuple[str, str, bytes], bytes]


def play(server: Server, script: str, protocol: int) -> list[tuple[str, bytes]]:
    """Sends each line, an inline request, and returns it with its reply."""
    found = []
    with server.connect(protocol) as connection:
        for raw in script.strip().splitlines():
            line = raw.strip()
            words = split_line(line.encode())
            assert words is not None, line
            connection.send(request(*words))
            found.append((line, connection.read()))
    return found


def _a_second_apart(line: str, reply: bytes, wanted: bytes) -> bool:
    """Whether they tell of idle times between which a second may just have ended."""
    if not line.lower().startswith("object idletime ") or not (reply[:1] == wanted[:1] == b":"):
        return False
    return abs(int(reply[1:]) - int(wanted[1:])) <= 1


def assert_same_replies(
    durastore: Server, valkey: Server, name: str, script: str, protocol: int, redis_answers: RedisAnswers
) -> None:
    """Plays a script to both; every reply of durastore is the real server's, or Redis's where it is listed.

    Nothing is listed where the judge is a Redis (JUDGE_COMMAND).
    """
    if os.environ.get("JUDGE_COMMAND"):
        redis_answers = {}
    wrong = []
    for (line, reply), (_, answer) in zip(
        play(durastore, script, protocol), play(valkey, script, protocol), strict=True
    ):
        wanted = redis_answers.get((name, line, answer), answer)
        if reply != wanted and not _a_second_apart(line, reply, wanted):
            wrong.append(f"{line}\n    ours   {reply[:300]!r}\n    wanted {wanted[:300]!r}")
    assert not wrong, "\n".join(wrong)
