"""Where the server's log goes."""

from __future__ import annotations

import json
import logging
import os
import syslog
from pathlib import Path

import pytest

from durastore.server import logs


def test_a_log_file_and_the_systems_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    said: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "openlog", lambda *given: opened.append(given))
    monkeypatch.setattr(syslog, "syslog", lambda priority, text: said.append((priority, text)))
    logs.start_logging("verbose", str(tmp_path / "log"))
    logs.log_to_system("mine", "local3")
    log = logging.getLogger("durastore.server")
    log.debug("left out")
    log.log(logs.VERBOSE, "verbose")
    log.info("notice")
    log.warning("warning of %d", 1)
    options = syslog.LOG_PID | syslog.LOG_NDELAY | syslog.LOG_NOWAIT
    assert opened == [("mine", options, syslog.LOG_LOCAL3)]
    expected = [(syslog.LOG_INFO, "verbose"), (syslog.LOG_NOTICE, "notice"), (syslog.LOG_WARNING, "warning of 1")]
    assert said == expected
    signs = [line.split()[5:] for line in (tmp_path / "log").read_text().splitlines()]
    assert signs == [["-", "verbose"], ["*", "notice"], ["#", "warning", "of", "1"]]


def test_objects_in_json(tmp_path: Path) -> None:
    logs.start_logging("debug", str(tmp_path / "log"), "json")
    log = logging.getLogger("durastore.engine")
    log.debug("one\ntwo")
    log.log(logs.VERBOSE, "%s", "\N{SNOWMAN} \udcff")
    log.info("notice")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("bad")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text("utf-8").splitlines()]
    assert [line["level"] for line in lines] == ["debug", "verbose", "notice", "warning"]
    assert lines[0]["message"] == "one\ntwo"
    assert lines[0]["time"].endswith("Z")
    assert (lines[0]["logger"], lines[0]["pid"]) == ("durastore.engine", os.getpid())
    assert lines[1]["message"].startswith("\N{SNOWMAN} ")
    assert "ValueError: no" in lines[3]["exception"]
    assert "exception" not in lines[2]
