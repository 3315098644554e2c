"""What stands at a time of a recording: its book or its orders, the state of the market, the last prices.

Replaying what stands, then the rows from that time on, gives the books of the whole recording. Prints of the time
before are not in it: what follows the last trade, or an average, has to see rows of some minutes first.
"""

from __future__ import annotations

import numpy as np
from perpsim.core import MarketState
from perpsim.replay.gate import ORDERS
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SELL, SNAPSHOT, Batch, Row

PENDING_ROWS = 1 << 20  # levels that wait to be folded
PRICES = (Row.INDEX, Row.MARK, Row.FUNDING)  # in the order in which they are told
OF_LEVELS = ("code", "price", "value")  # columns that are kept of levels

Line = tuple[int, int, int, int]  # code, price, value, id


class Standing:
    """Takes batches of whole messages in order.

    What stands may rest on rows that were not seen, of the day before: then it is what these rows changed in it, and
    replaying what stood before and then this gives all of it. Adding such messages to another Standing does the same.
    """

    def __init__(self):
        self.last_ns = 0  # of the last row
        self._whole = False  # a snapshot of the book was seen: nothing before it counts
        self._levels = {name: np.zeros(0, COLUMNS[name]) for name in OF_LEVELS}  # the last word on each level
        self._update_id = 0  # of the last level
        self._pending: list[Batch] = []
        self._pending_rows = 0
        self._orders: dict[int, tuple[int, int, int]] = {}  # id -> side, price, lots; oldest first
        self._foreign: list[Line] = []  # what happened to orders that were not seen to come
        self._last: dict[Row, tuple[int, int]] = {}  # price, value

    def add(self, batch: Batch) -> Standing:
        """The next rows."""
        if len(batch["code"]) == 0:
            return self
        self.last_ns = int(batch["time_ns"][-1])
        kinds = batch["code"] & ROW_MASK
        levels = np.flatnonzero(kinds == Row.LEVEL)
        if len(levels):
            self._add_levels(batch, kinds, levels)
        orders = np.flatnonzero(np.isin(kinds, ORDERS))
        if len(orders):
            self._add_orders(batch, orders)
        for row in (Row.STATE, *PRICES):
            found = np.flatnonzero(kinds == row)
            if len(found):
                self._last[row] = int(batch["price"][found[-1]]), int(batch["value"][found[-1]])
        return self

    def messages(self, time_ns: int) -> Batch:
        """What stands before a time, as messages of that time: state, levels or orders by age, prices."""
        state = self._last.get(Row.STATE, (0, MarketState.OPEN))[1]
        orders = [(Row.ORDER_ADD | side, price, lots, name) for name, (side, price, lots) in self._orders.items()]
        prices = [(int(row), *self._last[row], 0) for row in PRICES if row in self._last]
        return _joined(time_ns, [
            _batch([(int(Row.STATE), 0, state, 0)] if state != MarketState.OPEN else []),
            self._book(self._fold()["value"] > 0, SNAPSHOT),
            _batch(orders),
            _batch([line for line in prices if line[0] != Row.FUNDING or line[1] > time_ns]),
        ])  # fmt: skip

    def changes(self) -> Batch:
        """What the rows so far changed, as messages of the time of the last."""
        levels = self._fold()
        chosen = levels["value"] > 0 if self._whole else levels["value"] >= 0
        orders = [(Row.ORDER_ADD | side, price, lots, name) for name, (side, price, lots) in self._orders.items()]
        return _joined(self.last_ns, [
            _batch([(int(row), *self._last[row], 0) for row in (Row.STATE,) if row in self._last]),
            self._book(chosen, SNAPSHOT if self._whole else 0),
            _batch(self._foreign + orders),
            _batch([(int(row), *self._last[row], 0) for row in PRICES if row in self._last]),
        ])  # fmt: skip

    def _add_levels(self, batch: Batch, kinds: np.ndarray, levels: np.ndarray) -> None:
        """The rows that are levels; a snapshot ends what came before it."""
        begins = np.append(True, (batch["code"][:-1] & MORE) == 0)
        snapshots = np.flatnonzero(begins & (kinds == Row.LEVEL) & ((batch["code"] & SNAPSHOT) != 0))
        if len(snapshots):
            levels = levels[levels >= snapshots[-1]]
            self._whole, self._levels = True, {name: column[:0] for name, column in self._levels.items()}
            self._pending, self._pending_rows = [], 0
        self._update_id = int(batch["id"][levels[-1]])
        self._pending.append({name: batch[name][levels] for name in OF_LEVELS})
        self._pending_rows += len(levels)
        if self._pending_rows > PENDING_ROWS:
            self._fold()

    def _fold(self) -> Batch:
        """The last word on each level, bids before asks, by price."""
        if self._pending:
            rows = {name: np.concatenate([each[name] for each in (self._levels, *self._pending)]) for name in OF_LEVELS}
            asks = (rows["code"] & SELL) != 0
            key = rows["price"] + (asks.astype(np.int64) << 62)
            _, last = np.unique(key[::-1], return_index=True)
            self._levels = {name: column[len(key) - 1 - last] for name, column in rows.items()}
            self._pending, self._pending_rows = [], 0
        return self._levels

    def _book(self, chosen: np.ndarray, snapshot: int) -> Batch:
        """Some levels as one message. An empty book that was told as a whole is one level of nothing."""
        if snapshot and len(chosen) and not chosen.any():
            chosen = np.arange(len(chosen)) == 0
        levels = {name: column[chosen] for name, column in self._levels.items()}
        code = Row.LEVEL | (levels["code"] & SELL) | snapshot
        nothing = np.zeros(len(code), np.int64)
        return levels | {"code": code, "id": nothing + self._update_id, "time_ns": nothing, "receive_ns": nothing}

    def _add_orders(self, batch: Batch, chosen: np.ndarray) -> None:
        orders = self._orders
        columns = (batch[name][chosen].tolist() for name in ("code", "price", "value", "id"))
        for code, price, value, name in zip(*columns, strict=True):
            kind = code & ROW_MASK
            if kind == Row.ORDER_ADD:
                orders[name] = (code & SELL, price, value)
            elif name not in orders:
                self._foreign.append((code & (ROW_MASK | SELL), price, value, name))
            elif kind == Row.ORDER_DELETE or orders[name][2] <= value:
                del orders[name]
            else:
                side, at, lots = orders[name]
                orders[name] = (side, at, lots - value)  # in its old place


def _batch(lines: list[Line]) -> Batch:
    """Rows as one message that nobody got now."""
    table = np.array(lines, np.int64).reshape(-1, 4)
    nothing = np.zeros(len(table), np.int64)
    found = dict(zip(("code", "price", "value", "id"), table.T, strict=True))
    found |= {"code": table[:, 0] | SNAPSHOT, "time_ns": nothing, "receive_ns": nothing}
    return {name: np.ascontiguousarray(found[name], dtype) for name, dtype in COLUMNS.items()}


def _joined(time_ns: int, messages: list[Batch]) -> Batch:
    """Messages as a batch of one time."""
    for message in messages:
        count = len(message["code"])
        message["code"] = message["code"] | np.where(np.arange(count) < count - 1, MORE, 0)
    batch = {name: np.concatenate([message[name] for message in messages]) for name in COLUMNS}
    times = np.full(len(batch["code"]), time_ns)
    batch |= {"time_ns": times, "receive_ns": times}
    return {name: np.ascontiguousarray(batch[name], dtype) for name, dtype in COLUMNS.items()}
