# Recorded markets inside the live book: tape levels, tape trades.
# The rules are those of the level queue: R recorded, P printed, C consumed; world = max(0, R - P - C), always.

from libc.stdint cimport int32_t, int64_t

from .state cimport Market, State
from .units cimport lots_t, ticks_t

cdef int tape_level(State *s, Market *m, int side, ticks_t price, lots_t lots, bint snapshot) except -1 nogil
cdef int tape_depth_end(State *s, Market *m) except -1 nogil
cdef int tape_trade(State *s, Market *m, int side, ticks_t price, lots_t lots) except -1 nogil
cdef int trade_crossed(State *s, Market *m) except -1 nogil
cdef int missed(State *s, Market *m, int side, ticks_t price, lots_t lots) except -1 nogil
cdef int fill_better(State *s, Market *m, int side, ticks_t price, lots_t *lots) except -1 nogil
