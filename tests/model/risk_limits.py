"""Risk limits that accounts choose: one tier for the whole of a position, whatever its size."""

from .contract import exposure_of
from .margin import Unit, orders_value, tier_of, value_of
from .orders import in_liquidation, reject
from .state import Position, Venue
from .wire import BUY, CROSS, SELL, Command, EventKind, Reject, TierMethod


def largest(p: Position) -> int:
    """What the position's notional can become if its orders fill."""
    held = exposure_of(p.market, value_of(p))
    return max(abs(held), abs(held + orders_value(p, BUY)), abs(held - orders_value(p, SELL)))


def report(v: Venue, p: Position, before: int, reason: int) -> None:
    m = p.market
    v.emit(
        EventKind.RISK_LIMIT, account=p.account, market=m.number, asset=m.asset, value=p.risk_limit, aux=before,
        reason=reason,
    )  # fmt: skip


def refused(p: Position, number: int) -> int:
    tier = p.market.tiers[number - 1] if number else tier_of(p.market, abs(value_of(p)))
    if in_liquidation(p):
        return Reject.IN_LIQUIDATION
    if (number or p.lots or p.resting()) and p.leverage > tier.leverage_max:
        return Reject.LEVERAGE_CAP
    return Reject.RISK_LIMIT if number and largest(p) > tier.cap else Reject.NONE


def unit_of(p: Position) -> Unit:
    if p.mode != CROSS:
        return Unit(p.wallet, p)
    return Unit(p.wallet.pool.wallets[0] if p.wallet.pool else p.wallet)


def set_risk_limit(v: Venue, c: Command) -> int:
    m = v.markets[c.market]
    if not m.risk_limits or m.tier_method == TierMethod.LINEAR or not 0 <= c.value <= len(m.tiers):
        return reject(v, c, Reject.BAD_VALUE)
    legs = v.legs(c.account, m)
    for p in legs:
        reason = refused(p, c.value)
        if reason:
            return reject(v, c, reason)
    limits, needed = [p.risk_limit for p in legs], [unit_of(p).maintenance() for p in legs]
    for p in legs:
        p.risk_limit = c.value
    units = zip(map(unit_of, legs), needed, strict=True)
    if any(unit.health() < 0 and unit.maintenance() > before for unit, before in units):
        for p, limit in zip(legs, limits, strict=True):
            p.risk_limit = limit
        return reject(v, c, Reject.INSUFFICIENT_MARGIN)
    report(v, legs[0], limits[0], Reject.NONE)
    return Reject.NONE


def lower_limits(v: Venue, unit: Unit, *, with_orders: bool) -> bool:
    """As far as the positions fit, with their orders or without; whether any limit was lowered."""
    lowered = False
    for p in reversed(unit.positions()):
        tiers, before = p.market.tiers, p.risk_limit
        lowest = tiers.index(tier_of(p.market, largest(p) if with_orders else abs(value_of(p)))) + 1
        if p.market.lower_limit_first and lowest < before:
            p.risk_limit = lowest
            report(v, p, before, Reject.BY_LIQUIDATION)
            lowered = True
    return lowered
