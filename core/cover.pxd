# Who pays what a unit owes beyond its equity. See cover.pyx.

from libc.stdint cimport int32_t

from .state cimport Market, State
from .units cimport money_t

cdef int start_day_timer(State *s) except -1 nogil
cdef int day_due(State *s) except -1 nogil
cdef money_t fund_means(State *s, Market *m) noexcept nogil
cdef int cover_shortfall(State *s, Market *m, int32_t wallet, int32_t position, long long amount) except -1 nogil
cdef int cover_without_fund(State *s, int32_t wallet, long long amount) except -1 nogil
