"""The server's log: in Redis's line format (pid, role, time, level sign, message), or as objects in JSON.

A log file that was renamed or removed is opened anew under its name with the next line, as Redis does.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import sys
import syslog
import time

# Redis has four levels; "verbose" lies between Python's DEBUG and INFO.
VERBOSE = 15
NOTICE = logging.INFO

_LEVELS = {"debug": logging.DEBUG, "verbose": VERBOSE, "notice": NOTICE, "warning": logging.WARNING, "nothing": 100}
_BY_SEVERITY = (("warning", logging.WARNING), ("notice", NOTICE), ("verbose", VERBOSE), ("debug", 0))


class _RedisFormatter(logging.Formatter):
    """``1234:M 24 Nov 2026 12:00:00.123 * text``; ``#`` marks warnings, ``*`` notices, ``-`` and ``.`` the rest."""

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno >= logging.WARNING:
            sign = "#"
        elif record.levelno >= NOTICE:
            sign = "*"
        else:
            sign = "-" if record.levelno >= VERBOSE else "."
        stamp = time.strftime("%d %b %Y %H:%M:%S", time.localtime(record.created))
        text = f"{os.getpid()}:M {stamp}.{int(record.msecs):03d} {sign} {record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


class _JsonFormatter(logging.Formatter):
    """One object a line; the time is UTC, and the level one of Redis's four."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told: dict[str, object] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": next(name for name, level in _BY_SEVERITY if record.levelno >= level),
            "logger": record.name,
            "pid": os.getpid(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


class _SyslogHandler(logging.Handler):
    """The system's log, as ``syslog-enabled`` has it."""

    def __init__(self, ident: str, facility: str) -> None:
        super().__init__()
        options = syslog.LOG_PID | syslog.LOG_NDELAY | syslog.LOG_NOWAIT
        syslog.openlog(ident, options, getattr(syslog, f"LOG_{facility.upper()}"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            priority = syslog.LOG_WARNING
        elif record.levelno >= NOTICE:
            priority = syslog.LOG_NOTICE
        else:
            priority = syslog.LOG_INFO if record.levelno >= VERBOSE else syslog.LOG_DEBUG
        syslog.syslog(priority, self.format(record))


def set_level(name: str) -> None:
    """The ``loglevel`` directive."""
    logging.getLogger("durastore").setLevel(_LEVELS[name])


def log_to_system(ident: str, facility: str) -> None:
    """Sends the log to the system's log as well."""
    logging.getLogger("durastore").addHandler(_SyslogHandler(ident, facility))


def reopen() -> None:
    """Lets go of a log file that was renamed or removed, and opens one of its name."""
    for handler in logging.getLogger("durastore").handlers:
        if isinstance(handler, logging.handlers.WatchedFileHandler):
            try:
                handler.reopenIfNeeded()
            except OSError as error:
                print(f"Can't open the log file: {error.strerror}", file=sys.stderr, flush=True)


def start_logging(level: str, path: str, form: str = "redis") -> None:
    """Sends the log to a file, or to standard output where the path is empty.  Raises OSError."""
    handler: logging.Handler
    if path:
        handler = logging.handlers.WatchedFileHandler(path, encoding="utf-8", errors="backslashreplace")
    else:
        handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter() if form == "json" else _RedisFormatter())
    logger = logging.getLogger("durastore")
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.propagate = False
    set_level(level)
