"""How fast does a recording replay beside hftbacktest, when nobody trades?

Mix      the levels and trades of the shipped recording (USD-M BTCUSDT), laid end to end until there are 20 million: the
         tape of `bench.replay`, and the same rows as hftbacktest's events, each round's snapshot after an event that
         clears the book
Measured `perpsim`: the stored tape (Parquet, decoded while it runs) through the kernel, as `bench.replay` does it
         `hashmap`, `roivector`: hftbacktest with each of its kinds of depth, events of 64 bytes already in memory, a
         strategy that does nothing in steps of an hour; `..._feed`: one that waits for each feed; `..._one_book`: the
         events marked for its exchange only, so that it keeps one book, of which no strategy sees anything
         all in million rows a second of wall clock, by turns, and `..._cpu_ns_per_row` of all threads; `ratio` is
         perpsim's speed over that of the fastest strategy that sees a book, in the same turn
Left out compiling the strategies, converting, reading hftbacktest's events from a file; its latencies are nothing, the
         fastest it has
Checked  hftbacktest's books and the engine's are the recorded one, all levels; trades are counted, and rows

Needs the extra `compare` (hftbacktest with numba), and 5 GB of memory at its large size.
Bar: a ratio of at least 1.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from perpsim.core import Side
from perpsim.replay.readers.hftbacktest import (
    AT_EXCHANGE,
    BOUGHT,
    CLEAR,
    DEPTH,
    FIELDS,
    LAYOUTS,
    SOLD,
    TRADE,
    WHOLE,
)
from perpsim.replay.tape import ROW_MASK, SELL, SNAPSHOT, Row, Tape, open_tape
from perpsim.replay.tape_writer import write as write_tape

from .harness import Result, expect, main
from .replay import book_rows, end_to_end, import_pair, recorded_book, run

SMALL = {"rows": 1, "repeats": 1}
LARGE = {"rows": 20_000_000, "repeats": 5}
EVENT = np.dtype([(name, f"<{kind}8") for name, kind in zip(FIELDS, LAYOUTS[0], strict=True)])
AT_HOME = 1 << 30  # an event's flag: the strategy's own side sees it
HOUR_NS = 3_600_000_000_000
DEPTHS = ("hashmap", "roivector")
Book = tuple[dict[int, int], dict[int, int]]


def events_of(tape: Tape, flags: int = AT_EXCHANGE | AT_HOME) -> np.ndarray:
    """The levels and trades of a tape as hftbacktest's events; both its sides see them at the exchange's time.

    Before a snapshot comes an event that clears the book: its rows name the levels that there are.
    """
    kinds = tape.code & ROW_MASK
    kept = (kinds == Row.LEVEL) | (kinds == Row.TRADE)
    code, time_ns = tape.code[kept], tape.time_ns[kept]
    level, whole = kinds[kept] == Row.LEVEL, (code & SNAPSHOT) != 0
    found = np.zeros(len(code), EVENT)
    found["ev"] = np.where(level, np.where(whole, WHOLE, DEPTH), TRADE) | np.where(code & SELL, SOLD, BOUGHT) | flags
    found["exch_ts"] = found["local_ts"] = time_ns
    found["px"] = tape.price[kept] * float(tape.instrument.tick)
    found["qty"] = tape.value[kept] * float(tape.instrument.lot)
    starts = np.flatnonzero(whole & ~np.append(False, whole[:-1]))
    clears = np.zeros(len(starts), EVENT)
    clears["ev"] = CLEAR | flags
    clears["exch_ts"] = clears["local_ts"] = time_ns[starts]
    return np.insert(found, starts, clears)


def write_npz(path: str | Path, tape: Tape) -> None:
    """A file that hftbacktest and `perpsim import` read."""
    np.savez(path, data=events_of(tape))


class Other(NamedTuple):
    """hftbacktest: one asset of one tape, and strategies that do nothing, compiled."""

    make: Callable[..., Any]  # (depth, events, trades to keep) -> a backtest
    elapse: Callable[[Any], int]
    feed: Callable[[Any], int]


def hftbacktest(tape: Tape) -> Other:
    """Raises SystemExit where it is not installed."""
    try:
        import hftbacktest as hft
        from numba import njit
    except ImportError as error:
        raise SystemExit(f"{error}; install the extra: pip install 'perpsim[compare]'") from error
    tick, lot = float(tape.instrument.tick), float(tape.instrument.lot)
    prices = tape.price[tape.code & ROW_MASK == Row.LEVEL]
    lowest, highest = (int(prices.min()) - 1) * tick, (int(prices.max()) + 1) * tick

    def make(depth: str, events: np.ndarray, trades: int = 0) -> Any:
        asset = hft.BacktestAsset().data(events).linear_asset(1.0).tick_size(tick).lot_size(lot)
        asset = asset.constant_order_latency(0, 0).risk_adverse_queue_model().no_partial_fill_exchange()
        asset = asset.trading_value_fee_model(0, 0).last_trades_capacity(trades)
        if depth == "hashmap":
            return hft.HashMapMarketDepthBacktest([asset])
        return hft.ROIVectorMarketDepthBacktest([asset.roi_lb(lowest).roi_ub(highest)])

    @njit
    def elapse(backtest):  # pragma: no cover - compiled
        while backtest.elapse(HOUR_NS) == 0:
            pass
        return backtest.current_timestamp

    @njit
    def feed(backtest):  # pragma: no cover - compiled
        while backtest.wait_next_feed(False, HOUR_NS) in (0, 2):
            pass
        return backtest.current_timestamp

    few = events_of(tape)[:5_000]
    for depth in DEPTHS:  # compiles them
        for strategy in (elapse, feed):
            strategy(backtest := make(depth, few))
            backtest.close()
    return Other(make, elapse, feed)


def its_book(depth: str, backtest: Any, tape: Tape) -> Book:
    """Ticks and lots of both sides."""
    tick, lot = float(tape.instrument.tick), float(tape.instrument.lot)
    books: Book = ({}, {})
    found = backtest.depth(0)
    if depth == "hashmap":
        rows = found.snapshot()
        for flags, price, size in zip(rows["ev"].tolist(), rows["px"].tolist(), rows["qty"].tolist(), strict=True):
            books[flags & SOLD != 0][round(price / tick)] = round(size / lot)
        found.snapshot_free(rows)
        return books
    for book, sizes in zip(books, (found.bid_depth, found.ask_depth), strict=True):
        places = np.flatnonzero(sizes > 0)
        prices = (places + found.roi_lb_tick).tolist()
        book |= dict(zip(prices, np.rint(sizes[places] / lot).astype(np.int64).tolist(), strict=True))
    return books


def check(other: Other, events: np.ndarray, tape: Tape, book: Book) -> None:
    """It has seen every row: the book is the recorded one, the trades are as many, the best prices where they were."""
    trades = int((tape.code & ROW_MASK == Row.TRADE).sum())
    for depth in DEPTHS:
        other.elapse(backtest := other.make(depth, events, trades))
        expect(its_book(depth, backtest, tape) == book, f"the book of {depth} is the recorded one")
        expect(len(backtest.last_trades(0)) == trades, f"{depth} has seen {trades} trades")
        found = backtest.depth(0)
        best = (found.best_bid_tick, found.best_ask_tick)
        expect(best == (max(book[0]), min(book[1])), f"the best prices of {depth} are the recorded ones")
        backtest.close()


def clocks(function: Callable, *arguments: Any) -> np.ndarray:
    """Wall clock and CPU of all threads, in seconds."""
    before = time.perf_counter(), time.process_time()
    function(*arguments)
    return np.array([time.perf_counter() - before[0], time.process_time() - before[1]])


def measure(seed: int, rows: int, repeats: int) -> Result:
    """The recording is what it is: the seed decides nothing."""
    with tempfile.TemporaryDirectory() as folder:
        tape = end_to_end(import_pair(f"{folder}/import"), rows)
        write_tape(tape, Path(folder) / "long")
        stored = open_tape(Path(folder) / "long")
        other, events, book = hftbacktest(tape), events_of(tape), recorded_book(tape)
        count = book_rows(tape.code)
        expect(int((events["ev"] & 0xFF != CLEAR).sum()) == count, "both have the same rows")
        check(other, events, tape, book)
        taken: dict[str, list[np.ndarray]] = {"perpsim": []}
        for _ in range(repeats):
            taken["perpsim"].append(clocks(lambda: expect(run(stored)[1] == len(tape), "every row is taken")))
            for depth in DEPTHS:
                for name, strategy in (("", other.elapse), ("_feed", other.feed)):
                    taken.setdefault(depth + name, []).append(clocks(strategy, other.make(depth, events)))
            events["ev"] ^= np.uint64(AT_HOME)
            for depth in DEPTHS:
                taken.setdefault(f"{depth}_one_book", []).append(clocks(other.elapse, other.make(depth, events)))
            events["ev"] ^= np.uint64(AT_HOME)
        engine, _ = run(stored)
    for side, levels in zip((Side.BUY, Side.SELL), book, strict=True):
        expect(dict(engine.book(0, side).tolist()) == levels, "the engine's book is the recorded one")
    figures = {name: [count / each[0] / 1e6 for each in times] for name, times in taken.items()}
    seeing = [speeds for name, speeds in figures.items() if name != "perpsim" and not name.endswith("one_book")]
    ratio = [ours / max(theirs) for ours, *theirs in zip(figures["perpsim"], *seeing, strict=True)]
    figures |= {f"{name}_cpu_ns_per_row": [each[1] / count * 1e9 for each in times] for name, times in taken.items()}
    details = {"rows": count, "best_bid": max(book[0]), "best_ask": min(book[1]), "repeats": repeats}
    return Result({"ratio": ratio} | figures, details, engine.digest())


if __name__ == "__main__":
    main("against_hftbacktest", measure, SMALL, LARGE)
