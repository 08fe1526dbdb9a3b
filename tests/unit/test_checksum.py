"""The two checksums: known values, and the fast and the slow form agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durastore.persistence import checksum


def test_known_values() -> None:
    # The check value in the comment of Redis's crc64.c, and the example in the reference package.
    assert checksum.crc64_redis(b"123456789") == 0xE9C6D914C4B8D9CA
    assert checksum.crc64_iso(b"IHATEMATH") == 0xE3DCADD69B01ADD1


@given(st.binary(max_size=300), st.integers(0, 2**64 - 1))
def test_fast_and_slow_form_agree(data: bytes, crc: int) -> None:
    assert checksum.crc64_redis(data, crc) == checksum.crc64_redis_python(data, crc)
    assert checksum.crc64_iso(data, crc) == checksum.crc64_iso_python(data, crc)


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_stretches_add_up(parts: list[bytes]) -> None:
    redis = iso = 0
    for part in parts:
        redis = checksum.crc64_redis(memoryview(part), redis)
        iso = checksum.crc64_iso(memoryview(part), iso)
    assert redis == checksum.crc64_redis(b"".join(parts))
    assert iso == checksum.crc64_iso(b"".join(parts))


def test_without_the_fast_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksum, "_redis", None)
    monkeypatch.setattr(checksum, "_iso", None)
    assert checksum.crc64_redis(b"6789", checksum.crc64_redis(b"12345")) == 0xE9C6D914C4B8D9CA
    assert checksum.crc64_iso(b"IHATEMATH") == 0xE3DCADD69B01ADD1
