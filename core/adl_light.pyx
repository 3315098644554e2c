"""ADL lights: at a fixed cadence every position learns how far in front of its queue it stands.

Candidates of one market and side are ranked by the policy's score. `adl_light` says what counts: heads (Binance), or
contracts (BitMEX, whose printed example has the quintiles of contracts; spec: venues.md 13.4). The front part of the
queue has as many lights as there are levels, the last part one; who is no candidate has none, and nobody has any under
a policy without a queue. Lights stay as they are until the next time. A change makes an event.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from .adl cimport adl_forget, adl_skip, is_queue, rank_side
from .events cimport event_new
from .records cimport ADL_DYDX, ADL_LIGHT_CONTRACTS, ADL_LIGHT_NONE, EVENT_ADL_LIGHT, SIDE_BUY, SIDE_SELL, Event
from .state cimport TIMER_ADL_LIGHT, Market, touch
from .timers cimport timer_add
from .units cimport abs64


cdef int start_light_timer(State *s) except -1 nogil:
    """At the start, and when the rules of the lights change: a timer that runs already is not the next one any more."""
    s.light_next_ns = 0
    if s.started and s.rules.adl_light != ADL_LIGHT_NONE and s.rules.adl_light_period_ns > 0:
        s.light_next_ns = (s.time_ns / s.rules.adl_light_period_ns + 1) * s.rules.adl_light_period_ns
        timer_add(s, s.light_next_ns, TIMER_ADL_LIGHT, 0, 0, 0)
    return 0


cdef int light_due(State *s) except -1 nogil:
    """The timer of the lights."""
    if s.light_next_ns != s.time_ns:
        return 0                        # the rules have changed since it was set
    set_lights(s)
    s.light_next_ns = s.time_ns + s.rules.adl_light_period_ns
    return timer_add(s, s.light_next_ns, TIMER_ADL_LIGHT, 0, 0, 0)


cdef int cover_positions(State *s) except -1 nogil:
    """A light for each position there is; new ones have none."""
    cdef uint8_t *bigger
    if s.lights_count == s.positions_count:
        return 0
    bigger = <uint8_t *>realloc(s.lights, s.positions_count)
    if bigger == NULL:
        with gil:
            raise MemoryError("no memory for the ADL lights")
    memset(bigger + s.lights_count, 0, s.positions_count - s.lights_count)
    s.lights = bigger
    s.lights_count = s.positions_count
    return 0


cdef int set_lights(State *s) except -1 nogil:
    """Rank everybody, and tell whose light has changed, in the order in which positions were first used."""
    cdef uint8_t *fresh
    cdef int32_t i
    cover_positions(s)
    fresh = <uint8_t *>calloc(s.positions_count, 1)
    if fresh == NULL:
        with gil:
            raise MemoryError("no memory for the ADL lights")
    try:
        if is_queue(s.rules.adl_policy) and s.rules.adl_policy != ADL_DYDX:
            for i in range(s.markets_count):
                if s.markets[i].mark:
                    light_side(s, &s.markets[i], True, fresh)
                    light_side(s, &s.markets[i], False, fresh)
        for i in range(s.positions_count):
            if fresh[i] != s.lights[i]:
                tell_light(s, i, fresh[i])
    finally:
        free(fresh)
    adl_forget(s)                       # the queue at hand was used up
    return 0


cdef int light_side(State *s, Market *m, bint longs, uint8_t *fresh) except -1 nogil:
    cdef int64_t i, size, total = 0, front = 0
    cdef bint contracts = s.rules.adl_light == ADL_LIGHT_CONTRACTS
    rank_side(s, m, longs)
    for i in range(s.ranks_count):
        total += abs64(s.positions[s.ranks[i].position].lots) if contracts else 1
    while s.ranks_count:
        size = abs64(s.positions[s.ranks[0].position].lots) if contracts else 1
        front += size
        fresh[s.ranks[0].position] = <uint8_t>(
            s.rules.adl_light_levels + 1 - light_step(front, total, s.rules.adl_light_levels))
        adl_skip(s)
    return 0


cdef int tell_light(State *s, int32_t slot, uint8_t light) except -1 nogil:
    cdef Event *e = event_new(s, EVENT_ADL_LIGHT)
    e.account = s.positions[slot].account
    e.market = s.positions[slot].market
    e.side = SIDE_BUY if s.positions[slot].lots >= 0 else SIDE_SELL
    e.value = light
    e.aux = s.lights[slot]
    s.lights[slot] = light
    touch(s, s.positions[slot].wallet)
    return 0
