# What is left of a risk unit that the book could not save: who takes it over. See waterfall.pyx.

from libc.stdint cimport int32_t

from .state cimport State

cdef int take_over(State *s, int32_t wallet, int32_t position) except -1 nogil
cdef int go_on_with_unit(State *s) except -1 nogil
cdef int go_on_with_vault(State *s) except -1 nogil
cdef int check_backstop(State *s) except -1 nogil
