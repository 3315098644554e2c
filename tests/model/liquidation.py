"""Who is under maintenance, found by looking at everybody, and how the book is tried before the waterfall.

found -> (delay) -> cancel orders -> reduce in the book, a step a period -> take over what is left
"""

from .accrual import settle
from .adl import forget_queue
from .claims import claimant, end_claim
from .conversion import convert_debts
from .fund import unwind
from .ledger import change_position
from .margin import Unit, units_of, value_at
from .matching import cancel_orders_of
from .numbers import ceil_div
from .oracles import refresh
from .reduction import WAITS, reduce_once, shortage, throttled
from .risk_limits import lower_limits
from .state import DELAYED, HEALTHY, REDUCING, Position, Venue
from .stops import fire_on_mark
from .timers import LIQUIDATION
from .waterfall import check_backstop, take_over, unit_event
from .wire import (
    CROSS,
    RATE_ONE,
    EventKind,
    FundUnwind,
    Leg,
    ReduceMethod,
    Reject,
    Takeover,
)

PATIENCE = 1_000_000_000  # of a forced order that waits, where no period is stated


def find(v: Venue) -> list[Unit]:
    """Every unit under maintenance that is not being dealt with: worst health for its maintenance first."""
    units = [unit for wallets in v.wallets[: v.accounts_max] for w in wallets for unit in units_of(w)]
    found = [
        unit for unit in units
        if unit.owner.stage == HEALTHY and (unit.health() < 0 or (unit.pool and unit.pool.conversion_due()))
    ]  # fmt: skip

    def order(unit: Unit) -> tuple:
        number = -1 if unit.position is None else unit.position.number
        return Ratio(unit.health(), max(unit.maintenance(), 1)), unit.wallet.account, unit.wallet.asset, number

    return sorted(found, key=order)


class Ratio:
    """a / b for b > 0, compared by cross-multiplying."""

    def __init__(self, a: int, b: int) -> None:
        self.a, self.b = a, b

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ratio) and self.a * other.b == other.a * self.b

    def __lt__(self, other: "Ratio") -> bool:
        return self.a * other.b < other.a * self.b


def mark_group_end(v: Venue) -> None:
    """After the last mark of an instant: stops on the mark, then liquidations in passes until nobody is left."""
    forget_queue(v)
    for m in v.marked:
        fire_on_mark(v, m)
    v.marked.clear()
    refresh(v)
    work_off(v)
    check_backstop(v)


def work_off(v: Venue) -> None:
    while found := find(v):
        for unit in found:
            start(v, unit)
        if v.fund_unwind == FundUnwind.AT_ONCE:
            for m in v.markets:
                unwind(v, m, RATE_ONE)
        refresh(v)


# ---- the steps of one unit -----------------------------------------------------------------------------------------


def start(v: Venue, unit: Unit) -> None:
    """A found unit's turn: others may have restored it meanwhile."""
    if unit.owner.stage != HEALTHY:
        return
    if unit.health() >= 0:
        if unit.pool and (due := unit.pool.conversion_due()):
            convert_debts(v, unit.pool, due == "everything")
        return
    v.liquidations += 1
    unit.wallet.liquidations += 1
    unit_event(v, EventKind.LIQUIDATION_STARTED, unit, unit.position, value=unit.equity(), aux=unit.maintenance())
    if v.liquidation_delay_ns:
        unit.set_stage(DELAYED)
        schedule(v, unit, v.liquidation_delay_ns)
    else:
        begin(v, unit)


def schedule(v: Venue, unit: Unit, delay_ns: int) -> None:
    unit.owner.due_ns = v.time_ns + delay_ns
    v.timer(unit.owner.due_ns, LIQUIDATION, unit)


def begin(v: Venue, unit: Unit) -> None:
    unit.set_stage(REDUCING)
    settle_unit(v, unit)
    if v.reduce_method == ReduceMethod.CURE:
        unit.wallet.work_ns, unit.wallet.work = v.time_ns, 0
    if lower_limits(v, unit, with_orders=True) and shortage(v, unit) <= 0:
        finish(v, unit)
        return
    for p in reversed(unit.positions()):
        cancel_orders_of(v, p, Reject.BY_LIQUIDATION)
    if v.net_hedges and unit.position is None:
        net_legs(v, unit)
    if unit.pool:
        convert_debts(v, unit.pool, everything=True)
    lower_limits(v, unit, with_orders=False)
    step(v, unit)


def settle_unit(v: Venue, unit: Unit) -> None:
    """Funding that has accrued is paid before anything is sold."""
    for p in reversed(unit.positions()):
        if p.lots:
            settle(v, p)


def net_legs(v: Venue, unit: Unit) -> None:
    """Cross legs of one market are closed against each other at the mark, the newest long leg first."""
    for p in reversed(unit.positions()):
        if p.position_side != Leg.LONG or not p.lots:
            continue
        other = v.find_position(p.account, p.market, Leg.SHORT)
        if other is None or other.mode != CROSS or not other.lots:
            continue
        m, lots = p.market, min(p.lots, -other.lots)
        value = value_at(m, lots, m.mark)
        change_position(v, p, -lots, -value)
        change_position(v, other, lots, value)
        v.emit(
            EventKind.LEGS_NETTED, account=p.account, market=m.number, asset=m.asset, size_lots=lots, value=value
        )


def liquidation_due(v: Venue, unit: Unit) -> None:
    """A liquidation timer; only the one that was set last counts."""
    stage = unit.owner.stage
    if stage == HEALTHY or unit.owner.due_ns != v.time_ns:
        return
    forget_queue(v)
    if stage == REDUCING and (p := claimant(unit)):
        look_at_claim(v, unit, p)
    elif (unit.health() >= 0) if stage == DELAYED else (shortage(v, unit) <= 0):
        finish(v, unit)
    elif stage == DELAYED:
        begin(v, unit)
    else:
        settle_unit(v, unit)
        step(v, unit)
    refresh(v)
    work_off(v)


def look_at_claim(v: Venue, unit: Unit, p: Position) -> None:
    """A forced order that has waited is filled, or its time is over; with equity left the unit claims on."""
    sent = p.claim.sent
    filled = end_claim(v, p, Reject.BY_FOK if v.reduce_method == ReduceMethod.TIER_FOK else Reject.BY_IOC)
    settle_unit(v, unit)
    lower_limits(v, unit, with_orders=False)
    if shortage(v, unit) <= 0:
        finish(v, unit)
        return
    if not filled and unit.equity() >= 0 and not below_backstop(v, unit):
        p.seen = True
    else:
        forget_seen(unit)
        if not filled and not (v.liquidation_period_ns and keeps_trying(v, unit)):
            p.market.lapsed += sent
        if not filled or (v.liquidation_period_ns and below_backstop(v, unit)):
            give_up(v, unit)
            return
    work(v, unit, again=True)


def finish(v: Venue, unit: Unit) -> None:
    forget_seen(unit)
    unit_event(v, EventKind.LIQUIDATION_ENDED, unit, unit.position, value=unit.equity())
    unit.set_stage(HEALTHY)


def step(v: Venue, unit: Unit) -> None:
    """Reduce in the book as the rulebook says; when that ends without success, the rest is taken over."""
    forget_seen(unit)
    work(v, unit, again=False)


def work(v: Venue, unit: Unit, again: bool) -> None:
    """The orders of a step. `again`: the positions have a second turn."""
    period = v.liquidation_period_ns
    while shortage(v, unit) > 0:
        got = reduce_once(v, unit)
        if got == WAITS:
            schedule(v, unit, period or PATIENCE)
            return
        lower_limits(v, unit, with_orders=False)
        if not got:
            if not again:
                break
            again = False
            forget_seen(unit)
        elif period and shortage(v, unit) > 0:
            if below_backstop(v, unit):
                break
            schedule(v, unit, period)
            return
    give_up(v, unit)


def give_up(v: Venue, unit: Unit) -> None:
    """The book can do no more now."""
    forget_seen(unit)
    if v.liquidation_period_ns and keeps_trying(v, unit):
        schedule(v, unit, v.liquidation_period_ns)
        return
    if unit.health() < 0:
        take_over(v, unit)
    finish(v, unit)


def below_backstop(v: Venue, unit: Unit) -> bool:
    """The vault takes over whatever the book could still do."""
    if v.takeover != Takeover.BACKSTOP:
        return False
    return unit.equity() < max(0, ceil_div(unit.maintenance() * v.backstop_at, RATE_ONE))


def keeps_trying(v: Venue, unit: Unit) -> bool:
    """Not saved, and not taken over yet: another round."""
    if shortage(v, unit) <= 0 or not any(p.lots for p in unit.positions()):
        return False
    if v.takeover == Takeover.NONE or throttled(v, unit) or unit.health() >= 0:
        return True
    if v.takeover == Takeover.ADL:
        return unit.equity() >= 0
    return v.takeover == Takeover.BACKSTOP and not below_backstop(v, unit)


def forget_seen(unit: Unit) -> None:
    for p in unit.positions():
        p.seen = False


