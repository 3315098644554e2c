"""Waiting orders by trigger price: the ladders of the liquidation triggers serve stops as well.

A bucket is a FIFO list whose head's `previous` is its tail. Trailing stops move with the market, so they stand in
one list of the market instead and are looked at on every print or mark while there are any.
"""

from .ladder cimport NO_PRICE, NONE, Ladder, ladder_cell, ladder_get, ladder_mark, ladder_next, ladder_previous, ladder_unmark
from .records cimport FLAG_TRAILING, SIDE_BUY
from .state cimport Order, Trigger
from .units cimport RATE_ONE, mul_div_ceil, mul_div_floor


cdef inline Ladder *ladder_of(Market *m, Trigger *t) noexcept nogil:
    return &m.stops[t.source * 2 + t.fires_above]


cdef int stop_link(State *s, Market *m, int32_t slot) except -1 nogil:
    cdef Order *o = &s.orders[slot]
    cdef Trigger *t = &s.triggers[o.trigger]
    cdef int32_t *cell
    cdef int32_t tail
    t.clean = 0
    m.waiting_orders += 1
    s.waiting_orders += 1
    o.next = NONE
    if o.flags & FLAG_TRAILING:
        o.previous = m.trailing_tail
        if m.trailing_tail != NONE:
            s.orders[m.trailing_tail].next = slot
        else:
            m.trailing_head = slot
        m.trailing_tail = slot
        return 0
    cell = ladder_cell(ladder_of(m, t), t.trigger_ticks)
    if cell[0] == NONE:
        cell[0] = slot
        o.previous = slot
        ladder_mark(ladder_of(m, t), t.trigger_ticks)
        return 0
    tail = s.orders[cell[0]].previous
    s.orders[tail].next = slot
    o.previous = tail
    s.orders[cell[0]].previous = slot
    return 0


cdef void stop_unlink(State *s, Market *m, int32_t slot) noexcept nogil:
    cdef Order *o = &s.orders[slot]
    cdef Trigger *t = &s.triggers[o.trigger]
    cdef Ladder *ladder
    cdef int32_t head
    t.clean = 0
    if o.next != NONE:
        s.triggers[s.orders[o.next].trigger].clean = 0          # its predecessor will be another
    m.waiting_orders -= 1
    s.waiting_orders -= 1
    if m.waiting_orders == 0:
        m.print_low = m.print_high = 0  # nobody waited for these prices: an order that comes later must not see them
    if o.flags & FLAG_TRAILING:
        if o.previous != NONE:
            s.orders[o.previous].next = o.next
        else:
            m.trailing_head = o.next
        if o.next != NONE:
            s.orders[o.next].previous = o.previous
        else:
            m.trailing_tail = o.previous
        return
    ladder = ladder_of(m, t)
    head = ladder_get(ladder, t.trigger_ticks)
    if slot != head:
        s.orders[o.previous].next = o.next
        if o.next != NONE:
            s.orders[o.next].previous = o.previous
        else:
            s.orders[head].previous = o.previous
        return
    if o.next != NONE:
        s.orders[o.next].previous = o.previous
    else:
        ladder_unmark(ladder, t.trigger_ticks)
    ladder.pages[ladder.directory[t.trigger_ticks >> 6]].cell[t.trigger_ticks & 63] = o.next


cdef int32_t stop_due(State *s, Market *m, int source, ticks_t low, ticks_t high) noexcept nogil:
    """The next waiting order that fires on prices from `low` to `high`, NONE if there is none.

    Triggers that a rising price meets come first, lowest first; then those that a falling price meets, highest first.
    """
    cdef ticks_t price = ladder_next(&m.stops[source * 2 + 1], 0)
    if price != NO_PRICE and price <= high:
        return ladder_get(&m.stops[source * 2 + 1], price)
    price = ladder_previous(&m.stops[source * 2], m.price_max)
    if price != NO_PRICE and price >= low:
        return ladder_get(&m.stops[source * 2], price)
    return NONE


cdef int32_t trailing_due(State *s, Market *m, int source) noexcept nogil:
    """The oldest trailing stop that a price has set off."""
    cdef int32_t slot = m.trailing_head
    while slot != NONE:
        if s.triggers[s.orders[slot].trigger].source == source and s.triggers[s.orders[slot].trigger].due:
            return slot
        slot = s.orders[slot].next
    return NONE


cdef void trailing_follow(State *s, Market *m, int source, ticks_t low, ticks_t high) noexcept nogil:
    """Show the trailing stops one price: their extremes follow, and those it has turned far enough for are due.

    A price between two ticks is shown as the tick above (`low`) and the tick below (`high`). BUY is due when the low
    since placement is at or under the activation price and the price at or above low * (1 + callback); SELL mirrored.
    An activation of 0 means at once.
    """
    cdef int32_t slot = m.trailing_head
    cdef Trigger *t
    cdef int overflow = 0
    while slot != NONE:
        t = &s.triggers[s.orders[slot].trigger]
        if t.source == source:
            t.clean = 0
            if s.orders[slot].side == SIDE_BUY:
                if t.extreme_ticks == 0 or low < t.extreme_ticks:
                    t.extreme_ticks = low
                t.due |= (t.trigger_ticks == 0 or t.extreme_ticks <= t.trigger_ticks) and high >= mul_div_ceil(
                    t.extreme_ticks, RATE_ONE + t.callback_e9, RATE_ONE, &overflow)
            else:
                if high > t.extreme_ticks:
                    t.extreme_ticks = high
                t.due |= t.extreme_ticks >= t.trigger_ticks and low <= mul_div_floor(
                    t.extreme_ticks, RATE_ONE - t.callback_e9, RATE_ONE, &overflow)
        slot = s.orders[slot].next
