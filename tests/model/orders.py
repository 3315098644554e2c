"""PLACE, CANCEL and CANCEL_ALL: the checks in the order of their codes, then the book, then the rest comes to rest."""

from dataclasses import dataclass

from .beyond import beyond_within, takes_beyond
from .book import append, best_price, crosses, segments_within
from .contract import exposure_of, inverse, lot_hold, lot_loss
from .initial import beyond_rate
from .margin import available, initial_of, orders_lots, orders_value, premium_of, tier_of, value_of
from .matching import Taker, cancel_order, cancel_orders_of, match
from .numbers import ceil_div
from .state import HEALTHY, Market, Order, Position, Venue, WorldLots
from .timers import EXPIRY
from .wire import (
    ALL_MARKETS,
    BUY,
    CONDITIONAL,
    FLAGS_KEPT,
    FOK,
    GTD,
    IOC,
    MARK,
    RATE_ONE,
    SELL,
    VALUE_ONE,
    Command,
    EventKind,
    Flag,
    Leg,
    MarketState,
    Reject,
    StpMode,
)

RESTING_STATES_ENDED = (MarketState.SETTLING, MarketState.CLOSED)
STANDING_STILL = (MarketState.HALTED, *RESTING_STATES_ENDED)


@dataclass(slots=True)
class Ticket:
    """An order on its way to the book."""

    position: Position
    order_id: int
    side: int
    price: int
    limit: int
    lots: int
    flags: int
    tif: int
    stp_mode: int
    expire_ns: int
    filled: int = 0

    @property
    def market_order(self) -> bool:
        return bool(self.flags & Flag.MARKET)


def reject(v: Venue, c: Command, reason: int) -> int:
    v.emit(
        EventKind.REJECTED, account=c.account, market=c.market, asset=c.asset, order_id=c.order_id, side=c.side,
        price_ticks=c.price_ticks, size_lots=c.size_lots, aux=c.kind, reason=reason,
    )  # fmt: skip
    return reason


def band_limit(m: Market, side: int, rate: int) -> int:
    """Last tick inside mark * rate, or the first outside; a rate of 0, or no mark yet, means no limit."""
    if rate == 0 or m.mark == 0:
        return m.price_max if side == BUY else m.price_min
    last = m.mark * rate // RATE_ONE // m.tick_value, ceil_div(ceil_div(m.mark * rate, RATE_ONE), m.tick_value)
    return min(last[m.band_outward], m.price_max) if side == BUY else max(last[1 - m.band_outward], m.price_min)


def in_liquidation(p: Position) -> bool:
    return p.wallet.stage != HEALTHY or p.stage != HEALTHY


def ticket_of(
    m: Market, position: Position, order_id: int, side: int, price: int, lots: int, flags: int, tif: int,
    stp_mode: int, expire_ns: int,
) -> Ticket:  # fmt: skip
    limit = price
    if flags & Flag.MARKET:
        price, limit = 0, m.price_max if side == BUY else m.price_min
        if m.market_bound:
            limit = band_limit(m, side, RATE_ONE + (m.market_bound if side == BUY else -m.market_bound))
    kept = flags & FLAGS_KEPT & ~CONDITIONAL
    if position.position_side == (Leg.LONG if side == SELL else Leg.SHORT):
        kept |= Flag.REDUCE_ONLY
    return Ticket(position, order_id, side, price, limit, lots, kept, tif, stp_mode, expire_ns)


# ---- checks --------------------------------------------------------------------------------------------------------


def check_shape(v: Venue, m: Market, c: Command) -> int:
    """What can be refused without looking at the account."""
    condition = c.flags & CONDITIONAL
    closes = bool(c.flags & Flag.CLOSE_POSITION)
    at_once = c.flags & Flag.MARKET or c.tif in (IOC, FOK)
    if m.state in STANDING_STILL or (at_once and not m.matches()):
        return Reject.MARKET_STATE
    if c.side > SELL or c.tif > GTD or c.stp_mode > StpMode.EXPIRE_BOTH or c.trigger_source > MARK:
        return Reject.BAD_ENUM
    reason = refused_leg(v, m, c)
    if reason:
        return reason
    if c.order_id < 0:
        return Reject.BAD_ORDER_ID
    if (c.account, c.order_id) in v.orders:
        return Reject.DUPLICATE_ORDER_ID
    if c.size_lots != 0 if closes else not 0 < c.size_lots <= m.size_max:
        return Reject.BAD_SIZE
    if not c.flags & Flag.MARKET and not m.price_min <= c.price_ticks <= m.price_max:
        return Reject.BAD_PRICE
    if c.flags & Flag.POST_ONLY and at_once:
        return Reject.BAD_FLAGS
    if condition.bit_count() > 1 or (c.position_side and c.flags & Flag.REDUCE_ONLY):
        return Reject.BAD_FLAGS
    if closes and not (condition in (Flag.STOP, Flag.TAKE_PROFIT) and c.flags & Flag.MARKET):
        return Reject.BAD_FLAGS
    if c.tif == GTD and c.expire_ns <= v.time_ns:
        return Reject.BAD_EXPIRY
    return Reject.NONE


def refused_leg(v: Venue, m: Market, c: Command) -> int:
    if not v.hedged(c.account, m):
        return Reject.ONE_WAY_ONLY if c.position_side else Reject.NONE
    return Reject.HEDGE_ONLY if not c.position_side else Reject.BAD_ENUM if c.position_side > 2 else Reject.NONE


def margin_price(m: Market, t: Ticket) -> int:
    """Price at which the order's value counts: a sell may fill above its limit."""
    bid, ask = best_price(m, BUY), best_price(m, SELL)
    if inverse(m):  # the lower the price, the larger the value: a buy may fill below its limit
        if t.market_order and t.side == SELL:
            return t.limit if bid is None else max(bid, t.limit)
        price = m.mark // m.tick_value if t.market_order else t.price
        return price if t.side == SELL or ask is None else min(ask, price)
    if not t.market_order:
        return max(t.price, bid) if t.side == SELL and bid is not None else t.price
    if t.side == BUY:
        return t.limit if ask is None else min(ask, t.limit)
    return max(bid or 0, m.mark // m.tick_value, 1)


def check_account(v: Venue, m: Market, t: Ticket) -> int:
    """All that depends on the account and the book. Cuts a reduce-only ticket to what may still be reduced."""
    p = t.position
    if m.mark == 0:
        return Reject.NO_MARK
    if not t.market_order:
        band = band_limit(m, t.side, m.band_up if t.side == BUY else m.band_down)
        if t.price > band if t.side == BUY else t.price < band:
            return Reject.PRICE_BAND
    if not t.flags & Flag.REDUCE_ONLY and lot_hold(m, margin_price(m, t)) * t.lots < m.min_notional:
        return Reject.MIN_NOTIONAL
    if len(p.resting()) >= m.max_orders:
        return Reject.MAX_ORDERS
    if t.flags & Flag.REDUCE_ONLY or m.state == MarketState.REDUCE_ONLY:
        room = abs(p.lots) - sum(o.lots for o in p.resting() if o.reduce_only)
        if p.lots == 0 or (p.lots > 0) == (t.side == BUY) or room <= 0:
            return Reject.REDUCE_ONLY
        t.flags |= Flag.REDUCE_ONLY
        t.lots = min(t.lots, room)
    if m.matches():
        shown = crosses(t.side, t.limit, best_price(m, 1 - t.side))
        if t.flags & Flag.POST_ONLY and (shown or takes_beyond(m, t.side, t.limit)):
            return Reject.WOULD_TAKE
        if t.tif == FOK and not fillable(v, m, t):
            return Reject.NOT_FILLABLE
    return check_margin(v, m, t)


def fillable(v: Venue, m: Market, t: Ticket) -> bool:
    """Whether the book has all of a fill-or-kill order for it.

    Reduce-only orders are not counted: other fills of the same sweep may cut them. Own orders that self-trade
    prevention removes are not counted; one that would end the taker ends the count.
    """
    found, limit = 0, t.limit
    for price, segment in segments_within(m, t.side, t.limit):
        if isinstance(segment, WorldLots):
            found += segment.lots
        elif t.stp_mode != StpMode.NONE and v.group_of(segment.account) == v.group_of(t.position.account):
            if t.stp_mode != StpMode.EXPIRE_MAKER:
                limit = price - 1 if t.side == BUY else price + 1
                break
        elif not segment.reduce_only:
            found += segment.lots
    return found + beyond_within(m, t.side, limit, t.lots) >= t.lots


def check_margin(v: Venue, m: Market, t: Ticket) -> int:
    """Position and leverage caps by tier, then available margin. What can only reduce passes."""
    p = t.position
    signed = p.lots if t.side == BUY else -p.lots
    if signed + orders_lots(p, t.side) + t.lots > m.position_max:
        return Reject.POSITION_CAP
    if t.flags & Flag.REDUCE_ONLY:
        return Reject.NONE
    if m.oi_ladder and signed + orders_lots(p, t.side) + t.lots > interest_limit(v, m):
        return Reject.OI_LIMIT
    price = margin_price(m, t)
    order_value = lot_hold(m, price) * t.lots
    bid, ask = (order_value, 0) if t.side == BUY else (0, order_value)
    value = value_of(p)
    held = exposure_of(m, value)
    standing = orders_value(p, t.side)
    exposure = abs(held + standing + order_value) if t.side == BUY else abs(held - standing - order_value)
    if exposure > abs(value):
        if exposure > m.tiers[-1].cap:
            return Reject.POSITION_CAP
        if p.risk_limit and exposure > m.tiers[p.risk_limit - 1].cap:
            return Reject.RISK_LIMIT
        if not p.risk_limit and p.leverage > tier_of(m, exposure).leverage_max:
            return Reject.LEVERAGE_CAP
        if beyond_rate(p, exposure, p.leverage):
            return Reject.LEVERAGE_CAP
    elif abs(value) >= order_value:
        return Reject.NONE
    loss_price = t.price
    if t.market_order:
        touch = best_price(m, 1 - t.side)
        worst = min if t.side == BUY else max
        loss_price = t.limit if touch is None else worst(touch, t.limit)
    loss = lot_loss(m, t.side, loss_price, premium_of(m, t.side, loss_price)) * t.lots
    cost = initial_of(p, bid, ask) - initial_of(p) + loss
    if available(p.wallet, gains=True) < cost:
        return Reject.INSUFFICIENT_MARGIN
    return Reject.NONE


def open_interest(v: Venue, m: Market) -> int:
    lots = [p.lots for p in m.positions if not v.is_house(p.account) or p.account == v.backstop]
    return max(sum(q for q in lots if q > 0), -sum(q for q in lots if q < 0))


def interest_limit(v: Venue, m: Market) -> int:
    """What one position may be of the open interest, band after band."""
    left, total = open_interest(v, m), 0
    for band, rate in m.oi_ladder:
        size = band * m.lot_denominator // (m.lot_numerator * VALUE_ONE)
        total += min(left, size) * rate // RATE_ONE
        left = max(0, left - size)
    return max(total, m.oi_floor_lots)


# ---- from the command to the book ----------------------------------------------------------------------------------


def place(v: Venue, c: Command) -> int:
    from .stops import wait

    m = v.markets[c.market]
    reason = check_shape(v, m, c)
    if reason:
        return reject(v, c, reason)
    p = v.position(c.account, m, c.position_side)
    if in_liquidation(p):
        return reject(v, c, Reject.IN_LIQUIDATION)
    if c.flags & CONDITIONAL:
        return wait(v, m, c, p)
    t = ticket_of(m, p, c.order_id, c.side, c.price_ticks, c.size_lots, c.flags, c.tif, c.stp_mode, c.expire_ns)
    reason = check_account(v, m, t)
    if reason:
        return reject(v, c, reason)
    accepted(v, c, t.lots)
    execute(v, m, t)
    return Reject.NONE


def accepted(v: Venue, c: Command, lots: int) -> None:
    v.emit(
        EventKind.ACCEPTED, account=c.account, market=c.market, order_id=c.order_id, side=c.side,
        price_ticks=c.price_ticks, size_lots=lots, value=c.trigger_ticks, aux=c.flags,
    )  # fmt: skip


def execute(v: Venue, m: Market, t: Ticket) -> None:
    taker = Taker(t.position, t.order_id, t.side, t.limit, t.lots, t.stp_mode)
    if m.matches():
        match(v, taker)
        t.filled += t.lots - taker.lots
        t.lots = taker.lots
    if t.lots == 0:
        return
    if taker.expired:
        ended(v, t, Reject.BY_SELF_TRADE)
    elif t.market_order:
        ended(v, t, Reject.BY_IOC if t.limit in (m.price_min, m.price_max) else Reject.BY_BAND)
    elif t.tif in (IOC, FOK):
        ended(v, t, Reject.BY_IOC if t.tif == IOC else Reject.BY_FOK)
    else:
        rest(v, m, t)


def ended(v: Venue, t: Ticket, reason: int) -> None:
    """What is left of an order that never came to rest."""
    v.emit(
        EventKind.CANCELLED, account=t.position.account, market=t.position.market.number, order_id=t.order_id,
        size_lots=t.lots, price_ticks=t.price, side=t.side, reason=reason,
    )  # fmt: skip


def rest(v: Venue, m: Market, t: Ticket) -> Order:
    expire_ns = t.expire_ns if t.tif == GTD else 0
    order = Order(
        t.position, t.order_id, t.side, t.price, t.lots, t.filled, t.flags, t.tif, t.stp_mode, expire_ns,
        premium_of(m, t.side, t.price),
    )  # fmt: skip
    enlist(v, order)
    append(m, order.side, order.price, order)
    if expire_ns:
        v.timer(expire_ns, EXPIRY, order.account, order.order_id)
    return order


def enlist(v: Venue, order: Order) -> None:
    order.position.orders.append(order)
    v.orders[order.account, order.order_id] = order


def expire(v: Venue, account: int, order_id: int) -> None:
    order = v.orders.get((account, order_id))
    if order and order.expire_ns and order.expire_ns <= v.time_ns:
        cancel_order(v, order, Reject.BY_EXPIRED)


def cancel(v: Venue, c: Command) -> int:
    order = v.orders.get((c.account, c.order_id))
    if v.markets[c.market].state in RESTING_STATES_ENDED:
        return reject(v, c, Reject.MARKET_STATE)
    if order is None or order.position.market.number != c.market:
        return reject(v, c, Reject.UNKNOWN_ORDER)
    cancel_order(v, order, Reject.BY_USER)
    return Reject.NONE


def cancel_all(v: Venue, c: Command) -> int:
    """All orders of an account in one market or in all: by position, the newest first, in each the oldest first."""
    for wallet in v.wallets[c.account]:
        for p in wallet.newest_first():
            if c.market in (ALL_MARKETS, p.market.number):
                cancel_orders_of(v, p, Reject.BY_USER)
    return Reject.NONE
