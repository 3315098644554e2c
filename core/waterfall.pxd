# What is left of a risk unit that the book could not save: takeover by the fund, ADL, cover. See waterfall.pyx.

from libc.stdint cimport int32_t, int64_t

from .state cimport Market, State

cdef int take_over(State *s, int32_t wallet, int32_t position) except -1 nogil
cdef int cover_shortfall(State *s, Market *m, int32_t wallet, int32_t position, long long amount) except -1 nogil
cdef int unwind(State *s, Market *m, int64_t rate) except -1 nogil
cdef int unwind_due(State *s, Market *m) except -1 nogil
