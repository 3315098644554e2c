"""The formulas of margin rates as Python functions, for the calculator and for published cases.

Doors of `initial.pxd`, which the engine calls too. Amounts are integers in any unit of money, rates in 1e-9.
"""

from libc.stdint cimport int64_t

from .initial cimport WHOLE_E18, scaled_rate
from .units cimport RATE_ONE, mul_div_ceil


def initial_at_interest(notional: int, rate: int, interest: int, lower: int, upper: int) -> int:
    """Initial margin of a notional whose rate open interest scales (dYdX v4), rounded up.

    rate      without a scale
    interest  open interest; from `lower` on the rate rises on a line, to 100 % at `upper`; upper 0: it does not

    Raises ValueError for a rate below 0 or above 100 % or a negative amount, OverflowError where a number leaves 64 bits.
    """
    cdef int overflow = 0               # stays 0: a margin is at most its notional
    if not 0 <= rate <= RATE_ONE or min(notional, interest, lower, upper) < 0:
        raise ValueError("a rate is not between 0 and 1, or an amount is negative")
    return mul_div_ceil(
        notional, scaled_rate(rate * <int64_t>RATE_ONE, interest, lower, upper), WHOLE_E18, &overflow)
