"""Auto-deleveraging: what the fund does not take is closed against other accounts, at the rule's price."""

from .adl import SCORES, forget_queue, next_counterparty, unit_behind
from .adl_decision import ask_user
from .adl_share import SHARES, gather, share_out
from .contract import shown_price
from .ledger import change_position, charge_fee
from .margin import cross_equity, fee_of, value_at, value_of
from .matching import cancel_orders_of
from .numbers import part_of
from .state import Market, Position, Venue
from .wire import BUY, RATE_ONE, SELL, AdlFee, AdlPolicy, AdlPrice, EventKind, Reject


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
    """Close against the accounts that the policy chooses."""
    if v.adl_policy in SCORES:
        close_in_turn(v, p, rest)
    elif v.adl_policy in SHARES:
        if v.adl_policy == AdlPolicy.HEDGE_AWARE:
            close_by_shares(v, p, rest, unhedged=True)
        close_by_shares(v, p, rest, unhedged=False)
    elif v.adl_policy == AdlPolicy.USER:
        ask_user(v, p, rest)


def close_by_shares(v: Venue, p: Position, rest: Remainder, unhedged: bool) -> None:
    """Against all accounts of the other side at once, by account; first only with what they have unhedged."""
    cuts = gather(v, p.market, p.lots < 0, unhedged)
    share_out(v.adl_policy, cuts, min(abs(p.lots), sum(c.room for c in cuts)))
    reason = Reject.BY_UNHEDGED if v.adl_policy == AdlPolicy.HEDGE_AWARE and not unhedged else Reject.NONE
    for c in cuts:
        if c.lots:
            close_against(v, p, c.p, c.lots, rest, reason)


def close_in_turn(v: Venue, p: Position, rest: Remainder) -> None:
    m = p.market
    if v.adl_policy == AdlPolicy.DYDX:
        forget_queue(v)  # lots are drawn for each position
    while p.lots and (other := next_counterparty(v, m, longs=p.lots < 0)) is not None:
        size = min(abs(p.lots), abs(other.lots))
        if v.adl_policy == AdlPolicy.DYDX and not match_valid(v, p, other, size, rest):
            v.queue_ranked[2].pop(0)
        else:
            close_against(v, p, other, size, rest, Reject.NONE)


def paid_for(v: Venue, m: Market, lots: int, moved: int, at_mark: int) -> int:
    """What counterparties pay: the bankruptcy value, or that of a mark. The fund pays the difference while it can."""
    wanted = moved
    far = abs(moved - at_mark) > abs(at_mark) * v.adl_price_band // RATE_ONE
    if v.adl_price == AdlPrice.MARK or (v.adl_price == AdlPrice.BANKRUPTCY_NEAR and far):
        wanted = at_mark
    elif v.adl_price == AdlPrice.PREVIOUS_MARK and m.mark_before:
        wanted = value_at(m, lots, m.mark_before)
    return moved if cross_equity(v.fund(m)) < moved - wanted and wanted < moved else wanted


def match_valid(v: Venue, p: Position, other: Position, size: int, rest: Remainder) -> bool:
    """dYdX: the counterparty must end above maintenance, or with less of it and equity / maintenance no worse."""
    m, unit, before = p.market, unit_behind(other), other.lots
    lots = size if p.lots > 0 else -size
    at_mark, share = part_of(rest.value, size, abs(p.lots)), part_of(rest.share, size, abs(p.lots))
    paid = paid_for(v, m, lots, at_mark - share, at_mark)
    equity, maintenance = unit.equity(), unit.maintenance()
    worth, cost = value_of(other), other.cost
    other.cost -= part_of(cost, size, abs(before))
    other.lots += lots
    worth_after, maintenance_after = value_of(other), unit.maintenance()
    other.lots, other.cost = before, cost
    equity_after = equity + worth_after - worth - paid
    if maintenance_after == 0:
        return equity_after >= 0
    if equity_after >= maintenance_after:
        return True
    return maintenance_after < maintenance and equity_after * maintenance >= equity * maintenance_after


def close_against(v: Venue, p: Position, other: Position, size: int, rest: Remainder, reason: int) -> None:
    """Close `size` lots of a bankrupt position against a counterparty, whose orders go first."""
    m, fund = p.market, p.market.fund_position
    lots = size if p.lots > 0 else -size
    value, share = rest.cut(size)
    moved = value - share
    paid = paid_for(v, m, lots, moved, value)
    cancel_orders_of(v, other, Reject.BY_ADL)
    change_position(v, p, -lots, -moved)
    if paid != moved:
        change_position(v, fund, lots, moved)
        change_position(v, fund, -lots, -paid)
    change_position(v, other, lots, paid)
    other.wallet.adl_hits += 1
    v.emit(
        EventKind.ADL, account=other.account, maker_account=p.account, market=m.number, asset=m.asset,
        side=BUY if lots > 0 else SELL, size_lots=size, value=paid, aux=value - paid, fee=paid - moved,
        price_ticks=shown_price(m, lots, paid), reason=reason,
    )  # fmt: skip
    fee = fee_of(abs(paid), m.maker_fee) if v.adl_fee == AdlFee.MAKER else 0
    if fee:
        charge_fee(v, other.wallet, fee)
        v.emit(EventKind.ADL_FEE, account=other.account, market=m.number, asset=m.asset, value=fee, aux=abs(paid))
