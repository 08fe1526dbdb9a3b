"""Runs a server in this process."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys

import trio

from durastore.config import Config, ConfigFileError
from durastore.config import table as directives
from durastore.config.operations import LOG_FORMAT
from durastore.server import logs
from durastore.server.server import Server, banner
from durastore.server.supervision import Supervision, go_to_background, supervised_mode


def serve(config: Config) -> int:
    """Serves with this configuration until it is told to stop, and ends the process; returns where it cannot begin."""
    waiting = -1
    if config[directives.DAEMONIZE] and supervised_mode(config[directives.SUPERVISED], os.environ) == "no":
        waiting = go_to_background()
    path = config[directives.LOG_FILE]
    try:
        logs.start_logging(config[directives.LOG_LEVEL], config.resolve(path) if path else "", config[LOG_FORMAT])
    except OSError as error:
        print(f"Can't open the log file: {error.strerror}", flush=True)
        return 1
    if config[directives.SYSLOG_ENABLED]:
        logs.log_to_system(config[directives.SYSLOG_IDENT], config[directives.SYSLOG_FACILITY])
    log = logging.getLogger("durastore.server")
    log.warning("%s", banner(config))
    if config.file is None:
        log.warning("no conf file given, using the defaults")
    # A terminal that is closed is no reason to end; once the server runs, the log file is opened again.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    supervision = Supervision(config, os.environ, waiting)
    # The keyspace holds no cycles, and a collection's time grows with the number of objects: reference counts
    # are enough while serving.
    gc.disable()
    gc.freeze()
    try:
        status = trio.run(Server(config, supervision).run)
    except ConfigFileError as error:
        log.critical("%s", error)
        return 1
    finally:
        supervision.close()
    # Everything is on disk; to take the keyspace apart, key by key, would only keep who waits for the end.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)
