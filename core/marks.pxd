# The mark of a market: how it is computed, and what hangs on its change.

from .state cimport Market, State
from .units cimport money_t, value_t

cdef int change_mark(State *s, Market *m, value_t mark) except -1 nogil
cdef void forget_basis(Market *m) noexcept nogil
cdef int compute_mark(State *s, Market *m) except -1 nogil
cdef int follow_index(State *s, Market *m) except -1 nogil
cdef money_t impact_size(State *s, Market *m) noexcept nogil
