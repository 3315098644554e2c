"""The book as the rows of a tape build it: crossings, snapshots against what was built, orders, prints (R1-R3, R5, R6).

After each message the best bid and ask are known; a heap a side finds them, prices that have gone leave it late.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from perpsim.core import MarketState
from perpsim.replay.readers.findings import Findings
from perpsim.replay.readers.quotes import QuoteWatch
from perpsim.replay.tape import MORE, ROW_MASK, SELL, SNAPSHOT, Batch, Row

ORDERS = (Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_DELETE, Row.ORDER_EXECUTE)
OF_BOOK = (Row.LEVEL, Row.STATE, *ORDERS)
SLACK = 1_000  # prices that a heap may hold beyond twice those that stand


class Side:
    """Lots by price; sign is -1 for bids and 1 for asks."""

    def __init__(self, sign: int):
        self._sign = sign
        self.lots: dict[int, int] = {}
        self._heap: list[int] = []

    def put(self, price: int, lots: int) -> None:
        """A level holds so many from now on; 0 removes it."""
        if lots <= 0:
            self.lots.pop(price, None)
            return
        if price not in self.lots:
            heapq.heappush(self._heap, price * self._sign)
            if len(self._heap) > 2 * len(self.lots) + SLACK:
                self._heap = sorted(each * self._sign for each in {*self.lots, price})
        self.lots[price] = lots

    def best(self) -> int | None:
        """The best price, None where nothing stands."""
        heap = self._heap
        while heap and heap[0] * self._sign not in self.lots:
            heapq.heappop(heap)
        return heap[0] * self._sign if heap else None

    def replaced(self, lots: dict[int, int]) -> tuple[int, int]:
        """A whole book takes the place of this one: (levels that differ, levels compared).

        A recording of n levels says nothing of those beyond: compared is what lies within the prices of the new one.
        """
        inside = {p: n for p, n in self.lots.items() if lots and min(lots) <= p <= max(lots)}
        compared = inside.keys() | lots.keys()
        differ = sum(inside.get(price) != lots.get(price) for price in compared)
        self.lots = lots
        self._heap = sorted(price * self._sign for price in lots)
        return differ, len(compared)


class BookWatch:
    """Builds the book of a tape; `close` when all rows were added."""

    def __init__(self):
        self._sides = Side(-1), Side(1)
        self._orders: dict[int, list[int]] = {}  # id: side, price, lots
        self._findings = Findings()
        self._quotes = QuoteWatch(self._findings)
        self._whole: tuple[dict[int, int], dict[int, int]] | None = None  # of the snapshot that is being read
        self._updated = False  # since the last snapshot
        self._state = int(MarketState.OPEN)
        self._crossed_since: int | None = None
        self._began_ns: int | None = None
        self._last_ns = 0
        self.told = dict.fromkeys(
            ("messages", "prints", "snapshots", "snapshots_compared", "levels_compared", "levels_differing",
             "crossings", "crossed_ns", "crossed_longest_ns", "unknown_orders", "negative_sizes"), 0,
        )  # fmt: skip

    def add(self, batch: Batch) -> None:
        """The next rows."""
        kind = batch["code"] & ROW_MASK
        prints = kind == Row.TRADE
        self.told["prints"] += int(prints.sum())
        self._quotes.prints(batch["time_ns"][prints], batch["price"][prints])
        of_book = np.isin(kind, OF_BOOK)
        names = ("time_ns", "code", "price", "value", "id")
        times, bids, asks = [], [], []
        for time_ns, code, price, value, order in zip(*(batch[name][of_book].tolist() for name in names), strict=True):
            self._row(code, price, value, order)
            if code & MORE:
                continue
            bid, ask = self._end(time_ns)
            if bid is not None and ask is not None and self._state == MarketState.OPEN:
                times.append(time_ns)
                bids.append(bid)
                asks.append(ask)
        self._quotes.quotes(*(np.array(each, np.int64) for each in (times, bids, asks)))

    def _row(self, code: int, price: int, value: int, order: int) -> None:
        kind, ask = code & ROW_MASK, bool(code & SELL)
        if kind == Row.STATE:
            self._state = value
        elif code & SNAPSHOT:
            if self._whole is None:
                self._whole = {}, {}
                self._orders.clear()
            level = self._whole[ask]
            if kind == Row.ORDER_ADD:
                self._orders[order] = [ask, price, value]
                level[price] = level.get(price, 0) + value
            elif value > 0:
                level[price] = value
        elif kind == Row.LEVEL:
            self._updated = True
            self._sides[ask].put(price, value)
        elif kind == Row.ORDER_ADD:
            self._updated = True
            self._orders[order] = [ask, price, value]
            self._change(ask, price, value)
        else:
            self._updated = True
            self._take(order, value, kind == Row.ORDER_DELETE)

    def _take(self, order: int, value: int, whole: bool) -> None:
        """An order loses so many lots, or all."""
        held = self._orders.get(order)
        if held is None:
            self.told["unknown_orders"] += 1
            return
        lots = held[2] if whole else min(value, held[2])
        self.told["negative_sizes"] += value > held[2]
        held[2] -= lots
        self._change(held[0], held[1], -lots)
        if not held[2]:
            del self._orders[order]

    def _change(self, ask: int, price: int, lots: int) -> None:
        side = self._sides[ask]
        side.put(price, side.lots.get(price, 0) + lots)

    def _end(self, time_ns: int) -> tuple[int | None, int | None]:
        """A message is whole: the best prices after it."""
        self.told["messages"] += 1
        if self._began_ns is None:
            self._began_ns = time_ns
        self._last_ns = time_ns
        if self._whole is not None:
            self._compare()
        bid, ask = self._sides[0].best(), self._sides[1].best()
        crossed = bid is not None and ask is not None and bid >= ask and self._state == MarketState.OPEN
        if crossed and self._crossed_since is None:
            self._crossed_since = time_ns
            self.told["crossings"] += 1
        elif not crossed:
            self._uncross(time_ns)
        return bid, ask

    def _compare(self) -> None:
        """A snapshot is whole. Without updates in between it can differ from the one before and nothing be wrong."""
        began = self.told["snapshots"] > 0
        found = [side.replaced(lots) for side, lots in zip(self._sides, self._whole, strict=True)]
        self.told["snapshots"] += 1
        if began and self._updated:
            self.told["snapshots_compared"] += 1
            self.told["levels_differing"] += sum(differ for differ, _ in found)
            self.told["levels_compared"] += sum(compared for _, compared in found)
        self._updated, self._whole = False, None

    def _uncross(self, time_ns: int) -> None:
        if self._crossed_since is not None:
            lasted = time_ns - self._crossed_since
            self.told["crossed_ns"] += lasted
            self.told["crossed_longest_ns"] = max(self.told["crossed_longest_ns"], lasted)
            self._crossed_since = None

    def close(self) -> dict[str, Any] | None:
        """What was found; None where the rows are of no book."""
        if self._began_ns is None:
            return None
        self._uncross(self._last_ns)
        self._quotes.close()
        return self.told | {
            "book_ns": self._last_ns - self._began_ns,
            "off_quote_prints": self._findings.counts["off_quote_prints"],
        }
