"""The offline tools: ``durastore TOOL ...``.

A tool's command returns its exit status; where it returns none the status is 0.  For each tool 3 means that the
command line was wrong or that something could not be read.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from durastore.cli import TOOLS

FAILED = 3
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120}


class _Tools(click.Group):
    """Imports a tool when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(TOOLS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in TOOLS:
            return None
        command = importlib.import_module(f"durastore.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


def run(argv: list[str]) -> int:
    """Runs a tool with its arguments; the exit status."""
    group = _Tools("durastore", context_settings=_SETTINGS)
    try:
        status = group.main(argv, prog_name="durastore", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return FAILED
    except (BrokenPipeError, SystemExit):
        # The reader of the output has what it wanted (click ends the process then).  Nothing may be flushed any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
    return status if isinstance(status, int) else 0
