# Placing, matching, amending and cancelling orders: hold, match, release.

from libc.stdint cimport int32_t, int64_t, uint8_t

from .records cimport Command
from .state cimport Market, State
from .units cimport lots_t, ticks_t

cdef int reject(State *s, const Command *c, int reason) except -1 nogil
cdef int place(State *s, const Command *c) except -1 nogil
cdef int cancel(State *s, const Command *c) except -1 nogil
cdef int64_t apply_calm(State *s, const Command *commands, int64_t first, int64_t count) except -1 nogil
cdef int cancel_all(State *s, const Command *c) except -1 nogil
cdef int amend(State *s, const Command *c) except -1 nogil
cdef int match_and_settle(State *s, Market *m, int32_t position, int64_t order_id, int side, ticks_t limit,
                          lots_t *lots, uint8_t stp_mode, bint *expired) except -1 nogil
cdef int fire_conditionals(State *s, Market *m, int source) except -1 nogil
cdef int expire_order(State *s, int32_t account, int64_t order_id) except -1 nogil
