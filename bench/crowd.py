"""Venues and accounts for the questions. All of it goes through `Engine.apply`, as anybody's commands would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from perpsim.core import Engine, Flag, Kind, Side
from perpsim.exchange import Rulebook, contract
from perpsim.exchange.rules import parse_tiers

from .harness import BATCH, commands, feed

VALUE_ONE = 100_000_000
CAPS = [(50_000, "0.004", 125), (600_000, "0.005", 100), (3_000_000, "0.0065", 75), (1_800_000_000, "0.5", 1)]
GRIDS = [("0.1", "0.001", 50_000), ("0.01", "0.01", 2_000), ("0.001", "0.1", 100), ("0.0001", "10", 2)]


def venue(markets: int, volatilities: list[float] | None = None, **rules: Any) -> Rulebook:
    """A venue whose markets take turns in tick, lot and price; four brackets, no bands, marks as given."""
    tiers = parse_tiers([list(row) for row in CAPS])
    specs = []
    for number in range(markets):
        tick, lot, reference = GRIDS[number % len(GRIDS)]
        volatility = round(volatilities[number] * 1e9) if volatilities else 1_000_000_000
        fees = {"maker_fee": 200_000, "taker_fee": 500_000, "liquidation_fee": 12_500_000}
        specs.append(contract(f"M{number}", tick, lot, reference, tiers=tiers, volatility=volatility, **fees))
    return Rulebook(name="bench", date="2026-01-01", era="2026-01-01", markets=tuple(specs), **rules)


def start_marks(book: Rulebook) -> np.ndarray:
    """The reference price of each market, 1e-8 of the quote."""
    references = [GRIDS[number % len(GRIDS)][2] for number in range(len(book.markets))]
    return np.array(references, np.int64) * VALUE_ONE


def lots_for(market: np.ndarray, book: Rulebook, mark: np.ndarray, notional: np.ndarray) -> np.ndarray:
    """Whole lots worth about `notional` (in the quote), at least one."""
    lot = np.array([float(spec.lot) for spec in book.markets])
    return np.maximum(1, notional * VALUE_ONE / (mark[market] * lot[market])).astype(np.int64)


def value_of(market: np.ndarray, book: Rulebook, lots: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Value of signed lots at a price, 1e-8 of the quote, rounded down."""
    numerator = np.array([spec.lot_numerator for spec in book.markets])[market]
    denominator = np.array([spec.lot_denominator for spec in book.markets])[market]
    return lots * numerator * price // denominator


@dataclass(frozen=True, eq=False)
class Seats:
    """Positions to seed, one a row."""

    account: np.ndarray
    market: np.ndarray
    lots: np.ndarray  # signed
    entry: np.ndarray  # 1e-8 of the quote


def settle_in(engine: Engine, deposits: np.ndarray, seats: Seats, marks: np.ndarray) -> None:
    """Marks, a deposit for each account, their positions; then the marks again, so that all triggers stand."""
    feed(engine, mark_group(marks))
    for first in range(0, len(deposits), BATCH):
        part = deposits[first : first + BATCH]
        feed(engine, commands(Kind.DEPOSIT, len(part), account=np.arange(first, first + len(part)), value=part))
    for first in range(0, len(seats.lots), BATCH):
        part = slice(first, first + BATCH)
        lots = seats.lots[part]
        rows = commands(Kind.SEED_POSITION, len(lots), account=seats.account[part], market=seats.market[part])
        rows["side"] = np.where(lots > 0, Side.BUY, Side.SELL)
        rows["size_lots"] = np.abs(lots)
        rows["value"] = seats.entry[part]
        feed(engine, rows)
    feed(engine, mark_group(marks))


def mark_group(marks: np.ndarray) -> np.ndarray:
    """One SET_MARK a market; all but the last say that more are to come."""
    rows = commands(Kind.SET_MARK, len(marks), market=np.arange(len(marks)), value=marks)
    rows["flags"][:-1] = Flag.MORE
    return rows


def solo(book: Rulebook, accounts: int, rng: np.random.Generator, leverages: list[int]) -> tuple[np.ndarray, Seats]:
    """Deposits and positions of accounts with one position each in market 0, half of them long, entered at the mark."""
    market = np.zeros(accounts, np.int64)
    marks = start_marks(book)
    lots = lots_for(market, book, marks, rng.exponential(10_000, accounts) + 100)
    lots[rng.permutation(accounts)[: accounts // 2]] *= -1
    entry = marks[market]
    leverage = rng.choice(leverages, accounts)
    deposits = abs(value_of(market, book, lots, entry)) // leverage
    return deposits, Seats(np.arange(accounts), market, lots, entry)
