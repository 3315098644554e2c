"""What does a market-wide slide cost per account that has to be looked at, and how many looks does a liquidation need?

Mix      50 markets, 1,000,000 accounts, 3 cross positions each in markets of their own choosing; account leverage
         (gross notional over deposit) 1 to 50, most of it low; half of the accounts all long or all short, half with
         sides of chance, so hedged in part; entries up to 2 % off the mark; an account's positions are seeded one after
         the other, so they lie together in memory
Path     600 groups of 50 marks (FLAG MORE), one a second: all markets lose 10 % times a beta of 0.7 to 1.3, in equal
         steps, each with a noise of 3 basis points a step of its own; the rulebook knows the betas as volatilities
Measured `ns_per_look` is the whole time of the mark groups over the looks, with the liquidation delay set so long that
         the found are reported and put on a timer but not worked on; `ns_per_look_all` is the same with the waterfall
         at work: no book, so everyone found is taken over by a fund rich enough for all
Left out books (see gap), ADL (see adl), isolated positions (their trigger is exact: one look a liquidation)
Checked  in the small size, by a full scan at the marks of each group (bench/scan.py): before the group it finds those
         whom the engine then liquidates, after it nobody

Bar: at most 500 ns a look; aim at 20 or fewer looks a liquidation.
"""

from __future__ import annotations

import numpy as np
from perpsim.core import Engine, EventKind, Kind
from perpsim.exchange import Rulebook

from .crowd import VALUE_ONE, Seats, lots_for, mark_group, settle_in, start_marks, value_of, venue
from .harness import Result, clock, commands, expect, feed, main, of_kind
from .scan import under_maintenance

SMALL = {"accounts": 500, "markets": 10, "groups": 50, "repeats": 1, "scan": True}
LARGE = {"accounts": 1_000_000, "markets": 50, "groups": 600, "repeats": 5, "scan": False}
LEVERAGES = {1: 0.2, 2: 0.2, 3: 0.15, 5: 0.2, 10: 0.15, 20: 0.08, 50: 0.02}  # leverage: share of the accounts
POSITIONS = 3
DROP, NOISE = 0.10, 0.0003
SECOND_NS, HOUR_NS = 1_000_000_000, 3_600_000_000_000
FUND = 10_000_000_000 * VALUE_ONE


def betas(markets: int) -> list[float]:
    return np.linspace(0.7, 1.3, markets).tolist()


def crowd(book: Rulebook, accounts: int, rng: np.random.Generator) -> tuple[np.ndarray, Seats]:
    """Deposits and positions, every account healthy at the start."""
    markets, marks = len(book.markets), start_marks(book)
    account = np.repeat(np.arange(accounts), POSITIONS)
    first, step = rng.integers(0, markets, accounts), rng.integers(1, (markets + 1) // 2, accounts)
    market = (first[account] + step[account] * np.tile(np.arange(POSITIONS), accounts)) % markets
    lots = lots_for(market, book, marks, rng.exponential(5_000, len(account)) + 200)
    alike = (rng.random(accounts) < 0.5)[account]
    short = np.where(alike, (rng.random(accounts) < 0.5)[account], rng.random(len(account)) < 0.5)
    lots[short] *= -1
    entry = (marks[market] * (1 + rng.uniform(-0.02, 0.02, len(account)))).astype(np.int64)
    cost, value = value_of(market, book, lots, entry), value_of(market, book, lots, marks[market])
    gross, loss = (column.reshape(-1, POSITIONS).sum(axis=1) for column in (np.abs(cost), cost - value))
    leverage = rng.choice(list(LEVERAGES), accounts, p=list(LEVERAGES.values()))
    return gross // leverage + np.maximum(loss, 0), Seats(account, market, lots, entry)


def path(book: Rulebook, groups: int, rng: np.random.Generator) -> np.ndarray:
    """Marks (groups, markets)."""
    markets = len(book.markets)
    fall = 1 - DROP * np.outer(np.arange(1, groups + 1) / groups, betas(markets))
    noise = np.exp(np.cumsum(rng.normal(0, NOISE, (groups, markets)), axis=0))
    return (start_marks(book) * fall * noise).astype(np.int64)


def slide(seed: int, accounts: int, markets: int, groups: int, delay_ns: int, scan: bool) -> tuple[Engine, np.ndarray]:
    """The engine after the slide, and the seconds of each group."""
    book = venue(markets, betas(markets), liquidation_delay_ns=delay_ns)
    engine = Engine(book, book.markets, accounts)
    feed(engine, commands(Kind.DEPOSIT, 1, account=engine.house["funds"][0], value=FUND))
    settle_in(engine, *crowd(book, accounts, np.random.default_rng([seed, 1])), start_marks(book))
    expect(engine.statistics()["looks"] == 0, "everybody starts healthy")
    spent = np.zeros(groups)
    for number, marks in enumerate(path(book, groups, np.random.default_rng([seed, 2]))):
        rows = mark_group(marks)
        rows["time_ns"] = (number + 1) * SECOND_NS
        wanted = under_maintenance(engine, book, marks) if scan else None
        before = clock()
        events = engine.apply(rows)
        spent[number] = clock() - before
        if scan:
            found = set(of_kind(events, EventKind.LIQUIDATION_STARTED)["account"].tolist())
            expect(found == wanted, f"group {number}: the found {found} are not those under maintenance {wanted}")
            expect(not under_maintenance(engine, book, marks), f"group {number} left somebody under maintenance")
        del events
    return engine, spent


def measure(seed: int, accounts: int, markets: int, groups: int, repeats: int, scan: bool) -> Result:
    looks_only, everything, worst = [], [], []
    for _ in range(repeats):
        engine, spent = slide(seed, accounts, markets, groups, HOUR_NS, scan)
        looks_only.append(spent.sum() / engine.statistics()["looks"] * 1e9)
        del engine  # two of them might not fit
        engine, spent = slide(seed, accounts, markets, groups, 0, scan)
        counts = engine.statistics()
        everything.append(spent.sum() / counts["looks"] * 1e9)
        worst.append(spent.max() * 1e3)
    figures = {"ns_per_look": looks_only, "ns_per_look_all": everything, "ms_worst_group": worst}
    figures["looks_per_liquidation"] = [counts["looks"] / counts["liquidations"]]
    details = {"looks": counts["looks"], "liquidations": counts["liquidations"], "accounts": accounts, "groups": groups}
    return Result(figures, details, engine.digest())


if __name__ == "__main__":
    main("slide", measure, SMALL, LARGE)
