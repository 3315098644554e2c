# Shock and lasting impact: recorded liquidity stands elsewhere than it was recorded.

from .state cimport Market, State
from .units cimport rate_t

cdef int impact_due(State *s, Market *m) except -1 nogil
cdef int set_shock(State *s, Market *m, rate_t factor) except -1 nogil
