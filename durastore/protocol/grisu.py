"""The decimal digits of doubles as Redis prints them: by Grisu2.

Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with Integers", 2010) gives digits that
read back as the same number and are nearly always the fewest possible, but not always the closest ones: about one
number in a thousand ends in other digits than in ``repr``.  So a server that answers as Redis does needs the same
algorithm, with the same choices: 64-bit significands, powers of ten in steps of 8, a scaled exponent of -60 to -32.

Native integers have 63 bits and a sign, so numbers of 64 bits are held here as two halves, ``high`` and ``low``.
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, read_i64_le, write_f64_le, write_i64_le
from mypy_extensions import i64, u8

_FIRST_POWER: Final = -348
_STEP: Final = 8
_POWERS: Final = 87
_LOWEST: Final = -60
_HIGHEST: Final = -32
_HIDDEN: Final = 0x10000000000000
_FRACTION: Final = 0xFFFFFFFFFFFFF
_LOW: Final = 0xFFFFFFFF
_BIAS: Final = 1075
_LOG10_OF_2: Final = 0.30102999566398114


def _powers() -> bytes:
    """The powers of ten: the halves of a significand (64 bits, the first one set), and a binary exponent."""
    table = BytesWriter()
    for i in range(_POWERS):
        power = _FIRST_POWER + i * _STEP
        top = 10**power if power >= 0 else 1
        bottom = 1 if power >= 0 else 10**-power
        exponent = top.bit_length() - bottom.bit_length() - 63
        significand = _rounded(top, bottom, exponent)
        if significand.bit_length() < 64:
            exponent -= 1
            significand = _rounded(top, bottom, exponent)
        write_i64_le(table, significand >> 32)
        write_i64_le(table, significand & _LOW)
        write_i64_le(table, exponent)
    return table.getvalue()


def _rounded(top: int, bottom: int, shift: int) -> int:
    """``top / bottom / 2**shift``, to the nearest."""
    if shift < 0:
        top <<= -shift
    else:
        bottom <<= shift
    return (2 * top + bottom) // (2 * bottom)


_TABLE: Final = _powers()


def decimal_digits(value: float) -> tuple[bytes, i64]:
    """The digits of a positive, finite number, and the power of ten that the last one stands for."""
    bits_out = BytesWriter()
    write_f64_le(bits_out, value)
    bits = read_i64_le(bits_out.getvalue(), 0)
    exponent: i64 = bits >> 52
    if exponent == 0:
        return _of_subnormal(value)
    fraction: i64 = (bits & _FRACTION) | _HIDDEN
    # The number has 53 bits.  With the middles between it and its neighbours it is brought to 64.
    exponent -= _BIAS + 11
    index: i64 = (int(-float(exponent + _POWERS) * _LOG10_OF_2) - _FIRST_POWER) // _STEP
    while True:
        shift: i64 = -(exponent + read_i64_le(_TABLE, index * 24 + 16) + 64)
        if shift > -_LOWEST:
            index += 1
        elif shift < -_HIGHEST:
            index -= 1
        else:
            break
    high: i64 = read_i64_le(_TABLE, index * 24)
    low: i64 = read_i64_le(_TABLE, index * 24 + 8)
    # Half of the distance to the neighbour above is 2**10 on this scale, and to the one below a power of two 2**9.
    below: i64 = 512 if fraction == _HIDDEN else 1024
    middle: i64 = fraction >> 21
    rest: i64 = (fraction & 0x1FFFFF) << 11
    value_high, value_low = _product(middle, rest, high, low)
    upper_high, upper_low = _product(middle, rest + 1024, high, low)
    if rest >= below:
        lower_high, lower_low = _product(middle, rest - below, high, low)
    else:
        lower_high, lower_low = _product(middle - 1, rest + _LOW + 1 - below, high, low)
    # The products are off by at most one: the interval is narrowed by that much.
    if upper_low == 0:
        upper_high -= 1
        upper_low = _LOW + 1
    upper_low -= 1
    delta: i64 = ((upper_high - lower_high) << 32) + upper_low - lower_low - 1
    distance: i64 = ((upper_high - value_high) << 32) + upper_low - value_low
    return _generate(upper_high, upper_low, delta, distance, shift, -(_FIRST_POWER + index * _STEP))


def _of_subnormal(value: float) -> tuple[bytes, i64]:
    """Numbers below 2**-1022 have too few bits for the scale above; their digits are those of ``repr``."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, decimals = mantissa.partition(".")
    digits = whole + ("" if decimals == "0" else decimals)
    return digits.encode(), int(exponent) - (len(digits) - len(whole))


def _product(a_high: i64, a_low: i64, b_high: i64, b_low: i64) -> tuple[i64, i64]:
    """The upper 64 bits of a product, rounded."""
    high_low, low_of_high_low = _multiply(a_high, b_low)
    low_high, low_of_low_high = _multiply(a_low, b_high)
    low_low, _ = _multiply(a_low, b_low)
    high, low = _multiply(a_high, b_high)
    low += high_low + low_high + ((low_of_high_low + low_of_low_high + low_low + 0x80000000) >> 32)
    return high + (low >> 32), low & _LOW


def _multiply(a: i64, b: i64) -> tuple[i64, i64]:
    """The product of two halves, as two halves."""
    odd: i64 = a * (b & 1)
    half: i64 = a * (b >> 1) + (odd >> 1)
    return half >> 31, (half & 0x7FFFFFFF) << 1 | odd & 1


def _generate(high: i64, low: i64, delta: i64, distance: i64, shift: i64, exponent: i64) -> tuple[bytes, i64]:
    """The fewest digits of any number in the interval of ``delta`` below a number.

    The one that they are to be close to is ``distance`` below it.  All these stand for themselves / 2**shift.
    """
    one: i64 = _HIDDEN << (shift - 52) if shift >= 52 else _HIDDEN >> (52 - shift)
    whole: i64 = high >> (shift - 32)
    rest: i64 = ((high << 32) | low) & (one - 1)
    out = BytesWriter()
    place: i64 = 10
    unit: i64 = 1000000000
    while place > 0:
        digit: i64 = whole // unit
        if digit or len(out):
            out.append(u8(digit + 48))
        whole -= digit * unit
        place -= 1
        if whole == 0 and rest <= delta:
            _round(out, delta, rest, int(unit) << int(shift), distance)
            return out.getvalue(), exponent + place
        unit //= 10
    # From here on these may need more bits than a native integer has.
    width = int(delta)
    gap = int(distance)
    half: i64 = one >> 1
    while True:
        five: i64 = rest * 5
        digit = five >> (shift - 1)
        rest = (five & (half - 1)) << 1
        width *= 10
        gap *= 10
        place -= 1
        if digit or len(out):
            out.append(u8(digit + 48))
        if int(rest) < width:
            _round(out, width, int(rest), int(one), gap)
            return out.getvalue(), exponent + place


def _round(out: BytesWriter, delta: int, left: int, unit: int, distance: int) -> None:
    """Lowers the last digit while that brings the number closer."""
    last: i64 = len(out) - 1
    while (
        left < distance
        and delta - left >= unit
        and (left + unit < distance or distance - left > left + unit - distance)
    ):
        out[last] -= 1
        left += unit
