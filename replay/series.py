"""What is sampled at every interval: the markets for series.parquet, the accounts for their worst moments."""

from __future__ import annotations

from typing import Any

import numpy as np
from perpsim.core import Engine, EventKind, Kernel, Side
from perpsim.exchange import MarketSpec
from perpsim.replay.tally import Tally

BASIS_POINT = 10_000

# name -> (kind of column, what it is); the order is the file's
COLUMNS = {
    "time_ns": ("int", "end of the interval, ns since the epoch"),
    "market": ("text", "symbol"),
    "mark": ("int", "1e-8 of the quote"),
    "index": ("int", "1e-8 of the quote"),
    "last": ("int", "last trade, 1e-8 of the quote; 0 before the first"),
    "bid": ("int", "best bid, 1e-8 of the quote; -1 where the side is empty"),
    "ask": ("int", "best ask, 1e-8 of the quote; -1 where the side is empty"),
    "spread": ("int", "1e-8 of the quote; -1 where a side is empty"),
    "bid_depth_lots": ("int", "bids within the scenario's depth of the mid, lots"),
    "ask_depth_lots": ("int", "asks within the scenario's depth of the mid, lots"),
    "shock": ("int", "factor of recorded prices, 1e-9"),
    "funding_rate": ("int", "1e-9 an interval"),
    "oi_long_lots": ("int", "lots"),
    "oi_short_lots": ("int", "lots"),
    "fund_balance": ("int", "of the market's insurance fund, 1e-8 of the settlement asset"),
    "fund_equity": ("int", "the balance and the profit of the fund's positions, 1e-8 of the settlement asset"),
    "liquidated_long": ("int", "longs closed by force in the interval, 1e-8 of the settlement asset"),
    "liquidated_short": ("int", "shorts closed by force in the interval, 1e-8 of the settlement asset"),
    "liquidations": ("int", "liquidations started in the interval, all markets"),
    "adl": ("int", "ADL trades in the interval, all markets"),
    "events": ("int", "events in the interval, all markets"),
}


class Series:
    """Rows of series.parquet: one a market and interval."""

    def __init__(self, kernel: Kernel, engine: Engine, specs: list[MarketSpec], depth_basis_points: int):
        self.kernel, self.engine, self.specs = kernel, engine, specs
        self.depth = depth_basis_points
        self.funds = engine.house["funds"]
        self.rows: list[list[Any]] = []
        self._before = [0] * (2 * len(specs) + 3)

    def sample(self, time_ns: int, accounts: np.ndarray, tally: Tally) -> None:
        """Add a row for every market; `tally` must have seen all events up to now."""
        now = [each.forced_total(side) for each in tally.markets for side in ("long", "short")]
        now += [tally.count(EventKind.LIQUIDATION_STARTED), tally.count(EventKind.ADL), tally.events]
        grown = [new - old for new, old in zip(now, self._before, strict=True)]
        self._before = now
        for number, spec in enumerate(self.specs):
            row = [time_ns, spec.symbol, *self._prices(number, spec), *self._interest(number, spec, accounts)]
            self.rows.append([*row, *grown[2 * number : 2 * number + 2], *grown[-3:]])

    def _prices(self, number: int, spec: MarketSpec) -> list[int]:
        market = self.engine.market(number)
        bid, _, ask, _ = self.kernel.quote(0, number)
        two_sided = bid > 0 and ask > 0
        depths = [self._depth(number, side, bid, ask) if two_sided else 0 for side in (Side.BUY, Side.SELL)]
        tick = spec.tick_value
        return [
            market["mark"], market["index"], market["last_ticks"] * tick, bid * tick if bid > 0 else -1,
            ask * tick if ask > 0 else -1, (ask - bid) * tick if two_sided else -1, *depths, market["shock_e9"],
            market["funding_rate_e9"],
        ]  # fmt: skip

    def _depth(self, number: int, side: Side, bid: int, ask: int) -> int:
        """Lots within the depth of the mid, by exact comparison: 2 * price against (bid + ask) * (1 -+ depth)."""
        book = self.engine.book(number, side)
        prices, middle = 2 * BASIS_POINT * book[:, 0], bid + ask
        if side == Side.BUY:
            near = prices >= middle * (BASIS_POINT - self.depth)
        else:
            near = prices <= middle * (BASIS_POINT + self.depth)
        return int(book[near, 1].sum())

    def _interest(self, number: int, spec: MarketSpec, accounts: np.ndarray) -> list[int]:
        market = self.engine.market(number)
        fund = accounts[self.funds[spec.fund_group]]
        return [market["longs_lots"], market["shorts_lots"], int(fund["balance"]), int(fund["equity"])]


class Watch:
    """The worst moments of n accounts, seen at the samples: arrays of n.

    drawdown          largest fall of equity less deposits from its highest so far, 1e-8
    margin_ratio_min  smallest equity / maintenance of an isolated position or of the cross pool; inf without positions
    """

    def __init__(self, accounts: int):
        self.peak = np.full(accounts, np.iinfo(np.int64).min)
        self.drawdown = np.zeros(accounts, np.int64)
        self.margin_ratio_min = np.full(accounts, np.inf)

    def sample(self, accounts: np.ndarray) -> None:
        """Look at an array of ACCOUNT of the first n accounts."""
        equity = accounts["equity"]
        gained = equity - accounts["deposited"]
        np.maximum(self.peak, gained, out=self.peak)
        np.maximum(self.drawdown, self.peak - gained, out=self.drawdown)
        cross, cross_needed = accounts["cross_equity"], accounts["cross_maintenance"]
        isolated, isolated_needed = equity - cross, accounts["maintenance"] - cross_needed
        for margin, needed in ((cross, cross_needed), (isolated, isolated_needed)):
            held = needed > 0
            ratio = np.divide(margin, needed, where=held, out=np.full(len(needed), np.inf))
            np.minimum(self.margin_ratio_min, ratio, out=self.margin_ratio_min)
