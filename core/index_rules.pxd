# How an index is made of the prices of its constituents. Header only; pure functions of integers in any one unit.
#
# Sources: Binance support 66607f4c63e748568f503fcbd8f08965 (bands around the median) and 360033525071 (2019: weight 0
# beyond 5 %, the median if several are); OKX help, spot index prices (2024-08); BitMEX and Deribit index pages.

from libc.stdint cimport int64_t

from .units cimport (
    RATE_ONE, abs64, div_floor, i128, mul_div_floor, narrow, rate_t, value_t, wide_div_floor, wide_mul,
)

cdef struct Quote:
    value_t price
    int64_t weight

cdef inline void sort_quotes(Quote *quotes, int count) noexcept nogil:
    """By price, rising; of equal prices the one that came first stays first. At most a few dozen: by insertion."""
    cdef int i, j
    cdef Quote moving
    for i in range(1, count):
        moving = quotes[i]
        j = i
        while j > 0 and quotes[j - 1].price > moving.price:
            quotes[j] = quotes[j - 1]
            j -= 1
        quotes[j] = moving

cdef inline value_t median_of(const Quote *quotes, int count) noexcept nogil:
    """Of sorted quotes, weights aside; of an even count the mean of the middle two, rounded down. 0 of none."""
    if count == 0:
        return 0
    if count & 1:
        return quotes[count / 2].price
    return quotes[count / 2 - 1].price + div_floor(quotes[count / 2].price - quotes[count / 2 - 1].price, 2)

cdef inline value_t weighted_mean(const Quote *quotes, int count, int *overflow) noexcept nogil:
    """sum of weight * price / sum of weights, rounded down; 0 where no weight is left."""
    cdef i128 total = 0
    cdef int64_t weights = 0
    cdef int i
    for i in range(count):
        total += wide_mul(quotes[i].price, quotes[i].weight)
        weights += quotes[i].weight
    return narrow(wide_div_floor(total, weights), overflow) if weights > 0 else 0

cdef inline value_t weighted_median(const Quote *quotes, int count) noexcept nogil:
    """Of sorted quotes: the lowest price at which half of the weight is reached; 0 where no weight is left."""
    cdef i128 below = 0, weights = 0
    cdef int i
    for i in range(count):
        weights += quotes[i].weight
    for i in range(count):
        below += quotes[i].weight
        if weights > 0 and 2 * below >= weights:
            return quotes[i].price
    return 0

cdef inline bint outlying(value_t price, value_t median, rate_t band, int *overflow) noexcept nogil:
    """Whether a price is further from the median than the band (a rate) allows."""
    return abs64(price - median) > mul_div_floor(median, band, RATE_ONE, overflow)

cdef inline value_t clamped(value_t price, value_t median, rate_t band, int *overflow) noexcept nogil:
    """The price itself inside median * (1 +- band), else the nearest edge; edges are rounded inward."""
    cdef value_t low = median - mul_div_floor(median, band, RATE_ONE, overflow)
    cdef value_t high = median + mul_div_floor(median, band, RATE_ONE, overflow)
    return low if price < low else (high if price > high else price)
