"""The request parser: whatever way the bytes arrive, the same requests come out; bad bytes get Redis's words."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durastore.protocol.parser import ERROR, NEED_DATA, REQUEST, RequestParser, encode_request, split_line


def parse(parser: RequestParser, *pieces: bytes) -> list[list[bytes]]:
    found = []
    for piece in pieces:
        parser.feed(piece)
        while (outcome := parser.next()) == REQUEST:
            found.append(parser.argv)
        if outcome == ERROR:
            raise ValueError(parser.error.decode())
    return found


def new_parser() -> RequestParser:
    return RequestParser(512 << 20, 1 << 30)


@given(
    requests=st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=6), max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_fragments_do_not_matter(requests: list[list[bytes]], cuts: list[int]) -> None:
    data = b"".join(encode_request(argv) for argv in requests)
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[a:b] for a, b in pairwise(edges)]
    parser = new_parser()
    assert parse(parser, *pieces) == requests
    assert parser.at_boundary()
    assert parser.buffered() == 0


def test_big_bulks_arrive_in_pieces_and_take_what_follows_along() -> None:
    big = bytes(range(256)) * 1000
    data = encode_request([b"SET", b"k", big]) + encode_request([b"GET", b"k"]) + b"PING\r\n"
    pieces = [data[i : i + 1000] for i in range(0, len(data), 1000)]
    assert parse(new_parser(), *pieces) == [[b"SET", b"k", big], [b"GET", b"k"], [b"PING"]]


def test_the_place_of_a_canonical_request_is_told() -> None:
    parser = new_parser()
    data = encode_request([b"SET", b"k", b"v"])
    parser.feed(data * 2 + b"*1\r\n$4\r\nPINGxx")
    assert parser.next() == REQUEST
    assert parser.next() == REQUEST
    assert parser.buf[parser.start : parser.pos] == data
    assert parser.next() == REQUEST
    assert parser.start == -1, "the bytes behind the bulk are not a line end, so a log must not take them"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b'SET a "b\r\n', "unbalanced quotes in request"),
        (b"a" * 65537, "too big inline request"),
        (b"*" + b"1" * 65537, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 65537, "too big bulk count string"),
    ],
)
def test_protocol_errors(data: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match="ERR Protocol error: ") as caught:
        parse(new_parser(), data)
    assert str(caught.value) == f"ERR Protocol error: {complaint}"


def test_limits_before_authentication() -> None:
    parser = new_parser()
    parser.authenticated = False
    with pytest.raises(ValueError, match="unauthenticated multibulk length"):
        parse(parser, b"*11\r\n")
    parser = new_parser()
    parser.authenticated = False
    with pytest.raises(ValueError, match="unauthenticated bulk length"):
        parse(parser, b"*1\r\n$16385\r\n")


def test_a_client_may_not_buffer_more_than_its_limit() -> None:
    parser = RequestParser(512 << 20, 40_000)
    # It is enough to announce it.
    parser.feed(b"*2\r\n$3\r\nGET\r\n$40000\r\n")
    assert parser.next() == ERROR
    assert parser.error == b""


def test_arguments_are_not_buffered_any_more() -> None:
    parser = RequestParser(512 << 20, 40_000)
    parser.feed(b"*4\r\n")
    for _ in range(3):
        parser.feed(b"$30000\r\n" + b"x" * 30_000 + b"\r\n")
        assert parser.next() == NEED_DATA
    assert parser.buffered() == 0
    assert parser.held() >= parser.argument_bytes() == 90_000
    parser.feed(b"$39998\r\n" + b"x" * 39_000)
    assert parser.next() == NEED_DATA
    assert parser.buffered() == 39_000
    parser.feed(b"x" * 998 + b"\r\n")
    assert parser.next() == REQUEST
    parser.let_go()
    assert parser.held() == 0


def test_empty_and_null_requests_are_skipped_however_many() -> None:
    assert parse(new_parser(), b"*0\r\n*-1\r\n\r\n" * 50_000 + b"PING\r\n") == [[b"PING"]]


def test_annotations_are_skipped_in_a_log() -> None:
    parser = new_parser()
    parser.annotations = True
    assert parse(parser, b"#TS:1\r\n*1\r\n$4\r\nPING\r\n#x\r\n") == [[b"PING"]]
    assert parser.next() == NEED_DATA


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"set a b", [b"set", b"a", b"b"]),
        (b"  set \"a b\" 'c d' ", [b"set", b"a b", b"c d"]),
        (b"\"\\x41\\n\\\"\" 'it\\'s'", [b'A\n"', b"it's"]),
        (b"", []),
        (b'"a"b', None),
        (b"'a", None),
    ],
)
def test_inline_quoting(line: bytes, words: list[bytes] | None) -> None:
    assert split_line(line) == words
