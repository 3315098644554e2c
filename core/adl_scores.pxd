# Scores of the ADL queues: pure functions of what a policy sees of one candidate. Header only. Highest goes first.
#
#   value        |value| of the position at the mark           cost         |cost|, the value at entry
#   gain         unrealised profit, signed                     balance      of its unit, without unrealised profit
#   equity       of its unit                                   maintenance  of its unit
#   share        equity behind the position: its own when isolated, else its part by maintenance weight
#   leverage     the one chosen for the position (a whole number), or value / share in 1e-9 where it says so
#
# A unit is an isolated position, or all cross positions of a wallet. Money and its ratios may be in any unit: a score
# depends on ratios alone, but for Cube's, which is in money. Ratios are in 1e-9, rounded down, at most INT64_MAX;
# scores in 1e-18, Hyperliquid's in 1e-15, Cube's in 1e-9 of a unit of money. Nothing here can overflow.

from libc.stdint cimport int64_t

from .units cimport RATE_ONE, VALUE_ONE, i128, max64, money_t, ratio_e9, wide_mul

cdef extern from *:
    """
    #define PERPSIM_RATIO_MOST INT64_MAX
    """
    const int64_t RATIO_MOST "PERPSIM_RATIO_MOST"

cdef enum:
    ADL_E15 = 1_000_000_000_000_000

cdef inline int64_t leverage_of(money_t value, money_t equity) noexcept nogil:
    """|value| / equity in 1e-9; the most there is where no equity is left."""
    return ratio_e9(value, equity) if equity > 0 else RATIO_MOST

cdef inline i128 by_sign(int64_t gain, int64_t factor) noexcept nogil:
    """gain * factor for a winner, gain / factor for a loser, so that more of the factor is always further in front."""
    if gain > 0:
        return wide_mul(gain, factor)
    return wide_mul(gain, RATE_ONE) / max64(1, factor) * RATE_ONE

cdef inline int64_t return_on_margin(money_t gain, money_t cost, int64_t leverage) noexcept nogil:
    """ROI in 1e-9: profit over the initial margin of the entry, cost / leverage."""
    return ratio_e9(gain, max64(1, cost / max64(1, leverage)))

cdef inline i128 score_bitmex(money_t gain, money_t cost, money_t value, money_t share) noexcept nogil:
    """BitMEX (app page autoDeleveraging): PnL% = pnl / |entry value|; leverage = |mark value| / (mark value - bankrupt
    value); PnL% * leverage where PnL% > 0, else PnL% / leverage."""
    return by_sign(ratio_e9(gain, max64(1, cost)), leverage_of(value, share))

cdef inline i128 score_binance(money_t gain, money_t balance, money_t maintenance, money_t equity) noexcept nogil:
    """Binance (support 360033525471): PnL% = max(0, pnl) / max(1, wallet balance); margin ratio = maintenance / margin
    balance, 0 where that is not positive; PnL% * margin ratio."""
    if gain <= 0 or equity <= 0:
        return 0
    return wide_mul(ratio_e9(gain, max64(VALUE_ONE, balance)), ratio_e9(maintenance, equity))

cdef inline i128 score_bybit(money_t gain, money_t cost, int64_t leverage) noexcept nogil:
    """Bybit ranks by leveraged return: profit over the position's initial margin. The page gives no formula for cross."""
    return wide_mul(return_on_margin(gain, cost, leverage), RATE_ONE)

cdef inline i128 score_okx(money_t gain, money_t cost, money_t value, money_t equity) noexcept nogil:
    """OKX (from August 2025): PnL% * effective leverage, |value| / equity of the unit; losers divided by it."""
    return by_sign(ratio_e9(gain, max64(1, cost)), leverage_of(value, equity))

cdef inline i128 score_okx_roi(
    money_t gain, money_t cost, int64_t leverage, money_t maintenance, money_t equity
) noexcept nogil:
    """OKX before: ROI / margin ratio, where margin ratio = equity / maintenance of the unit."""
    return wide_mul(return_on_margin(gain, cost, leverage), leverage_of(maintenance, equity))

cdef inline i128 score_bitget(
    money_t gain, money_t cost, int64_t leverage, money_t maintenance, money_t equity
) noexcept nogil:
    """Bitget: ROI * the unit's maintenance rate, maintenance / equity; a loss divided by it."""
    return by_sign(return_on_margin(gain, cost, leverage), leverage_of(maintenance, equity))

cdef inline i128 score_bitget_leverage(money_t gain, money_t cost, int64_t leverage) noexcept nogil:
    """Bitget's other page: ROI * leverage; 0 for a loss."""
    return wide_mul(max64(0, return_on_margin(gain, cost, leverage)), leverage * RATE_ONE)

cdef inline i128 score_hyperliquid(money_t value, money_t cost, money_t equity, bint is_long) noexcept nogil:
    """Hyperliquid (docs, auto-deleveraging): (mark / entry) * (notional / account value), in 1e-15.

    Entry / mark for a short, whose profit rises with it: the page does not say so, but the rank would be upside down.
    """
    cdef int64_t above = value if is_long else cost
    cdef int64_t below = max64(1, cost if is_long else value)
    cdef i128 leverage = RATIO_MOST
    if equity > 0 and wide_mul(value, ADL_E15) / equity < leverage:
        leverage = wide_mul(value, ADL_E15) / equity
    return leverage * (above / below) + leverage * (above % below) / below

cdef inline i128 score_cube(money_t gain, int64_t leverage_e9) noexcept nogil:
    """Cube (perpetual-futures/liquidation): pnl * leverage where pnl > 0, else pnl / leverage; leverage in 1e-9."""
    if gain > 0:
        return wide_mul(gain, leverage_e9)
    return wide_mul(gain, RATE_ONE) * RATE_ONE / max64(1, leverage_e9)

cdef inline i128 score_return(money_t gain, money_t value, money_t equity) noexcept nogil:
    """A reading of Binance and KuCoin by adl.finance: (pnl / notional) * (notional / margin balance)."""
    return wide_mul(ratio_e9(gain, max64(1, value)), leverage_of(value, equity))

cdef inline i128 score_balance(money_t gain, money_t value, money_t balance) noexcept nogil:
    """Its reading of OKX: (pnl / balance) / (balance / notional)."""
    return wide_mul(ratio_e9(gain, max64(1, balance)), ratio_e9(value, max64(1, balance)))

cdef inline i128 score_pnl_ratio(money_t gain, money_t balance) noexcept nogil:
    """pnl / balance, without leverage: what FLOX calls the profit ratio."""
    return wide_mul(ratio_e9(gain, max64(1, balance)), RATE_ONE)

cdef inline bint offset_allowed(
    money_t equity, money_t maintenance, money_t equity_after, money_t maintenance_after
) noexcept nogil:
    """dYdX: whether a match leaves its counterparty in a valid state (v4-chain, deleveraging; spec: open-engines 1).

    Above maintenance; or with less maintenance and equity / maintenance no worse; without a position: not negative.
    """
    if maintenance_after == 0:
        return equity_after >= 0
    if equity_after >= maintenance_after:
        return True
    return maintenance_after < maintenance and \
        wide_mul(equity_after, maintenance) >= wide_mul(equity, maintenance_after)
