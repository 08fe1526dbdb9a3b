"""A dataset of every type goes to durastore and back, through files; scripts/interop does so with a million keys."""

from __future__ import annotations

from pathlib import Path

from support.crossing import Crossing, Step


def test_there_and_back(tmp_path: Path) -> None:
    steps: list[Step] = []
    Crossing(tmp_path, 1500, 600, steps.append).run()
    assert [step for step in steps if step.differences] == []
    assert sum(1 for step in steps if step.compared >= 1000) == 6
