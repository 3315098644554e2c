# The index price of a market.

from .state cimport Market, State
from .units cimport value_t

cdef value_t shocked(State *s, Market *m, value_t recorded) noexcept nogil
cdef int change_index(State *s, Market *m, value_t index) except -1 nogil
