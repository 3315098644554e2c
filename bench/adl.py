"""What does it cost to choose who is deleveraged, among 1,000,000 positions of the opposite side?

Mix      one market; 1,000,000 shorts with one cross position each, entered up to 10 % above the mark, leverage 1 to 10;
         101 longs, bankrupt at the mark that finds them, and a fund without money, so that ADL is the only step left:
         the first long needs one counterparty, the others some thousand each
Measured `ms_first_choice`: the mark group that finds the first long, which ranks everybody and takes one;
         `us_further_choice`: the group that finds the others, less the time of the first, over its further
         counterparties; each choice closes the counterparty's position and reports it. BitMEX's and Binance's ranking
Left out books (forced orders find nothing), isolated winners, liquidations in several markets at once
Checked  in the first repeat, the counterparties are the best by a ranking of its own (below), ties by account, in that
         order; in all, money and lots are conserved

No bar.
"""

from __future__ import annotations

import heapq

import numpy as np
from perpsim.core import AdlPolicy, Engine, EventKind
from perpsim.exchange import Rulebook

from .crowd import VALUE_ONE, Seats, mark_group, settle_in, solo, start_marks, value_of, venue
from .harness import Result, expect, main, of_kind, rows_of, timed
from .scan import RATE_ONE, conserved, maintenance

SMALL = {"accounts": 2_000, "longs": 3, "further": 50, "repeats": 1}
LARGE = {"accounts": 1_000_000, "longs": 100, "further": 1_000, "repeats": 5}
FALLS = (0.01, 0.03)  # of the mark, from the start: the first long is found, then the others
LOTS = (10, 30)  # of a counterparty


def prepared(book: Rulebook, rng: np.random.Generator, accounts: int, longs: int, further: int) -> Engine:
    """`accounts` shorts, and after them the longs, with money for 9/10 of the fall that will find them."""
    everybody = accounts + 1 + longs
    engine = Engine(book, book.markets, everybody)
    _, seats = solo(book, everybody, rng, [1])
    lots = -rng.integers(*LOTS, everybody)
    lots[accounts:] = [1] + [further * sum(LOTS) // 2] * longs
    entry = (seats.entry * rng.uniform(1, 1.1, everybody)).astype(np.int64)
    entry[accounts:] = start_marks(book)
    deposits = np.abs(value_of(seats.market, book, lots, entry)) // rng.choice([1, 2, 3, 5, 10], everybody)
    falls = np.array([FALLS[0]] + [FALLS[1]] * longs)
    deposits[accounts:] = 0.9 * falls * value_of(seats.market, book, lots, entry)[accounts:]
    settle_in(engine, deposits, Seats(seats.account, seats.market, lots, entry), start_marks(book))
    expect(engine.statistics()["liquidations"] == 0, "everybody starts healthy")
    return engine


def ratio(part: int, whole: int) -> int:
    return part * RATE_ONE // whole


def queue(engine: Engine, book: Rulebook, mark: int, policy: AdlPolicy, places: int) -> list[int]:
    """The first accounts of the ADL queue of shorts, who all win: highest score first, then lowest account."""
    spec = book.markets[0]
    balances = engine.accounts()["balance"].tolist()
    customers = engine.house["world"]
    scores = []
    for account, lots, cost in rows_of(engine.positions(), "account", "lots", "cost"):
        if account >= customers or lots >= 0:
            continue
        value = lots * spec.lot_numerator * mark // spec.lot_denominator
        gain, equity = value - cost, balances[account] + value - cost
        if policy == AdlPolicy.BITMEX:
            score = ratio(gain, -cost) * ratio(-value, equity)
        else:
            score = ratio(gain, max(VALUE_ONE, balances[account])) * ratio(maintenance(spec, -value), equity)
        scores.append((-score, account))
    return [account for _, account in heapq.nsmallest(places, scores)]


def choices(
    book: Rulebook, seed: int, accounts: int, longs: int, further: int, check: bool
) -> tuple[float, float, Engine]:
    """ms of the first choice, us of each further one, and the engine."""
    engine = prepared(book, np.random.default_rng([seed, accounts]), accounts, longs, further)
    first, second = (mark_group((start_marks(book) * (1 - fall)).astype(np.int64)) for fall in FALLS)
    seconds_first, events = timed(engine.apply, first)
    expect(len(of_kind(events, EventKind.ADL)) == 1, "one counterparty for the first long")
    wanted = queue(engine, book, int(second["value"][0]), book.adl_policy, longs * further * 2) if check else []
    seconds_second, events = timed(engine.apply, second)
    expect(len(of_kind(events, EventKind.LIQUIDATION_STARTED)) == longs, "the other longs are found")
    chosen = of_kind(events, EventKind.ADL)["account"].tolist()
    each_once = list(dict.fromkeys(chosen))  # two longs may share the one between them
    expect(len(each_once) > longs * further // 2, "many counterparties are needed")
    expect(not check or each_once == wanted[: len(each_once)], "the counterparties head the queue, in its order")
    conserved(engine)
    return seconds_first * 1e3, (seconds_second - seconds_first) / (len(chosen) - 1) * 1e6, engine


def measure(seed: int, accounts: int, longs: int, further: int, repeats: int) -> Result:
    figures = {}
    for policy in (AdlPolicy.BITMEX, AdlPolicy.BINANCE):
        book = venue(1, adl_policy=policy)
        firsts, furthers = [], []
        for repeat in range(repeats):
            ms_first, us_further, engine = choices(book, seed, accounts, longs, further, check=repeat == 0)
            firsts.append(ms_first)
            furthers.append(us_further)
        name = policy.name.lower()
        figures |= {f"ms_first_choice_{name}": firsts, f"us_further_choice_{name}": furthers}
    details = {"accounts": accounts, "longs": 1 + longs, "counterparties_each": further, "repeats": repeats}
    return Result(figures, details, engine.digest())


if __name__ == "__main__":
    main("adl", measure, SMALL, LARGE)
