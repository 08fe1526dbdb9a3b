"""History and restored folders among Redis and Valkey: they read ours, and we cut theirs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from durastore.cli.main import main
from support.servers import Server, redis_server, redis_tool, valkey_binary, valkey_server

Starter = Callable[..., Server]
DIRECTIVES = {"appendonly": "yes", "save": "", "enable-debug-command": "yes"}
OTHERS = pytest.mark.parametrize("other", [redis_server, valkey_server])


def rewrite(server: Server) -> None:
    server.call("BGREWRITEAOF")
    server.until_info("persistence", "aof_rewrite_in_progress", "0")


@OTHERS
def test_others_load_a_folder_with_history_and_remove_it(
    start_durastore: Starter, other: Callable[[Path, dict[str, str]], Server]
) -> None:
    # Redis 7.0 does not know the RDB version of a base that is no sequence of commands.
    ours = start_durastore(
        appendonly="yes", enable_debug_command="yes", aof_history_max_age="3600", aof_use_rdb_preamble="no"
    )
    for n in range(3):
        ours.call("SET", f"key:{n}", n)
        rewrite(ours)
    ours.call("RPUSH", "list", 1, 2, 3)
    digest = ours.call("DEBUG", "DIGEST")
    assert ours.stop() == 0
    folder = ours.folder / "appendonlydir"
    manifest = folder / "appendonly.aof.manifest"
    assert len(list(folder.iterdir())) == 9
    assert manifest.read_text().count(" type h ") == 6
    for checker in (redis_tool("redis-check-aof"), valkey_binary("valkey-check-aof")):
        checked = subprocess.run([*checker, str(manifest)], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
    theirs = other(ours.folder, dict(DIRECTIVES)).start()
    try:
        assert theirs.call("DEBUG", "DIGEST") == digest
        theirs.call("SET", "theirs", 1)
        digest = theirs.call("DEBUG", "DIGEST")
    finally:
        theirs.kill()
    assert " type h " not in manifest.read_text()
    ours.start()
    assert ours.call("DEBUG", "DIGEST") == digest


@OTHERS
def test_a_log_of_theirs_is_restored_to_a_second_and_they_load_it(
    tmp_path: Path, other: Callable[[Path, dict[str, str]], Server]
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    theirs = other(folder, {**DIRECTIVES, "aof-timestamp-enabled": "yes", "appendfsync": "always"}).start()
    states = []
    for n in range(3):
        theirs.call("SET", f"key:{n}", n)
        theirs.call("SADD", "set", n)
        states.append((int(time.time()), theirs.call("DEBUG", "DIGEST")))
        # Their notes are of whole seconds, which their clock may tell a little late.
        while time.time() < states[-1][0] + 1.3:
            theirs.until_info("persistence", "aof_rewrite_in_progress", "0")
    theirs.kill()
    for number, (second, digest) in enumerate(states):
        target = tmp_path / f"restored-{number}"
        assert main(["restore", str(folder), "--at", str(second), "--to", str(target)]) == 0
        again = other(target, dict(DIRECTIVES)).start()
        try:
            assert again.call("DEBUG", "DIGEST") == digest
        finally:
            again.kill()
