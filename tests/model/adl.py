"""The ADL queues: a score for each account of one side, highest first, ties by account id.

PnL% = pnl / |entry value|, ROI = pnl / (|entry value| / leverage), leverage = |value| / equity

BitMEX          PnL% * leverage where PnL% > 0, else PnL% / leverage; equity: the part behind the position
OKX             the same with the equity of the whole unit; before August 2025: ROI / (equity / maintenance)
Binance         max(0, pnl) / max(1, wallet balance) * maintenance / equity; 0 where the equity is not positive
Bybit           ROI
Bitget          ROI * maintenance / equity, a loss divided by it; by another page ROI * chosen leverage, a loss 0
Hyperliquid     (mark / entry) * leverage of the unit, entry / mark for a short
Cube            pnl * leverage where pnl > 0, else pnl / leverage
dYdX            lots are drawn: from a random one of the accounts on, in order of their ids
research        (pnl / |value|) * leverage of the unit; (pnl / balance) * (|value| / balance); pnl / balance

Ratios are integers in 1e-9, Hyperliquid's scores in 1e-15. A queue is ranked when it is first needed after a mark
group.
"""

from .margin import Unit, maintenance_of, pnl_of, value_of
from .numbers import clamp, trunc_div
from .state import HEALTHY, Market, Position, Venue
from .wire import ISOLATED, RATE_ONE, VALUE_ONE, AdlPolicy

INT64_MAX = 2**63 - 1
WORD = 2**64


def ratio(a: int, b: int, scale: int = RATE_ONE) -> int:
    return clamp(-INT64_MAX, a * scale // b, INT64_MAX)


def over(a: int, equity: int) -> int:
    """a / equity, without end where there is no equity."""
    return ratio(a, equity) if equity > 0 else INT64_MAX


def signed(gain: int, factor: int) -> int:
    """A winner's gain times the factor, a loser's divided by it."""
    return gain * factor if gain > 0 else trunc_div(gain * RATE_ONE, max(factor, 1)) * RATE_ONE


def unit_behind(p: Position) -> Unit:
    return Unit(p.wallet, p if p.mode == ISOLATED else None)


class Candidate:
    """What a policy looks at."""

    def __init__(self, p: Position) -> None:
        unit = unit_behind(p)
        self.p, self.long = p, p.lots > 0
        self.value, self.cost, self.gain = abs(value_of(p)), abs(p.cost), pnl_of(p)
        self.balance = p.isolated_margin if p.mode == ISOLATED else p.wallet.balance
        self.equity = unit.in_asset_of(p.market, unit.equity())  # like all else: in the market's asset
        self.maintenance = unit.in_asset_of(p.market, unit.maintenance())
        self.share = self.equity  # by maintenance weight
        if p.mode != ISOLATED and self.maintenance > 0:
            self.share = self.equity * maintenance_of(p) // self.maintenance

    def pnl_rate(self) -> int:
        return ratio(self.gain, max(1, self.cost))

    def roi(self) -> int:
        return ratio(self.gain, max(1, self.cost // self.p.leverage))


def hyperliquid_score(c: Candidate) -> int:
    leverage = ratio(c.value, c.equity, 10**15) if c.equity > 0 else INT64_MAX
    up, down = (c.value, c.cost) if c.long else (c.cost, c.value)
    return leverage * up // max(1, down)


def binance_score(c: Candidate) -> int:
    if c.gain <= 0 or c.equity <= 0:
        return 0
    return ratio(c.gain, max(VALUE_ONE, c.balance)) * ratio(c.maintenance, c.equity)


SCORES = {
    AdlPolicy.BITMEX: lambda c: signed(c.pnl_rate(), over(c.value, c.share)),
    AdlPolicy.BINANCE: binance_score,
    AdlPolicy.BYBIT: lambda c: c.roi(),
    AdlPolicy.OKX: lambda c: signed(c.pnl_rate(), over(c.value, c.equity)),
    AdlPolicy.OKX_ROI: lambda c: c.roi() * over(c.maintenance, c.equity),
    AdlPolicy.BITGET: lambda c: signed(c.roi(), over(c.maintenance, c.equity)),
    AdlPolicy.BITGET_LEVERAGE: lambda c: max(0, c.roi()) * c.p.leverage,
    AdlPolicy.HYPERLIQUID: hyperliquid_score,
    AdlPolicy.DYDX: lambda c: 0,
    AdlPolicy.CUBE: lambda c: signed(c.gain, over(c.value, c.share)),
    AdlPolicy.RESEARCH_RETURN: lambda c: ratio(c.gain, max(1, c.value)) * over(c.value, c.equity),
    AdlPolicy.RESEARCH_BALANCE: lambda c: ratio(c.gain, max(1, c.balance)) * ratio(c.value, max(1, c.balance)),
    AdlPolicy.RESEARCH_PNL_RATIO: lambda c: ratio(c.gain, max(1, c.balance)),
}


def eligible(v: Venue, p: Position, longs: bool) -> bool:
    """Opposite side, a customer's, not itself in liquidation."""
    if p.lots == 0 or (p.lots > 0) != longs or v.is_house(p.account):
        return False
    return unit_behind(p).owner.stage == HEALTHY


def forget_queue(v: Venue) -> None:
    v.queue_ranked = None


def draw(v: Venue) -> int:
    """SplitMix64 of the seed and a counter."""
    v.draws += 1
    z = (v.seed + v.draws * 0x9E3779B97F4A7C15) % WORD
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ z >> 27) * 0x94D049BB133111EB % WORD
    return z ^ z >> 31


def rank(v: Venue, m: Market, longs: bool) -> list[Position]:
    score = SCORES[v.adl_policy]
    there = [p for p in m.positions if eligible(v, p, longs)]
    queue = sorted(there, key=lambda p: (-score(Candidate(p)), p.account))
    if v.adl_policy == AdlPolicy.DYDX and queue:
        start = draw(v) % len(queue)
        queue = queue[start:] + queue[:start]
    return queue


def next_counterparty(v: Venue, m: Market, longs: bool) -> Position | None:
    """Who is deleveraged next among the longs (or shorts); nobody left means that nobody at all is eligible."""
    if v.adl_policy not in SCORES:
        return None
    if v.queue_ranked is None or v.queue_ranked[:2] != (m, longs):
        v.queue_ranked = (m, longs, rank(v, m, longs))
    queue = v.queue_ranked[2]
    while queue and not eligible(v, queue[0], longs):
        queue.pop(0)
    if not queue and v.adl_policy != AdlPolicy.DYDX:
        queue[:] = rank(v, m, longs)
    return queue[0] if queue else None
