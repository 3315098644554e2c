# The engine's own timers: a heap ordered by (time, kind, sequence). Kinds are numbered in the order of equal times.

from libc.stdint cimport int32_t, int64_t, uint8_t

from .state cimport State, Timer
from .units cimport ns_t

cdef int timer_add(State *s, ns_t time_ns, uint8_t kind, int32_t target, int32_t other, int64_t key) except -1 nogil
cdef Timer timer_pop(State *s) noexcept nogil
