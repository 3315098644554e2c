# What forced orders have of recorded trades. See attribution.pyx.

from .records cimport Command
from .state cimport Market, State
from .units cimport lots_t, ticks_t

cdef lots_t attribute(State *s, Market *m, int side, ticks_t price, lots_t lots) except -1 nogil
