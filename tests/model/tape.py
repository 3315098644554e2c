"""Recorded liquidity, by the level queue: R recorded, P printed, C consumed; the world has max(0, R - P - C)."""

from .beyond import told
from .book import best_order, better_first, crosses, on_grid, take_from_head, world_to
from .matching import Taker, fill_order, match, note_print, take_recorded
from .orders import band_limit
from .state import Market, Order, Venue, WorldLevel, WorldLots
from .timers import RESILIENCE
from .wire import BUY, RATE_ONE, SELL, EventKind, TapeWalk


def tape_level(v: Venue, m: Market, side: int, price: int, lots: int, snapshot: bool) -> None:
    """The tape says that `lots` stand at a recorded price."""
    told(m, side)
    if snapshot and m.named is None:
        m.named = set()
    if m.named is not None:
        m.named.add((side, price))
    if lots or price in m.sides[side].world:
        update(m, side, price, lots)


def update(m: Market, side: int, price: int, lots: int) -> None:
    """Rules 1 to 3 of a level update."""
    level = m.sides[side].world.setdefault(price, WorldLevel())
    before = level.available
    expected = level.recorded - level.printed
    if lots < expected:  # cancelled: that may have been what simulated takers ate
        level.consumed = level.consumed * lots // expected
    if lots == 0:
        level.consumed = 0
    level.recorded, level.printed = lots, 0
    world_to(m, side, price, before, level.available)
    if lots == 0:
        del m.sides[side].world[price]


def depth_end(v: Venue, m: Market) -> None:
    """After the last row of a depth message."""
    for side in (BUY, SELL):
        for price, level in list(m.sides[side].world.items()):
            if level.printed:  # traded since the last message and not named in this one: it stands as recorded
                update(m, side, price, level.recorded)
            if m.named is not None and (side, price) not in m.named:
                update(m, side, price, 0)
    if m.named is not None:
        told(m, BUY)
        told(m, SELL)
    m.named = None
    if m.resilience_quotes:
        quotes_seen(m)
    trade_crossed(v, m)


def best_world(m: Market, side: int) -> int | None:
    """Best recorded price where something can be had."""
    world = m.sides[side].world
    standing = (at for at in better_first(world, side) if world[at].available and on_grid(m, at))
    return next(standing, None)


def quotes_seen(m: Market) -> None:
    """After a depth message: one step of resilience if a best recorded quote has moved or changed its size."""
    if quotes_of(m) != m.quotes:
        refill(m)
        m.quotes = quotes_of(m)


def quotes_of(m: Market) -> list[tuple[int, int] | None]:
    prices = [best_world(m, side) for side in (BUY, SELL)]
    return [price and (price, m.sides[side].world[price].recorded) for side, price in enumerate(prices)]


def refill(m: Market) -> None:
    """What was eaten of every level decays by a step; what comes back joins the tail."""
    if m.resilience_keep == RATE_ONE:
        return
    for side in (BUY, SELL):
        for price, level in m.sides[side].world.items():
            before = level.available
            left = (level.consumed * 65_536 - level.regrown) * m.resilience_keep // RATE_ONE if level.consumed else 0
            level.consumed = -(-left // 65_536)
            level.regrown = level.consumed * 65_536 - left
            world_to(m, side, price, before, level.available)


def start_resilience(v: Venue, m: Market) -> None:
    if m.resilience_step_ns and m.resilience_keep != RATE_ONE:
        due_ns = (v.time_ns // m.resilience_step_ns + 1) * m.resilience_step_ns
        v.timer(due_ns, RESILIENCE, m)


def refill_due(v: Venue, m: Market) -> None:
    refill(m)
    start_resilience(v, m)
    trade_crossed(v, m)


def trade_crossed(v: Venue, m: Market) -> None:
    """Rule 4: a recorded level that crosses an account's order trades with it, at the account's price."""
    if not m.matches():
        return
    for side in (BUY, SELL):
        while True:
            price, maker = best_world(m, side), best_order(m, 1 - side)
            if price is None or maker is None or not crosses(side, price + m.shift, maker.price):
                break
            lots = min(maker.lots, m.sides[side].world[price].available)
            meet(v, m, side, maker, lots)
            take_recorded(v, m, side, price, lots)


def meet(v: Venue, m: Market, side: int, maker: Order, lots: int, order_id: int = 0) -> None:
    """A recorded taker of `side` fills an account's order, at the order's price."""
    taker = Taker(m.world_position, order_id, side, maker.price, lots)
    fill_order(v, taker, maker, lots)


def first_account_order(v: Venue, m: Market, side: int, price: int) -> Order | None:
    for segment in m.sides[side].queues.get(price, []):
        if isinstance(segment, Order) and segment.account != v.world:
            return segment
    return None


def fill_better(v: Venue, m: Market, side: int, price: int, lots: int) -> int:
    """Account orders at better prices than a print would have been hit before it. Returns what is left of it."""
    makers = 1 - side
    while lots:
        prices = better_first(m.sides[makers].queues, makers)
        better = [at for at in prices if (at < price if side == BUY else at > price)]
        maker = next(filter(None, (first_account_order(v, m, makers, at) for at in better)), None)
        if maker is None:
            break
        supplied = min(maker.lots, lots)
        meet(v, m, side, maker, supplied)
        lots -= supplied
    return lots


def tape_trade(v: Venue, m: Market, side: int, price: int, lots: int) -> None:
    """A recorded trade at a recorded price; `side` is the taker's."""
    makers, venue_price = 1 - side, price + m.shift
    level = m.sides[makers].world.get(price)
    recorded, m.kept_lots = lots, 0
    if m.matches():
        lots = fill_better(v, m, side, venue_price, lots)
    repaid = 0
    if level is not None:
        repaid = min(level.consumed, lots)  # history has now taken what simulated takers took before
        level.consumed -= repaid
        level.printed += repaid
        lots -= repaid
    eat_queue(v, m, side, price, lots)
    missed(v, m, side, venue_price, repaid)
    if 1 <= venue_price <= m.price_max:
        note_print(v, m, venue_price, recorded - m.kept_lots)  # accounts had the rest


def missed(v: Venue, m: Market, side: int, venue_price: int, lots: int) -> None:
    """A part of a recorded trade found nothing."""
    if lots and m.tape_walk == TapeWalk.DEEPER and m.matches():
        lots = walk_deeper(v, m, side, venue_price, lots)
    unfilled(v, m, side, venue_price, lots)


def eat_queue(v: Venue, m: Market, side: int, price: int, lots: int) -> None:
    """From the head of the level's queue, whoever stands there; P grows by what account orders did not supply."""
    makers, venue_price = 1 - side, price + m.shift
    level = m.sides[makers].world.get(price)
    while lots and m.matches():
        maker = first_account_order(v, m, makers, venue_price)
        if maker is None:
            break
        ahead = 0
        for segment in m.sides[makers].queues[venue_price]:
            if segment is maker:
                break
            ahead += segment.lots if isinstance(segment, WorldLots) else 0
        take = min(ahead, lots)
        if take:
            level.printed += take
            take_from_head(m, makers, venue_price, take)
            lots -= take
        supplied = min(maker.lots, lots)
        if supplied:
            meet(v, m, side, maker, supplied)
            lots -= supplied
    if lots and level is not None:
        before = level.available
        level.printed += lots  # maybe beyond what is recorded: history knew more than its feed
        take_from_head(m, makers, venue_price, before - level.available)


def walk_deeper(v: Venue, m: Market, side: int, venue_price: int, lots: int) -> int:
    """Mode W: what found its liquidity eaten goes on from there as a real order, never past the band."""
    limit = band_limit(m, side, m.band_up if side == BUY else m.band_down)
    taker = Taker(m.world_position, 0, side, limit, lots, is_world=True, start=venue_price)
    match(v, taker)
    return taker.lots


def unfilled(v: Venue, m: Market, side: int, venue_price: int, lots: int) -> None:
    if lots:
        m.unfilled += lots
        v.emit(
            EventKind.TAPE_UNFILLED, market=m.number, side=side, price_ticks=venue_price, size_lots=lots,
            account=v.world,
        )  # fmt: skip
