# Initial margin by the venue's own rates, besides the leverage that an account has chosen. Header only.
#
#   rate of a tier    on the whole of a notional that lies in it (dYdX initial margin fraction, BitMEX risk limits, Bybit);
#                     a tier that states none asks for 1 / its largest leverage
#   LINEAR            initial_base + initial_slope a coin of size, on the whole (Deribit)
#   open interest     the rate rises on a line from `oi_lower_cap` to 100 % at `oi_upper_cap` (dYdX v4:
#                     min(1, r + (1 - r) * (OI - lower) / (upper - lower))); maintenance does not move with it
#
# initial = max(notional / leverage, notional * rate), rounded up. A rate is here a number of 1e-18, so that the margin of
# any notional is exact to a unit; it is at most 100 %. Neither tiers nor caps lower what a larger notional asks for.

from libc.stdint cimport int64_t

from .contract cimport inverse, inverse_value
from .state cimport Market, Tier
from .units cimport (
    RATE_ONE, VALUE_ONE, div_ceil, i128, max64, min64, money_t, mul_div_ceil, mul_div_floor, rate_t,
)

cdef extern from *:
    """
    #define PERPSIM_WHOLE_E18 INT64_C(1000000000000000000)
    """
    const int64_t WHOLE_E18 "PERPSIM_WHOLE_E18"     # a rate of 100 %

cdef inline bint rated(Market *m) noexcept nogil:
    """Whether anything but the leverage decides the initial margin."""
    return m.initial_rates or m.rules.oi_upper_cap != 0

cdef inline int64_t linear_rate(rate_t base, rate_t slope, int64_t coins) noexcept nogil:
    """base + slope a coin, 1e-18, rounded up; at most 100 %. `coins` in 1e-8, at least 0; slope at most 100 %."""
    cdef int beyond = 0
    cdef int64_t more = mul_div_ceil(slope * RATE_ONE, coins, VALUE_ONE, &beyond)
    return WHOLE_E18 if beyond or more > WHOLE_E18 else min64(WHOLE_E18, base * RATE_ONE + more)

cdef inline int64_t scaled_rate(int64_t rate, money_t interest, money_t lower, money_t upper) noexcept nogil:
    """A rate in 1e-18 at an open interest, rounded up; no upper cap (0): as it is."""
    cdef int beyond = 0
    if upper <= 0 or interest <= lower:
        return rate
    if interest >= upper:
        return WHOLE_E18
    return rate + mul_div_ceil(WHOLE_E18 - rate, interest - lower, upper - lower, &beyond)  # a part: never beyond

cdef inline int64_t coins_of(Market *m, money_t notional, int *beyond) noexcept nogil:
    """Size in the base coin, 1e-8, of a notional; of a linear contract at the mark, rounded up."""
    return notional if inverse(m) else mul_div_ceil(notional, VALUE_ONE, max64(m.mark, 1), beyond)

cdef inline money_t open_interest(Market *m) noexcept nogil:
    """Value at the mark of the larger side of what customers hold, rounded down; what leaves 64 bits is all there is."""
    cdef i128 lots = m.longs_lots
    cdef int beyond = 0
    cdef money_t value
    if m.shorts_lots > lots:
        lots = m.shorts_lots
    if lots > m.position_most:
        lots = m.position_most
    if inverse(m):
        value = -inverse_value(<int64_t>lots, m.lot_numerator, m.lot_denominator, m.mark, &beyond)
    else:
        value = mul_div_floor(<int64_t>lots * m.lot_numerator, m.mark, m.lot_denominator, &beyond)
    return <money_t>0x7FFFFFFFFFFFFFFF if beyond else value

cdef inline rate_t tier_initial(Tier *t) noexcept nogil:
    """The tier's initial rate, or that of its largest leverage, rounded up."""
    return t.initial if t.initial else div_ceil(RATE_ONE, t.leverage_max)

cdef inline rate_t first_initial(Market *m, Tier *first) noexcept nogil:
    """The rate of the smallest position without a scale, as caps of funding count it: 1 / leverage rounded down."""
    if m.rules.initial_base:
        return m.rules.initial_base
    return first.initial if first.initial else RATE_ONE / first.leverage_max

cdef inline int64_t initial_rate(Market *m, Tier *t, money_t notional) noexcept nogil:
    """The venue's rate for a notional of tier `t` now, 1e-18."""
    cdef int beyond = 0
    cdef int64_t coins, rate
    if m.rules.initial_base or m.rules.initial_slope:
        coins = coins_of(m, notional, &beyond)
        rate = WHOLE_E18 if beyond and m.rules.initial_slope else linear_rate(m.rules.initial_base, m.rules.initial_slope, coins)
    else:
        rate = tier_initial(t) * <int64_t>RATE_ONE
    if m.rules.oi_upper_cap:
        rate = scaled_rate(rate, open_interest(m), m.rules.oi_lower_cap, m.rules.oi_upper_cap)
    return rate
