"""The ADL queue: a score for each account of one side, highest first, ties by account id.

BitMEX   PnL% = pnl / |entry value|; leverage = |value| / equity behind the position;
         score = PnL% * leverage where PnL% > 0, else PnL% / leverage
Binance  PnL% = max(0, pnl) / max(1, wallet balance); margin ratio = maintenance / margin balance, 0 where that is
         not positive; score = PnL% * margin ratio

Ratios are integers in 1e-9, products in 1e-18. A queue is ranked when it is first needed after a mark group.
"""

from .margin import Unit, maintenance_of, pnl_of, value_of
from .numbers import clamp, trunc_div
from .state import HEALTHY, Market, Position, Venue
from .wire import ISOLATED, RATE_ONE, VALUE_ONE, AdlPolicy

INT64_MAX = 2**63 - 1


def ratio(a: int, b: int) -> int:
    return clamp(-INT64_MAX, a * RATE_ONE // b, INT64_MAX)


def unit_behind(p: Position) -> Unit:
    return Unit(p.wallet, p if p.mode == ISOLATED else None)


def equity_behind(p: Position) -> int:
    """A position's part of its unit's equity, by maintenance weight."""
    unit = unit_behind(p)
    total = unit.maintenance()
    if p.mode == ISOLATED or total <= 0:
        return unit.equity()
    return unit.equity() * maintenance_of(p) // total


def bitmex_score(p: Position) -> int:
    gain = ratio(pnl_of(p), max(1, abs(p.cost)))
    equity = equity_behind(p)
    leverage = ratio(abs(value_of(p)), equity) if equity > 0 else INT64_MAX
    if gain > 0:
        return gain * leverage
    return trunc_div(gain * RATE_ONE, max(leverage, 1)) * RATE_ONE


def binance_score(p: Position) -> int:
    gain = max(0, pnl_of(p))
    unit = unit_behind(p)
    equity = unit.equity()
    if gain == 0 or equity <= 0:
        return 0
    balance = p.isolated_margin if p.mode == ISOLATED else p.wallet.balance
    return ratio(gain, max(VALUE_ONE, balance)) * ratio(unit.maintenance(), equity)


def eligible(v: Venue, p: Position, longs: bool) -> bool:
    """Opposite side, a customer's, not itself in liquidation."""
    if p.lots == 0 or (p.lots > 0) != longs or v.is_house(p.account):
        return False
    return unit_behind(p).owner.stage == HEALTHY


def forget_queue(v: Venue) -> None:
    v.queue_ranked = None


def rank(v: Venue, m: Market, longs: bool) -> list[Position]:
    score = bitmex_score if v.adl_policy == AdlPolicy.BITMEX else binance_score
    return sorted((p for p in m.positions if eligible(v, p, longs)), key=lambda p: (-score(p), p.account))


def next_counterparty(v: Venue, m: Market, longs: bool) -> Position | None:
    """Who is deleveraged next among the longs (or shorts); nobody left means that nobody at all is eligible."""
    if v.adl_policy == AdlPolicy.NONE:
        return None
    if v.queue_ranked is None or v.queue_ranked[:2] != (m, longs):
        v.queue_ranked = (m, longs, rank(v, m, longs))
    queue = v.queue_ranked[2]
    while queue and not eligible(v, queue[0], longs):
        queue.pop(0)
    if not queue:
        queue[:] = rank(v, m, longs)
    return queue[0] if queue else None
