"""What the Lua libraries struct and cmsgpack need of binary forms; native sizes are those of 64 bit Linux.

Each function returns True and its results, or False, the number of the argument that is wrong (0: none in particular)
and what is wrong with it: ``number`` and ``string`` are types that it should have.
"""

from __future__ import annotations

import math
import struct
from typing import Final, final

_SIZES: Final = {"b": 1, "B": 1, "h": 2, "H": 2, "l": 8, "L": 8, "T": 8, "f": 4, "d": 8, "x": 1}
_INTEGERS: Final = "bBhHlLTiI"
_LARGEST_INTEGER: Final = 32
_ALIGNMENT: Final = 8
_INT_MAX: Final = 2147483647
_WORD: Final = (1 << 64) - 1
# More results than this do not fit on Lua's stack.
_MOST_RESULTS: Final = 7900


class _Wrong(Exception):
    """An argument is wrong: its number, and how."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number
        self.text = text


@final
class _Format:
    """Reads a format string, option by option."""

    def __init__(self, text: bytes) -> None:
        # As in C, a zero byte ends it.
        self.text = text.partition(b"\0")[0].decode("latin-1")
        self.at = 0
        self.little = True
        self.align = 1

    def _number(self, default: int) -> int:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in "0123456789":
            self.at += 1
        if self.at == start:
            return default
        number = int(self.text[start : self.at]) if self.at - start < 12 else _INT_MAX + 1
        if number > _INT_MAX:
            raise _Wrong(0, "integral size overflow")
        return number

    def next(self, position: int) -> tuple[str, int, int]:
        """The next option, its size and the padding before it, where so many bytes precede; "" at the end."""
        if self.at >= len(self.text):
            return "", 0, 0
        option = self.text[self.at]
        self.at += 1
        size = _SIZES.get(option, 0)
        if option == "c":
            size = self._number(1)
        elif option in "iI":
            size = self._number(4)
            if size > _LARGEST_INTEGER:
                raise _Wrong(0, f"integral size {size} is larger than limit of {_LARGEST_INTEGER}")
        padding = 0
        if size and option != "c":
            bound = min(size, self.align)
            padding = (bound - (position & (bound - 1))) & (bound - 1)
        return option, size, padding

    def control(self, option: str) -> None:
        """Options that stand for no value."""
        if option == ">":
            self.little = False
        elif option == "<":
            self.little = True
        elif option == "!":
            align = self._number(_ALIGNMENT)
            if align <= 0 or align & (align - 1):
                raise _Wrong(0, f"alignment {align} is not a power of 2")
            self.align = align
        elif option != " ":
            raise _Wrong(1, f"invalid format option '{option}'")

    def float_code(self, option: str) -> str:
        """The code of Python's struct."""
        return ("<" if self.little else ">") + option


def _float(value: object, number: int) -> float:
    if isinstance(value, bytes):
        try:
            return float(value)
        except ValueError:
            raise _Wrong(number, "number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(number, "number")
    return float(value)


def _integer(value: object, number: int, size: int, little: bool) -> bytes:
    if isinstance(value, int) and not isinstance(value, bool):
        whole = value
    else:
        exact = _float(value, number)
        whole = int(exact) if math.isfinite(exact) else -(1 << 63)
    whole &= _WORD
    if size < 8:
        whole &= (1 << (size * 8)) - 1
    return whole.to_bytes(size, "little" if little else "big")


def _pack_float(code: str, value: float) -> bytes:
    try:
        return struct.pack(code, value)
    except OverflowError:
        return struct.pack(code, math.copysign(math.inf, value))


def _pack(form: _Format, arguments: tuple[object, ...]) -> bytes:
    out = bytearray()
    taken = 0
    while True:
        option, size, padding = form.next(len(out))
        if not option:
            return bytes(out)
        out += bytes(padding)
        if option == "x":
            out.append(0)
        elif option in _INTEGERS or option in "fdcs":
            number = taken + 2
            value = arguments[taken] if taken < len(arguments) else None
            taken += 1
            if option in _INTEGERS:
                out += _integer(value, number, size, form.little)
            elif option in "fd":
                out += _pack_float(form.float_code(option), _float(value, number))
            else:
                out += _text(value, number, option, size)
        else:
            form.control(option)


def _text(value: object, number: int, option: str, size: int) -> bytes:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = b"%.14g" % value
    if not isinstance(value, bytes):
        raise _Wrong(number, "string")
    if not size:
        size = len(value)
    if len(value) < size:
        raise _Wrong(number + 1, "string too short")
    return value[:size] + (b"\0" if option == "s" else b"")


def pack(form: bytes, *arguments: object) -> tuple[object, ...]:
    """struct.pack"""
    try:
        return True, _pack(_Format(form), arguments)
    except _Wrong as wrong:
        return False, wrong.number, wrong.text.encode("latin-1")


def _unpack_integer(data: bytes, little: bool, signed: bool) -> float:
    number = int.from_bytes(data, "little" if little else "big") if data else 0
    if len(data) > 8:
        number = int.from_bytes(data[:8], "little") if little else int.from_bytes(data[-8:], "big")
    bits = min(len(data), 8) * 8
    if signed and bits and number >> (bits - 1):
        number -= 1 << bits
    return float(number)


def _unpack(form: _Format, data: bytes, position: int) -> list[object]:
    found: list[object] = []
    while True:
        option, size, padding = form.next(position)
        if not option:
            found.append(position + 1)
            return found
        position += padding
        if position + size > len(data):
            raise _Wrong(2, "data string too short")
        if len(found) > _MOST_RESULTS:
            raise _Wrong(0, "stack overflow (too many results)")
        if option in _INTEGERS:
            found.append(_unpack_integer(data[position : position + size], form.little, option.islower()))
        elif option in "fd":
            found.append(struct.unpack(form.float_code(option), data[position : position + size])[0])
        elif option == "c":
            if not size:
                size = _size_before(found)
                if position + size > len(data):
                    raise _Wrong(2, "data string too short")
            found.append(data[position : position + size])
        elif option == "s":
            end = data.find(b"\0", position)
            if end == -1:
                raise _Wrong(0, "unfinished string in data")
            size = end - position + 1
            found.append(data[position:end])
        elif option != "x":
            form.control(option)
        position += size


def _size_before(found: list[object]) -> int:
    """Takes the size of a string of the option c0, which is the value before it."""
    if not found or not isinstance(found[-1], float):
        raise _Wrong(0, "format 'c0' needs a previous size")
    size = found.pop()
    assert isinstance(size, float)
    return int(size) if 0 <= size < _INT_MAX else _INT_MAX


def unpack(form: bytes, data: bytes, position: float) -> tuple[object, ...]:
    """struct.unpack"""
    start = int(position) if math.isfinite(position) else 0
    if start == 0:
        return False, 3, b"offset must be 1 or greater"
    if start < 0:
        # Its type has no sign: it is far behind the data.
        start = _INT_MAX
    try:
        return True, *_unpack(_Format(form), data, start - 1)
    except _Wrong as wrong:
        return False, wrong.number, wrong.text.encode("latin-1")


def _size(form: _Format) -> int:
    position = 0
    while True:
        option, size, padding = form.next(position)
        if not option:
            return position
        position += padding
        if option == "s":
            raise _Wrong(1, "option 's' has no fixed size")
        if option == "c" and not size:
            raise _Wrong(1, "option 'c0' has no fixed size")
        if not (option.isascii() and option.isalnum()):
            form.control(option)
        position += size


def size(form: bytes) -> tuple[object, ...]:
    """struct.size"""
    try:
        return True, _size(_Format(form))
    except _Wrong as wrong:
        return False, wrong.number, wrong.text.encode("latin-1")


def pack_double(value: float) -> bytes:
    """MessagePack's form of a number that is no integer: of four bytes where these hold it."""
    try:
        short = struct.pack(">f", value)
        if struct.unpack(">f", short)[0] == value:
            return b"\xca" + short
    except OverflowError:
        pass
    return b"\xcb" + struct.pack(">d", value)


def unpack_double(data: bytes) -> float:
    """The number of these four or eight bytes."""
    number: float = struct.unpack(">f" if len(data) == 4 else ">d", data)[0]
    return number
