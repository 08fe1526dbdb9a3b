"""The tables in the README that are made, not written: each is found by its head."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
README: Final = ROOT / "README.md"


def reason_for(name: str, reasons: dict[str, str]) -> str:
    """The reason that is given for a name by its beginning; empty where there is none."""
    return next((why for start, why in reasons.items() if name.startswith(start)), "")


def find_table(head: str) -> str:
    """The table with this head that stands in the README."""
    found = re.search(re.escape(head) + r"(?:\|.*\n)*", README.read_text())
    assert found is not None, f"the README has no table {head!r}"
    return found.group()


def put_table(head: str, table: str) -> None:
    """Puts a table into the README, in place of the one with this head that stands there."""
    README.write_text(README.read_text().replace(find_table(head), table))
