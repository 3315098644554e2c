"""One command at a time: the timers before it, the command, what depends on its group, then the stops that it set off.

At equal times: recorded trades, recorded levels, marks, funding, expiry, liquidation steps, client commands. So rows of
a tape see the timers of earlier times only; client commands see those of their own time too.
"""

from dataclasses import replace

from . import timers
from .accounts import (
    deposit,
    move_margin,
    seed_position,
    set_account,
    set_collateral_price,
    set_leverage,
    set_margin_mode,
    set_position_mode,
    withdraw,
)
from .adl_decision import Work, counterparty, fault_of
from .adl_light import light_due, start_light_timer
from .amend import amend
from .attribution import attribute
from .claims import set_flow
from .deleverage import close_against
from .fund import sample_due, start_fund_timer, unwind_due
from .funding import change_funding, funding_due
from .liquidation import liquidation_due, mark_group_end
from .losses import day_due, start_day_timer
from .markets import set_market_state, set_rule
from .marks import change_mark
from .orders import cancel, cancel_all, expire, place, reject
from .prices import mark_due, premium_due, set_index, set_source, shocked, start_timers
from .recorded import reduce, tape_order, venue_price
from .risk_limits import set_risk_limit
from .shift import impact_due, set_shock, start_impact
from .state import Venue
from .stops import fire_on_prints
from .tape import depth_end, refill_due, start_resilience, tape_level, tape_trade
from .wire import ALL_MARKETS, RATE_ONE, SELL, AdlPolicy, Command, Event, Flag, Kind, MarkMethod, Reject, TapeOrder

WITHOUT_MARKET = {
    Kind.CANCEL_ALL, Kind.DEPOSIT, Kind.WITHDRAW, Kind.TICK, Kind.SET_RULE, Kind.SET_ACCOUNT,
    Kind.SET_COLLATERAL_PRICE, Kind.SET_POSITION_MODE,
}  # fmt: skip
OF_ACCOUNT = {*range(Kind.PLACE, Kind.SEED_POSITION + 1), Kind.SET_ACCOUNT, Kind.SET_RISK_LIMIT}
OF_TAPE = {Kind.TAPE_LEVEL, Kind.TAPE_TRADE, Kind.TAPE_ORDER}
GROUPED = {Kind.TAPE_LEVEL, Kind.SET_MARK, Kind.SET_INDEX, Kind.SET_FUNDING, Kind.SET_COLLATERAL_PRICE, Kind.SET_SOURCE}
MONEY = {Kind.DEPOSIT, Kind.WITHDRAW}


class Twin:
    """`apply(command)` returns the command's events. Parameters are the dicts that the core's Engine takes."""

    def __init__(self, rules: dict, markets: list[dict], accounts_max: int, assets: int = 1) -> None:
        self.venue = Venue(rules, markets, accounts_max, assets)
        self.handlers = {
            Kind.PLACE: place, Kind.CANCEL: cancel, Kind.AMEND: amend, Kind.CANCEL_ALL: cancel_all,
            Kind.SET_LEVERAGE: set_leverage, Kind.SET_MARGIN_MODE: set_margin_mode,
            Kind.SET_POSITION_MODE: set_position_mode, Kind.DEPOSIT: deposit, Kind.WITHDRAW: withdraw,
            Kind.MOVE_MARGIN: move_margin, Kind.SEED_POSITION: seed_position, Kind.SET_ACCOUNT: set_account,
            Kind.SET_RULE: set_rule, Kind.SET_MARKET_STATE: set_market_state, Kind.TAPE_ORDER: order_row,
            Kind.TAPE_LEVEL: level_row, Kind.TAPE_TRADE: trade_row, Kind.SET_MARK: price_row,
            Kind.SET_INDEX: price_row, Kind.SET_SOURCE: price_row, Kind.SET_FUNDING: price_row,
            Kind.SET_SHOCK: shock_row, Kind.SET_RISK_LIMIT: set_risk_limit,
            Kind.SET_COLLATERAL_PRICE: set_collateral_price, Kind.SET_FLOW: set_flow,
            Kind.TICK: lambda v, c: Reject.NONE,
        }  # fmt: skip

    def apply(self, c: Command) -> list[Event]:
        v = self.venue
        v.events = []
        if not answered(v, c, self.handlers):
            if v.adl_policy == AdlPolicy.USER:
                Work(v, lambda: run(v, c, self.handlers))
            else:
                run(v, c, self.handlers)
        return v.events


def answered(v: Venue, c: Command, handlers: dict) -> bool:
    """Commands that find no moment: refused ones, and the parts of an ADL decision, which has a moment already."""
    if c.kind not in handlers and c.kind != Kind.ADL_DECISION:
        reject(v, c, Reject.UNKNOWN_KIND)
    elif c.time_ns and c.time_ns < v.time_ns:
        reject(v, c, Reject.TIME_BACKWARDS)
    elif c.kind == Kind.ADL_DECISION:
        decide(v, c)
    elif v.asked:
        reject(v, c, Reject.DECISION_PENDING)
    else:
        return False
    return True


def decide(v: Venue, c: Command) -> None:
    """One part of a decision is done at once; after the last one, what has asked goes on."""
    if not v.asked:
        reject(v, c, Reject.NO_DECISION_PENDING)
        return
    p, rest = v.asked
    if fault := fault_of(v, p, c):
        reject(v, c, Reject.BAD_DECISION)
        v.events[-1] = v.events[-1]._replace(value=fault)
        return
    if c.size_lots:
        close_against(v, p, counterparty(v, p, c.account), c.size_lots, rest, Reject.NONE)
    if not c.flags & Flag.MORE:
        v.work.go()


def run(v: Venue, c: Command, handlers: dict) -> None:
    time_ns = c.time_ns or v.time_ns
    from_tape = bool(c.flags & Flag.TAPE) or c.kind in OF_TAPE
    due = not from_tape and v.timers and v.timers[0][0] <= time_ns
    if time_ns > v.time_ns or due or c.kind not in GROUPED:
        close_group(v)  # nobody may act inside a group, and no timer fires there
    advance(v, time_ns, inclusive=not from_tape)
    reason = refuse_early(v, c)
    if reason:
        reject(v, c, reason)
    else:
        handlers[c.kind](v, c)
    if c.kind in GROUPED:
        if not c.flags & Flag.MORE:
            close_group(v)
    else:
        fire_all(v)


def refuse_early(v: Venue, c: Command) -> int:
    """What all commands are checked for."""
    if c.kind == Kind.CANCEL_ALL and c.market != ALL_MARKETS and c.market >= len(v.markets):
        return Reject.UNKNOWN_MARKET
    if c.kind not in WITHOUT_MARKET and c.market >= len(v.markets):
        return Reject.UNKNOWN_MARKET
    if c.kind in OF_ACCOUNT:
        if not 0 <= c.account < len(v.accounts):
            return Reject.UNKNOWN_ACCOUNT
        if v.is_house(c.account) and (c.kind not in MONEY or v.clearing_first <= c.account < v.backstop):
            return Reject.HOUSE_ACCOUNT  # a clearing account is nobody's to pay into
        if c.kind in MONEY and c.asset >= v.assets:
            return Reject.UNKNOWN_ASSET
    return Reject.NONE


# ---- groups and timers ---------------------------------------------------------------------------------------------


def fire_all(v: Venue) -> None:
    for m in v.markets:
        fire_on_prints(v, m)


def close_group(v: Venue) -> None:
    """The last command of a group was seen: a depth message is whole, a set of marks is whole."""
    m, v.depth_market = v.depth_market, None
    if m is not None:
        depth_end(v, m)
        fire_on_prints(v, m)
    if v.marked or v.prices_changed:
        mark_group_end(v)
        fire_all(v)


def advance(v: Venue, time_ns: int, inclusive: bool) -> None:
    """Fire the timers due before a time, at it too if `inclusive`; all marks of one instant are one group."""
    if not v.started and time_ns > 0:
        v.started, v.time_ns = True, time_ns
        for m in v.markets:
            start_timers(v, m)
            start_resilience(v, m)
            start_impact(v, m)
        start_fund_timer(v)
        start_day_timer(v)
        start_light_timer(v)
    while v.timers:
        if v.timers[0][0] > time_ns or (v.timers[0][0] == time_ns and not inclusive):
            break
        timer = v.timers.pop(0)
        v.time_ns = max(v.time_ns, timer[0])
        fire_timer(v, timer)
        if v.marked and not any(t[:2] == (v.time_ns, timers.MARK) for t in v.timers):
            close_group(v)
    v.time_ns = max(v.time_ns, time_ns)


def fire_timer(v: Venue, timer: tuple) -> None:
    _, kind, _, target, key = timer
    if kind == timers.MARK:
        mark_due(v, target)
    elif kind == timers.FUNDING:
        funding_due(v, target)
    elif kind == timers.PREMIUM:
        premium_due(v, target)
    elif kind == timers.IMPACT:
        impact_due(v, target)
        fire_all(v)
    elif kind == timers.RESILIENCE:
        refill_due(v, target)
        fire_all(v)
    elif kind == timers.EXPIRY:
        expire(v, target, key)
    elif kind == timers.DAY:
        day_due(v)
    elif kind == timers.ADL_LIGHT:
        light_due(v)
    elif kind == timers.FUND:
        sample_due(v)
    elif kind == timers.LIQUIDATION:
        liquidation_due(v, target)
        fire_all(v)
    else:
        unwind_due(v, target)
        fire_all(v)


# ---- prices and the tape -------------------------------------------------------------------------------------------


def price_row(v: Venue, c: Command) -> int:
    """SET_MARK, SET_INDEX, SET_SOURCE, SET_FUNDING: from a client, or from the tape (then moved by the shock)."""
    m, value = v.markets[c.market], c.value
    if c.kind == Kind.SET_FUNDING:
        if not -RATE_ONE < value < RATE_ONE:
            return reject(v, c, Reject.BAD_VALUE)
        change_funding(v, m, value, c.expire_ns)
        return Reject.NONE
    if c.flags & Flag.TAPE:
        value = shocked(m, value, RATE_ONE if c.kind == Kind.SET_MARK else m.impact_index)
    if c.kind == Kind.SET_SOURCE and not 0 <= c.aux < len(m.constituents):
        return reject(v, c, Reject.UNKNOWN_SOURCE)
    if not (0 if c.kind == Kind.SET_SOURCE else m.mark_min) <= value <= m.price_max * m.tick_value:
        return reject(v, c, Reject.BAD_VALUE)
    if c.kind == Kind.SET_SOURCE:
        set_source(v, m, c.aux, value)
    elif c.kind == Kind.SET_INDEX:
        set_index(v, m, value, bool(c.flags & Flag.TAPE))
    elif not c.flags & Flag.TAPE or m.mark_method == MarkMethod.GIVEN:
        change_mark(v, m, value)
    return Reject.NONE


def check_row(m, c: Command) -> int:
    if c.side > SELL:
        return Reject.BAD_ENUM
    if not 0 <= c.price_ticks <= m.price_max:
        return Reject.BAD_PRICE
    if c.size_lots < 0 or (c.size_lots == 0 and c.kind == Kind.TAPE_TRADE):
        return Reject.BAD_SIZE
    return Reject.NONE


def level_row(v: Venue, c: Command) -> int:
    m = v.markets[c.market]
    reason = check_row(m, c)
    if reason:
        return reject(v, c, reason)
    if v.depth_market is not m:
        if v.depth_market is not None:
            close_group(v)
        v.depth_market = m
    tape_level(v, m, c.side, c.price_ticks, c.size_lots, bool(c.flags & Flag.SNAPSHOT))
    return Reject.NONE


def trade_row(v: Venue, c: Command) -> int:
    m = v.markets[c.market]
    reason = check_row(m, c)
    if reason:
        return reject(v, c, reason)
    lots = c.size_lots
    if m.attribution:
        lots = attribute(v, m, c.side, c.price_ticks + m.shift, lots)
    if lots:
        tape_trade(v, m, c.side, c.price_ticks, lots)
    return Reject.NONE


def order_row(v: Venue, c: Command) -> int:
    """A row of an L3 tape; what is not claimed of an execution any more leaves its order without a trade."""
    m, lots = v.markets[c.market], c.size_lots
    if m.attribution and (trade := execution_of(v, c)):
        lots = attribute(v, m, *trade, lots)
    if lots == c.size_lots:
        return tape_order(v, c)
    if lots:
        tape_order(v, replace(c, size_lots=lots))
    order = v.orders.get((v.world, c.order_id))
    if order is not None:
        reduce(v, m, order, c.size_lots - lots)
    return Reject.NONE


def execution_of(v: Venue, c: Command) -> tuple[int, int] | None:
    """Taker's side and venue price of a row that is a recorded trade and will be taken."""
    m, order = v.markets[c.market], v.orders.get((v.world, c.order_id))
    if c.aux != TapeOrder.EXECUTE or not 0 <= c.price_ticks <= m.price_max or c.size_lots <= 0:
        return None
    price = c.price_ticks + m.shift if c.price_ticks else venue_price(m, order) if order else 0
    if order is None:
        fits = c.price_ticks > 0 and c.side <= SELL and c.size_lots <= m.position_max and price > 0
        return (1 - c.side, price) if fits else None
    return (1 - order.side, price) if order.position.market is m and price > 0 else None


def shock_row(v: Venue, c: Command) -> int:
    if not 0 < c.value <= 100 * RATE_ONE:
        return reject(v, c, Reject.BAD_VALUE)
    set_shock(v, v.markets[c.market], c.value)
    return Reject.NONE
