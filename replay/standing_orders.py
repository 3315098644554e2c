"""The orders of a tape that stand at a time, for tapes that are cut there."""

from collections.abc import Iterable

import numpy as np
from perpsim.core import MarketState
from perpsim.replay.tape import COLUMNS, MORE, ROW_MASK, SELL, Batch, Row


def standing_orders(batches: Iterable[Batch], time_ns: int) -> Batch:
    """All orders that rest after some batches, oldest first, as one message of a time: so each has its place.

    The state of the market comes before them, unless it is open.
    """
    orders: dict[int, tuple[int, int, int]] = {}
    state = int(MarketState.OPEN)
    for batch in batches:
        columns = (batch[name].tolist() for name in ("code", "price", "value", "id"))
        for code, price, value, order_id in zip(*columns, strict=True):
            kind = code & ROW_MASK
            if kind == Row.ORDER_ADD:
                orders[order_id] = (code & SELL, price, value)
            elif kind == Row.STATE:
                state = value
            elif kind == Row.ORDER_DELETE:
                orders.pop(order_id, None)
            elif kind in (Row.ORDER_REDUCE, Row.ORDER_EXECUTE) and order_id in orders:
                side, at, lots = orders.pop(order_id) if orders[order_id][2] <= value else orders[order_id]
                if lots > value:
                    orders[order_id] = (side, at, lots - value)  # in its old place
    rows = [] if state == MarketState.OPEN else [(int(Row.STATE), 0, state, 0)]
    rows += [(int(Row.ORDER_ADD) | side, price, lots, order_id) for order_id, (side, price, lots) in orders.items()]
    table = np.array(rows, np.int64).reshape(-1, 4)
    code = table[:, 0] | MORE
    if len(rows):
        code[-1] &= 0xFF ^ MORE
    found = dict(zip(("price", "value", "id"), table[:, 1:].T, strict=True))
    found |= {"code": code, "time_ns": np.full(len(rows), time_ns), "receive_ns": np.full(len(rows), time_ns)}
    return {name: np.ascontiguousarray(found[name], dtype) for name, dtype in COLUMNS.items()}
