# When the prices of a market are computed.

from libc.stdint cimport int64_t

from .state cimport Market, State
from .units cimport value_t

cdef int set_index(State *s, Market *m, value_t index, bint recorded) except -1 nogil
cdef int set_source(State *s, Market *m, int64_t number, value_t price) except -1 nogil
cdef int mark_due(State *s, Market *m) except -1 nogil
cdef int premium_due(State *s, Market *m) except -1 nogil
cdef int start_timers(State *s, Market *m) except -1 nogil
cdef int start_index_timer(State *s, Market *m) except -1 nogil
cdef int start_mark_timer(State *s, Market *m) except -1 nogil
cdef int start_funding_timer(State *s, Market *m) except -1 nogil
cdef int start_premium_timer(State *s, Market *m) except -1 nogil
