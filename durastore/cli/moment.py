"""Moments as people give them on the command line."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Final

import click

from durastore.persistence.restore import spell

_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_AGO: Final = re.compile(r"-((?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhdw]))+)\Z")
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdw])")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?\Z")
# Unix seconds reach this number in the year 5138; a larger one is milliseconds.
_SECONDS_END: Final = 100_000_000_000


def current_moment() -> int:
    """Now, in Unix ms."""
    return int(time.time() * 1000)


def parse_moment(text: str, now: int) -> int:
    """A moment in Unix ms: ISO 8601 (local time without a zone), Unix seconds or ms, ``-1h30m`` before ``now``.

    Raises ValueError and OverflowError.
    """
    ago = _AGO.match(text)
    if ago:
        return now - sum(int(float(count) * _UNITS[unit]) for count, unit in _PART.findall(ago[1]))
    if text == "now":
        return now
    if _NUMBER.match(text) and len(text.partition(".")[0]) != len("20260101"):
        number = float(text)
        return int(number) if number >= _SECONDS_END else round(number * 1000)
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def moment_option(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """An option's callback that makes a moment of its value: one that can be spelled.  Raises click's error."""
    if value is None:
        return None
    try:
        moment = parse_moment(value, current_moment())
        spell(moment)
        return moment
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is no time in the years from 1 to 9999: give ISO 8601 (2026-01-31T12:00:05Z), Unix seconds or "
            "milliseconds, or how long ago (-10m, -1h30m)",
            ctx,
            param,
        ) from None
