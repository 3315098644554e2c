"""The shift of recorded prices: by a shock, by what simulated flow leaves."""

import math

from .book import append, on_grid, remove_order
from .recorded import recorded_crossed
from .state import ASIDE, RESTING, Market, Order, Venue, WorldLots
from .tape import best_world, trade_crossed
from .timers import IMPACT
from .wire import BUY, RATE_ONE, SELL, EventKind


def set_shock(v: Venue, m: Market, factor: int) -> None:
    m.shock = factor
    moved(v, m, EventKind.SHOCK, factor)


def moved(v: Venue, m: Market, kind: int, by: int) -> None:
    move_recorded(m)
    v.emit(kind, market=m.number, value=by, aux=m.shift)
    trade_crossed(v, m)
    if m.matches():
        recorded_crossed(v, m)


def start_impact(v: Venue, m: Market) -> None:
    if m.impact_kernel:
        v.timer((v.time_ns // m.impact_step_ns + 1) * m.impact_step_ns, IMPACT, m)


def signed_root(flow: int) -> int:
    """Ten binary places."""
    root = math.isqrt(min(abs(flow), 1 << 41) << 20)
    return root if flow > 0 else -root


def impact_due(v: Venue, m: Market) -> None:
    """One step: S = factor * (sum of G(age) * f(flow) + permanent * f(net flow)), f(q) = sign * sqrt(|q|)."""
    before = m.impact
    if m.flow or any(m.flows[-len(m.impact_kernel) :]):
        m.flows.append(m.flow)
        m.flow = 0
        total = m.impact_permanent * signed_root(sum(m.flows))
        for share, flow in zip(m.impact_kernel, reversed(m.flows), strict=False):
            total += share * signed_root(flow)
        size = abs(total) // RATE_ONE * m.impact_factor // (1_000 << 10)
        m.impact = min(size, RATE_ONE // 2) * (1 if total > 0 else -1)
    if m.impact != before:
        moved(v, m, EventKind.IMPACT, m.impact)
    start_impact(v, m)


def best_recorded(m: Market, side: int) -> int | None:
    """Best price at which something recorded stands, as recorded: a level or a single order."""
    prices = [best_world(m, side)]
    prices += [o.price - m.shift for o in m.world_position.orders if o.side == side and o.state == RESTING]
    prices = [price for price in prices if price is not None]
    return (max(prices) if side == BUY else min(prices)) if prices else None


def move_recorded(m: Market) -> None:
    """What is recorded to where the recorded mid stands at its factor times itself, in whole ticks, half a tick up.

    Account orders stay where they are, in order; recorded lots join behind them at their new price, then single
    recorded orders, in order of arrival.
    """
    factor = m.shock * (RATE_ONE + m.impact) // RATE_ONE
    bid, ask = best_recorded(m, BUY), best_recorded(m, SELL)
    twice = bid + ask if bid is not None and ask is not None else 2 * (m.last - m.shift) if m.last else 0
    shift = (twice * (factor - RATE_ONE) // RATE_ONE + 1) // 2
    if shift == m.shift:
        return
    for order in m.world_position.orders:
        if order.state == RESTING:
            remove_order(m, order)
            order.price -= m.shift
            order.state = ASIDE
    m.shift = shift
    for side, b in m.sides.items():
        for price, queue in list(b.queues.items()):
            b.queues[price] = [segment for segment in queue if isinstance(segment, Order)]
            if not b.queues[price]:
                del b.queues[price]
        for price, level in b.world.items():
            if level.available and on_grid(m, price):
                append(m, side, price + shift, WorldLots(level.available))
    for order in m.world_position.orders:
        if on_grid(m, order.price):
            order.price += shift
            order.state = RESTING
            append(m, order.side, order.price, order)
