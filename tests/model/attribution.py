"""What forced orders have of recorded trades: their day's own, or their difference to what another run has found."""

from .claims import took
from .contract import trade_value
from .ledger import change_position
from .margin import Unit
from .matching import Taker, match
from .reduction import open_sale, sold
from .state import Market, Position, Venue
from .timers import LIQUIDATION
from .wire import BUY, CROSS, NO_ORDER, SELL, Attribution, EventKind, ReduceMethod


def attribute(v: Venue, m: Market, side: int, price: int, lots: int) -> int:
    """A recorded trade at a venue price, before it comes to the book; returns how much of it does."""
    ordinal, m.tape_trades = m.tape_trades, m.tape_trades + 1
    against = m.attribution == Attribution.AGAINST
    known = min(m.flow_ahead.pop(ordinal, 0), lots)
    history = extra = 0
    waiting = list(m.claims[side]) if m.matches() and 1 <= price <= m.price_max else []
    for p in waiting:
        take = claimable(v, p, price, lots - history - extra)
        part = min(take, known - history) if against else take
        if part:
            fill(v, p, price, part)
            history += part
        if take > part:
            extra += send(v, p, take - part)
    if not against:
        known = history
    missing = known - history
    if m.impact_kernel:
        m.flow += missing if side == SELL else -missing
    if known or extra:
        m.attributed += history
        m.excess += extra
        m.deficit += missing
        v.emit(
            EventKind.ATTRIBUTED, account=v.world, market=m.number, side=side, order_id=ordinal, price_ticks=price,
            size_lots=history + extra, value=extra, aux=missing,
        )  # fmt: skip
    return lots - missing


def claimable(v: Venue, p: Position, price: int, left: int) -> int:
    """What a claim may have of `left` lots at a price."""
    claim = p.claim
    if claim.limit <= 0 or (price > claim.limit if claim.side == BUY else price < claim.limit):
        return 0
    if p is p.market.fund_position:  # which may hold less by now, or the opposite
        held = p.lots if claim.side == SELL else -p.lots
        return max(0, min(claim.left, held, left))
    if claim.left > left and v.reduce_method == ReduceMethod.TIER_FOK and not v.is_house(p.account):
        return 0
    return min(claim.left, left)


def unit_of(p: Position) -> Unit:
    if p.mode != CROSS:
        return Unit(p.wallet, p)
    return Unit(p.wallet.pool.wallets[0] if p.wallet.pool else p.wallet)


def fill(v: Venue, p: Position, price: int, lots: int) -> None:
    """Lots of a recorded trade are a claim's."""
    m, claim, unit = p.market, p.claim, unit_of(p)
    customer = not v.is_house(p.account)
    before = open_sale(v, unit, p, claim.left) if customer else None
    value = trade_value(m, lots, price)
    sign = 1 if claim.side == BUY else -1
    change_position(v, p, sign * lots, sign * value)
    change_position(v, m.world_position, -sign * lots, -sign * value)
    v.emit(
        EventKind.TRADE, order_id=claim.order_id, maker_order_id=NO_ORDER, price_ticks=price, size_lots=lots,
        account=p.account, maker_account=v.world, market=m.number, asset=m.asset, side=claim.side,
    )  # fmt: skip
    took(p, lots)
    if customer:
        after(v, unit, p, before, claim.side, lots)


def send(v: Venue, p: Position, lots: int) -> int:
    """A part of a claim that is none of history's goes into the book; returns what was filled."""
    claim, unit = p.claim, unit_of(p)
    customer = not v.is_house(p.account)
    before = open_sale(v, unit, p, claim.left) if customer else None
    taker = Taker(p, claim.order_id, claim.side, claim.limit, lots, pays=False)
    match(v, taker)
    filled = lots - taker.lots
    if filled:
        took(p, filled)
        if customer:
            after(v, unit, p, before, claim.side, filled)
    return filled


def after(v: Venue, unit: Unit, p: Position, before, side: int, lots: int) -> None:
    """Its fee; the owner of a filled claim goes on at this instant."""
    sold(v, unit, p, before, side, lots)
    if p.claim.left == 0:
        unit.owner.due_ns = v.time_ns
        v.timer(v.time_ns, LIQUIDATION, unit)
