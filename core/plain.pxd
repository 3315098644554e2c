# Plain limit orders and cancels while nothing is pending.

from libc.stdint cimport int64_t

from .records cimport Command
from .state cimport State

cdef int64_t apply_calm(State *s, const Command *commands, int64_t first, int64_t count) except -1 nogil
