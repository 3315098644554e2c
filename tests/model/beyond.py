"""What is stated to stand behind the last recorded level of a side, for takers who find nothing recorded left."""

from .book import crosses, on_grid
from .state import Market
from .wire import BUY, RATE_ONE


def levels(m: Market, side: int):
    """(venue price, lots left) of the stated levels, best first."""
    b = m.sides[side]
    if not m.beyond_lots or not b.world:
        return
    sign = -1 if side == BUY else 1
    edge = min(b.world) if side == BUY else max(b.world)
    for number in range(b.beyond_level, m.beyond_ticks):
        price = edge + m.shift + sign * (number + 1)
        if not m.price_min <= price <= m.price_max:
            return
        lots = m.beyond_lots + m.beyond_slope * number // RATE_ONE
        yield price, lots - (b.beyond_taken if number == b.beyond_level else 0)


def best_beyond(m: Market, side: int) -> tuple[int, int] | None:
    """The next of them, once nothing recorded is left."""
    if any(level.available and on_grid(m, price) for price, level in m.sides[side].world.items()):
        return None
    return next(levels(m, side), None)


def take_beyond(m: Market, side: int, lots: int) -> None:
    b = m.sides[side]
    _, left = next(levels(m, side))
    b.beyond_taken += lots
    if lots == left:
        b.beyond_level, b.beyond_taken = b.beyond_level + 1, 0


def takes_beyond(m: Market, side: int, limit: int) -> bool:
    """Whether a taker of `side` would find something there now."""
    best = best_beyond(m, 1 - side)
    return best is not None and crosses(side, limit, best[0])


def beyond_within(m: Market, taker_side: int, limit: int, wanted: int) -> int:
    """Lots there for a taker who eats all that is recorded, up to his limit."""
    found = 0
    for price, lots in levels(m, 1 - taker_side):
        if found >= wanted or not crosses(taker_side, limit, price):
            break
        found += lots
    return found


def told(m: Market, side: int) -> None:
    """The recording says anew what stands on a side."""
    m.sides[side].beyond_level = m.sides[side].beyond_taken = 0
