# The index price of a market.

from libc.stdint cimport int64_t

from .state cimport Market, State
from .units cimport rate_t, value_t

cdef value_t shocked(State *s, Market *m, value_t recorded, rate_t share) noexcept nogil
cdef int change_index(State *s, Market *m, value_t index) except -1 nogil
cdef int change_source(State *s, Market *m, int64_t number, value_t price) except -1 nogil
cdef int compute_index(State *s, Market *m) except -1 nogil
cdef value_t perpetuals_elsewhere(State *s, Market *m) noexcept nogil
