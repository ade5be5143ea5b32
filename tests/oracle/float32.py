"""float32 from exact numbers, and back: rounded once, half to even, by whole numbers alone."""

import struct
from fractions import Fraction

MANTISSA_BITS = 24
LEAST_EXPONENT = -149
"""The smallest float32 above zero is 2 to this power."""
MOST_EXPONENT = 128


def bits_of(value: Fraction) -> int:
    """Return the 32 bits of the float32 that is nearest, of two the one with an even mantissa."""
    sign = 1 << 31 if value < 0 else 0
    value = abs(value)
    if value == 0:
        return 0
    exponent = max(_log2(value) - MANTISSA_BITS + 1, LEAST_EXPONENT)
    # Rounding of a Fraction is exact, half to even.
    mantissa = round(value / _power_of_2(exponent))
    # Mantissas that reach 2^24 or stay below 2^23 carry over into the exponent's bits by addition.
    bits = mantissa + ((exponent - LEAST_EXPONENT) << (MANTISSA_BITS - 1))
    if bits >= 0xFF << (MANTISSA_BITS - 1):
        raise OverflowError(value)
    return sign | bits


def steps_between(left: int, right: int) -> int:
    """Return how many float32 lie from one to the other, given by their bits."""
    return abs(_place(left) - _place(right))


def bits_of_float(value: float) -> int:
    """Return the bits of a float32 that is held in a float."""
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


def _place(bits: int) -> int:
    return -(bits & 0x7FFFFFFF) if bits >> 31 else bits


def _log2(value: Fraction) -> int:
    """Return the greatest whole n with 2^n <= value."""
    n = value.numerator.bit_length() - value.denominator.bit_length()
    return n if _power_of_2(n) <= value else n - 1


def _power_of_2(exponent: int) -> Fraction:
    return Fraction(2) ** exponent
