# When a fund takes nothing over, by the venue's trigger. See fund_trigger.pyx.

from .state cimport Market, State
from .units cimport money_t

cdef int start_fund_timer(State *s) except -1 nogil
cdef int forget_samples(State *s) except -1 nogil
cdef int fund_sample_due(State *s) except -1 nogil
cdef bint fund_closed(State *s, Market *m) except -1 nogil
cdef money_t loss_left(State *s, Market *m) noexcept nogil
