"""The files in conf/ that put the server to work: systemd's unit, logrotate's rules and the container's image."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.servers import Server, durastore_command, durastore_environment, free_port

Starter = Callable[..., Server]
CONF = Path(__file__).parents[2] / "conf"


def tool(name: str) -> str:
    """A tool that may not be there, and may be where only root looks for it."""
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def test_logrotate_takes_the_log_and_the_server_opens_another(start_durastore: Starter, tmp_path: Path) -> None:
    logrotate = tool("logrotate")
    # It takes no folder that others may write to.
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o755)
    log = logs / "durastore.log"
    server = start_durastore(logfile=str(log))
    rules = (CONF / "durastore.logrotate").read_text().replace("/var/log/durastore", str(logs))
    # The service manager of this machine knows no such service.
    rules = rules.replace("systemctl reload durastore.service", f"kill -HUP {server.pid}")
    (tmp_path / "rules").write_text(rules)
    for number in (1, 2):
        server.call("BGSAVE")
        server.until_info("persistence", "rdb_bgsave_in_progress", "0")
        subprocess.run([logrotate, "-f", "-s", tmp_path / "state", tmp_path / "rules"], check=True)
        told = subprocess.check_output(["gzip", "-dc", logs / "durastore.log.1.gz"], text=True)
        assert told.count("DB saved on disk") == 1
        assert ("Ready to accept connections" in told) == (number == 1)
    assert server.stop() == 0
    assert "bye bye" in log.read_text()
    assert "DB saved" not in log.read_text()


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    # It wants what is started to be there.
    text = (CONF / "durastore.service").read_text().replace("/usr/local/bin/durastore", "/bin/true")
    (tmp_path / "durastore.service").write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / "durastore.service"], capture_output=True, text=True
    )
    assert [line for line in done.stderr.splitlines() if "durastore" in line] == []


def test_the_containers_configuration_and_health_check(tmp_path: Path) -> None:
    image = (CONF / "Dockerfile").read_text().replace("\\\n", "")
    written = re.search(r"printf '(.*?)' > (\S+)", image)
    assert written is not None
    entry = re.search(r"ENTRYPOINT (\[.*\])", image)
    check = re.search(r"HEALTHCHECK .* CMD (\[.*\])", image)
    assert entry is not None
    assert check is not None
    # It is what the server is started with.
    assert json.loads(entry[1]) == ["durastore", written[2]]
    http = str(free_port())
    assert "http-port 9121" in written[1]
    assert "127.0.0.1:9121" in check[1]
    folder = tmp_path / "data"
    folder.mkdir()
    conf = tmp_path / "durastore.conf"
    conf.write_text(written[1].replace("\\n", "\n").replace("dir /data", f"dir {folder}").replace("9121", http))
    _, *words = json.loads(check[1].replace("9121", http))

    def healthy() -> bool:
        return subprocess.run([sys.executable, *words], stderr=subprocess.DEVNULL).returncode == 0

    assert not healthy()
    server = Server([*durastore_command(), str(conf)], folder, {}, durastore_environment())
    # Nothing but what the image has, and the port.
    server.directives = {}
    server.start()
    try:
        assert healthy()
        assert server.call("CONFIG", "GET", "appendonly") == [b"appendonly", b"yes"]
    finally:
        assert server.stop() == 0
    assert not healthy()
    assert (folder / "appendonlydir").is_dir()
