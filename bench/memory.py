"""How many bytes do an account and a resting order take?

Mix      accounts: 1,000,000 with one cross position each in one market, all triggers standing;
         orders: 1,000,000 resting limit orders of 10,000 accounts, over 2,000 prices of one market
Measured growth of the resident set (/proc/self/statm), each in a process of its own: from before the engine is made to
         when all accounts have their position; from one order an account to all orders. Pools, indexes, ladders and
         what the allocator keeps are in it; the arrays of commands are there before and after
Left out several assets, conditional orders, snapshots

Bar: at most 400 bytes an account, at most 96 an order.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from perpsim.core import Engine, Kind, Side

from .crowd import VALUE_ONE, settle_in, solo, start_marks, venue
from .harness import Result, commands, expect, feed, main

SMALL = {"accounts": 20_000, "orders": 20_000}
LARGE = {"accounts": 1_000_000, "orders": 1_000_000}
ORDERS_EACH = 100
PRICES = 1_000  # ticks on each side of the mark
EVENTS_BATCH = 4_096  # the event buffer has reached its size before the orders are counted


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def seated(accounts: int, seed: int) -> tuple[float, str]:
    """Bytes an account, and the engine's digest."""
    book = venue(1)
    deposits, seats = solo(book, accounts, np.random.default_rng([seed, accounts]), [1, 2, 3, 5, 10, 20])
    before = resident_bytes()
    engine = Engine(book, book.markets, accounts)
    settle_in(engine, deposits, seats, start_marks(book))
    grown = resident_bytes() - before
    expect(engine.statistics()["positions"] == accounts + 2, "one position each, and the world's and the fund's")
    return grown / accounts, engine.digest()


def resting(orders: int, seed: int) -> tuple[float, str]:
    """Bytes an order, and the engine's digest."""
    book = venue(1)
    accounts = max(1, orders // ORDERS_EACH)
    engine = Engine(book, book.markets, accounts)
    rich = commands(Kind.DEPOSIT, accounts, account=np.arange(accounts), value=10_000_000 * VALUE_ONE)
    feed(engine, rich)
    feed(engine, commands(Kind.SET_MARK, 1, value=start_marks(book)[0]))
    number = np.arange(orders + accounts)
    middle = int(start_marks(book)[0]) // book.markets[0].tick_value
    away = np.random.default_rng([seed, orders]).integers(1, PRICES + 1, len(number))
    side = number // accounts % 2
    rows = commands(Kind.PLACE, len(number), account=number % accounts, order_id=number, side=side, size_lots=1)
    rows["price_ticks"] = middle + np.where(side == Side.BUY, -away, away)
    feed(engine, rows[:accounts], EVENTS_BATCH)
    before = resident_bytes()
    feed(engine, rows[accounts:], EVENTS_BATCH)
    grown = resident_bytes() - before
    expect(engine.statistics()["live_orders"] == len(number), "every order rests")
    return grown / orders, engine.digest()


def alone(function, count: int, seed: int) -> tuple[float, str]:
    """The answer of a fresh process, which has been through the same once with a small number."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(function, 8_192, seed).result()
        return pool.submit(function, count, seed).result()


def measure(seed: int, accounts: int, orders: int) -> Result:
    account_bytes, _ = alone(seated, accounts, seed)
    order_bytes, digest = alone(resting, orders, seed)
    figures = {"bytes_per_account": [account_bytes], "bytes_per_order": [order_bytes]}
    return Result(figures, {"accounts": accounts, "orders": orders}, digest)


if __name__ == "__main__":
    main("memory", measure, SMALL, LARGE)
