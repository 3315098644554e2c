"""Auto-deleveraging: what the fund does not take is closed against other accounts, at the rule's price."""

from .adl import next_counterparty
from .ledger import change_position
from .margin import cross_equity, value_of
from .matching import cancel_orders_of
from .numbers import part_of, trunc_div
from .state import Position, Venue
from .wire import BUY, SELL, AdlPrice, EventKind, Reject


class Remainder:
    """What is still to be moved of one position: its value at mark and its share of the equity."""

    def __init__(self, p: Position, share: int) -> None:
        self.p, self.value, self.share = p, value_of(p), share

    def cut(self, size: int) -> tuple[int, int]:
        """The parts of value and share that go with `size` lots, toward zero; the last part takes all."""
        held = abs(self.p.lots)
        parts = part_of(self.value, size, held), part_of(self.share, size, held)
        self.value -= parts[0]
        self.share -= parts[1]
        return parts


def deleverage(v: Venue, p: Position, rest: Remainder) -> None:
    """Close against the front of the queue. At mark the fund pays the difference, as long as it can."""
    m, fund = p.market, p.market.fund_position
    while p.lots and (other := next_counterparty(v, m, longs=p.lots < 0)) is not None:
        cancel_orders_of(v, other, Reject.BY_ADL)
        size = min(abs(p.lots), abs(other.lots))
        lots = size if p.lots > 0 else -size
        value, share = rest.cut(size)
        moved = paid = value - share
        if v.adl_price == AdlPrice.MARK and (share >= 0 or cross_equity(v.fund(m)) >= -share):
            paid = value
        change_position(v, p, -lots, -moved)
        if paid != moved:
            change_position(v, fund, lots, moved)
            change_position(v, fund, -lots, -paid)
        change_position(v, other, lots, paid)
        other.wallet.adl_hits += 1
        v.emit(
            EventKind.ADL, account=other.account, maker_account=p.account, market=m.number, asset=m.asset,
            side=BUY if lots > 0 else SELL, size_lots=size, value=paid, aux=value - paid, fee=paid - moved,
            price_ticks=trunc_div(trunc_div(paid, lots), m.tick_lot_money),
        )  # fmt: skip
