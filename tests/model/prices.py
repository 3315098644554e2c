"""Mark, index, premium and funding.

mark      median(P1, P2, last); P1 = index * (1 + F * time left / interval), P2 = index + mean of the last n samples
          of mid - index; before the first trade P2 stands in for last
premium   [max(0, impact bid - index) - max(0, index - impact ask)] / index; the n-th sample of an interval weighs n
rate      (P + clamp(interest - P, +-inner)) * interval / 8 h, clamped to +-cap
payment   value at mark * rate, rounded against the payer; what the roundings leave goes to the rounding account
"""

from statistics import median_low

from .book import best_price, better_first
from .margin import value_of
from .numbers import ceil_div, clamp
from .state import Market, Position, Venue
from .timers import FUNDING, MARK, PREMIUM
from .wire import BUY, EIGHT_HOURS_NS, ISOLATED, RATE_ONE, SELL, EventKind, MarkMethod


def shocked(m: Market, recorded: int) -> int:
    return recorded * m.shock // RATE_ONE


def change_mark(v: Venue, m: Market, mark: int) -> None:
    if m not in v.marked:
        v.marked.append(m)
        m.mark_before = m.mark
    m.mark = mark
    m.mark_lowest = min(m.mark_lowest or mark, mark)
    m.mark_highest = max(m.mark_highest, mark)
    if m.index:
        m.basis_gap_worst = max(m.basis_gap_worst, abs(mark - m.index) * RATE_ONE // m.index)
    v.emit(EventKind.MARK, market=m.number, value=mark, aux=m.index, price_ticks=m.last)


def change_index(v: Venue, m: Market, index: int) -> None:
    if index != m.index:
        m.index = index
        v.emit(EventKind.INDEX, market=m.number, value=index)


def change_funding(v: Venue, m: Market, rate: int, next_ns: int) -> None:
    """A given rate, and the end of the running interval; a time that has passed is a late message and is ignored."""
    moves = next_ns > v.time_ns and next_ns != m.funding_next_ns
    if rate == m.funding_rate and not moves:
        return
    m.funding_rate = rate
    if moves:
        m.funding_next_ns = next_ns
        v.timer(next_ns, FUNDING, m)
    v.emit(EventKind.FUNDING_RATE, market=m.number, value=rate, aux=m.funding_next_ns)


def following(v: Venue, period: int) -> int:
    """Timers stand at the multiples of their periods."""
    return (v.time_ns // period + 1) * period


def start_mark_timer(v: Venue, m: Market) -> None:
    """At the start, and whenever the period changes; what was due by the old period is not."""
    m.mark_next_ns = following(v, m.mark_period_ns) if m.mark_period_ns and v.started else 0
    if m.mark_next_ns:
        v.timer(m.mark_next_ns, MARK, m)


def start_funding_timer(v: Venue, m: Market) -> None:
    """At the start, and when there was no stamp; one that is announced stays."""
    if m.funding_interval_ns and v.started and not m.funding_next_ns:
        m.funding_next_ns = following(v, m.funding_interval_ns)
        v.timer(m.funding_next_ns, FUNDING, m)


def start_timers(v: Venue, m: Market) -> None:
    start_mark_timer(v, m)
    if m.premium_period_ns:
        v.timer(following(v, m.premium_period_ns), PREMIUM, m)
    start_funding_timer(v, m)


def mark_due(v: Venue, m: Market) -> None:
    if m.mark_next_ns != v.time_ns:
        return
    m.mark_next_ns += m.mark_period_ns
    v.timer(m.mark_next_ns, MARK, m)
    bid, ask = best_price(m, BUY), best_price(m, SELL)
    if bid is not None and ask is not None and m.index and m.basis_samples:
        m.basis = [*m.basis, (bid + ask) * m.tick_value // 2 - m.index][-m.basis_samples :]
    if m.mark_method == MarkMethod.MEDIAN3 and m.index:
        mark = median_mark(v, m)
        if 0 < mark <= m.price_max * m.tick_value:
            change_mark(v, m, mark)


def median_mark(v: Venue, m: Market) -> int:
    first = second = m.index
    if m.funding_interval_ns and m.funding_next_ns:
        left = max(0, m.funding_next_ns - v.time_ns)
        first += m.index * m.funding_rate // RATE_ONE * left // m.funding_interval_ns
    if m.basis:
        second += sum(m.basis) // len(m.basis)
    return median_low([first, second, m.last * m.tick_value if m.last else second])


def impact_price(m: Market, side: int, notional: int) -> int | None:
    """Average price in whole ticks at which `notional` could be taken from a side; None if it does not hold that much.

    The last level gives one lot more than the rest of the notional buys. Bids are rounded down, asks up.
    """
    left, taken, paid = notional, 0, 0
    for price in better_first(m.sides[side].queues, side):
        if left <= 0:
            break
        if price <= 0:
            continue
        unit = price * m.tick_lot_money
        for segment in m.sides[side].queues[price]:
            if left <= 0:
                break
            lots = min(segment.lots, left // unit + 1)
            taken, paid, left = taken + lots, paid + lots * price, left - lots * unit
    if left > 0 or taken == 0:
        return None
    return paid // taken if side == BUY else ceil_div(paid, taken)


def premium_due(v: Venue, m: Market) -> None:
    v.timer(v.time_ns + m.premium_period_ns, PREMIUM, m)
    if m.index == 0:
        return
    bid = impact_price(m, BUY, m.impact_notional)
    ask = impact_price(m, SELL, m.impact_notional)
    above = 0 if bid is None else max(0, bid * m.tick_value - m.index)
    below = 0 if ask is None else max(0, m.index - ask * m.tick_value)
    m.premiums.append((above - below) * RATE_ONE // m.index)


def computed_rate(m: Market) -> int:
    count = len(m.premiums)
    premium = 0
    if count:
        premium = sum(n * p for n, p in enumerate(m.premiums, 1)) // (count * (count + 1) // 2)
    inner = clamp(-m.funding_inner, m.interest_rate - premium, m.funding_inner)
    return clamp(-m.funding_cap, (premium + inner) * m.funding_interval_ns // EIGHT_HOURS_NS, m.funding_cap)


def pay_funding(v: Venue, p: Position) -> None:
    paid = ceil_div(value_of(p) * p.market.funding_rate, RATE_ONE)
    if paid == 0:
        return
    p.wallet.funding -= paid
    if p.mode == ISOLATED:
        p.isolated_margin -= paid
    else:
        p.wallet.balance -= paid
    v.wallet(v.rounding, p.wallet.asset).balance += paid
    v.emit(
        EventKind.FUNDING_PAYMENT, account=p.account, market=p.market.number, asset=p.wallet.asset, size_lots=p.lots,
        value=-paid,
    )  # fmt: skip


def funding_due(v: Venue, m: Market) -> None:
    """The stamp. A timer that is not the stamp of now belongs to a stamp that the venue has moved."""
    if m.funding_next_ns != v.time_ns:
        return
    if m.premium_period_ns:
        m.funding_rate = computed_rate(m)
        m.premiums = []
    for p in m.newest_first():
        if p.lots and v.accounts[p.account].funded:
            pay_funding(v, p)
    v.emit(EventKind.FUNDING_SETTLED, market=m.number, value=m.funding_rate, aux=m.mark)
    if m.funding_interval_ns:
        m.funding_next_ns += m.funding_interval_ns
        v.timer(m.funding_next_ns, FUNDING, m)
    else:
        m.funding_next_ns = 0  # paid once, whatever timers are left
