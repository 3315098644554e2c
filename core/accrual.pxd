# Funding that accrues between settlements (Deribit), as a share of every equity.
#
# Each market has one index: what a lot held since the beginning has paid, in money with 32 binary places. It rises with
# time by value of a lot * rate / 8 h, so it is a function of the time alone between two changes of price or rate:
#
#   A(t) = accrued_base + lot * rate * (t - accrued_since) / 8 h, toward zero
#
# A position keeps the index of its last settlement, A0, and owes q * (A - A0), rounded up: against it, as a payment is.
# It is settled when its lots change, when it is liquidated, and with all others at the market's stamps.
#
# Nobody is looked at because time passes alone, so triggers are set for the worst index within a band around that of the
# last decision (`accrued_low` .. `accrued_high`); when the index has left it, those whom that hurts are stamped again,
# under a new band. Source: spec, venues 4; Deribit support 31424939178397.

from libc.stdint cimport int32_t, int64_t

from .funding_rules cimport accrual
from .records cimport CONTRACT_INVERSE, FUNDING_AT_INDEX
from .state cimport ACCOUNT_NO_FUNDING, Market, Position, State
from .units cimport RATE_ONE, i128, money_t, rate_t, value_t

cdef extern from *:
    """
    #define PERPSIM_EIGHT_HOURS_NS (8 * 3600 * INT64_C(1000000000))

    /* what a lot is worth at a price, with 32 binary places, rounded down; inverse: numerator / (denominator * price) */
    static inline __int128 perpsim_lot_worth(int64_t price, int64_t numerator, int64_t denominator, int turned) {
        if (price <= 0) return 0;
        if (turned) return (((__int128)numerator * INT64_C(10000000000000000)) << 32) / ((__int128)price * denominator);
        return (((__int128)price * numerator) << 32) / denominator;
    }
    /* what `lots` owe for a move of the index, rounded up */
    static inline int64_t perpsim_owed(int64_t lots, __int128 moved, int *overflow) {
        __int128 product;
        if (__builtin_mul_overflow(-moved, (__int128)lots, &product)) { *overflow = 1; return 0; }
        product = -(product >> 32);
        if (product > INT64_MAX || product < -INT64_MAX) { *overflow = 1; return 0; }
        return (int64_t)product;
    }
    """
    const int64_t EIGHT_HOURS_NS "PERPSIM_EIGHT_HOURS_NS"
    i128 lot_worth "perpsim_lot_worth"(int64_t price, int64_t numerator, int64_t denominator, bint turned) noexcept nogil
    money_t owed_for "perpsim_owed"(int64_t lots, i128 moved, int *overflow) noexcept nogil

cdef inline i128 lot_now(Market *m) noexcept nogil:
    """What funding is paid on: a lot at the mark, or at the index."""
    cdef value_t price = m.index if m.rules.funding_price == FUNDING_AT_INDEX and m.index else m.mark
    return lot_worth(price, m.lot_numerator, m.lot_denominator, m.rules.contract_kind == CONTRACT_INVERSE)

cdef inline i128 accrued_now(State *s, Market *m) noexcept nogil:
    """The market's index at this moment."""
    if m.accrued_ns == s.time_ns:
        return m.accrued
    if m.funding_rate == 0:
        return m.accrued_base
    return m.accrued_base + accrual(
        lot_now(m), m.funding_rate, RATE_ONE, s.time_ns - m.accrued_since, EIGHT_HOURS_NS, &s.overflow)

cdef inline bint accrues(State *s, Market *m, Position *p) noexcept nogil:
    return m.rules.funding_continuous and p.lots and not s.accounts[p.account].flags & ACCOUNT_NO_FUNDING

cdef inline money_t accrued_of(State *s, Market *m, Position *p) noexcept nogil:
    """What a position owes since its last settlement, rounded up; negative: what it is to get."""
    if not accrues(s, m, p):
        return 0
    return owed_for(p.lots, accrued_now(s, m) - s.accrued_from[p - s.positions], &s.overflow)

cdef inline money_t accrued_at_worst(State *s, Market *m, Position *p) noexcept nogil:
    """The same at the worst index until its holder is stamped again."""
    cdef i128 worst
    if not accrues(s, m, p):
        return 0
    worst = accrued_now(s, m)
    if p.lots > 0 and m.accrued_high > worst:
        worst = m.accrued_high
    elif p.lots < 0 and m.accrued_low < worst:
        worst = m.accrued_low
    return owed_for(p.lots, worst - s.accrued_from[p - s.positions], &s.overflow)

cdef int accrual_begin(State *s, Market *m) except -1 nogil
cdef int accrual_end(State *s, Market *m) except -1 nogil
cdef void accrual_rebase(State *s, Market *m) noexcept nogil
cdef int set_rate(State *s, Market *m, rate_t rate) except -1 nogil
cdef int settle_accrued(State *s, int32_t slot) except -1 nogil
cdef int settle_all_accrued(State *s, Market *m) except -1 nogil
cdef int accrue_to_now(State *s) except -1 nogil
