"""The only writer of money and positions. Each payment has a payer and a receiver, so sums never change."""

from .accrual import settle
from .margin import value_of
from .numbers import ceil_div, part_of
from .state import Position, Venue, Wallet
from .wire import ISOLATED


def transfer(payer: Wallet, receiver: Wallet, amount: int) -> None:
    payer.balance -= amount
    receiver.balance += amount


def charge_fee(v: Venue, w: Wallet, fee: int) -> None:
    w.fees += fee
    transfer(w, v.wallet(v.treasury, w.asset), fee)


def move_isolated(p: Position, amount: int) -> None:
    """From the wallet into the position's margin; negative: back."""
    p.wallet.balance -= amount
    p.isolated_margin += amount


def close_lots(v: Venue, p: Position, closing: int, value: int) -> None:
    """Close `closing` > 0 lots against `value`, signed like the closing trade. The clearing account pays the gain."""
    held = abs(p.lots)
    released = part_of(p.cost, closing, held)
    gain = -(value + released)
    v.clearing(p.market).balance -= gain
    p.wallet.realised += gain
    if p is p.market.fund_position:
        p.market.fund_result += gain
    p.cost -= released
    p.lots += closing if p.lots < 0 else -closing
    if p.mode != ISOLATED:
        p.wallet.balance += gain
        return
    part = part_of(max(p.isolated_margin, 0), closing, held)
    p.isolated_margin += gain
    # what closes takes its part of the margin and its own gain along; a loss beyond that part stays with the margin
    move_isolated(p, -p.isolated_margin if p.lots == 0 else -max(0, part + gain))


def change_position(v: Venue, p: Position, lots: int, value: int) -> None:
    """Add signed `lots` worth `value`, signed alike: first close what is there, then open with the rest."""
    settle(v, p)  # what has accrued is of the lots that were held
    if p.lots and (p.lots < 0) != (lots < 0):
        closing = min(abs(p.lots), abs(lots))
        closing_value = part_of(value, closing, abs(lots))
        close_lots(v, p, closing, closing_value)
        lots += -closing if lots > 0 else closing
        value -= closing_value
    if lots:
        p.lots += lots
        p.cost += value
        if p.mode == ISOLATED:
            move_isolated(p, ceil_div(abs(value), p.leverage))


def settle_at_mark(v: Venue, p: Position) -> int:
    """Close a position at the mark for good; returns its value."""
    value = value_of(p)
    change_position(v, p, -p.lots, -value)
    return value
