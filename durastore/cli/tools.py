"""The offline tools: ``durastore TOOL ...``.

A tool's command returns its exit status; where it returns none the status is 0.  For each tool 3 means that the
command line was wrong or that something could not be read.  What ends a tool early is told here, as JSON too where
``--json`` asks for that.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
from typing import IO, TYPE_CHECKING

import click

from durastore.cli import TOOLS

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

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


class Failure(click.ClickException):
    """What ends a tool with a status that is not ``FAILED``."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _OutputError(Exception):
    """Standard output does not take what a tool has to say; the cause is the OSError."""


class _Output(io.RawIOBase):
    """Standard output, whose errors cannot be taken for those of data files."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._out.isatty()

    def fileno(self) -> int:
        return self._out.fileno()

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            self._out.write(data)
            self._out.flush()
        except OSError as error:
            raise _OutputError(error.strerror) from error
        return memoryview(data).nbytes


def _run(argv: list[str]) -> object:
    try:
        return _Tools("durastore", context_settings=_SETTINGS).main(argv, "durastore", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        if "--json" in argv:
            click.echo(json.dumps({"error": error.format_message()}))
        return error.status if isinstance(error, Failure) else FAILED


def run(argv: list[str]) -> int:
    """Runs a tool with its arguments; the exit status."""
    # A file that the tool opens would take the place of an output that is closed.
    if sys.stdout is None:
        click.echo("Error: standard output is closed", err=True)
        return FAILED
    real = sys.stdout
    output = io.BufferedWriter(_Output(real.buffer))
    try:
        with contextlib.redirect_stdout(io.TextIOWrapper(output, real.encoding, real.errors)):
            status = _run(argv)
            sys.stdout.flush()
    except _OutputError as error:
        # What is left must not be written when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), real.fileno())
        # A reader that is gone has what it wanted.
        if not isinstance(error.__cause__, BrokenPipeError):
            click.echo(f"Error: standard output cannot be written: {error}", err=True)
        return FAILED
    except SystemExit:
        # So click ends where nobody reads standard error any more.
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
    return status if isinstance(status, int) else 0
