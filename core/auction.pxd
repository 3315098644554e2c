# The opening auction of a market's account orders.

from libc.stdint cimport int32_t

from .state cimport Market, State

cdef int uncross(State *s, Market *m) except -1 nogil
