"""The later steps of the waterfall: the fund takes over at bankruptcy value, ADL takes the rest, cover pays what is missing.

Takeover gives each position its share of the unit's equity (by maintenance weight, the last the remainder) and moves
it at the value where that share is used up, so the unit ends with exactly nothing. The fund takes what its capacity
allows, ADL the rest, both at that value (the bankruptcy price). Where no counterparty is left, the missing money is
drawn from the fund, then from the winners if the rulebook socialises, then recorded as the venue's deficit, and the
fund keeps the position at the mark.
"""

from libc.stdint cimport int32_t

from .book cimport NONE
from .cover cimport cover_shortfall
from .deleverage cimport deleverage
from .fund cimport fund_capacity, move_to_fund
from .margin cimport value_at
from .records cimport *
from .risk_unit cimport next_position, share_of
from .settle cimport trim_reduce_only
from .state cimport Market
from .units cimport lots_t, money_t


cdef int take_over(State *s, int32_t wallet, int32_t position) except -1 nogil:
    """Move every position of the unit away, each with its share of the equity; the unit ends with nothing."""
    cdef int32_t slot = next_position(s, wallet, position)
    cdef int32_t i
    while slot != NONE:
        absorb(s, wallet, position, slot, share_of(s, wallet, position, slot))
        slot = next_position(s, wallet, position)
    if position == NONE and s.wallets[wallet].balance < 0:
        for i in range(s.markets_count):        # nothing but a debt: the asset's first fund
            if s.markets[i].asset == wallet % s.assets_count:
                return cover_shortfall(s, &s.markets[i], wallet, NONE, -s.wallets[wallet].balance)
    return 0


cdef int absorb(State *s, int32_t wallet, int32_t position, int32_t slot, money_t share) except -1 nogil:
    """Takeover of one position: fund, then ADL, then cover. Each part moves at bankruptcy value."""
    cdef Market *m = &s.markets[s.positions[slot].market]
    cdef lots_t lots = s.positions[slot].lots, part
    cdef money_t value = value_at(s, m, lots, m.mark)
    part = fund_capacity(s, m, lots, value, share)
    if lots > 0:
        m.liquidated_long_lots += lots
    else:
        m.liquidated_short_lots -= lots
    if part:
        move_to_fund(s, m, slot, part if lots > 0 else -part, &value, &share)
    if s.positions[slot].lots:
        deleverage(s, m, slot, &value, &share)
    if s.positions[slot].lots:
        if share < 0:
            cover_shortfall(s, m, s.positions[slot].wallet, slot if position != NONE else NONE, -share)
            share = 0
        move_to_fund(s, m, slot, s.positions[slot].lots, &value, &share)
    return trim_reduce_only(s, slot)
