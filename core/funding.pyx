"""Premium index, funding rate, funding payments.

premium   [max(0, impact bid - R) - max(0, R - impact ask)] / index with R the index (IMPACT); (mark - index) / index
          (MARK); or the first with R the mark, and the second (FAIR_BASIS). Sampled at a period; in the average of an
          interval the n-th sample weighs n, or all weigh the same
rate      P + clamp(interest - P, +-inner) or max(d, P) + min(-d, P); SCALED and DAMPER times interval / 8 h, PLAIN as it
          is; within the cap, and within the cap of its change
payment   -value at mark (or index) * rate, at the stamp; rounded against the account, the residue to the rounding account.
          Continuous funding has a rate per 8 h, that of the last sample alone, and accrues by the nanosecond: see
          accrual.pxd. The stamp books what has accrued
interval  after a rate at the cap stamps come more often, after enough quiet ones less often again
Sources: see funding_rules.pxd.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint16_t

from .accrual cimport EIGHT_HOURS_NS, set_rate, settle_all_accrued
from .book cimport NO_PRICE, NONE, impact_price
from .events cimport event_new
from .funding_rules cimport (
    damper, dead_band, limited, margin_cap, of_interval, payment, premium_index, relative,
)
from .initial cimport first_initial
from .margin cimport exposure_of, value_at
from .marks cimport impact_size
from .records cimport (
    AVERAGE_LINEAR_WEIGHTS, EVENT_FUNDING_INTERVAL, EVENT_FUNDING_PAYMENT, EVENT_FUNDING_RATE, EVENT_FUNDING_SETTLED,
    FORMULA_DAMPER, FORMULA_PLAIN, FUNDING_AT_INDEX, MODE_ISOLATED, PREMIUM_FAIR_BASIS, PREMIUM_MARK, SIDE_BUY, SIDE_SELL,
    TIERS_LINEAR, Event,
)
from .state cimport ACCOUNT_NO_FUNDING, TIMER_FUNDING, Position, Tier, Wallet, mark_dirty, wallet_of
from .timers cimport timer_add
from .units cimport (
    RATE_ONE, abs64, add_checked, div_floor, max64, money_t, mul_checked, sub_checked, ticks_t,
    value_t,
)


cdef int change_funding(State *s, Market *m, rate_t rate, ns_t next_ns) except -1 nogil:
    """A given rate for the running interval, and when it ends (a time that has passed is ignored: late messages)."""
    cdef Event *e
    if rate == m.funding_rate and (next_ns == m.funding_next_ns or next_ns <= s.time_ns):
        return 0
    set_rate(s, m, rate)
    if next_ns > s.time_ns and next_ns != m.funding_next_ns:
        m.funding_next_ns = next_ns
        timer_add(s, next_ns, TIMER_FUNDING, m.id, 0, 0)
    e = event_new(s, EVENT_FUNDING_RATE)
    e.market = <uint16_t>m.id
    e.value = rate
    e.aux = m.funding_next_ns
    return 0


cdef ns_t next_stamp(State *s, Market *m) noexcept nogil:
    """The first funding stamp after now: a multiple of the interval, moved by the offset."""
    cdef ns_t interval = m.rules.funding_interval_ns
    cdef ns_t offset = m.rules.funding_offset_ns % interval
    return (div_floor(s.time_ns - offset, interval) + 1) * interval + offset


cdef rate_t premium_now(State *s, Market *m) noexcept nogil:
    """The premium index of this moment, by the market's source of it."""
    cdef ticks_t bid, ask
    cdef value_t reference = m.index
    cdef rate_t basis = 0
    if m.rules.premium_source == PREMIUM_MARK:
        return relative(m.mark, m.index, RATE_ONE, &s.overflow) if m.mark else 0
    if m.rules.premium_source == PREMIUM_FAIR_BASIS and m.mark:
        reference = m.mark
        basis = relative(m.mark, m.index, RATE_ONE, &s.overflow)
    bid = impact_price(s, m, SIDE_BUY, impact_size(s, m))
    ask = impact_price(s, m, SIDE_SELL, impact_size(s, m))
    return basis + premium_index(
        0 if bid == NO_PRICE else bid * m.tick_value, INT64_MAX if ask == NO_PRICE else ask * m.tick_value,
        reference, m.index, &s.overflow)


cdef int rate_of_now(State *s, Market *m, rate_t premium) except -1 nogil:
    """Funding that accrues: the premium of each moment makes the rate of that moment; nothing is averaged."""
    cdef rate_t rate
    cdef Event *e
    m.premium_count = 1
    m.premium_weighted = premium
    rate = computed_rate(s, m)
    m.premium_count = m.premium_weighted = 0
    if rate == m.funding_rate:
        return 0
    set_rate(s, m, rate)
    e = event_new(s, EVENT_FUNDING_RATE)
    e.market = <uint16_t>m.id
    e.value = rate
    e.aux = m.funding_next_ns
    return 0


cdef int sample_premium(State *s, Market *m) except -1 nogil:
    """One sample of the premium index into the average of the interval."""
    cdef rate_t premium
    if m.index == 0 or m.index_lost:
        return 0
    premium = premium_now(s, m)
    if m.rules.funding_continuous:
        return rate_of_now(s, m, premium)
    m.premium_count += 1
    if m.rules.premium_average == AVERAGE_LINEAR_WEIGHTS:
        premium = mul_checked(m.premium_count, premium, &s.overflow)
    m.premium_weighted = add_checked(m.premium_weighted, premium, &s.overflow)
    return 0


cdef rate_t average_premium(Market *m) noexcept nogil:
    """Of the samples of the interval, rounded down; 0 without one."""
    cdef int64_t weights = m.premium_count
    if m.rules.premium_average == AVERAGE_LINEAR_WEIGHTS:
        weights = m.premium_count * (m.premium_count + 1) / 2
    return div_floor(m.premium_weighted, weights) if weights else 0


cdef rate_t cap_of(State *s, Market *m, rate_t factor, bint of_change, rate_t fixed) noexcept nogil:
    """A cap: fixed, or a multiple of initial - maintenance (of its change: of maintenance) of the first tier.

    BitMEX's example counts rates without the fee of closing: 75 % of (1 % - 0.5 %).
    """
    cdef Tier *t = &s.tiers[m.tier_first]
    cdef rate_t maintenance = t.rate - m.rules.close_fee_in_maintenance
    if factor == 0:
        return fixed
    if m.rules.tier_method == TIERS_LINEAR:
        maintenance = m.rules.maintenance_base
    return margin_cap(
        factor, maintenance if of_change else max64(0, first_initial(m, t) - maintenance), RATE_ONE, &s.overflow)


cdef rate_t funding_cap(State *s, Market *m) noexcept nogil:
    return cap_of(s, m, m.rules.funding_cap_margin, False, m.rules.funding_cap)


cdef rate_t computed_rate(State *s, Market *m) noexcept nogil:
    """The rate of the interval that ends now, from its premium samples."""
    cdef rate_t premium = average_premium(m)
    cdef rate_t change = cap_of(s, m, m.rules.funding_change_margin, True, m.rules.funding_change_cap)
    cdef rate_t rate
    if m.rules.funding_formula == FORMULA_DAMPER:
        rate = damper(premium, m.rules.funding_inner)
    else:
        rate = dead_band(premium, m.rules.interest_rate, m.rules.funding_inner)
    if m.rules.funding_formula != FORMULA_PLAIN and not m.rules.funding_continuous:
        rate = of_interval(rate, m.rules.funding_interval_ns, EIGHT_HOURS_NS, &s.overflow)
    rate = limited(rate, funding_cap(s, m))
    if change > 0:
        rate = m.funding_rate + limited(rate - m.funding_rate, change)
    return rate


cdef int adapt_interval(State *s, Market *m) except -1 nogil:
    """After a rate at the cap funding is due more often; after enough quiet cycles less often again. 1: it has changed."""
    cdef ns_t interval = m.rules.funding_interval_ns
    cdef Event *e
    if m.rules.premium_period_ns == 0:
        return 0                        # the rate is given, and its stamps are
    m.quiet_cycles = m.quiet_cycles + 1 if abs64(m.funding_rate) <= m.rules.funding_quiet_rate else 0
    if m.rules.funding_capped_interval_ns and abs64(m.funding_rate) >= funding_cap(s, m):
        interval = m.rules.funding_capped_interval_ns
        m.quiet_cycles = 0
    elif m.rules.funding_quiet_interval_ns and interval < m.rules.funding_quiet_interval_ns \
            and m.rules.funding_quiet_cycles and m.quiet_cycles >= m.rules.funding_quiet_cycles:
        interval = m.rules.funding_quiet_interval_ns
    if interval == m.rules.funding_interval_ns:
        return 0
    m.rules.funding_interval_ns = interval
    m.quiet_cycles = 0
    e = event_new(s, EVENT_FUNDING_INTERVAL)
    e.market = <uint16_t>m.id
    e.value = interval
    return 1


cdef int pay_funding(State *s, Market *m, int32_t slot) except -1 nogil:
    """One position's payment: from its isolated margin, else from its wallet."""
    cdef Position *p = &s.positions[slot]
    cdef Wallet *w = &s.wallets[p.wallet]
    cdef value_t price = m.index if m.rules.funding_price == FUNDING_AT_INDEX and m.index else m.mark
    cdef money_t value = exposure_of(m, value_at(s, m, p.lots, price))
    cdef money_t paid
    cdef Wallet *rounding = wallet_of(s, s.rounding, m.asset)
    cdef Event *e
    paid = payment(value, m.funding_rate, RATE_ONE, &s.overflow)
    s.roundings += 3                    # of the value, and of the payment, also where it comes to nothing
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
    if m.rules.funding_continuous:
        settle_all_accrued(s, m)
        slot = NONE
    elif m.rules.premium_period_ns > 0:
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
        if adapt_interval(s, m):
            m.funding_next_ns = next_stamp(s, m)
        else:
            m.funding_next_ns += m.rules.funding_interval_ns
        timer_add(s, m.funding_next_ns, TIMER_FUNDING, m.id, 0, 0)
    else:
        m.funding_next_ns = 0           # paid: another timer of this instant finds nothing to do
    return 0
