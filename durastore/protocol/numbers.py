"""Numbers as Redis reads and prints them.

Redis adds floating-point increments in the 80-bit long double of x86; Python has no such type, so that arithmetic is
done here exactly, on fractions rounded to a mantissa of 64 bits.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Final

from mypy_extensions import i64

INT64_MIN: Final = -9223372036854775808
INT64_MAX: Final = 9223372036854775807

_MANTISSA_BITS: Final = 64
_LONG_DOUBLE_MAX: Final = Fraction(2) ** 16384 - Fraction(2) ** 16320
_LONG_DOUBLE_TINY: Final = Fraction(2) ** -16445
_DECIMAL: Final = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_HEXADECIMAL: Final = re.compile(rb"([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)(?:[pP]([+-]?[0-9]+))?\Z")
_INFINITY: Final = re.compile(rb"[+-]?inf(?:inity)?\Z", re.IGNORECASE)
# Beyond these an exponent only says "overflow" or "zero", and must not be computed with.
_EXPONENT_LIMIT: Final = 20000


class NotANumber(ValueError):
    """The text is not a number of the kind asked for, or is out of its range."""


def parse_int(text: bytes) -> i64:
    """A 64-bit signed integer in its one canonical form: no plus, no spaces, no leading zeros.

    Raises NotANumber for anything else.
    """
    size: i64 = len(text)
    if size == 0 or size > 20:
        raise NotANumber
    pos: i64 = 0
    negative = False
    c: i64 = text[0]
    if c == 45:
        if size == 1:
            raise NotANumber
        negative = True
        pos = 1
        c = text[1]
    if c == 48:
        if size == 1:
            return 0
        raise NotANumber
    value: i64 = 0
    if size - pos > 18:
        return _parse_long(text)
    while pos < size:
        c = text[pos]
        if c < 48 or c > 57:
            raise NotANumber
        value = value * 10 + c - 48
        pos += 1
    return -value if negative else value


def _parse_long(text: bytes) -> i64:
    """19 and 20 characters: where overflow is possible."""
    if not text.lstrip(b"-").isdigit() or text.startswith(b"--"):
        raise NotANumber
    value = int(text)
    if value < INT64_MIN or value > INT64_MAX:
        raise NotANumber
    return value


def is_int(text: bytes) -> bool:
    """Whether ``parse_int`` would accept the text."""
    size: i64 = len(text)
    if size == 0 or size > 20:
        return False
    c: i64 = text[0]
    if c != 45 and (c < 48 or c > 57):
        return False
    try:
        parse_int(text)
    except NotANumber:
        return False
    return True


def format_double(value: float) -> bytes:
    """A double in the shortest form that reads back as itself, laid out as Redis does."""
    if math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    if math.isnan(value):
        return b"nan"
    if value == 0:
        return b"-0" if math.copysign(1.0, value) < 0 else b"0"
    if value == int(value) and abs(value) < 1e17:
        return str(int(value)).encode()
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    if mantissa.endswith(".0"):
        mantissa = mantissa[:-2]
    if not exponent:
        if abs(value) < 1e-4:
            return f"{value:.17g}".encode()
        return mantissa.encode()
    return f"{mantissa}e{exponent[0] if exponent[0] in '+-' else '+'}{exponent.lstrip('+-').lstrip('0')}".encode()


def parse_long_double(text: bytes) -> Fraction | float:
    """A number as strtold reads it, rounded to 80-bit precision; an infinity comes back as a float.

    Raises NotANumber for what is not a number as a whole, for NaN, and for what overflows or underflows.
    """
    if len(text) > 4096:
        raise NotANumber
    if _INFINITY.match(text):
        return -math.inf if text.startswith(b"-") else math.inf
    if _DECIMAL.match(text):
        mantissa, _, exponent = text.lower().partition(b"e")
        power = int(exponent) if exponent else 0
        if abs(power) > _EXPONENT_LIMIT:
            if any(c in b"123456789" for c in mantissa):
                raise NotANumber
            return Fraction(0)
        exact = Fraction(mantissa.decode()) * Fraction(10) ** power
    else:
        match = _HEXADECIMAL.match(text)
        if match is None or not (match[2] or match[3]):
            raise NotANumber
        power = int(match[4] or b"0") - 4 * len(match[3])
        digits = int(match[2] + match[3], 16)
        if abs(power) > _EXPONENT_LIMIT:
            if digits:
                raise NotANumber
            return Fraction(0)
        exact = Fraction(digits) * Fraction(2) ** power
        if match[1] == b"-":
            exact = -exact
    if exact and abs(exact) < _LONG_DOUBLE_TINY:
        raise NotANumber
    rounded = round_long_double(exact)
    if isinstance(rounded, float):
        raise NotANumber
    return rounded


def round_long_double(exact: Fraction) -> Fraction | float:
    """The nearest 80-bit long double, ties to even; an infinity (as float) where it overflows."""
    if not exact:
        return exact
    numerator, denominator = abs(exact.numerator), exact.denominator
    shift = numerator.bit_length() - denominator.bit_length() - _MANTISSA_BITS
    for scale in (shift, shift + 1):
        top = numerator << max(-scale, 0)
        bottom = denominator << max(scale, 0)
        quotient, rest = divmod(top, bottom)
        if quotient.bit_length() <= _MANTISSA_BITS:
            break
    if 2 * rest > bottom or (2 * rest == bottom and quotient & 1):
        quotient += 1
    rounded = Fraction(quotient) * Fraction(2) ** scale
    if rounded > _LONG_DOUBLE_MAX:
        return -math.inf if exact < 0 else math.inf
    return -rounded if exact < 0 else rounded


def format_long_double(value: Fraction) -> bytes:
    """At most 17 decimals, without trailing zeros: the "human" form that INCRBYFLOAT stores."""
    scaled = abs(value) * 10**17
    quotient, rest = divmod(scaled.numerator, scaled.denominator)
    if 2 * rest > scaled.denominator or (2 * rest == scaled.denominator and quotient & 1):
        quotient += 1
    whole, decimals = divmod(quotient, 10**17)
    text = str(whole)
    if decimals:
        text += "." + f"{decimals:017d}".rstrip("0")
    if value < 0 and quotient:
        text = "-" + text
    return text.encode()
