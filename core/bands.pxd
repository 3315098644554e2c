# Price bands around the mark. Header only; the edges are kept in ticks and refreshed when mark or rule change.

from libc.stdint cimport int64_t

from .records cimport SIDE_BUY, SIDE_SELL
from .state cimport Market, State
from .units cimport RATE_ONE, div_ceil, max64, min64, mul_div_ceil, mul_div_floor, ticks_t, value_t

cdef inline ticks_t band_limit(State *s, Market *m, int side, int64_t rate) noexcept nogil:
    """Last tick price inside mark * rate: rounded down for a buy, up for a sell. A rate of 0 means no limit.

    Outward (Deribit: max_price rounded up, min_price down): the first tick that is not inside.
    """
    cdef value_t edge
    cdef bint up = (side == SIDE_SELL) != m.rules.band_outward
    if rate == 0 or m.mark == 0:
        return m.price_max if side == SIDE_BUY else m.rules.price_min
    if up:
        edge = div_ceil(mul_div_ceil(m.mark, rate, RATE_ONE, &s.overflow), m.tick_value)
    else:
        edge = mul_div_floor(m.mark, rate, RATE_ONE, &s.overflow) / m.tick_value
    return min64(edge, m.price_max) if side == SIDE_BUY else max64(edge, m.rules.price_min)

cdef inline void refresh_bands(State *s, Market *m) noexcept nogil:
    """Bring what is derived from the mark in line: its ticks, the highest bid and the lowest ask allowed."""
    m.mark_ticks = m.mark / m.tick_value
    m.mark_ticks_up = m.mark_ticks + (m.mark % m.tick_value != 0)
    m.band_edge[SIDE_BUY] = band_limit(s, m, SIDE_BUY, m.rules.band_up)
    m.band_edge[SIDE_SELL] = band_limit(s, m, SIDE_SELL, m.rules.band_down)
