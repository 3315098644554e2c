# The waterfall. One explicit state machine per risk unit; see liquidation.pyx.

from libc.stdint cimport int32_t

from .state cimport Market, State

cdef int mark_group_end(State *s) except -1 nogil
cdef int liquidation_due(State *s, int32_t wallet, int32_t position) except -1 nogil
cdef int unwind_due(State *s, Market *m) except -1 nogil
cdef int cover_shortfall(State *s, Market *m, int32_t wallet, int32_t position, long long amount) except -1 nogil
cdef int restamp_market(State *s, Market *m) except -1 nogil
