"""Rows of single orders while a reader makes them, message by message, in the order of the file.

Readers of order-level recordings read row after row: what a row means depends on the order that it names.
"""

from heapq import heappop, heappush

import numpy as np
from perpsim.replay.readers.contract import Rows, SourceFile
from perpsim.replay.tape import MORE, SELL, Row

ROWS_MAX = 200_000  # of a block
ADD, REDUCE, DELETE, EXECUTE = (
    int(row) for row in (Row.ORDER_ADD, Row.ORDER_REDUCE, Row.ORDER_DELETE, Row.ORDER_EXECUTE)
)
SELL_OF = (0, int(SELL))  # by side: 0 a bid, 1 an ask


class OrderRows:
    """Collects rows; `end` closes a message, `take` hands over a block of whole messages."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._messages: list[tuple[int, int, int]] = []
        self._ended = 0

    def add(self, code: int, price: int, value: int, order_id: int, line: int) -> None:
        self._rows.append((code, price, value, order_id, line))

    def end(self, time_ns: int, receive_ns: int) -> None:
        """The rows since the last call are a message; none is no message."""
        count = len(self._rows) - self._ended
        if count:
            self._messages.append((time_ns, receive_ns, count))
            self._ended = len(self._rows)

    @property
    def full(self) -> bool:
        return self._ended >= ROWS_MAX

    def __len__(self) -> int:
        return self._ended

    def take(self, file: SourceFile) -> Rows:
        """All ended messages as one block; the collection is empty after that."""
        table = np.array(self._rows, np.int64).reshape(-1, 5)
        times = np.array(self._messages, np.int64).reshape(-1, 3)
        counts = times[:, 2]
        code = (table[:, 0] | MORE).astype(np.uint8)
        code[np.cumsum(counts) - 1] &= 0xFF ^ MORE
        self.__init__()
        return Rows(
            time_ns=np.repeat(times[:, 0], counts), receive_ns=np.repeat(times[:, 1], counts), code=code,
            price=table[:, 1].copy(), value=table[:, 2].copy(), id=table[:, 3].copy(), file=file,
            line=table[:, 4].copy(),
        )  # fmt: skip


class Resting:
    """Orders that rest, by id: [side, price, lots], oldest first; and the best price of each side."""

    def __init__(self) -> None:
        self.orders: dict[int, list[int]] = {}
        self._count: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._heaps: tuple[list[int], list[int]] = ([], [])  # of bids negative; prices stay until they come up

    def __contains__(self, order_id: int) -> bool:
        return order_id in self.orders

    def add(self, order_id: int, side: int, price: int, lots: int) -> None:
        self.orders[order_id] = [side, price, lots]
        count = self._count[side].get(price, 0)
        self._count[side][price] = count + 1
        if not count:
            heappush(self._heaps[side], price if side else -price)

    def remove(self, order_id: int) -> None:
        side, price, _ = self.orders.pop(order_id)
        count = self._count[side]
        if count[price] == 1:
            del count[price]
        else:
            count[price] -= 1

    def best(self, side: int) -> int | None:
        heap, count = self._heaps[side], self._count[side]
        while heap:
            price = heap[0] if side else -heap[0]
            if price in count:
                return price
            heappop(heap)
        return None

    def crosses(self, side: int, price: int) -> bool:
        """Whether an order of this side and price could trade with one that rests."""
        other = self.best(1 - side)
        return other is not None and (other <= price if side == 0 else other >= price)

    @property
    def crossed(self) -> bool:
        bid = self.best(0)
        return bid is not None and self.crosses(0, bid)
