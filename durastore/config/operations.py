"""Directives of durastore's own, for those who run it."""

from __future__ import annotations

from typing import Any, Final

from durastore.config.kinds import Bind, Choice, Directive, Integer

HTTP_PORT: Final = Integer(
    "http-port", 0, "The TCP port that answers HTTP: /metrics for Prometheus (named as redis_exporter names them), "
    "/healthz (the process serves) and /readyz (the data is loaded, writes are accepted, and no snapshot or fsync is "
    "overdue). 0: none.", high=65535,
)  # fmt: skip
HTTP_BIND: Final = Bind(
    "http-bind", ("127.0.0.1", "-::1"), "The addresses of http-port, as bind has them. Nobody has to log in there, and "
    "names of commands and errors are shown, though no keys and no values.",
)  # fmt: skip
LOG_FORMAT: Final = Choice(
    "log-format", "redis", "The form of the log: lines as Redis has them (redis), or an object in JSON for each "
    "(json): time, level, logger, pid, message, and exception where there is one.", ("redis", "json"), immutable=True,
)  # fmt: skip

HTTP: Final[tuple[Directive[Any], ...]] = (HTTP_PORT, HTTP_BIND)
