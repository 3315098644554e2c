# How large a position may be by the open interest of its market. Header only.
#
# A ladder of bands: of the open interest that lies in each, a rate; what lies beyond all bands adds nothing. The largest
# position is the sum. Source: Bybit, open interest limit of perpetual and futures contracts (spec: venues, limits).

from libc.stdint cimport int32_t

from .state cimport Market, OiBand
from .units cimport RATE_ONE, lots_t, max64, min64, mul_div_floor

cdef inline lots_t ladder_limit(const OiBand *bands, int32_t count, lots_t interest, int *overflow) noexcept nogil:
    """Largest position at an open interest, in lots; each band's part is rounded down."""
    cdef lots_t total = 0, part
    cdef int32_t i
    for i in range(count):
        part = min64(interest, bands[i].lots)
        total += mul_div_floor(part, bands[i].rate, RATE_ONE, overflow)
        interest -= part
    return total

cdef inline lots_t interest_limit(Market *m, int *overflow) noexcept nogil:
    """Largest position of an account by the open interest of now, or what is always allowed if that is more."""
    cdef lots_t interest = <lots_t>(m.longs_lots if m.longs_lots > m.shorts_lots else m.shorts_lots)
    return max64(m.rules.oi_floor_lots, ladder_limit(m.oi_bands, m.oi_count, interest, overflow))
