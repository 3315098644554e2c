"""Beyond the recorded depth: levels of stated size behind the last recorded level of a side.

A recording shows so many levels and says nothing of what lies behind them: unknown, not empty. Where `beyond_lots` is
stated, a simulated taker who finds nothing recorded left on a side goes on: level n behind the last recorded one, from
0, a tick a level, holds `beyond_lots + beyond_slope * n` lots (the slope in 1e-9 lots, rounded down), for `beyond_ticks`
levels. Account orders at the same price come first. Such fills are the world's, and say BY_BEYOND_DEPTH.

What is taken there stays taken, in order of price, until a depth message names a level of that side, or is of a whole
book: then the recording says anew what stands. Quotes, marks and impact prices see recorded lots only, and the walk of
history ends where its recording does.
"""

from libc.stdint cimport int32_t, int64_t

from .ladder cimport NO_PRICE, NONE, Ladder
from .records cimport SIDE_BUY
from .units cimport RATE_ONE, mul_div_floor


cdef inline lots_t lots_of(State *s, Market *m, int64_t level) noexcept nogil:
    """What is stated of a level."""
    return m.rules.beyond_lots + mul_div_floor(m.rules.beyond_slope, level, RATE_ONE, &s.overflow)


cdef inline bint page_has(Ladder *ladder, int64_t page, int side, ticks_t *price) noexcept nogil:
    """The outermost recorded level of a page, eaten or not."""
    cdef int32_t i, place
    cdef int32_t slot = ladder.directory[page]
    if slot == NONE:
        return False
    for i in range(64):
        place = i if side == SIDE_BUY else 63 - i
        if ladder.pages[slot].cell[place] != NONE:
            price[0] = (page << 6) + place
            return True
    return False


cdef ticks_t last_recorded(Market *m, int side) noexcept nogil:
    """Recorded price of the outermost recorded level of a side, eaten or not; NO_PRICE if nothing is recorded."""
    cdef Ladder *ladder = &m.sides[side].world
    cdef int64_t page
    cdef ticks_t price = NO_PRICE
    if m.beyond_edge[side] != NO_PRICE:
        return m.beyond_edge[side]
    for page in range(ladder.directory_size):
        if page_has(ladder, page if side == SIDE_BUY else ladder.directory_size - 1 - page, side, &price):
            return price
    return NO_PRICE


cdef inline ticks_t price_at(Market *m, int side, ticks_t edge, int64_t level) noexcept nogil:
    """Venue price of a level, NO_PRICE where none is stated, or possible."""
    cdef ticks_t price = edge + m.shift + (-1 - level if side == SIDE_BUY else 1 + level)
    if level >= m.rules.beyond_ticks or price < m.rules.price_min or price > m.price_max:
        return NO_PRICE
    return price


cdef ticks_t beyond_price(State *s, Market *m, int side, lots_t *lots) noexcept nogil:
    """Best price of a side's stated levels and what is left there; NO_PRICE if there is nothing to be had."""
    cdef ticks_t edge
    if m.rules.beyond_lots == 0 or m.sides[side].best_world != NO_PRICE:
        return NO_PRICE
    edge = last_recorded(m, side)
    if edge == NO_PRICE:
        return NO_PRICE
    lots[0] = lots_of(s, m, m.beyond_level[side]) - m.beyond_taken[side]
    return price_at(m, side, edge, m.beyond_level[side])


cdef lots_t beyond_depth(State *s, Market *m, int side, ticks_t limit, lots_t wanted) noexcept nogil:
    """Lots of a side's stated levels up to `limit`, counted up to `wanted`, for a taker who eats all that is recorded."""
    cdef ticks_t edge, price
    cdef int64_t level = m.beyond_level[side]
    cdef lots_t found = -m.beyond_taken[side]
    if m.rules.beyond_lots == 0:
        return 0
    edge = last_recorded(m, side)
    while edge != NO_PRICE and found < wanted:
        price = price_at(m, side, edge, level)
        if price == NO_PRICE or (price < limit if side == SIDE_BUY else price > limit):
            break
        found += lots_of(s, m, level)
        level += 1
    return found if found > 0 else 0


cdef int take_beyond(State *s, Market *m, int side, lots_t lots) noexcept nogil:
    """A taker takes `lots` of the best stated level, at most what is left there."""
    m.beyond_edge[side] = last_recorded(m, side)
    m.beyond_taken[side] += lots
    if m.beyond_taken[side] == lots_of(s, m, m.beyond_level[side]):
        m.beyond_taken[side] = 0
        m.beyond_level[side] += 1
    return 0


cdef void beyond_told(Market *m, int side) noexcept nogil:
    """The recording says anew what stands on a side."""
    m.beyond_edge[side] = NO_PRICE
    m.beyond_level[side] = m.beyond_taken[side] = 0


cdef bint beyond_holds(State *s, Market *m, int side) noexcept nogil:
    """Whether what was taken can have been: behind the last recorded level, no more than is stated."""
    cdef ticks_t edge = m.beyond_edge[side]
    cdef Ladder *ladder = &m.sides[side].world
    cdef int64_t page
    cdef ticks_t price = NO_PRICE
    if edge == NO_PRICE:
        return m.beyond_level[side] == 0 and m.beyond_taken[side] == 0
    if not 0 <= edge >> 6 < ladder.directory_size or not 0 <= m.beyond_level[side] <= m.rules.beyond_ticks:
        return False
    page = edge >> 6
    if not page_has(ladder, page, side, &price) or price != edge:
        return False
    return 0 <= m.beyond_taken[side] < lots_of(s, m, m.beyond_level[side]) and (
        m.beyond_level[side] > 0 or m.beyond_taken[side] > 0)
