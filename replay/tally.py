"""Counting events as they pass: everything that summary.json says, from events alone.

Notional of a trade is price * size, exactly; of a takeover or an ADL it is the exact amount that moved. A position that
is closed by force goes one of three ways, and each way is counted once, for the liquidated side: filled in the book,
taken over by the fund, or handed to a counterparty by ADL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from perpsim.core import EventKind, Reject, Side

WAYS = ("book", "fund", "adl")
CHUNK_BITS = 31
BEYOND = ("account", "size_lots", "price_ticks")


def exact_sum(values: np.ndarray) -> int:
    """Sum of int64 values beyond 64 bits."""
    return (int((values >> CHUNK_BITS).sum()) << CHUNK_BITS) + int((values & ((1 << CHUNK_BITS) - 1)).sum())


@dataclass(slots=True)
class MarketTally:
    """What happened in one market. Notionals in 1e-8 of the settlement asset, prices in 1e-8 of the quote."""

    notional: Callable[[int, int], int]
    forced: dict[str, dict[str, int]] = field(
        default_factory=lambda: {side: dict.fromkeys(WAYS, 0) for side in ("long", "short")}
    )
    trades: int = 0
    volume_lots: int = 0
    mark_first: int = 0
    mark_last: int = 0
    mark_min: int = 0
    mark_max: int = 0
    gap_worst: float = 0.0  # |mark - index| / index
    gap_time_ns: int = 0
    tape_unfilled_lots: int = 0
    beyond_fills: int = 0  # of what is stated behind the recorded depth
    beyond_lots: int = 0
    beyond_notional: int = 0
    funding_settlements: int = 0
    attributed: list[np.ndarray] = field(default_factory=list)  # events of recorded trades with forced orders in them

    def forced_total(self, side: str) -> int:
        return sum(self.forced[side].values())


class Tally:
    """Takes in drained events, chunk by chunk.

    accounts        number of the venue's accounts, house included
    customers       accounts with a lower id are customers
    notional        by market: (lots, price in ticks) -> what changes hands
    """

    def __init__(self, accounts: int, customers: int, notional: list[Callable[[int, int], int]]):
        self.customers = customers
        self.markets = [MarketTally(worth) for worth in notional]
        self.counts = np.zeros(256, np.int64)
        self.liquidated = np.zeros(accounts, bool)
        self.deleveraged = np.zeros(accounts, bool)
        self.taken_over = np.zeros(accounts, bool)
        self.margin_ratio_min = np.full(accounts, np.inf)  # equity / maintenance at the starts of liquidations
        self.beyond_fills = np.zeros(accounts, np.int64)
        self.beyond_notional = np.zeros(accounts, np.int64)  # 1e-8 of the settlement asset
        self.covered = self.socialised = self.deficit = self.fees_to_fund = 0

    def add(self, events: np.ndarray) -> None:
        """Count an array of EVENT."""
        kinds = events["kind"]
        self.counts += np.bincount(kinds, minlength=256)
        present = {EventKind(int(kind)) for kind in np.flatnonzero(np.bincount(kinds, minlength=256))}
        for kind in present & HANDLERS.keys():
            HANDLERS[kind](self, events[kinds == kind])

    def count(self, kind: EventKind) -> int:
        return int(self.counts[kind])

    @property
    def events(self) -> int:
        return int(self.counts.sum())

    def _by_market(self, events: np.ndarray):
        """(market's tally, its events) for every market that has some."""
        for number in np.unique(events["market"]).tolist():
            if number < len(self.markets):
                yield self.markets[number], events[events["market"] == number]

    def _trades(self, events: np.ndarray) -> None:
        for market, trades in self._by_market(events):
            market.trades += len(trades)
            market.volume_lots += exact_sum(trades["size_lots"])
            self._beyond(market, trades[trades["reason"] == Reject.BY_BEYOND_DEPTH])
            forced = trades[(trades["order_id"] < 0) & (trades["account"] < self.customers)]
            for side, taker in (("long", Side.SELL), ("short", Side.BUY)):
                sold = forced[forced["side"] == taker]
                pairs = zip(sold["size_lots"].tolist(), sold["price_ticks"].tolist(), strict=True)
                market.forced[side]["book"] += sum(abs(market.notional(*pair)) for pair in pairs)

    def _beyond(self, market: MarketTally, trades: np.ndarray) -> None:
        """Fills from behind the recorded depth, for the takers."""
        for account, lots, price in zip(*(trades[name].tolist() for name in BEYOND), strict=True):
            notional = abs(market.notional(lots, price))
            market.beyond_fills += 1
            market.beyond_lots += lots
            market.beyond_notional += notional
            self.beyond_fills[account] += 1
            self.beyond_notional[account] += notional

    def _takeovers(self, events: np.ndarray) -> None:
        self.taken_over[events["account"]] = True
        for market, moved in self._by_market(events):
            for side, given in (("long", Side.SELL), ("short", Side.BUY)):
                market.forced[side]["fund"] += exact_sum(np.abs(moved["value"][moved["side"] == given]))

    def _deleverage(self, events: np.ndarray) -> None:
        """The event's side is the counterparty's: it buys what a liquidated long held."""
        self.deleveraged[events["account"]] = True
        for market, moved in self._by_market(events):
            for side, got in (("long", Side.BUY), ("short", Side.SELL)):
                market.forced[side]["adl"] += exact_sum(np.abs(moved["value"][moved["side"] == got]))

    def _started(self, events: np.ndarray) -> None:
        self.liquidated[events["account"]] = True
        ratio = events["value"] / np.maximum(events["aux"], 1)
        np.minimum.at(self.margin_ratio_min, events["account"], ratio)

    def _marks(self, events: np.ndarray) -> None:
        for market, marks in self._by_market(events):
            values = marks["value"]
            market.mark_first = market.mark_first or int(values[0])
            market.mark_last = int(values[-1])
            low, high = int(values.min()), int(values.max())
            market.mark_min = min(market.mark_min or low, low)
            market.mark_max = max(market.mark_max, high)
            priced = marks[marks["aux"] > 0]
            if len(priced):
                gaps = np.abs(priced["value"] - priced["aux"]) / priced["aux"]
                worst = int(np.argmax(gaps))
                if gaps[worst] > market.gap_worst:
                    market.gap_worst, market.gap_time_ns = float(gaps[worst]), int(priced["time_ns"][worst])

    def _fees(self, events: np.ndarray) -> None:
        self.fees_to_fund += exact_sum(events["value"])

    def _cover(self, events: np.ndarray) -> None:
        self.covered += exact_sum(events["value"])

    def _socialise(self, events: np.ndarray) -> None:
        self.socialised += exact_sum(events["value"])

    def _lack(self, events: np.ndarray) -> None:
        self.deficit += exact_sum(events["value"])

    def _unfilled(self, events: np.ndarray) -> None:
        for market, rest in self._by_market(events):
            market.tape_unfilled_lots += exact_sum(rest["size_lots"])

    def _attributed(self, events: np.ndarray) -> None:
        for market, found in self._by_market(events):
            market.attributed.append(found)

    def _settled(self, events: np.ndarray) -> None:
        for market, settlements in self._by_market(events):
            market.funding_settlements += len(settlements)


HANDLERS = {
    EventKind.TRADE: Tally._trades,
    EventKind.TAKEOVER: Tally._takeovers,
    EventKind.ADL: Tally._deleverage,
    EventKind.LIQUIDATION_STARTED: Tally._started,
    EventKind.MARK: Tally._marks,
    EventKind.LIQUIDATION_FEE: Tally._fees,
    EventKind.FUND_COVER: Tally._cover,
    EventKind.SOCIALISED_LOSS: Tally._socialise,
    EventKind.VENUE_DEFICIT: Tally._lack,
    EventKind.TAPE_UNFILLED: Tally._unfilled,
    EventKind.FUNDING_SETTLED: Tally._settled,
    EventKind.ATTRIBUTED: Tally._attributed,
}
