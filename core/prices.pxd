# When the prices of a market are computed.

from .state cimport Market, State

cdef int mark_due(State *s, Market *m) except -1 nogil
cdef int premium_due(State *s, Market *m) except -1 nogil
cdef int start_timers(State *s, Market *m) except -1 nogil
cdef int start_mark_timer(State *s, Market *m) except -1 nogil
cdef int start_funding_timer(State *s, Market *m) except -1 nogil
