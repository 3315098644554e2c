"""A taker meets the book, segment by segment, and each fill is settled at once."""

from dataclasses import dataclass

from .beyond import best_beyond, take_beyond
from .book import crosses, remove_order, segments_within, take_from_head, tidy
from .composite import keep_trade
from .contract import trade_value
from .ledger import change_position, charge_fee
from .margin import fee_of
from .state import RESTING, WAITING, Market, Order, Position, Venue, WorldLots
from .wire import BUY, LAST, NO_ORDER, RATE_ONE, SELL, EventKind, MarkMethod, Reject, StpMode


@dataclass(slots=True)
class Taker:
    position: Position
    order_id: int
    side: int
    limit: int
    lots: int
    stp_mode: int = StpMode.NONE
    pays: bool = True
    is_world: bool = False  # a recorded taker: it leaves no trade with recorded lots or orders
    start: int | None = None  # a walking one: what is recorded at better prices than this is known to be gone
    expired: bool = False


def note_print(v: Venue, m: Market, price: int, lots: int) -> None:
    """A trade took place: the last price, what conditional orders must be shown, what a composite mark is made of."""
    m.last = price
    if m.mark_method == MarkMethod.COMPOSITE:
        m.kept_lots += lots
        keep_trade(v, m, price, lots)
    m.prints.append(price)
    for order in m.waiting:
        if order.callback and order.source == LAST:
            follow(order, price, price)


def follow(order: Order, low: int, high: int) -> None:
    """Show a trailing stop one price: its extreme follows, and the order is due once the price has turned far enough.

    A price between two ticks is shown as the tick below and the tick above.
    """
    if order.side == BUY:
        order.extreme = min(order.extreme or low, low)
        active = order.trigger == 0 or order.extreme <= order.trigger
        turned = high * RATE_ONE >= order.extreme * (RATE_ONE + order.callback)
    else:
        order.extreme = max(order.extreme, high)
        active = order.extreme >= order.trigger
        turned = low * RATE_ONE <= order.extreme * (RATE_ONE - order.callback)
    if active and turned:
        order.due = True


def settle(v: Venue, taker: Taker, maker: Order | None, price: int, lots: int, reason: int = Reject.NONE) -> None:
    """One fill becomes money, positions, fees and an event. `maker` None is recorded liquidity."""
    m = taker.position.market
    value = trade_value(m, lots, price)
    maker_position = m.world_position if maker is None else maker.position
    taker_fee = fee_of(abs(value), m.taker_fee) if taker.pays and not v.is_house(taker.position.account) else 0
    maker_fee = 0 if v.is_house(maker_position.account) else fee_of(abs(value), m.maker_fee)
    sign = 1 if taker.side == BUY else -1
    change_position(v, taker.position, sign * lots, sign * value)
    change_position(v, maker_position, -sign * lots, -sign * value)
    charge_fee(v, taker.position.wallet, taker_fee)
    charge_fee(v, maker_position.wallet, maker_fee)
    note_print(v, m, price, lots)
    v.emit(
        EventKind.TRADE, order_id=taker.order_id, maker_order_id=NO_ORDER if maker is None else maker.order_id,
        price_ticks=price, size_lots=lots, fee=taker_fee, value=maker_fee, aux=0 if maker is None else maker.lots,
        account=taker.position.account, maker_account=maker_position.account, market=m.number, asset=m.asset,
        side=taker.side, reason=reason,
    )  # fmt: skip
    trim_reduce_only(v, maker_position)
    trim_reduce_only(v, taker.position)


def fill_order(v: Venue, taker: Taker, maker: Order, lots: int, price: int | None = None) -> None:
    """A taker and a resting order trade, at the order's price unless an auction sets another."""
    m = taker.position.market
    maker.lots -= lots
    maker.filled += lots
    taker.lots -= lots
    if maker.lots == 0:
        forget(v, maker)
        tidy(m, maker.side, maker.price)
    settle(v, taker, maker, maker.price if price is None else price, lots)


def match(v: Venue, taker: Taker) -> None:
    """Match until the taker is filled, expired, or finds nothing more inside its limit."""
    m = taker.position.market
    while taker.lots and not taker.expired:
        found = next_segment(v, m, taker)
        if not taker.is_world and match_beyond(v, m, taker, found and found[0]):
            continue
        if found is None:
            break
        price, segment = found
        if isinstance(segment, WorldLots):
            take = min(segment.lots, taker.lots)
            m.sides[1 - taker.side].world[price - m.shift].consumed += take
            segment.lots -= take
            tidy(m, 1 - taker.side, price)
            taker.lots -= take
            if not taker.is_world:
                m.flow += (take if taker.side == BUY else -take) if m.impact_kernel else 0
                settle(v, taker, None, price, take)
        elif taker.stp_mode != StpMode.NONE and v.group_of(segment.account) == v.group_of(taker.position.account):
            if taker.stp_mode != StpMode.EXPIRE_TAKER:
                drop_maker(v, segment)
            taker.expired = taker.stp_mode != StpMode.EXPIRE_MAKER
        elif taker.is_world and segment.account == v.world:
            take = min(segment.lots, taker.lots)
            eat_recorded(v, segment, take)
            taker.lots -= take
        else:
            take = min(segment.lots, taker.lots)
            if segment.account == v.world and m.impact_kernel:
                m.flow += take if taker.side == BUY else -take
            fill_order(v, taker, segment, take)


def match_beyond(v: Venue, m: Market, taker: Taker, best: int | None) -> bool:
    """A taker who has eaten all that is recorded takes of what is stated behind it, orders at that price first."""
    further = best_beyond(m, 1 - taker.side)
    if further is None or not crosses(taker.side, taker.limit, further[0]):
        return False
    price, left = further
    if best is not None and crosses(taker.side, price, best):
        return False
    take = min(left, taker.lots)
    take_beyond(m, 1 - taker.side, take)
    taker.lots -= take
    m.flow += (take if taker.side == BUY else -take) if m.impact_kernel else 0
    settle(v, taker, None, price, take, Reject.BY_BEYOND_DEPTH)
    return True


def eat_recorded(v: Venue, order: Order, lots: int) -> None:
    """A recorded order loses lots that history does not know of, and nobody gets a position."""
    order.lots -= lots
    order.filled += lots
    if order.lots == 0:
        forget(v, order)
    tidy(order.position.market, order.side, order.price)


def next_segment(v: Venue, m: Market, taker: Taker) -> tuple[int, Order | WorldLots] | None:
    """A recorded order that arrives passes recorded ones by; one that walks deeper eats them, from its start on."""
    for price, segment in segments_within(m, taker.side, taker.limit):
        if not taker.is_world:
            return price, segment
        reached = taker.start is None or (price >= taker.start if taker.side == BUY else price <= taker.start)
        if isinstance(segment, WorldLots):
            if reached:
                return price, segment
        elif segment.account != v.world or (taker.start is not None and reached):
            return price, segment
    return None


def forget(v: Venue, order: Order) -> None:
    """Out of the lists, not out of its queue."""
    order.position.orders.remove(order)
    del v.orders[order.account, order.order_id]
    if order.state == WAITING:
        order.position.market.waiting.remove(order)


def drop_maker(v: Venue, order: Order) -> None:
    """Self-trade prevention removes a resting order."""
    m = order.position.market
    remove_order(m, order)
    forget(v, order)
    v.emit(
        EventKind.CANCELLED, account=order.account, market=m.number, order_id=order.order_id, size_lots=order.lots,
        price_ticks=order.price, side=order.side, reason=Reject.BY_SELF_TRADE,
    )  # fmt: skip


def cancel_order(v: Venue, order: Order, reason: int) -> None:
    m = order.position.market
    v.emit(
        EventKind.CANCELLED, account=order.account, market=m.number, order_id=order.order_id, size_lots=order.lots,
        price_ticks=order.price, side=order.side, reason=reason,
    )  # fmt: skip
    if order.state == RESTING:
        remove_order(m, order)
    forget(v, order)


def cancel_orders_of(v: Venue, p: Position, reason: int) -> None:
    for order in list(p.orders):
        cancel_order(v, order, reason)


def trim_reduce_only(v: Venue, p: Position) -> None:
    """Resting reduce-only orders never exceed the position nor stand on its opening side; the newest go first."""
    room = abs(p.lots)
    for order in [o for o in p.resting() if o.reduce_only]:
        if room == 0 or order.side != (SELL if p.lots > 0 else BUY):
            cancel_order(v, order, Reject.BY_REDUCE_ONLY)
        elif order.lots > room:
            v.emit(
                EventKind.CANCELLED, account=p.account, market=p.market.number, order_id=order.order_id,
                size_lots=order.lots - room, aux=room, price_ticks=order.price, side=order.side,
                reason=Reject.BY_REDUCE_ONLY,
            )  # fmt: skip
            order.lots = room
            room = 0
        else:
            room -= order.lots


def take_recorded(v: Venue, m: Market, side: int, recorded_price: int, lots: int) -> None:
    """A simulated counterparty takes recorded lots of a level from the head of its queue."""
    m.sides[side].world[recorded_price].consumed += lots
    take_from_head(m, side, recorded_price + m.shift, lots)
