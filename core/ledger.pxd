# The only writer of money and positions. Everything that moves either calls in here.

from libc.stdint cimport int32_t, int64_t

from .state cimport Market, Position, State, Wallet
from .units cimport lots_t, money_t

cdef int transfer(State *s, Wallet *payer, Wallet *receiver, money_t amount) except -1 nogil
cdef int change_position(State *s, int32_t position, lots_t lots, money_t value) except -1 nogil
cdef int charge_fee(State *s, Wallet *w, int32_t asset, money_t fee) except -1 nogil
cdef int move_isolated(State *s, Position *p, money_t amount) except -1 nogil
