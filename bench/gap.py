"""What does one liquidation cost when a gap in the mark liquidates many at once, book fills included?

Mix      one market; 1,000,000 accounts with one cross position each, half long, leverage 1 to 10; 10,000 longs, chosen
         by lot, whose money runs out between 0.04 % and 0.36 % of notional above bankruptcy at the mark after the gap
Book     recorded bids (TAPE_LEVEL) on every tick from the new mark down to 0.4 % below it, together 0.9 times what the
         found hold; so most forced orders are filled, and the fund takes over what is left
Measured the one SET_MARK that gaps 5 % down, over the accounts that it liquidates: triggers, looks, order of work,
         forced orders, fills, fees, takeovers, events and digest
Left out account orders in the book, ADL, accounts with several positions (see slide)
Checked  the liquidated are exactly those chosen, money and lots are conserved; in the small size, a full scan at the
         new mark finds the same accounts before the gap and nobody after it

Bar: under 5 us a liquidated account.
"""

from __future__ import annotations

import numpy as np
from perpsim.core import Engine, EventKind, Flag, Kind, Side
from perpsim.exchange import Rulebook

from .crowd import VALUE_ONE, mark_group, settle_in, solo, start_marks, value_of, venue
from .harness import Result, commands, expect, feed, main, of_kind, timed
from .scan import conserved, under_maintenance

SMALL = {"accounts": 2_000, "victims": 40, "repeats": 1, "scan": True}
LARGE = {"accounts": 1_000_000, "victims": 10_000, "repeats": 5, "scan": False}
GAP = 0.05
DEPTH = 0.9  # of what the found hold
FUND = 1_000_000_000 * VALUE_ONE


def bids(mark_ticks: int, lots: int) -> np.ndarray:
    """Recorded bids of equal size that hold `lots` together, as one depth message."""
    prices = np.arange(mark_ticks, mark_ticks * 996 // 1000, -1)
    lots_each = lots // len(prices) + 1
    rows = commands(Kind.TAPE_LEVEL, len(prices), side=Side.BUY, price_ticks=prices, size_lots=lots_each)
    rows["flags"][:-1] = Flag.MORE
    return rows


def prepared(seed: int, accounts: int, victims: int) -> tuple[Engine, Rulebook, np.ndarray]:
    """The venue before the gap, its rulebook, and who is to be found."""
    book = venue(1)
    engine = Engine(book, book.markets, accounts)
    feed(engine, commands(Kind.DEPOSIT, 1, account=engine.house["funds"][0], value=FUND))
    rng = np.random.default_rng([seed, accounts])
    deposits, seats = solo(book, accounts, rng, [1, 2, 3, 5, 10])
    chosen = rng.choice(np.flatnonzero(seats.lots > 0), victims, replace=False)
    cost = value_of(seats.market, book, seats.lots, seats.entry)[chosen]
    value = value_of(seats.market, book, seats.lots, marks_after(book)[seats.market])[chosen]
    deposits[chosen] = cost - value + (value * rng.uniform(0.0004, 0.0036, victims)).astype(np.int64)
    mark_ticks = int(marks_after(book)[0]) // book.markets[0].tick_value
    feed(engine, bids(mark_ticks, int(seats.lots[chosen].sum() * DEPTH)))
    settle_in(engine, deposits, seats, start_marks(book))
    expect(engine.statistics()["liquidations"] == 0, "everybody starts healthy")
    return engine, book, np.sort(chosen)


def marks_after(book: Rulebook) -> np.ndarray:
    return (start_marks(book) * (1 - GAP)).astype(np.int64)


def measure(seed: int, accounts: int, victims: int, repeats: int, scan: bool) -> Result:
    times = []
    for _ in range(repeats):
        engine, book, chosen = prepared(seed, accounts, victims)
        marks = marks_after(book)
        if scan:
            found = under_maintenance(engine, book, marks)
            expect(found == set(chosen.tolist()), "a full scan finds the chosen")
        seconds, events = timed(engine.apply, mark_group(marks))
        times.append(seconds / victims * 1e6)
        started = of_kind(events, EventKind.LIQUIDATION_STARTED)["account"]
        expect(np.array_equal(np.sort(started), chosen), "the liquidated are the chosen")
        expect(not (scan and under_maintenance(engine, book, marks)), "nobody is left under maintenance")
        conserved(engine)
    fills, takeovers = of_kind(events, EventKind.TRADE), of_kind(events, EventKind.TAKEOVER)
    expect(len(fills) > 0 and len(takeovers) > 0, "both the book and the fund take part")
    details = {"accounts": accounts, "liquidated": victims, "repeats": repeats, "events": len(events)}
    details |= {"fills": len(fills), "lots_filled": int(fills["size_lots"].sum())}
    details |= {"takeovers": len(takeovers), "lots_taken_over": int(takeovers["size_lots"].sum())}
    return Result({"us_per_liquidation": times}, details, engine.digest())


if __name__ == "__main__":
    main("gap", measure, SMALL, LARGE)
