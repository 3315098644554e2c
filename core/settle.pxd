# The release step: fills become money and positions, orders that end give back what they held.

from libc.stdint cimport int32_t, int64_t, uint16_t

from .state cimport Market, Order, State
from .units cimport lots_t

cdef int hold(State *s, Market *m, Order *o) except -1 nogil
cdef int release(State *s, Market *m, int32_t position, int side, uint16_t flags, int64_t price, int64_t premium,
                 lots_t lots, lots_t left) except -1 nogil
cdef int settle_fills(State *s, Market *m, int side, int32_t taker_position, int64_t taker_id) except -1 nogil
cdef int cancel_order(State *s, int32_t slot, int reason) except -1 nogil
cdef int cancel_orders_of(State *s, int32_t position, int reason) except -1 nogil
cdef int trim_reduce_only(State *s, int32_t position) except -1 nogil
