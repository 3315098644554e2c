"""Single orders of a book: events of orders that do not rest, or of more lots than there are (R1, R2)."""

import numpy as np
from perpsim.replay.tape import MORE, ROW_MASK, SELL, SNAPSHOT, Row


class Orders:
    """The orders that rest, and what each event does to the lots at a price."""

    def __init__(self):
        self._resting: dict[int, list[int]] = {}  # id: side, price, lots
        self._whole = False  # a snapshot is being read
        self.unknown = self.too_many = 0

    def changes(
        self, code: np.ndarray, price: np.ndarray, value: np.ndarray, order: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(code, price, change in lots) of events in order: side and price are those of the order itself."""
        told = []
        for row in zip(code.tolist(), price.tolist(), value.tolist(), order.tolist(), strict=True):
            ask, at, lots = self._change(*row)
            told.append((row[0] & ~SELL | ask, at, lots))
            self._whole = self._whole and bool(row[0] & MORE)
        codes, prices, lots = np.array(told, np.int64).T
        return codes.astype(np.uint8), prices, lots

    def _change(self, code: int, price: int, value: int, order: int) -> tuple[int, int, int]:
        kind = code & ROW_MASK
        if kind == Row.ORDER_ADD:
            if code & SNAPSHOT and not self._whole:
                self._whole = True
                self._resting.clear()
            self._resting[order] = [code & SELL, price, value]
            return code & SELL, price, value
        held = self._resting.get(order)
        if held is None:
            self.unknown += 1
            return code & SELL, price, 0
        lots = held[2] if kind == Row.ORDER_DELETE else min(value, held[2])
        self.too_many += value > held[2]
        held[2] -= lots
        if not held[2]:
            del self._resting[order]
        return held[0], held[1], -lots
