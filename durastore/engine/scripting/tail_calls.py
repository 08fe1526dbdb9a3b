"""Takes tail calls out of compiled Lua code, so that errors tell the line of the script.

The functions of ``redis``, ``cjson`` and so on are Lua functions here and C functions in Redis.  ``return
redis.call(...)`` would replace the script's frame by that of the called function, and with it the line that an error is
to tell.  So the instruction TAILCALL becomes a CALL (the RETURN behind it is there in any case), except where the
called function is an upvalue or a field of one: that is how functions of a script call themselves and each other, and
their recursion may be of any depth.

Source for the form of compiled code: "A No-Frills Introduction to Lua 5.1 VM Instructions".
"""

from __future__ import annotations

import struct
from typing import Final, final

_HEADER: Final = b"\x1bLua\x51\x00\x01\x04\x08\x04\x08\x00"
_GETUPVAL: Final = 4
_GETTABLE: Final = 6
_SELF: Final = 11
_CALL: Final = 28
_TAILCALL: Final = 29
_SETLIST: Final = 34
# Instructions that write no register, or not the one that their first operand names.
_NO_TARGET: Final = frozenset((7, 8, 9, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35))


@final
class _Patcher:
    def __init__(self, code: bytes) -> None:
        self.code = bytearray(code)
        self.at = len(_HEADER)
        self.changed = False

    def _int(self) -> int:
        number: int = struct.unpack_from("<i", self.code, self.at)[0]
        self.at += 4
        return number

    def _skip_string(self) -> None:
        size: int = struct.unpack_from("<Q", self.code, self.at)[0]
        self.at += 8 + size

    def function(self) -> None:
        """Patches the function that begins here, and those in it."""
        self._skip_string()
        self.at += 12
        self._instructions()
        for _ in range(self._int()):
            kind = self.code[self.at]
            self.at += 1
            if kind == 1:
                self.at += 1
            elif kind == 3:
                self.at += 8
            elif kind == 4:
                self._skip_string()
        for _ in range(self._int()):
            self.function()
        lines = self._int()
        self.at += lines * 4
        for _ in range(self._int()):
            self._skip_string()
            self.at += 8
        for _ in range(self._int()):
            self._skip_string()

    def _instructions(self) -> None:
        count = self._int()
        words: tuple[int, ...] = struct.unpack_from(f"<{count}I", self.code, self.at)
        i = 0
        while i < count:
            word = words[i]
            opcode = word & 63
            if opcode == _TAILCALL and not _calls_upvalue(words, i):
                struct.pack_into("<I", self.code, self.at + i * 4, word & ~63 | _CALL)
                self.changed = True
            # A SETLIST without its third operand has it in the word that follows.
            i += 2 if opcode == _SETLIST and not word >> 14 & 511 else 1
        self.at += count * 4


def _source(words: tuple[int, ...], before: int, register: int) -> int:
    """Which instruction before this one put a value into a register, or -1."""
    for i in range(before - 1, -1, -1):
        if words[i] & 63 not in _NO_TARGET and words[i] >> 6 & 255 == register:
            return i
    return -1


def _calls_upvalue(words: tuple[int, ...], i: int) -> bool:
    source = _source(words, i, words[i] >> 6 & 255)
    if source != -1 and words[source] & 63 in (_GETTABLE, _SELF):
        source = _source(words, source, words[source] >> 23)
    return source != -1 and words[source] & 63 == _GETUPVAL


def without_tail_calls(code: bytes) -> bytes | None:
    """The patched code, or None where there is nothing to patch."""
    if not code.startswith(_HEADER):
        return None
    patcher = _Patcher(code)
    patcher.function()
    return bytes(patcher.code) if patcher.changed else None
