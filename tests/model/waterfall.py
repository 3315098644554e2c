"""What is left of a unit that the book could not save: takeover, ADL, cover of the shortfall.

Each position leaves with its share of the unit's equity, at the value where that share is used up (the bankruptcy
price), so the unit ends with exactly nothing.
"""

from .deleverage import Remainder, deleverage
from .ledger import change_position, transfer
from .margin import Unit, cross_equity, maintenance_of, pnl_of, value_of
from .numbers import ceil_div, trunc_div
from .state import Market, Position, Venue, Wallet
from .timers import UNWIND
from .wire import (
    ALL_MARKETS,
    BUY,
    ISOLATED,
    RATE_ONE,
    SELL,
    CrossOrder,
    EventKind,
    FundUnwind,
    Socialise,
    Takeover,
)


def unit_event(v: Venue, kind: int, unit: Unit, p: Position | None, **fields: int) -> None:
    market = ALL_MARKETS if p is None else p.market.number
    v.emit(kind, account=unit.wallet.account, asset=unit.wallet.asset, market=market, **fields)


def first_position(v: Venue, unit: Unit) -> Position | None:
    """Who goes first by the rulebook; equal keys by market."""

    def key(p: Position) -> tuple[int, int]:
        weight = -pnl_of(p) if v.cross_order == CrossOrder.LARGEST_LOSS else maintenance_of(p)
        return -weight, p.market.number

    return min((p for p in unit.positions() if p.lots and not p.seen), key=key, default=None)


def share_of(unit: Unit, p: Position) -> int:
    """A position's share of the unit's equity; floored, so the last one takes the remainder."""
    total = unit.maintenance()
    if unit.position is not None or total <= 0:
        return unit.equity()
    return unit.equity() * maintenance_of(p) // total


def take_over(v: Venue, unit: Unit) -> None:
    solvent = unit.equity() >= 0
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
    if unit.position is None and unit.wallet.balance < 0:  # nothing but a debt: the asset's first fund
        for m in v.markets:
            if m.asset == unit.wallet.asset:
                cover_shortfall(v, m, unit, -unit.wallet.balance)
                return


def absorb_at_mark(v: Venue, unit: Unit, p: Position, share: int) -> None:
    """The fund buys at the mark; what the position leaves goes to it as money."""
    m = p.market
    move_to_fund(v, p, abs(p.lots), Remainder(p, 0))
    if share < 0:
        cover_shortfall(v, m, Unit(unit.wallet), -share)
    elif share:
        unit.wallet.fees += share
        transfer(unit.wallet, v.fund(m), share)
        unit_event(v, EventKind.LIQUIDATION_FEE, unit, p, value=share, maker_account=v.fund(m).account)


def check_backstop(v: Venue) -> None:
    """The vault below zero is deleveraged at bankruptcy value, as far as there are counterparties."""
    for wallet in v.wallets[v.backstop]:
        unit = Unit(wallet)
        for p in wallet.positions:
            p.seen = False
        while unit.equity() < 0 and (p := first_position(v, unit)) is not None:
            deleverage(v, p, Remainder(p, share_of(unit, p)))
            p.seen = True


def fund_equity(v: Venue, m: Market) -> int:
    return cross_equity(v.fund(m))


def fund_capacity(v: Venue, m: Market, lots: int, value: int, share: int) -> int:
    """How many lots the fund may take: it must bear the loss, and stay within a multiple of its equity in notional."""
    equity = fund_equity(v, m)
    net = sum(value_of(p) for p in v.fund(m).positions if p.lots)
    size = fits = abs(lots)
    if share < 0:
        if equity <= 0:
            return 0
        if -share > equity:
            fits = size * equity // -share
    if v.fund_notional_cap:
        room = max(equity, 0) * v.fund_notional_cap // RATE_ONE
        room += abs(net) if (lots > 0) != (net > 0) else -abs(net)
        if room <= 0:
            return 0
        if room < abs(value):
            fits = min(fits, size * room // abs(value))
    return fits


def absorb(v: Venue, unit: Unit, p: Position, share: int) -> None:
    m = p.market
    rest = Remainder(p, share)
    if v.takeover in (Takeover.FUND, Takeover.NONE) and (fits := fund_capacity(v, m, p.lots, rest.value, share)):
        move_to_fund(v, p, fits, rest)
    if p.lots:
        deleverage(v, p, rest)
    if p.lots:
        if rest.share < 0:
            cover_shortfall(v, m, unit, -rest.share)
            rest.share = 0
        move_to_fund(v, p, abs(p.lots), rest)


def hand_over(v: Venue, p: Position, size: int, rest: Remainder, to: Position) -> None:
    """`size` lots change hands at bankruptcy value."""
    m = p.market
    lots = size if p.lots > 0 else -size
    value, share = rest.cut(size)
    moved = value - share
    change_position(v, p, -lots, -moved)
    change_position(v, to, lots, moved)
    v.emit(
        EventKind.TAKEOVER, account=p.account, maker_account=to.account, market=m.number, asset=m.asset,
        side=SELL if lots > 0 else BUY, size_lots=size, value=moved, aux=share,
        price_ticks=trunc_div(trunc_div(moved, lots), m.tick_lot_money),
    )  # fmt: skip


def move_to_fund(v: Venue, p: Position, size: int, rest: Remainder) -> None:
    m, fund = p.market, p.market.fund_position
    hand_over(v, p, size, rest, fund)
    if v.fund_unwind == FundUnwind.SLICES and fund.due_ns <= v.time_ns:
        fund.due_ns = v.time_ns + v.fund_unwind_period_ns
        v.timer(fund.due_ns, UNWIND, m)


def fund_means(v: Venue, m: Market) -> int:
    """Money that the fund may give: not what it needs for losses that it carries."""
    return max(min(v.fund(m).balance, fund_equity(v, m)), 0)


def pay(v: Venue, kind: int, payer: Wallet, unit: Unit, amount: int) -> None:
    transfer(payer, unit.wallet, amount)
    payer.absorbed -= amount
    unit.wallet.absorbed += amount
    if unit.position is not None:
        unit.wallet.balance -= amount
        unit.position.isolated_margin += amount
    unit_event(v, kind, unit, unit.position, maker_account=payer.account, value=amount)


def cover_shortfall(v: Venue, m: Market, unit: Unit, amount: int) -> None:
    """The fund's money first, then the winners' where the rulebook socialises, then the venue's deficit."""
    part = min(amount, fund_means(v, m))
    if part:
        pay(v, EventKind.FUND_COVER, v.fund(m), unit, part)
        amount -= part
    if amount and v.socialise == Socialise.WINNERS:
        amount = socialise(v, m, unit, amount)
    if amount:
        pay(v, EventKind.VENUE_DEFICIT, v.wallet(v.deficit, m.asset), unit, amount)


def can_give(v: Venue, p: Position) -> int:
    """A winner's capacity: its unrealised gain, no more than the equity behind it."""
    gain = pnl_of(p)
    if gain <= 0 or v.is_house(p.account):
        return 0
    equity = p.isolated_margin + gain if p.mode == ISOLATED else cross_equity(p.wallet)
    return max(0, min(gain, equity))


def socialise(v: Venue, m: Market, unit: Unit, amount: int) -> int:
    """Take from the market's winners in proportion to what each can give; returns what is missing."""
    winners = [p for p in m.newest_first() if p.wallet is not unit.wallet]
    total = sum(can_give(v, p) for p in winners)
    wanted, taken = min(amount, total), 0
    for p in winners:
        give = can_give(v, p)
        part = min(ceil_div(wanted * give, total), give, wanted - taken) if give else 0
        if part:
            if p.mode == ISOLATED:
                p.isolated_margin -= part
                p.wallet.balance += part
            pay(v, EventKind.SOCIALISED_LOSS, p.wallet, unit, part)
            taken += part
    return amount - taken
