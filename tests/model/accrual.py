"""Funding that accrues: a share of every equity that moves while no mark does.

A market's index is what one lot held since the beginning has paid, in 2^-32 of a unit; it is computed from what it was
when price or rate last changed. Who holds lots owes lots * (index now - index at its settlement), rounded up.
"""

from .contract import inverse
from .numbers import ceil_div
from .wire import EIGHT_HOURS_NS, ISOLATED, RATE_ONE, EventKind, FundingPrice

FINE = 2**32
COIN = 10**16


def lot_worth(m) -> int:
    """Of the price that funding is paid on, with 32 binary places."""
    price = m.index if m.funding_price == FundingPrice.INDEX and m.index else m.mark
    if price == 0:
        return 0
    if inverse(m):
        return m.lot_numerator * COIN * FINE // (price * m.lot_denominator)
    return price * m.lot_numerator * FINE // m.lot_denominator


def index_now(m) -> int:
    time = m.venue.time_ns - m.accrued_since
    size = lot_worth(m) * abs(m.funding_rate) * time // EIGHT_HOURS_NS // RATE_ONE
    return m.accrued_base + (size if m.funding_rate > 0 else -size)


def rebase(m) -> None:
    """Before price, rate or a rule of the market changes."""
    if m.funding_continuous and m.accrued_since != m.venue.time_ns:
        m.accrued_base, m.accrued_since = index_now(m), m.venue.time_ns


def accrued_of(p) -> int:
    m = p.market
    if not m.funding_continuous or not p.lots or not m.venue.accounts[p.account].funded:
        return 0
    return ceil_div(p.lots * (index_now(m) - p.accrued_from), FINE)


def settle(v, p) -> None:
    """What a position owes becomes a payment to the clearing account, or from it."""
    m = p.market
    if not m.funding_continuous:
        return
    owed, p.accrued_from = accrued_of(p), index_now(m)
    if owed == 0:
        return
    p.wallet.funding -= owed
    if p.mode == ISOLATED:
        p.isolated_margin -= owed
    else:
        p.wallet.balance -= owed
    v.clearing(m).balance += owed
    m.accrued_paid += owed
    v.emit(
        EventKind.FUNDING_PAYMENT, account=p.account, market=m.number, asset=m.asset, size_lots=p.lots, value=-owed
    )


def settle_all(v, m) -> None:
    """All of a market; the roundings' rest leaves the clearing account."""
    for p in m.newest_first():
        if p.lots:
            settle(v, p)
    v.clearing(m).balance -= m.accrued_paid
    v.wallet(v.rounding, m.asset).balance += m.accrued_paid
    m.accrued_paid = 0


def begin(m) -> None:
    """The rule holds from now on."""
    m.accrued_since = m.venue.time_ns
    for p in m.positions:
        p.accrued_from = m.accrued_base


def set_rate(m, rate: int) -> None:
    rebase(m)
    m.funding_rate = rate
