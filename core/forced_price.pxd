# The worst price of a forced order, by the rulebook. See forced_price.pyx.

from libc.stdint cimport int32_t

from .state cimport State
from .units cimport lots_t, ticks_t

cdef ticks_t forced_limit(
    State *s, int32_t wallet, int32_t position, int32_t slot, int side, lots_t lots
) noexcept nogil
