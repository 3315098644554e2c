"""Resilience of the recorded book: C of a level decays by steps while history still shows the level.

At each step C becomes C * resilience_keep (1e-9); steps are at multiples of `resilience_step_ns`, or at each depth
message that changes a best recorded quote. What comes back joins the tail of its level. C is kept in 1/65536 lots, so
that small sizes decay at the same pace as large ones: C * 65536 - regrown is what decays, rounded down, and C the lots
that are not back yet, rounded up.
"""

from libc.stdint cimport int32_t, int64_t

from .book cimport NO_PRICE, NONE, ladder_get, price_of, side_of, world_lots, world_refresh
from .state cimport TIMER_RESILIENCE, TOUCHED, WorldLevel
from .timers cimport timer_add
from .units cimport RATE_ONE, lots_t, mul_div_floor, ticks_t

cdef enum:
    LISTED = 1                  # WorldLevel.in_eaten
    DONE = 2                    # in this step: a level that was freed and made again may be listed twice
    LOT_BITS = 16


cdef int start_resilience(State *s, Market *m) except -1 nogil:
    """The first step, at the next multiple of the period; the clock has just started, or a step is done."""
    if m.rules.resilience_step_ns == 0 or m.rules.resilience_keep == RATE_ONE:
        return 0
    return timer_add(
        s, (s.time_ns / m.rules.resilience_step_ns + 1) * m.rules.resilience_step_ns, TIMER_RESILIENCE, m.id, 0, 0)


cdef int decay(State *s, Market *m, WorldLevel *w) noexcept nogil:
    cdef lots_t before = world_lots(w)
    cdef int64_t left = mul_div_floor(
        (w.consumed << LOT_BITS) - w.regrown, m.rules.resilience_keep, RATE_ONE, &s.overflow)
    w.consumed = (left + (1 << LOT_BITS) - 1) >> LOT_BITS
    w.regrown = <unsigned short>((w.consumed << LOT_BITS) - left)
    w.next_free = TOUCHED
    if before == 0 and world_lots(w):
        world_refresh(s, m, side_of(w.where), price_of(w.where), w)
    return 0


cdef int refill(State *s, Market *m) noexcept nogil:
    """One step, for all levels of a market."""
    cdef int32_t i, slot, kept = 0
    cdef int64_t entry
    cdef WorldLevel *w
    for i in range(s.eaten_count):
        entry = s.eaten[i]
        if entry >> 41 == m.id:
            slot = ladder_get(&m.sides[side_of(entry)].world, price_of(entry))
            if slot == NONE or s.world_levels[slot].in_eaten != LISTED:
                continue
            w = &s.world_levels[slot]
            if w.consumed:
                decay(s, m, w)
            w.in_eaten = DONE if w.consumed else 0
            if w.consumed == 0:
                w.regrown = 0
                w.next_free = TOUCHED
                continue
        s.eaten[kept] = entry
        kept += 1
    s.eaten_count = kept
    for i in range(kept):
        if s.eaten[i] >> 41 == m.id:
            w = &s.world_levels[ladder_get(&m.sides[side_of(s.eaten[i])].world, price_of(s.eaten[i]))]
            w.in_eaten = LISTED
    return 0


cdef int refill_due(State *s, Market *m) except -1 nogil:
    refill(s, m)
    return start_resilience(s, m)


cdef bint note_quotes(State *s, Market *m) noexcept nogil:
    """Whether a best quote has moved, or its recorded size has changed, since this was asked last."""
    cdef bint changed = False
    cdef int side
    cdef ticks_t price
    cdef lots_t lots
    for side in range(2):
        price = m.sides[side].best_world
        lots = 0
        if price != NO_PRICE:
            lots = s.world_levels[ladder_get(&m.sides[side].world, price)].recorded
        if price != m.quote_price[side] or lots != m.quote_lots[side]:
            changed = True
            m.quote_price[side] = price
            m.quote_lots[side] = lots
    return changed


cdef int quotes_seen(State *s, Market *m) noexcept nogil:
    """After a depth message: a step if it changed a best quote. What the step itself brings back is no such change."""
    if note_quotes(s, m):
        refill(s, m)
        note_quotes(s, m)
    return 0
