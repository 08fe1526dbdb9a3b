"""Lines, numbers and globs read as redis-server reads them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durastore.config.grammar import (
    format_memory,
    glob_match,
    parse_integer,
    parse_memory,
    quote,
    split_words,
)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b" \t\r ", []),
        (b"port 6379", [b"port", b"6379"]),
        (b"  port\t 6379 ", [b"port", b"6379"]),
        (rb'a "b c" d', [b"a", b"b c", b"d"]),
        (rb'"\n\r\t\b\a\x41\q\"\\"', [b'\n\r\t\b\aAq"\\']),
        (rb'"\x4"', [b"x4"]),
        (rb"'it\'s \n'", [rb"it's \n"]),
        (b'save ""', [b"save", b""]),
        (b'pre"fix"', [b"prefix"]),
        (b'"open', None),
        (b"'open", None),
        (b'"closed"tail', None),
        (b"'closed'tail", None),
        (b'"ends in \\', None),
    ],
)
def test_a_line_is_split_into_words(line: bytes, words: list[bytes] | None) -> None:
    assert split_words(line) == words


@given(st.lists(st.binary()))
def test_quoted_words_come_back(words: list[bytes]) -> None:
    assert split_words(b" ".join(quote(word) for word in words)) == words


def test_quoting_leaves_only_printable_bytes() -> None:
    assert quote(b'a"\\\n\x00\xff') == rb'"a\"\\\n\x00\xff"'


@pytest.mark.parametrize(
    ("word", "number"),
    [
        (b"0", 0), (b"", 0), (b"10b", 10), (b"1k", 1000), (b"1KB", 1024), (b"2m", 2_000_000), (b"2mB", 2 << 20),
        (b"3g", 3_000_000_000), (b"3gb", 3 << 30), (b"18446744073709551615", (1 << 64) - 1),
        (b"18446744073709551616", (1 << 64) - 1), (b"99999999999gb", None), (b"-1", None), (b"1tb", None),
        (b"1 kb", None), (b"1.5gb", None), (b"9" * 5000, None),
    ],
)  # fmt: skip
def test_sizes_have_units(word: bytes, number: int | None) -> None:
    assert parse_memory(word) == number


@given(st.integers(0, (1 << 64) - 1))
def test_a_size_is_written_so_that_it_reads_the_same(number: int) -> None:
    assert parse_memory(format_memory(number)) == number


def test_a_size_is_written_in_its_largest_unit() -> None:
    assert [format_memory(n) for n in (0, 1000, 2048, 64 << 20, 3 << 30)] == [b"0", b"1000", b"2kb", b"64mb", b"3gb"]


@pytest.mark.parametrize("word", [b"", b" 5", b"5 ", b"+5", b"05", b"-0", b"1e3", b"9223372036854775808", b"9" * 9999])
def test_numbers_have_one_spelling(word: bytes) -> None:
    assert parse_integer(word) is None


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("h?llo", "hello", True),
        ("h?llo", "hllo", False),
        ("h*llo", "heeeello", True),
        ("*a*b*c", "xxaxxbxxc", True),
        ("*a*b*c", "xxaxxcxxb", False),
        ("h[ae]llo", "hallo", True),
        ("h[^e]llo", "hello", False),
        ("h[^e]llo", "hallo", True),
        ("[c-a]", "b", True),
        ("[a-c]", "d", False),
        (r"[\]]", "]", True),
        ("[a", "a", True),
        (r"\*", "*", True),
        (r"\*", "x", False),
        ("a\\", "a\\", True),
        ("[^]", "x", True),
        ("[]", "x", False),
    ],
)
def test_globs_match_as_in_keys(pattern: str, text: str, matches: bool) -> None:
    assert glob_match(pattern.encode(), text.encode()) is matches


def test_globs_can_ignore_case() -> None:
    assert glob_match(b"Max[A-Z]*", b"maxmemory", ignore_case=True)
    assert not glob_match(b"Max*", b"maxmemory")


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_stars_and_question_marks_are_what_a_regex_says(pattern: str, text: str) -> None:
    regex = pattern.replace("*", ".*").replace("?", ".")
    assert glob_match(pattern.encode(), text.encode()) is (re.fullmatch(regex, text) is not None)


def test_a_hostile_glob_takes_no_exponential_time() -> None:
    assert not glob_match(b"*a" * 200 + b"b", b"a" * 2000)
