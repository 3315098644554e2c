"""Formulas of collateral as Python functions, for calculators: those that the engine uses.

Amounts and prices are integers of one unit, whichever; rates are 1e-9. OverflowError where a result leaves 64 bits,
ValueError for a rate that leaves nothing. The page is named in collateral.pxd.
"""

from libc.stdint cimport int64_t

from .collateral cimport at_ask, at_bid, value_to_sell
from .units cimport RATE_ONE


cdef int64_t checked(int64_t result, int overflow) except? -1:
    if overflow:
        raise OverflowError("the result left 64 bits")
    return result


def bid_rate(int64_t price, int64_t buffer):
    """A price less its buffer, rounded down: what a positive balance counts at."""
    cdef int overflow = 0
    cdef int64_t result = at_bid(price, buffer, &overflow)
    return checked(result, overflow)


def ask_rate(int64_t price, int64_t buffer):
    """A price and its buffer, rounded up: what a debt counts at."""
    cdef int overflow = 0
    cdef int64_t result = at_ask(price, buffer, &overflow)
    return checked(result, overflow)


def conversion_value(int64_t deficit, int64_t haircut):
    """Value to sell of an asset with this haircut, so that the deficit comes in; rounded up."""
    cdef int overflow = 0
    if not 0 <= haircut < RATE_ONE:
        raise ValueError(f"a haircut is from 0 to below 1, not {haircut / 1e9}")
    cdef int64_t result = value_to_sell(deficit, haircut, &overflow)
    return checked(result, overflow)
