# Who pays what a unit owes beyond its equity. See cover.pyx.

from libc.stdint cimport int32_t

from .state cimport Market, State

cdef int cover_shortfall(State *s, Market *m, int32_t wallet, int32_t position, long long amount) except -1 nogil
