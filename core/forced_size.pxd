# How many lots a forced order is for, by the rulebook's method. See forced_size.pyx.

from libc.stdint cimport int32_t

from .state cimport State
from .units cimport lots_t, rate_t

cdef lots_t reduce_size(State *s, int32_t wallet, int32_t position, int32_t slot) noexcept nogil
cdef bint throttled(State *s, int32_t wallet, int32_t position) noexcept nogil
cdef rate_t liquidator_fee(State *s, int32_t wallet) noexcept nogil
