"""Replies of a redis-server 7.2 that were kept, for what Valkey answers in other words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from support.scripts import play
from support.servers import Server

FOLDER = Path(__file__).parents[2] / "fixtures" / "replies"


def record(server: Server, group: str, scripts: Mapping[str, str]) -> None:
    """Keeps what a server replies to scripts, each from an empty keyspace on."""
    kept: dict[str, dict[str, list[str]]] = {}
    for name, script in scripts.items():
        kept[name] = {}
        for protocol in (2, 3):
            _clear(server)
            kept[name][str(protocol)] = [reply.decode("latin-1") for _, reply in play(server, script, protocol)]
    (FOLDER / f"{group}.json").write_text(json.dumps(kept, indent=1) + "\n")


def assert_recorded_replies(server: Server, group: str, name: str, script: str, protocol: int) -> None:
    """Plays a script; every reply is the one that was kept."""
    kept = json.loads((FOLDER / f"{group}.json").read_text())[name][str(protocol)]
    _clear(server)
    wrong = []
    for (line, reply), text in zip(play(server, script, protocol), kept, strict=True):
        wanted = text.encode("latin-1")
        if reply != wanted:
            wrong.append(f"{line}\n    ours   {reply[:300]!r}\n    wanted {wanted[:300]!r}")
    assert not wrong, "\n".join(wrong)


def _clear(server: Server) -> None:
    for words in (["FLUSHALL"], ["SCRIPT", "FLUSH"], ["FUNCTION", "FLUSH"]):
        server.call(*words)
