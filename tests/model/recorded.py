"""L3 tapes: recorded orders stand in the book as orders of the world. The world never matches the world."""

from .book import append, best_order, crosses, remove_order, tidy
from .matching import Taker, eat_recorded, forget, match, note_print
from .orders import enlist, reject
from .state import ASIDE, RESTING, Market, Order, Venue
from .tape import fill_better, first_account_order, meet, missed
from .wire import BUY, GTC, SELL, Command, Reject, TapeOrder


def add(v: Venue, m: Market, c: Command) -> None:
    """A recorded order trades with the account orders that it crosses, and the rest of it comes to rest."""
    price = c.price_ticks + m.shift
    taker = Taker(m.world_position, c.order_id, c.side, price, c.size_lots, is_world=True)
    stands = m.price_min <= price <= m.price_max
    if m.matches() and stands:
        match(v, taker)
    if taker.lots:
        filled = c.size_lots - taker.lots
        order = Order(m.world_position, c.order_id, c.side, price, taker.lots, filled, 0, GTC, 0, 0)
        enlist(v, order)
        if stands:
            append(m, order.side, price, order)
        else:
            order.state, order.price = ASIDE, c.price_ticks


def recorded_to(v: Venue, m: Market, order: Order, recorded: int, expected: int) -> None:
    """History says that `recorded` lots of an order are left, where `expected` were. `filled`: eaten of it."""
    if recorded <= 0:
        if order.state == RESTING:
            remove_order(m, order)
        forget(v, order)
        return
    if recorded < expected:
        order.filled = order.filled * recorded // expected
    order.lots = recorded - order.filled


def reduce(v: Venue, m: Market, order: Order, lots: int) -> None:
    recorded = order.lots + order.filled
    recorded_to(v, m, order, recorded - lots, recorded)


def venue_price(m: Market, order: Order) -> int:
    return order.price + m.shift if order.state == ASIDE else order.price


def execute(v: Venue, m: Market, order: Order, lots: int, printed: int) -> None:
    """A recorded trade against a recorded order: account orders with priority over it are hit first."""
    side, price, left = 1 - order.side, venue_price(m, order), lots
    m.kept_lots = 0
    if m.matches():
        left = fill_better(v, m, side, price, left)
    repaid = min(order.filled, left)  # history takes what simulated takers took before: it finds nothing
    left -= repaid
    while left and order.state == RESTING and m.matches():
        ahead = first_account_order(v, m, order.side, price)
        queue = m.sides[order.side].queues[price]
        if ahead is None or queue.index(ahead) > queue.index(order):
            break
        supplied = min(ahead.lots, left)
        meet(v, m, side, ahead, supplied, order.order_id)
        left -= supplied
    recorded = order.lots + order.filled
    order.filled -= repaid
    recorded_to(v, m, order, recorded - lots, recorded - left - repaid)
    tidy(m, order.side, price)
    found_nothing(v, m, side, price, repaid, printed, lots)


def execute_eaten(v: Venue, m: Market, c: Command) -> None:
    """A recorded trade against an order that is not there any more: it was eaten, and all that stood before it."""
    side, price = 1 - c.side, c.price_ticks + m.shift
    m.kept_lots = 0
    left = fill_better(v, m, side, price, c.size_lots) if m.matches() else c.size_lots
    found_nothing(v, m, side, price, left, price, c.size_lots)


def found_nothing(v: Venue, m: Market, side: int, price: int, lots: int, printed: int, recorded: int) -> None:
    missed(v, m, side, price, lots)
    if 1 <= printed <= m.price_max:
        note_print(v, m, printed, recorded - m.kept_lots)


def recorded_crossed(v: Venue, m: Market) -> None:
    """A market opens: recorded orders that came to cross account orders meanwhile trade with them, at their prices."""
    for side in (BUY, SELL):
        while True:
            order, maker = best_order(m, side, recorded=True), best_order(m, 1 - side)
            if order is None or maker is None or not crosses(side, order.price, maker.price):
                break
            lots = min(order.lots, maker.lots)
            meet(v, m, side, maker, lots, order.order_id)
            eat_recorded(v, order, lots)


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
    if order is None and c.aux == TapeOrder.EXECUTE and c.price_ticks > 0:
        if c.side > SELL:
            return reject(v, c, Reject.BAD_ENUM)
        if not 0 < c.size_lots <= m.position_max:
            return reject(v, c, Reject.BAD_SIZE)
        if c.price_ticks > m.price_max:
            return reject(v, c, Reject.BAD_PRICE)
        execute_eaten(v, m, c)
        return Reject.NONE
    if order is None or order.position.market is not m:
        return reject(v, c, Reject.UNKNOWN_ORDER)
    if c.aux == TapeOrder.DELETE:
        recorded_to(v, m, order, 0, 0)
        return Reject.NONE
    if c.size_lots <= 0:
        return reject(v, c, Reject.BAD_SIZE)
    if c.aux == TapeOrder.REDUCE:
        reduce(v, m, order, c.size_lots)
    elif c.aux == TapeOrder.EXECUTE:
        if not 0 <= c.price_ticks <= m.price_max:
            return reject(v, c, Reject.BAD_PRICE)
        execute(v, m, order, c.size_lots, c.price_ticks + m.shift if c.price_ticks else venue_price(m, order))
    else:
        return reject(v, c, Reject.BAD_ENUM)
    return Reject.NONE
