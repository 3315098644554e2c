# At what price a liquidation sells, and what it costs: pure functions of amounts. Header only.
#
# Values are signed like the position: what a long is worth, minus what a short owes. Any units will do as long as they
# agree; rates are 1e-9. The engine and the calculator call the same functions.

from .units cimport RATE_ONE, abs64, max64, min64, money_t, mul_div_ceil, mul_div_floor, ns_t, rate_t

cdef enum:
    FUND_PART = 950_000_000             # of the margin that a cure leaves over, what the fund may have

cdef inline money_t bankruptcy_value(
    money_t value, money_t equity, money_t margin_part, money_t margin, int *overflow
) noexcept nogil:
    """The value at which a part of a unit's positions leaves with its part of the equity, by maintenance margin.

    The part of the equity is rounded down. `margin` > 0. Source: dYdX v4, bankruptcy price.
    """
    return value - mul_div_floor(equity, margin_part, margin, overflow)

cdef inline money_t fillable_value(
    money_t value, money_t margin_part, money_t equity, money_t margin, rate_t adjustment, rate_t spread, int *overflow
) noexcept nogil:
    """The worst value at which a position may be sold: further from the mark the nearer the unit is to bankruptcy.

    value - clip(adjustment * (1 - equity / margin), 0, 1) * spread * margin_part, the deduction rounded up. `margin` > 0.
    Source: dYdX v4, fillable price.
    """
    cdef money_t part = mul_div_ceil(margin_part, max64(0, margin - equity), margin, overflow)
    part = min64(margin_part, mul_div_ceil(part, adjustment, RATE_ONE, overflow))
    return value - mul_div_ceil(part, spread, RATE_ONE, overflow)

cdef inline money_t leaving_value(money_t value, money_t equity, money_t margin, rate_t leave, int *overflow) noexcept nogil:
    """The value at which a sale leaves a rate of the maintenance margin as equity, rounded up. Source: Cube."""
    return value - equity + mul_div_ceil(margin, leave, RATE_ONE, overflow)

cdef inline money_t insurance_delta(money_t paid, money_t bankruptcy, rate_t fee_max, int *overflow) noexcept nogil:
    """What a fill brings the fund: the gain over the bankruptcy value, at most a rate of what was paid; a loss whole.

    Source: dYdX v4, insurance fund delta.
    """
    cdef money_t delta = paid - bankruptcy
    return min64(delta, mul_div_floor(abs64(paid), fee_max, RATE_ONE, overflow)) if delta > 0 else delta

cdef inline rate_t cure_fund_fee(
    money_t shortage, money_t value, rate_t margin, rate_t liquidator_fee, rate_t fee_max, int *overflow
) noexcept nogil:
    """The fund's fee on what is sold to cure a shortage: what the margin of the sale leaves over, less a twentieth.

    min(fee_max, 0.95 * (margin - liquidator_fee - shortage / value)), 0 where nothing is left over. Source: Drift v2.
    """
    cdef rate_t left
    if value <= 0 or shortage >= value:
        return 0
    left = margin - liquidator_fee - mul_div_ceil(max64(0, shortage), RATE_ONE, value, overflow)
    return 0 if left <= 0 else min64(fee_max, mul_div_floor(left, FUND_PART, RATE_ONE, overflow))

cdef inline rate_t ramped_fee(rate_t usual, rate_t most, ns_t elapsed, ns_t grace, rate_t step, ns_t unit) noexcept nogil:
    """A liquidator's fee that grows by `step` for each whole `unit` elapsed, once more than `grace` has. Source: Drift v2."""
    if elapsed <= grace or most <= usual or step <= 0:
        return usual
    if elapsed / unit >= (most - usual) / step + 1:
        return most
    return min64(most, usual + elapsed / unit * step)
