"""Forced orders: the order of work of a reduction in the book, one order after the other.

They are immediate-or-cancel (fill-or-kill where the method says so), have negative ids, pay no taker fee, and are exempt
from bands, minimums and caps. Their size, worst price and fee are choices of the rulebook: forced_size.pyx,
forced_price.pyx, forced_fee.pyx. In a market with an attribution they wait for recorded trades; see attribution.pyx.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t

from .book cimport NONE, book_depth, matches_now
from .claims cimport claim
from .events cimport event_new
from .forced_fee cimport Sale, close_sale, open_sale
from .forced_price cimport forced_limit
from .forced_size cimport reduce_size
from .orders cimport match_and_settle
from .records cimport *
from .risk_unit cimport next_position, unit_event
from .state cimport POSITION_SEEN, Market, Position, touch
from .units cimport lots_t, ticks_t


cdef int reduce_once(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Send reducing orders, one position after the other, until one fills (ORDER_FILLED) or waits (ORDER_WAITS)."""
    cdef int32_t slot
    cdef lots_t lots, filled
    cdef bint again = s.rules.reduce_method != REDUCE_TO_SAFE and s.rules.reduce_method != REDUCE_WHOLE
    if s.rules.reduce_method == REDUCE_NONE:
        return ORDER_NONE
    slot = next_position(s, wallet, position)
    while slot != NONE:
        lots = reduce_size(s, wallet, position, slot)
        if lots and s.markets[s.positions[slot].market].rules.attribution:
            forced_claim(s, wallet, position, slot, lots)
            return ORDER_WAITS
        filled = forced_order(s, wallet, position, slot, lots) if lots else 0
        if not again or filled < lots or lots == 0:
            s.positions[slot].flags |= POSITION_SEEN    # nothing more to be had for this one
            touch(s, s.positions[slot].wallet)
        if filled:
            return ORDER_FILLED
        slot = next_position(s, wallet, position)
    return ORDER_NONE


cdef bint matches_at(State *s, Market *m, int side, ticks_t limit, lots_t lots) noexcept nogil:
    """Whether the book may be tried: it matches, and a fill-or-kill order finds all that it wants."""
    if limit <= 0 or not matches_now(m):
        return False
    return s.rules.reduce_method != REDUCE_TIER_FOK or book_depth(s, m, side, limit, lots, NONE, False) >= lots


cdef ticks_t announce(
    State *s, int32_t wallet, int32_t position, int32_t slot, int side, lots_t lots, int64_t *order_id
) except? -1 nogil:
    """Number and report an order of the liquidation engine; returns its worst price."""
    cdef Market *m = &s.markets[s.positions[slot].market]
    cdef ticks_t limit = forced_limit(s, wallet, position, slot, side, lots)
    cdef Event *e = unit_event(s, EVENT_LIQUIDATION_ORDER, wallet, slot)
    order_id[0] = s.forced_id
    s.forced_id -= 1
    e.order_id = order_id[0]
    e.side = <uint8_t>side
    e.price_ticks = limit
    e.size_lots = lots
    e.value = m.mark
    e.aux = m.index
    return limit


cdef int forced_claim(State *s, int32_t wallet, int32_t position, int32_t slot, lots_t lots) except -1 nogil:
    """The order waits for recorded trades: a claim."""
    cdef int side = SIDE_SELL if s.positions[slot].lots > 0 else SIDE_BUY
    cdef int64_t order_id
    cdef ticks_t limit = announce(s, wallet, position, slot, side, lots, &order_id)
    return claim(s, &s.markets[s.positions[slot].market], slot, order_id, side, limit, lots)


cdef lots_t forced_order(State *s, int32_t wallet, int32_t position, int32_t slot, lots_t lots) except -1 nogil:
    """Send an order of the liquidation engine for a position, settle it, charge the fee. Returns what was filled."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef int side = SIDE_SELL if p.lots > 0 else SIDE_BUY
    cdef lots_t left = lots
    cdef bint expired
    cdef int64_t order_id
    cdef ticks_t limit = announce(s, wallet, position, slot, side, lots, &order_id)
    cdef Event *e
    cdef Sale sale
    open_sale(s, wallet, position, slot, lots, &sale)
    if matches_at(s, m, side, limit, lots):
        s.forced = 1
        match_and_settle(s, m, slot, order_id, side, limit, &left, STP_NONE, &expired)
        s.forced = 0
    if left:
        e = event_new(s, EVENT_CANCELLED)
        e.account = p.account
        e.market = p.market
        e.order_id = order_id
        e.side = <uint8_t>side
        e.size_lots = left
        e.price_ticks = limit
        e.reason = REASON_FOK if s.rules.reduce_method == REDUCE_TIER_FOK else REASON_IOC
    if left < lots:
        close_sale(s, m, wallet, position, slot, side, lots - left, &sale)
    return lots - left
