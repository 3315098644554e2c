"""A crash of which only trades are known: the same hour under several stated books and several readings of its marks.

    python -m tests.thin_day PERP.csv.gz SPOT.csv.gz --interest 10_000_000

PERP and SPOT are a day's trades in Tardis' layout, of a COIN-M perpetual and of its coin elsewhere. One-minute bars
are made of them in the archive's layout: the index is the last spot price of each second, the mark the median of
index, index plus the mean basis of 30 s, and last price. So everything that a replay gets are prints and bars. Prints a
table, a row a run: what was stated, and what came of it, and a line on how the prints fit the stated book.
`--interest` is the stated open interest in USD.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.csv as csv
from perpsim.replay import outcomes
from perpsim.replay.importing import import_files
from perpsim.replay.scenario import parse

NAMES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
HEAD = (
    "depth, USD", "mark", "bars", "lowest mark", "liquidated", "closed by force", "in the book", "by the fund",
    "by ADL", "deficit",
)  # fmt: skip
BASIS_SECONDS = 30
SCENARIO = """
[run]
name = "{name}"
seed = 1
interval = 10
start = {day}T21:00:00Z
end = {day}T22:00:00Z
[venue]
rulebook = "binance-coinm"
date = {day}
[tape]
store = "{store}"
synthetic = {{ depth = {depth}, slope = 0.01, levels = 300, spread = 1 }}
mark = "{mark}"
bars = "{bars}"
[fund]
initial = {fund}
[population]
accounts = 2_000
open_interest = {interest}
correlation = -0.4
cushion = 0.5
entry = {{ spread = 0.05, turnover = 0.5 }}
leverage = [
    {{ leverage = 3, weight = 0.3 }}, {{ leverage = 10, weight = 0.4 }}, {{ leverage = 20, weight = 0.2 }},
    {{ leverage = 50, weight = 0.1 }},
]
"""
CASES = (  # depth of the best level in USD, mark, bars
    (10_000, "computed", "close"), (1_000, "computed", "close"), (100_000, "computed", "close"),
    (10_000, "computed", "open-low-high-close"), (10_000, "computed", "open-high-low-close"),
    (10_000, "taped", "close"), (10_000, "taped", "open"), (10_000, "taped", "open-low-high-close"),
    (10_000, "taped", "open-high-low-close"),
)  # fmt: skip


def seconds_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(seconds since the epoch, last price up to the end of each), without gaps between the first and the last."""
    table = csv.read_csv(path)
    second = table.column("timestamp").to_numpy() // 1_000_000
    price = table.column("price").to_numpy()
    grid = np.arange(second[0], second[-1] + 1)
    return grid, price[np.searchsorted(second, grid, "right") - 1]


def mean_of_last(values: np.ndarray, count: int) -> np.ndarray:
    """Mean of each value and those before it, `count` at most."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    end = np.arange(1, len(values) + 1)
    begin = np.maximum(0, end - count)
    return (total[end] - total[begin]) / (end - begin)


def write_bars(path: Path, second: np.ndarray, price: np.ndarray) -> None:
    """One-minute bars of prices that stand from second to second."""
    path.parent.mkdir(parents=True)
    minute = second // 60
    starts = np.flatnonzero(np.append(True, minute[1:] != minute[:-1]))
    last = np.append(starts[1:], len(second)) - 1
    lines = [NAMES]
    for at, (low, high) in enumerate(
        zip(np.minimum.reduceat(price, starts), np.maximum.reduceat(price, starts), strict=True)
    ):
        begin = int(minute[starts[at]]) * 60_000
        texts = [f"{number:.8f}" for number in (price[starts[at]], high, low, price[last[at]])]
        lines.append(",".join([str(begin), *texts, "0", str(begin + 59_999), "0", "60", "0", "0", "0"]))
    path.write_text("\n".join(lines) + "\n")


def make_store(perp: Path, spot: Path, folder: Path, symbol: str, day: str) -> tuple[Path, float]:
    """The tape of a day, and the price of the contract at its start."""
    (at, last), (at_spot, index) = seconds_of(perp), seconds_of(spot)
    second = np.arange(max(at[0], at_spot[0]), min(at[-1], at_spot[-1]) + 1)
    last, index = last[second - at[0]], index[second - at_spot[0]]
    mark = np.median([index, index + mean_of_last(last - index, BASIS_SECONDS), last], axis=0)
    for kind, name, price in (("index", symbol.removesuffix("_PERP"), index), ("mark", symbol, mark)):
        write_bars(folder / f"futures/cm/daily/{kind}PriceKlines/{name}/1m/{name}-1m-{day}.csv", second, price)
    import_files([perp, folder / "futures"], folder / "store")
    return folder / f"store/venue=binance-coinm/market={symbol}", float(last[0])


def table(perp: Path, spot: Path, interest: int, cases: int) -> Iterator[str]:
    """Lines of the table."""
    parts = perp.name.split("_")
    day, symbol = parts[2], "_".join(parts[3:]).split(".")[0]
    datetime.date.fromisoformat(day)
    yield f"| {' | '.join(HEAD)} |"
    yield "|---" * len(HEAD) + "|"
    with tempfile.TemporaryDirectory() as name:
        store, price = make_store(perp, spot, Path(name), symbol, day)
        for number, (depth, mark, bars) in enumerate(CASES[:cases]):
            text = SCENARIO.format(
                name=f"{symbol} {number}", day=day, store=store, depth=depth, mark=mark, bars=bars, interest=interest,
                fund=round(interest / price / 50),
            )  # fmt: skip
            file = parse(text.encode(), Path(name) / "scenario.toml", Path(name))
            summary = outcomes.run(file, Path(name) / "out")
            yield row(summary, (f"{depth:,}", mark, bars), symbol)
        prints = summary["markets"][symbol]["tape"]["book"]["prints"]
        yield f"{symbol}: prints " + ", ".join(f"{where} {count:,}" for where, count in prints.items())


def row(summary: dict, stated: tuple[str, ...], symbol: str) -> str:
    """One run: forced notional in coins, of longs and shorts together."""
    market = summary["markets"][symbol]
    ways = {
        way: sum(Decimal(market["forced_notional"][side][way]) for side in ("long", "short"))
        for way in ("book", "fund", "adl")
    }
    total = sum(ways.values())
    shares = [f"{ways[way] / total:.0%}" if total else "-" for way in ("book", "fund", "adl")]
    found = [
        f"{Decimal(market['mark']['min']):.4f}", f"{summary['accounts']['liquidated']:,}", f"{total:,.0f}", *shares,
        f"{Decimal(summary['deficit']):,.0f}",
    ]  # fmt: skip
    return f"| {' | '.join([*stated, *found])} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.thin_day", description=__doc__.split("\n", 1)[0])
    parser.add_argument("perp", type=Path)
    parser.add_argument("spot", type=Path)
    parser.add_argument("--interest", type=int, default=10_000_000)
    parser.add_argument("--cases", type=int, default=len(CASES), help="how many of the rows")
    given = parser.parse_args()
    for line in table(given.perp, given.spot, given.interest, given.cases):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
