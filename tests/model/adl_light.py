"""ADL lights: at a fixed cadence, in which part of its queue each position stands; the front has the most lights."""

from . import timers
from .adl import SCORES, forget_queue, rank
from .numbers import ceil_div
from .state import Venue
from .wire import BUY, SELL, AdlLight, AdlPolicy, EventKind


def start_light_timer(v: Venue) -> None:
    v.light_next_ns = 0
    if v.started and v.adl_light and v.adl_light_period_ns:
        v.light_next_ns = (v.time_ns // v.adl_light_period_ns + 1) * v.adl_light_period_ns
        v.timer(v.light_next_ns, timers.ADL_LIGHT, None)


def light_due(v: Venue) -> None:
    if v.light_next_ns != v.time_ns:
        return  # the rules have changed since
    lights = {}
    if v.adl_policy in SCORES and v.adl_policy != AdlPolicy.DYDX:
        for m in v.markets:
            for longs in (True, False) if m.mark else ():
                queue = rank(v, m, longs)
                sizes = [abs(p.lots) if v.adl_light == AdlLight.CONTRACTS else 1 for p in queue]
                for place, p in enumerate(queue):
                    front = sum(sizes[: place + 1])
                    lights[p] = v.adl_light_levels + 1 - ceil_div(front * v.adl_light_levels, sum(sizes))
    for p in v.positions:
        light = lights.get(p, 0)
        if light != p.light:
            side = BUY if p.lots >= 0 else SELL
            v.emit(EventKind.ADL_LIGHT, account=p.account, market=p.market.number, side=side, value=light, aux=p.light)
            p.light = light
    forget_queue(v)
    v.light_next_ns = v.time_ns + v.adl_light_period_ns
    v.timer(v.light_next_ns, timers.ADL_LIGHT, None)
