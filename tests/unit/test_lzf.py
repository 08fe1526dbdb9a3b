"""LZF: round trips of both compressors through both builds' decompressor, and damage."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durastore.persistence import unlzf
from durastore.persistence.lzf import compress, compress_python
from durastore.persistence.unlzf import decompress
from support.twins import interpreted

Compress = Callable[[bytes], bytes | None]
Decompress = Callable[[bytes, int], bytes]

COMPRESSORS = [compress, compress_python]
INTERPRETED = interpreted(unlzf)
DECOMPRESSORS = [decompress, INTERPRETED.decompress, INTERPRETED.decompress_python]

compressible = st.builds(
    lambda words, picks: b"".join(words[pick % len(words)] for pick in picks),
    st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6),
    st.lists(st.integers(0, 5), max_size=120),
)


@given(compressible | st.binary(max_size=400))
def test_round_trip(data: bytes) -> None:
    for one in COMPRESSORS:
        packed = one(data)
        if packed is None:
            continue
        assert len(packed) <= len(data) - 4
        for other in DECOMPRESSORS:
            assert other(packed, len(data)) == data


@pytest.mark.parametrize("one", COMPRESSORS)
def test_compresses_what_can_be(one: Compress) -> None:
    assert one(b"") is None
    assert one(b"abcdefghijklmnopqrstuvwxyz") is None
    for size, most in ((100, 20), (10_000, 150), (1_000_000, 12_000)):
        packed = one(b"a" * size)
        assert packed is not None
        assert len(packed) <= most
        assert decompress(packed, size) == b"a" * size
    # A distance of more than 8192 cannot be written.
    far = bytes(range(256)) * 3 + b"\xff\xfe" * 6000 + bytes(range(256)) * 3
    packed = one(far)
    assert packed is not None
    assert decompress(packed, len(far)) == far


@pytest.mark.parametrize("one", DECOMPRESSORS)
@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"", 0),
        (b"", 5),
        (b"\x00a", 2),
        (b"\x01a", 2),
        (b"\x00a\x00b", 1),
        (b"\x00a\x20\x01", 4),
        (b"\x00a\x20", 4),
        (b"\x00a\xe0\x05", 15),
        (b"\x00a\x20\x00", 3),
        (b"\x00a\x20\x00", 5),
        (b"\x20\x00", 3),
        (b"\x00a\xe0\xff\x00", 1 << 40),
        (b"\x00a", -1),
    ],
)
def test_damage(one: Decompress, data: bytes, size: int) -> None:
    with pytest.raises(ValueError, match="compressed string"):
        one(data, size)


@given(st.binary(max_size=60), st.integers(0, 3000))
def test_arbitrary_input_unpacks_exactly_or_fails(data: bytes, size: int) -> None:
    results = []
    for one in DECOMPRESSORS:
        try:
            result = one(data, size)
            assert len(result) == size
            results.append(result)
        except ValueError:
            results.append(b"")
    assert results[0] == results[1] == results[2]
