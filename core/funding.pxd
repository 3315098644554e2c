# Premium samples, the funding rate, and its payments.

from .state cimport Market, State
from .units cimport ns_t, rate_t

cdef int change_funding(State *s, Market *m, rate_t rate, ns_t next_ns) except -1 nogil
cdef ns_t next_stamp(State *s, Market *m) noexcept nogil
cdef int sample_premium(State *s, Market *m) except -1 nogil
cdef int funding_due(State *s, Market *m) except -1 nogil
