# Auto-deleveraging: who closes against a bankrupt position when the fund does not take it.

from libc.stdint cimport int32_t

from .state cimport Market, State

cdef int32_t adl_next(State *s, Market *m, bint longs) except -2 nogil
cdef void adl_forget(State *s) noexcept nogil
