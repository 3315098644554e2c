# What a forced sale costs, and what it counts for. See forced_fee.pyx.

from libc.stdint cimport int32_t

from .state cimport Market, State
from .units cimport lots_t, money_t, rate_t

cdef struct Sale:                       # a forced order, from before it was sent to after its fills
    lots_t held
    lots_t sent
    bint long_side                      # a long was sold
    lots_t filled
    money_t balance                     # of the wallet, and what it had realised, before
    money_t realised
    money_t cost                        # of the position, before
    money_t bankruptcy                  # value of `held` at bankruptcy, signed like them
    money_t shortage                    # of the unit
    rate_t fund_fee                     # FEE_COLLATERAL: the fund's fee
    money_t notional                    # what was paid for `filled`
    money_t returned                    # what came back to the wallet

cdef int open_sale(State *s, int32_t wallet, int32_t position, int32_t slot, lots_t lots, Sale *sale) except -1 nogil
cdef int close_sale(
    State *s, Market *m, int32_t wallet, int32_t position, int32_t slot, int side, lots_t filled, Sale *sale
) except -1 nogil
