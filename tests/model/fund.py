"""The insurance funds: what they may take, when they take nothing, how they get rid of it.

Every sample is kept and every one in the window is looked at.
"""

from .beyond import beyond_within
from .claims import put_claim
from .contract import exposure_of, shown_price
from .deleverage import Remainder
from .ledger import change_position
from .margin import cross_equity, pnl_of, value_of
from .matching import Taker, match, segments_within
from .numbers import ceil_div
from .orders import band_limit
from .state import Market, Order, Position, Venue
from .timers import FUND, UNWIND
from .wire import ALL_MARKETS, BUY, RATE_ONE, SELL, EventKind, FundTrigger, FundUnwind, MarketState

FALLEN, EMPTY = 1, 2
SAMPLED = (FundTrigger.DRAWDOWN, FundTrigger.DROP)


def fund_equity(v: Venue, m: Market) -> int:
    return cross_equity(v.fund(m))


# ---- triggers ------------------------------------------------------------------------------------------------------


def rules_fit(v: Venue, name: str, value: int) -> bool:
    """Whether the rules of the trigger go together with one of them changed."""
    rules = {n: getattr(v, n) for n in (
        "fund_trigger", "drawdown_window_ns", "fund_sample_period_ns", "drawdown_stop", "drawdown_trigger",
    )} | {name: value}  # fmt: skip
    if rules["fund_trigger"] not in SAMPLED:
        return True
    period, window = rules["fund_sample_period_ns"], rules["drawdown_window_ns"]
    return 0 < period <= window and window // period < 511 and rules["drawdown_stop"] <= rules["drawdown_trigger"]


def start_fund_timer(v: Venue) -> None:
    """Samples are gathered anew, at multiples of the period."""
    v.samples, v.closed, v.fund_next_ns = {}, {}, 0
    if v.started and v.fund_trigger in SAMPLED:
        take_samples(v)
        v.fund_next_ns = (v.time_ns // v.fund_sample_period_ns + 1) * v.fund_sample_period_ns
        v.timer(v.fund_next_ns, FUND, None)


def result_of(m: Market) -> int:
    """What the fund has made in a market."""
    return m.fund_result + pnl_of(m.fund_position)


def take_sample(v: Venue, key: tuple, value: int) -> None:
    v.samples.setdefault(key, []).append((v.time_ns, value))


def take_samples(v: Venue) -> None:
    for account in range(v.fund_first, v.clearing_first):
        for asset in range(v.assets):
            take_sample(v, ("fund", account, asset), cross_equity(v.wallet(account, asset)))
    for m in v.markets:
        take_sample(v, ("market", m.number), result_of(m))


def sample_due(v: Venue) -> None:
    if v.fund_next_ns != v.time_ns:
        return
    take_samples(v)
    for m in v.markets:
        fund_closed(v, m)
    v.fund_next_ns += v.fund_sample_period_ns
    v.timer(v.fund_next_ns, FUND, None)


def highest(v: Venue, key: tuple, now: int) -> int:
    """Of the samples in the window, and of now."""
    return max([now, *(value for time, value in v.samples.get(key, []) if time > v.time_ns - v.drawdown_window_ns)])


def has_fallen(v: Venue, m: Market, held: bool) -> bool:
    """`held`: the trigger holds already, so the level to stop at counts."""
    level, equity = v.drawdown_stop if held else v.drawdown_trigger, fund_equity(v, m)
    peak = highest(v, ("fund", v.fund(m).account, m.asset), equity)
    if v.fund_trigger == FundTrigger.DROP:
        return equity < max(ceil_div(peak * (RATE_ONE - level), RATE_ONE), v.fund_floor)
    if not held and equity <= v.drawdown_threshold:
        return False
    return (highest(v, ("market", m.number), result_of(m)) - result_of(m)) * RATE_ONE >= level * peak


def fund_closed(v: Venue, m: Market) -> bool:
    """Whether the fund takes nothing now."""
    if v.fund_trigger == FundTrigger.CAPACITY:
        return False
    equity = fund_equity(v, m)
    if v.fund_trigger == FundTrigger.EMPTY or not v.started:
        return equity <= 0
    by_market = v.fund_trigger == FundTrigger.DRAWDOWN
    key = ("market", m.number) if by_market else ("fund", v.fund(m).account, m.asset)
    before = v.closed.get(key, 0)
    now = FALLEN * has_fallen(v, m, bool(before & FALLEN)) + EMPTY * (equity <= 0)
    if now != before:
        v.closed[key] = now
        market = m.number if by_market else ALL_MARKETS
        v.emit(
            EventKind.FUND_TRIGGER, account=v.fund(m).account, market=market, asset=m.asset, value=equity, aux=now
        )
    return now != 0


# ---- capacity and takeover -----------------------------------------------------------------------------------------


def fits(size: int, loss: int, room: int) -> int:
    """How many of `size` lots that bring a loss may be taken by one that can lose `room`."""
    if loss <= 0 or loss <= room:
        return size
    return size * room // loss if room > 0 else 0


def fund_capacity(v: Venue, m: Market, lots: int, value: int, share: int) -> int:
    """How many lots the fund may take: no trigger holds, it can bear the loss, and stays within its multiples."""
    if fund_closed(v, m):
        return 0
    equity, balance, size = fund_equity(v, m), v.fund(m).balance, abs(lots)
    net = sum(exposure_of(p.market, value_of(p)) for p in v.fund(m).positions if p.lots)
    taken = size
    if share < 0:
        taken = fits(size, -share, equity)
        if v.fund_trigger == FundTrigger.DRAWDOWN and v.started and equity > v.drawdown_threshold:
            peak = highest(v, ("fund", v.fund(m).account, m.asset), equity)
            fall = highest(v, ("market", m.number), result_of(m)) - result_of(m)
            taken = min(taken, fits(size, -share, peak * v.drawdown_trigger // RATE_ONE - fall))
    if v.fund_notional_cap:
        room = max(equity, 0) * v.fund_notional_cap // RATE_ONE
        room += abs(net) if (lots > 0) != (net > 0) else -abs(net)
        taken = min(taken, fits(size, abs(value), room))
    if v.fund_loss_cap:
        room = max(balance, 0) * v.fund_loss_cap // RATE_ONE + equity - balance
        taken = min(taken, fits(size, -share, room)) if room > 0 else 0
    return taken


def hand_over(v: Venue, p: Position, size: int, rest: Remainder, to: Position) -> None:
    """`size` lots change hands at bankruptcy value."""
    m = p.market
    lots = size if p.lots > 0 else -size
    value, share = rest.cut(size)
    moved = value - share
    change_position(v, p, -lots, -moved)
    change_position(v, to, lots, moved)
    v.emit(
        EventKind.TAKEOVER, account=p.account, maker_account=to.account, market=m.number, asset=m.asset,
        side=SELL if lots > 0 else BUY, size_lots=size, value=moved, aux=share,
        price_ticks=shown_price(m, lots, moved),
    )  # fmt: skip


def move_to_fund(v: Venue, p: Position, size: int, rest: Remainder) -> None:
    m, fund = p.market, p.market.fund_position
    hand_over(v, p, size, rest, fund)
    if v.fund_unwind >= FundUnwind.SLICES and fund.due_ns <= v.time_ns:
        fund.due_ns = v.time_ns + v.fund_unwind_period_ns
        v.timer(fund.due_ns, UNWIND, m)


def unwind(v: Venue, m: Market, rate: int) -> None:
    """Sell, or buy back, a part of what the fund carries, inside the band."""
    fund = m.fund_position
    if fund.lots == 0 or m.state != MarketState.OPEN:
        return
    held = abs(fund.lots)
    lots = min(held, max(1, ceil_div(held * rate, RATE_ONE)))
    side = SELL if fund.lots > 0 else BUY
    limit = band_limit(m, side, m.band_up if side == BUY else m.band_down)
    fund_order(v, m, side, lots, limit)


def dispose(v: Venue, m: Market) -> None:
    """A slice, bounded by a fraction of what stands in the book inside the band."""
    fund, band = m.fund_position, v.disposal_band
    if fund.lots == 0 or m.state != MarketState.OPEN:
        return
    held, side = abs(fund.lots), SELL if fund.lots > 0 else BUY
    if side == BUY:
        limit = min(band_limit(m, side, band and RATE_ONE + band), band_limit(m, side, m.band_up))
    else:
        limit = max(band_limit(m, side, band and RATE_ONE - band), band_limit(m, side, m.band_down))
    stands = sum(
        s.lots for _, s in segments_within(m, side, limit) if not (isinstance(s, Order) and s.reduce_only)
    )
    stands += beyond_within(m, side, limit, 1 << 62)
    size = held if held <= m.disposal_full_lots else ceil_div(held * v.fund_unwind_slice, RATE_ONE)
    size = min(size, ceil_div(stands * v.disposal_fraction_max, RATE_ONE))
    if size:
        fund_order(v, m, side, size, limit)


def fund_order(v: Venue, m: Market, side: int, lots: int, limit: int) -> None:
    fund, order_id = m.fund_position, v.forced_id
    v.forced_id -= 1
    v.emit(
        EventKind.FUND_ORDER, account=fund.account, market=m.number, order_id=order_id, side=side, price_ticks=limit,
        size_lots=lots,
    )  # fmt: skip
    if m.attribution:
        put_claim(fund, order_id, side, limit, lots)
    else:
        match(v, Taker(fund, order_id, side, limit, lots))


def unwind_due(v: Venue, m: Market) -> None:
    if v.fund_unwind < FundUnwind.SLICES:
        return
    if v.fund_unwind == FundUnwind.DISPOSAL:
        dispose(v, m)
    else:
        unwind(v, m, v.fund_unwind_slice)
    if m.fund_position.lots:
        m.fund_position.due_ns = v.time_ns + v.fund_unwind_period_ns
        v.timer(m.fund_position.due_ns, UNWIND, m)
