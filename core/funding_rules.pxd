# Formulas of funding. Header only; pure functions. Rates are per eight hours unless a name says otherwise.
#
# Sources: Binance support 360033525031; Bybit help 360039261114; BitMEX swaps guide; Deribit support 31424939178397;
# Hyperliquid docs, funding; dYdX docs, funding.

from libc.stdint cimport int64_t

from .units cimport (
    RATE_ONE, abs64, div_floor, i128, max64, min64, money_t, mul_checked, mul_div_ceil, mul_div_floor, ns_t, rate_t, value_t,
    wide_abs, wide_mul_div,
)

cdef extern from *:
    """
    #define PERPSIM_YEAR_NS (365 * 24 * 3600 * INT64_C(1000000000))
    """
    const ns_t YEAR_NS "PERPSIM_YEAR_NS"

cdef inline rate_t premium_index(
    value_t bid, value_t ask, value_t reference, value_t index, int *overflow
) noexcept nogil:
    """[max(0, impact bid - reference) - max(0, reference - impact ask)] / index, rounded down.

    The reference is the index, or the mark (BitMEX). A side that does not hold the impact notional has price 0 (bid) or
    INT64_MAX (ask).
    """
    cdef int64_t above = max64(0, bid - reference) - max64(0, reference - ask)
    return mul_div_floor(above, RATE_ONE, index, overflow)

cdef inline rate_t relative(value_t price, value_t index, int64_t one, int *overflow) noexcept nogil:
    """(price - index) / index, in units of which `one` make 1; rounded down."""
    return mul_div_floor(price - index, one, index, overflow)

cdef inline rate_t dead_band(rate_t premium, rate_t interest, rate_t inner) noexcept nogil:
    """P + clamp(I - P, +-inner): the interest rate itself while the premium is near it."""
    return premium + max64(-inner, min64(inner, interest - premium))

cdef inline rate_t damper(rate_t premium, rate_t inner) noexcept nogil:
    """max(d, P) + min(-d, P): nothing within +-d, beyond it what P has more than d."""
    return max64(inner, premium) + min64(-inner, premium)

cdef inline rate_t of_interval(rate_t rate, ns_t interval, ns_t unit, int *overflow) noexcept nogil:
    """A rate per `unit` of time for an interval, rounded down."""
    return mul_div_floor(rate, interval, unit, overflow)

cdef inline rate_t limited(rate_t rate, rate_t cap) noexcept nogil:
    return max64(-cap, min64(cap, rate))

cdef inline rate_t interest_of(rate_t quote, rate_t base, int64_t intervals) noexcept nogil:
    """(quote rate - base rate) / intervals a day, both daily; rounded down."""
    return div_floor(quote - base, intervals)

cdef inline rate_t margin_cap(rate_t factor, rate_t margin, int64_t one, int *overflow) noexcept nogil:
    """A cap that is a multiple of a margin rate (initial - maintenance for the rate, maintenance for its change)."""
    return mul_div_floor(factor, margin, one, overflow)

cdef inline money_t payment(money_t value, rate_t rate, int64_t one, int *overflow) noexcept nogil:
    """What a position of signed value pays at a stamp, rounded up: against it."""
    return mul_div_ceil(value, rate, one, overflow)

cdef inline money_t payment_of_time(
    money_t value, rate_t rate, int64_t one, ns_t time, ns_t unit, int *overflow
) noexcept nogil:
    """What a position pays where the rate is one per `unit` of time, for a time; both divisions round against it."""
    return mul_div_ceil(payment(value, rate, one, overflow), time, unit, overflow)

cdef inline rate_t rate_of_year(rate_t rate, ns_t interval, int *overflow) noexcept nogil:
    """The rate of an interval for 365 days, rounded down."""
    return mul_div_floor(rate, YEAR_NS, interval, overflow)

cdef inline money_t impact_of_margin(money_t margin, int64_t leverage, int *overflow) noexcept nogil:
    """Notional that a margin carries at the largest leverage: what impact prices are asked for."""
    return mul_checked(margin, leverage, overflow)

cdef inline i128 accrual(i128 value, rate_t rate, int64_t one, ns_t time, ns_t unit, int *overflow) noexcept nogil:
    """value * rate / one * time / unit, toward zero: what funding that accrues has added in a time."""
    cdef i128 size = wide_mul_div(
        wide_mul_div(wide_abs(value), abs64(rate), 1, overflow), time, unit, overflow)
    size = size / one
    return -size if (value < 0) != (rate < 0) else size
