# Lasting price impact: what simulated takers take of recorded liquidity moves the recorded book, and the move decays.

from .state cimport Market, State
from .units cimport lots_t

cdef int start_impact(State *s, Market *m) except -1 nogil
cdef bint impact_step(State *s, Market *m) except -1 nogil

cdef inline void note_flow(Market *m, int side, lots_t lots) noexcept nogil:
    """Lots of recorded liquidity that a simulated taker of `side` has taken."""
    m.impact_flow += -lots if side else lots
