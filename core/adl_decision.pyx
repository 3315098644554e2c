"""A user's own ADL policy, `AdlPolicy.USER`: the waterfall stops and asks, commands answer.

Where the fund takes no more and there are counterparties, `State.adl` is opened and everything still to be done stays
marked: the unit and its position there, further units in the found list, a command whose timers led here as `waiting`.
Then nothing is taken but ADL_DECISION commands, each of which closes lots of one account; flag MORE says that another
follows. After the last one what is left of the position goes to the next step of the waterfall, and the work goes on
(dispatch.pyx). So a decision is a command like any other: it is journalled, and nobody is asked again in a replay.
"""

from libc.stdint cimport int32_t, int64_t

import numpy as np

from .adl cimport Face, eligible, look_at_face
from .contract cimport shown_price
from .deleverage cimport close_against, unhedged_lots
from .idmap cimport find_leg
from .ladder cimport NONE
from .records cimport *
from .state cimport ACCOUNT_HOUSE, Market, Position
from .units cimport abs64

CANDIDATE = np.dtype([
    ("account", "<i4"), ("mode", "<i4"), ("leverage", "<i8"), ("lots", "<i8"), ("value", "<i8"), ("cost", "<i8"),
    ("pnl", "<i8"), ("balance", "<i8"), ("equity", "<i8"), ("maintenance", "<i8"), ("share", "<i8"),
    ("unhedged", "<i8"),
], align=True)


cdef int32_t held_against(State *s, int32_t account, int32_t market, bint longs) noexcept nogil:
    """The account's position on one side of a market, NONE if it holds nothing there."""
    cdef int leg
    cdef int32_t slot
    for leg in range(LEG_BOTH, LEG_SHORT + 1):
        slot = find_leg(s, account, market, leg)
        if slot != NONE and s.positions[slot].lots and (s.positions[slot].lots > 0) == longs:
            return slot
    return NONE


cdef int fault_of(State *s, const Command *c, int32_t *counterparty) noexcept nogil:
    """What is wrong with a part of a decision, FAULT_NONE if it can be done. A size of 0 that ends it names nobody."""
    cdef Position *p = &s.positions[s.adl.slot]
    cdef int32_t slot = NONE
    counterparty[0] = NONE
    if c.market != p.market:
        return FAULT_MARKET
    if c.size_lots == 0 and not c.flags & FLAG_MORE:
        return FAULT_NONE
    if p.lots == 0:
        return FAULT_LEFT               # and no side any more
    if not 0 <= c.account < s.accounts_count:
        return FAULT_ACCOUNT
    if s.accounts[c.account].flags & ACCOUNT_HOUSE:
        return FAULT_HOUSE
    slot = held_against(s, c.account, p.market, p.lots < 0)
    if slot == NONE:
        return FAULT_SIDE
    if not eligible(s, &s.positions[slot], p.lots < 0):
        return FAULT_LIQUIDATION
    if c.size_lots <= 0:
        return FAULT_SIZE
    if c.size_lots > abs64(s.positions[slot].lots):
        return FAULT_HELD
    if c.size_lots > abs64(p.lots):
        return FAULT_LEFT
    counterparty[0] = slot
    return FAULT_NONE


cdef int decide(State *s, const Command *c) except -1 nogil:
    """Close what a part of the decision says; returns what is wrong with it, and then nothing has happened."""
    cdef int32_t slot
    cdef int fault = fault_of(s, c, &slot)
    if fault == FAULT_NONE and slot != NONE:
        close_against(
            s, &s.markets[c.market], s.adl.slot, slot, c.size_lots, &s.adl.value, &s.adl.share, REJECT_NONE)
    return fault


cdef object pending_dict(State *s):
    """What is asked: the position that is to be closed, and everybody who can be asked to; None if nothing is."""
    cdef Position *p
    cdef Market *m
    cdef int32_t slot
    cdef int64_t worth
    if not s.adl.open:
        return None
    p = &s.positions[s.adl.slot]
    m = &s.markets[p.market]
    worth = s.adl.value - s.adl.share
    rows = []
    slot = m.positions_head
    while slot != NONE:
        if p.lots and eligible(s, &s.positions[slot], p.lots < 0):
            rows.append(candidate(s, m, slot))
        slot = s.positions[slot].market_next
    return {
        "account": p.account, "market": p.market, "asset": m.asset, "lots": p.lots, "mark": m.mark, "time_ns": s.time_ns,
        "value": worth, "share": s.adl.share, "price_ticks": shown_price(m, p.lots, worth) if p.lots else 0,
        "candidates": np.sort(np.array(rows, CANDIDATE), order="account"),
    }


cdef tuple candidate(State *s, Market *m, int32_t slot):
    """One counterparty as the built-in policies see it (adl.pxd `Face`)."""
    cdef Position *p = &s.positions[slot]
    cdef Face f
    look_at_face(s, slot, m, &f)
    return (
        p.account, p.mode, f.leverage, p.lots, f.value, f.cost, f.gain, f.balance, f.equity, f.maintenance, f.share,
        unhedged_lots(s, m, slot))
