"""The index: given, or made of constituents that have a price which is not stale.

few       fewer valid sources than `sources_few`: their plain mean
outliers  against the median of the valid: a single one counts for nothing and several make the index the median; or
          all are held to the band; or a source is out beyond the band until it was within a narrower one for a time
lost      no valid source: the index stays as it was
"""

from statistics import median_high, median_low

from .accrual import rebase
from .state import Market, Source, Venue
from .wire import RATE_ONE, EventKind, IndexMethod, OutlierRule


def change_index(v: Venue, m: Market, index: int) -> None:
    m.index_ns = v.time_ns
    if index != m.index:
        rebase(m)
        m.index = index
        v.prices_changed = v.prices_changed or bool(v.collateral)
        v.emit(EventKind.INDEX, market=m.number, value=index)


def change_source(v: Venue, m: Market, number: int, price: int) -> None:
    source = m.constituents[number]
    source.time_ns = v.time_ns
    if source.price != price:
        source.price = price
        v.emit(EventKind.SOURCE, market=m.number, value=price, aux=number)


def valid(v: Venue, m: Market, sources: list[Source]) -> list[Source]:
    return [s for s in sources if s.price and (not m.source_stale_ns or v.time_ns - s.time_ns <= m.source_stale_ns)]


def median(prices: list[int]) -> int:
    """Mean of the middle two of an even count."""
    return (median_low(prices) + median_high(prices)) // 2


def weighted_median(quotes: list[tuple[int, int]]) -> int:
    """The lowest price at which half of the weight is reached; 0 of nothing."""
    half, below = sum(weight for _, weight in quotes), 0
    for price, weight in sorted(quotes):
        below += 2 * weight
        if half and below >= half:
            return price
    return 0


def off(price: int, middle: int, band: int) -> bool:
    return abs(price - middle) > middle * band // RATE_ONE


def leave_out(v: Venue, m: Market, spot: list[Source], middle: int) -> None:
    alive = valid(v, m, spot)
    for s in spot:
        if s not in alive:
            s.inside_ns = 0
        elif off(s.price, middle, m.outlier_band):
            s.left_out, s.inside_ns = True, 0
        elif off(s.price, middle, m.outlier_return_band):
            s.inside_ns = 0
        elif s.left_out:
            s.inside_ns = s.inside_ns or v.time_ns
            if v.time_ns - s.inside_ns >= m.outlier_return_ns:
                s.left_out, s.inside_ns = False, 0


def index_of_sources(v: Venue, m: Market) -> int:
    spot = m.constituents[: len(m.sources)]
    alive = valid(v, m, spot)
    if not alive:
        if m.outlier_rule == OutlierRule.EXCLUDE:
            leave_out(v, m, spot, 0)
        return 0
    if m.outlier_rule == OutlierRule.EXCLUDE:
        judges = [s for s in alive if not s.left_out] or alive
        middle = median([s.price for s in judges])
        leave_out(v, m, spot, middle)
        alive = [s for s in alive if not s.left_out]
        if not alive:
            return middle
    middle = median([s.price for s in alive])
    quotes = [(s.price, s.weight) for s in alive]
    few = len(alive) < m.sources_few
    width = middle * m.outlier_band // RATE_ONE
    if not few and m.outlier_rule == OutlierRule.CLAMP:
        quotes = [(min(max(price, middle - width), middle + width), weight) for price, weight in quotes]
    if not few and m.outlier_rule == OutlierRule.ZERO_WEIGHT:
        beyond = [q for q in quotes if abs(q[0] - middle) > width]
        if len(beyond) > 1:
            return middle
        quotes = [q for q in quotes if q not in beyond]
    if few or m.index_method == IndexMethod.MEAN:
        return sum(price for price, _ in quotes) // len(quotes) if quotes else 0
    if m.index_method == IndexMethod.WEIGHTED_MEDIAN:
        return weighted_median(quotes)
    return sum(price * weight for price, weight in quotes) // sum(weight for _, weight in quotes) if quotes else 0


def compute_index(v: Venue, m: Market) -> None:
    index = index_of_sources(v, m)
    if (index == 0) != m.index_lost:
        m.index_lost = index == 0
        v.emit(EventKind.INDEX_LOST, market=m.number, value=m.index, aux=int(m.index_lost))
    if index:
        change_index(v, m, index)


def perpetuals_elsewhere(v: Venue, m: Market) -> int:
    return weighted_median([(s.price, s.weight) for s in valid(v, m, m.constituents[len(m.sources) :])])
