# Auto-deleveraging: who is next to close against a bankrupt position when the fund does not take it.

from libc.stdint cimport int32_t, int64_t

from .records cimport ADL_BITMEX, ADL_RESEARCH_PNL_RATIO
from .state cimport Market, Position, State
from .units cimport i128, money_t

cdef struct Face:                       # one candidate as a policy sees it; adl_scores.pxd has the meanings
    money_t value
    money_t cost
    money_t gain
    money_t balance
    money_t equity
    money_t maintenance
    money_t share
    int64_t leverage
    bint is_long

cdef inline bint is_queue(int64_t policy) noexcept nogil:
    """Whether a policy takes one counterparty after the other."""
    return ADL_BITMEX <= policy <= ADL_RESEARCH_PNL_RATIO

cdef int rank_side(State *s, Market *m, bint longs) except -1 nogil
cdef int32_t adl_next(State *s, Market *m, bint longs) except -2 nogil
cdef void adl_skip(State *s) noexcept nogil
cdef void adl_forget(State *s) noexcept nogil
cdef bint eligible(State *s, Position *p, bint longs) noexcept nogil
cdef void look_at_face(State *s, int32_t slot, Market *m, Face *f) noexcept nogil
cdef i128 score_of(int64_t policy, const Face *f) noexcept nogil
