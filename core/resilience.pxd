# Resilience: what simulated takers ate of the recorded book comes back, with time or with the moves of the best quotes.

from .state cimport Market, State

cdef int start_resilience(State *s, Market *m) except -1 nogil
cdef int refill(State *s, Market *m) noexcept nogil
cdef int refill_due(State *s, Market *m) except -1 nogil
cdef int quotes_seen(State *s, Market *m) noexcept nogil
