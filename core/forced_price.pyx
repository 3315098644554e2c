"""The worst price of a forced order, by the rulebook. The formulas are in liquidation_price.pxd."""

from .bands cimport band_limit
from .contract cimport closing_limit
from .cover cimport fund_means
from .forced_size cimport liquidator_fee
from .liquidation_price cimport fillable_value, leaving_value
from .margin cimport fee_of, position_maintenance, unit_equity, unit_maintenance, value_at
from .records cimport *
from .risk_unit cimport share_of
from .state cimport Market, Position
from .units cimport abs64, max64, money_t, mul_div_ceil, mul_div_floor


cdef ticks_t forced_limit(
    State *s, int32_t wallet, int32_t position, int32_t slot, int side, lots_t lots
) noexcept nogil:
    """Worst price of a forced order for `lots` of a position, inside which it may trade."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef money_t value
    if s.rules.reduce_limit == LIMIT_BAND:
        return band_limit(s, m, side, m.rules.band_up if side == SIDE_BUY else m.rules.band_down)
    if s.rules.reduce_limit == LIMIT_NONE:
        return m.price_max if side == SIDE_BUY else m.rules.price_min
    value = value_at(s, m, p.lots, m.mark)
    value = worst_value(s, m, wallet, position, slot, value, value - share_of(s, wallet, position, slot), lots)
    return closing_limit(s, m, p.lots, value)


cdef money_t worst_value(
    State *s, Market *m, int32_t wallet, int32_t position, int32_t slot, money_t value, money_t at_bankruptcy, lots_t lots
) noexcept nogil:
    """The value of the whole position at the worst price."""
    cdef Position *p = &s.positions[slot]
    cdef money_t worst = at_bankruptcy, means, margin = position_maintenance(s, m, p)
    if s.rules.reduce_limit == LIMIT_FILLABLE:
        worst = fillable_value(
            value, margin, unit_equity(s, wallet, position), max64(1, unit_maintenance(s, wallet, position)),
            s.rules.bankruptcy_adjustment, s.rules.fillable_spread, &s.overflow)
    elif s.rules.reduce_limit == LIMIT_LEAVE:
        worst = leaving_value(value, value - at_bankruptcy, margin, s.rules.reduce_leave, &s.overflow)
    elif s.rules.reduce_limit == LIMIT_LIQUIDATOR:
        worst = value - fee_of(s, abs64(value), liquidator_fee(s, wallet))
    if s.rules.liquidation_fee_base == FEE_BANKRUPTCY and worst < at_bankruptcy:
        # the fund pays what is below bankruptcy: a price at which it could not is refused
        means = fund_means(s, m)
        if mul_div_ceil(at_bankruptcy - worst, lots, abs64(p.lots), &s.overflow) > means:
            worst = at_bankruptcy - mul_div_floor(means, abs64(p.lots), lots, &s.overflow)
    return worst
