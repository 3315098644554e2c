"""The book as the rows of a tape build it: crossings, snapshots against what was built, orders, prints (R1-R3, R5, R6).

Where there is no book, the best quotes of the tape stand for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from perpsim.core import MarketState
from perpsim.core.rebuilt import NONE, RebuiltBook
from perpsim.replay.quality.orders import Orders
from perpsim.replay.readers.findings import Findings
from perpsim.replay.readers.quotes import QuoteWatch
from perpsim.replay.tape import MORE, ROW_MASK, SELL, Batch, Row

ORDERS = (Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_DELETE, Row.ORDER_EXECUTE)
OF_BOOK = (Row.LEVEL, Row.STATE, *ORDERS)


class BookWatch:
    """Builds the book of a tape; `close` when all rows were added."""

    def __init__(self):
        self._book, self._orders = RebuiltBook(), Orders()
        self._findings = Findings()
        self._quotes = QuoteWatch(self._findings)
        self._levels = False  # rows of a book have come
        self._quote = np.full(2, NONE)  # the best bid and ask that were told last
        self._state = int(MarketState.OPEN)
        self._crossed_since: int | None = None
        self._began_ns: int | None = None
        self._last_ns = 0
        self._told = dict.fromkeys(("messages", "prints", "crossings", "crossed_ns", "crossed_longest_ns"), 0)

    def add(self, batch: Batch) -> None:
        """The next rows."""
        kind = batch["code"] & ROW_MASK
        prints = kind == Row.TRADE
        self._told["prints"] += int(prints.sum())
        self._quotes.prints(batch["time_ns"][prints], batch["price"][prints])
        of_book = np.isin(kind, OF_BOOK)
        if of_book.any():
            self._levels |= bool((kind[of_book] != Row.STATE).any())
            self._rows({name: column[of_book] for name, column in batch.items()})
        if not self._levels and (quotes := kind == Row.QUOTE).any():
            self._best_quotes({name: column[quotes] for name, column in batch.items()})
        self._quotes.pass_on(int(batch["time_ns"][-1]))

    def _rows(self, rows: Batch) -> None:
        """Rows of levels, orders and states."""
        code, price, value = rows["code"], rows["price"], rows["value"]
        kind = code & ROW_MASK
        orders = np.isin(kind, ORDERS)
        if orders.any():
            code, price, value = code.copy(), price.copy(), value.copy()
            names = ("code", "price", "value", "id")
            code[orders], price[orders], value[orders] = self._orders.changes(*(rows[name][orders] for name in names))
        bid, ask = self._book.apply(*(np.ascontiguousarray(column) for column in (code, price, value)))
        place = np.maximum.accumulate(np.where(kind == Row.STATE, np.arange(len(kind)), -1))
        state = np.where(place >= 0, rows["value"][place], self._state)
        self._state = int(state[-1])
        ends = (code & MORE) == 0
        self._best(rows["time_ns"][ends], bid, ask, state[ends] == MarketState.OPEN)

    def _best_quotes(self, rows: Batch) -> None:
        """Best bids and asks, told one by one; one without lots is none."""
        price, number = np.where(rows["value"] > 0, rows["price"], NONE), np.arange(len(rows["code"]))
        sides = []
        for side, own in enumerate(((rows["code"] & SELL) == 0, (rows["code"] & SELL) != 0)):
            place = np.maximum.accumulate(np.where(own, number, -1))
            sides.append(np.where(place >= 0, price[place], self._quote[side]))
        self._quote = np.array([column[-1] for column in sides])
        ends = (rows["code"] & MORE) == 0
        self._best(rows["time_ns"][ends], *(column[ends] for column in sides), np.ones(int(ends.sum()), bool))

    def _best(self, time_ns: np.ndarray, bid: np.ndarray, ask: np.ndarray, opened: np.ndarray) -> None:
        """The best prices after each message."""
        if not len(time_ns):
            return
        self._told["messages"] += len(time_ns)
        if self._began_ns is None:
            self._began_ns = int(time_ns[0])
        self._last_ns = int(time_ns[-1])
        both = (bid != NONE) & (ask != NONE) & opened
        self._cross(time_ns, both & (bid >= ask))
        self._quotes.quotes(time_ns[both], bid[both], ask[both])

    def _cross(self, time_ns: np.ndarray, crossed: np.ndarray) -> None:
        before = np.append(self._crossed_since is not None, crossed[:-1])
        begins, ends = time_ns[crossed & ~before], time_ns[before & ~crossed]
        self._told["crossings"] += len(begins)
        if self._crossed_since is not None:
            begins = np.append(self._crossed_since, begins)
        self._crossed(ends - begins[: len(ends)])
        self._crossed_since = int(begins[-1]) if len(begins) > len(ends) else None

    def _crossed(self, lengths: np.ndarray) -> None:
        self._told["crossed_ns"] += int(lengths.sum())
        self._told["crossed_longest_ns"] = max(self._told["crossed_longest_ns"], int(lengths.max(initial=0)))

    def close(self) -> dict[str, Any] | None:
        """What was found; None where the rows are of no book."""
        if self._began_ns is None:
            return None
        if self._crossed_since is not None:
            self._crossed(np.array([self._last_ns - self._crossed_since]))
        self._quotes.close()
        book, names = self._book, ("snapshots", "snapshots_compared", "levels_compared", "levels_differing")
        return (
            self._told
            | {name: getattr(book, name) for name in names}
            | {
                "unknown_orders": self._orders.unknown,
                "negative_sizes": self._orders.too_many,
                "book_ns": self._last_ns - self._began_ns,
                "off_quote_prints": self._findings.counts["off_quote_prints"],
            }
        )
