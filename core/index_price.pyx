"""The index price: given by SET_INDEX, or made of its constituents, which SET_SOURCE brings.

A source counts while it has a price that is not stale. With fewer valid sources than `sources_few` they are averaged as
they are, with equal weights (OKX: two); else the outlier rule holds them against their median, and the method puts
them together. With no valid source the index stays where it was and is `lost`: premium samples pause, and under
last-price protection the mark is the last trade.
Sources: see index_rules.pxd. BitMEX leaves a source out that is 25 % off the median, until it has been within 2 % for
15 minutes.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t

from .accrual cimport accrual_rebase
from .events cimport event_new
from .index_rules cimport (
    Quote, clamped, median_of, outlying, sort_quotes, weighted_mean, weighted_median,
)
from .records cimport (
    EVENT_INDEX, EVENT_INDEX_LOST, EVENT_SOURCE, INDEX_MEAN, INDEX_WEIGHTED_MEDIAN, OUTLIER_CLAMP, OUTLIER_EXCLUDE,
    OUTLIER_ZERO_WEIGHT, Event,
)
from .state cimport SOURCES_MAX, Source
from .units cimport RATE_ONE, mul_div_floor


cdef value_t shocked(State *s, Market *m, value_t recorded, rate_t share) noexcept nogil:
    """A recorded price, moved as the recorded book is, by `share` of its impact."""
    cdef rate_t impact
    if m.shock != RATE_ONE:
        recorded = mul_div_floor(recorded, m.shock, RATE_ONE, &s.overflow)
    if m.impact:
        impact = mul_div_floor(m.impact, share, RATE_ONE, &s.overflow)
        recorded = mul_div_floor(recorded, RATE_ONE + impact, RATE_ONE, &s.overflow)
    return recorded


cdef int change_index(State *s, Market *m, value_t index) except -1 nogil:
    cdef Event *e
    m.index_ns = s.time_ns
    if m.index == index:
        return 0
    accrual_rebase(s, m)
    m.index = index
    if s.collateral != NULL:
        s.prices_changed = 1            # it may be the price of a collateral asset
    e = event_new(s, EVENT_INDEX)
    e.market = <uint16_t>m.id
    e.value = index
    return 0


cdef int change_source(State *s, Market *m, int64_t number, value_t price) except -1 nogil:
    """A new price of a source; 0: it is lost."""
    cdef Source *source = &s.sources[<int64_t>m.id * SOURCES_MAX + number]
    cdef Event *e
    source.time_ns = s.time_ns
    if source.price == price:
        return 0
    source.price = price
    e = event_new(s, EVENT_SOURCE)
    e.market = <uint16_t>m.id
    e.value = price
    e.aux = number
    return 0


cdef inline bint valid(State *s, Market *m, Source *source) noexcept nogil:
    return source.price > 0 and (
        m.rules.source_stale_ns == 0 or s.time_ns - source.time_ns <= m.rules.source_stale_ns)


cdef int valid_quotes(State *s, Market *m, int first, int count, bint returned_only, Quote *quotes) noexcept nogil:
    """Of `count` sources from number `first` on, those that count now; returns how many."""
    cdef Source *source = &s.sources[<int64_t>m.id * SOURCES_MAX + first]
    cdef int i, n = 0
    for i in range(count):
        if valid(s, m, &source[i]) and not (returned_only and source[i].left_out):
            quotes[n].price = source[i].price
            quotes[n].weight = source[i].weight
            n += 1
    return n


cdef void leave_out(State *s, Market *m, value_t median) noexcept nogil:
    """Who is out by the rule of exclusion, and who is back: it has been within the narrow band for long enough."""
    cdef Source *source = &s.sources[<int64_t>m.id * SOURCES_MAX]
    cdef int i
    for i in range(m.sources_count):
        if not valid(s, m, &source[i]):
            source[i].inside_ns = 0
        elif outlying(source[i].price, median, m.rules.outlier_band, &s.overflow):
            source[i].left_out = 1
            source[i].inside_ns = 0
        elif outlying(source[i].price, median, m.rules.outlier_return_band, &s.overflow):
            source[i].inside_ns = 0
        elif source[i].left_out:
            if source[i].inside_ns == 0:
                source[i].inside_ns = s.time_ns
            if s.time_ns - source[i].inside_ns >= m.rules.outlier_return_ns:
                source[i].left_out = 0
                source[i].inside_ns = 0


cdef value_t held_to_median(State *s, Market *m, Quote *quotes, int count, value_t median) noexcept nogil:
    """Apply the outlier rule to sorted quotes; returns the index where the rule itself says it, else 0."""
    cdef int i, outliers = 0
    for i in range(count):
        if m.rules.outlier_rule == OUTLIER_CLAMP:
            quotes[i].price = clamped(quotes[i].price, median, m.rules.outlier_band, &s.overflow)
        elif outlying(quotes[i].price, median, m.rules.outlier_band, &s.overflow):
            quotes[i].weight = 0
            outliers += 1
    return median if outliers > 1 else 0


cdef value_t index_of_sources(State *s, Market *m) noexcept nogil:
    """The index by the market's method; 0 where no source is valid."""
    cdef Quote[SOURCES_MAX] quotes
    cdef int i, count = valid_quotes(s, m, 0, m.sources_count, m.rules.outlier_rule == OUTLIER_EXCLUDE, quotes)
    cdef bint few
    cdef value_t median
    if m.rules.outlier_rule == OUTLIER_EXCLUDE:
        if count == 0:                  # all are out: the median of all decides who comes back
            count = valid_quotes(s, m, 0, m.sources_count, False, quotes)
        sort_quotes(quotes, count)
        median = median_of(quotes, count)
        leave_out(s, m, median)
        count = valid_quotes(s, m, 0, m.sources_count, True, quotes)
        if count == 0:
            return median
    sort_quotes(quotes, count)
    median = median_of(quotes, count)
    few = count < m.rules.sources_few
    if not few and (m.rules.outlier_rule == OUTLIER_ZERO_WEIGHT or m.rules.outlier_rule == OUTLIER_CLAMP):
        median = held_to_median(s, m, quotes, count, median)
        if median:
            return median
    if few or m.rules.index_method == INDEX_MEAN:
        for i in range(count):
            quotes[i].weight = quotes[i].weight > 0 or few
    if m.rules.index_method == INDEX_WEIGHTED_MEDIAN and not few:
        return weighted_median(quotes, count)
    return weighted_mean(quotes, count, &s.overflow)


cdef int compute_index(State *s, Market *m) except -1 nogil:
    """The index of the sources as they stand now."""
    cdef value_t index = index_of_sources(s, m)
    cdef uint8_t lost = index == 0
    cdef Event *e
    if lost != m.index_lost:
        m.index_lost = lost
        e = event_new(s, EVENT_INDEX_LOST)
        e.market = <uint16_t>m.id
        e.value = m.index
        e.aux = lost
    return 0 if lost else change_index(s, m, index)


cdef value_t perpetuals_elsewhere(State *s, Market *m) noexcept nogil:
    """Weighted median of the valid mids of perpetuals on other venues; 0 where there is none."""
    cdef Quote[SOURCES_MAX] quotes
    cdef int count = valid_quotes(s, m, m.sources_count, m.perps_count, False, quotes)
    sort_quotes(quotes, count)
    return weighted_median(quotes, count)
