# How much of a position a liquidation sells: the methods as pure functions of amounts. Header only.
#
# Any units will do as long as they agree: sizes in lots, money in one unit, rates in 1e-9. The engine and the calculator
# call the same functions.

from libc.stdint cimport int64_t

from .units cimport RATE_ONE, lots_t, max64, min64, money_t, mul_div_ceil, mul_div_floor, ns_t, rate_t

cdef enum:
    SHARE_ONE = 10_000                  # shares of a shortage are counted in steps of 0.01 %

cdef inline lots_t lots_above(lots_t held, money_t value, money_t cap, int *overflow) noexcept nogil:
    """Lots whose sale brings `held` lots worth `value` > 0 down to `cap`, rounded up; 0 where they are within it."""
    if value <= cap:
        return 0
    return min64(held, mul_div_ceil(held, value - cap, value, overflow))

cdef inline lots_t block_lots(
    lots_t held, money_t value, rate_t rate, money_t least, money_t room, int *overflow
) noexcept nogil:
    """Lots that one block may take of a position: a rate of its value, at least `least`, at most the account's `room`.

    One lot where that is less than one. Source: dYdX v4, position and subaccount block limits.
    """
    cdef money_t most = min64(max64(mul_div_floor(value, rate, RATE_ONE, overflow), least), room)
    if most <= 0:
        return 0
    if most >= value:
        return held
    return max64(1, mul_div_floor(held, most, value, overflow))

cdef inline lots_t cure_lots(
    lots_t held, money_t value, money_t shortage, rate_t margin, rate_t liquidator_fee, rate_t fund_fee, rate_t quote,
    int *overflow
) noexcept nogil:
    """Lots whose sale makes good a shortage of margin, rounded up; may be more than are held. `value` > 0.

    shortage / (price * (quote * (margin - liquidator_fee) - fund_fee)), `quote` being the price of the quote asset. All
    lots where a sale frees less than it costs. Source: Drift v2, base to cover a margin shortage.
    """
    cdef rate_t freed = mul_div_floor(quote, margin - liquidator_fee, RATE_ONE, overflow) - fund_fee
    cdef money_t by_all = mul_div_floor(value, freed, RATE_ONE, overflow)
    if by_all <= 0:
        return held
    return mul_div_ceil(shortage, held, by_all, overflow)

cdef inline money_t buffer_of(money_t value, money_t pnl, rate_t buffer, int *overflow) noexcept nogil:
    """What is asked of a position beyond its maintenance: a rate of its value, and of its open loss.

    Source: Drift v2, liquidation margin context.
    """
    return mul_div_ceil(value, buffer, RATE_ONE, overflow) + mul_div_ceil(max64(0, -pnl), buffer, RATE_ONE, overflow)

cdef inline int64_t cure_share(
    money_t shortage, money_t freed, ns_t elapsed, ns_t duration, rate_t initial, money_t small, int *overflow
) noexcept nogil:
    """Part of a shortage that may be made good by now, of SHARE_ONE; `freed` was made good already.

    What may be freed in all grows from `initial` to everything in time; a shortage below `small` may be made good at
    once. Rounded down. Source: Drift v2, max percentage to liquidate.
    """
    cdef int64_t share = SHARE_ONE
    cdef money_t allowed
    if duration > 0 and elapsed < duration:
        share = min64(SHARE_ONE, mul_div_floor(elapsed, SHARE_ONE, duration, overflow)
                      + mul_div_floor(initial, SHARE_ONE, RATE_ONE, overflow))
    if share == SHARE_ONE or shortage < small:
        return SHARE_ONE
    allowed = mul_div_floor(shortage + freed, share, SHARE_ONE, overflow) - freed
    if allowed <= 0:
        return 0
    return min64(SHARE_ONE, mul_div_floor(allowed, SHARE_ONE, shortage, overflow))
