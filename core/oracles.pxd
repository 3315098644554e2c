# Collateral prices: where each comes from.

from .records cimport Command
from .state cimport State

cdef int set_collateral(State *s, list terms) except -1
cdef int set_collateral_price(State *s, const Command *c) except -1 nogil
cdef int refresh_collateral(State *s) except -1 nogil
