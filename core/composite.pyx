"""A mark composed of several sources, each of which counts while it is fresh.

TRADES      mean of the trades of the last `mark_window`, weighted by size and 1 - decay * (age / window)^power; of the time
            of the last one. At most the last 128 trades, those of one price and instant counted as one
BOOK        mean over the window of the middle of the book, taken at each mark step: the mean prices at which an amount of
            margin buys and sells as much as it can; of the last step at which the book held so much
INDEX       the index, or an oracle, of the time when it was given
ELSEWHERE   weighted median of the valid perpetuals elsewhere
MEDIAN      of the others, where the mark is a weighted mean
Sources without a weight take no part. The mark is the mean of the fresh sources by weight or, weights aside, their median.
Without any it stays as it is.
Source: see composite_rules.pxd.
"""

from libc.stdint cimport int64_t

from .book cimport NO_PRICE, best_price, price_of_lots
from .composite_rules cimport (
    fresh, held_within, margin_of_volume, mean_of_weights, mean_over_time, middle_of, volume_of_margin, weight_of_age,
)
from .contract cimport lot_hold
from .index_price cimport perpetuals_elsewhere
from .index_rules cimport Quote, median_of, sort_quotes, weighted_mean
from .mark_inputs cimport MARK_BOOKS_MAX, BookPrice, MarkInputs, RecentTrade
from .records cimport COMPOSITION_MEDIAN, SIDE_BUY, SIDE_SELL
from .state cimport NEVER
from .units cimport RATE_ONE, i128, lots_t, max64, min64, ns_t, rate_t, ticks_t, wide_mul

cdef enum:
    OTHERS = 4                          # sources besides the median of them


cdef inline ns_t window_of(Market *m) noexcept nogil:
    return m.rules.mark_window_ns if m.rules.mark_window_ns else m.rules.mark_period_ns


cdef value_t of_trades(State *s, Market *m, ns_t *updated) noexcept nogil:
    """0 where nothing of the window weighs anything."""
    cdef MarkInputs *inputs = &s.mark_inputs[m.id]
    cdef RecentTrade *trade
    cdef i128 total = 0, weights = 0, weight
    cdef int64_t i
    for i in range(inputs.trades_count):
        trade = &inputs.trades[i]
        updated[0] = max64(updated[0], trade.time_ns)
        weight = wide_mul(weight_of_age(
            s.time_ns - trade.time_ns, window_of(m), m.rules.mark_decay, m.rules.mark_decay_power), trade.lots)
        weights += weight
        total += weight * trade.price
    return mean_of_weights(total, weights, m.tick_value, &s.overflow)


cdef ticks_t side_price(State *s, Market *m, int side, rate_t risk) noexcept nogil:
    """What the volume of the stated margin costs on one side of the book; NO_PRICE if it does not hold so much."""
    cdef ticks_t best = best_price(m, side)
    cdef lots_t lots
    cdef rate_t margin
    if best == NO_PRICE or best <= 0:
        return NO_PRICE
    if risk == 0:
        risk = RATE_ONE / s.tiers[m.tier_first].leverage_max
    margin = margin_of_volume(m.rules.mark_scaling, m.rules.mark_slippage, risk, &s.overflow)
    lots = volume_of_margin(m.rules.mark_cash, margin, lot_hold(s, m, best), &s.overflow)
    return price_of_lots(s, m, side, max64(1, lots))


cdef int sample_book(State *s, Market *m) noexcept nogil:
    """One more price of the book into its ring, where both sides hold the volume; one an instant."""
    cdef MarkInputs *inputs = &s.mark_inputs[m.id]
    cdef BookPrice *last = &inputs.books[(inputs.books_next + MARK_BOOKS_MAX - 1) % MARK_BOOKS_MAX]
    cdef ticks_t bid = side_price(s, m, SIDE_BUY, m.rules.mark_risk_short)
    cdef ticks_t ask = side_price(s, m, SIDE_SELL, m.rules.mark_risk_long)
    if bid == NO_PRICE or ask == NO_PRICE:
        return 0
    if not (inputs.books_count and last.time_ns == s.time_ns):
        last = &inputs.books[inputs.books_next]
        inputs.books_next = (inputs.books_next + 1) % MARK_BOOKS_MAX
        inputs.books_count = min64(inputs.books_count + 1, MARK_BOOKS_MAX)
    last.price = middle_of(bid * m.tick_value, ask * m.tick_value)
    last.time_ns = s.time_ns
    return 0


cdef value_t of_book(State *s, Market *m, ns_t *updated) noexcept nogil:
    """Mean over the window of the book's prices, each of which stood until the next; 0 before the first."""
    cdef MarkInputs *inputs = &s.mark_inputs[m.id]
    cdef BookPrice *price = NULL
    cdef i128 area = 0
    cdef ns_t time = 0, held, until = s.time_ns
    cdef value_t last = 0
    cdef int64_t i
    for i in range(inputs.books_count):         # from the newest to the oldest
        price = &inputs.books[(inputs.books_next + MARK_BOOKS_MAX - 1 - i) % MARK_BOOKS_MAX]
        if i == 0:
            updated[0], last = price.time_ns, price.price
        held = held_within(price.time_ns, until, s.time_ns - window_of(m))
        area += wide_mul(price.price, held)
        time += held
        until = price.time_ns
    return mean_over_time(area, time, last)


cdef inline void offer(
    State *s, Quote *quotes, int *count, value_t price, rate_t weight, ns_t updated, ns_t stale
) noexcept nogil:
    """One more quote, if the source has a weight, a price, and is fresh; a limit of 0 says that it never ages."""
    if weight > 0 and price > 0 and fresh(s.time_ns, updated, stale if stale else NEVER):
        quotes[count[0]].price = price
        quotes[count[0]].weight = weight
        count[0] += 1


cdef value_t composite_mark(State *s, Market *m) noexcept nogil:
    """The mark of now; 0 where no source is fresh."""
    cdef Quote[OTHERS + 1] quotes
    cdef int count = 0
    cdef ns_t traded = 0, seen = 0
    cdef value_t trades = of_trades(s, m, &traded), book, median
    sample_book(s, m)
    book = of_book(s, m, &seen)
    offer(s, quotes, &count, trades, m.rules.mark_weight_trades, traded, m.rules.mark_stale_trades_ns)
    offer(s, quotes, &count, book, m.rules.mark_weight_book, seen, m.rules.mark_stale_book_ns)
    offer(s, quotes, &count, 0 if m.index_lost else m.index, m.rules.mark_weight_index, m.index_ns, m.rules.mark_stale_index_ns)
    offer(s, quotes, &count, perpetuals_elsewhere(s, m), m.rules.mark_weight_elsewhere, s.time_ns, 0)
    sort_quotes(quotes, count)
    median = median_of(quotes, count)
    if m.rules.mark_composition == COMPOSITION_MEDIAN:
        return median
    offer(s, quotes, &count, median, m.rules.mark_weight_median, s.time_ns, 0)
    return weighted_mean(quotes, count, &s.overflow)
