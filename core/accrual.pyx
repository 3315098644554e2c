"""Funding that accrues: the index of a market, settling a position, the bands under which triggers are set.

What is settled goes through the market's clearing account, because who pays and who gets are not settled at one instant:
`accrued_paid` is what it holds of it. At a stamp all positions are settled; the lots sum to zero, so what is left there
is what the roundings took, less than one unit a settlement, and goes to the rounding account.
"""

from libc.stdint cimport uint8_t, uint16_t

from .events cimport event_new
from .ladder cimport NONE
from .records cimport EVENT_FUNDING_PAYMENT, MODE_ISOLATED, Event
from .state cimport SPECIAL_ACCRUAL, Wallet, accrued_make, mark_dirty, wallet_of
from .units cimport add_checked, sub_checked

cdef enum:
    BAND_PARTS = 10_000         # of a lot's value: half the width of a band; at a cap of 0.5 % per 8 h ten minutes


cdef void accrual_rebase(State *s, Market *m) noexcept nogil:
    """Before price or rate change: what has accrued so far stays."""
    if m.rules.funding_continuous and m.accrued_since != s.time_ns:
        m.accrued_base = accrued_now(s, m)
        m.accrued_since = s.time_ns


cdef int set_rate(State *s, Market *m, rate_t rate) except -1 nogil:
    """Another rate from now on."""
    accrual_rebase(s, m)
    m.funding_rate = rate
    return 0


cdef int accrual_begin(State *s, Market *m) except -1 nogil:
    """The rule holds from now on: nobody owes anything yet."""
    cdef int32_t slot = m.positions_head
    accrued_make(s)
    m.special |= SPECIAL_ACCRUAL
    s.accruing += 1
    m.accrued_since = s.time_ns
    while slot != NONE:
        s.accrued_from[slot] = m.accrued_base
        mark_dirty(s, s.positions[slot].wallet)
        slot = s.positions[slot].market_next
    m.accrued = m.accrued_low = m.accrued_high = m.accrued_base
    m.accrued_ns = s.time_ns
    return 0


cdef int accrual_end(State *s, Market *m) except -1 nogil:
    """Before the rule ends: everybody is settled."""
    settle_all_accrued(s, m)
    accrual_rebase(s, m)
    m.special &= ~SPECIAL_ACCRUAL
    s.accruing -= 1
    return 0


cdef int settle_accrued(State *s, int32_t slot) except -1 nogil:
    """Turn what a position owes into a payment, from its isolated margin, else from its wallet."""
    cdef Position *p = &s.positions[slot]
    cdef Market *m = &s.markets[p.market]
    cdef Wallet *w = &s.wallets[p.wallet]
    cdef Wallet *clearing
    cdef money_t owed = accrued_of(s, m, p)
    cdef Event *e
    if not m.rules.funding_continuous:
        return 0
    s.accrued_from[slot] = accrued_now(s, m)
    if p.lots == 0:
        return 0
    s.roundings += 1
    if owed == 0:
        return mark_dirty(s, p.wallet)
    w.funding -= owed
    if p.mode == MODE_ISOLATED:
        p.isolated_margin = sub_checked(p.isolated_margin, owed, &s.overflow)
    else:
        w.balance = sub_checked(w.balance, owed, &s.overflow)
    clearing = &s.wallets[m.clearing_wallet]
    clearing.balance = add_checked(clearing.balance, owed, &s.overflow)
    m.accrued_paid = add_checked(m.accrued_paid, owed, &s.overflow)
    e = event_new(s, EVENT_FUNDING_PAYMENT)
    e.account = p.account
    e.market = <uint16_t>m.id
    e.asset = <uint8_t>m.asset
    e.size_lots = p.lots
    e.value = -owed
    return mark_dirty(s, p.wallet)


cdef int settle_all_accrued(State *s, Market *m) except -1 nogil:
    """Every position of a market; what the roundings left goes to the rounding account."""
    cdef int32_t slot = m.positions_head
    cdef Wallet *clearing = &s.wallets[m.clearing_wallet]
    cdef Wallet *rounding = wallet_of(s, s.rounding, m.asset)
    while slot != NONE:
        if s.positions[slot].lots:
            settle_accrued(s, slot)
        slot = s.positions[slot].market_next
    clearing.balance = sub_checked(clearing.balance, m.accrued_paid, &s.overflow)
    rounding.balance = add_checked(rounding.balance, m.accrued_paid, &s.overflow)
    m.accrued_paid = 0
    return 0


cdef int new_band(State *s, Market *m) except -1 nogil:
    """The index has left its band: a new one, under which those whom the way out hurts are stamped again.

    The others were stamped for the edge on their side, so the new band does not go beyond it.
    """
    cdef bint longs = m.accrued > m.accrued_high
    cdef i128 reach = lot_now(m) / BAND_PARTS + 1
    cdef i128 low = m.accrued - reach, high = m.accrued + reach
    cdef int32_t slot = m.positions_head
    m.accrued_low = m.accrued_low if longs and low < m.accrued_low else low
    m.accrued_high = m.accrued_high if not longs and high > m.accrued_high else high
    while slot != NONE:
        if s.positions[slot].lots and (s.positions[slot].lots > 0) == longs:
            mark_dirty(s, s.positions[slot].wallet)
        slot = s.positions[slot].market_next
    return 0


cdef int accrue_to_now(State *s) except -1 nogil:
    """At a decision, before anybody is looked at: every index to this moment, new bands where one was left."""
    cdef int32_t i
    cdef Market *m
    for i in range(s.markets_count):
        m = &s.markets[i]
        if m.rules.funding_continuous:
            m.accrued = accrued_now(s, m)
            m.accrued_ns = s.time_ns
            if m.accrued > m.accrued_high or m.accrued < m.accrued_low:
                new_band(s, m)
    return 0
