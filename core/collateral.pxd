# What an amount of a collateral asset counts for, and how a debt is converted. Header only; pure functions of numbers.
#
# Amounts are 1e-8 of their asset, a price is 1e-8 of the valuation unit (asset 0) for one whole unit, results are 1e-8 of
# asset 0. Roundings go against the account. `overflow` is set where a number leaves 64 bits.
#   rates       bid = price * (1 - buffer), ask = price * (1 + buffer)                     (Binance: Multi-Assets asset index)
#   value       a balance: what its tiers count of it, up to the cap, at the bid; a debt: all of it at the ask
#   conversion  value to sell = deficit / (1 - haircut)                                      (Binance: auto-exchange)

from libc.stdint cimport int32_t, int64_t

from .state cimport Haircut
from .units cimport RATE_ONE, VALUE_ONE, max64, min64, money_t, mul_div_ceil, mul_div_floor, rate_t, value_t

cdef inline int64_t at_bid(int64_t x, rate_t buffer, int *overflow) noexcept nogil:
    """A price or an amount less its buffer, rounded down."""
    return mul_div_floor(x, RATE_ONE - buffer, RATE_ONE, overflow)

cdef inline int64_t at_ask(int64_t x, rate_t buffer, int *overflow) noexcept nogil:
    """A price or an amount and its buffer, rounded up."""
    return mul_div_ceil(x, RATE_ONE + buffer, RATE_ONE, overflow)

cdef inline money_t worth(money_t amount, value_t price, int *overflow) noexcept nogil:
    """An amount in asset 0, rounded down."""
    return mul_div_floor(amount, price, VALUE_ONE, overflow)

cdef inline money_t owed(money_t amount, value_t price, int *overflow) noexcept nogil:
    """An amount in asset 0, rounded up."""
    return mul_div_ceil(amount, price, VALUE_ONE, overflow)

cdef inline money_t counted(money_t amount, const Haircut *tiers, int32_t count, money_t cap, int *overflow) noexcept nogil:
    """What of a quantity counts: each tier's part less its haircut; nothing beyond the cap or the last tier. Cap 0: none."""
    cdef money_t total = 0, below = 0
    cdef int32_t i
    if cap:
        amount = min64(amount, cap)
    if count == 0:
        return amount
    for i in range(count):
        if amount > below:
            total += at_bid(min64(amount, tiers[i].cap) - below, tiers[i].haircut, overflow)
        below = tiers[i].cap
    return total

cdef inline money_t collateral_value(
    money_t amount, value_t price, rate_t bid_buffer, rate_t ask_buffer, const Haircut *tiers, int32_t count, money_t cap,
    int *overflow
) noexcept nogil:
    """What a balance (or, negative, a debt) counts for."""
    if amount < 0:
        return -owed(at_ask(-amount, ask_buffer, overflow), price, overflow)
    return worth(at_bid(counted(amount, tiers, count, cap, overflow), bid_buffer, overflow), price, overflow)

cdef inline money_t value_to_sell(money_t deficit, rate_t haircut, int *overflow) noexcept nogil:
    """Value of an asset that must be sold for `deficit` to come in, rounded up."""
    return mul_div_ceil(deficit, RATE_ONE, RATE_ONE - haircut, overflow)

cdef inline money_t amount_to_sell(money_t deficit, value_t price, rate_t haircut, int *overflow) noexcept nogil:
    """The same as an amount of the asset."""
    return mul_div_ceil(value_to_sell(deficit, haircut, overflow), VALUE_ONE, max64(price, 1), overflow)
