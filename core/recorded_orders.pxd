# Single recorded orders (L3 tapes): each is its own segment of the queue, with its id, owned by the world.

from .records cimport Command
from .state cimport Market, State
from .units cimport lots_t, ticks_t

cdef int recorded_crossed(State *s, Market *m) except -1 nogil
cdef ticks_t execution_price(State *s, const Command *c, int *side) noexcept nogil
cdef int withhold(State *s, const Command *c, lots_t lots) except -1 nogil
cdef int tape_order(State *s, const Command *c) except -1 nogil
