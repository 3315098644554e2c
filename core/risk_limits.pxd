# Risk limits that accounts choose. See risk_limits.pyx.

from libc.stdint cimport int32_t

from .records cimport Command
from .state cimport State

cdef int set_risk_limit(State *s, const Command *c) except -1 nogil
cdef bint lower_limits(State *s, int32_t wallet, int32_t position, bint with_orders) except -1 nogil
