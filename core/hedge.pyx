"""Hedge mode (spec of the venues: one switch an account, LONG and SHORT in each market, one leverage for both).

An order names its leg. On the leg's closing side it is reduce-only, so a leg never turns over. Legs are not netted:
each has its own maintenance, so each is hurt in one direction only.
"""

from libc.stdint cimport int32_t

from .events cimport event_new
from .ledger cimport change_position
from .margin cimport value_at
from .records cimport EVENT_LEGS_NETTED, MODE_CROSS, Event
from .units cimport abs64, lots_t, min64, money_t


cdef int32_t legs_of(State *s, const Command *c, int32_t *slots) except -1 nogil:
    """The account's position in the command's market, or its two legs, made on first use. Returns how many."""
    if not hedged(s, &s.markets[c.market], c.account):
        slots[0] = leg_made(s, c.account, c.market, LEG_BOTH)
        return 1
    slots[0] = leg_made(s, c.account, c.market, LEG_LONG)
    slots[1] = leg_made(s, c.account, c.market, LEG_SHORT)
    return 2


cdef int net_pair(State *s, int32_t longs, int32_t shorts) except -1 nogil:
    """Close two legs against each other at the mark as far as the smaller one goes; no trade, no fee."""
    cdef Position *p = &s.positions[longs]
    cdef Market *m = &s.markets[p.market]
    cdef lots_t lots = min64(p.lots, abs64(s.positions[shorts].lots))
    cdef money_t value = value_at(s, m, lots, m.mark)
    cdef Event *e
    change_position(s, longs, -lots, -value)
    change_position(s, shorts, lots, value)
    e = event_new(s, EVENT_LEGS_NETTED)
    e.account = p.account
    e.market = p.market
    e.asset = <unsigned char>m.asset
    e.size_lots = lots
    e.value = value
    return 0


cdef int net_legs(State *s, int32_t wallet) except -1 nogil:
    """A wallet's cross legs, market by market, the newest first."""
    cdef int32_t slot = s.wallets[wallet].positions_head, other
    cdef Position *p
    while slot != NONE:
        p = &s.positions[slot]
        if p.leg == LEG_LONG and p.lots and p.mode == MODE_CROSS:
            other = find_leg(s, p.account, p.market, LEG_SHORT)
            if other != NONE and s.positions[other].lots and s.positions[other].mode == MODE_CROSS:
                net_pair(s, slot, other)
        slot = s.positions[slot].account_next
    return 0
