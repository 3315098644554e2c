"""Mark price, premium index and funding.

mark (MEDIAN3)   median(P1, P2, last); P1 = index * (1 + F * time left / interval);
                 P2 = index + mean of the last n samples of (bid + ask) / 2 - index, one sample a mark period
premium          P = [max(0, impact bid - index) - max(0, index - impact ask)] / index, sampled at a period; the
                 average of an interval weighs the n-th sample with n
funding rate     (P + clamp(interest - P, +-inner)) * interval / 8 h, clamped to +-cap
payment          -value at mark * rate, at the stamp; rounded against the account, the residue to the rounding account
Sources: Binance support 360033525071 (mark and index), 360033525031 (funding).
"""

from libc.stdint cimport uint8_t, uint16_t

from .bands cimport refresh_bands
from .book cimport NO_PRICE, NONE, best_price, impact_price
from .events cimport event_new
from .margin cimport value_at
from .records cimport (
    EVENT_FUNDING_PAYMENT, EVENT_FUNDING_RATE, EVENT_FUNDING_SETTLED, EVENT_INDEX, EVENT_MARK, MARK_MEDIAN3,
    MODE_ISOLATED, SIDE_BUY, SIDE_SELL, Event,
)
from .state cimport (
    ACCOUNT_NO_FUNDING, BASIS_SAMPLES_MAX, TIMER_FUNDING, TIMER_MARK, TIMER_PREMIUM, Position, Wallet, mark_dirty,
    wallet_of,
)
from .timers cimport timer_add
from .units cimport (
    RATE_ONE, abs64, add_checked, div_floor, max64, min64, money_t, mul_div_ceil, mul_div_floor, sub_checked, ticks_t,
)

cdef extern from *:
    """
    #define PERPSIM_EIGHT_HOURS_NS (8 * 3600 * INT64_C(1000000000))
    """
    const int64_t EIGHT_HOURS_NS "PERPSIM_EIGHT_HOURS_NS"


cdef value_t shocked(State *s, Market *m, value_t recorded) noexcept nogil:
    """A recorded index or mark, moved as the recorded book is."""
    if m.shock == RATE_ONE:
        return recorded
    return mul_div_floor(recorded, m.shock, RATE_ONE, &s.overflow)


cdef int change_mark(State *s, Market *m, value_t mark) except -1 nogil:
    """Set the mark; what depends on it happens at the end of the group."""
    cdef Event *e = event_new(s, EVENT_MARK)
    cdef int64_t gap
    m.mark = mark
    refresh_bands(s, m)
    if not m.mark_changed:
        m.mark_changed = 1
        s.changed[s.changed_count] = m.id
        s.changed_count += 1
    if m.mark_lowest == 0 or mark < m.mark_lowest:
        m.mark_lowest = mark
    if mark > m.mark_highest:
        m.mark_highest = mark
    if m.index:
        gap = mul_div_floor(abs64(mark - m.index), RATE_ONE, m.index, &s.overflow)
        if gap > m.basis_gap_worst_e9:
            m.basis_gap_worst_e9 = gap
    e.market = <uint16_t>m.id
    e.value = mark
    e.aux = m.index
    e.price_ticks = m.last
    return 0


cdef int change_index(State *s, Market *m, value_t index) except -1 nogil:
    cdef Event *e
    if m.index == index:
        return 0
    m.index = index
    e = event_new(s, EVENT_INDEX)
    e.market = <uint16_t>m.id
    e.value = index
    return 0


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


cdef inline ns_t following(State *s, ns_t period_ns) noexcept nogil:
    """The first multiple of a period after now."""
    return (s.time_ns / period_ns + 1) * period_ns


cdef int start_mark_timer(State *s, Market *m) except -1 nogil:
    """At the start, and when the period changes: a timer that runs already is not the next one any more."""
    m.mark_next_ns = 0
    if m.rules.mark_period_ns > 0 and s.started:
        m.mark_next_ns = following(s, m.rules.mark_period_ns)
        timer_add(s, m.mark_next_ns, TIMER_MARK, m.id, 0, 0)
    return 0


cdef int start_funding_timer(State *s, Market *m) except -1 nogil:
    """At the start, and when an interval is set where there was none: a stamp that is announced stays."""
    if m.rules.funding_interval_ns > 0 and s.started and m.funding_next_ns == 0:
        m.funding_next_ns = following(s, m.rules.funding_interval_ns)
        timer_add(s, m.funding_next_ns, TIMER_FUNDING, m.id, 0, 0)
    return 0


cdef int start_timers(State *s, Market *m) except -1 nogil:
    """First time seen: line the timers up with multiples of their periods."""
    start_mark_timer(s, m)
    if m.rules.premium_period_ns > 0:
        timer_add(s, following(s, m.rules.premium_period_ns), TIMER_PREMIUM, m.id, 0, 0)
    return start_funding_timer(s, m)


cdef void forget_basis(Market *m) noexcept nogil:
    """The number of samples has changed: they are gathered anew."""
    m.basis_count = m.basis_next = 0
    m.basis_sum = 0


cdef int sample_basis(State *s, Market *m) noexcept nogil:
    """One more sample of mid - index into the ring of the last n."""
    cdef ticks_t bid = best_price(m, SIDE_BUY)
    cdef ticks_t ask = best_price(m, SIDE_SELL)
    cdef int64_t *ring = &s.basis[m.id * BASIS_SAMPLES_MAX]
    cdef int64_t sample
    cdef int64_t capacity = min64(m.rules.basis_samples, BASIS_SAMPLES_MAX)
    if bid == NO_PRICE or ask == NO_PRICE or m.index == 0 or capacity <= 0:
        return 0
    sample = div_floor((bid + ask) * m.tick_value, 2) - m.index
    if m.basis_count == capacity:
        m.basis_sum -= ring[m.basis_next]
    else:
        m.basis_count += 1
    ring[m.basis_next] = sample
    m.basis_sum += sample
    m.basis_next = (m.basis_next + 1) % capacity
    return 0


cdef value_t median_mark(State *s, Market *m) noexcept nogil:
    """median(P1, P2, last); before the first trade P2 stands in for last."""
    cdef value_t first = m.index, second = m.index, last
    cdef int64_t left = max64(0, m.funding_next_ns - s.time_ns)
    if m.rules.funding_interval_ns > 0 and m.funding_next_ns:
        first += mul_div_floor(
            mul_div_floor(m.index, m.funding_rate, RATE_ONE, &s.overflow), left, m.rules.funding_interval_ns, &s.overflow)
    if m.basis_count:
        second += div_floor(m.basis_sum, m.basis_count)
    last = m.last * m.tick_value if m.last else second
    return max64(min64(first, second), min64(max64(first, second), last))


cdef int mark_due(State *s, Market *m) except -1 nogil:
    """The mark timer: sample, compute, set; the caller ends the group."""
    cdef value_t mark
    if m.mark_next_ns != s.time_ns:
        return 0                        # the period has changed since
    m.mark_next_ns += m.rules.mark_period_ns
    timer_add(s, m.mark_next_ns, TIMER_MARK, m.id, 0, 0)
    sample_basis(s, m)
    if m.rules.mark_method != MARK_MEDIAN3 or m.index == 0:
        return 0
    mark = median_mark(s, m)
    if mark > 0 and mark <= m.price_max * m.tick_value:
        change_mark(s, m, mark)
    return 0


cdef int premium_due(State *s, Market *m) except -1 nogil:
    """The premium timer: one sample of the premium index."""
    cdef ticks_t bid = impact_price(s, m, SIDE_BUY, m.rules.impact_notional)
    cdef ticks_t ask = impact_price(s, m, SIDE_SELL, m.rules.impact_notional)
    cdef int64_t above = 0
    timer_add(s, s.time_ns + m.rules.premium_period_ns, TIMER_PREMIUM, m.id, 0, 0)
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
