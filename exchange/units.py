"""The only place where text, Decimal and float become integers, and back for display.

Everything inward of here is integers: prices in ticks, sizes in lots, money and mark prices in 1e-8, rates in 1e-9.
A number that does not fit its grid exactly is refused; nothing is rounded silently.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction

VALUE_ONE = 100_000_000
RATE_ONE = 1_000_000_000
NS_PER_SECOND = 1_000_000_000

Number = int | float | str | Decimal | Fraction


def exact(number: Number, what: str = "number") -> Fraction:
    """`number` as an exact fraction; a float means its shortest decimal text. Raises ValueError on anything else."""
    if isinstance(number, bool) or not isinstance(number, Number):
        raise ValueError(f"{what} must be a number, not {number!r}")
    try:
        value = Decimal(repr(number)) if isinstance(number, float) else number
        return Fraction(Decimal(value.replace("_", "")) if isinstance(value, str) else value)
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"{what} {number!r} is not a finite number") from None


def on_grid(number: Number, step: Fraction, what: str) -> int:
    """How many `step`s `number` is. Raises ValueError when that is not a whole number."""
    steps = exact(number, what) / step
    if steps.denominator != 1:
        raise ValueError(f"{what} {number} is not a multiple of {decimal_text(step)}")
    return int(steps)


def money(number: Number, what: str = "amount") -> int:
    """Money or a price in 1e-8."""
    return on_grid(number, Fraction(1, VALUE_ONE), what)


def rate(number: Number, what: str = "rate") -> int:
    """A rate in 1e-9: 0.0005 is 500,000."""
    return on_grid(number, Fraction(1, RATE_ONE), what)


def nanoseconds(seconds: Number, what: str = "duration") -> int:
    """Seconds as nanoseconds."""
    return on_grid(seconds, Fraction(1, NS_PER_SECOND), what)


def decimal_text(number: Fraction) -> str:
    """Exact decimal text where there is one, else a fraction."""
    scaled = number
    for digits in range(19):
        if scaled.denominator == 1:
            text = f"{abs(int(scaled)):0{digits + 1}d}"
            text = f"{text[:-digits]}.{text[-digits:]}" if digits else text
            return f"-{text}" if number < 0 else text
        scaled *= 10
    return str(number)


def show_money(units: int, digits: int = 2) -> str:
    """1e-8 units as text with thousands separators, rounded half up for display only."""
    scale = 10 ** (8 - digits)
    rounded = (abs(units) + scale // 2) // scale
    whole, fraction = divmod(rounded, 10**digits)
    return f"{'-' if units < 0 else ''}{whole:,}" + (f".{fraction:0{digits}d}" if digits else "")
