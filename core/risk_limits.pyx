"""Risk limits: the tier that an account has chosen for a market, where the venue lets it choose (BitMEX, Bybit).

Its rate then holds for the whole position whatever the size, its cap bounds position and orders, its leverage the
account's. Without a choice the tier is that of the size. A limit is lowered only as far as position and orders fit,
by the account itself or, where the market says so, by its liquidation before anything is sold (spec: BitMEX waterfall).
"""

from .contract cimport exposure_of
from .events cimport event_new
from .hedge cimport legs_of
from .ladder cimport NONE
from .margin cimport tier_of, unit_equity, unit_maintenance, value_at
from .orders cimport reject
from .records cimport *
from .state cimport (
    POSITION_LIMIT, STAGE_NONE, Market, Position, Tier, lead_of, mark_dirty, pool_first, pool_next, tiers_of_leverage,
)
from .units cimport abs64, max64, money_t


cdef inline money_t held_value(State *s, Market *m, Position *p) noexcept nogil:
    return value_at(s, m, p.lots, m.mark) if p.lots else 0


cdef inline money_t ordered_value(State *s, Market *m, Position *p) noexcept nogil:
    """The largest that the position's notional can become if its orders fill."""
    cdef money_t held = exposure_of(m, held_value(s, m, p))
    return max64(abs64(held), max64(abs64(held + p.order_value[SIDE_BUY]), abs64(held - p.order_value[SIDE_SELL])))


cdef inline int limit_of(Position *p) noexcept nogil:
    """Number of the chosen tier, from 1; 0: none is chosen."""
    return p.cap_tiers if p.flags & POSITION_LIMIT else 0


cdef void choose(State *s, Market *m, Position *p, int number) noexcept nogil:
    p.flags &= ~POSITION_LIMIT
    p.cap_tiers = tiers_of_leverage(s, m, p.leverage)
    if number:
        p.flags |= POSITION_LIMIT
        p.cap_tiers = <unsigned char>number


cdef int report(State *s, Position *p, int before, int reason) except -1 nogil:
    cdef Event *e = event_new(s, EVENT_RISK_LIMIT)
    e.account = p.account
    e.market = p.market
    e.asset = <unsigned char>s.markets[p.market].asset
    e.value = limit_of(p)
    e.aux = before
    e.reason = <unsigned short>reason
    return 0


cdef int refused_limit(State *s, Market *m, Position *p, int number) noexcept nogil:
    """Why a position, or a leg, cannot have a limit, whatever margin there is; REJECT_NONE if it can."""
    cdef Tier *t = &s.tiers[m.tier_first + number - 1] if number else tier_of(s, m, abs64(held_value(s, m, p)))
    if s.wallets[p.wallet].stage != STAGE_NONE or p.stage != STAGE_NONE:
        return REJECT_IN_LIQUIDATION
    if (number or p.lots or p.resting_orders) and p.leverage > t.leverage_max:
        return REJECT_LEVERAGE_CAP
    if number and ordered_value(s, m, p) > t.cap:
        return REJECT_RISK_LIMIT
    return REJECT_NONE


cdef int set_risk_limit(State *s, const Command *c) except -1 nogil:
    """Choose a tier, numbered from 1, for an account's position in a market, both legs alike; 0: none any more.

    Refused where maintenance would rise above the equity that there is.
    """
    cdef Market *m = &s.markets[c.market]
    cdef int32_t slots[2]
    cdef int32_t units[2]
    cdef int before[2]
    cdef money_t needed[2]
    cdef int32_t i, count, wallet
    cdef int reason
    cdef bint borne = True
    cdef money_t maintenance
    if not m.rules.risk_limits or m.rules.tier_method == TIERS_LINEAR or not 0 <= c.value <= m.tier_count:
        return reject(s, c, REJECT_BAD_VALUE)
    count = legs_of(s, c, slots)
    for i in range(count):
        reason = refused_limit(s, m, &s.positions[slots[i]], <int>c.value)
        if reason:
            return reject(s, c, reason)
    wallet = s.positions[slots[0]].wallet
    for i in range(count):
        units[i] = NONE if s.positions[slots[i]].mode == MODE_CROSS else slots[i]
        needed[i] = unit_maintenance(s, lead_of(s, wallet) if units[i] == NONE else wallet, units[i])
        before[i] = limit_of(&s.positions[slots[i]])
    for i in range(count):
        choose(s, m, &s.positions[slots[i]], <int>c.value)
    for i in range(count):
        maintenance = unit_maintenance(s, lead_of(s, wallet) if units[i] == NONE else wallet, units[i])
        borne = borne and (maintenance <= needed[i] or maintenance <= unit_equity(
            s, lead_of(s, wallet) if units[i] == NONE else wallet, units[i]))
    if not borne:
        for i in range(count):
            choose(s, m, &s.positions[slots[i]], before[i])
        return reject(s, c, REJECT_INSUFFICIENT_MARGIN)
    report(s, &s.positions[slots[0]], before[0], REJECT_NONE)
    return mark_dirty(s, wallet)


cdef bint lower_limits(State *s, int32_t wallet, int32_t position, bint with_orders) except -1 nogil:
    """Lower the limits of a unit in liquidation as far as its positions, with their orders, fit; whether any was."""
    cdef int32_t slot = position if position != NONE else pool_first(s, wallet)
    cdef bint lowered = False
    cdef int before, lowest
    cdef Position *p
    cdef Market *m
    while slot != NONE:
        p = &s.positions[slot]
        m = &s.markets[p.market]
        if p.flags & POSITION_LIMIT and m.rules.lower_limit_first and (position != NONE or p.mode == MODE_CROSS):
            before = p.cap_tiers
            lowest = <int>(tier_of(s, m, ordered_value(s, m, p) if with_orders else abs64(held_value(s, m, p)))
                           - &s.tiers[m.tier_first]) + 1
            if lowest < before:
                choose(s, m, p, lowest)
                report(s, p, before, REASON_LIQUIDATION)
                mark_dirty(s, p.wallet)
                lowered = True
        slot = NONE if position != NONE else pool_next(s, slot)
    return lowered
