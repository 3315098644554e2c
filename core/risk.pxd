# Finding risk units under maintenance, and working the found set off. See risk.pyx.

from libc.stdint cimport int32_t

from .state cimport State

cdef int mark_group_end(State *s) except -1 nogil
cdef int go_on(State *s) except -1 nogil
cdef int liquidation_due(State *s, int32_t wallet, int32_t position) except -1 nogil
