# The state machine of a risk unit under maintenance. See liquidation.pyx.

from libc.stdint cimport int32_t, int64_t

from .state cimport State

cdef int start(State *s, int32_t wallet, int32_t position) except -1 nogil
cdef int schedule(State *s, int32_t wallet, int32_t position, int64_t due_ns) except -1 nogil
cdef int go_on_with_liquidation(State *s) except -1 nogil
cdef bint is_due(State *s, int32_t wallet, int32_t position) noexcept nogil
cdef int resume(State *s, int32_t wallet, int32_t position) except -1 nogil
