# Who closes against a bankrupt position, how many contracts, and at what price. See deleverage.pyx.

from libc.stdint cimport int32_t

from .state cimport Market, State
from .units cimport abs64, lots_t, min64, money_t, mul_div_floor

cdef int deleverage(State *s, Market *m, int32_t slot, money_t *value, money_t *share) except -1 nogil
cdef int close_against(
    State *s, Market *m, int32_t slot, int32_t other, lots_t size, money_t *value, money_t *share, int reason
) except -1 nogil
cdef lots_t unhedged_lots(State *s, Market *m, int32_t slot) noexcept nogil

cdef inline lots_t next_fill(lots_t left, lots_t held) noexcept nogil:
    """What the next of a queue gives: all it has, or what is still wanted. Neither has a sign."""
    return min64(left, held)

cdef inline money_t portion(State *s, money_t whole, lots_t part, lots_t lots) noexcept nogil:
    """whole * part / lots with lots signed alike, toward zero; all of it for the last part."""
    if part == lots:
        return whole
    if whole < 0:
        return -mul_div_floor(-whole, abs64(part), abs64(lots), &s.overflow)
    return mul_div_floor(whole, abs64(part), abs64(lots), &s.overflow)
