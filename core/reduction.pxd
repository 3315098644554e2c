# Reducing a risk unit in the book, by the rulebook's method. See reduction.pyx.

from libc.stdint cimport int32_t

from .state cimport State

cdef enum:
    ORDER_NONE = 0              # no order was filled
    ORDER_FILLED = 1
    ORDER_WAITS = 2             # for recorded trades

cdef int reduce_once(State *s, int32_t wallet, int32_t position) except -1 nogil
