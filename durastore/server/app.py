"""Runs a server in this process."""

from __future__ import annotations

import gc
import logging
import os

import trio

from durastore.config import Config
from durastore.config import table as directives
from durastore.server import logs
from durastore.server.server import Server, banner


def serve(config: Config) -> int:
    """Serves with this configuration until it is told to stop; returns the exit status."""
    path = config[directives.LOG_FILE]
    try:
        logs.start_logging(config[directives.LOG_LEVEL], config.resolve(path) if path else "")
    except OSError as error:
        print(f"Can't open the log file: {error.strerror}")
        return 1
    log = logging.getLogger("durastore.server")
    log.warning("%s", banner(config))
    if config.file is None:
        log.warning("no conf file given, using the defaults")
    pid_file = config[directives.PID_FILE]
    if pid_file:
        with open(config.resolve(pid_file), "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
    # The keyspace holds no cycles, and a collection's time grows with the number of objects: reference counts
    # are enough while serving.
    gc.disable()
    gc.freeze()
    try:
        return trio.run(Server(config).run)
    finally:
        if pid_file:
            os.unlink(config.resolve(pid_file))
