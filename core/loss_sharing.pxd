# Who bears how much of a loss that no fund covers, over plain integers. Header only; the engine and the doors of
# formulas_fund.pyx call the same functions.

from .units cimport abs64, lots_t, max64, min64, money_t, mul_div_ceil, mul_div_floor

cdef inline money_t part_by_means(money_t wanted, money_t means, money_t total, int *overflow) noexcept nogil:
    """Part of `wanted` for one who can give `means` of a `total`; rounded up, never more than the means."""
    return min64(mul_div_ceil(wanted, means, total, overflow), means)

cdef inline money_t part_by_lots(money_t loss, lots_t lots, lots_t open_lots, int *overflow) noexcept nogil:
    """Part of a loss for so many lots of all that are open, longs and shorts together; rounded up (open-engines 2)."""
    return mul_div_ceil(loss, abs64(lots), open_lots, overflow)

cdef inline money_t payout(money_t win, money_t collected, money_t expected, int *overflow) noexcept nogil:
    """What a winner gets where `collected` is all there is of the `expected`; rounded down (open-engines 3)."""
    return mul_div_floor(win, collected, expected, overflow)

cdef inline money_t collect(money_t owed, money_t balance) noexcept nogil:
    """What is to be had of a debt: the whole, or the balance that there is."""
    return min64(owed, max64(balance, 0))
