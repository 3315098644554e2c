# Hedge mode: an account's long and short legs of one market are two positions, each with its own margin.

from libc.stdint cimport int32_t

from .idmap cimport find_leg
from .ladder cimport NONE
from .records cimport LEG_BOTH, LEG_LONG, LEG_SHORT, REJECT_BAD_ENUM, REJECT_HEDGE_ONLY, REJECT_NONE, REJECT_ONE_WAY_ONLY, \
    SIDE_BUY, SIDE_SELL, Command
from .state cimport ACCOUNT_HEDGE, Market, Position, State, leg_new

cdef int32_t legs_of(State *s, const Command *c, int32_t *slots) except -1 nogil
cdef int net_legs(State *s, int32_t wallet) except -1 nogil

cdef inline bint hedged(State *s, Market *m, int32_t account) noexcept nogil:
    """Whether the account has two legs in this market."""
    return s.accounts[account].flags & ACCOUNT_HEDGE and m.rules.hedge_allowed

cdef inline int refused_leg(State *s, Market *m, const Command *c) noexcept nogil:
    """The reject code of a `position_side` that does not fit the account's mode, REJECT_NONE if it does."""
    if not hedged(s, m, c.account):
        return REJECT_ONE_WAY_ONLY if c.position_side != LEG_BOTH else REJECT_NONE
    if c.position_side == LEG_BOTH:
        return REJECT_HEDGE_ONLY
    return REJECT_BAD_ENUM if c.position_side > LEG_SHORT else REJECT_NONE

cdef inline bint closes_leg(Position *p, int side) noexcept nogil:
    """Whether an order of this side can only close the leg; never in one-way mode."""
    return p.leg == (LEG_LONG if side == SIDE_SELL else LEG_SHORT)

cdef inline int32_t leg_made(State *s, int32_t account, int32_t market, int leg) except -1 nogil:
    """Slot of an account's position in a market, made on first use."""
    cdef int32_t slot = find_leg(s, account, market, leg)
    return leg_new(s, account, market, leg) if slot == NONE else slot
