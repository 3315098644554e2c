# Prices at which a multi-asset account must be looked at again: one heap a variable and direction. See multi.pyx.

from libc.stdint cimport int32_t

from .state cimport State
from .units cimport value_t

cdef int watch_add(State *s, int32_t account, int32_t variable, bint rise, value_t value) except -1 nogil
cdef void watches_clear(State *s, int32_t account) noexcept nogil
cdef int watches_crossed(State *s, int32_t variable, value_t now) except -1 nogil
