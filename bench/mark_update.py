"""What does a mark cost when it crosses nobody, and does that depend on how many accounts there are?

Mix      one market; N accounts with one cross position each, half long, half short, leverage 1 to 20,
         entered at the starting mark; so the nearest liquidation price is 4 % away
Sizes    N = 1,000, 10,000, 100,000 and 1,000,000, all in one process; the engines take turns, so that a busy moment of
         the machine falls on each of them
Measured SET_MARK through `Engine.apply`, 1,024 a batch, each a group of its own and different from the one before,
         within 1 % of the start; event and digest included
Left out crossings (see slide and gap), books, stop orders, computed marks

Bar: at most 200 ns, aim 100; at 1,000,000 accounts at most 1.5 times the cost at 1,000.
"""

from __future__ import annotations

import statistics

import numpy as np
from perpsim.core import Engine, EventKind, Kind

from .crowd import settle_in, solo, start_marks, venue
from .harness import Result, clock, commands, expect, main, of_kind

SMALL = {"accounts": [100, 2_000], "marks": 2_048, "repeats": 2}
LARGE = {"accounts": [1_000, 10_000, 100_000, 1_000_000], "marks": 262_144, "repeats": 11}
BATCH = 1_024


def prepared(accounts: int, seed: int) -> Engine:
    book = venue(1)
    engine = Engine(book, book.markets, accounts)
    deposits, seats = solo(book, accounts, np.random.default_rng([seed, accounts]), [1, 2, 3, 5, 10, 20])
    settle_in(engine, deposits, seats, start_marks(book))
    return engine


def moving_marks(count: int, seed: int) -> np.ndarray:
    """SET_MARK commands anywhere within 1 % of the start."""
    start = int(start_marks(venue(1))[0])
    wander = np.random.default_rng(seed).integers(-start // 100, start // 100, count)
    return commands(Kind.SET_MARK, count, value=start + wander)


def ns_each(engine: Engine, rows: np.ndarray) -> float:
    """CPU time of one command."""
    spent = 0.0
    for first in range(0, len(rows), BATCH):
        part = rows[first : first + BATCH]
        before = clock()
        events = engine.apply(part)
        spent += clock() - before
        expect(len(of_kind(events, EventKind.MARK)) == len(events) == len(part), "a mark is one event, and nobody's")
        del events
    return spent / len(rows) * 1e9


def measure(seed: int, accounts: list[int], marks: int, repeats: int) -> Result:
    engines = {count: prepared(count, seed) for count in accounts}
    rows = moving_marks(marks, seed)
    looks = {count: engine.statistics()["looks"] for count, engine in engines.items()}
    times = {count: [] for count in accounts}
    for _ in range(repeats):
        for count, engine in engines.items():
            times[count].append(ns_each(engine, rows))
    for count, engine in engines.items():
        expect(engine.statistics()["looks"] == looks[count], "a mark that crosses nobody looks at nobody")
        expect(engine.statistics()["positions"] == count + 2, "one position each, and the world's and the fund's")
    figures = {f"ns_per_mark_{count}_accounts": values for count, values in times.items()}
    figures["ratio"] = [statistics.median(times[accounts[-1]]) / statistics.median(times[accounts[0]])]
    return Result(figures, {"marks": marks, "repeats": repeats}, engines[accounts[-1]].digest())


if __name__ == "__main__":
    main("mark_update", measure, SMALL, LARGE)
