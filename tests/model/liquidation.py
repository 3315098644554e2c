"""Who is under maintenance, found by looking at everybody, and how the book is tried before the waterfall.

found -> (delay) -> cancel orders -> reduce in the book, a step a period -> take over what is left
"""

from .adl import forget_queue
from .ledger import change_position, move_isolated, transfer
from .margin import Unit, fee_of, maintenance_at, maintenance_of, tier_of, units_of, value_at, value_of
from .matching import Taker, cancel_orders_of, match
from .numbers import ceil_div
from .orders import band_limit
from .state import DELAYED, HEALTHY, REDUCING, Market, Position, Venue
from .stops import fire_on_mark
from .timers import LIQUIDATION, UNWIND
from .waterfall import cover_shortfall, first_position, share_of, take_over, unit_event
from .wire import (
    BUY,
    CROSS,
    RATE_ONE,
    SELL,
    EventKind,
    FundUnwind,
    Leg,
    MarketState,
    ReduceLimit,
    ReduceMethod,
    Reject,
)


def find(v: Venue) -> list[Unit]:
    """Every unit under maintenance that is not being dealt with: worst health for its maintenance first."""
    units = [unit for wallets in v.wallets[: v.accounts_max] for w in wallets for unit in units_of(w)]
    found = [unit for unit in units if unit.owner.stage == HEALTHY and unit.health() < 0]

    def order(unit: Unit) -> tuple:
        number = -1 if unit.position is None else unit.position.number
        return Ratio(unit.health(), max(unit.maintenance(), 1)), unit.wallet.account, unit.wallet.asset, number

    return sorted(found, key=order)


class Ratio:
    """a / b for b > 0, compared by cross-multiplying."""

    def __init__(self, a: int, b: int) -> None:
        self.a, self.b = a, b

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ratio) and self.a * other.b == other.a * self.b

    def __lt__(self, other: "Ratio") -> bool:
        return self.a * other.b < other.a * self.b


def mark_group_end(v: Venue) -> None:
    """After the last mark of an instant: stops on the mark, then liquidations in passes until nobody is left."""
    forget_queue(v)
    for m in v.marked:
        fire_on_mark(v, m)
    v.marked.clear()
    work_off(v)


def work_off(v: Venue) -> None:
    while found := find(v):
        for unit in found:
            start(v, unit)
        if v.fund_unwind == FundUnwind.AT_ONCE:
            for m in v.markets:
                unwind(v, m, RATE_ONE)


# ---- the steps of one unit -----------------------------------------------------------------------------------------


def start(v: Venue, unit: Unit) -> None:
    """A found unit's turn: others may have restored it meanwhile."""
    if unit.owner.stage != HEALTHY or unit.health() >= 0:
        return
    v.liquidations += 1
    unit.wallet.liquidations += 1
    unit_event(v, EventKind.LIQUIDATION_STARTED, unit, unit.position, value=unit.equity(), aux=unit.maintenance())
    if v.liquidation_delay_ns:
        unit.owner.stage = DELAYED
        schedule(v, unit, v.liquidation_delay_ns)
    else:
        begin(v, unit)


def schedule(v: Venue, unit: Unit, delay_ns: int) -> None:
    unit.owner.due_ns = v.time_ns + delay_ns
    v.timer(unit.owner.due_ns, LIQUIDATION, unit)


def begin(v: Venue, unit: Unit) -> None:
    unit.owner.stage = REDUCING
    for p in reversed(unit.positions()):
        cancel_orders_of(v, p, Reject.BY_LIQUIDATION)
    if v.net_hedges and unit.position is None:
        net_legs(v, unit)
    step(v, unit)


def net_legs(v: Venue, unit: Unit) -> None:
    """Cross legs of one market are closed against each other at the mark, the newest long leg first."""
    for p in reversed(unit.positions()):
        if p.position_side != Leg.LONG or not p.lots:
            continue
        other = v.find_position(p.account, p.market, Leg.SHORT)
        if other is None or other.mode != CROSS or not other.lots:
            continue
        m, lots = p.market, min(p.lots, -other.lots)
        value = value_at(m, lots, m.mark)
        change_position(v, p, -lots, -value)
        change_position(v, other, lots, value)
        v.emit(
            EventKind.LEGS_NETTED, account=p.account, market=m.number, asset=m.asset, size_lots=lots, value=value
        )


def liquidation_due(v: Venue, unit: Unit) -> None:
    """A liquidation timer; only the one that was set last counts."""
    stage = unit.owner.stage
    if stage == HEALTHY or unit.owner.due_ns != v.time_ns:
        return
    forget_queue(v)
    if unit.health() >= 0:
        finish(v, unit)
    elif stage == DELAYED:
        begin(v, unit)
    else:
        step(v, unit)
    work_off(v)


def finish(v: Venue, unit: Unit) -> None:
    unit_event(v, EventKind.LIQUIDATION_ENDED, unit, unit.position, value=unit.equity())
    unit.owner.stage = HEALTHY


def step(v: Venue, unit: Unit) -> None:
    """Reduce in the book as the rulebook says; when that ends without success, the rest is taken over."""
    forget_seen(unit)
    while unit.health() < 0 and reduce_once(v, unit):
        if v.liquidation_period_ns and unit.health() < 0:
            schedule(v, unit, v.liquidation_period_ns)
            return
    if unit.health() < 0:
        forget_seen(unit)
        take_over(v, unit)
    finish(v, unit)


def forget_seen(unit: Unit) -> None:
    for p in unit.positions():
        p.seen = False


def reduce_once(v: Venue, unit: Unit) -> bool:
    """Send reducing orders, one position after the other, until one fills; whether any did."""
    if v.reduce_method == ReduceMethod.NONE:
        return False
    by_steps = v.reduce_method in (ReduceMethod.TIER, ReduceMethod.SLICE)
    while (p := first_position(v, unit)) is not None:
        lots = reduce_size(v, unit, p)
        filled = forced_order(v, unit, p, lots) if lots else 0
        p.seen = not by_steps or lots == 0 or filled < lots
        if filled:
            return True
    return False


def reduce_size(v: Venue, unit: Unit, p: Position) -> int:
    held, value = abs(p.lots), abs(value_of(p))
    if v.reduce_method == ReduceMethod.WHOLE:
        return held
    if v.reduce_method == ReduceMethod.SLICE:
        return min(held, max(1, ceil_div(held * v.reduce_slice, RATE_ONE)))
    if v.reduce_method == ReduceMethod.TIER:
        floor = tier_of(p.market, value).floor
        return min(held, ceil_div((value - floor) * held, value)) if floor else 0
    return size_to_safe(unit, p, held, value)


def size_to_safe(unit: Unit, p: Position, held: int, value: int) -> int:
    """The smallest size whose sale at the mark would restore maintenance, its fee paid; if there is none, the whole."""
    m = p.market
    missing = -unit.health()
    for size in range(1, held + 1):
        left = ceil_div(value * (held - size), held)
        freed = maintenance_of(p) - maintenance_at(m, left) - fee_of(value - left, m.liquidation_fee)
        if freed >= missing:
            return size
    return held


def forced_limit(v: Venue, unit: Unit, p: Position, side: int) -> int:
    """Worst price of a forced order, by the rulebook."""
    m = p.market
    if v.reduce_limit == ReduceLimit.BAND:
        return band_limit(m, side, m.band_up if side == BUY else m.band_down)
    if v.reduce_limit == ReduceLimit.NONE:
        return m.price_max if side == BUY else 1
    at_bankruptcy = value_of(p) - share_of(unit, p)
    if side == SELL:
        return max(1, ceil_div(ceil_div(at_bankruptcy, p.lots), m.tick_lot_money))
    return min(m.price_max, -at_bankruptcy // -p.lots // m.tick_lot_money)


def forced_order(v: Venue, unit: Unit, p: Position, lots: int) -> int:
    """An IOC of the liquidation engine: exempt from fees, lot minimums and caps. Returns what was filled."""
    m, w = p.market, unit.wallet
    side = SELL if p.lots > 0 else BUY
    limit = forced_limit(v, unit, p, side)
    order_id, v.forced_id = v.forced_id, v.forced_id - 1
    unit_event(
        v, EventKind.LIQUIDATION_ORDER, unit, p, order_id=order_id, side=side, price_ticks=limit, size_lots=lots,
        value=m.mark, aux=m.index,
    )  # fmt: skip
    taker = Taker(p, order_id, side, limit, lots, pays=False)
    balance, realised, cost = w.balance, w.realised, p.cost
    if limit > 0 and m.matches():
        match(v, taker)
    filled = lots - taker.lots
    if taker.lots:
        v.emit(
            EventKind.CANCELLED, account=p.account, market=m.number, order_id=order_id, side=side,
            size_lots=taker.lots, price_ticks=limit, reason=Reject.BY_IOC,
        )  # fmt: skip
    if filled == 0:
        return 0
    if side == SELL:
        m.liquidated_longs += filled
    else:
        m.liquidated_shorts += filled
    if unit.position is not None and p.lots:
        move_isolated(p, w.balance - balance)  # a forced sale frees no margin: what is left must carry the rest
    notional = abs(w.realised - realised + cost - p.cost)
    charge_liquidation_fee(v, unit, p, notional, w.balance - balance)
    return filled


def charge_liquidation_fee(v: Venue, unit: Unit, p: Position, notional: int, returned: int) -> None:
    """To the fund, never more than the equity left. A shortfall of what is now closed is made good first.

    Of an isolated position that is gone, what `returned` to the wallet is its equity; its loss is not the wallet's.
    """
    m, w = p.market, unit.wallet
    isolated_gone = unit.position is not None and p.lots == 0
    left = returned if isolated_gone else unit.equity()
    all_gone = isolated_gone or (unit.position is None and unit.maintenance() == 0)
    if all_gone and left < 0:
        cover_shortfall(v, m, Unit(w), -left)
    fee = max(0, min(fee_of(notional, m.liquidation_fee), left))
    if fee == 0:
        return
    if unit.position is not None and not isolated_gone:
        p.isolated_margin -= fee
        w.balance += fee
    w.fees += fee
    transfer(w, v.fund(m), fee)
    unit_event(
        v, EventKind.LIQUIDATION_FEE, unit, p, value=fee, aux=notional, maker_account=v.fund(m).account,
    )  # fmt: skip


# ---- the fund's inventory ------------------------------------------------------------------------------------------


def unwind(v: Venue, m: Market, rate: int) -> None:
    """Sell, or buy back, a part of what the fund carries, inside the band."""
    fund = m.fund_position
    if fund.lots == 0 or m.state != MarketState.OPEN:
        return
    held = abs(fund.lots)
    lots = min(held, max(1, ceil_div(held * rate, RATE_ONE)))
    side = SELL if fund.lots > 0 else BUY
    limit = band_limit(m, side, m.band_up if side == BUY else m.band_down)
    order_id, v.forced_id = v.forced_id, v.forced_id - 1
    v.emit(
        EventKind.FUND_ORDER, account=fund.account, market=m.number, order_id=order_id, side=side, price_ticks=limit,
        size_lots=lots,
    )  # fmt: skip
    match(v, Taker(fund, order_id, side, limit, lots))


def unwind_due(v: Venue, m: Market) -> None:
    if v.fund_unwind != FundUnwind.SLICES:
        return
    unwind(v, m, v.fund_unwind_slice)
    if m.fund_position.lots:
        m.fund_position.due_ns = v.time_ns + v.fund_unwind_period_ns
        v.timer(m.fund_position.due_ns, UNWIND, m)
