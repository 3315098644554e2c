# Where recorded lots that leave without a trade stood in the queue of their level: nobody knows, so it is a model.

from .state cimport Level, Market, State
from .units cimport lots_t

cdef int shrink_world(State *s, Market *m, Level *level, lots_t before, lots_t gone) noexcept nogil
