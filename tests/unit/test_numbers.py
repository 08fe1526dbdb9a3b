"""Doubles as Redis reads and prints them.  What valkey-server printed is listed as it came."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durastore.protocol.numbers import NotANumber, format_digits, format_double, parse_double, parse_score_bound

PRINTED = [
    (0.0, b"0"),
    (-0.0, b"-0"),
    (1.0, b"1"),
    (-17.0, b"-17"),
    (0.1, b"0.1"),
    (3.0000000000000004, b"3.0000000000000004"),
    (1e-5, b"0.00001"),
    (1.5e-7, b"1.5e-7"),
    (0.0006448766280970097, b"6.448766280970097e-4"),
    (1234567.12345678, b"1.23456712345678e+6"),
    (40588.802122940484, b"4.0588802122940484e+4"),
    (1e17, b"100000000000000000"),
    (4e18, b"4000000000000000000"),
    (5e18, b"5e+18"),
    (5.866371649046577e20, b"586637164904657700000"),
    (1e22, b"1e+22"),
    (-1e300, b"-1e+300"),
    (1e-320, b"1e-320"),
    (6.0275252881417425e236, b"6.0275252881417425e+236"),
    (4.372234870567831e236, b"4.3722348705678305e+236"),
    (6.5273114761254025e-84, b"6.5273114761254025e-84"),
    # Grisu2's choice, not the closest one.
    (93769246112972.88, b"93769246112972.87"),
    (math.inf, b"inf"),
    (-math.inf, b"-inf"),
    (math.nan, b"nan"),
]


@pytest.mark.parametrize(("value", "text"), PRINTED)
def test_printed(value: float, text: bytes) -> None:
    assert format_double(value) == text


def test_digits_of_a_whole_number() -> None:
    assert format_digits(1e17) == b"1e+17"
    assert format_digits(-0.0) == b"-0"


@given(st.floats(allow_nan=False))
def test_what_is_printed_reads_back_as_the_same(value: float) -> None:
    for text in (format_double(value), format_digits(value)):
        assert parse_double(text) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_reads_what_python_writes(value: float) -> None:
    for text in (repr(value), f"{value:.17g}", f"{value:.6f}", value.hex()):
        wanted = float.fromhex(text) if "x" in text else float(text)
        if wanted != 0.0 or value == 0.0:
            assert parse_double(text.encode()) == wanted
        assert parse_score_bound(text.encode()) == wanted


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"1", 1), (b"+1.", 1), (b"-.5", -0.5), (b"0x1p-3", 0.125), (b"0X.8", 0.5), (b"1e2", 100), (b"000000.10", 0.1),
     (b"123456789012345", 123456789012345), (b"1234567890.12345", 1234567890.12345), (b"1e-320", 1e-320),
     (b"Infinity", math.inf), (b"-inf", -math.inf), (b"0e999", 0), (b"9007199254740993", 9007199254740992)],
)  # fmt: skip
def test_reads(text: bytes, value: float) -> None:
    assert parse_double(text) == value
    assert parse_score_bound(text) == value


@pytest.mark.parametrize(
    "text", [b"", b" 1", b"1 ", b"1e", b".", b"-", b"+", b"1_0", b"nan", b"nan(1)", b"1e400", b"-1e400", b"1e-400",
             b"0x", b"0x1p9999", b"0x1p-9999", b"1\x00", b"infin", b"1.2.3", b"--1", b"1d5"],
)  # fmt: skip
def test_does_not_read(text: bytes) -> None:
    with pytest.raises(NotANumber):
        parse_double(text)


def test_bounds_are_read_by_strtod_alone() -> None:
    assert parse_score_bound(b"") == 0.0
    assert parse_score_bound(b" \t1") == 1.0
    assert parse_score_bound(b"5\x00abc") == 5.0
    assert parse_score_bound(b"-1e400") == -math.inf
    assert parse_score_bound(b"0x1p9999") == math.inf
    assert parse_score_bound(b"1e-400") == 0.0
    for text in (b"1 ", b"nan", b"x"):
        with pytest.raises(NotANumber):
            parse_score_bound(text)
