"""The formulas of index, marks and funding as Python functions: the ones that the engine itself uses, on integers.

Prices, values and rates may be in any one unit; `one` says how many units of a rate make 1. Rounding is that of the
engine, named in index_rules.pxd, mark_rules.pxd and funding_rules.pxd, where the sources are too. A number that does not
fit 64 bits raises OverflowError.
"""

from libc.stdint cimport int64_t

from .composite_rules cimport (
    fresh, held_within, margin_of_volume, mean_of_weights, mean_over_time, middle_of, volume_of_margin, weight_of_age,
)
from .fixed_point cimport ema_step
from .funding_rules cimport (
    accrual, damper, dead_band, impact_of_margin, interest_of, limited, margin_cap, of_interval, payment, payment_of_time,
    premium_index, rate_of_year, relative,
)
from .index_rules cimport Quote, clamped, median_of, sort_quotes, weighted_mean, weighted_median
from .mark_rules cimport funding_basis, median3, median_of_known, nearest, time_left, within
from .units cimport i128, high_word, low_word, wide_mul

cdef enum:
    QUOTES_MAX = 256


cdef int64_t checked(int64_t result, int overflow) except? -1:
    if overflow:
        raise OverflowError("a number of the formula does not fit 64 bits")
    return result


cdef object from_wide(i128 number):
    return (int(high_word(number)) << 64) | int(low_word(number))


cdef int take_quotes(prices, weights, Quote *quotes) except -1:
    """Sorted by price. Raises ValueError for too many, or for lists of different lengths."""
    cdef int count = 0
    if len(prices) > QUOTES_MAX or len(prices) != len(weights):
        raise ValueError(f"{len(prices)} prices and {len(weights)} weights; as many of each, at most {int(QUOTES_MAX)}")
    for price, weight in zip(prices, weights):
        quotes[count].price = price
        quotes[count].weight = weight
        count += 1
    sort_quotes(quotes, count)
    return count


# Index

def median(prices):
    """Of an even count the mean of the middle two, rounded down; None of none."""
    cdef Quote[QUOTES_MAX] quotes
    count = take_quotes(prices, [1] * len(prices), quotes)
    return median_of(quotes, count) if count else None


def mean_by_weight(prices, weights):
    """sum of weight * price / sum of weights, rounded down; None where no weight is left."""
    cdef Quote[QUOTES_MAX] quotes
    cdef int overflow = 0
    count = take_quotes(prices, weights, quotes)
    result = weighted_mean(quotes, count, &overflow) if sum(weights) > 0 else 0
    return checked(result, overflow) if sum(weights) > 0 else None


def median_by_weight(prices, weights):
    """The lowest price at which half of the weight is reached; None where no weight is left."""
    cdef Quote[QUOTES_MAX] quotes
    count = take_quotes(prices, weights, quotes)
    return weighted_median(quotes, count) if sum(weights) > 0 else None


def held_to_median(int64_t price, int64_t middle, int64_t band_e9):
    """A source's price inside middle * (1 +- band), band in 1e-9."""
    cdef int overflow = 0
    result = clamped(price, middle, band_e9, &overflow)
    return checked(result, overflow)


# Marks

def median_of_three(int64_t a, int64_t b, int64_t c):
    return median3(a, b, c)


def robust_mark(int64_t oracle, int64_t local, int64_t elsewhere, int64_t third=0):
    """Hyperliquid's median; 0 says that a price is not known. None where none is."""
    return median_of_known(oracle, local, elsewhere, third) or None


def basis_of_funding(int64_t index, int64_t rate, int64_t one, int64_t left_ns, int64_t interval_ns, int64_t unit=0):
    """index * rate * left / interval, to the nearest multiple of `unit` (0: as it is)."""
    cdef int overflow = 0
    result = nearest(funding_basis(index, rate, one, left_ns, interval_ns, &overflow), unit)
    return checked(result, overflow)


def left_of_interval(int64_t now_ns, int64_t stamp_ns, int64_t step_ns=0):
    """Time to the stamp, counted from the start of the running step."""
    return time_left(now_ns, stamp_ns, step_ns)


def bounded(int64_t mark, int64_t index, int64_t down_e9, int64_t up_e9):
    cdef int overflow = 0
    result = within(mark, index, down_e9, up_e9, &overflow)
    return checked(result, overflow)


def exponential_average(samples, int64_t tau_ns):
    """Of (x, time since the sample before in ns) pairs: the average, in units of 2^-32 of that of x."""
    cdef i128 average = 0
    cdef int64_t weight = 0
    for x, step_ns in samples:
        ema_step(&average, &weight, x, step_ns, tau_ns)
    return from_wide(average)


# Composite marks

def fresh_sources(prices, weights, updated_ns, age_max_ns, int64_t now_ns):
    """The prices and the weights of the sources that are fresh."""
    chosen = [i for i in range(len(prices)) if fresh(now_ns, updated_ns[i], age_max_ns[i])]
    return [prices[i] for i in chosen], [weights[i] for i in chosen]


def mean_of_trades(trades, int64_t now_ns, int64_t window_ns, int64_t decay_e9, int64_t power, int64_t unit=1):
    """Of (price, size, time) trades: weighted by size and age, times a unit, rounded down; None where nothing weighs.

    Prices below 2^30, sizes to 2^38: ValueError for others.
    """
    cdef i128 total = 0, weights = 0, weight
    cdef int overflow = 0
    cdef int64_t of_one
    for price, size, time in trades:
        if not (0 <= price < 1 << 30 and 0 <= size <= 1 << 38 and 0 <= time <= now_ns) or len(trades) > 128:
            raise ValueError(f"the trade {price}, {size}, {time} is out of range, or there are more than 128")
        of_one = weight_of_age(now_ns - time, window_ns, decay_e9, power)
        weight = wide_mul(of_one, size)
        weights += weight
        total += weight * <int64_t>price
    result = mean_of_weights(total, weights, unit, &overflow)
    return checked(result, overflow) if weights > 0 else None


def volume_in_book(int64_t cash, int64_t scaling, int64_t slippage, int64_t risk, int64_t lot_value):
    """Lots that an amount of margin buys; scaling, slippage and risk factor in 1e-9."""
    cdef int overflow = 0
    result = volume_of_margin(cash, margin_of_volume(scaling, slippage, risk, &overflow), lot_value, &overflow)
    return checked(result, overflow)


def middle(int64_t bid, int64_t ask):
    return middle_of(bid, ask)


def mean_of_time(points, int64_t now_ns, int64_t window_ns):
    """Of (time, price) pairs, each price standing until the next one: the mean over the window, rounded down; None of none."""
    cdef i128 area = 0
    cdef int64_t held, time = 0, until = now_ns
    last = None
    for start, price in sorted(points, reverse=True):
        last = price if last is None else last
        held = held_within(start, until, now_ns - window_ns)
        area += wide_mul(price, held)
        time += held
        until = start
    return None if last is None else mean_over_time(area, time, last)


# Funding

def premium(int64_t impact_bid, int64_t impact_ask, int64_t reference, int64_t index):
    """In 1e-9."""
    cdef int overflow = 0
    result = premium_index(impact_bid, impact_ask, reference, index, &overflow)
    return checked(result, overflow)


def relative_to_index(int64_t price, int64_t index, int64_t one):
    cdef int overflow = 0
    result = relative(price, index, one, &overflow)
    return checked(result, overflow)


def rate_with_dead_band(int64_t premium_rate, int64_t interest, int64_t inner):
    return dead_band(premium_rate, interest, inner)


def rate_with_damper(int64_t premium_rate, int64_t inner):
    return damper(premium_rate, inner)


def scaled_rate(int64_t rate, int64_t interval_ns, int64_t unit_ns):
    cdef int overflow = 0
    result = of_interval(rate, interval_ns, unit_ns, &overflow)
    return checked(result, overflow)


def capped_rate(int64_t rate, int64_t cap):
    return limited(rate, cap)


def interest(int64_t quote, int64_t base, int64_t intervals):
    return interest_of(quote, base, intervals)


def cap_of_margin(int64_t factor, int64_t margin, int64_t one):
    cdef int overflow = 0
    result = margin_cap(factor, margin, one, &overflow)
    return checked(result, overflow)


def impact_notional(int64_t margin, int64_t leverage):
    cdef int overflow = 0
    result = impact_of_margin(margin, leverage, &overflow)
    return checked(result, overflow)


def funding_payment(int64_t value, int64_t rate, int64_t one):
    """What a position of signed value pays, rounded up."""
    cdef int overflow = 0
    result = payment(value, rate, one, &overflow)
    return checked(result, overflow)


def funding_payment_of_time(int64_t value, int64_t rate, int64_t one, int64_t time_ns, int64_t unit_ns):
    """The same for a rate per `unit_ns`, for a time."""
    cdef int overflow = 0
    result = payment_of_time(value, rate, one, time_ns, unit_ns, &overflow)
    return checked(result, overflow)


def funding_index_step(int64_t value, int64_t rate, int64_t one, int64_t time, int64_t unit):
    """value * rate / one * time / unit, toward zero: by how much an index of funding that accrues moves (dYdX)."""
    cdef int overflow = 0
    cdef i128 result = accrual(value, rate, one, time, unit, &overflow)
    checked(0, overflow)
    return from_wide(result)


def yearly_rate(int64_t rate, int64_t interval_ns):
    cdef int overflow = 0
    result = rate_of_year(rate, interval_ns, &overflow)
    return checked(result, overflow)
