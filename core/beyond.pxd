# Beyond the recorded depth: what a scenario states to stand there, for takers who have eaten all that is recorded.

from .state cimport Market, State
from .units cimport lots_t, ticks_t

cdef ticks_t beyond_price(State *s, Market *m, int side, lots_t *lots) noexcept nogil
cdef lots_t beyond_depth(State *s, Market *m, int side, ticks_t limit, lots_t wanted) noexcept nogil
cdef int take_beyond(State *s, Market *m, int side, lots_t lots) noexcept nogil
cdef void beyond_told(Market *m, int side) noexcept nogil
cdef bint beyond_holds(State *s, Market *m, int side) noexcept nogil
