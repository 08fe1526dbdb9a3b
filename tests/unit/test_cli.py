"""The command line of ``durastore``."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import durastore
from durastore.cli import TOOLS
from durastore.cli.main import main
from durastore.config import Config, table


@pytest.fixture(autouse=True)
def _version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durastore, "__version__", "1.2.3", raising=False)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configs that the server was asked to run with; a run ends at once with 7."""
    configs: list[Config] = []

    def serve(config: Config) -> int:
        configs.append(config)
        return 7

    app = types.ModuleType("durastore.server.app")
    app.serve = serve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "durastore.server.app", app)
    return configs


@pytest.mark.parametrize("flag", ["-v", "--version"])
def test_version(flag: str, capsys: pytest.CaptureFixture[str], served: list[Config]) -> None:
    assert main([flag]) == 0
    assert capsys.readouterr().out == "durastore 1.2.3\n"
    assert not served


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str, capsys: pytest.CaptureFixture[str], served: list[Config]) -> None:
    assert main([flag]) == 0
    assert "Usage: durastore" in capsys.readouterr().out
    assert not served


def test_the_server_gets_file_and_overrides_and_its_status_is_ours(tmp_path: Path, served: list[Config]) -> None:
    (tmp_path / "a.conf").write_text("port 1\nhz 2\n")
    assert main([str(tmp_path / "a.conf"), "--port", "3"]) == 7
    assert [(config[table.PORT], config[table.HZ]) for config in served] == [(3, 2)]


def test_without_arguments_the_defaults_are_served(served: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["durastore"])
    assert main() == 7
    assert served[0][table.PORT] == 6379
    assert served[0].file is None


def test_standard_input_is_read_when_asked_for(served: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("port 5\n"))
    assert main(["-"]) == 7
    assert served[0][table.PORT] == 5


def test_a_bad_configuration_is_fatal(tmp_path: Path, capsys: pytest.CaptureFixture[str], served: list[Config]) -> None:
    path = tmp_path / "a.conf"
    path.write_text("hz 2\nport abc\n")
    assert main([str(path)]) == 1
    assert capsys.readouterr().err == (
        "\n*** FATAL CONFIG FILE ERROR (durastore 1.2.3) ***\n"
        f"Reading the configuration file, at line 2 of {path}\n"
        ">>> 'port abc'\n"
        "argument couldn't be parsed into an integer\n"
    )
    assert not served


def test_check_config_gives_a_verdict_and_serves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], served: list[Config]
) -> None:
    path = tmp_path / "a.conf"
    path.write_text("hz 2\n")
    assert main(["--check-config", str(path)]) == 0
    assert str(path) in capsys.readouterr().out
    assert main(["--check-config", str(path), "--colour", "blue"]) == 1
    assert "Bad directive" in capsys.readouterr().err
    assert not served


def test_the_first_word_may_name_a_tool(
    capsys: pytest.CaptureFixture[str], served: list[Config], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert main(["check", "--help"]) == 0
    assert "Usage: durastore check" in capsys.readouterr().out
    assert main(["check", "--colour"]) == 3
    assert "--colour" in capsys.readouterr().err
    assert not served
    monkeypatch.chdir(tmp_path)
    (tmp_path / "check").write_text("port 4\n")
    assert main(["./check"]) == 7
    assert served[0][table.PORT] == 4


def test_every_tool_is_in_the_help_and_there(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    shown = capsys.readouterr().out
    for name, summary in TOOLS.items():
        assert re.search(rf"^ +{name} +{re.escape(summary)}$", shown, re.MULTILINE)
        assert main([name, "--help"]) == 0


def test_serving_imports_no_tool() -> None:
    code = (
        "import sys; from durastore.cli.main import main; main(['--check-config'])\n"
        "sys.exit(not {'click', 'rich', 'durastore.cli.tools'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
