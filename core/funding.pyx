"""Premium index, funding rate, funding payments.

premium          P = [max(0, impact bid - index) - max(0, index - impact ask)] / index, sampled at a period; the
                 average of an interval weighs the n-th sample with n
funding rate     (P + clamp(interest - P, +-inner)) * interval / 8 h, clamped to +-cap
payment          -value at mark * rate, at the stamp; rounded against the account, the residue to the rounding account
Source: Binance support 360033525031 (funding).
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

from .book cimport NO_PRICE, NONE, impact_price
from .events cimport event_new
from .margin cimport value_at
from .records cimport (
    EVENT_FUNDING_PAYMENT, EVENT_FUNDING_RATE, EVENT_FUNDING_SETTLED, MODE_ISOLATED, SIDE_BUY, SIDE_SELL, Event,
)
from .state cimport ACCOUNT_NO_FUNDING, TIMER_FUNDING, Position, Wallet, mark_dirty, wallet_of
from .timers cimport timer_add
from .units cimport (
    RATE_ONE, add_checked, div_floor, max64, min64, money_t, mul_div_ceil, mul_div_floor, sub_checked, ticks_t,
)

cdef extern from *:
    """
    #define PERPSIM_EIGHT_HOURS_NS (8 * 3600 * INT64_C(1000000000))
    """
    const int64_t EIGHT_HOURS_NS "PERPSIM_EIGHT_HOURS_NS"


cdef int change_funding(State *s, Market *m, rate_t rate, ns_t next_ns) except -1 nogil:
    """A given rate for the running interval, and when it ends (a time that has passed is ignored: late messages)."""
    cdef Event *e
    if rate == m.funding_rate and (next_ns == m.funding_next_ns or next_ns <= s.time_ns):
        return 0
    m.funding_rate = rate
    if next_ns > s.time_ns and next_ns != m.funding_next_ns:
        m.funding_next_ns = next_ns
        timer_add(s, next_ns, TIMER_FUNDING, m.id, 0, 0)
    e = event_new(s, EVENT_FUNDING_RATE)
    e.market = <uint16_t>m.id
    e.value = rate
    e.aux = m.funding_next_ns
    return 0


cdef int sample_premium(State *s, Market *m) noexcept nogil:
    """One sample of the premium index."""
    cdef ticks_t bid = impact_price(s, m, SIDE_BUY, m.rules.impact_notional)
    cdef ticks_t ask = impact_price(s, m, SIDE_SELL, m.rules.impact_notional)
    cdef int64_t above = 0
    if m.index == 0:
        return 0
    if bid != NO_PRICE:
        above += max64(0, bid * m.tick_value - m.index)
    if ask != NO_PRICE:
        above -= max64(0, m.index - ask * m.tick_value)
    m.premium_count += 1
    m.premium_weighted += m.premium_count * mul_div_floor(above, RATE_ONE, m.index, &s.overflow)
    return 0


cdef rate_t computed_rate(State *s, Market *m) noexcept nogil:
    cdef int64_t weights = m.premium_count * (m.premium_count + 1) / 2
    cdef rate_t premium = div_floor(m.premium_weighted, weights) if weights else 0
    cdef rate_t inner = max64(-m.rules.funding_inner, min64(m.rules.funding_inner, m.rules.interest_rate - premium))
    cdef rate_t rate = mul_div_floor(premium + inner, m.rules.funding_interval_ns, EIGHT_HOURS_NS, &s.overflow)
    return max64(-m.rules.funding_cap, min64(m.rules.funding_cap, rate))


cdef int pay_funding(State *s, Market *m, int32_t slot) except -1 nogil:
    """One position's payment: from its isolated margin, else from its wallet."""
    cdef Position *p = &s.positions[slot]
    cdef Wallet *w = &s.wallets[p.wallet]
    cdef money_t paid = mul_div_ceil(value_at(s, m, p.lots, m.mark), m.funding_rate, RATE_ONE, &s.overflow)
    cdef Wallet *rounding = wallet_of(s, s.rounding, m.asset)
    cdef Event *e
    s.roundings += 2                    # of the value, and of the payment, also where it comes to nothing
    if paid == 0:
        return 0
    w.funding -= paid
    if p.mode == MODE_ISOLATED:
        p.isolated_margin = sub_checked(p.isolated_margin, paid, &s.overflow)
    else:
        w.balance = sub_checked(w.balance, paid, &s.overflow)
    rounding.balance = add_checked(rounding.balance, paid, &s.overflow)
    e = event_new(s, EVENT_FUNDING_PAYMENT)
    e.account = p.account
    e.market = <uint16_t>m.id
    e.asset = <uint8_t>m.asset
    e.size_lots = p.lots
    e.value = -paid
    return mark_dirty(s, p.wallet)


cdef int funding_due(State *s, Market *m) except -1 nogil:
    """The funding stamp: every position pays or gets; what the roundings leave stays with the rounding account."""
    cdef int32_t slot = m.positions_head
    cdef Event *e
    if m.funding_next_ns != s.time_ns:
        return 0                        # the venue moved its stamp
    if m.rules.premium_period_ns > 0:
        m.funding_rate = computed_rate(s, m)
        m.premium_count = m.premium_weighted = 0
    while slot != NONE:
        if s.positions[slot].lots and not s.accounts[s.positions[slot].account].flags & ACCOUNT_NO_FUNDING:
            pay_funding(s, m, slot)
        slot = s.positions[slot].market_next
    e = event_new(s, EVENT_FUNDING_SETTLED)
    e.market = <uint16_t>m.id
    e.value = m.funding_rate
    e.aux = m.mark
    if m.rules.funding_interval_ns > 0:
        m.funding_next_ns += m.rules.funding_interval_ns
        timer_add(s, m.funding_next_ns, TIMER_FUNDING, m.id, 0, 0)
    else:
        m.funding_next_ns = 0           # paid: another timer of this instant finds nothing to do
    return 0
