"""Mark prices.

GIVEN            SET_MARK, from a client or the tape
MEDIAN3          median(P1, P2, last); P1 = index * (1 + F * time left / interval);
                 P2 = index + mean of the last n samples of (bid + ask) / 2 - index, one sample a mark period
BASIS_MEAN       P2 alone
BASIS_EMA        index + exponential average of the bounded middle of the book - index, within bounds around the index
FUNDING_BASIS    P1 alone; the time left may be counted from the start of the minute, the basis rounded to a unit
ORACLE           the index
HYPERLIQUID      median of: index + exponential average of middle - index; median(bid, ask, last); weighted median of
                 perpetuals elsewhere. With two of them, an exponential average of the second is the third
COMPOSITE        of trades, book, index and others, by weights or their median: composite.pyx
Methods other than GIVEN and MEDIAN3 also compute where there is no mark period: whenever the index changes.
Sources: see mark_rules.pxd.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint16_t

from .accrual cimport accrual_rebase
from .bands cimport refresh_bands
from .book cimport NO_PRICE, best_price, impact_price
from .composite cimport composite_mark
from .events cimport event_new
from .fixed_point cimport ema_step, whole
from .funding_rules cimport impact_of_margin
from .index_price cimport perpetuals_elsewhere
from .mark_rules cimport bounded_middle, funding_basis, median3, median_of_known, nearest, time_left, within
from .records cimport (
    EVENT_MARK, MARK_BASIS_EMA, MARK_BASIS_MEAN, MARK_COMPOSITE, MARK_FUNDING_BASIS, MARK_GIVEN, MARK_HYPERLIQUID,
    MARK_MEDIAN3, SIDE_BUY, SIDE_SELL, Event,
)
from .state cimport BASIS_SAMPLES_MAX
from .units cimport RATE_ONE, abs64, div_floor, max64, min64, money_t, mul_div_floor, ns_t, ticks_t


cdef int change_mark(State *s, Market *m, value_t mark) except -1 nogil:
    """Set the mark; what depends on it happens at the end of the group."""
    cdef Event *e = event_new(s, EVENT_MARK)
    cdef int64_t gap
    if not m.mark_changed:
        m.mark_before = m.mark
    accrual_rebase(s, m)
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
    if bid == NO_PRICE or ask == NO_PRICE or m.index == 0 or m.index_lost or capacity <= 0:
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


cdef money_t impact_size(State *s, Market *m) noexcept nogil:
    """Notional for which impact prices are asked."""
    if m.rules.impact_margin:
        return impact_of_margin(m.rules.impact_margin, s.tiers[m.tier_first].leverage_max, &s.overflow)
    return m.rules.impact_notional


cdef int sample_ema(State *s, Market *m) noexcept nogil:
    """One more sample of the bounded middle - index, and of the book's own price, into their averages."""
    cdef ticks_t bid = best_price(m, SIDE_BUY)
    cdef ticks_t ask = best_price(m, SIDE_SELL)
    cdef ticks_t low = NO_PRICE, high = NO_PRICE
    cdef ns_t first = max64(1, m.rules.mark_period_ns)      # what a first sample weighs
    cdef value_t middle
    if bid == NO_PRICE or ask == NO_PRICE:
        return 0
    if m.rules.mark_mid_bound:
        low = impact_price(s, m, SIDE_BUY, impact_size(s, m))
        high = impact_price(s, m, SIDE_SELL, impact_size(s, m))
    middle = bounded_middle(
        bid * m.tick_value, ask * m.tick_value, 0 if low == NO_PRICE else low * m.tick_value,
        INT64_MAX if high == NO_PRICE else high * m.tick_value, m.rules.mark_mid_bound, &s.overflow)
    if m.index and not m.index_lost and m.rules.mark_ema_ns and m.basis_ema_ns != s.time_ns:
        ema_step(&m.basis_ema, &m.basis_ema_weight, middle - m.index,
                 s.time_ns - m.basis_ema_ns if m.basis_ema_weight else first, m.rules.mark_ema_ns)
        m.basis_ema_ns = s.time_ns
    if m.rules.mark_fallback_ns and m.local_ema_ns != s.time_ns:
        ema_step(&m.local_ema, &m.local_ema_weight, local_price(m),
                 s.time_ns - m.local_ema_ns if m.local_ema_weight else first, m.rules.mark_fallback_ns)
        m.local_ema_ns = s.time_ns
    return 0


cdef value_t local_price(Market *m) noexcept nogil:
    """median(bid, ask, last), the middle before the first trade; 0 where a side is empty."""
    cdef ticks_t bid = best_price(m, SIDE_BUY)
    cdef ticks_t ask = best_price(m, SIDE_SELL)
    if bid == NO_PRICE or ask == NO_PRICE:
        return 0
    if m.last == 0:
        return div_floor((bid + ask) * m.tick_value, 2)
    return median3(bid, ask, m.last) * m.tick_value


cdef inline value_t mean_basis(Market *m) noexcept nogil:
    return div_floor(m.basis_sum, m.basis_count) if m.basis_count else 0


cdef value_t median_mark(State *s, Market *m) noexcept nogil:
    """median(P1, P2, last); before the first trade P2 stands in for last."""
    cdef value_t first = m.index, second = m.index + mean_basis(m)
    if m.rules.funding_interval_ns > 0 and m.funding_next_ns:
        first += funding_basis(
            m.index, m.funding_rate, RATE_ONE, time_left(s.time_ns, m.funding_next_ns, m.rules.mark_step_ns),
            m.rules.funding_interval_ns, &s.overflow)
    return median3(first, second, m.last * m.tick_value if m.last else second)


cdef value_t fair_mark(State *s, Market *m) noexcept nogil:
    """The index and what the funding still to come is worth."""
    if m.rules.funding_interval_ns <= 0 or m.funding_next_ns == 0:
        return m.index
    return m.index + nearest(
        funding_basis(
            m.index, m.funding_rate, RATE_ONE, time_left(s.time_ns, m.funding_next_ns, m.rules.mark_step_ns),
            m.rules.funding_interval_ns, &s.overflow), m.rules.mark_unit)


cdef value_t bounded_mark(State *s, Market *m) noexcept nogil:
    """The index and the average of the bounded middle - index, within bounds around the index."""
    cdef value_t mark = m.index + (whole(m.basis_ema) if m.basis_ema_weight else 0)
    return within(mark, m.index, m.rules.mark_bound_down, m.rules.mark_bound_up, &s.overflow)


cdef value_t robust_mark(State *s, Market *m) noexcept nogil:
    """Hyperliquid's median of three; 0 where none of the three exists."""
    cdef value_t oracle = 0
    cdef value_t local = local_price(m)
    cdef value_t elsewhere = perpetuals_elsewhere(s, m)
    if m.index and not m.index_lost:
        oracle = m.index + (whole(m.basis_ema) if m.basis_ema_weight else 0)
    return median_of_known(oracle, local, elsewhere, whole(m.local_ema) if m.local_ema_weight else 0)


cdef value_t mark_of_method(State *s, Market *m) noexcept nogil:
    """By the market's method; 0 where there is nothing to compute it from."""
    if m.index_lost and m.rules.last_price_protection:
        return m.last * m.tick_value
    if m.rules.mark_method == MARK_HYPERLIQUID:
        return robust_mark(s, m)
    if m.rules.mark_method == MARK_COMPOSITE:
        return composite_mark(s, m)
    if m.index == 0:
        return 0
    if m.rules.mark_method == MARK_MEDIAN3:
        return median_mark(s, m)
    if m.rules.mark_method == MARK_BASIS_MEAN:
        return m.index + mean_basis(m)
    if m.rules.mark_method == MARK_BASIS_EMA:
        return bounded_mark(s, m)
    return fair_mark(s, m) if m.rules.mark_method == MARK_FUNDING_BASIS else m.index


cdef int compute_mark(State *s, Market *m) except -1 nogil:
    """Sample what the mark is made of and set it, where the market computes its mark."""
    cdef value_t mark
    sample_basis(s, m)
    if m.rules.mark_method == MARK_BASIS_EMA or m.rules.mark_method == MARK_HYPERLIQUID:
        sample_ema(s, m)
    if m.rules.mark_method == MARK_GIVEN:
        return 0
    mark = mark_of_method(s, m)
    if mark >= m.mark_min and mark <= m.price_max * m.tick_value:
        change_mark(s, m, mark)
    return 0


cdef int follow_index(State *s, Market *m) except -1 nogil:
    """The index has been computed or set: a market without a mark period computes its mark now."""
    if m.rules.mark_method > MARK_MEDIAN3 and m.rules.mark_period_ns == 0:
        return compute_mark(s, m)
    return 0
