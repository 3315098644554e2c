# What marks are made of. Header only; pure functions of integers in any one unit.
#
# Sources: Binance support 360033525071; Bybit help, Mark Price; BitMEX fairPriceMarking; Deribit mark price pages;
# Hyperliquid docs, robust price indices; Vega, composite mark price.

from libc.stdint cimport int64_t

from .units cimport RATE_ONE, div_floor, max64, min64, mul_div_floor, ns_t, rate_t, value_t

cdef inline value_t median3(value_t a, value_t b, value_t c) noexcept nogil:
    return max64(min64(a, b), min64(max64(a, b), c))

cdef inline value_t funding_basis(
    value_t index, rate_t rate, int64_t one, ns_t left, ns_t interval, int *overflow
) noexcept nogil:
    """index * rate / one * time left / interval: what the mark stands off the index while funding is due. Rounded down."""
    return mul_div_floor(mul_div_floor(index, rate, one, overflow), left, interval, overflow)

cdef inline ns_t time_left(ns_t now, ns_t stamp, ns_t step) noexcept nogil:
    """Time to the next stamp, counted from the start of the running step (of a minute, say; 0: from now)."""
    return max64(0, stamp - (now / step * step if step > 0 else now))

cdef inline value_t nearest(value_t x, value_t unit) noexcept nogil:
    """To the nearest multiple of a unit, half of it upward; a unit of 0 leaves x as it is."""
    return x if unit <= 0 else div_floor(x + unit / 2, unit) * unit

cdef inline value_t within(value_t mark, value_t index, rate_t down, rate_t up, int *overflow) noexcept nogil:
    """A mark held between index * (1 - down) and index * (1 + up), edges rounded inward; a rate of 0 sets no bound."""
    if up > 0:
        mark = min64(mark, index + mul_div_floor(index, up, RATE_ONE, overflow))
    if down > 0:
        mark = max64(mark, index - mul_div_floor(index, down, RATE_ONE, overflow))
    return mark

cdef inline value_t median_of_known(value_t oracle, value_t local, value_t elsewhere, value_t third) noexcept nogil:
    """Median of three prices of which 0 says that one is not known; 0 where none is.

    With two of them `third`, the average of the book's own price, is the third; without it their mean, rounded down.
    """
    cdef value_t high = max64(oracle, max64(local, elsewhere))
    cdef value_t low
    if oracle > 0 and local > 0 and elsewhere > 0:
        return median3(oracle, local, elsewhere)
    low = max64(min64(oracle, local), max64(min64(oracle, elsewhere), min64(local, elsewhere)))
    if low <= 0:
        return max64(0, high)           # alone, or none at all
    return median3(high, low, third) if third > 0 else div_floor(high + low, 2)

cdef inline value_t bounded_middle(
    value_t bid, value_t ask, value_t impact_bid, value_t impact_ask, rate_t bound, int *overflow
) noexcept nogil:
    """Middle of the impact prices, each at most `bound` (a rate; 0: not at all) behind the best price of its side."""
    cdef value_t low = max64(impact_bid, bid - mul_div_floor(bid, bound, RATE_ONE, overflow))
    cdef value_t high = min64(impact_ask, ask + mul_div_floor(ask, bound, RATE_ONE, overflow))
    return div_floor(low + high, 2)
