# Reducing a risk unit in the book, by the rulebook's method. See reduction.pyx.

from libc.stdint cimport int32_t

from .state cimport State

cdef bint reduce_once(State *s, int32_t wallet, int32_t position) except -1 nogil
