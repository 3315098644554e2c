"""Queue models: which part of a level's recorded queue shrinks when its size falls without a trade.

A model says how many of the lots that left had stood before an order with `ahead` recorded lots before it and `behind`
after it (`before` = ahead + behind, `gone` left):

    behind-first   max(0, gone - behind)                nobody's place improves while it can be helped
    proportional   gone * ahead / before, rounded up
    power          gone * f(ahead) / (f(ahead) + f(behind)), f(x) = x ** queue_power, rounded down
    log            likewise, f(x) = ln(1 + x)
    front-first    min(ahead, gone)                     the optimist's

Power and log are the probability models of hftbacktest (docs, "Probability queue position model"; its choice n = 3 is
the default here). An order never gains more than its own segment lets go, so the queue's order stays.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from .book cimport NONE
from .records cimport QUEUE_BEHIND_FIRST, QUEUE_FRONT_FIRST, QUEUE_LOG, QUEUE_PROPORTIONAL
from .state cimport TOUCHED
from .units cimport count_leading_zeros, lots_t, max64, min64, mul_div_floor

cdef enum:
    SHARE_BITS = 20             # of a queue's length, before it is raised to at most the third power
    LOG_BITS = 16               # binary places of a logarithm


cdef int64_t log2_of(int64_t x) noexcept nogil:
    """log2(x) with LOG_BITS binary places, rounded down; x >= 1. Each squaring of the mantissa gives a place."""
    cdef int64_t whole = 63 - count_leading_zeros(<uint64_t>x)
    cdef uint64_t mantissa = <uint64_t>x << (63 - whole) >> 32      # 1 <= mantissa / 2^31 < 2
    cdef int64_t found = whole
    cdef int _
    for _ in range(LOG_BITS):
        mantissa = mantissa * mantissa >> 31
        found <<= 1
        if mantissa >> 32:
            mantissa >>= 1
            found += 1
    return found


cdef int64_t weight_of(Market *m, lots_t x, lots_t before, int *overflow) noexcept nogil:
    """f(x) of the power and log models; only ratios of it are used."""
    cdef int64_t share, weight, _
    if m.queue_model == QUEUE_LOG:
        return log2_of(1 + x)
    share = weight = mul_div_floor(x, 1 << SHARE_BITS, before, overflow)
    for _ in range(1, m.rules.queue_power):
        weight *= share
    return weight


cdef lots_t gone_ahead(State *s, Market *m, lots_t ahead, lots_t before, lots_t gone) noexcept nogil:
    """How many of the lots that left had stood before an order."""
    cdef int64_t front, back
    if m.queue_model == QUEUE_FRONT_FIRST:
        return min64(ahead, gone)
    if m.queue_model == QUEUE_PROPORTIONAL:
        return ahead - mul_div_floor(ahead, before - gone, before, &s.overflow)
    front = weight_of(m, ahead, before, &s.overflow)
    back = weight_of(m, before - ahead, before, &s.overflow)
    return mul_div_floor(gone, front, front + back, &s.overflow) if front + back else 0


cdef int leave_from_tail(State *s, Level *level, lots_t before, lots_t gone) noexcept nogil:
    cdef int32_t slot = level.tail
    cdef lots_t cut
    gone -= min64(before - level.world_lots, gone)
    while gone > 0 and slot != NONE:
        cut = min64(s.orders[slot].world_ahead, gone)
        s.orders[slot].world_ahead -= cut
        level.world_lots -= cut
        gone -= cut
        slot = s.orders[slot].previous
    return 0


cdef int shrink_world(State *s, Market *m, Level *level, lots_t before, lots_t gone) noexcept nogil:
    """`gone` of a level's `before` recorded lots left without a trade: take them from its segments."""
    cdef int32_t slot = level.head
    cdef lots_t ahead = 0, kept = 0, segment, now
    level.next_free = TOUCHED
    if m.queue_model == QUEUE_BEHIND_FIRST:
        return leave_from_tail(s, level, before, gone)
    while slot != NONE:
        segment = s.orders[slot].world_ahead
        ahead += segment
        now = ahead - gone_ahead(s, m, ahead, before, gone)
        now = max64(now, max64(kept, ahead - gone))             # no segment grows less than nothing,
        now = min64(now, min64(kept + segment, before - gone))  # none grows, and no more stays than is left
        s.orders[slot].world_ahead = now - kept
        kept = now
        slot = s.orders[slot].next
    level.world_lots = kept
    return 0
