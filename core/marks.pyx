"""Mark prices.

GIVEN            SET_MARK, from a client or the tape
MEDIAN3          median(P1, P2, last); P1 = index * (1 + F * time left / interval);
                 P2 = index + mean of the last n samples of (bid + ask) / 2 - index, one sample a mark period
Source: Binance support 360033525071 (mark and index).
"""

from libc.stdint cimport int64_t, uint16_t

from .bands cimport refresh_bands
from .book cimport NO_PRICE, best_price
from .events cimport event_new
from .records cimport EVENT_MARK, MARK_MEDIAN3, SIDE_BUY, SIDE_SELL, Event
from .state cimport BASIS_SAMPLES_MAX
from .units cimport RATE_ONE, abs64, div_floor, max64, min64, mul_div_floor, ticks_t


cdef int change_mark(State *s, Market *m, value_t mark) except -1 nogil:
    """Set the mark; what depends on it happens at the end of the group."""
    cdef Event *e = event_new(s, EVENT_MARK)
    cdef int64_t gap
    if not m.mark_changed:
        m.mark_before = m.mark
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


cdef int compute_mark(State *s, Market *m) except -1 nogil:
    """The market's mark by its own method, where it has one and there is an index."""
    cdef value_t mark
    if m.rules.mark_method != MARK_MEDIAN3 or m.index == 0:
        return 0
    mark = median_mark(s, m)
    if mark > 0 and mark <= m.price_max * m.tick_value:
        change_mark(s, m, mark)
    return 0
