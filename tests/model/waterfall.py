"""What is left of a unit that the book could not save: takeover, ADL, cover of the shortfall.

Each position leaves with its share of the unit's equity, at the value where that share is used up (the bankruptcy
price), so the unit ends with exactly nothing.
"""

from .conversion import convert_all, settle_remainders
from .deleverage import Remainder, deleverage
from .fund import fund_capacity, fund_equity, hand_over, move_to_fund
from .ledger import transfer
from .losses import pay, share_loss, unit_event
from .margin import Unit, maintenance_of, pnl_of
from .state import Market, Position, Venue
from .wire import (
    CrossOrder,
    EventKind,
    Takeover,
)


def first_position(v: Venue, unit: Unit) -> Position | None:
    """Who goes first by the rulebook; equal keys by market, then the long leg."""

    def key(p: Position) -> tuple[int, int, int]:
        weight = -pnl_of(p) if v.cross_order == CrossOrder.LARGEST_LOSS else maintenance_of(p)
        if unit.pool:
            weight = unit.pool.assets[p.market.asset].worth(weight)
        return -weight, p.market.number, p.position_side

    return min((p for p in unit.positions() if p.lots and not p.seen), key=key, default=None)


def share_of(unit: Unit, p: Position) -> int:
    """A position's share of the unit's equity; floored, so the last one takes the remainder."""
    total = unit.maintenance()
    if unit.position is not None:
        return unit.equity()
    if total <= 0:
        return unit.in_asset_of(p.market, unit.net())
    return unit.net() * maintenance_of(p) // total


def take_over(v: Venue, unit: Unit) -> None:
    if unit.pool:
        convert_all(v, unit.pool)
    solvent = unit.net() >= 0
    while (p := first_position(v, unit)) is not None:
        share = share_of(unit, p)
        if p.lots > 0:
            p.market.liquidated_longs += p.lots
        else:
            p.market.liquidated_shorts -= p.lots
        if v.takeover == Takeover.NETWORK:
            absorb_at_mark(v, unit, p, share)
        elif v.takeover == Takeover.BACKSTOP and solvent:
            hand_over(v, p, abs(p.lots), Remainder(p, share), v.position(v.backstop, p.market))
        else:
            absorb(v, unit, p, share)
    if unit.pool:
        settle_remainders(v, unit.pool)
    if unit.position is None and unit.wallet.balance < 0:  # nothing but a debt: the asset's first fund
        for m in v.markets:
            if m.asset == unit.wallet.asset:
                cover_shortfall(v, m, unit, -unit.wallet.balance)
                return
        pay(v, EventKind.VENUE_DEFICIT, v.wallet(v.deficit, unit.wallet.asset), unit, -unit.wallet.balance)


def absorb_at_mark(v: Venue, unit: Unit, p: Position, share: int) -> None:
    """The fund buys at the mark; what the position leaves goes to it as money."""
    m = p.market
    move_to_fund(v, p, abs(p.lots), Remainder(p, 0))
    if share < 0:
        cover_shortfall(v, m, Unit(p.wallet), -share)
    elif share:
        p.wallet.fees += share
        transfer(p.wallet, v.fund(m), share)
        m.fund_result += share
        unit_event(v, EventKind.LIQUIDATION_FEE, Unit(p.wallet), p, value=share, maker_account=v.fund(m).account)


def check_backstop(v: Venue) -> None:
    """The vault below zero is deleveraged at bankruptcy value, as far as there are counterparties."""
    for wallet in v.wallets[v.backstop]:
        unit = Unit(wallet)
        for p in wallet.positions:
            p.seen = False
        while unit.equity() < 0 and (p := first_position(v, unit)) is not None:
            deleverage(v, p, Remainder(p, share_of(unit, p)))
            p.seen = True


def absorb(v: Venue, unit: Unit, p: Position, share: int) -> None:
    m = p.market
    rest = Remainder(p, share)
    if v.takeover in (Takeover.FUND, Takeover.NONE) and (fits := fund_capacity(v, m, p.lots, rest.value, share)):
        move_to_fund(v, p, fits, rest)
    if p.lots:
        deleverage(v, p, rest)
    if p.lots:
        if rest.share < 0:
            cover_shortfall(v, m, Unit(p.wallet, unit.position), -rest.share)
            rest.share = 0
        move_to_fund(v, p, abs(p.lots), rest)


def fund_means(v: Venue, m: Market) -> int:
    """Money that the fund may give: not what it needs for losses that it carries."""
    return max(min(v.fund(m).balance, fund_equity(v, m)), 0)


def cover_shortfall(v: Venue, m: Market, unit: Unit, amount: int) -> None:
    """The fund's money first, then the winners' where the rulebook socialises, then the venue's deficit."""
    part = min(amount, fund_means(v, m))
    if part:
        pay(v, EventKind.FUND_COVER, v.fund(m), unit, part)
        m.fund_result -= part
        amount -= part
    if amount and v.cover_from_fees:
        treasury = v.wallet(v.treasury, m.asset)
        part = min(amount, max(0, treasury.balance))
        if part:
            pay(v, EventKind.FUND_COVER, treasury, unit, part)
            amount -= part
    if amount and v.withdraw_gate_ns:
        close_gate(v, m.asset)
    if amount and v.socialise:
        amount = share_loss(v, m, unit, amount)
    if amount:
        pay(v, EventKind.VENUE_DEFICIT, v.wallet(v.deficit, m.asset), unit, amount)


def close_gate(v: Venue, asset: int) -> None:
    """A debt that no fund covers: nobody withdraws for a time."""
    until = v.time_ns + v.withdraw_gate_ns
    if until > v.gates[asset]:
        v.gates[asset] = until
        v.emit(EventKind.WITHDRAW_GATE, asset=asset, value=until)
