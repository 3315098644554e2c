# Waiting orders: stop, take-profit and trailing orders, by trigger price.

from libc.stdint cimport int32_t, int64_t

from .ladder cimport NONE
from .recent_trades cimport keep_trade
from .records cimport MARK_COMPOSITE, SOURCE_LAST
from .state cimport Market, State
from .units cimport lots_t, ticks_t

cdef int stop_link(State *s, Market *m, int32_t slot) except -1 nogil
cdef void stop_unlink(State *s, Market *m, int32_t slot) noexcept nogil
cdef int32_t stop_due(State *s, Market *m, int source, ticks_t low, ticks_t high) noexcept nogil
cdef int32_t trailing_due(State *s, Market *m, int source) noexcept nogil
cdef void trailing_follow(State *s, Market *m, int source, ticks_t low, ticks_t high) noexcept nogil

cdef inline void note_print(State *s, Market *m, ticks_t price, lots_t lots) noexcept nogil:
    """A trade took place: last price, what conditional orders must be shown, what a composite mark is made of."""
    m.last = price
    if m.rules.mark_method == MARK_COMPOSITE:
        keep_trade(s, m, price, lots)
    if m.waiting_orders:
        if m.print_high == 0 or price > m.print_high:
            m.print_high = price
        if m.print_low == 0 or price < m.print_low:
            m.print_low = price
        if m.trailing_head != NONE:
            trailing_follow(s, m, SOURCE_LAST, price, price)
