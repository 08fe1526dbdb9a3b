"""Every line of the README's tour, against a fresh server with the conf file that the README names."""

from __future__ import annotations

import doctest
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.servers import Server, durastore_command, durastore_environment, redis_tool

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    conf = ROOT / "conf" / "durastore.conf"
    made = Server([*durastore_command(), str(conf)], tmp_path, {}, durastore_environment())
    yield made.start()
    assert made.stop() == 0


def tour() -> str:
    """The tour's blocks, without their indentation."""
    section = (ROOT / "README.md").read_text().partition("## A two-minute tour\n")[2].partition("\n## ")[0]
    return "\n".join(line[4:] for line in section.splitlines() if not line or line.startswith("    "))


def test_the_lines_for_the_shell(server: Server) -> None:
    text = tour().partition(">>>")[0]
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ |\n).*\n)*)", text, re.M)
    assert len(steps) > 5
    # On a terminal redis-cli shows types, and it asks the default port.
    cli = f"{redis_tool('redis-cli')[0]} -p {server.port} --no-raw"
    for command, shown in steps:
        line = command.replace("redis-cli", cli)
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30)
        assert (done.stdout.replace("\r", "").rstrip("\n"), done.stderr) == (shown.rstrip("\n"), ""), command
        server.until_info("persistence", "rdb_bgsave_in_progress", "0")


def test_the_lines_for_python(server: Server) -> None:
    text = ">>>" + tour().partition(">>>")[2]
    test = doctest.DocTestParser().get_doctest(
        text.replace("redis.Redis(", f"redis.Redis(port={server.port}, "), {}, "README.md", "README.md", 0
    )
    results = doctest.DocTestRunner().run(test)
    assert results.attempted > 4
    assert results.failed == 0
