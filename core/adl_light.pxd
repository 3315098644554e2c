# ADL lights: how far in front of its queue each position stands. See adl_light.pyx.

from libc.stdint cimport int64_t

from .state cimport State
from .units cimport mul_div_ceil

cdef inline int64_t light_step(int64_t front, int64_t total, int64_t levels) noexcept nogil:
    """Which of `levels` equal parts of a queue ends at or behind `front` of `total`: ceil(front * levels / total)."""
    cdef int overflow = 0
    return mul_div_ceil(front, levels, total, &overflow) if total > 0 else levels

cdef int start_light_timer(State *s) except -1 nogil
cdef int light_due(State *s) except -1 nogil
