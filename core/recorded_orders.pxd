# Single recorded orders (L3 tapes): each is its own segment of the queue, with its id, owned by the world.

from .records cimport Command
from .state cimport Market, State

cdef int recorded_crossed(State *s, Market *m) except -1 nogil
cdef int tape_order(State *s, const Command *c) except -1 nogil
