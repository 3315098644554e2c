# The trades of late of a market, for marks that are made of them.

from libc.stdint cimport int64_t

from .mark_inputs cimport MARK_TRADES_MAX, MarkInputs, RecentTrade
from .order_records cimport LOTS_BITS
from .state cimport Market, State
from .units cimport lots_t, min64, ticks_t

cdef inline void keep_trade(State *s, Market *m, ticks_t price, lots_t lots) noexcept nogil:
    """Into the ring; what trades at the price and instant of the trade before joins it. The oldest goes where it is full."""
    cdef MarkInputs *inputs = &s.mark_inputs[m.id]
    cdef RecentTrade *last = &inputs.trades[(inputs.trades_next + MARK_TRADES_MAX - 1) % MARK_TRADES_MAX]
    cdef int64_t most = <int64_t>1 << LOTS_BITS     # also of what joins: the sums of a mean fit 127 bits
    m.kept_lots = min64(m.kept_lots + lots, <int64_t>1 << 62)
    if lots <= 0:
        return
    if inputs.trades_count and last.price == price and last.time_ns == s.time_ns:
        last.lots = min64(last.lots + lots, most)
        return
    last = &inputs.trades[inputs.trades_next]
    last.price = price
    last.lots = min64(lots, most)
    last.time_ns = s.time_ns
    inputs.trades_next = (inputs.trades_next + 1) % MARK_TRADES_MAX
    inputs.trades_count = min64(inputs.trades_count + 1, MARK_TRADES_MAX)
