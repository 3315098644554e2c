"""The formulas of liquidations as Python functions, for the calculator and for published cases.

Doors of `liquidation_size.pxd`, `liquidation_price.pxd` and `risk_factor.pxd`, which the engine calls too. Amounts are
integers in any unit of money, sizes in any number of lots, rates in 1e-9; a value is signed like its position. All raise
OverflowError where a number leaves 64 bits.
"""

from libc.stdint cimport int64_t

from .liquidation_price cimport (
    bankruptcy_value, cure_fund_fee, fillable_value, insurance_delta, leaving_value, ramped_fee,
)
from .liquidation_size cimport SHARE_ONE, buffer_of, cure_lots, cure_share, lots_above
from .risk_factor cimport factor_liquidation, factor_side
from .units cimport RATE_ONE, max64, min64, mul_div_ceil, mul_div_floor


cdef int64_t whole(int64_t result, const int *overflow) except? -1:
    """The result, unless it is marked; behind a pointer, since C may read arguments in any order."""
    if overflow[0]:
        raise OverflowError("a number of the formula leaves 64 bits; take a coarser unit")
    return result


def value_of(size: int, price: int, scale: int) -> int:
    """Value of a signed size at a price, rounded down: size * price / scale."""
    cdef int overflow = 0
    return whole(mul_div_floor(size, price, scale, &overflow), &overflow)


def margin_of(value: int, rate: int) -> int:
    """Margin on the value of a position, rounded up; the sign of the value does not matter."""
    cdef int overflow = 0
    return whole(mul_div_ceil(abs(value), rate, RATE_ONE, &overflow), &overflow)


def bankruptcy(value: int, equity: int, margin_part: int, margin: int) -> int:
    """Value at which a part of a unit's positions leaves with its part of the equity, by maintenance margin."""
    cdef int overflow = 0
    return whole(bankruptcy_value(value, equity, margin_part, margin, &overflow), &overflow)


def fillable(value: int, margin_part: int, equity: int, margin: int, adjustment: int, spread: int) -> int:
    """Worst value at which a position of a unit under maintenance may be sold."""
    cdef int overflow = 0
    return whole(fillable_value(value, margin_part, equity, margin, adjustment, spread, &overflow), &overflow)


def leaving(value: int, equity: int, margin: int, leave: int) -> int:
    """Value at which a sale leaves a rate of the maintenance margin as equity."""
    cdef int overflow = 0
    return whole(leaving_value(value, equity, margin, leave, &overflow), &overflow)


def fund_delta(paid: int, bankruptcy: int, fee_max: int) -> int:
    """What a fill brings the fund: the gain over the bankruptcy value up to a rate, or the whole loss."""
    cdef int overflow = 0
    return whole(insurance_delta(paid, bankruptcy, fee_max, &overflow), &overflow)


def above(held: int, value: int, cap: int) -> int:
    """Lots whose sale brings a position worth `value` down to a cap."""
    cdef int overflow = 0
    return whole(lots_above(held, value, cap, &overflow), &overflow)


def cure_size(held: int, value: int, shortage: int, margin: int, liquidator_fee: int, fund_fee: int, quote: int) -> int:
    """Lots whose sale makes good a shortage of margin; may be more than are held."""
    cdef int overflow = 0
    return whole(cure_lots(held, value, shortage, margin, liquidator_fee, fund_fee, quote, &overflow), &overflow)


def fund_fee(shortage: int, value: int, margin: int, liquidator_fee: int, fee_max: int) -> int:
    """The fund's rate on a sale that cures a shortage."""
    cdef int overflow = 0
    return whole(cure_fund_fee(shortage, value, margin, liquidator_fee, fee_max, &overflow), &overflow)


def liquidator_fee(usual: int, most: int, elapsed: int, grace: int, step: int, unit: int) -> int:
    """A liquidator's rate after a time without activity."""
    return ramped_fee(usual, most, elapsed, grace, step, unit)


def shortage_of(value: int, pnl: int, collateral: int, margin: int, buffer: int) -> int:
    """Margin that one position misses to its maintenance and buffer; `collateral` is without its open profit."""
    cdef int overflow = 0
    return whole(
        mul_div_ceil(value, margin, RATE_ONE, &overflow) + buffer_of(value, pnl, buffer, &overflow) - collateral - pnl,
        &overflow)


def cure_step(
    lots: int, price: int, quote: int, collateral: int, margin: int, buffer: int, liquidator_fee: int, fee_max: int,
    most: int, elapsed: int, duration: int, initial: int, small: int, freed: int,
) -> dict:
    """One call that cures the shortage of a position of signed `lots`, worth `price` each, with `quote` beside it.

    quote   what was paid for the position, negative for a long; open profit is its value plus this
    most    lots that the liquidator takes at most
    freed   shortage made good by earlier calls; the part that may be made good grows with `elapsed` over `duration`

    Returns sold lots, the position and quote after it, the fund's fee, the shortage made good in all (0 once what was
    asked for is sold: the liquidation ends).
    """
    cdef int overflow = 0
    cdef int64_t held = abs(lots), value = held * price, side = 1 if lots > 0 else -1, fee, wanted, sold, paid, charged
    cdef int64_t before = shortage_of(value, side * value + quote, collateral, margin, buffer), after
    if before <= 0 or held == 0:
        return {"sold": 0, "lots": lots, "quote": quote, "fund_fee": 0, "freed": 0}
    fee = cure_fund_fee(before, value, margin + buffer, liquidator_fee, fee_max, &overflow)
    wanted = held
    if value > small:
        wanted = min64(held, cure_lots(held, value, before, margin + buffer, liquidator_fee, fee, RATE_ONE, &overflow))
    sold = mul_div_ceil(
        wanted, cure_share(before, freed, elapsed, duration, initial, small, &overflow), SHARE_ONE, &overflow)
    sold = min64(sold, most)
    paid = side * sold * price - mul_div_ceil(sold * price, liquidator_fee, RATE_ONE, &overflow)
    charged = mul_div_ceil(sold * price, fee, RATE_ONE, &overflow)
    quote += paid - charged
    value = (held - sold) * price
    after = shortage_of(value, side * value + quote, collateral, margin, buffer)
    ended = after <= 0 or (sold == wanted and cure_lots(
        held, held * price, before, margin + buffer, liquidator_fee, fee, RATE_ONE, &overflow) <= sold)
    freed = 0 if ended else freed + max64(0, before - after)
    return {
        "sold": sold, "lots": side * (held - sold), "quote": quote, "fund_fee": whole(charged, &overflow), "freed": freed,
    }


def factor_margin(
    value: int, size: int, one: int, bids: int, asks: int, risk_long: int, risk_short: int, linear: int, quadratic: int,
    owed: int,
) -> int:
    """Maintenance by risk factors: of the riskier side of a position with its orders, and funding that it owes."""
    cdef int overflow = 0
    cdef int64_t longs, shorts
    longs = factor_side(max(value, 0), bids, size if value > 0 else 0, one, risk_long, linear, quadratic, &overflow)
    shorts = factor_side(max(-value, 0), asks, size if value < 0 else 0, one, risk_short, linear, quadratic, &overflow)
    return whole(max64(longs, shorts) + max64(0, owed), &overflow)


def scaled(margin: int, scale: int) -> int:
    """A margin level above maintenance, rounded up."""
    return margin_of(margin, scale)


def factor_value(
    value: int, collateral: int, owed: int, size: int, one: int, risk: int, linear: int, quadratic: int
) -> int:
    """Value without sign of a position at its liquidation price by risk factors. Raises ValueError if there is none."""
    cdef int overflow = 0
    cdef int64_t result = factor_liquidation(value, collateral, owed, size, one, risk, linear, quadratic, &overflow)
    if result < 0:
        raise ValueError("what is asked of the position is all that it is worth at any price: it has no liquidation price")
    return whole(result, &overflow)
