# Waiting orders: stop, take-profit and trailing orders, by trigger price.

from libc.stdint cimport int32_t, int64_t

from .state cimport Market, State
from .units cimport ticks_t

cdef int stop_link(State *s, Market *m, int32_t slot) except -1 nogil
cdef void stop_unlink(State *s, Market *m, int32_t slot) noexcept nogil
cdef int32_t stop_due(State *s, Market *m, int source, ticks_t low, ticks_t high) noexcept nogil
cdef int32_t trailing_due(State *s, Market *m, int source, ticks_t low, ticks_t high) noexcept nogil
cdef void trailing_follow(State *s, Market *m, int source, ticks_t low, ticks_t high) noexcept nogil
