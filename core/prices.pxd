# Mark, index and funding of a market: pure functions of declared inputs, run at the venue's cadence.

from libc.stdint cimport int32_t, int64_t

from .state cimport Market, State
from .units cimport ns_t, rate_t, value_t

cdef int change_mark(State *s, Market *m, value_t mark) except -1 nogil
cdef int change_index(State *s, Market *m, value_t index) except -1 nogil
cdef int change_funding(State *s, Market *m, rate_t rate, ns_t next_ns) except -1 nogil
cdef int mark_due(State *s, Market *m) except -1 nogil
cdef int premium_due(State *s, Market *m) except -1 nogil
cdef int funding_due(State *s, Market *m) except -1 nogil
cdef int start_timers(State *s, Market *m) except -1 nogil
cdef int start_mark_timer(State *s, Market *m) except -1 nogil
cdef int start_funding_timer(State *s, Market *m) except -1 nogil
cdef void forget_basis(Market *m) noexcept nogil
cdef value_t shocked(State *s, Market *m, value_t recorded) noexcept nogil
