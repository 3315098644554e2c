# Margin by risk factors: a rate for each side of a position and its orders, slippage of the position, funding that is
# owed. Pure functions of amounts, for the calculator. Header only. Source: Vega, margin levels and liquidation price.
#
# Sizes are counted in `one` to the unit, values in any unit of money, rates in 1e-9.

from .units cimport RATE_ONE, lots_t, max64, money_t, mul_div_ceil, mul_div_floor, rate_t

cdef inline rate_t factor_rate(
    lots_t size, lots_t one, rate_t risk, rate_t linear, rate_t quadratic, int *overflow
) noexcept nogil:
    """What a position of `size` >= 0 is asked of its value: its risk factor, and slippage that grows with the size."""
    return risk + linear + mul_div_ceil(size, quadratic, one, overflow)

cdef inline money_t factor_side(
    money_t value, money_t orders, lots_t size, lots_t one, rate_t risk, rate_t linear, rate_t quadratic, int *overflow
) noexcept nogil:
    """Maintenance of one side: a position worth `value` >= 0 with slippage, and orders without."""
    return mul_div_ceil(value, factor_rate(size, one, risk, linear, quadratic, overflow), RATE_ONE, overflow) \
        + mul_div_ceil(orders, risk, RATE_ONE, overflow)

cdef inline money_t factor_liquidation(
    money_t value, money_t collateral, money_t owed, lots_t size, lots_t one, rate_t risk, rate_t linear,
    rate_t quadratic, int *overflow
) noexcept nogil:
    """Value without sign of a position at the price where what is left of the collateral is its maintenance; at least 0.

    `value` is signed like the position, `owed` is funding that it must pay. -1 where there is no such price.
    """
    cdef rate_t asked = factor_rate(size, one, risk, linear, quadratic, overflow)
    cdef money_t left = collateral - value - max64(0, owed)
    asked += RATE_ONE if value < 0 else -RATE_ONE
    if asked == 0:
        return -1
    if asked < 0:
        return max64(0, mul_div_floor(-left, RATE_ONE, -asked, overflow))
    return max64(0, mul_div_floor(left, RATE_ONE, asked, overflow))
