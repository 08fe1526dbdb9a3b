"""Damaged and hostile files: a bounded number of what ``scripts/fuzz`` tries by the million."""

from __future__ import annotations

import os
import random

import pytest

from support.fuzzing import KINDS, Fuzzer

CASES = int(os.environ.get("FUZZ_CASES", "1000"))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_file_crashes_hangs_or_swells(kind: str) -> None:
    fuzzer = Fuzzer(kind)
    first = random.randrange(1 << 40)
    for seed in range(first, first + CASES):
        failure = fuzzer.try_case(seed)
        assert failure is None, f"{failure.what}\nagain: scripts/fuzz --kind {kind} --cases 1 --seed {seed}"
