"""Databento's market by order: which orders rest, which of them trade, and when the market does not match.

A adds, C takes lots off, M replaces price and size, R clears. T (the aggressor) and F (a resting order) never change
the book: the C or M that follows does, and says how. So an execution is known by F: the order, its size, its price.

- F of the aggressor itself, an order that rested and was moved across the book, is no execution of a resting order.
- F of more lots than were shown (an iceberg), or of orders that were never shown, is a TRADE for what is beyond.
- M keeps the place of an order only when it shrinks at its price. An iceberg that shows new lots joins the tail.

No record says in what state the market is, so it is read off the book: it stands crossed at the end of an event only
while nothing is matched. Then the market is in AUCTION until it is crossed no more; before the first trade of a
recording in which that comes to pass, in PRE_OPEN.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from perpsim.core import MarketState
from perpsim.replay.readers.contract import Findings, Rows, SourceFile
from perpsim.replay.readers.order_rows import ADD, DELETE, EXECUTE, REDUCE, SELL_OF, OrderRows, Resting
from perpsim.replay.tape import Row

LAST, SNAPSHOT = 128, 32
A, B, C, F, M, N, R, T = b"ABCFMNRT"
REPAIR = "a record before it is missing, or it is damaged; get the file again"


class MboBook:
    """The orders of a market, from file to file."""

    def __init__(self, findings: Findings):
        self._findings = findings
        self._resting, self._out = Resting(), OrderRows()
        self._state = MarketState.OPEN
        self._traded = False  # since the market opens
        self._sides: dict[int, int] = {}  # of orders that F has taken in full as far as they were shown
        self._filled: dict[int, list[int]] = {}  # id: [lots, price] that F has told of since its last C or M
        self._aggressors: list[list[int]] = []  # of this event: [id, side of the taker, lots left, price]
        self._snapshot: set[int] | None = None  # ids of the snapshot that is being told
        self._file: SourceFile | None = None
        self._line, self._told_at = 0, (0, 0)  # of the record before: number, times

    def begin(self, file: SourceFile) -> None:
        self._file = file

    def opens_in_auction(self, blocks: Iterable[tuple[Any, ...]]) -> bool:
        """Whether the book of a file stands crossed before its first trade."""
        probe = MboBook(Findings(record=True))
        probe.begin(self._file)
        probe._resting = _copied(self._resting)
        for columns, price, lots in blocks:
            for action, side, flags, order_id, _, _, line, at, size in zip(*columns, price, lots, strict=True):
                if action in (T, F):
                    return False
                probe._record(action, side, order_id, at, size, line)
                if flags & LAST and not flags & SNAPSHOT and probe._resting.crossed:
                    return True
            probe._out = OrderRows()
        return False

    def take(self, columns: list[list[int]], price: list[int], lots: list[int], opens: bool | None) -> Iterator[Rows]:
        """Rows of a block of records; opens, with the first block of a file: see `opens_in_auction`."""
        for action, side, flags, order_id, time_ns, receive_ns, line, at, size in zip(
            *columns, price, lots, strict=True
        ):
            if opens:
                self._change_state(MarketState.PRE_OPEN, line, time_ns, receive_ns)
                self._traded, opens = False, False
            if flags & SNAPSHOT:
                self._told_anew(action, side, order_id, at, size, line)
            else:
                if self._snapshot is not None:  # its last record does not always say so
                    self._snapshot_ends(line, *self._told_at)
                self._record(action, side, order_id, at, size, line)
            if flags & LAST:
                if flags & SNAPSHOT:
                    self._snapshot_ends(line, time_ns, receive_ns)
                else:
                    self._event_ends(line, time_ns, receive_ns)
                if self._out.full:
                    yield self._out.take(self._file)
            self._told_at = time_ns, receive_ns
            self._line = line

    def end(self) -> Iterator[Rows]:
        """What is left of a file, of an event that its end cuts off too."""
        if self._snapshot is not None:
            self._snapshot_ends(self._line, *self._told_at)
        self._out.end(*self._told_at)
        if len(self._out):
            yield self._out.take(self._file)

    def _record(self, action: int, side: int, order_id: int, price: int, lots: int, line: int) -> None:
        if action == A:
            self._added(side, order_id, price, lots, line)
        elif action in (C, M):
            if not self._right(
                "unknown-order", order_id not in self._resting.orders, line,
                f"order {order_id} is cancelled or changed, but does not rest",
            ):  # fmt: skip
                return
            left = self._executed(order_id, line)
            if action == C:
                self._cancelled(order_id, lots, left, line)
            else:
                self._changed(order_id, price, lots, line)
        elif action == F:
            self._fill(order_id, price, lots)
        elif action == T:
            self._traded = True
            self._aggressors.append([order_id, 1 if side == A else 0 if side == B else -1, lots, price])
        elif action == R:
            for each in list(self._resting.orders):
                self._leave(each, line)

    def _told_anew(self, action: int, side: int, order_id: int, price: int, lots: int, line: int) -> None:
        """A record of a snapshot: what rests already keeps its place; the R at its start clears nothing of that."""
        if self._snapshot is None:
            self._snapshot = set()
        if action != A:
            return
        self._snapshot.add(order_id)
        before = self._resting.orders.get(order_id)
        if before == [int(side == A), price, lots]:
            return
        if before is not None:
            self._leave(order_id, line)
        self._added(side, order_id, price, lots, line)

    def _added(self, side: int, order_id: int, price: int, lots: int, line: int) -> None:
        if (
            self._right("bad-side", side not in (A, B), line, f"order {order_id} has no side")
            and self._right("bad-size", lots <= 0, line, f"order {order_id} is added with {lots} lots")
            and self._right("duplicate-id", order_id in self._resting.orders, line, f"order {order_id} rests already")
        ):
            self._rest(order_id, int(side == A), price, lots, line)

    def _rest(self, order_id: int, side: int, price: int, lots: int, line: int) -> None:
        self._resting.add(order_id, side, price, lots)
        self._out.add(ADD | SELL_OF[side], price, lots, order_id, line)

    def _leave(self, order_id: int, line: int) -> None:
        side, price, lots = self._resting.orders[order_id]
        self._resting.remove(order_id)
        self._out.add(DELETE | SELL_OF[side], price, lots, order_id, line)

    def _fill(self, order_id: int, price: int, lots: int) -> None:
        self._traded = True
        aggressor = self._aggressors[-1] if self._aggressors else None
        if aggressor is not None and order_id == aggressor[0]:
            return
        if order_id not in self._resting.orders:
            self._findings.count("fills_of_unshown_orders")
            return
        filled = self._filled.setdefault(order_id, [0, price])
        filled[0] += lots
        filled[1] = price
        if aggressor is not None:
            aggressor[2] -= lots

    def _executed(self, order_id: int, line: int) -> int:
        """Turn what F has told of an order into rows. Returns how many lots of C are explained by that."""
        filled = self._filled.pop(order_id, None)
        if filled is None:
            return 0
        side, _, had = order = self._resting.orders[order_id]
        shown = min(filled[0], had)
        if shown:
            self._out.add(EXECUTE | SELL_OF[side], filled[1], shown, order_id, line)
        if filled[0] > had:
            self._findings.count("iceberg_lots_unshown", filled[0] - had)
            self._out.add(int(Row.TRADE) | SELL_OF[1 - side], filled[1], filled[0] - had, order_id, line)
        order[2] = had - shown
        if shown == had:
            self._resting.remove(order_id)
            self._sides[order_id] = side
        return shown

    def _cancelled(self, order_id: int, lots: int, executed: int, line: int) -> None:
        order = self._resting.orders.get(order_id)
        lots -= executed
        if order is None:  # it was executed in full
            del self._sides[order_id]
            return
        side, price, had = order
        what = f"{lots} lots of order {order_id} are cancelled; it has {had}"
        if not self._right("bad-size", lots > had, line, what):
            return
        if lots == had:
            self._leave(order_id, line)
        elif lots > 0:
            order[2] = had - lots
            self._out.add(REDUCE | SELL_OF[side], price, lots, order_id, line)

    def _changed(self, order_id: int, price: int, lots: int, line: int) -> None:
        order = self._resting.orders.get(order_id)
        if order is None:  # executed in full as far as it was shown, and it shows more
            self._rest(order_id, self._sides.pop(order_id), price, lots, line)
            return
        side, before, had = order
        if price == before and lots <= had:
            if lots < had:
                order[2] = lots
                self._out.add(REDUCE | SELL_OF[side], price, had - lots, order_id, line)
            return
        self._leave(order_id, line)
        self._rest(order_id, side, price, lots, line)

    def _snapshot_ends(self, line: int, time_ns: int, receive_ns: int) -> None:
        """What it has not named is gone."""
        for order_id in [each for each in self._resting.orders if each not in self._snapshot]:
            self._leave(order_id, line)
        self._snapshot = None
        self._out.end(time_ns, receive_ns)

    def _event_ends(self, line: int, time_ns: int, receive_ns: int) -> None:
        for _, side, lots, price in self._aggressors:
            if lots > 0 and side >= 0:  # against what no order shows: implied orders, icebergs
                self._findings.count("lots_traded_unshown", lots)
                self._out.add(int(Row.TRADE) | SELL_OF[side], price, lots, 0, line)
        self._aggressors.clear()
        self._out.end(time_ns, receive_ns)
        crossed = self._resting.crossed
        if crossed:
            self._findings.count("events_crossed")
        if self._state == MarketState.PRE_OPEN:
            if self._traded and not crossed:
                self._change_state(MarketState.OPEN, line, time_ns, receive_ns)
        elif crossed != (self._state == MarketState.AUCTION):
            to = MarketState.AUCTION if crossed else MarketState.OPEN
            self._change_state(to, line, time_ns, receive_ns)

    def _change_state(self, state: MarketState, line: int, time_ns: int, receive_ns: int) -> None:
        self._state = state
        self._out.add(int(Row.STATE), 0, int(state), 0, line)
        self._out.end(time_ns, receive_ns)

    def _right(self, rule: str, wrong: bool, line: int, what: str) -> bool:
        if not wrong:
            return True
        said = f"{what}: {REPAIR}"
        return bool(self._findings.refuse(rule, np.ones(1, bool), self._file, np.array([line]), lambda i: said)[0])


def _copied(resting: Resting) -> Resting:
    made = Resting()
    for order_id, (side, price, lots) in resting.orders.items():
        made.add(order_id, side, price, lots)
    return made
