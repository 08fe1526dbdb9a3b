"""MEMORY DOCTOR: each finding at its border, and the frame that Redis gives the report."""

from __future__ import annotations

import pytest

from durastore.server.doctor import Condition, report

MB = 1 << 20
WELL = Condition(
    used=100 * MB, startup=30 * MB, peak=150 * MB, resident=140 * MB, clients_memory=10 * 200 * 1024, clients=10,
    replicas_memory=2 * 10 * MB, replicas=2, scripts=1000,
)  # fmt: skip


def test_there_must_be_data_to_judge_by() -> None:
    assert report(WELL._replace(used=35 * MB - 1, peak=500 * MB)).startswith("Hi Sam, this instance is empty or is ")
    assert "Peak memory" in report(WELL._replace(used=35 * MB, peak=500 * MB))


def test_a_server_that_is_well() -> None:
    assert report(WELL) == (
        "Hi Sam, I can't find any memory issue in your instance. "
        "I can only account for what occurs on this base.\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("finding", "change"),
    [
        ("Peak memory", {"peak": 150 * MB + 1}),
        ("High total RSS", {"resident": 140 * MB + 1}),
        ("Big replica buffers", {"replicas_memory": 2 * 10 * MB + 1}),
        ("Big client buffers", {"clients_memory": 10 * 200 * 1024 + 1}),
        ("Many scripts", {"scripts": 1001}),
    ],
)
def test_what_is_wrong_is_told(finding: str, change: dict[str, int]) -> None:
    lines = report(WELL._replace(**change)).split("\n")
    assert lines[0] == "Sam, I detected a few issues in this Redis instance memory implants:"
    assert [line.split(":")[0] for line in lines if line.startswith(" * ")] == [" * " + finding]
    assert lines[-2:] == ["I'm here to keep you safe, Sam. I want to help you.", ""]


def test_a_large_share_of_little_is_no_matter() -> None:
    small = WELL._replace(used=20 * MB, startup=10 * MB, peak=20 * MB, resident=30 * MB)
    assert report(small).startswith("Hi Sam, I can't find any")
    assert "High total RSS" in report(small._replace(resident=30 * MB + 1))


def test_all_findings_at_once() -> None:
    found = report(Condition(50 * MB, 30 * MB, 500 * MB, 200 * MB, 40 * MB, 2, 40 * MB, 1, 5000))
    assert found.count("\n\n * ") == found.count("\n * ") == 5
