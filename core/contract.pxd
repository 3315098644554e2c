# What a contract is worth: value, trades, what an order holds, and the price that belongs to a value. Header only.
#
#             a lot is numerator / denominator    value of q lots at price p        settled in
#   linear    base units  (b)                     V = q * b * p                     the quote
#   inverse   quote units (u)                     V = -q * u / p                    the base coin
#
# A long inverse contract is a debt in coin that shrinks as the price rises: its value is negative, its cost K likewise,
# and U = V - K as for a linear one. Values round down, against the account. Notional is |V|; `exposure_of` gives it
# the sign of the lots, so that orders add to it.
#
# An inverse trade is worth a whole number of units, rounded once, half up, and the same for both sides, so sums stay
# exact. What is rounded is a choice of the contract: the trade (Binance COIN-M, Deribit: 1e-8 coin), or one lot, times
# the lots (BitMEX: execCost = round(1e8 / price) * contracts). What an order holds is a whole number a lot, rounded up,
# so that a part of it gives back exactly its part.

from libc.stdint cimport int64_t

from .records cimport CONTRACT_INVERSE, SIDE_BUY, VALUE_PER_LOT
from .state cimport Market, State
from .units cimport (
    abs64, div_ceil, div_floor, lots_t, max64, min64, money_t, mul_checked, mul_div_ceil, mul_div_floor, ticks_t,
    value_t,
)

cdef extern from *:
    """
    #define PERPSIM_COIN_PRICE INT64_C(10000000000000000)       /* units of a coin * 1e-8 units of a price of 1 */
    #define PERPSIM_BEYOND INT64_MAX
    """
    const int64_t COIN_PRICE "PERPSIM_COIN_PRICE"
    const value_t BEYOND "PERPSIM_BEYOND"       # above every mark

cdef inline bint inverse(Market *m) noexcept nogil:
    return m.rules.contract_kind == CONTRACT_INVERSE

cdef inline money_t coins_rounded(
    lots_t lots, int64_t numerator, int64_t denominator, value_t price, int *overflow
) noexcept nogil:
    """Coin that `lots` >= 0 are worth at a price, half up."""
    return (mul_div_floor(lots * numerator, 2 * COIN_PRICE, denominator * price, overflow) + 1) / 2

cdef inline money_t inverse_value(
    lots_t lots, int64_t numerator, int64_t denominator, value_t price, int *overflow
) noexcept nogil:
    """Value of signed lots of an inverse contract, rounded down; 0 without lots or without a price."""
    if lots == 0 or price <= 0:
        return 0
    return mul_div_floor(-lots * numerator, COIN_PRICE, denominator * price, overflow)

cdef inline money_t value_at(State *s, Market *m, lots_t lots, value_t price) noexcept nogil:
    """Value of signed `lots` at a price in 1e-8 quote, rounded down."""
    if inverse(m):
        return inverse_value(lots, m.lot_numerator, m.lot_denominator, price, &s.overflow)
    return mul_div_floor(lots * m.lot_numerator, price, m.lot_denominator, &s.overflow)

cdef inline money_t exposure_of(Market *m, money_t value) noexcept nogil:
    """A position's value with the sign of its lots."""
    return -value if inverse(m) else value

cdef inline money_t entry_value(State *s, Market *m, lots_t lots, value_t price) noexcept nogil:
    """What changes hands for signed `lots` at a price in 1e-8 quote, as the buyer's position counts it."""
    cdef money_t size
    if not inverse(m):
        size = mul_div_floor(abs64(lots) * m.lot_numerator, price, m.lot_denominator, &s.overflow)
        return size if lots > 0 else -size
    if m.rules.value_rounding == VALUE_PER_LOT:
        size = mul_checked(coins_rounded(1, m.lot_numerator, m.lot_denominator, price, &s.overflow), abs64(lots), &s.overflow)
    else:
        size = coins_rounded(abs64(lots), m.lot_numerator, m.lot_denominator, price, &s.overflow)
    return -size if lots > 0 else size

cdef inline money_t trade_value(State *s, Market *m, lots_t lots, ticks_t price) noexcept nogil:
    """What changes hands for signed `lots` at a price in ticks; of a linear contract exact."""
    if inverse(m):
        return entry_value(s, m, lots, price * m.tick_value)
    return mul_checked(price * m.tick_lot_money, lots, &s.overflow)

cdef inline money_t lot_hold(State *s, Market *m, ticks_t price) noexcept nogil:
    """Notional of one lot at a price in ticks, rounded up."""
    if inverse(m):
        price = max64(price, m.rules.price_min) * m.tick_value
        return mul_div_ceil(m.lot_numerator, COIN_PRICE, m.lot_denominator * price, &s.overflow)
    return price * m.tick_lot_money

cdef inline money_t lot_loss(State *s, Market *m, int side, ticks_t price, ticks_t premium) noexcept nogil:
    """What one lot of an order is worth less than at the mark, `premium` ticks away, rounded up."""
    cdef ticks_t low
    if not inverse(m):
        return premium * m.tick_lot_money
    if premium == 0:
        return 0
    low = price - premium if side == SIDE_BUY else price
    return lot_hold(s, m, low) - mul_div_floor(
        m.lot_numerator, COIN_PRICE, m.lot_denominator * (low + premium) * m.tick_value, &s.overflow)

cdef inline ticks_t shown_price(Market *m, lots_t lots, money_t value) noexcept nogil:
    """The price at which signed `lots` are worth `value`, in ticks toward zero, for display; 0 where there is none."""
    cdef int beyond = 0
    cdef ticks_t price
    if not inverse(m):
        return value / lots / m.tick_lot_money
    if value == 0 or (value > 0) == (lots > 0):
        return 0
    price = mul_div_floor(abs64(lots) * m.lot_numerator, COIN_PRICE, abs64(value), &beyond)
    return 0 if beyond else price / m.lot_denominator / m.tick_value

cdef inline ticks_t closing_limit(State *s, Market *m, lots_t lots, money_t value) noexcept nogil:
    """The worst price at which closing signed `lots` leaves them worth `value` at least.

    To sell it may be above the largest price, to buy below the lowest: then no price will do.
    """
    cdef int beyond = 0
    cdef ticks_t price
    if not inverse(m):
        if lots > 0:
            return max64(1, div_ceil(div_ceil(value, lots), m.tick_lot_money))
        return min64(m.price_max, div_floor(div_floor(-value, -lots), m.tick_lot_money))
    if lots > 0:                        # -lots * u / p >= value
        if value >= 0:
            return m.price_max + 1
        if m.rules.value_rounding == VALUE_PER_LOT:
            value = div_ceil(value, lots) * lots
            if value == 0:
                return m.price_max + 1
        price = mul_div_ceil(lots * m.lot_numerator, COIN_PRICE, -value, &beyond)
        if beyond:
            return m.price_max + 1
        return max64(m.rules.price_min, div_ceil(div_ceil(price, m.lot_denominator), m.tick_value))
    if m.rules.value_rounding == VALUE_PER_LOT:
        value = div_ceil(value, -lots) * -lots
    if value <= 0:
        return m.price_max
    price = mul_div_floor(-lots * m.lot_numerator, COIN_PRICE, value, &beyond)
    return m.price_max if beyond else min64(m.price_max, price / m.lot_denominator / m.tick_value)

cdef inline value_t mark_worth(Market *m, lots_t lots, money_t size, bint up, int *beyond) noexcept nogil:
    """The mark at which `lots` > 0 have a notional of `size` > 0, rounded up or down; `beyond` if no mark is so high."""
    cdef value_t mark
    if inverse(m):
        mark = mul_div_ceil(lots * m.lot_numerator, COIN_PRICE, size, beyond) if up else mul_div_floor(
            lots * m.lot_numerator, COIN_PRICE, size, beyond)
        return div_ceil(mark, m.lot_denominator) if up else mark / m.lot_denominator
    if up:
        return mul_div_ceil(size, m.lot_denominator, lots * m.lot_numerator, beyond)
    return mul_div_floor(size, m.lot_denominator, lots * m.lot_numerator, beyond)
