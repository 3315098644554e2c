"""Conditional orders: they wait by their trigger and are placed, checks and all, when a price meets it.

Stops on a rise fire first, the lowest trigger first; then those on a fall, the highest first; then trailing stops.
Equal triggers fire in order of arrival. Each firing may trade, and what that prints counts at once.
"""

from .matching import cancel_order, follow
from .numbers import ceil_div
from .orders import accepted, check_account, ended, enlist, execute, reject, ticket_of
from .state import WAITING, Market, Order, Position, Venue
from .timers import EXPIRY
from .wire import BUY, FLAGS_KEPT, GTD, LAST, MARK, RATE_ONE, Command, EventKind, Flag, Reject


def fires_above(side: int, flags: int) -> bool:
    """STOP buy and TAKE_PROFIT sell fire on a rise, the other two on a fall."""
    return (side == BUY) == bool(flags & Flag.STOP)


def check_trigger(m: Market, c: Command) -> int:
    now = m.mark if c.trigger_source == MARK else m.last * m.tick_value
    trigger = c.trigger_ticks * m.tick_value
    if c.flags & Flag.TRAILING:
        if not 0 < c.aux < RATE_ONE or not 0 <= c.trigger_ticks <= m.price_max:
            return Reject.BAD_TRIGGER
        active = now <= trigger if c.side == BUY else now >= trigger
        return Reject.WOULD_TRIGGER if now and trigger and active else Reject.NONE
    if not 0 < c.trigger_ticks <= m.price_max:
        return Reject.BAD_TRIGGER
    met = now >= trigger if fires_above(c.side, c.flags) else now <= trigger
    return Reject.WOULD_TRIGGER if now and met else Reject.NONE


def wait(v: Venue, m: Market, c: Command, p: Position) -> int:
    reason = check_trigger(m, c)
    if reason:
        return reject(v, c, reason)
    if sum(o.state == WAITING for o in p.orders) >= m.max_conditional:
        return reject(v, c, Reject.MAX_ORDERS)
    accepted(v, c, c.size_lots)
    price = 0 if c.flags & Flag.MARKET else c.price_ticks
    order = Order(
        p, c.order_id, c.side, price, c.size_lots, 0, c.flags & FLAGS_KEPT, c.tif, c.stp_mode,
        c.expire_ns if c.tif == GTD else 0, state=WAITING, trigger=c.trigger_ticks, source=c.trigger_source,
        above=fires_above(c.side, c.flags),
    )  # fmt: skip
    if c.flags & Flag.TRAILING:
        order.callback = c.aux
        order.extreme = m.last if c.trigger_source == LAST else mark_ticks(m)[c.side == BUY]
    if order.expire_ns:
        v.timer(order.expire_ns, EXPIRY, c.account, c.order_id)
    enlist(v, order)
    m.waiting.append(order)
    return Reject.NONE


def mark_ticks(m: Market) -> tuple[int, int]:
    """The tick below and the tick above the mark."""
    return m.mark // m.tick_value, ceil_div(m.mark, m.tick_value)


def next_due(m: Market, source: int, low: int, high: int) -> Order | None:
    waiting = [o for o in m.waiting if o.source == source]
    plain = [o for o in waiting if not o.callback]
    rising = [o for o in plain if o.above and o.trigger <= high]
    if rising:
        return min(rising, key=lambda o: o.trigger)
    falling = [o for o in plain if not o.above and o.trigger >= low]
    if falling:
        return max(falling, key=lambda o: o.trigger)
    return next((o for o in waiting if o.due), None)


def fire_on_prints(v: Venue, m: Market) -> None:
    """Show the trade prices since the last look to the orders that wait for them."""
    while m.prints:
        order = next_due(m, LAST, min(m.prints), max(m.prints))
        if order is None:
            break
        fire(v, m, order)
    m.prints.clear()


def fire_on_mark(v: Venue, m: Market) -> None:
    if m.mark == 0:
        return
    low, high = mark_ticks(m)
    for order in m.waiting:
        if order.callback and order.source == MARK:
            follow(order, high, low)
    while True:
        order = next_due(m, MARK, high, low)
        if order is None:
            return
        fire(v, m, order)


def fire(v: Venue, m: Market, order: Order) -> None:
    """The trigger was met: the order becomes an order of now."""
    p = order.position
    if order.flags & Flag.PRICE_PROTECT and m.trigger_protect and m.mark and m.last:
        gap = abs(m.last * m.tick_value - m.mark)
        if gap > m.mark * m.trigger_protect // RATE_ONE:
            cancel_order(v, order, Reject.BY_PRICE_PROTECT)
            return
    v.emit(
        EventKind.TRIGGERED, account=p.account, market=m.number, order_id=order.order_id, side=order.side,
        price_ticks=order.price, size_lots=order.lots, value=order.trigger, aux=order.extreme,
    )  # fmt: skip
    p.orders.remove(order)
    del v.orders[p.account, order.order_id]
    m.waiting.remove(order)
    lots, flags = order.lots, order.flags
    if flags & Flag.CLOSE_POSITION:
        lots, flags = abs(p.lots), flags | Flag.REDUCE_ONLY
    t = ticket_of(
        m, p, order.order_id, order.side, order.price, lots, flags, order.tif, order.stp_mode, order.expire_ns
    )  # fmt: skip
    if not m.matches():
        ended(v, t, Reject.BY_MARKET_STATE)
        return
    reason = check_account(v, m, t)
    if reason:
        v.emit(
            EventKind.CANCELLED, account=p.account, market=m.number, order_id=order.order_id, size_lots=lots,
            side=order.side, reason=Reject.BY_MARGIN, aux=reason,
        )  # fmt: skip
        return
    execute(v, m, t)
