# The release step: fills become money and positions, orders that end give back what they held.

from libc.stdint cimport int32_t, int64_t, uint16_t

from .book cimport book_remove, order_detach
from .contract cimport lot_hold, lot_loss
from .events cimport NO_ACCOUNT, event_put, next_event
from .records cimport EVENT_CANCELLED, FLAG_REDUCE_ONLY
from .state cimport STATE_RESTING, STATE_WAITING, Market, Order, Position, State
from .stops cimport stop_unlink
from .units cimport add_checked, lots_t, money_t, mul_checked

cdef int settle_fills(State *s, Market *m, int side, int32_t taker_position, int64_t taker_id) except -1 nogil
cdef int cancel_orders_of(State *s, int32_t position, int reason) except -1 nogil
cdef int trim_reduce_only(State *s, int32_t position) except -1 nogil

cdef inline void hold(State *s, Market *m, Order *o) noexcept nogil:
    """Reserve margin for a resting order: its value counts in the position's requirement from now on."""
    cdef Position *p = &s.positions[o.position]
    cdef money_t value
    p.order_lots[o.side] += o.size_lots
    if o.flags & FLAG_REDUCE_ONLY:
        return
    value = mul_checked(lot_hold(s, m, o.price_ticks), o.size_lots, &s.overflow)
    p.order_value[o.side] = add_checked(p.order_value[o.side], value, &s.overflow)
    p.open_loss += lot_loss(s, m, o.side, o.price_ticks, o.premium_ticks) * o.size_lots     # below the largest notional


cdef inline void release(State *s, Market *m, int32_t position, int side, uint16_t flags, int64_t price,
                         int64_t premium_ticks, lots_t lots) noexcept nogil:
    """Give back what `lots` of an order held."""
    cdef Position *p = &s.positions[position]
    if position == m.world_position:
        return
    p.order_lots[side] -= lots
    if flags & FLAG_REDUCE_ONLY:
        return
    p.open_loss -= lot_loss(s, m, side, price, premium_ticks) * lots
    p.order_value[side] -= lot_hold(s, m, price) * lots


cdef inline int leave_book(State *s, Market *m, int32_t slot, int reason) except -1 nogil:
    """End a live order of a market, resting or waiting, and say why; what is left to do is to forget it."""
    cdef Order *o = &s.orders[slot]
    event_put(next_event(s), s.sequence, s.time_ns, o.id, 0, o.price_ticks, o.size_lots, 0, 0, 0,
              s.positions[o.position].account, NO_ACCOUNT, m.id, reason, EVENT_CANCELLED, s.venue, 0, o.side)
    if o.state == STATE_RESTING:
        release(s, m, o.position, o.side, o.flags, o.price_ticks, o.premium_ticks, o.size_lots)
        book_remove(s, m, slot)
    elif o.state == STATE_WAITING:
        stop_unlink(s, m, slot)
    return 0


cdef inline int cancel_order(State *s, int32_t slot, int reason) except -1 nogil:
    """End a live order for good."""
    leave_book(s, &s.markets[s.positions[s.orders[slot].position].market], slot, reason)
    order_detach(s, slot)
    return 0
