"""The shift of recorded prices: by a shock that the scenario states, by what simulated flow leaves.

A level keeps its recorded price as key and stands at that price plus the shift. Single recorded orders (L3) are moved
one by one, in order of their arrival; one that leaves the price grid is put aside until a shift brings it back.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t

from .book cimport (
    NO_PRICE, NONE, better, book_add, book_remove, first_order, ladder_get, ladder_next, matches_now, world_refresh,
)
from .events cimport event_new
from .impact cimport impact_step, start_impact
from .ladder cimport Ladder
from .overlay cimport trade_crossed
from .recorded_orders cimport recorded_crossed
from .records cimport EVENT_IMPACT, EVENT_SHOCK, SIDE_BUY, SIDE_SELL, Event
from .state cimport STATE_ASIDE, STATE_RESTING, TOUCHED, Level, Order
from .units cimport RATE_ONE, div_floor, mul_div_floor, ticks_t


cdef int refresh_side(State *s, Market *m, int side) noexcept nogil:
    """A new shift moves every recorded level, maybe off the price grid or back onto it."""
    cdef Ladder *ladder = &m.sides[side].world
    cdef int64_t page
    cdef int32_t i, slot
    m.sides[side].best_world = NO_PRICE
    for page in range(ladder.directory_size):
        if ladder.directory[page] != NONE:
            for i in range(64):
                slot = ladder.pages[ladder.directory[page]].cell[i]
                if slot != NONE:
                    world_refresh(s, m, side, (page << 6) + i, &s.world_levels[slot])
    return 0


cdef ticks_t best_recorded(State *s, Market *m, int side) noexcept nogil:
    """Best price at which something recorded stands, as recorded; NO_PRICE if nothing does."""
    cdef ticks_t level = m.sides[side].best_world
    cdef int32_t slot = first_order(s, m, side, True) if s.positions[m.world_position].orders_head != NONE else NONE
    if slot == NONE or not better(side, s.orders[slot].price_ticks - m.shift, level):
        return level
    return s.orders[slot].price_ticks - m.shift


cdef ticks_t shift_of(State *s, Market *m) noexcept nogil:
    """Whole ticks by which the recorded mid stands at its factor times itself, half a tick up."""
    cdef ticks_t bid = best_recorded(s, m, SIDE_BUY), ask = best_recorded(s, m, SIDE_SELL)
    cdef rate_t factor = mul_div_floor(m.shock, RATE_ONE + m.impact, RATE_ONE, &s.overflow)
    cdef ticks_t middle = 0                             # twice the mid
    if bid != NO_PRICE and ask != NO_PRICE:
        middle = bid + ask
    elif m.last:
        middle = 2 * (m.last - m.shift)
    return div_floor(mul_div_floor(middle, factor - RATE_ONE, RATE_ONE, &s.overflow) + 1, 2)


cdef int take_orders_off(State *s, Market *m) noexcept nogil:
    """Every single recorded order leaves the book, and has its recorded price for now."""
    cdef int32_t slot = s.positions[m.world_position].orders_head
    cdef Order *o
    while slot != NONE:
        o = &s.orders[slot]
        if o.state == STATE_RESTING:
            book_remove(s, m, slot)
            o.state = STATE_ASIDE
            o.price_ticks -= m.shift
            o.next = o.previous = NONE
            o.world_ahead = 0
        slot = o.position_next
    return 0


cdef int put_orders_back(State *s, Market *m) except -1 nogil:
    """In order of arrival, behind what stands at their new prices; those off the grid stay aside."""
    cdef int32_t slot = s.positions[m.world_position].orders_head
    cdef Order *o
    while slot != NONE:
        o = &s.orders[slot]
        if m.rules.price_min <= o.price_ticks + m.shift <= m.price_max:
            o.state = STATE_RESTING
            o.price_ticks += m.shift
            book_add(s, m, slot)
        slot = o.position_next
    return 0


cdef int levels_behind(State *s, Market *m, int side) noexcept nogil:
    """What is recorded at the accounts' prices stands behind their orders."""
    cdef ticks_t price = ladder_next(&m.sides[side].accounts, 0)
    cdef int32_t slot
    cdef Level *level
    while price != NO_PRICE:
        level = &s.levels[ladder_get(&m.sides[side].accounts, price)]
        level.world_lots = 0
        level.next_free = TOUCHED
        slot = level.head
        while slot != NONE:
            s.orders[slot].world_ahead = 0
            slot = s.orders[slot].next
        price = ladder_next(&m.sides[side].accounts, price + 1)
    return 0


cdef int move_recorded(State *s, Market *m) except -1 nogil:
    """Bring recorded liquidity to where shock and impact put it.

    Account orders stay where they are, in order; what is recorded joins behind them at its new price.
    """
    cdef ticks_t shift = shift_of(s, m)
    cdef int side
    if shift == m.shift:
        return 0
    take_orders_off(s, m)
    m.shift = shift
    for side in range(2):
        refresh_side(s, m, side)
        levels_behind(s, m, side)
    return put_orders_back(s, m)


cdef int moved(State *s, Market *m, int kind, rate_t by) except -1 nogil:
    """Recorded prices stand elsewhere: the book follows, says so, and trades with the account orders that it crosses."""
    cdef Event *e
    move_recorded(s, m)
    e = event_new(s, <uint8_t>kind)
    e.market = <unsigned short>m.id
    e.value = by
    e.aux = m.shift
    trade_crossed(s, m)
    return recorded_crossed(s, m) if matches_now(m) else 0


cdef int set_shock(State *s, Market *m, rate_t factor) except -1 nogil:
    """Move recorded liquidity so that the recorded mid stands at `factor` (1e-9) times itself, impact apart."""
    m.shock = factor
    return moved(s, m, EVENT_SHOCK, factor)


cdef int impact_due(State *s, Market *m) except -1 nogil:
    """A step of the lasting impact."""
    if impact_step(s, m):
        moved(s, m, EVENT_IMPACT, m.impact)
    return start_impact(s, m)
