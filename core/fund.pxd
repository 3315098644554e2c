# The insurance funds: capacity, takeover, unwinding. See fund.pyx.

from libc.stdint cimport int32_t, int64_t

from .state cimport Market, State
from .units cimport lots_t, money_t

cdef money_t fund_equity(State *s, Market *m, money_t *net) noexcept nogil
cdef lots_t fund_capacity(State *s, Market *m, lots_t lots, money_t value, money_t share) except? -1 nogil
cdef int move_to_fund(State *s, Market *m, int32_t slot, lots_t lots, money_t *value, money_t *share) except -1 nogil
cdef int unwind(State *s, Market *m, int64_t rate) except -1 nogil
cdef int unwind_due(State *s, Market *m) except -1 nogil
