"""Long strings into RDB, a part at a time."""

from __future__ import annotations

from typing import Final, final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

from durastore.persistence.lzf import compress as lzf_compress
from durastore.persistence.lzf import literals
from durastore.persistence.rdb.parts import Parts
from durastore.persistence.rdb.primitives import write_count

# Strings longer than this are written in parts of as many bytes.
STRING_PART: Final = 64 * 1024
# Shorter by more than this is worth it, as for short strings.
_GAIN: Final = 4


@final
class StringParts(Parts):
    """A string on its way out.

    It is compressed part by part first, as its compressed size stands before it: one LZF string after the other is the
    LZF string of all.
    """

    def __init__(self, text: bytes | bytearray, compress: bool) -> None:
        super().__init__()
        self._text = text
        self._size: i64 = len(text)
        self._at: i64 = 0
        self._packed: list[bytes] = []
        self._packed_size: i64 = 0
        self._compressing = compress
        self._begun = False

    def step(self, out: BytesWriter) -> bool:
        """See Parts."""
        if self._compressing:
            self._compress_part()
            return True
        if not self._begun:
            self._begin(out)
        if self._packed:
            if self._at < len(self._packed):
                out.write(self._packed[self._at])
                self._at += 1
            return self._at < len(self._packed)
        out.write(self._part())
        return self._at < self._size

    def _part(self) -> bytes:
        start: i64 = self._at
        self._at = min(start + STRING_PART, self._size)
        return bytes(self._text[start : self._at])

    def _compress_part(self) -> None:
        part = self._part()
        packed = lzf_compress(part)
        if packed is None:
            packed = literals(part)
        self._packed.append(packed)
        self._packed_size += len(packed)
        # What does not become shorter in its first part is taken for data that never does.
        hopeless = len(self._packed) == 1 and len(packed) >= len(part)
        if hopeless or self._at == self._size:
            if hopeless or self._packed_size >= self._size - _GAIN:
                self._packed = []
            self._compressing = False
            self._at = 0

    def _begin(self, out: BytesWriter) -> None:
        self._begun = True
        if self._packed:
            out.append(u8(0xC3))
            write_count(out, self._packed_size)
        write_count(out, self._size)
