"""Crashes made for ADL: crowds with positions, no book, hardly a fund, marks that jump. For core and twin."""

from __future__ import annotations

import random
from collections.abc import Iterator

from model import Command
from model.state import Venue
from model.wire import BUY, ISOLATED, SELL, VALUE_ONE, Flag, Kind
from stream_settings import MARKET, SECOND, VENUE, Setting, tiers

START_NS = 1_700_000_000 * SECOND
DEEP = tiers((400, "0.5", 50), (4_000, "1", 25), (40_000, "5", 10), (400_000, "10", 4))


def crash_setting(accounts: int = 20, markets: int = 2, **rules: int) -> Setting:
    """A venue whose liquidations find no book: what its fund cannot bear is deleveraged."""
    market = MARKET | {"tiers": DEEP, "size_max": 100_000, "leverage_default": 20}
    return Setting("crash", VENUE | {"reduce_method": 0} | rules, [market] * markets, accounts)


def crash(venue: Venue, seed: int, rounds: int = 60, fund: int = 0) -> Iterator[Command]:
    """Commands to apply one after the other: what they are depends on the state that those before have led to."""
    rng = random.Random(seed)
    now = START_NS
    middle = [1_000 * m.tick_value for m in venue.markets]
    for m in venue.markets:
        yield Command(Kind.SET_MARK, now, market=m.number, value=middle[m.number])
    if fund:
        yield Command(Kind.DEPOSIT, account=venue.fund_first, value=fund * VALUE_ONE)
    for account in range(venue.accounts_max):
        for m in venue.markets:
            yield Command(Kind.SET_LEVERAGE, account=account, market=m.number, value=rng.choice((2, 5, 10, 20, 50)))
            if rng.random() < 0.3:
                yield Command(Kind.SET_MARGIN_MODE, account=account, market=m.number, aux=ISOLATED)
    for number in range(rounds):
        for _ in range(venue.accounts_max):
            yield from gamble(venue, rng, middle)
        now += SECOND
        for m in venue.markets:
            jump = rng.choice((-1, 1)) * rng.uniform(0.01, 0.12)
            middle[m.number] = int(max(300, min(3_000, middle[m.number] / m.tick_value * (1 + jump))) * m.tick_value)
            more = Flag.MORE if m is not venue.markets[-1] else 0
            mark = middle[m.number] + rng.randrange(m.tick_value)
            yield Command(Kind.SET_MARK, now, market=m.number, value=mark, flags=more)
        if number % 4 == 3:
            yield Command(Kind.TICK, now + 40 * SECOND)
            now += 40 * SECOND


def gamble(venue: Venue, rng: random.Random, middle: list[int]) -> Iterator[Command]:
    """One account without a position gets some money and one that is large for it, entered near the mark."""
    account, m = rng.randrange(venue.accounts_max), rng.choice(venue.markets)
    held = venue.find_position(account, m)
    if held and held.lots:
        return
    lots, entry = rng.choice((1, 7, 30, 100, 333, 1_000)), int(middle[m.number] * rng.uniform(0.97, 1.03))
    notional = lots * m.lot_numerator * entry // m.lot_denominator
    leverage = held.leverage if held else m.leverage_default
    money = notional // min(leverage, rng.choice((3, 8, 15, 30))) + notional // 20 + rng.randrange(1, 1_000)
    yield Command(Kind.DEPOSIT, account=account, value=money)
    yield Command(
        Kind.SEED_POSITION, account=account, market=m.number, side=rng.choice((BUY, SELL)), size_lots=lots, value=entry,
    )  # fmt: skip
