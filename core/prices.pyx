"""When index, mark, premium and funding of a market are computed: the venue's cadence, as timers of the engine.

At one instant the index comes first, then the mark, then funding, then premium samples. The timer of the index is one of
the kind of marks, so that all marks of an instant are one group.
"""

from .funding cimport next_stamp, sample_premium
from .index_price cimport change_index, change_source, compute_index
from .marks cimport compute_mark, follow_index
from .records cimport INDEX_GIVEN
from .state cimport TIMER_FUNDING, TIMER_MARK, TIMER_PREMIUM
from .timers cimport timer_add
from .units cimport ns_t


cdef inline ns_t following(State *s, ns_t period_ns) noexcept nogil:
    """The first multiple of a period after now."""
    return (s.time_ns / period_ns + 1) * period_ns


cdef int start_index_timer(State *s, Market *m) except -1 nogil:
    """At the start, and when the period changes."""
    m.index_next_ns = 0
    if m.rules.index_period_ns > 0 and s.started:
        m.index_next_ns = following(s, m.rules.index_period_ns)
        timer_add(s, m.index_next_ns, TIMER_MARK, m.id, 0, 0)
    return 0


cdef int start_mark_timer(State *s, Market *m) except -1 nogil:
    """At the start, and when the period changes: a timer that runs already is not the next one any more."""
    m.mark_next_ns = 0
    if m.rules.mark_period_ns > 0 and s.started:
        m.mark_next_ns = following(s, m.rules.mark_period_ns)
        timer_add(s, m.mark_next_ns, TIMER_MARK, m.id, 0, 0)
    return 0


cdef int start_funding_timer(State *s, Market *m) except -1 nogil:
    """At the start, and when an interval is set where there was none: a stamp that is announced stays."""
    if m.rules.funding_interval_ns > 0 and s.started and m.funding_next_ns == 0:
        m.funding_next_ns = next_stamp(s, m)
        timer_add(s, m.funding_next_ns, TIMER_FUNDING, m.id, 0, 0)
    return 0


cdef int start_premium_timer(State *s, Market *m) except -1 nogil:
    """At the start, and when the period changes."""
    m.premium_next_ns = 0
    if m.rules.premium_period_ns > 0 and s.started:
        m.premium_next_ns = following(s, m.rules.premium_period_ns)
        timer_add(s, m.premium_next_ns, TIMER_PREMIUM, m.id, 0, 0)
    return 0


cdef int start_timers(State *s, Market *m) except -1 nogil:
    """First time seen: line the timers up with multiples of their periods."""
    start_index_timer(s, m)
    start_mark_timer(s, m)
    start_premium_timer(s, m)
    return start_funding_timer(s, m)


cdef int set_index(State *s, Market *m, value_t index, bint recorded) except -1 nogil:
    """A given index; a market that computes its own passes a recorded one over."""
    if recorded and m.rules.index_method != INDEX_GIVEN:
        return 0
    change_index(s, m, index)
    return follow_index(s, m)


cdef int set_source(State *s, Market *m, int64_t number, value_t price) except -1 nogil:
    """A price of a constituent, or of a perpetual elsewhere; 0: lost. Without an index period the index follows at once."""
    change_source(s, m, number, price)
    if m.rules.index_method != INDEX_GIVEN and m.rules.index_period_ns == 0 and number < m.sources_count:
        compute_index(s, m)
        return follow_index(s, m)
    return 0


cdef int index_due(State *s, Market *m) except -1 nogil:
    """Compute the index if this is its instant."""
    if m.index_next_ns != s.time_ns or m.rules.index_period_ns <= 0:
        return 0
    m.index_next_ns += m.rules.index_period_ns
    timer_add(s, m.index_next_ns, TIMER_MARK, m.id, 0, 0)
    if m.rules.index_method == INDEX_GIVEN:
        return 0
    compute_index(s, m)
    return follow_index(s, m)


cdef int mark_due(State *s, Market *m) except -1 nogil:
    """The timer of index and mark: whichever is due, the index first; the caller ends the group."""
    index_due(s, m)
    if m.mark_next_ns != s.time_ns or m.rules.mark_period_ns <= 0:
        return 0                        # the period has changed since
    m.mark_next_ns += m.rules.mark_period_ns
    timer_add(s, m.mark_next_ns, TIMER_MARK, m.id, 0, 0)
    return compute_mark(s, m)


cdef int premium_due(State *s, Market *m) except -1 nogil:
    """The premium timer: one sample of the premium index."""
    if m.premium_next_ns != s.time_ns or m.rules.premium_period_ns <= 0:
        return 0
    m.premium_next_ns += m.rules.premium_period_ns
    timer_add(s, m.premium_next_ns, TIMER_PREMIUM, m.id, 0, 0)
    return sample_premium(s, m)
