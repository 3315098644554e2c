"""When index, mark, premium and funding of a market are computed: the venue's cadence, as timers of the engine."""

from .funding cimport sample_premium
from .marks cimport compute_mark, sample_basis
from .state cimport TIMER_FUNDING, TIMER_MARK, TIMER_PREMIUM
from .timers cimport timer_add
from .units cimport ns_t


cdef inline ns_t following(State *s, ns_t period_ns) noexcept nogil:
    """The first multiple of a period after now."""
    return (s.time_ns / period_ns + 1) * period_ns


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
        m.funding_next_ns = following(s, m.rules.funding_interval_ns)
        timer_add(s, m.funding_next_ns, TIMER_FUNDING, m.id, 0, 0)
    return 0


cdef int start_timers(State *s, Market *m) except -1 nogil:
    """First time seen: line the timers up with multiples of their periods."""
    start_mark_timer(s, m)
    if m.rules.premium_period_ns > 0:
        timer_add(s, following(s, m.rules.premium_period_ns), TIMER_PREMIUM, m.id, 0, 0)
    return start_funding_timer(s, m)


cdef int mark_due(State *s, Market *m) except -1 nogil:
    """The mark timer: sample, compute, set; the caller ends the group."""
    if m.mark_next_ns != s.time_ns:
        return 0                        # the period has changed since
    m.mark_next_ns += m.rules.mark_period_ns
    timer_add(s, m.mark_next_ns, TIMER_MARK, m.id, 0, 0)
    sample_basis(s, m)
    return compute_mark(s, m)


cdef int premium_due(State *s, Market *m) except -1 nogil:
    """The premium timer: one sample of the premium index."""
    timer_add(s, s.time_ns + m.rules.premium_period_ns, TIMER_PREMIUM, m.id, 0, 0)
    return sample_premium(s, m)
