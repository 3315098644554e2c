"""Marks by method. The basis samples are taken at each mark step of every market with an index and a two-sided book.

MEDIAN3        median(P1, P2, last): P1 = index * (1 + F * time left / interval), P2 = index + mean of the last n
               samples of mid - index; before the first trade P2 stands in for last
BASIS_MEAN     P2;  FUNDING_BASIS  P1, its basis rounded to a unit;  ORACLE  the index
BASIS_EMA      index + average of the bounded middle - index, bounded around the index
COMPOSITE      see composite.py
HYPERLIQUID    median of index + average of mid - index, median(bid, ask, last), perpetuals elsewhere
"""

from statistics import median_low

from .accrual import rebase
from .book import best_price
from .composite import composite
from .depth_price import impact_price
from .index_price import median, perpetuals_elsewhere
from .state import Market, Venue
from .wire import BUY, RATE_ONE, SELL, EventKind, MarkMethod

AVERAGED = (MarkMethod.BASIS_EMA, MarkMethod.HYPERLIQUID)


def change_mark(v: Venue, m: Market, mark: int) -> None:
    if m not in v.marked:
        v.marked.append(m)
        m.mark_before = m.mark
    rebase(m)
    m.mark = mark
    m.mark_lowest = min(m.mark_lowest or mark, mark)
    m.mark_highest = max(m.mark_highest, mark)
    if m.index:
        m.basis_gap_worst = max(m.basis_gap_worst, abs(mark - m.index) * RATE_ONE // m.index)
    v.emit(EventKind.MARK, market=m.number, value=mark, aux=m.index, price_ticks=m.last)


def touch(m: Market) -> tuple[int, int] | None:
    """Best bid and ask as values; None where a side is empty."""
    bid, ask = best_price(m, BUY), best_price(m, SELL)
    return None if bid is None or ask is None else (bid * m.tick_value, ask * m.tick_value)


def impact_size(m: Market) -> int:
    return m.impact_margin * m.tiers[0].leverage_max if m.impact_margin else m.impact_notional


def bounded_middle(m: Market, bid: int, ask: int) -> int:
    if m.mark_mid_bound:
        deep = [impact_price(m, side, impact_size(m)) for side in (BUY, SELL)]
        furthest = bid - bid * m.mark_mid_bound // RATE_ONE, ask + ask * m.mark_mid_bound // RATE_ONE
        bid = furthest[0] if deep[0] is None else max(furthest[0], deep[0] * m.tick_value)
        ask = furthest[1] if deep[1] is None else min(furthest[1], deep[1] * m.tick_value)
    return (bid + ask) // 2


def local_price(m: Market) -> int:
    best = touch(m)
    if best is None:
        return 0
    return median_low([*best, m.last * m.tick_value]) if m.last else sum(best) // 2


def sample(v: Venue, m: Market) -> None:
    best = touch(m)
    if best is None:
        return
    has_index = m.index and not m.index_lost
    if has_index and m.basis_samples:
        m.basis = [*m.basis, sum(best) // 2 - m.index][-m.basis_samples :]
    if m.mark_method not in AVERAGED:
        return
    first = max(1, m.mark_period_ns)
    if has_index and m.mark_ema_ns and m.basis_average.time_ns != v.time_ns:
        m.basis_average.step(v.time_ns, bounded_middle(m, *best) - m.index, m.mark_ema_ns, first)
    if m.mark_fallback_ns and m.local_average.time_ns != v.time_ns:
        m.local_average.step(v.time_ns, local_price(m), m.mark_fallback_ns, first)


def funding_basis(v: Venue, m: Market) -> int:
    """What the funding still to come is worth."""
    if not m.funding_interval_ns or not m.funding_next_ns:
        return 0
    now = v.time_ns // m.mark_step_ns * m.mark_step_ns if m.mark_step_ns else v.time_ns
    left = max(0, m.funding_next_ns - now)
    return m.index * m.funding_rate // RATE_ONE * left // m.funding_interval_ns


def mean_basis(m: Market) -> int:
    return sum(m.basis) // len(m.basis) if m.basis else 0


def robust(v: Venue, m: Market) -> int:
    oracle = m.index + m.basis_average.whole() if m.index and not m.index_lost else 0
    known = [x for x in (oracle, local_price(m), perpetuals_elsewhere(v, m)) if x > 0]
    if len(known) == 2 and m.local_average.weight:
        known.append(m.local_average.whole())
    return median(known) if known else 0


def mark_of_method(v: Venue, m: Market) -> int:
    if m.index_lost and m.last_price_protection:
        return m.last * m.tick_value
    if m.mark_method == MarkMethod.HYPERLIQUID:
        return robust(v, m)
    if m.mark_method == MarkMethod.COMPOSITE:
        return composite(v, m)
    if not m.index:
        return 0
    if m.mark_method == MarkMethod.MEDIAN3:
        second = m.index + mean_basis(m)
        return median_low([m.index + funding_basis(v, m), second, m.last * m.tick_value if m.last else second])
    if m.mark_method == MarkMethod.BASIS_MEAN:
        return m.index + mean_basis(m)
    if m.mark_method == MarkMethod.BASIS_EMA:
        mark = m.index + m.basis_average.whole()
        if m.mark_bound_up:
            mark = min(mark, m.index + m.index * m.mark_bound_up // RATE_ONE)
        if m.mark_bound_down:
            mark = max(mark, m.index - m.index * m.mark_bound_down // RATE_ONE)
        return mark
    if m.mark_method == MarkMethod.FUNDING_BASIS:
        basis, unit = funding_basis(v, m), m.mark_unit
        return m.index + (basis if not unit else (basis + unit // 2) // unit * unit)
    return m.index


def compute_mark(v: Venue, m: Market) -> None:
    sample(v, m)
    if m.mark_method != MarkMethod.GIVEN:
        mark = mark_of_method(v, m)
        if m.mark_min <= mark <= m.price_max * m.tick_value:
            change_mark(v, m, mark)


def follow_index(v: Venue, m: Market) -> None:
    """Without a mark period the newer methods compute as the index changes."""
    if m.mark_method > MarkMethod.MEDIAN3 and not m.mark_period_ns:
        compute_mark(v, m)
