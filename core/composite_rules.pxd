# What a composite mark is made of. Header only; pure functions of integers.
#
# Source: Vega, composite mark price (core/execution/common, mark price utilities): trades weighted by size and age, the
# price of the book for the volume that an amount of margin buys, its mean over time, oracles; each counts while it is fresh.

from libc.stdint cimport int64_t

from .units cimport (
    RATE_ONE, i128, money_t, mul_div_ceil, mul_div_floor, narrow, ns_t, rate_t, value_t, wide_div_floor,
    wide_mul,
)

cdef extern from *:
    """
    #define PERPSIM_WEIGHT_ONE INT64_C(1000000000000000)

    /* floor(sum / weight), and one unit's share of what is left: floor(rest * unit / weight), where both are halved
       together until the weight fits 62 bits */
    static inline int64_t perpsim_split(__int128 sum, __int128 weight, int64_t *rest, int64_t *part) {
        const __int128 whole = sum / weight;
        __int128 left = sum - whole * weight;
        while (weight >> 62) { weight >>= 1; left >>= 1; }
        *rest = (int64_t)left;
        *part = (int64_t)weight;
        return (int64_t)whole;
    }
    """
    const int64_t WEIGHT_ONE "PERPSIM_WEIGHT_ONE"       # weight of a lot that has just been traded
    int64_t split "perpsim_split"(i128 sum, i128 weight, int64_t *rest, int64_t *part) noexcept nogil

cdef inline bint fresh(ns_t now, ns_t updated, ns_t age_max) noexcept nogil:
    return now - updated <= age_max

cdef inline int64_t weight_of_age(ns_t age, ns_t window, rate_t decay, int64_t power) noexcept nogil:
    """1 - decay * (age / window)^power in 1e-15, each step rounded down; 0 for what is older than the window."""
    cdef int overflow = 0
    cdef int64_t fraction, risen = WEIGHT_ONE
    if age > window:
        return 0
    fraction = mul_div_floor(age, WEIGHT_ONE, window, &overflow) if window > 0 else 0
    for _ in range(power):
        risen = mul_div_floor(risen, fraction, WEIGHT_ONE, &overflow)
    return WEIGHT_ONE - mul_div_floor(risen, decay, RATE_ONE, &overflow)

cdef inline value_t mean_of_weights(i128 total, i128 weights, value_t unit, int *overflow) noexcept nogil:
    """total / weights times a unit, rounded down; 0 where nothing weighs."""
    cdef int64_t rest = 0, part = 1
    cdef int64_t whole
    if weights <= 0:
        return 0
    whole = split(total, weights, &rest, &part)
    return narrow(wide_mul(whole, unit) + mul_div_floor(rest, unit, part, overflow), overflow)

cdef inline rate_t margin_of_volume(rate_t scaling, rate_t slippage, rate_t factor, int *overflow) noexcept nogil:
    """Initial margin for a unit of value: scaling * (slippage + risk factor), rounded up."""
    return mul_div_ceil(slippage + factor, scaling, RATE_ONE, overflow)

cdef inline int64_t volume_of_margin(money_t cash, rate_t margin, money_t lot_value, int *overflow) noexcept nogil:
    """Lots that an amount of margin buys at a price at which a lot is worth so much, rounded down; 0 without a margin rate."""
    if margin <= 0 or lot_value <= 0:
        return 0
    return mul_div_floor(cash, RATE_ONE, margin, overflow) / lot_value

cdef inline value_t middle_of(value_t bid, value_t ask) noexcept nogil:
    """Rounded down."""
    return (bid >> 1) + (ask >> 1) + (bid & ask & 1)

cdef inline ns_t held_within(ns_t start, ns_t end, ns_t begin) noexcept nogil:
    """For how long a price stood, of the time from `begin` on."""
    return 0 if end <= begin else (end - begin if start < begin else end - start)

cdef inline value_t mean_over_time(i128 area, ns_t time, value_t last) noexcept nogil:
    """area / time, rounded down; the last price where no time has passed."""
    return <value_t>wide_div_floor(area, time) if time > 0 else last
