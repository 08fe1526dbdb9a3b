"""Lives of a server under virtual time on a simulated disk, and a crash in every disk call (``support.simulation``).

``SEEDS=1000`` lives longer; ``scripts/simulate`` does the same and tells more.  It runs in a process of its own, as
where keys stand in the keyspace is to follow from the seed as well.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from support.servers import durastore_environment
from support.simulation.planted import BUGS

SCRIPT = Path(__file__).parents[2] / "scripts" / "simulate"
SEEDS = int(os.environ.get("SEEDS", "6"))


def simulate(*options: str) -> subprocess.CompletedProcess[str]:
    environment = {**durastore_environment(), "PYTHONHASHSEED": "0"}
    command = [sys.executable, str(SCRIPT), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_no_crash_breaks_a_promise() -> None:
    """Some seeds that are known, and some that are new each time."""
    for first, count in ((1, SEEDS // 2), (random.randrange(1000, 1 << 30), SEEDS - SEEDS // 2)):
        ended = simulate("--seeds", str(count), "--seed", str(first))
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "0 violations" in ended.stdout


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_planted_bug_is_found(bug: str) -> None:
    ended = simulate("--seed", str(BUGS[bug].seed), "--seeds", "20", "--plant", bug)
    assert ended.returncode == 1, f"{bug} was not found: {ended.stdout}{ended.stderr}"
    assert "again: scripts/simulate --seed " in ended.stdout


def test_a_seed_lives_the_same_life_again() -> None:
    told = {simulate("--seed", "3", "--each").stdout.splitlines()[0] for _ in range(2)}
    assert len(told) == 1, told
