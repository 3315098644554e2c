"""AMEND: the new size is the total; at or below what is filled the order ends. Only a smaller size keeps its place."""

from dataclasses import replace

from .book import remove_order
from .matching import cancel_order, forget
from .orders import STANDING_STILL, check_account, execute, in_liquidation, reject, ticket_of
from .state import RESTING, WAITING, Market, Order, Venue
from .stops import check_trigger
from .wire import Command, EventKind, Flag, Reject


def amend(v: Venue, c: Command) -> int:
    m = v.markets[c.market]
    order = v.orders.get((c.account, c.order_id))
    if m.state in STANDING_STILL:
        return reject(v, c, Reject.MARKET_STATE)
    if order is None or order.position.market is not m:
        return reject(v, c, Reject.UNKNOWN_ORDER)
    if in_liquidation(order.position):
        return reject(v, c, Reject.IN_LIQUIDATION)
    if not 0 < c.size_lots <= m.size_max:
        return reject(v, c, Reject.BAD_SIZE)
    if not order.flags & Flag.MARKET and not m.price_min <= c.price_ticks <= m.price_max:
        return reject(v, c, Reject.BAD_PRICE)
    left = c.size_lots - order.filled
    if left <= 0:
        cancel_order(v, order, Reject.BY_AMENDED_AWAY)
        return Reject.NONE
    if order.state == WAITING:
        return amend_waiting(v, m, c, order, left)
    if c.price_ticks == order.price and left <= order.lots:
        order.lots = left
        amended(v, c, order, left)
        return Reject.NONE
    return requeue(v, m, c, order, left)


def amended(v: Venue, c: Command, order: Order, left: int) -> None:
    v.emit(
        EventKind.AMENDED, account=c.account, market=c.market, order_id=c.order_id, side=order.side,
        price_ticks=c.price_ticks, size_lots=left, value=c.trigger_ticks, aux=order.filled,
    )  # fmt: skip


def requeue(v: Venue, m: Market, c: Command, order: Order, left: int) -> int:
    """The order leaves for its successor if that one passes all checks without it; else nothing happens."""
    p = order.position
    t = ticket_of(
        m, p, order.order_id, order.side, c.price_ticks, left, order.flags, order.tif, order.stp_mode, order.expire_ns
    )
    t.filled = order.filled
    order.state = WAITING  # its hold, its room and its number do not count against its successor
    reason = check_account(v, m, t)
    order.state = RESTING
    if reason:
        return reject(v, c, reason)
    remove_order(m, order)
    forget(v, order)
    amended(v, c, order, t.lots)
    execute(v, m, t)
    return Reject.NONE


def amend_waiting(v: Venue, m: Market, c: Command, order: Order, left: int) -> int:
    """A waiting order has no place to lose; its trigger changes too where the command names one."""
    if c.trigger_ticks and not order.flags & Flag.TRAILING:
        probe = Command(
            c.kind, trigger_ticks=c.trigger_ticks, side=order.side, flags=order.flags, trigger_source=order.source
        )
        reason = check_trigger(m, probe)
        if reason:
            return reject(v, replace(c, side=order.side), reason)
        order.trigger = c.trigger_ticks
        m.waiting.remove(order)
        m.waiting.append(order)
    order.price = 0 if order.flags & Flag.MARKET else c.price_ticks
    order.lots = left
    amended(v, c, order, left)
    return Reject.NONE
