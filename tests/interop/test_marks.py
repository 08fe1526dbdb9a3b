"""When, or how often, a key was used: told by files where the policy of eviction asks for it, both ways."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.servers import Server

Starter = Callable[..., Server]


def marked(server: Server, what: str) -> dict[str, int]:
    """Keys and what OBJECT says of them; asking is no use."""
    names = ("plain", "timed", "list")
    return {name: int(str(server.call("OBJECT", what, name))) for name in names}


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize(("policy", "option", "what"), [("lru", "IDLETIME", "IDLETIME"), ("lfu", "FREQ", "FREQ")])
def test_marks_move_with_the_file(
    start_durastore: Starter, start_valkey: Starter, tmp_path: Path, policy: str, option: str, what: str, back: bool
) -> None:
    directives = {"maxmemory": "1gb", "maxmemory-policy": f"allkeys-{policy}", "lfu-decay-time": "0"}
    ours, theirs = start_durastore(**directives), start_valkey(**directives)
    source, target = (theirs, ours) if back else (ours, theirs)
    with source.connect() as client:
        client.call("SET", "x", "1")
        client.call("RPUSH", "l", "1", "2")
        string, items = client.value("DUMP", "x"), client.value("DUMP", "l")
        client.call("RESTORE", "plain", 0, string, option, 200)
        client.call("RESTORE", "timed", 1_000_000, string, option, 100)
        client.call("RESTORE", "list", 0, items, option, 0)
        wanted = marked(source, what)
        client.call("SAVE")
    target.stop()
    shutil.copy(source.folder / "dump.rdb", target.folder / "dump.rdb")
    target.start()
    found = marked(target, what)
    assert set(wanted) == set(found)
    assert all(abs(found[name] - wanted[name]) <= 60 for name in wanted), (found, wanted)
    assert found["plain"] >= 200 > 160 > found["timed"] >= 100 > 60 > found["list"]
