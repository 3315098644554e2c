"""A mark composed of several sources: recent trades, the book, the index, perpetuals elsewhere, the median of those.

A source takes part while it has a weight and is fresh. The mark is their mean by weight or, weights aside, their
median.
"""

from .book import best_price
from .contract import lot_hold
from .depth_price import price_of_lots
from .index_price import median, perpetuals_elsewhere
from .numbers import ceil_div
from .state import Market, Venue
from .wire import BUY, RATE_ONE, SELL, MarkComposition

KEPT = 128  # trades, and prices of the book
LOTS_MAX = 1 << 38  # of what is kept as one trade
FINE = 10**15  # weight of a lot that has just been traded


def keep_trade(v: Venue, m: Market, price: int, lots: int) -> None:
    """What trades at the price and instant of the trade before joins it."""
    if lots <= 0:
        return
    if m.trades and (m.trades[-1][0], m.trades[-1][2]) == (price, v.time_ns):
        m.trades[-1][1] = min(m.trades[-1][1] + lots, LOTS_MAX)
    else:
        m.trades = [*m.trades, [price, min(lots, LOTS_MAX), v.time_ns]][-KEPT:]


def window(m: Market) -> int:
    return m.mark_window_ns or m.mark_period_ns


def weight_of_age(m: Market, age: int) -> int:
    if age > window(m):
        return 0
    fraction, risen = age * FINE // window(m) if window(m) else 0, FINE
    for _ in range(m.mark_decay_power):
        risen = risen * fraction // FINE
    return FINE - risen * m.mark_decay // RATE_ONE


def of_trades(v: Venue, m: Market) -> int:
    """The mean in ticks, its fraction by a weight of at most 62 bits; 0 where nothing weighs."""
    weights = [weight_of_age(m, v.time_ns - time) * lots for _, lots, time in m.trades]
    if not sum(weights):
        return 0
    total = sum(weight * price for weight, (price, _, _) in zip(weights, m.trades, strict=True))
    ticks, rest = divmod(total, sum(weights))
    places = max(0, sum(weights).bit_length() - 62)
    return ticks * m.tick_value + (rest >> places) * m.tick_value // (sum(weights) >> places)


def side_price(m: Market, side: int, risk: int) -> int | None:
    """What as many lots cost as the stated margin buys at the best price."""
    best = best_price(m, side)
    if best is None or best <= 0:
        return None
    risk = risk or RATE_ONE // m.tiers[0].leverage_max
    margin = ceil_div((m.mark_slippage + risk) * m.mark_scaling, RATE_ONE)
    lots = m.mark_cash * RATE_ONE // margin // lot_hold(m, best)
    return price_of_lots(m, side, max(1, lots))


def sample_book(v: Venue, m: Market) -> None:
    bid, ask = side_price(m, BUY, m.mark_risk_short), side_price(m, SELL, m.mark_risk_long)
    if bid is not None and ask is not None:
        before = [point for point in m.books if point[0] < v.time_ns]
        m.books = [*before, (v.time_ns, (bid + ask) * m.tick_value // 2)][-KEPT:]


def of_book(v: Venue, m: Market) -> int:
    """Each price stood until the next; the mean over the time of the window since the first of them."""
    begin = v.time_ns - window(m)
    ends = [*(time for time, _ in m.books), v.time_ns][1:]
    stood = [max(0, end - max(start, begin)) for (start, _), end in zip(m.books, ends, strict=True)]
    if not sum(stood):
        return m.books[-1][1] if m.books else 0
    return sum(price * time for (_, price), time in zip(m.books, stood, strict=True)) // sum(stood)


def composite(v: Venue, m: Market) -> int:
    sample_book(v, m)
    sources = (
        (of_trades(v, m), m.mark_weight_trades, max((t for _, _, t in m.trades), default=0), m.mark_stale_trades_ns),
        (of_book(v, m), m.mark_weight_book, m.books[-1][0] if m.books else 0, m.mark_stale_book_ns),
        (0 if m.index_lost else m.index, m.mark_weight_index, m.index_ns, m.mark_stale_index_ns),
        (perpetuals_elsewhere(v, m), m.mark_weight_elsewhere, v.time_ns, 0),
    )
    fresh = [
        (price, weight) for price, weight, time, stale in sources
        if price > 0 and weight and (not stale or v.time_ns - time <= stale)
    ]  # fmt: skip
    if not fresh:
        return 0
    middle = median([price for price, _ in fresh])
    if m.mark_composition == MarkComposition.MEDIAN:
        return middle
    if m.mark_weight_median:
        fresh.append((middle, m.mark_weight_median))
    return sum(price * weight for price, weight in fresh) // sum(weight for _, weight in fresh)
