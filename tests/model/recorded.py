"""L3 tapes: recorded orders stand in the book as orders of the world. The world never matches the world."""

from .book import append, best_order, crosses, remove_order, tidy
from .matching import Taker, forget, match, note_print
from .orders import enlist, reject
from .state import Market, Order, Venue
from .tape import fill_better, first_account_order, meet
from .wire import BUY, GTC, SELL, Command, Reject, TapeOrder


def add(v: Venue, m: Market, c: Command) -> None:
    """A recorded order trades with the account orders that it crosses, and the rest of it comes to rest."""
    price = c.price_ticks + m.shift
    taker = Taker(m.world_position, c.order_id, c.side, price, c.size_lots, is_world=True)
    if m.matches():
        match(v, taker)
    if taker.lots and m.price_min <= price <= m.price_max:
        filled = c.size_lots - taker.lots
        order = Order(m.world_position, c.order_id, c.side, price, taker.lots, filled, 0, GTC, 0, 0)
        enlist(v, order)
        append(m, order.side, price, order)


def reduce(v: Venue, m: Market, order: Order, lots: int) -> None:
    if lots >= order.lots:
        remove_order(m, order)
        forget(v, order)
    else:
        order.lots -= lots


def execute(v: Venue, m: Market, order: Order, lots: int) -> None:
    """A recorded trade against a recorded order: account orders with priority over it are hit first."""
    side, price = 1 - order.side, order.price
    recorded, m.kept_lots = lots, 0
    if m.matches():
        lots = fill_better(v, m, side, price, lots)
        while lots:
            ahead = first_account_order(v, m, order.side, price)
            queue = m.sides[order.side].queues[price]
            if ahead is None or queue.index(ahead) > queue.index(order):
                break
            supplied = min(ahead.lots, lots)
            meet(v, m, side, ahead, supplied, order.order_id)
            lots -= supplied
    if lots:
        reduce(v, m, order, lots)
    tidy(m, order.side, price)
    note_print(v, m, price, recorded - m.kept_lots)


def recorded_crossed(v: Venue, m: Market) -> None:
    """A market opens: recorded orders that came to cross account orders meanwhile trade with them, at their prices."""
    for side in (BUY, SELL):
        while True:
            order, maker = best_order(m, side, recorded=True), best_order(m, 1 - side)
            if order is None or maker is None or not crosses(side, order.price, maker.price):
                break
            lots = min(order.lots, maker.lots)
            meet(v, m, side, maker, lots, order.order_id)
            reduce(v, m, order, lots)


def tape_order(v: Venue, c: Command) -> int:
    """One row of an L3 tape; an unknown id is refused, never repaired."""
    m = v.markets[c.market]
    order = v.orders.get((v.world, c.order_id))
    if c.aux == TapeOrder.ADD:
        if order is not None:
            return reject(v, c, Reject.DUPLICATE_ORDER_ID)
        if c.side > SELL:
            return reject(v, c, Reject.BAD_ENUM)
        if not 0 < c.size_lots <= m.position_max:
            return reject(v, c, Reject.BAD_SIZE)
        if not m.price_min <= c.price_ticks <= m.price_max:
            return reject(v, c, Reject.BAD_PRICE)
        add(v, m, c)
        return Reject.NONE
    if order is None or order.position.market is not m:
        return reject(v, c, Reject.UNKNOWN_ORDER)
    if c.aux == TapeOrder.DELETE:
        reduce(v, m, order, order.lots)
        return Reject.NONE
    if c.size_lots <= 0:
        return reject(v, c, Reject.BAD_SIZE)
    if c.aux == TapeOrder.REDUCE:
        reduce(v, m, order, c.size_lots)
    elif c.aux == TapeOrder.EXECUTE:
        execute(v, m, order, c.size_lots)
    else:
        return reject(v, c, Reject.BAD_ENUM)
    return Reject.NONE
