"""Every flipped bit of a log and of an RDB file is refused, or changes nothing (``scripts/bitflips`` has the table)."""

from __future__ import annotations

import pytest

from support.bitflips import MANIFEST, NAMES, Ours, examine


@pytest.mark.parametrize("path", NAMES, ids=list(NAMES.values()))
def test_no_flipped_bit_is_loaded_as_something_else(path: str) -> None:
    row = examine(path, "durastore", Ours())
    assert row.verdicts.total() > 500
    assert row.wrong == []
    # The word that says that a line holds a checksum is a comment like any other when it is changed.
    assert all(path == MANIFEST and bit < 7 * 8 for bit in row.harmless), row.harmless
