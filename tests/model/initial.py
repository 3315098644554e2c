"""Initial margin by the venue's own rates: of tiers, linear in size, and as open interest scales them."""

from fractions import Fraction
from math import ceil

from .contract import inverse, value_at
from .numbers import ceil_div
from .state import Market, Position
from .wire import ISOLATED, RATE_ONE, VALUE_ONE

E18 = RATE_ONE**2  # rates are computed to 1e-18


def has_rates(m: Market) -> bool:
    return bool(m.initial_base or m.initial_slope or m.oi_upper_cap or any(tier.initial for tier in m.tiers))


def open_interest(m: Market) -> int:
    """Value of the larger side of what customers and the backstop vault hold."""
    counted = [p.lots for p in m.positions if p.in_interest]
    lots = max(sum(q for q in counted if q > 0), -sum(q for q in counted if q < 0))
    return abs(value_at(m, lots, m.mark))


def rate_of(m: Market, notional: int) -> Fraction:
    """The rate for a notional, at most 1."""
    if m.initial_base or m.initial_slope:
        coins = notional if inverse(m) else ceil_div(notional * VALUE_ONE, max(m.mark, 1))
        more = Fraction(ceil_div(m.initial_slope * RATE_ONE * coins, VALUE_ONE), E18)
        rate = min(Fraction(1), Fraction(m.initial_base, RATE_ONE) + more)
    else:
        tier = next((tier for tier in m.tiers if notional <= tier.cap), m.tiers[-1])
        rate = Fraction(tier.initial or ceil_div(RATE_ONE, tier.leverage_max), RATE_ONE)
    if not m.oi_upper_cap or open_interest(m) <= m.oi_lower_cap:
        return rate
    if open_interest(m) >= m.oi_upper_cap:
        return Fraction(1)
    part = Fraction(open_interest(m) - m.oi_lower_cap, m.oi_upper_cap - m.oi_lower_cap)
    return rate + Fraction(ceil((1 - rate) * part * E18), E18)


def margin_of(m: Market, leverage: int, notional: int) -> int:
    """By leverage, and by the venue's rate where that asks for more."""
    asked = ceil_div(notional, leverage)
    return max(asked, ceil(notional * rate_of(m, notional))) if has_rates(m) else asked


def beyond_rate(p: Position, notional: int, leverage: int) -> bool:
    """An isolated position may have no leverage at which the venue's rate asks for more than it holds."""
    return p.mode == ISOLATED and margin_of(p.market, leverage, notional) > ceil_div(notional, leverage)
