"""Numbers as Redis reads and prints them.

Redis adds floating-point increments in the 80-bit long double of x86; Python has no such type, so that arithmetic is
done here exactly, on fractions rounded to a mantissa of 64 bits.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

from mypy_extensions import i64

from durastore.protocol.grisu import decimal_digits

INT64_MIN: Final = -9223372036854775808
INT64_MAX: Final = 9223372036854775807

# Exact as doubles.
_TENS: Final = [1.0, 10.0, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]
_WHOLE_LIMIT: Final = 4611686018427387903.0
_MANTISSA_BITS: Final = 64
_LONG_DOUBLE_MAX: Final = Fraction(2) ** 16384 - Fraction(2) ** 16320
_LONG_DOUBLE_TINY: Final = Fraction(2) ** -16445
_DECIMAL: Final = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_HEXADECIMAL: Final = re.compile(rb"([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)(?:[pP]([+-]?[0-9]+))?\Z")
_INFINITY: Final = re.compile(rb"[+-]?inf(?:inity)?\Z", re.IGNORECASE)
# The longest text that Redis reads as a long double, in bytes.  Python's int() and str() end at 4300 digits; Decimal's
# conversions do not.
_LONGEST: Final = 5 * 1024 - 1
# Beyond these an exponent only says "overflow" or "zero", and must not be computed with.
_EXPONENT_LIMIT: Final = 20000


class NotANumber(ValueError):
    """The text is not a number of the kind asked for, or is out of its range."""


def digits_value(digits: bytes) -> int:
    """What decimal digits say; of more than 20, zeros in front left out, only that it is beyond 64 bits.

    Python does not convert more than 4300 of them.
    """
    digits = digits.lstrip(b"0")
    return int(digits[:21] or b"0")


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


def parse_double(text: bytes) -> float:
    """A double as Redis takes it from clients: what strtod reads, as a whole and without leading spaces.

    Raises NotANumber for anything else, for NaN, and for what overflows, or is too small not to be zero.
    """
    found = _short_double(text)
    return _parse_other_double(text) if math.isnan(found) else found


def _short_double(text: bytes) -> float:
    """A number of up to 15 digits without an exponent; NaN for everything else."""
    size: i64 = len(text)
    if size == 0 or size > 17:
        return math.nan
    first: i64 = text[0]
    pos: i64 = 1 if first == 45 or first == 43 else 0
    value: i64 = 0
    digits: i64 = 0
    point: i64 = -1
    while pos < size:
        c: i64 = text[pos]
        if 48 <= c <= 57:
            value = value * 10 + c - 48
            digits += 1
        elif c == 46 and point == -1:
            point = digits
        else:
            return math.nan
        pos += 1
    if digits == 0 or digits > 15:
        return math.nan
    # Both whole numbers of the quotient are exact, so it is rounded once.
    found = float(value) if point == -1 else float(value) / _TENS[digits - point]
    return -found if first == 45 else found


def _parse_other_double(text: bytes) -> float:
    if _INFINITY.match(text):
        return -math.inf if text.startswith(b"-") else math.inf
    found = _strtod(text)
    if math.isinf(found) or (found == 0.0 and any(c in b"123456789abcdefABCDEF" for c in _mantissa(text))):
        raise NotANumber
    return found


def _mantissa(text: bytes) -> bytes:
    text = text.lower()
    if b"x" in text:
        return text.partition(b"x")[2].partition(b"p")[0]
    return text.partition(b"e")[0]


def _strtod(text: bytes) -> float:
    """A finite decimal or hexadecimal number; infinity where it overflows."""
    if _DECIMAL.match(text):
        return float(text)
    match = _HEXADECIMAL.match(text)
    if match is None or not (match[2] or match[3]):
        raise NotANumber
    try:
        return float.fromhex(text.decode())
    except OverflowError:
        return -math.inf if text.startswith(b"-") else math.inf


def parse_score_bound(text: bytes) -> float:
    """A double where Redis leaves all to strtod: nothing is 0, spaces may lead, and a NUL ends it."""
    found = _short_double(text)
    if not math.isnan(found):
        return found
    text = text.partition(b"\0")[0].lstrip(b" \t\n\v\f\r")
    if not text:
        return 0.0
    if _INFINITY.match(text):
        return -math.inf if text.startswith(b"-") else math.inf
    return _strtod(text)


def format_double(value: float) -> bytes:
    """A double as Redis prints it: whole numbers up to half of 64 bits as integers, others by ``format_digits``."""
    if -_WHOLE_LIMIT <= value <= _WHOLE_LIMIT:
        whole: i64 = int(value)
        if float(whole) == value:
            return b"-0" if whole == 0 and math.copysign(1.0, value) < 0 else str(whole).encode()
    return format_digits(value)


def format_digits(value: float) -> bytes:
    """A double by its digits (see ``durastore.protocol.grisu``), in one of Redis's three layouts."""
    if math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    if math.isnan(value):
        return b"nan"
    if value == 0.0:
        return b"-0" if math.copysign(1.0, value) < 0 else b"0"
    sign = b"-" if value < 0 else b""
    digits, power = decimal_digits(abs(value))
    size: i64 = len(digits)
    exponent: i64 = power + size - 1
    far: i64 = -exponent if exponent < 0 else exponent
    if power >= 0 and far < size + 7:
        return sign + digits + b"0" * power
    if power < 0 and (power > -7 or far < 4):
        whole: i64 = size + power
        if whole <= 0:
            return sign + b"0." + b"0" * -whole + digits
        return sign + digits[:whole] + b"." + digits[whole:]
    # The C library of Redis has room for so many.
    digits = digits[: 18 - len(sign)]
    mantissa = digits if size == 1 else digits[:1] + b"." + digits[1:]
    return sign + mantissa + (b"e-" if exponent < 0 else b"e+") + str(far).encode()


def parse_long_double(text: bytes) -> Fraction | float:
    """A number as strtold reads it, rounded to 80-bit precision; an infinity comes back as a float.

    Raises NotANumber for what is not a number as a whole, for NaN, and for what overflows or underflows.
    """
    if len(text) > _LONGEST:
        raise NotANumber
    if _INFINITY.match(text):
        return -math.inf if text.startswith(b"-") else math.inf
    if _DECIMAL.match(text):
        mantissa, _, exponent = text.lower().partition(b"e")
        power = _exponent(exponent)
        if abs(power) > _EXPONENT_LIMIT:
            if any(c in b"123456789" for c in mantissa):
                raise NotANumber
            return Fraction(0)
        exact = Fraction(Decimal(mantissa.decode())) * Fraction(10) ** power
    else:
        match = _HEXADECIMAL.match(text)
        if match is None or not (match[2] or match[3]):
            raise NotANumber
        power = _exponent(match[4]) - 4 * len(match[3])
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


def _exponent(text: bytes | None) -> int:
    """An exponent, or some number that is as good as it where it is beyond the limit."""
    if not text:
        return 0
    power = digits_value(text.lstrip(b"+-"))
    return -power if text.startswith(b"-") else power


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
    text = str(Decimal(whole))
    if decimals:
        text += "." + f"{decimals:017d}".rstrip("0")
    if value < 0 and quotient:
        text = "-" + text
    return text.encode()
