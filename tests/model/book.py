"""Price levels as lists of segments, head first: an account's order, or recorded lots of the world.

Two world segments never touch: they merge. What the world has in a queue is always max(0, R - P - C) of the recorded
level that stands at that venue price.
"""

from collections.abc import Iterator
from itertools import pairwise

from sortedcontainers import SortedDict

from .state import Market, Order, WorldLevel, WorldLots
from .wire import BUY, QueueModel


def better_first(prices: SortedDict, side: int) -> Iterator[int]:
    return reversed(prices) if side == BUY else iter(prices)


def best_price(m: Market, side: int) -> int | None:
    return next(better_first(m.sides[side].queues, side), None)


def best_order(m: Market, side: int, recorded: bool = False) -> Order | None:
    """First in price-time priority among the accounts' orders of a side, or among its recorded ones."""
    for price in better_first(m.sides[side].queues, side):
        for segment in m.sides[side].queues[price]:
            if isinstance(segment, Order) and (segment.position is m.world_position) == recorded:
                return segment
    return None


def crosses(taker_side: int, limit: int, price: int | None) -> bool:
    if price is None:
        return False
    return price <= limit if taker_side == BUY else price >= limit


def tidy(m: Market, side: int, price: int) -> None:
    """Drop empty segments, merge world neighbours, drop an empty queue."""
    queue = []
    for segment in m.sides[side].queues.get(price, []):
        if segment.lots == 0:
            continue
        if queue and isinstance(segment, WorldLots) and isinstance(queue[-1], WorldLots):
            queue[-1].lots += segment.lots
        else:
            queue.append(segment)
    if queue:
        m.sides[side].queues[price] = queue
    else:
        m.sides[side].queues.pop(price, None)


def append(m: Market, side: int, price: int, segment: Order | WorldLots) -> None:
    m.sides[side].queues.setdefault(price, []).append(segment)
    tidy(m, side, price)


def remove_order(m: Market, order: Order) -> None:
    m.sides[order.side].queues[order.price].remove(order)
    tidy(m, order.side, order.price)


def world_segments(m: Market, side: int, price: int) -> list[WorldLots]:
    return [s for s in m.sides[side].queues.get(price, []) if isinstance(s, WorldLots)]


def take_from_head(m: Market, side: int, price: int, lots: int) -> None:
    for segment in world_segments(m, side, price):
        cut = min(segment.lots, lots)
        segment.lots -= cut
        lots -= cut
    tidy(m, side, price)


def log2_floor(x: int, places: int = 16) -> int:
    """log2(x) * 2 ** places by squaring a mantissa of 32 bits, cut off each time."""
    found = x.bit_length() - 1
    mantissa = (x << 63 - found) >> 32  # 1 <= mantissa / 2 ** 31 < 2
    for _ in range(places):
        mantissa = mantissa * mantissa >> 31
        found *= 2
        if mantissa >= 1 << 32:
            mantissa >>= 1
            found += 1
    return found


def gone_ahead(m: Market, ahead: int, before: int, gone: int) -> int:
    """Of `gone` lots that left a level of `before`, those that had stood before an order with `ahead` before it."""
    if m.queue_model == QueueModel.FRONT_FIRST:
        return min(ahead, gone)
    if m.queue_model == QueueModel.PROPORTIONAL:
        return -(-ahead * gone // before)
    if m.queue_model == QueueModel.LOG:
        front, back = log2_floor(1 + ahead), log2_floor(1 + before - ahead)
    else:
        front, back = (((x << 20) // before) ** m.queue_power for x in (ahead, before - ahead))
    return gone * front // (front + back) if front + back else 0


def shrink_world(m: Market, side: int, price: int, gone: int) -> None:
    """Recorded lots leave without a trade, by the queue model."""
    segments = world_segments(m, side, price)
    if m.queue_model == QueueModel.BEHIND_FIRST:
        for segment in reversed(segments):
            cut = min(segment.lots, gone)
            segment.lots -= cut
            gone -= cut
    else:
        before = sum(s.lots for s in segments)
        ahead = kept = 0
        for segment in segments:
            ahead += segment.lots
            kept_now = ahead - gone_ahead(m, ahead, before, gone)
            kept_now = max(kept_now, kept, ahead - gone)
            kept_now = min(kept_now, kept + segment.lots, before - gone)
            segment.lots = kept_now - kept
            kept = kept_now
    tidy(m, side, price)


def on_grid(m: Market, recorded_price: int) -> bool:
    """A level that a shift has moved off the price grid stands in no queue."""
    return m.price_min <= recorded_price + m.shift <= m.price_max


def world_to(m: Market, side: int, recorded_price: int, before: int, after: int) -> None:
    """The world's lots of a level change from `before` to `after`: growth joins at the tail."""
    if not on_grid(m, recorded_price):
        return
    if after > before:
        append(m, side, recorded_price + m.shift, WorldLots(after - before))
    elif after < before:
        shrink_world(m, side, recorded_price + m.shift, before - after)


def level_at(m: Market, side: int, venue_price: int) -> WorldLevel:
    return m.sides[side].world[venue_price - m.shift]


def segments_within(m: Market, taker_side: int, limit: int) -> Iterator[tuple[int, Order | WorldLots]]:
    """What a taker would meet, in order, down to its limit."""
    side = 1 - taker_side
    for price in better_first(m.sides[side].queues, side):
        if not crosses(taker_side, limit, price):
            return
        for segment in m.sides[side].queues[price]:
            yield price, segment


def check_queues(m: Market) -> None:
    """What the level queue promises, as assertions on the twin itself."""
    for side, b in m.sides.items():
        standing = {
            price + m.shift: level.available
            for price, level in b.world.items()
            if level.available and on_grid(m, price)
        }
        for price, queue in b.queues.items():
            assert queue, f"an empty queue at {price}"
            assert sum(s.lots for s in queue if isinstance(s, WorldLots)) == standing.pop(price, 0), price
            for one, other in pairwise(queue):
                assert isinstance(one, Order) or isinstance(other, Order), f"world beside world at {price}"
            assert all(s.lots > 0 for s in queue)
            assert all(s.side == side and s.price == price for s in queue if isinstance(s, Order))
        assert not standing, f"recorded lots that stand in no queue: {standing}"
