# Claims: forced orders of a market with an attribution wait for recorded trades of their side instead of going into the
# book. A position has one at most; those of a market and side are a queue, in order of arrival. See claims.pyx.

from libc.stdint cimport int32_t, int64_t

from .records cimport Command
from .state cimport Market, State
from .units cimport lots_t, ticks_t

cdef int open_claims(State *s, Market *m) except -1 nogil
cdef int claim(State *s, Market *m, int32_t slot, int64_t order_id, int side, ticks_t limit, lots_t lots) except -1 nogil
cdef int32_t claim_of(State *s, int32_t wallet, int32_t position) noexcept nogil
cdef lots_t end_claim(State *s, int32_t slot, int reason) except -1 nogil
cdef int claim_filled(State *s, Market *m, int32_t slot, int side, lots_t lots) noexcept nogil
cdef int set_flow(State *s, const Command *c) except -1 nogil
cdef lots_t flow_of_print(State *s, Market *m) noexcept nogil
