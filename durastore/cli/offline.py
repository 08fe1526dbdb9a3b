"""What the tools that read data files have in common: an engine without a server, the files that are meant, a bar."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from durastore.commands.client import Host
from durastore.commands.errors import CommandError
from durastore.config import Config, ConfigFileError, load_arguments
from durastore.config import table as directives
from durastore.engine.engine import Engine
from durastore.persistence.finding import Kind, Names, NothingFound, Target, find, find_named
from durastore.persistence.rdb import RdbError, dump_value, load_dump, load_functions

DATABASES = 16


class OfflineHost(Host):
    """What commands that change the dataset ask for; to all that needs a server the answer is an error.

    Such an error ends no replay, as the start of a server goes on as well behind what these commands do.
    """

    def write_error(self) -> bytes | None:
        """See Host."""
        return None

    def restore(self, payload: bytes) -> object:
        """See Host."""
        try:
            return load_dump(payload)
        except RdbError as error:
            raise CommandError(b"ERR " + str(error).encode()) from error

    def dump(self, value: object) -> bytes:
        """See Host."""
        return dump_value(value)

    def load_functions(self, payload: bytes) -> list[bytes]:
        """See Host."""
        try:
            return load_functions(payload)
        except RdbError as error:
            raise CommandError(b"ERR " + str(error).encode()) from error

    def flushed(self) -> None:
        """See Host."""

    def shutdown(self, nosave: bool, save: bool, now: bool, force: bool) -> None:
        """See Host.  The client is closed then, and so the replay ends."""

    def time(self) -> tuple[int, int]:
        """See Host."""
        return divmod(time.time_ns() // 1000, 1_000_000)


def _refuse(*arguments: object) -> NoReturn:
    raise CommandError(b"ERR there is no server")


for _name in vars(Host):
    if not _name.startswith("_") and _name not in vars(OfflineHost):
        setattr(OfflineHost, _name, _refuse)


def offline_engine(databases: int = DATABASES) -> Engine:
    """An engine with so many databases, which journals nothing."""
    return Engine(databases, OfflineHost())


def names_of(config: Config) -> Names:
    """Where a server with this configuration has its files."""
    return Names(
        config.resolve(config[directives.DB_FILENAME]),
        config.resolve(config[directives.APPEND_DIRNAME]),
        config[directives.APPEND_FILENAME],
    )


def read_conf(path: str) -> Config:
    """A conf file; raises click's error where it cannot be used."""
    try:
        return load_arguments([path], sys.stdin)
    except ConfigFileError as error:
        raise click.ClickException(str(error)) from error


def targets_of(paths: tuple[str, ...], conf: Config | None, kind: str | None) -> list[Target]:
    """The data files that a command line means; raises click's errors."""
    if (conf is None) == (not paths):
        raise click.UsageError("Give either files and folders or a conf file.")
    try:
        if conf is not None:
            return find_named(names_of(conf))
        return [target for path in paths for target in find(path, Kind(kind) if kind else None)]
    except NothingFound as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def total_size(targets: list[Target]) -> int:
    """The bytes of all files, for a progress bar."""
    paths = []
    for target in targets:
        if target.kind is Kind.LOG:
            paths += [os.path.join(target.path, name) for name in os.listdir(target.path)]
        else:
            paths.append(target.path)
    return sum(os.path.getsize(path) for path in paths if os.path.isfile(path))


@contextmanager
def progress_bar(what: str, total: int, wanted: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal; what it gives takes the bytes that were read."""
    console = Console(stderr=True)
    if not wanted or not console.is_terminal:
        yield lambda size: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda size: progress.advance(task, size)
