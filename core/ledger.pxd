# The only writer of money and positions. Everything that moves either calls in here.

from libc.stdint cimport int32_t, int64_t

from .state cimport Market, Position, State, Wallet, wallet_of
from .units cimport add_checked, lots_t, money_t, sub_checked

cdef int change_position(State *s, int32_t position, lots_t lots, money_t value) except -1 nogil
cdef int move_isolated(State *s, Position *p, money_t amount) except -1 nogil

cdef inline void transfer(State *s, Wallet *payer, Wallet *receiver, money_t amount) noexcept nogil:
    payer.balance = sub_checked(payer.balance, amount, &s.overflow)
    receiver.balance = add_checked(receiver.balance, amount, &s.overflow)


cdef inline void charge_fee(State *s, Wallet *w, int32_t asset, money_t fee) noexcept nogil:
    """Fee in the wallet's asset to the treasury; a negative fee is a rebate."""
    w.fees += fee
    transfer(s, w, wallet_of(s, s.treasury, asset), fee)
